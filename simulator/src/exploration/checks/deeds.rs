//! What the operator asks of Azure: each change is on record before, claimed, and needed.

use engine::{Phase, Step};
use jiff::Timestamp;
use serde_json::Value;

use super::{
    Checks,
    asked::{Asked, changes_settings, describe},
    rules,
};
use crate::{
    effects::ClusterKey,
    exploration::{hub::Record, sim::State},
    world::{Answer, Call},
};

/// What was so when the operator asked for a change.
pub(in crate::exploration) struct Before {
    pub(super) cluster: ClusterKey,
    pub(super) upgrade: usize,
    pub(super) replica: usize,
    pub(super) document: Value,
    pub(super) step: Option<Step>,
    sent_at: Timestamp,
    done: bool,
    /// The call changes settings, and nothing else.
    settings: bool,
    /// The step that it starts, or changes settings for.
    pub(super) of_step: Option<Step>,
}

impl Before {
    /// Whether the call changes settings of upgrades, and nothing else.
    pub(in crate::exploration) const fn is_about_settings(&self) -> bool {
        self.settings
    }
}

/// A claim that nothing was sent for yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Credit {
    /// When it was written.
    pub(super) at: Timestamp,
    pub(super) of: Claimed,
}

/// What a record claims.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Claimed {
    /// The step in flight, or the settings that it needs.
    Step(String),
    /// Settings that are put back: of a pool, or of the cluster.
    Restore(Option<String>),
    /// The operation in flight is aborted.
    Abort,
}

impl Checks {
    /// The operator asks for a change, which is about to be answered.
    pub(in crate::exploration) fn before_mutation(
        state: &mut State,
        call: &Call,
        (replica, sent_at): (usize, Timestamp),
    ) -> Option<Before> {
        state.checks.mutations += 1;
        let cluster = call.cluster()?.clone();
        let upgrade = state.checks.index_of(&cluster)?;
        Self::settings_may_have_changed(state, upgrade, false);
        let document = state.world.document(&cluster)?;
        let record = &state.hub.upgrades[upgrade].record;
        let step = record.ledger.current().map(|(_, record)| record.step.clone());
        let is_intended =
            record.ledger.operation.as_ref().is_some_and(|operation| operation.phase == Phase::Intent);
        let step = step.filter(|step| Asked::of(call).is_some_and(|asked| asked.is_for(step)));
        let settings = match changes_settings(call, &document) {
            None => false,
            Some(changes) => changes || !is_intended || step.is_none(),
        };
        let step = step.filter(|_| !settings);
        // What was seen of the nodes is older than the call.
        let since = state.now - super::gates::KNOWLEDGE;
        let done = step.as_ref().is_some_and(|step| {
            super::nodes::is_really_done(&state.world, &cluster, step)
                && !state.workloads.is_blemished(&cluster, step, since, state.now)
        });
        let current = record.ledger.current().map(|(_, record)| record.step.clone());
        let mut before =
            Before { cluster, upgrade, replica, document, step, sent_at, done, settings, of_step: None };
        let credit = Self::is_claimed(state, call, &before);
        if credit.as_ref().is_some_and(|credit| matches!(credit.of, Claimed::Step(_))) {
            before.of_step = before.step.clone().or(current);
        }
        Self::knows_of_nothing(state, call, (replica, &before.cluster), credit.as_ref());
        Some(before)
    }

    /// Azure has answered.
    pub(in crate::exploration) fn after_mutation(
        state: &mut State,
        call: &Call,
        answer: &Answer,
        before: Option<Before>,
    ) {
        let Some(before) = before else {
            if call.cluster().is_some_and(|cluster| state.world.document(cluster).is_none()) {
                // It was deleted while the call was on its way.
                return;
            }
            Self::violated(state, rules::INTENT, format!("{} is nobody's step", describe(call)));
            return;
        };
        Self::starts_in_time(state, &describe(call), &before, before.sent_at);
        if !before.settings {
            Self::is_let_go_on(state, call, &before);
            // What takes a pool back goes on where something new would not start.
            if !matches!(Asked::of(call), Some(Asked::Rollback { .. })) {
                Self::is_not_suspended(state, before.upgrade, before.sent_at, &describe(call));
                Self::passed_its_gate(state, call, before.sent_at, &before);
            }
        }
        if !answer.is_success() {
            if matches!(Asked::of(call), Some(Asked::Rollback { .. })) {
                return Self::could_go_back(state, call, answer, &before.cluster);
            }
            return Self::provokes_nothing(state, call, answer, &before);
        }
        Self::is_alone(state, call, answer, &before);
        if let Some(step) = before.step.as_ref().filter(|_| !before.settings) {
            let count = if step.pool.is_some() { &mut state.checks.rolled } else { &mut state.checks.hops };
            *count += 1;
        }
        if !before.settings {
            Self::leads_back(state, call, &before);
            Self::takes_the_pinned_image(state, before.upgrade, call, &before.document);
        }
        Self::is_needed(state, call, &before);
        Self::keeps_fields(state, call, &before);
        Self::keeps_skew(state, call, &before);
        Self::settings_may_have_changed(state, before.upgrade, true);
    }

    /// 2: a claim is recorded for every submission, before it, by whoever sends it.
    fn is_claimed(state: &mut State, call: &Call, before: &Before) -> Option<Credit> {
        let id = match &before.step {
            Some(step) => step.id(),
            // Its record has moved on while the call was on its way.
            None => Asked::of(call).map(|asked| asked.id()).unwrap_or_default(),
        };
        let pool = Asked::of(call).and_then(|asked| asked.pool()).map(str::to_owned);
        let watched = &mut state.checks.watched[before.upgrade];
        let covers = |credit: &Credit| match &credit.of {
            Claimed::Step(of) => before.settings || *of == id,
            Claimed::Restore(of) => before.settings && *of == pool,
            Claimed::Abort => false,
        };
        let credit = watched.credits.remove(&before.replica).filter(covers);
        if credit.is_none() {
            let what = format!("{} is sent without a claim of its own", describe(call));
            Self::violated(state, rules::INTENT, what);
        }
        credit
    }

    /// Whether a record claims what the one before it did not.
    pub(in crate::exploration) fn is_claim(before: &Record, after: &Record) -> bool {
        claimed(before, after).is_some()
    }

    /// A replica has written a record: a claim is good for one submission.
    pub(super) fn note_claim(
        state: &mut State,
        (replica, index): (usize, usize),
        before: &Record,
        after: &Record,
    ) {
        if let Some(of) = claimed(before, after) {
            let credit = Credit { at: state.now, of };
            state.checks.watched[index].credits.insert(replica, credit);
        }
    }

    /// 1: one mutation in flight per cluster.
    fn is_alone(state: &mut State, call: &Call, answer: &Answer, before: &Before) {
        let last = state.checks.watched[before.upgrade].operation.clone();
        if let Some(last) = last.filter(|last| state.world.is_running(last)) {
            let what = format!("{} while operation {last} runs", describe(call));
            Self::violated(state, rules::ONE_OPERATION, what);
        }
        let watched = &mut state.checks.watched[before.upgrade];
        if let Some(started) = &answer.started {
            (watched.operation, watched.is_running) = (Some(started.id.clone()), true);
        }
        if let Some(step) = &before.step {
            watched.accepted.insert(step.id());
            // However soon it ends.
            watched.under_way.note(state.now, true);
        }
    }

    /// 9: nothing is done twice.
    fn is_needed(state: &mut State, call: &Call, before: &Before) {
        if before.done {
            Self::violated(state, rules::TWICE, format!("{} although it was done", describe(call)));
        }
    }
}

/// What a new record claims that the one before did not.
fn claimed(before: &Record, after: &Record) -> Option<Claimed> {
    let of_step = |record: &Record| {
        let operation =
            record.ledger.operation.as_ref().filter(|operation| operation.phase == Phase::Intent)?;
        (operation.claims > 0).then(|| (operation.step_id.clone(), operation.claims, operation.intent_at))
    };
    let attempts = |record: &Record, pool: &Option<String>| {
        record.ledger.restore.iter().find(|known| known.pool == *pool).map_or(0, |known| known.attempts)
    };
    let begun = |record: &Record| record.ledger.current().map(|(_, begun)| begun.step.clone());
    // A rollback records anew what its pool had before.
    let goes_back =
        begun(after).filter(Step::is_rollback).filter(|step| begun(before).as_ref() != Some(step));
    let known_before = |pool: &Option<String>| if goes_back.is_some() { 0 } else { attempts(before, pool) };
    let restore = after.ledger.restore.iter().find(|known| known.attempts > known_before(&known.pool));
    let aborts = |record: &Record| record.ledger.control.abort.as_ref().map_or(0, |abort| abort.claims);
    if aborts(after) > aborts(before) {
        return Some(Claimed::Abort);
    }
    if let Some(restore) = restore {
        return Some(Claimed::Restore(restore.pool.clone()));
    }
    of_step(after).filter(|new| of_step(before).as_ref() != Some(new)).map(|(id, _, _)| Claimed::Step(id))
}
