//! What the scenario says about workloads: which pods come up, and on which nodes.
//!
//! The node driver asks [`outcome_for`] for every pod that it plays. The rules touch
//! nothing and know no pod in advance: they are matched by namespace, labels and image.

use std::collections::BTreeMap;

use semver::{Version, VersionReq};
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

/// One rule: pods that match, on nodes where the condition holds, end up like this.
///
/// Rules are tried in order; the first that matches decides, and without one a pod runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WorkloadRule {
    /// Which pods; an empty match is every pod.
    #[serde(default, rename = "match")]
    pub matches: PodMatch,
    /// On which nodes; an empty condition is every node.
    #[serde(default)]
    pub when: NodeCondition,
    /// What becomes of them.
    pub outcome: PodOutcome,
}

/// Which pods a rule is about; everything that is given must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PodMatch {
    /// The pod's namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Labels that the pod carries, with these values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// An image of one of its containers; `*` stands for any text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
}

/// On which nodes a rule holds; everything that is given must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NodeCondition {
    /// The kubelet's version, for example `>=1.36`, `<1.35.2` or `1.36`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubernetes_version: Option<VersionCondition>,
    /// The node image; `*` stands for any text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_image: Option<String>,
}

/// A condition on a version: `>=1.36`, `<1.35.2`, or a bare `1.36` for any of its patches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionCondition {
    text: String,
    requirement: VersionReq,
}

impl VersionCondition {
    /// Reads a condition.
    ///
    /// # Errors
    /// When the text is not a comparison with a version.
    pub fn parse(text: &str) -> Result<Self, semver::Error> {
        let bare = text.trim_start().starts_with(|c: char| c.is_ascii_digit());
        let requirement = if bare { format!("={}", text.trim()).parse() } else { text.parse() }?;
        Ok(Self { text: text.to_owned(), requirement })
    }

    /// Whether `version` (with or without a leading v) meets the condition.
    #[must_use]
    pub fn holds(&self, version: &str) -> bool {
        Version::parse(version.trim_start_matches('v'))
            .is_ok_and(|version| self.requirement.matches(&version))
    }
}

impl Serialize for VersionCondition {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for VersionCondition {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(|source| {
            D::Error::custom(format!(
                "{text:?} is not a condition on a version such as \">=1.36\", \"<1.35.2\" or \"1.36\" ({source})"
            ))
        })
    }
}

/// What becomes of a pod.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum PodOutcome {
    /// It starts and becomes Ready.
    #[default]
    Running,
    /// It starts and never becomes Ready.
    NotReady,
    /// Its containers end and are started again, with growing pauses.
    CrashLoopBackOff,
    /// Its image cannot be pulled.
    ImagePullBackOff,
}

/// What becomes of a pod with these properties on a node with these properties:
/// the outcome of the first rule that matches, or [`PodOutcome::Running`].
#[must_use]
pub fn outcome_for(
    rules: &[WorkloadRule],
    namespace: &str,
    labels: &BTreeMap<String, String>,
    images: &[String],
    kubelet_version: &str,
    node_image: &str,
) -> PodOutcome {
    rules
        .iter()
        .find(|rule| {
            rule.matches.holds(namespace, labels, images) && rule.when.holds(kubelet_version, node_image)
        })
        .map_or(PodOutcome::Running, |rule| rule.outcome)
}

impl PodMatch {
    fn holds(&self, namespace: &str, labels: &BTreeMap<String, String>, images: &[String]) -> bool {
        self.namespace.as_deref().is_none_or(|wanted| wanted == namespace)
            && self.labels.iter().all(|(key, value)| labels.get(key) == Some(value))
            && self
                .image
                .as_deref()
                .is_none_or(|pattern| images.iter().any(|image| matches_pattern(pattern, image)))
    }
}

impl NodeCondition {
    fn holds(&self, kubelet_version: &str, node_image: &str) -> bool {
        self.kubernetes_version.as_ref().is_none_or(|condition| condition.holds(kubelet_version))
            && self.node_image.as_deref().is_none_or(|pattern| matches_pattern(pattern, node_image))
    }
}

/// Whether `text` is `pattern`, in which each `*` stands for any text.
fn matches_pattern(pattern: &str, text: &str) -> bool {
    let Some((head, tail)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut rest) = text.strip_prefix(head) else {
        return false;
    };
    let mut parts = tail.split('*').collect::<Vec<_>>();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(yaml: &str) -> Vec<WorkloadRule> {
        serde_saphyr::from_str(yaml).unwrap()
    }

    fn outcome(rules: &[WorkloadRule], namespace: &str, image: &str, version: &str) -> PodOutcome {
        let labels = BTreeMap::from([("app".to_owned(), "web".to_owned())]);
        outcome_for(rules, namespace, &labels, &[image.to_owned()], version, "AKSUbuntu-2204-1")
    }

    #[test]
    fn the_first_rule_that_matches_decides() {
        let rules = rules(
            "
            - match: { namespace: shop, labels: { app: web } }
              when: { kubernetesVersion: '>=1.36' }
              outcome: CrashLoopBackOff
            - match: { image: 'registry.example/*:v1' }
              outcome: ImagePullBackOff
            - match: { namespace: quiet }
              when: { nodeImage: 'AKSUbuntu-2204*', kubernetesVersion: '1.35' }
              outcome: NotReady
            ",
        );
        let is = |namespace, image, version| outcome(&rules, namespace, image, version);
        assert_eq!(is("shop", "nginx:1", "v1.36.1"), PodOutcome::CrashLoopBackOff);
        assert_eq!(is("shop", "nginx:1", "1.35.9"), PodOutcome::Running);
        assert_eq!(is("shop", "registry.example/a/b:v1", "1.35.9"), PodOutcome::ImagePullBackOff);
        assert_eq!(is("quiet", "nginx:1", "1.35.0"), PodOutcome::NotReady);
        assert_eq!(is("quiet", "nginx:1", "1.36.0"), PodOutcome::Running);
    }

    #[test]
    fn a_condition_that_cannot_be_read_says_what_would_be_right() {
        let yaml = "- { when: { kubernetesVersion: newest }, outcome: Running }";
        let error = serde_saphyr::from_str::<Vec<WorkloadRule>>(yaml).unwrap_err().to_string();
        assert!(error.contains("\">=1.36\""), "{error}");
    }
}
