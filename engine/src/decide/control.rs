//! What people ask for besides to go on, and the halt that follows. One file for each deed.
//!
//! A token is acted on once: it is echoed in the record when its deed begins, or was refused. Of several the
//! abort goes first, then the rollback, then leaving the cluster out. On a cluster that is left out nothing is
//! done any more but to end what is in flight and to put back what was changed.

use super::{Decision, View, overrides, record};
use crate::{
    control::{Asked, Control, HaltedAfter, bounded},
    instants::later,
    ledger::{Ledger, Operation, Phase},
    planted::{PlantedBug, planted},
    waiting::WaitingOn,
};

mod abort;
mod rollback;
mod skip;

use std::time::Duration;

use jiff::Timestamp;

pub(super) use abort::{again_at, begin as begin_abort, waiting as aborting};
pub(super) use rollback::{after_failed_gate, halt_after, taking_back, without_going_back};
pub use skip::left_out;

/// For how long a step that was claimed may still be on its way to Azure when nothing was heard of it: as long as a
/// claim is good, and no longer than the calls between it and the submission take.
const ON_ITS_WAY: Duration = Duration::from_secs(240);

/// What has to be done, or waited for, because somebody asked; `None` when all goes on as ever.
pub(super) fn decide(view: &View<'_>) -> Option<Decision> {
    let control = &view.ledger.control;
    match &control.abort {
        Some(abort) => return Some(abort::at_work(view, abort)),
        None => abort::asked(view),
    }
    .or_else(|| rollback::asked(view))
    .or_else(|| skip::decide(view))
    .or_else(|| halted(view))
}

/// Nothing goes on until `retry`; what was changed for a step is put back where that starts nothing again.
fn halted(view: &View<'_>) -> Option<Decision> {
    let halt = view.ledger.control.halt.as_ref().filter(|_| !planted(PlantedBug::IgnoreHalt))?;
    let waiting = Decision::Wait(WaitingOn::Halted(halt.clone()));
    let where_safe = |waiting| match &view.seen.cluster {
        Ok(cluster) => overrides::not_while_stopped(view, cluster, waiting),
        Err(_) => waiting,
    };
    match &view.ledger.operation {
        None if rollback::is_refused(halt) => Some(where_safe(waiting)),
        None => Some(overrides::restoring(view).unwrap_or(waiting)),
        Some(operation) if operation.phase == Phase::Intent && halt.after == HaltedAfter::Abort => {
            Some(where_safe(waiting))
        }
        // Of a rollback that is under way it tells how it will be then.
        Some(_) => None,
    }
}

/// The record with what was asked for refused. `why` says what instead.
fn refuse(view: &View<'_>, why: &str, echo: impl FnOnce(&mut Control)) -> Decision {
    let mut ledger = view.ledger.clone();
    ledger.control.refused = Some(bounded(why));
    echo(&mut ledger.control);
    record(ledger)
}

/// The record of an upgrade that has ended, with what is asked of it since refused; `None` when that was told.
#[must_use]
pub fn refused_at_end(ledger: &Ledger, asked: &Asked, retry: Option<&String>) -> Option<Ledger> {
    let mut ledger = ledger.clone();
    let Control { skip_token, abort_token, rollback_token, .. } = &mut ledger.control;
    let tokens = [
        ("retry", retry, &mut ledger.retry_token),
        ("skip", asked.skip.as_ref(), skip_token),
        ("abort", asked.abort.as_ref(), abort_token),
        ("rollback", asked.rollback.as_ref(), rollback_token),
    ];
    let mut verbs = Vec::new();
    for (verb, token, echo) in tokens {
        if let Some(token) = new_token(token, echo.as_ref()) {
            *echo = Some(token.clone());
            verbs.push(verb);
        }
    }
    if verbs.is_empty() {
        return None;
    }
    let why = format!(
        "not done: {}; this upgrade has ended, and nothing is done with it any more",
        verbs.join(", ")
    );
    ledger.control.refused = Some(why);
    Some(ledger)
}

/// Whether the step may be on its way to Azure: it was claimed, and no answer has come since.
pub(super) fn may_be_on_its_way(operation: &Operation, now: Timestamp) -> bool {
    let has_answer = operation.since >= operation.intent_at
        && operation
            .failure
            .as_ref()
            .is_some_and(|failure| failure.status.is_some() || failure.code.is_some());
    operation.claims > 0 && !has_answer && now < later(operation.intent_at, ON_ITS_WAY)
}

/// A token that was not acted on yet.
fn new_token<'a>(asked: Option<&'a String>, done: Option<&String>) -> Option<&'a String> {
    asked.filter(|token| Some(*token) != done && !token.is_empty())
}

/// Whether something is asked for that the cluster has to be read for.
pub(crate) fn is_asked(view: &super::Request, ledger: &Ledger) -> bool {
    let (asked, control) = (&view.asked, &ledger.control);
    let abort = new_token(asked.abort.as_ref(), control.abort_token.as_ref());
    let rollback = new_token(asked.rollback.as_ref(), control.rollback_token.as_ref());
    // A pool goes back when what is being aborted has ended.
    abort.is_some() && !planted(PlantedBug::IgnoreAbort) || (rollback.is_some() && control.abort.is_none())
}
