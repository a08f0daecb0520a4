//! UpgradeFreeze: between two instants no step starts on the clusters that it selects.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, LabelSelector};
use kube::{
    CustomResource, KubeSchema, ResourceExt,
    core::{Selector, SelectorExt as _},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Stops new steps on the clusters that it selects; the steps in flight finish.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "tidegate.dev",
    version = "v1alpha1",
    kind = "UpgradeFreeze",
    plural = "upgradefreezes",
    shortname = "frz",
    category = "tidegate",
    doc = "Stops new steps on the clusters that it selects; the steps in flight finish.",
    status = "UpgradeFreezeStatus",
    derive = "PartialEq",
    validation = Rule::new("self.metadata.name.size() <= 63").message("metadata.name must have at most 63 characters: it is shown with every cluster that is frozen"),
    printcolumn(name = "From", type_ = "string", json_path = ".spec.from"),
    printcolumn(name = "To", type_ = "string", json_path = ".spec.to"),
    printcolumn(name = "State", type_ = "string", json_path = ".status.state"),
    printcolumn(name = "Clusters", type_ = "integer", json_path = ".status.clusters"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".spec.reason"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[x_kube(validation = Rule::new("!has(self.from) || !has(self.to) || self.from < self.to")
    .message("spec.from must be before spec.to"))]
#[serde(rename_all = "camelCase")]
pub struct UpgradeFreezeSpec {
    /// Selects AKSClusters by their labels; without it, or empty: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<LabelSelector>,
    /// Only AKSClusters of these namespaces; none: of all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100), inner(length(min = 1, max = 63)))]
    pub namespaces: Vec<String>,
    /// When it begins; without it, when it is created.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// When it is over; without it, when it is deleted, or somebody says when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Timestamp>,
    /// Why: shown with every cluster that it holds.
    #[schemars(length(min = 1, max = 256))]
    pub reason: String,
}

/// How a freeze stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UpgradeFreezeStatus {
    /// The generation of the specification that this tells of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Pending`, `Holding` or `Over`.
    #[serde(default)]
    #[schemars(length(max = 16))]
    pub state: String,
    /// How many AKSClusters it holds now.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub clusters: i32,
    /// `Ready`: it is understood as it was written.
    #[serde(default)]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

impl UpgradeFreeze {
    /// What is wrong with its selector, if anything is.
    ///
    /// # Errors
    /// Naming the field.
    pub fn understood(&self) -> Result<Option<Selector>, crate::InvalidField> {
        let selector = self.spec.selector.clone().map(Selector::try_from).transpose();
        selector.map_err(|error| crate::InvalidField {
            field: "spec.selector".to_owned(),
            problem: format!("{error}; until it is corrected, all clusters are frozen"),
        })
    }

    /// Whether it selects a cluster. One whose selector means nothing selects all: somebody wants nothing to
    /// start.
    #[must_use]
    pub fn selects(&self, namespace: &str, labels: &BTreeMap<String, String>) -> bool {
        let namespaces = &self.spec.namespaces;
        let in_namespace = namespaces.is_empty() || namespaces.iter().any(|name| name == namespace);
        in_namespace
            && match self.understood() {
                Ok(selector) => selector.is_none_or(|selector| selector.matches(labels)),
                Err(_) => true,
            }
    }

    /// The freeze, in the engine's words.
    #[must_use]
    pub fn freeze(&self) -> engine::Freeze {
        let created = self.creation_timestamp().map(|time| time.0);
        engine::Freeze {
            name: self.name_any(),
            reason: self.spec.reason.clone(),
            from: self.spec.from.or(created).unwrap_or(Timestamp::MIN),
            until: self.spec.to,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn freeze(spec: Value) -> UpgradeFreeze {
        serde_json::from_value(json!({
            "apiVersion": "tidegate.dev/v1alpha1", "kind": "UpgradeFreeze",
            "metadata": {"name": "holidays", "creationTimestamp": "2026-12-01T08:00:00Z"}, "spec": spec
        }))
        .unwrap()
    }

    fn selects(spec: Value, namespace: &str, ring: &str) -> bool {
        freeze(spec).selects(namespace, &[("ring".to_owned(), ring.to_owned())].into())
    }

    #[test]
    fn selects_by_labels_and_namespaces_and_all_when_nothing_is_said() {
        assert!(selects(json!({"reason": "a"}), "fleet", "prod"));
        assert!(selects(json!({"reason": "a", "selector": {}}), "fleet", "prod"));
        let prod =
            json!({"reason": "a", "selector": {"matchLabels": {"ring": "prod"}}, "namespaces": ["fleet"]});
        assert!(selects(prod.clone(), "fleet", "prod"));
        assert!(!selects(prod.clone(), "fleet", "canary"));
        assert!(!selects(prod, "other", "prod"));
    }

    #[test]
    fn what_means_nothing_freezes_all_and_says_so() {
        let wrong =
            json!({"reason": "a", "selector": {"matchExpressions": [{"key": "ring", "operator": "Like"}]}});
        assert!(selects(wrong.clone(), "fleet", "canary"));
        let error = freeze(wrong).understood().unwrap_err().to_string();
        assert!(error.starts_with("spec.selector: ") && error.contains("all clusters are frozen"), "{error}");
    }

    #[test]
    fn begins_when_it_is_made_and_holds_until_it_is_taken_away() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let open = freeze(json!({"reason": "incident"})).freeze();
        assert_eq!((open.from, open.until), (at("2026-12-01T08:00:00Z"), None));
        let span = json!({"reason": "a", "from": "2026-12-20T00:00:00Z", "to": "2027-01-04T00:00:00Z"});
        let span = freeze(span).freeze();
        assert_eq!((span.from, span.until), (at("2026-12-20T00:00:00Z"), Some(at("2027-01-04T00:00:00Z"))));
    }
}
