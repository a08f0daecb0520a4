//! Settings that steps override: within the bounds that AKS sets ("Upgrade options and
//! recommendations for AKS clusters" on Microsoft Learn).

use engine::{Setting, Settings};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Duration, duration::without_days};

/// How nodes are replaced while a step runs. What is not given stays as it is in Azure.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    validation = Rule::new("!(has(self.maxSurge) && has(self.maxUnavailable))")
        .message("only one of maxSurge and maxUnavailable can be given: Azure uses one of them, and the other is set to 0 for the step"),
    validation = Rule::new("has(self.maxSurge) || has(self.maxUnavailable) || has(self.drainTimeout) || has(self.nodeSoak) || has(self.undrainableNodes)")
        .message("at least one of maxSurge, maxUnavailable, drainTimeout, nodeSoak and undrainableNodes is needed")
)]
#[serde(rename_all = "camelCase")]
pub struct UpgradeSettings {
    /// Nodes that are added: a number, or a percent of the pool such as `33%`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("minimum" = 1, "maximum" = 1000, "pattern" = "^([1-9][0-9]?|100)%$"))]
    pub max_surge: Option<IntOrString>,
    /// Nodes that may be away, instead of added ones: a number, or a percent of the pool. Not for system pools.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("minimum" = 1, "maximum" = 1000, "pattern" = "^([1-9][0-9]?|100)%$"))]
    pub max_unavailable: Option<IntOrString>,
    /// How long a node may take to drain: 5m to 24h, in whole minutes.
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "without_days")]
    #[schemars(extend("pattern" = MINUTES))]
    #[x_kube(validation = Rule::new("duration(self) >= duration('5m') && duration(self) <= duration('24h')")
        .message("drainTimeout must be from 5m to 24h"))]
    pub drain_timeout: Option<Duration>,
    /// How long to wait after each node: up to 30m, in whole minutes.
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "without_days")]
    #[schemars(extend("pattern" = MINUTES))]
    #[x_kube(validation = Rule::new("duration(self) <= duration('30m')")
        .message("nodeSoak must be at most 30m"))]
    pub node_soak: Option<Duration>,
    /// What becomes of nodes that cannot be drained: `Schedule`, the upgrade fails; `Cordon`, they are left
    /// aside, and a new node takes the place of each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^(Schedule|Cordon)$"))]
    pub undrainable_nodes: Option<String>,
}

/// Azure counts in minutes.
const MINUTES: &str = "^([0-9]{1,2}h)?([0-9]{1,4}m)?$";

/// Lets steps go over disruption budgets and deprecated APIs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ForceUpgrade {
    /// Steps that start before this instant are forced; there is no default.
    pub until: jiff::Timestamp,
}

impl UpgradeSettings {
    /// In the words of Azure.
    #[must_use]
    pub fn settings(&self) -> Settings {
        let Self { max_surge, max_unavailable, drain_timeout, node_soak, undrainable_nodes } = self;
        let amount = |amount: &Option<IntOrString>| match amount {
            None => None,
            Some(IntOrString::Int(number)) => Some(number.to_string()),
            Some(IntOrString::String(percent)) => Some(percent.clone()),
        };
        let minutes = |duration: &Option<Duration>| {
            duration.map(|duration| duration.0.as_secs().div_ceil(60).to_string())
        };
        let settings = [
            (Setting::MaxSurge, amount(max_surge)),
            (Setting::MaxUnavailable, amount(max_unavailable)),
            (Setting::DrainTimeoutInMinutes, minutes(drain_timeout)),
            (Setting::NodeSoakDurationInMinutes, minutes(node_soak)),
            (Setting::UndrainableNodeBehavior, undrainable_nodes.clone()),
        ];
        Settings(settings.into_iter().filter_map(|(setting, value)| Some((setting, value?))).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn settings(value: Value) -> Settings {
        serde_json::from_value::<UpgradeSettings>(value).unwrap().settings()
    }

    #[test]
    fn each_setting_has_its_name_and_unit_in_azure() {
        assert_eq!(
            settings(
                json!({"maxSurge": "33%", "drainTimeout": "1h30m", "nodeSoak": "5m", "undrainableNodes": "Cordon"})
            ),
            [
                (Setting::MaxSurge, "33%"),
                (Setting::DrainTimeoutInMinutes, "90"),
                (Setting::NodeSoakDurationInMinutes, "5"),
                (Setting::UndrainableNodeBehavior, "Cordon"),
            ]
            .into()
        );
        assert_eq!(settings(json!({"maxUnavailable": 2})), [(Setting::MaxUnavailable, "2")].into());
        assert!(settings(json!({})).is_empty());
    }

    #[test]
    fn what_a_plan_may_say_its_upgrades_may_say_too() {
        for (written, copied) in [("24h", "24h"), ("1440m", "24h"), ("1h30m", "1h30m"), ("45m", "45m")] {
            let settings: UpgradeSettings = serde_json::from_value(json!({"drainTimeout": written})).unwrap();
            assert_eq!(serde_json::to_value(&settings).unwrap(), json!({"drainTimeout": copied}));
        }
    }
}
