//! Rules about when the operator may act at all, and how it deals with what fails.

use std::time::Duration;

use engine::{FailureClass, Ledger, Operation, Phase, Progress, WaitingOn};
use jiff::Timestamp;

use super::{Checks, gates::KNOWLEDGE, rules};
use crate::{
    effects::ClusterKey,
    exploration::{hub::Record, sim::State},
};

/// How old may be what a decision to start a step was made from: a listing of a minute ago, over reads
/// that show what was before, and writes that take their time.
const LISTED: Duration = Duration::from_secs(900);

impl Checks {
    /// A replica sends a change to Azure.
    pub(in crate::exploration) fn is_sent(state: &mut State, replica: usize) {
        if !state.lease.believes(state.now, replica) {
            let what = format!("replica {replica} sends a change without holding the lease");
            Self::violated(state, rules::LEADER, what);
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
            Self::violated(state, rules::SUSPENDED, format!("{call} although it is suspended"));
        }
    }

    /// Somebody has moved a version: what this upgrade did not account for is a reason to stop.
    pub(in crate::exploration) fn moved_by_somebody(
        state: &mut State,
        cluster: &ClusterKey,
        pool: Option<&str>,
        to: &str,
    ) {
        let Some(index) = state.checks.index_of(cluster) else { return };
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
        let is_same = |(_, (moved, _)): &(Timestamp, (Option<String>, String))| moved.as_deref() == pool;
        if !is_news || is_wanted {
            // Whatever it was moved to before, it is not there any more.
            let moved = &mut state.checks.watched[index].moved;
            *moved = moved.take().filter(|known| !is_same(known));
        } else {
            let what = (pool.map(str::to_owned), to.to_owned());
            state.checks.watched[index].moved = Some((state.now, what));
        }
    }

    /// R9: what others have moved is a reason to stop.
    pub(super) fn stops_for_others(state: &mut State, index: usize, before: &Ledger, after: &Ledger) {
        let moved = &mut state.checks.watched[index].moved;
        // It was just what was about to be done: then it was taken over.
        let is_taken_over = |(_, (pool, to)): &(Timestamp, (Option<String>, String))| {
            let known = after.expected.as_ref().and_then(|expected| match pool {
                None => Some(&expected.control_plane),
                Some(pool) => expected.pools.get(pool),
            });
            known.is_some_and(|known| known.to_string() == *to)
        };
        if before.retry_token != after.retry_token || moved.as_ref().is_some_and(is_taken_over) {
            *moved = None;
        }
        // One step may follow another in a single write.
        let known = before.operation.as_ref().map(|operation| &operation.step_id);
        let begins = |operation: &&Operation| Some(&operation.step_id) != known;
        let Some(operation) = after.operation.as_ref().filter(begins) else { return };
        // A pool that is gone, or goes, has no version any more.
        let is_there = |pool: &String| {
            let shown = state.world.properties(&state.checks.keys[index], Some(pool));
            shown.is_some_and(|shown| shown.get("provisioningState").is_none_or(|word| word != "Deleting"))
        };
        let moved = state.checks.watched[index].moved.as_ref();
        let moved = moved.filter(|(_, (pool, _))| pool.as_ref().is_none_or(is_there));
        if moved.as_ref().is_some_and(|(moved, _)| *moved + LISTED < state.now) {
            let what = format!("{} starts although somebody has moved a version", operation.step_id);
            Self::violated(state, rules::OTHERS, what);
        }
    }

    /// R9: and only that is: nobody is said to have moved what nobody has touched.
    pub(super) fn accuses_nobody_wrongly(state: &mut State, index: usize, after: &Record) {
        let Some((reason, words)) = &after.standing else { return };
        if reason == "ExternalChange" && !state.checks.touched.contains(&state.checks.keys[index]) {
            let what = format!("{}: {words}; and nobody has", state.hub.upgrades[index].name);
            Self::violated(state, rules::OTHERS, what);
        }
    }

    /// R8 and R15: what passes by itself is waited for, what has failed is tried so often and no more.
    pub(super) fn bears_failures(state: &mut State, index: usize, before: &Ledger, after: &Ledger) {
        if before.retry_token != after.retry_token {
            state.checks.watched[index].failures.clear();
        }
        let Some(operation) = &after.operation else { return };
        let retries = state.hub.upgrades[index].request.policy.retries;
        if u32::try_from(operation.attempt).unwrap_or_default() > retries.saturating_add(1) {
            let what =
                format!("attempt {} of {} with {retries} retries", operation.attempt, operation.step_id);
            Self::violated(state, rules::ATTEMPTS, what);
        }
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
                    Self::violated(state, rules::TRANSIENT, what);
                }
            }
            FailureClass::Failed => {
                let failures = state.checks.watched[index].failures.entry(id.clone()).or_default();
                *failures += 1;
                let failures = *failures;
                if failures > retries && !operation.held {
                    let what =
                        format!("{id} has failed {failures} times with {retries} retries, and goes on");
                    Self::violated(state, rules::ATTEMPTS, what);
                }
            }
            FailureClass::Transient | FailureClass::Busy | FailureClass::Blocked | FailureClass::Bug => {}
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
            Self::violated(state, rules::REASON, what);
        }
    }
}
