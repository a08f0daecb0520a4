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
mod maintenance_window;
mod schedule;
mod settings;
mod upgrade_approval;
mod upgrade_freeze;
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
pub use convert::{InvalidField, approvals_of, budget_of, kubernetes_request, policy_of, share_of};
pub use duration::Duration;
pub use maintenance_window::{
    DayOfWeek, ExcludedDays, MaintenanceWindow, MaintenanceWindowSpec, MaintenanceWindowStatus, MonthlyStart,
    Period, WeekIndex, WeeklyStart, WindowExclusion, WindowOpening, WindowStart, window_of,
};
pub use schedule::{ClusterWindows, ScheduleSpec, WindowReference, schedule_of};
pub use settings::{ForceUpgrade, UpgradeSettings};
pub use upgrade_approval::{UpgradeApproval, UpgradeApprovalSpec, UpgradeApprovalStatus};
pub use upgrade_freeze::{UpgradeFreeze, UpgradeFreezeSpec, UpgradeFreezeStatus};
pub use upgrade_plan::{
    BudgetStatus, ClusterCounts, ClusterSelection, MembershipStatus, PlanSummary, UpgradePlan,
    UpgradePlanSpec, UpgradePlanStatus, WaveApprovals, WaveApprovalsStatus, WaveSpec, WaveStatus, WaveWait,
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
/// Annotation on a ClusterUpgrade: a new value reopens what has stopped. On an UpgradePlan it is handed to
/// those of its ClusterUpgrades that have stopped.
pub const RETRY_ANNOTATION: &str = "tidegate.dev/retry";
/// Annotation on a ClusterUpgrade: a new value leaves its cluster out of the rollout.
pub const SKIP_ANNOTATION: &str = "tidegate.dev/skip";
/// Annotation on a ClusterUpgrade: a new value aborts the operation in flight.
pub const ABORT_ANNOTATION: &str = "tidegate.dev/abort";
/// Annotation on a ClusterUpgrade: a new value, `POOL` or `POOL/TOKEN`, takes that node pool back to the version
/// and image that it had before its last upgrade.
pub const ROLLBACK_ANNOTATION: &str = "tidegate.dev/rollback-pool";
/// Annotation on an UpgradePlan of which a wave has `approvals.separateAuthor`: everybody who has written its
/// specification, a name a line. Admission keeps it true.
pub const AUTHORS_ANNOTATION: &str = "tidegate.dev/authors";
/// Annotation on a ClusterUpgrade: with the value `true`, its deletion, or that of its AKSCluster, does not
/// wait until settings that were changed for a step are put back. They stay as they are.
pub const LEAVE_SETTINGS_ANNOTATION: &str = "tidegate.dev/leave-settings";

/// The definitions of all kinds, in the order in which they are installed.
#[must_use]
pub fn definitions()
-> Vec<k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition> {
    vec![
        AKSCluster::crd(),
        ClusterUpgrade::crd(),
        MaintenanceWindow::crd(),
        UpgradeFreeze::crd(),
        UpgradePlan::crd(),
        UpgradeApproval::crd(),
    ]
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

    /// A field that is written under another name than the schema's is dropped by the API server without a word.
    #[test]
    fn fields_are_named_as_kubernetes_names_them() {
        fn collect(value: &serde_json::Value, names: &mut Vec<String>) {
            if let Some(properties) = value["properties"].as_object() {
                names.extend(properties.keys().cloned());
            }
            value.as_object().into_iter().flatten().for_each(|(_, field)| collect(field, names));
            value.as_array().into_iter().flatten().for_each(|entry| collect(entry, names));
        }
        for definition in definitions() {
            let mut names = Vec::new();
            collect(&serde_json::to_value(&definition).unwrap(), &mut names);
            assert!(names.len() > 10, "{}: {names:?}", definition.spec.names.kind);
            let odd = names.iter().find(|name| name.contains(['_', '-']));
            assert_eq!(odd, None, "{}", definition.spec.names.kind);
        }
    }
}
