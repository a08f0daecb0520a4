//! UpgradePlan: waves of clusters, and what is wanted of them.

use engine::Rollout;
use k8s_openapi::apimachinery::pkg::{
    apis::meta::v1::{Condition, LabelSelector},
    util::intstr::IntOrString,
};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Duration, FailurePolicy, ForceUpgrade, GateSpec, NodePools, TargetSpec, common::OBJECT_NAME};

/// Upgrades clusters in waves.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "tidegate.dev",
    version = "v1alpha1",
    kind = "UpgradePlan",
    plural = "upgradeplans",
    shortname = "upl",
    category = "tidegate",
    namespaced,
    doc = "Upgrades clusters in waves.",
    status = "UpgradePlanStatus",
    derive = "PartialEq",
    validation = Rule::new("self.metadata.name.size() <= 40").message("metadata.name must have at most 40 characters: it becomes part of labels"),
    printcolumn(name = "Target", type_ = "string", json_path = ".status.rollout.target.kubernetes"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.summary.phase"),
    printcolumn(name = "Wave", type_ = "string", json_path = ".status.summary.wave"),
    printcolumn(name = "Clusters", type_ = "string", json_path = ".status.summary.progress"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.summary.reason"),
    printcolumn(name = "Message", type_ = "string", json_path = ".status.summary.message", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct UpgradePlanSpec {
    /// Finish the steps in flight, start nothing new. Not part of the plan's hash.
    #[serde(default)]
    pub suspend: bool,
    /// What is wanted.
    pub target: TargetSpec,
    /// The clusters, one wave after the other. A cluster belongs to the first wave that selects it.
    #[schemars(
        length(min = 1, max = 50),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"])
    )]
    pub waves: Vec<WaveSpec>,
    /// Order and selection of node pools.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_pools: Option<NodePools>,
    /// Settings of the gates that are checked after every step and while soaking.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub gates: Vec<GateSpec>,
    /// What happens when a step fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_policy: Option<FailurePolicy>,
    /// Go over disruption budgets and deprecated APIs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub force_upgrade: Option<ForceUpgrade>,
}

/// A wave of clusters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct WaveSpec {
    /// Its name, unique within the plan.
    #[schemars(regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"), length(min = 1, max = 40))]
    pub name: String,
    /// Which clusters.
    pub clusters: ClusterSelection,
    /// How many are upgraded at once: a number, or a percent of the wave such as `25%`; default 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    // Not CEL: its cost for a text or number without a bound is beyond what an API server allows.
    #[schemars(extend("minimum" = 1, "pattern" = "^([1-9][0-9]?|100)%$"))]
    pub max_concurrent: Option<IntOrString>,
    /// How long gates stay watched after each cluster's last step, before the wave is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soak: Option<Duration>,
}

/// Clusters by name or by label: exactly one of the two.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = Rule::new("has(self.names) != has(self.selector)")
    .message("exactly one of clusters.names and clusters.selector is needed"))]
pub struct ClusterSelection {
    /// Names of AKSClusters, in the order in which they start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1000), inner(regex(pattern = OBJECT_NAME), length(min = 1, max = 253)))]
    pub names: Option<Vec<String>>,
    /// Selects AKSClusters by their labels; they start in the order of their names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<LabelSelector>,
}

/// How a plan stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UpgradePlanStatus {
    /// The generation of the specification that this tells of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The present rollout.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<Rollout>,
    /// The waves, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50))]
    pub waves: Vec<WaveStatus>,
    /// How it stands, in a few words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<PlanSummary>,
    /// `Ready`, `Reconciling`, `Stalled` and `UpToDate`.
    #[serde(default)]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

/// How a wave stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WaveStatus {
    /// Its name.
    #[schemars(length(max = 63))]
    pub name: String,
    /// `Pending`, `RollingOut`, `Soaking`, `Stopped` or `Succeeded`.
    #[schemars(length(max = 32))]
    pub state: String,
    /// Its clusters.
    pub clusters: ClusterCounts,
}

/// How many clusters are how far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClusterCounts {
    /// All.
    pub total: i32,
    /// Not started.
    #[serde(default)]
    pub waiting: i32,
    /// Worked on.
    #[serde(default)]
    pub running: i32,
    /// Watched after their last step.
    #[serde(default)]
    pub soaking: i32,
    /// Stopped.
    #[serde(default)]
    pub stopped: i32,
    /// Done.
    #[serde(default)]
    pub succeeded: i32,
}

/// How a plan stands, in a few words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanSummary {
    /// `Parked`, `RollingOut`, `Stopped` or `Succeeded`.
    #[schemars(length(max = 32))]
    pub phase: String,
    /// What it waits on, in one word.
    #[schemars(length(max = 64))]
    pub reason: String,
    /// What it waits on, in one sentence.
    #[schemars(length(max = 4096))]
    pub message: String,
    /// Clusters done, of how many.
    #[schemars(length(max = 32))]
    pub progress: String,
    /// The wave that is worked on.
    #[schemars(length(max = 63))]
    pub wave: String,
}
