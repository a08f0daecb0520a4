//! The custom resources of Tidegate, group `tidegate.dev`, version `v1alpha1`.
//!
//! Every rule that one object can check about itself is in its schema, as a pattern, a
//! range or CEL; rules across objects are the controllers'. The manifests in `manifests/`
//! are generated from these types by `tidegate crds`.

#![expect(clippy::duplicated_attributes, reason = "each printcolumn repeats its keys")]
#![expect(unreachable_pub, reason = "the derives repeat each structure where nobody can reach it")]

mod aks_cluster;
mod cluster_upgrade;
mod common;
mod convert;
mod duration;
mod settings;
mod upgrade_plan;

pub use aks_cluster::{
    AKSCluster, AKSClusterSpec, AKSClusterStatus, ClusterAccess, EntraAccess, KubeconfigAccess,
    SecretKeyReference,
};
pub use cluster_upgrade::{ClusterUpgrade, ClusterUpgradeSpec, ClusterUpgradeStatus, PlanReference, Summary};
pub use common::{
    ClusterReference, FailurePolicy, GateSpec, KubernetesTarget, NodePoolMatch, NodePoolOrder, NodePools,
    TargetSpec, UpgradePolicy, WorkloadsGate, condition,
};
pub use convert::{InvalidField, kubernetes_request, policy_of, share_of};
pub use duration::Duration;
pub use settings::{ForceUpgrade, UpgradeSettings};
pub use upgrade_plan::{
    ClusterCounts, ClusterSelection, PlanSummary, UpgradePlan, UpgradePlanSpec, UpgradePlanStatus, WaveSpec,
    WaveStatus,
};

use kube::CustomResourceExt;

/// The API group.
pub const GROUP: &str = "tidegate.dev";
/// Label on a ClusterUpgrade: the rollout that it belongs to.
pub const ROLLOUT_LABEL: &str = "tidegate.dev/rollout";
/// Label on a ClusterUpgrade: the UpgradePlan that made it.
pub const PLAN_LABEL: &str = "tidegate.dev/plan";
/// Label on a ClusterUpgrade: its wave.
pub const WAVE_LABEL: &str = "tidegate.dev/wave";
/// Annotation on a ClusterUpgrade: a new value reopens what has stopped.
pub const RETRY_ANNOTATION: &str = "tidegate.dev/retry";
/// Annotation on a ClusterUpgrade: with the value `true`, its deletion, or that of its AKSCluster, does not
/// wait until settings that were changed for a step are put back. They stay as they are.
pub const LEAVE_SETTINGS_ANNOTATION: &str = "tidegate.dev/leave-settings";

/// The definitions of all kinds, in the order in which they are installed.
#[must_use]
pub fn definitions()
-> Vec<k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition> {
    vec![AKSCluster::crd(), ClusterUpgrade::crd(), UpgradePlan::crd()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_structural_schema() {
        for definition in definitions() {
            let text = serde_json::to_string(&definition).unwrap();
            assert!(
                !text.contains("\"uint"),
                "{}: integers are signed with a range",
                definition.spec.names.kind
            );
            assert!(!text.contains("$ref"), "{}", definition.spec.names.kind);
        }
    }
}
