//! Rules about when the operator may act at all, and how it deals with what fails.

use std::time::Duration;

use engine::{FailureClass, Ledger, Phase, Progress, Step, StepKind, WaitingOn};
use jiff::Timestamp;

use super::{Checks, deeds::KNOWLEDGE};
use crate::{effects::ClusterKey, exploration::sim::State};

/// How old may be what a decision to start a step was made from: a listing of a minute ago, over reads
/// that show what was before, and writes that take their time.
const LISTED: Duration = Duration::from_secs(900);
/// What recorded seconds and slow writes take off a soak.
const ROUNDED: Duration = Duration::from_secs(5);
/// How long ago Azure may have been at the step when that is recorded.
const SEEN: Duration = Duration::from_secs(600);

impl Checks {
    /// A replica sends a change to Azure.
    pub(in crate::exploration) fn is_sent(state: &mut State, replica: usize) {
        if !state.lease.believes(state.now, replica) {
            let what = format!("replica {replica} sends a change without holding the lease");
            Self::violated(state, "R3 only the leader acts", what);
        }
    }

    /// Somebody has set or cleared `spec.suspend`.
    pub(in crate::exploration) fn after_suspend(state: &mut State, index: usize, suspend: bool) {
        let since = suspend.then_some(state.now);
        let watched = &mut state.checks.watched[index];
        watched.suspended = since.map(|now| watched.suspended.unwrap_or(now));
    }

    /// What is suspended starts nothing.
    pub(super) fn is_not_suspended(state: &mut State, index: usize, sent_at: Timestamp, call: &str) {
        if state.checks.watched[index].suspended.is_some_and(|since| since + KNOWLEDGE < sent_at) {
            Self::violated(state, "suspended starts nothing", format!("{call} although it is suspended"));
        }
    }

    /// Somebody has moved a version: what this upgrade did not account for is a reason to stop.
    pub(in crate::exploration) fn moved_by_somebody(
        state: &mut State,
        cluster: &ClusterKey,
        pool: Option<&str>,
        to: &str,
    ) {
        let Some(index) = state.checks.clusters.get(cluster).copied() else { return };
        let ledger = &state.hub.upgrades[index].record.ledger;
        let Some(expected) = ledger.expected.as_ref().filter(|_| ledger.finished_at.is_none()) else {
            return;
        };
        let known = match pool {
            None => Some(&expected.control_plane),
            Some(pool) => expected.pools.get(pool),
        };
        let is_news = known.is_some_and(|known| known.to_string() != to);
        // What the step in flight leads to is as good as done by it.
        let is_wanted = ledger
            .current()
            .is_some_and(|(_, record)| record.step.to == to && record.step.pool.as_deref() == pool);
        if is_news && !is_wanted {
            state.checks.watched[index].moved = Some(state.now);
        }
    }

    /// A record was written: what it says of failures, of others, and of the past.
    pub(super) fn after_record(state: &mut State, index: usize, before: &Ledger, after: &Ledger) {
        if before.retry_token != after.retry_token {
            let watched = &mut state.checks.watched[index];
            watched.moved = None;
            watched.failures.clear();
        }
        if before.baseline.is_none() && after.baseline.is_some() {
            state.checks.watched[index].baseline_at = Some(state.now);
        }
        if before.baseline.is_some() && before.baseline != after.baseline {
            Self::violated(state, "7 gates", "the baseline was taken a second time".to_owned());
        }
        Self::stops_for_others(state, index, before, after);
        Self::is_really_under_way(state, index, before, after);
        Self::bears_failures(state, index, before, after);
        Self::soaks(state, index, before, after);
    }

    /// R9: what others have moved is a reason to stop.
    fn stops_for_others(state: &mut State, index: usize, before: &Ledger, after: &Ledger) {
        let (None, Some(operation)) = (&before.operation, &after.operation) else { return };
        let moved = state.checks.watched[index].moved;
        if moved.is_some_and(|moved| moved + LISTED < state.now) {
            let what = format!("{} starts although somebody has moved a version", operation.step_id);
            Self::violated(state, "R9 others' changes stop it", what);
        }
    }

    /// 1: what is recorded as running in Azure is this step, and no other's operation.
    fn is_really_under_way(state: &mut State, index: usize, before: &Ledger, after: &Ledger) {
        let phase = |ledger: &Ledger| ledger.operation.as_ref().map(|operation| operation.phase);
        if phase(after) != Some(Phase::Submitted) || phase(before) == Some(Phase::Submitted) {
            return;
        }
        let Some((_, record)) = after.current() else { return };
        let key = state.checks.clusters.iter().find(|(_, number)| **number == index);
        let Some(key) = key.map(|(key, _)| key.clone()) else { return };
        let recently = state.checks.watched[index].under_way.is_some_and(|at| state.now < at + SEEN);
        if !recently && !is_under_way(state, &key, &record.step) {
            let what = format!("{} is recorded as running, and Azure is not at it", record.id);
            Self::violated(state, "1 one operation per cluster", what);
        }
    }

    /// R8: what passes by itself is waited for, what has failed is tried so often and no more.
    fn bears_failures(state: &mut State, index: usize, before: &Ledger, after: &Ledger) {
        let Some(operation) = &after.operation else { return };
        let Some(failure) = operation.failure.as_ref().filter(|_| operation.phase == Phase::Intent) else {
            return;
        };
        let is_new = before.operation.as_ref().is_none_or(|known| known.since != operation.since);
        let aborted = failure.code.as_deref() == Some("OperationCanceled");
        if !is_new || aborted {
            return;
        }
        let id = &operation.step_id;
        match failure.class() {
            FailureClass::Transient | FailureClass::Blocked if operation.held => {
                let overdue =
                    failure.class() == FailureClass::Transient && operation.since >= operation.deadline;
                if !overdue {
                    let what = format!("{id} is held although it needs nobody: {}", failure.message);
                    Self::violated(state, "R8 what passes by itself is not final", what);
                }
            }
            FailureClass::Failed => {
                let retries = state.hub.upgrades[index].request.policy.retries;
                let failures = state.checks.watched[index].failures.entry(id.clone()).or_default();
                *failures += 1;
                let failures = *failures;
                if failures > retries && !operation.held {
                    let what =
                        format!("{id} has failed {failures} times with {retries} retries, and goes on");
                    Self::violated(state, "attempts are bounded", what);
                }
            }
            FailureClass::Transient | FailureClass::Busy | FailureClass::Blocked | FailureClass::Bug => {}
        }
    }

    /// Workloads are watched for as long as was asked; where clocks jump, nobody can say how long that was.
    fn soaks(state: &mut State, index: usize, before: &Ledger, after: &Ledger) {
        if after.progress().0 > before.progress().0 {
            state.checks.watched[index].last_success = Some(state.now);
        }
        let soak = state.hub.upgrades[index].request.policy.soak;
        let finished = before.finished_at.is_none() && after.finished_at.is_some();
        let Some(last) = state.checks.watched[index].last_success.filter(|_| finished) else { return };
        if !state.clocks_jumped && state.now + ROUNDED < last + soak {
            let what =
                format!("done {:#} after the last step instead of {soak:?}", state.now.duration_since(last));
            Self::violated(state, "soaks are kept", what);
        }
    }

    /// 8: a step that takes longer than it may is said to.
    pub(in crate::exploration) fn tells_of_delay(
        state: &mut State,
        index: usize,
        progress: &Progress,
        now: Timestamp,
    ) {
        let Some(operation) = &progress.ledger.operation else { return };
        let late = operation.phase == Phase::Submitted && now >= operation.deadline;
        if late && matches!(progress.waiting, Some(WaitingOn::Operation(_))) {
            let name = &state.hub.upgrades[index].name;
            let what =
                format!("{name} waits for {} past its deadline and does not say so", operation.step_id);
            Self::violated(state, "8 every wait has a reason", what);
        }
    }
}

/// Whether Azure is at the step, or has done it.
pub(super) fn is_under_way(state: &State, key: &ClusterKey, step: &Step) -> bool {
    let Some(name) = &step.pool else {
        let document = state.world.document(key).unwrap_or_default();
        return document["properties"]["kubernetesVersion"] == step.to.as_str();
    };
    let Some(view) = state.world.cluster_view(key) else { return false };
    let Some(pool) = view.pools.iter().find(|pool| pool.name == *name) else { return false };
    match step.kind {
        StepKind::NodePoolImage => {
            pool.provisioning_state.starts_with("Upgrading") || pool.node_image_version != step.from
        }
        StepKind::NodePoolVersion | StepKind::ControlPlane => pool.orchestrator_version == step.to,
    }
}
