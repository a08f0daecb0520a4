//! What can be written in a script.

use std::collections::BTreeMap;

use crds::Duration;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::scenario::{Fault, QuirkRule};

/// A script, as written.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Spec {
    pub(super) given: Given,
    /// The ClusterUpgrades.
    pub(super) upgrades: Vec<UpgradeSpec>,
    /// The waves of the UpgradePlan that makes them; without waves they are there from the start.
    #[serde(default)]
    pub(super) waves: Vec<Value>,
    #[serde(default)]
    pub(super) events: Vec<EventSpec>,
    /// How long it is played if the upgrades do not come to their end.
    pub(super) until: Option<Duration>,
    /// What came of it.
    #[serde(default)]
    pub(super) timeline: String,
}

/// What there is at the start.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Given {
    /// As in a scenario of the simulator; subscription and resource group may be left out.
    pub(super) clusters: Vec<Map<String, Value>>,
    /// What goes on within clusters, by their names.
    #[serde(default)]
    pub(super) inside: BTreeMap<String, Inside>,
    /// Everything else that a scenario of the simulator may say: durations, quirks, quotas, regions.
    #[serde(default)]
    pub(super) azure: Map<String, Value>,
    /// Processes of the operator.
    #[serde(default = "one")]
    pub(super) replicas: usize,
}

/// What goes on within a cluster.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Inside {
    #[serde(default)]
    pub(super) workloads: Vec<WorkloadSpec>,
    /// When its API server cannot be reached.
    #[serde(default)]
    pub(super) unreachable: Vec<Span>,
    /// From when on disruption budgets allow evictions; all the time when absent.
    pub(super) budgets_allow_after: Option<Duration>,
}

/// A Deployment in the namespace `shop`, there since the day before.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct WorkloadSpec {
    pub(super) name: String,
    /// When it is not available.
    #[serde(default)]
    pub(super) broken: Vec<Span>,
}

/// From when until when, since the start; without `until` for good.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Span {
    pub(super) from: Duration,
    pub(super) until: Option<Duration>,
}

/// A ClusterUpgrade, as it is written for the operator.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct UpgradeSpec {
    /// Name of the cluster, and of the upgrade.
    pub(super) cluster: String,
    pub(super) target: Value,
    #[serde(default)]
    pub(super) policy: Map<String, Value>,
}

/// Something that happens.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct EventSpec {
    /// So long after the start, or after `when`.
    pub(super) after: Option<Duration>,
    /// When Azure has just done this, and its answer is not there yet: words of the timeline, such as
    /// `weu-1 pool apps to 1.35.3`.
    pub(super) when: Option<String>,
    #[serde(rename = "do")]
    pub(super) act: Act,
}

/// What happens.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Act {
    /// Somebody sets the annotation `tidegate.dev/retry` on the upgrade of this cluster.
    Retry(String),
    /// Somebody sets `spec.suspend`.
    Suspend(String),
    /// Somebody takes it back.
    Resume(String),
    /// Somebody suspends the plan.
    SuspendPlan,
    /// Somebody lets it go on.
    ResumePlan,
    /// A process of the operator dies, and is started again.
    Crash(ProcessSpec),
    /// A process is stopped, and goes on as if nothing had been.
    Pause(ProcessSpec),
    /// A process cannot reach the hub.
    CutOff(ProcessSpec),
    /// Somebody else upgrades the control plane, or a pool.
    SomebodyUpgrades(Outside),
    /// Somebody else aborts what runs in the control plane, or in a pool.
    SomebodyAborts(OutsideAbort),
    /// The next upgrade goes wrong.
    Fault(FaultSpec),
    /// Azure behaves oddly from now on.
    Quirk(Box<QuirkRule>),
    /// The quotas of the subscription become as large as this.
    Quota(u32),
}

/// One process of the operator.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ProcessSpec {
    /// Its number, from 0.
    #[serde(default)]
    pub(super) replica: usize,
    /// How long.
    #[serde(rename = "for")]
    pub(super) length: Duration,
}

/// An upgrade that is not ours.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Outside {
    pub(super) cluster: String,
    pub(super) pool: Option<String>,
    pub(super) to: String,
}

/// An abort that is not ours.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct OutsideAbort {
    pub(super) cluster: String,
    pub(super) pool: Option<String>,
}

/// A fault, as in a scenario of the simulator; its `upgrade` counts from then on.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct FaultSpec {
    pub(super) cluster: String,
    pub(super) fault: Fault,
}

const fn one() -> usize {
    1
}
