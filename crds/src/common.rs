//! The parts that plans and single upgrades share.

use std::collections::BTreeMap;

use engine::{Channel, NodeImagePolicy, OnGateFailure, Scope};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Duration, ScheduleSpec,
    settings::{ForceUpgrade, UpgradeSettings},
};

/// An AKSCluster of the same namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClusterReference {
    /// Its name.
    #[schemars(regex(pattern = OBJECT_NAME), length(min = 1, max = 253))]
    pub name: String,
}

/// Names of objects. References have this pattern because they become part of a request's path:
/// `NAME/status` would find the object under another name, `../..` leave its namespace.
pub(crate) const OBJECT_NAME: &str = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$";

/// What is wanted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    validation = Rule::new("self.scope == 'NodeImage' ? !has(self.kubernetes) : has(self.kubernetes)")
        .message("spec.target.kubernetes is needed for every scope but NodeImage, which must not have it"),
    validation = Rule::new("!has(self.maxImageAge) || (self.scope != 'ControlPlane' && self.nodeImage != 'Skip')")
        .message("spec.target.maxImageAge needs images: not for scope ControlPlane, nor with nodeImage Skip"),
    validation = Rule::new("self.scope != 'NodeImage' || self.nodeImage != 'Skip'")
        .message("spec.target.nodeImage must be Latest or Consistent for scope NodeImage"),
    validation = Rule::new("!has(self.images) || self.nodeImage == 'Consistent'")
        .message("spec.target.images belongs to nodeImage Consistent, and a plan sets it")
)]
#[serde(rename_all = "camelCase")]
pub struct TargetSpec {
    /// What is changed: control planes, node pools and images (`Full`), or a part of it.
    #[serde(default)]
    pub scope: Scope,
    /// The Kubernetes version to reach. Not for scope NodeImage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubernetes: Option<KubernetesTarget>,
    /// What happens to images of node pools that get no new Kubernetes version.
    #[serde(default)]
    pub node_image: NodeImagePolicy,
    /// The image of each family that a whole rollout takes, set by a plan with nodeImage Consistent.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "engine::images_by_family_schema")]
    pub images: BTreeMap<String, String>,
    /// Leave pools alone whose image is younger than this, unless they get a new Kubernetes version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_image_age: Option<Duration>,
}

/// A Kubernetes version: exactly one of `version` and `channel`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = Rule::new("has(self.version) != has(self.channel)")
    .message("exactly one of spec.target.kubernetes.version and spec.target.kubernetes.channel is needed"))]
pub struct KubernetesTarget {
    /// A patch such as `1.34.2`, or a minor such as `1.34`, which stands for its newest stable patch
    /// when the rollout starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[1-9][0-9]*\.(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))?$"), length(max = 32))]
    pub version: Option<String>,
    /// `Rapid` is the newest stable minor, `Stable` the one before it, `Patch` the newest patch of
    /// the cluster's own minor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<Channel>,
}

/// A rule for gates: workloads have one deadline, whichever gates they are watched by.
pub(crate) const ONE_DEADLINE: &str = "self.filter(gate, has(gate.workloads.progressDeadline)).size() <= 1";
/// What is wrong with gates that break it.
pub(crate) const TWO_DEADLINES: &str =
    "workloads.progressDeadline may be set by one of the gates: it holds for all workloads that are watched";

/// How a cluster is upgraded.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct UpgradePolicy {
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
    /// How long gates stay watched after the last step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soak: Option<Duration>,
    /// Go over disruption budgets and deprecated APIs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub force_upgrade: Option<ForceUpgrade>,
    /// When steps may start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<ScheduleSpec>,
}

/// Order and selection of node pools. One pool at a time, always.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodePools {
    /// The first match places a pool; unmatched pools come last; names break ties.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub order: Vec<NodePoolOrder>,
    /// Pools that are left alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub exclude: Vec<NodePoolMatch>,
    /// How nodes are replaced while a pool's step runs; afterwards the pool has its own settings again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upgrade_settings: Option<UpgradeSettings>,
}

/// A place in the order of pools.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodePoolOrder {
    /// A name for this place.
    #[schemars(length(min = 1, max = 63))]
    pub name: String,
    /// Which pools it places.
    #[serde(rename = "match")]
    pub matches: NodePoolMatch,
    /// How long gates stay watched after each such pool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soak: Option<Duration>,
    /// As `nodePools.upgradeSettings`, for such pools; what is given here goes before what is given there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upgrade_settings: Option<UpgradeSettings>,
}

/// Which pools are meant: all that is given must match.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = Rule::new("has(self.names) || has(self.mode) || has(self.osType)")
    .message("at least one of names, mode and osType is needed: an empty match would mean every pool"))]
#[serde(rename_all = "camelCase")]
pub struct NodePoolMatch {
    /// One of these names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 100), inner(length(min = 1, max = 12)))]
    pub names: Vec<String>,
    /// `System`, `User` or `Gateway`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^(System|User|Gateway)$"))]
    pub mode: Option<String>,
    /// `Linux` or `Windows`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^(Linux|Windows)$"))]
    pub os_type: Option<String>,
}

/// A gate. The gates `nodes` and `workloads` are always on; this changes the settings of the latter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GateSpec {
    /// A name for it.
    #[schemars(length(min = 1, max = 63))]
    pub name: String,
    /// No Deployment, StatefulSet, DaemonSet or Job that was healthy before the first step is
    /// unhealthy now.
    pub workloads: WorkloadsGate,
}

/// Settings of the gate `workloads`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkloadsGate {
    /// Namespaces whose workloads are not watched.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100), inner(length(min = 1, max = 63)))]
    pub exclude_namespaces: Vec<String>,
    /// How long a workload may be unavailable after a step before the upgrade stops; default 10m,
    /// like `progressDeadlineSeconds` of a Deployment. At most one gate sets it, for all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress_deadline: Option<Duration>,
}

/// What happens when a step fails.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FailurePolicy {
    /// How often a failed step is tried again, where that can help; default 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 10))]
    pub retries: Option<i32>,
    /// What happens when a gate fails: nothing goes on until it passes (`Hold`, the default); the node pool after
    /// whose step it fails is rolled back (`RollbackNodePool`); or gates are judged while Azure works on a step,
    /// too, and its operation is aborted (`AbortOperation`). After a rollback or an abort nothing goes on until
    /// `tidegate.dev/retry`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_gate_failure: Option<OnGateFailure>,
    /// When a step in flight is reported as stalled; it is never aborted for that. Default 6h.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step_timeout: Option<Duration>,
}

/// A condition as it should be now: `previous` keeps its transition time while the status is the same.
#[must_use]
pub fn condition(
    previous: &[Condition],
    type_: &str,
    status: &str,
    reason: &str,
    message: &str,
    generation: Option<i64>,
    now: jiff::Timestamp,
) -> Condition {
    let unchanged = previous.iter().find(|known| known.type_ == type_ && known.status == status);
    Condition {
        type_: type_.to_owned(),
        status: status.to_owned(),
        reason: reason.to_owned(),
        message: message.to_owned(),
        observed_generation: generation,
        last_transition_time: unchanged.map_or(Time(now), |known| known.last_transition_time.clone()),
    }
}
