//! ClusterUpgrade: one cluster's upgrade. Its status is the ledger.

use engine::{Baseline, Ledger};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ClusterReference, TargetSpec, UpgradePolicy};

/// One cluster's upgrade, made by an UpgradePlan or by a user for one cluster by hand.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "tidegate.dev",
    version = "v1alpha1",
    kind = "ClusterUpgrade",
    selectable = ".spec.clusterRef.name",
    plural = "clusterupgrades",
    shortname = "cup",
    category = "tidegate",
    namespaced,
    doc = "One cluster's upgrade, made by an UpgradePlan or by a user for one cluster by hand.",
    status = "ClusterUpgradeStatus",
    derive = "PartialEq",
    printcolumn(name = "Cluster", type_ = "string", json_path = ".spec.clusterRef.name"),
    printcolumn(name = "Target", type_ = "string", json_path = ".status.targetVersion"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.summary.phase"),
    printcolumn(name = "Progress", type_ = "string", json_path = ".status.summary.progress"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.summary.reason"),
    printcolumn(name = "Message", type_ = "string", json_path = ".status.summary.message", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[x_kube(
    validation = Rule::new("self.clusterRef == oldSelf.clusterRef && self.target == oldSelf.target && self.policy == oldSelf.policy")
        .message("spec.clusterRef, target and policy are fixed once created: make another ClusterUpgrade"),
    validation = Rule::new("has(self.plan) == has(oldSelf.plan) && (!has(self.plan) || (self.plan.name == oldSelf.plan.name && self.plan.rollout == oldSelf.plan.rollout && self.plan.wave == oldSelf.plan.wave))")
        .message("spec.plan is fixed once created, but for admitted, admittedAt, suspended and claim"),
    validation = Rule::new("!has(oldSelf.plan) || !has(self.plan) || self.plan.admitted || !oldSelf.plan.admitted")
        .message("spec.plan.admitted cannot be taken back: use spec.suspend")
)]
#[serde(rename_all = "camelCase")]
pub struct ClusterUpgradeSpec {
    /// The cluster.
    pub cluster_ref: ClusterReference,
    /// What is wanted.
    #[schemars(extend("x-kubernetes-map-type" = "atomic"))]
    pub target: TargetSpec,
    /// How it is done.
    #[serde(default)]
    #[schemars(extend("x-kubernetes-map-type" = "atomic"))]
    pub policy: UpgradePolicy,
    /// Finish the step in flight, start nothing new.
    #[serde(default)]
    pub suspend: bool,
    /// Set when an UpgradePlan made this: it starts when its wave lets it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanReference>,
}

/// The place in a plan's rollout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanReference {
    /// Name of the UpgradePlan.
    #[schemars(length(min = 1, max = 63))]
    pub name: String,
    /// The rollout.
    #[schemars(length(min = 1, max = 63))]
    pub rollout: String,
    /// The wave.
    #[schemars(length(min = 1, max = 63))]
    pub wave: String,
    /// Whether the wave has let it start.
    #[serde(default)]
    pub admitted: bool,
    /// When it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admitted_at: Option<Timestamp>,
    /// Whether the plan is suspended, or the rollout over.
    #[serde(default)]
    pub suspended: bool,
    /// `status.rollout.admissions` of the plan when it last wrote `admitted` and `suspended`.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub claim: i64,
    /// What was unhealthy before an earlier rollout began that did not come to its end here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<Baseline>,
}

/// The ledger of one cluster's upgrade, and how it stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterUpgradeStatus {
    /// The generation of the specification that this tells of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// How it stands, in a few words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kubernetes-map-type" = "atomic"))]
    pub summary: Option<Summary>,
    /// The cluster in Azure that it has begun on, `SUBSCRIPTION/RESOURCE_GROUP/NAME`: no other is touched,
    /// whatever is registered under the name later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub azure_cluster: Option<String>,
    /// Everything that is needed to go on after a crash.
    #[serde(flatten)]
    pub ledger: Ledger,
    /// `Ready`, `Reconciling`, `Stalled` and `UpToDate`.
    #[serde(default)]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

/// How an upgrade stands, in a few words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// `Parked`, `Working`, `Stopped`, `Succeeded` or `Skipped`.
    #[schemars(length(max = 32))]
    pub phase: String,
    /// What it waits on, in one word.
    #[schemars(length(max = 64))]
    pub reason: String,
    /// What it waits on, in one sentence.
    #[schemars(length(max = 4096))]
    pub message: String,
    /// Steps done, of how many.
    #[schemars(length(max = 16))]
    pub progress: String,
    /// Since when it has had this reason.
    pub since: Timestamp,
    /// When what it waits on passes by itself, where that is known beforehand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_attempt: Option<Timestamp>,
    /// When it will probably have ended, soak included, if nothing fails; absent where that is not known, and where
    /// a person has to do something first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eta: Option<Timestamp>,
}
