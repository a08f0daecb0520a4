//! What is recorded about one cluster's upgrade: the status of a ClusterUpgrade.
//!
//! Everything needed to go on after a crash, and nothing that changes with a poll.

pub(crate) mod written;

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::{control::Control, failure::Failure, settings::Restore, step::Step, version::KubernetesVersion};

/// The record of one cluster's upgrade.
///
/// Its parts are written by nobody else, so that they are atomic: one entry in the object's
/// managedFields each, instead of one for each of their fields.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ledger {
    /// The Kubernetes version that the target was resolved to when the upgrade started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_version: Option<KubernetesVersion>,
    /// When the first decision about the cluster was recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When the last step and its soak were over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// The steps: those that ran as they went, the others as they are planned now.
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "written")]
    #[schemars(with = "Vec<written::WrittenStep>", length(max = 400))]
    pub steps: Vec<StepRecord>,
    /// The step in flight; at most one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kubernetes-map-type" = "atomic"))]
    pub operation: Option<Operation>,
    /// Settings that were changed for a step: recorded before the change, until they are put back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub restore: Vec<Restore>,
    /// Settings that somebody else changed while a step had overridden them: they were left so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(max = 128)))]
    pub left_to_others: Vec<String>,
    /// Which workloads were already unhealthy before the first step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kubernetes-map-type" = "atomic"))]
    pub baseline: Option<Baseline>,
    /// The versions that our own steps account for; anything else was somebody else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kubernetes-map-type" = "atomic"))]
    pub expected: Option<Expected>,
    /// Since when the gates have been failing without a break.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gates_failing_since: Option<Timestamp>,
    /// Until when gates stay watched after the last step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soak_until: Option<Timestamp>,
    /// Pools that did not get the image which is pinned for the rollout, each with the reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), inner(length(max = 512)))]
    pub deviations: Vec<String>,
    /// The value of the annotation `tidegate.dev/retry` that was acted on last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub retry_token: Option<String>,
    /// What was asked for besides to go on, and what has come of it.
    #[serde(default, skip_serializing_if = "Control::is_empty")]
    #[schemars(extend("x-kubernetes-map-type" = "atomic"))]
    pub control: Control,
}

/// One step and how it went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepRecord {
    /// Names the step within this upgrade: [`Step::id`].
    pub id: String,
    /// What it changes.
    pub step: Step,
    /// How far it is.
    pub state: StepState,
    /// When its intent was first recorded.
    pub started_at: Option<Timestamp>,
    /// When nodes and gates had shown that it is done.
    pub finished_at: Option<Timestamp>,
    /// How many attempts it took; retries after transient failures do not count.
    pub attempts: i32,
    /// How many nodes it replaces.
    pub nodes: i32,
    /// It sends what Azure shows already: what runs was found to be older, or an operation had failed.
    pub repair: bool,
}

impl StepRecord {
    /// What moves from where to where, in words.
    #[must_use]
    pub fn words(&self) -> String {
        let Step { from, to, .. } = &self.step;
        let already = if self.repair { ", which Azure shows already" } else { "" };
        format!("{} from {from} to {to}{already}", self.step.subject())
    }

    /// What it repairs, in a sentence; `None` for a step that moves something.
    #[must_use]
    pub fn repairs(&self) -> Option<String> {
        let Step { from, to, .. } = &self.step;
        let subject = self.step.subject();
        let words = if from == to {
            format!("repairs an operation of {subject} that had failed: Azure shows {to} already")
        } else {
            format!("repairs {subject}: Azure shows {to} already, and what runs was found to be {from}")
        };
        self.repair.then_some(words)
    }
}

/// How far a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum StepState {
    #[expect(missing_docs, reason = "nothing was done yet")]
    Planned,
    #[expect(missing_docs, reason = "intent is recorded")]
    Running,
    #[expect(missing_docs, reason = "held until a person or the cluster changes something")]
    Failed,
    #[expect(missing_docs, reason = "nodes and gates have shown it")]
    Succeeded,
    /// Begun, and not what is so now: it was rolled back, or the cluster was left out meanwhile.
    Dropped,
}

/// The step in flight.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Operation {
    /// Which step.
    #[schemars(length(max = 128))]
    pub step_id: String,
    /// How far it is.
    pub phase: Phase,
    /// The attempt, from 1.
    #[schemars(range(min = 1, max = 1000))]
    pub attempt: i32,
    /// When the intent was recorded, before Azure was called.
    pub intent_at: Timestamp,
    /// How often it was claimed before Azure was called.
    #[serde(default, skip_serializing_if = "written::is_zero")]
    #[schemars(range(min = 0, max = 1_000_000))]
    pub claims: i32,
    /// When Azure accepted it, or when it was found to be running already; of a repair, when Azure accepted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub submitted_at: Option<Timestamp>,
    /// When it is reported as stalled.
    pub deadline: Timestamp,
    /// Azure's name of the operation, `LOCATION/ID`: enough to ask why it failed, with the operator's own
    /// rights. The address that Azure gives holds a signature, which alone lets read, and has no place here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub azure_operation: Option<String>,
    /// No new attempt before this instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// How often it was refused or has failed, attempts included, since it was first sent or since the last
    /// `retry`: it makes the pauses longer, and bounds how often it may end without effect. That Azure
    /// accepts it does not set it back.
    #[serde(default, skip_serializing_if = "written::is_zero")]
    #[schemars(range(min = 0, max = 1000))]
    pub resubmissions: i32,
    /// What Azure said last when it went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// Set while it is not sent because our share of one of Azure's limits is used up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<Hold>,
    /// Set when no further attempt is made by itself.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub held: bool,
    /// Set when a person has asked to send again what Azure calls done and the nodes do not show; until they
    /// show it, or the step is over. Sent for that reason it is once `submittedAt` is there again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub repair: bool,
    /// Why what the failure policy asks for, now that gates fail, is not done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub policy_not_done: Option<String>,
    /// Since when it has been in this phase.
    pub since: Timestamp,
}

/// A step that is not sent because our share of one of Azure's limits is used up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Hold {
    /// Which limit, in a sentence.
    #[schemars(length(max = 256))]
    pub why: String,
    /// Since when, without a break.
    pub since: Timestamp,
}

/// How far the step in flight is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Phase {
    #[expect(missing_docs, reason = "recorded; Azure may or may not have been called")]
    Intent,
    #[expect(missing_docs, reason = "Azure works on it")]
    Submitted,
    #[expect(missing_docs, reason = "Azure says done; the nodes must show it")]
    Verifying,
    #[expect(missing_docs, reason = "the nodes show it; the workloads must be healthy")]
    Gating,
    #[expect(missing_docs, reason = "gates stay watched for the pool's soak")]
    Soaking,
}

/// Which workloads were unhealthy before the first step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Baseline {
    /// When it was taken. Workloads created later have no baseline.
    pub taken_at: Timestamp,
    /// `Kind namespace/name`, sorted.
    #[serde(default)]
    #[schemars(length(max = 100), inner(length(max = 400)))]
    pub unhealthy: Vec<String>,
}

/// The versions that our own steps account for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Expected {
    /// Of the control plane.
    pub control_plane: KubernetesVersion,
    /// Of each node pool that takes part, by name.
    #[serde(default)]
    #[schemars(schema_with = "pools_schema")]
    pub pools: BTreeMap<String, KubernetesVersion>,
}

fn pools_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": 100,
        "additionalProperties": {"type": "string", "maxLength": 64}
    })
}

impl Ledger {
    /// The record of the step in flight.
    #[must_use]
    pub fn current(&self) -> Option<(&Operation, &StepRecord)> {
        let operation = self.operation.as_ref()?;
        let record = self.steps.iter().find(|record| record.id == operation.step_id)?;
        Some((operation, record))
    }

    /// Steps done, of how many.
    #[must_use]
    pub fn progress(&self) -> (usize, usize) {
        let done = self.steps.iter().filter(|record| record.state == StepState::Succeeded).count();
        (done, self.steps.len())
    }

    /// Whether every step that was planned is done: what is left is to soak, and to see that it is so.
    #[must_use]
    pub fn has_done_all(&self) -> bool {
        let (done, all) = self.progress();
        all > 0 && done == all
    }

    /// Whether its cluster was left out of the rollout, and that is the end of it.
    #[must_use]
    pub fn is_skipped(&self) -> bool {
        self.finished_at.is_some() && self.control.skipped
    }

    /// Whether it holds its cluster: a step is in flight or done, or there are settings to put back.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        let has_done = || self.steps.iter().any(|step| step.state == StepState::Succeeded);
        self.has_settings_to_restore() || self.in_flight() || has_done()
    }

    /// Whether there are settings to put back.
    #[must_use]
    pub const fn has_settings_to_restore(&self) -> bool {
        !self.restore.is_empty()
    }

    /// Whether something may be running in Azure on our behalf.
    #[must_use]
    pub fn in_flight(&self) -> bool {
        self.operation.is_some()
    }
}
