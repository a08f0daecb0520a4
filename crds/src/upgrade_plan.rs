//! UpgradePlan: waves of clusters, and what is wanted of them.

use engine::{Mode, Rollout, RolloutRecord};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::{
    apis::meta::v1::{Condition, LabelSelector},
    util::intstr::IntOrString,
};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Duration, FailurePolicy, ForceUpgrade, GateSpec, NodePools, ScheduleSpec, TargetSpec,
    common::{OBJECT_NAME, ONE_DEADLINE, TWO_DEADLINES},
};

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
    validation = Rule::new("!has(self.spec.target.images)").message("spec.target.images is for ClusterUpgrades: a plan with nodeImage Consistent finds them itself"),
    validation = Rule::new("self.metadata.name.size() <= 40").message("metadata.name must have at most 40 characters: it becomes part of labels"),
    printcolumn(name = "Target", type_ = "string", json_path = ".status.rollout.target.kubernetes"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.summary.phase"),
    printcolumn(name = "Wave", type_ = "string", json_path = ".status.summary.wave"),
    printcolumn(name = "Clusters", type_ = "string", json_path = ".status.summary.progress"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.summary.reason"),
    printcolumn(name = "ETA", type_ = "string", json_path = ".status.summary.eta", priority = 1),
    printcolumn(name = "Message", type_ = "string", json_path = ".status.summary.message", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[x_kube(validation = Rule::new("!self.waves.exists(wave, has(wave.approvals) && wave.approvals.separateAuthor) || oldSelf.waves.exists(wave, has(wave.approvals) && wave.approvals.separateAuthor)")
    .message("spec.waves: approvals.separateAuthor is for plans that are created with it: who wrote this one before is not known; make another plan"))]
#[serde(rename_all = "camelCase")]
pub struct UpgradePlanSpec {
    /// `Once`, or `Continuous`: another rollout starts when clusters need something again. Not part of the
    /// plan's hash.
    #[serde(default, skip_serializing_if = "is_once")]
    pub mode: Mode,
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
    #[x_kube(validation = Rule::new(ONE_DEADLINE).message(TWO_DEADLINES))]
    pub gates: Vec<GateSpec>,
    /// What happens when a step fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_policy: Option<FailurePolicy>,
    /// Go over disruption budgets and deprecated APIs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub force_upgrade: Option<ForceUpgrade>,
    /// When steps may start; without it at any time that the clusters' own maintenance windows allow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<ScheduleSpec>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_once(mode: &Mode) -> bool {
    *mode == Mode::Once
}

/// What a wave needs before its first cluster starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WaveApprovals {
    /// UpgradeApprovals of so many different people.
    #[schemars(range(min = 1, max = 10))]
    pub required: i32,
    /// How long an approval counts for a wave that has not started; without it, as long as the rollout.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expire_after: Option<Duration>,
    /// Whether those who wrote the plan do not count. Only when the plan is created: who wrote it before is
    /// not known. Such a plan has the annotation `tidegate.dev/authors`.
    #[serde(default)]
    pub separate_author: bool,
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
    /// How many may fail before no cluster of the plan starts any more: a number, or a percent of the wave such
    /// as `10%`, rounded down; default 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("minimum" = 0, "pattern" = "^([0-9]|[1-9][0-9]|100)%$"))]
    pub failure_budget: Option<IntOrString>,
    /// What is needed before its first cluster starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approvals: Option<WaveApprovals>,
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
    /// What differs between the clusters that the waves select now and those of the rollout.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub membership: Option<MembershipStatus>,
    /// How it stands, in a few words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<PlanSummary>,
    /// What rollouts did, newest first. What each cluster's steps were is in the status of its AKSCluster.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 24))]
    pub history: Vec<RolloutRecord>,
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
    /// `Pending`, `WaitingForApproval`, `RollingOut`, `Soaking`, `Stopped`, `CompletedWithFailures` or
    /// `Succeeded`.
    #[schemars(length(max = 32))]
    pub state: String,
    /// Its clusters.
    pub clusters: ClusterCounts,
    /// Until when the last of its clusters is watched, when all others are done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soak_until: Option<Timestamp>,
    /// Its failures, and how many there may be; absent without either.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_budget: Option<BudgetStatus>,
    /// Its approvals, if it needs any and its first cluster has not started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approvals: Option<WaveApprovalsStatus>,
    /// What it waits on, or those of its clusters that were let start and are not worked on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_on: Option<WaveWait>,
}

/// The failures of a wave.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BudgetStatus {
    /// How many clusters may fail.
    pub allowed: i32,
    /// How many have.
    pub failed: i32,
    /// The first of them by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 5))]
    pub clusters: Vec<String>,
}

/// The approvals of a wave.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WaveApprovalsStatus {
    /// How many are needed.
    pub required: i32,
    /// How many count now.
    pub given: i32,
    /// Whose, the earliest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10))]
    pub by: Vec<String>,
    /// What they would start.
    #[schemars(length(max = 512))]
    pub starts: String,
}

/// What a wave waits on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WaveWait {
    /// In one word.
    #[schemars(length(max = 64))]
    pub reason: String,
    /// In one sentence.
    #[schemars(length(max = 512))]
    pub message: String,
}

/// What differs between the clusters that the waves select now and those of the rollout, which were fixed when it
/// started. Each list has the first names, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MembershipStatus {
    /// Selected since: they join the next rollout.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10))]
    pub late: Vec<String>,
    /// Not selected any more, as their labels have changed: they stay in this rollout.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10))]
    pub unselected: Vec<String>,
    /// Not registered any more. What was not begun is left out; what was, has stopped.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10))]
    pub deregistered: Vec<String>,
    /// Selected by several waves, `CLUSTER: FIRST, also SECOND`: they belong to the first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10))]
    pub overlapping: Vec<String>,
    /// Waves without a cluster, all of theirs being an earlier wave's: they are done at once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10))]
    pub empty_waves: Vec<String>,
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
    /// Left out by a person.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub skipped: i32,
    /// Not started, because an older rollout of another plan has them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub claimed: i32,
    /// Not registered any more, and nothing was begun on them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub left: i32,
}

fn is_zero(number: &i32) -> bool {
    *number == 0
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
    /// When something is to be done by the passing of time alone, where that is known: the first window, end of a
    /// freeze or of a soak, or other try that one of its clusters waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_attempt: Option<jiff::Timestamp>,
    /// When the rollout will probably have ended, soaks included, if nothing fails and approvals are given at once;
    /// absent where that is not known, and where a person has to do something first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eta: Option<jiff::Timestamp>,
}
