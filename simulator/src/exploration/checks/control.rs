//! Rules about what people ask for besides to go on: aborts, rollbacks, clusters that are left out.

use std::time::Duration;

use engine::{HaltedAfter, Ledger, Phase};
use serde_json::Value;

use super::{
    Checks,
    asked::{Asked, describe, pool_of},
    deeds::{Before, Claimed},
    rules,
};
use crate::{
    effects::ClusterKey,
    exploration::sim::State,
    world::{Answer, Call},
};

/// How long it may take until an upgrade says what came of what was asked: a process that is stopped for half an
/// hour, an abort that Azure has just refused, and one that is at work.
const ANSWER: Duration = Duration::from_secs(2 * 3600);

/// What was so when the operator asked for an abort.
pub(in crate::exploration) struct Aborting {
    upgrade: usize,
    /// What ran there.
    running: Option<String>,
}

/// Whether a call aborts something.
pub(in crate::exploration) const fn is_abort(call: &Call) -> bool {
    matches!(call, Call::AbortCluster { .. } | Call::AbortPool { .. })
}

impl Checks {
    /// The operator asks for an abort, which is about to be answered.
    pub(in crate::exploration) fn before_abort(
        state: &mut State,
        call: &Call,
        replica: usize,
    ) -> Option<Aborting> {
        state.checks.mutations += 1;
        let cluster = call.cluster()?.clone();
        let upgrade = state.checks.index_of(&cluster)?;
        let credit = state.checks.watched[upgrade].credits.remove(&replica);
        if credit.is_none_or(|credit| credit.of != Claimed::Abort) {
            let what = format!("{} is sent without a claim of its own", describe(call));
            Self::violated(state, rules::INTENT, what);
        }
        let pool = if let Call::AbortPool { pool } = call { Some(pool.name.as_str()) } else { None };
        let running = state.world.running_in(&cluster, pool).map(str::to_owned);
        Some(Aborting { upgrade, running })
    }

    /// Azure has answered: what it has stopped was ours.
    pub(in crate::exploration) fn after_abort(
        state: &mut State,
        call: &Call,
        answer: &Answer,
        before: Option<Aborting>,
    ) {
        let Some(Aborting { upgrade, running }) = before else {
            return Self::violated(state, rules::INTENT, format!("{} is nobody's", describe(call)));
        };
        let ours = state.checks.watched[upgrade].operation.clone();
        if answer.started.is_some() && running != ours {
            let what = format!("{} stops operation {running:?}, and ours is {ours:?}", describe(call));
            Self::violated(state, rules::ABORT, what);
        }
    }

    /// A change that is no change of settings: not of what is halted, and not of what is left out.
    pub(super) fn is_let_go_on(state: &mut State, call: &Call, before: &Before) {
        let record = &state.hub.upgrades[before.upgrade].record.ledger;
        if record.control.skipped {
            let what = format!("{} although the cluster was left out", describe(call));
            return Self::violated(state, rules::SKIPPED, what);
        }
        let halted = state.checks.watched[before.upgrade].halted;
        if halted && !matches!(Asked::of(call), Some(Asked::Rollback { .. })) {
            let what = format!("{} although nothing was to go on until retry", describe(call));
            Self::violated(state, rules::HALTED, what);
        }
    }

    /// A pool that is upgraded has something to go back to; and when it goes back, it is there that it goes.
    pub(super) fn leads_back(state: &mut State, call: &Call, before: &Before) {
        match Asked::of(call) {
            Some(Asked::Pool { name, to }) => {
                Self::note_left(state, before.upgrade, &before.document, (name, Some(to)));
            }
            Some(Asked::Image { pool }) => {
                Self::note_left(state, before.upgrade, &before.document, (pool, None));
            }
            Some(Asked::Rollback { name, to, image }) => {
                let left = state.checks.watched[before.upgrade].left.get(name);
                let is_back = left.is_some_and(|(version, was)| version == to && was == image);
                if !is_back {
                    let what = format!("{}, and it had {left:?} before", describe(call));
                    Self::violated(state, rules::ROLLBACK, what);
                }
            }
            Some(Asked::ControlPlane { .. }) | None => {}
        }
    }

    /// What a pool shows before it goes to another version, or to another image of the same one. Whoever upgrades it
    /// to the image that it has already leaves nothing.
    fn note_left(state: &mut State, upgrade: usize, document: &Value, (pool, to): (&str, Option<&str>)) {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let Some(shown) = pool_of(document, pool) else { return };
        let was = (text(&shown["orchestratorVersion"]), text(&shown["nodeImageVersion"]));
        let newest = state.world.newest_image(&state.checks.keys[upgrade], pool);
        let is_there = match to {
            Some(version) => version == was.0,
            None => newest.is_some_and(|newest| newest == was.1),
        };
        if !is_there {
            state.checks.watched[upgrade].left.insert(pool.to_owned(), was);
        }
    }

    /// Somebody else upgrades a pool that showed this before.
    pub(in crate::exploration) fn left_by_somebody(
        state: &mut State,
        cluster: &ClusterKey,
        document: &Value,
        pool: (&str, Option<&str>),
    ) {
        if let Some(upgrade) = state.checks.index_of(cluster) {
            Self::note_left(state, upgrade, document, pool);
        }
    }

    /// Azure has refused a rollback: that could have been known.
    pub(super) fn could_go_back(state: &mut State, call: &Call, answer: &Answer, cluster: &ClusterKey) {
        let error = answer.body.get("error").unwrap_or(&answer.body);
        let is_refused = error["code"] == "InvalidParameter" || error["code"] == "InvalidRequestContent";
        let by_others = state.checks.moved.iter().any(|(key, _)| key == cluster);
        if is_refused && !by_others {
            let what = format!("{} is refused: {}", describe(call), error["message"]);
            Self::violated(state, rules::ROLLBACK, what);
        }
    }

    /// Whether somebody has asked for something, and nothing is recorded of it.
    pub(super) fn owes_an_answer(state: &State, index: usize) -> bool {
        let upgrade = &state.hub.upgrades[index];
        let (request, ledger) = (&upgrade.request, &upgrade.record.ledger);
        let (asked, control) = (&request.asked, &ledger.control);
        let is_new = |asked: &Option<String>, known: &Option<String>| asked.is_some() && asked != known;
        // A pool goes back when Azure has ended what it is at, and settings are put back.
        let may_wait = ledger.finished_at.is_none();
        let owes = is_new(&request.retry, &ledger.retry_token)
            || is_new(&asked.abort, &control.abort_token)
            || is_new(&asked.skip, &control.skip_token)
            || (!may_wait && is_new(&asked.rollback, &control.rollback_token));
        owes && !request.abandoned && !upgrade.gone && !Self::has_lost(state, index)
    }

    /// Time passes: whoever asks for something is told before long.
    pub(super) fn answers(state: &mut State, index: usize) {
        let is_idle = state.hub.upgrades[index].place.is_none() && Self::is_continuous(state);
        let is_excused = state.now < state.calm_from || Self::nobody_runs(state) || is_idle;
        let owes = Self::owes_an_answer(state, index);
        let watched = &mut state.checks.watched[index];
        if is_excused || !owes {
            watched.unanswered = None;
            return;
        }
        let since = *watched.unanswered.get_or_insert(state.now);
        if state.now > since + ANSWER {
            let upgrade = &state.hub.upgrades[index];
            let what = format!(
                "{} was asked for something at {since} at the latest: {:?} and retry {:?}, and recorded are {:?} and retry {:?}",
                upgrade.name,
                upgrade.request.asked,
                upgrade.request.retry,
                upgrade.record.ledger.control,
                upgrade.record.ledger.retry_token
            );
            Self::violated(state, rules::ANSWERED, what);
        }
    }

    /// A record was written: whether everything waits for `retry` from now on.
    pub(super) fn note_halt(state: &mut State, index: usize, before: &Ledger, after: &Ledger) {
        let asked = before.retry_token != after.retry_token;
        let watched = &mut state.checks.watched[index];
        watched.halted &= !asked || after.control.halt.is_some();
        watched.halted |= is_halted(after);
        if after.control.halt.is_none() && watched.halted && !asked && after.finished_at.is_none() {
            let what = "nothing was to go on until retry, and that is forgotten".to_owned();
            Self::violated(state, rules::HALTED, what);
        }
    }
}

/// Whether nothing may go on: after an abort the step keeps its place.
fn is_halted(ledger: &Ledger) -> bool {
    let Some(halt) = &ledger.control.halt else { return false };
    match &ledger.operation {
        None => true,
        Some(operation) => operation.phase == Phase::Intent && halt.after == HaltedAfter::Abort,
    }
}
