//! UpgradeApproval: one person's yes to one wave of one rollout.
//!
//! That `approver` is who created it is enforced at admission, by the ValidatingAdmissionPolicy of the chart.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::common::OBJECT_NAME;

/// One person's yes to one wave of one rollout. Deleting it before the wave has started withdraws it.
#[derive(CustomResource, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "tidegate.dev",
    version = "v1alpha1",
    kind = "UpgradeApproval",
    selectable = ".spec.plan",
    plural = "upgradeapprovals",
    shortname = "apr",
    category = "tidegate",
    namespaced,
    doc = "One person's yes to one wave of one rollout. Deleting it before the wave has started withdraws it.",
    status = "UpgradeApprovalStatus",
    derive = "PartialEq",
    printcolumn(name = "Plan", type_ = "string", json_path = ".spec.plan"),
    printcolumn(name = "Rollout", type_ = "string", json_path = ".spec.rollout"),
    printcolumn(name = "Wave", type_ = "string", json_path = ".spec.wave"),
    printcolumn(name = "Approver", type_ = "string", json_path = ".spec.approver"),
    printcolumn(name = "Counts", type_ = "boolean", json_path = ".status.counts"),
    printcolumn(name = "Why", type_ = "string", json_path = ".status.reason"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".spec.reason", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[x_kube(validation = Rule::new("self == oldSelf")
    .message("an UpgradeApproval cannot be changed: delete it and make another"))]
#[serde(rename_all = "camelCase")]
pub struct UpgradeApprovalSpec {
    /// Name of the UpgradePlan, in the same namespace.
    #[schemars(regex(pattern = OBJECT_NAME), length(min = 1, max = 40))]
    pub plan: String,
    /// The rollout that is approved: `status.rollout.id` of the plan.
    #[schemars(length(min = 1, max = 63))]
    pub rollout: String,
    /// What the plan says: `status.rollout.planHash` of the plan. A plan that is changed needs new approvals.
    #[schemars(length(min = 1, max = 64))]
    pub plan_hash: String,
    /// The wave that may start.
    #[schemars(length(min = 1, max = 40))]
    pub wave: String,
    /// Who approves: the name that the API server knows the creator by.
    #[schemars(length(min = 1, max = 256))]
    pub approver: String,
    /// Why, for the record: a change number, for example.
    #[schemars(length(min = 1, max = 256))]
    pub reason: String,
}

/// Whether it counts; written by the operator until its wave has started.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UpgradeApprovalStatus {
    /// Whether it counts.
    pub counts: bool,
    /// `Counted`, or why it does not count, in one word.
    #[schemars(length(max = 64))]
    pub reason: String,
    /// The same in one sentence.
    #[schemars(length(max = 512))]
    pub message: String,
}
