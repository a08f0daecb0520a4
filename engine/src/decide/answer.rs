//! What the record becomes when Azure has accepted, refused or failed a step.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{
    View,
    control::{again_at, taking_back, without_going_back},
    pause::{self, Again, BLOCKED_PACE, backoff},
};
use crate::{
    action::Action,
    failure::{Failure, FailureClass},
    instants::{asked, asked_until, later},
    ledger::{Hold, Ledger, Operation, Phase, StepState},
    observation::HeldBack,
    planted::{PlantedBug, planted},
    ports::Rejection,
};

/// How much of a limit's name is kept, in characters.
const LONGEST_WHY: usize = 256;

/// The record after Azure has answered, or its answer was lost.
#[must_use]
pub fn answered(
    ledger: &Ledger,
    action: &Action,
    answer: Result<Option<String>, Rejection>,
    view: &View<'_>,
) -> Ledger {
    match (action, answer) {
        (Action::Step { .. }, Ok(address)) => accepted(ledger, address, view),
        (Action::Step { .. } | Action::Override { .. }, Err(Rejection::Refused { failure, retry_after })) => {
            refused(ledger, &failure, retry_after, view)
        }
        (Action::Step { .. } | Action::Override { .. }, Err(Rejection::HeldBack(held))) => {
            not_sent(ledger, &held, view)
        }
        (Action::Override { pool, .. }, Ok(_)) => {
            let mut ledger = settings_sent(ledger, pool.as_deref(), view);
            if let Some(operation) = ledger.operation.as_mut().filter(|operation| operation.hold.is_some()) {
                end_hold(operation, view.now);
                operation.not_before = None;
            }
            ledger
        }
        (Action::Abort { .. }, answer) => abort_sent(ledger, answer, view),
        (Action::Restore { pool, .. }, Ok(_)) => settings_sent(ledger, pool.as_deref(), view),
        (Action::Restore { pool, .. }, Err(rejection)) => {
            not_restored(ledger, pool.as_deref(), &rejection, view)
        }
    }
}

/// Azure has accepted settings; what it then shows tells the rest.
fn settings_sent(ledger: &Ledger, pool: Option<&str>, view: &View<'_>) -> Ledger {
    let mut ledger = ledger.clone();
    for record in ledger.restore.iter_mut().filter(|record| record.pool.as_deref() == pool) {
        // Attempts are those that Azure accepted in a row, and did not show.
        record.attempts = if record.is_given_back() { record.attempts } else { record.attempts.min(1) };
        record.sent_at = Some(view.now);
        record.failure = None;
        record.hold = None;
        // Should Azure not show it afterwards, it is not sent again at once.
        record.not_before = (record.attempts > 0).then(|| view.now + backoff(record.attempts - 1));
    }
    ledger
}

/// Azure aborts, or says why it does not. That there is nothing to abort any more is as good: what the resource
/// shows tells the rest.
fn abort_sent(ledger: &Ledger, answer: Result<Option<String>, Rejection>, view: &View<'_>) -> Ledger {
    let mut ledger = ledger.clone();
    let Some(abort) = &mut ledger.control.abort else { return ledger };
    match answer {
        Ok(_) => {
            abort.sent_at = Some(view.now);
            abort.not_before = Some(again_at(view.now));
            abort.failure = None;
        }
        Err(Rejection::Refused { failure, retry_after }) => {
            let pause = match failure.class() {
                FailureClass::Transient | FailureClass::Busy => backoff(abort.claims - 1),
                FailureClass::Blocked | FailureClass::Failed | FailureClass::Bug => BLOCKED_PACE,
            };
            abort.not_before = Some(later(view.now, pause.max(asked(retry_after))));
            abort.failure = Some(failure);
        }
        Err(Rejection::HeldBack(held)) => {
            abort.not_before = Some(asked_until(held.until, view.now));
            abort.failure = Some(Failure::new(None, None, None, &held.why));
        }
    }
    ledger
}

/// What is to be put back is tried again for ever: nobody else knows of it.
fn not_restored(ledger: &Ledger, pool: Option<&str>, rejection: &Rejection, view: &View<'_>) -> Ledger {
    let mut ledger = ledger.clone();
    for record in ledger.restore.iter_mut().filter(|record| record.pool.as_deref() == pool) {
        match rejection {
            Rejection::Refused { failure, retry_after } => {
                let pause = match failure.class() {
                    FailureClass::Transient | FailureClass::Busy => backoff(record.attempts - 1),
                    FailureClass::Blocked | FailureClass::Failed | FailureClass::Bug => BLOCKED_PACE,
                };
                record.not_before = Some(later(view.now, pause.max(asked(*retry_after))));
                record.failure = Some(failure.clone());
                record.hold = None;
            }
            Rejection::HeldBack(held) => {
                // Nothing was tried; that putting back has begun stays true.
                record.attempts = (record.attempts - 1).max(1);
                record.hold = Some(hold(held, record.hold.as_ref(), view.now));
                record.not_before = Some(asked_until(held.until, view.now));
            }
        }
    }
    ledger
}

fn hold(held: &HeldBack, before: Option<&Hold>, now: Timestamp) -> Hold {
    let since = before.map_or(now, |hold| hold.since);
    Hold { why: held.why.chars().take(LONGEST_WHY).collect(), since }
}

/// The record after Azure has accepted the step in flight.
#[must_use]
pub fn accepted(ledger: &Ledger, azure_operation: Option<String>, view: &View<'_>) -> Ledger {
    let mut ledger = ledger.clone();
    if let Some(operation) = &mut ledger.operation {
        end_hold(operation, view.now);
        operation.phase = Phase::Submitted;
        operation.submitted_at = Some(view.now);
        operation.deadline = deadline_of_accepted(operation, view);
        operation.azure_operation = azure_operation;
        operation.not_before = None;
        operation.failure = None;
        operation.since = view.now;
    }
    set_state(&mut ledger, StepState::Running);
    ledger.gates_failing_since = None;
    taking_back(&mut ledger);
    ledger
}

/// The record after the step in flight was not sent: our share of one of Azure's limits is used up.
///
/// Nothing was tried, so that all else stays as it was: what failed before, and how often. It is tried
/// again for as long as it takes.
#[must_use]
pub fn not_sent(ledger: &Ledger, held: &HeldBack, view: &View<'_>) -> Ledger {
    let mut ledger = ledger.clone();
    if let Some(operation) = &mut ledger.operation {
        operation.hold = Some(hold(held, operation.hold.as_ref(), view.now));
        operation.not_before = Some(asked_until(held.until, view.now));
    }
    ledger
}

/// The time in which the step was not sent does not count against it.
pub(super) fn end_hold(operation: &mut Operation, now: Timestamp) {
    if let Some(hold) = operation.hold.take() {
        let lost = now.duration_since(hold.since).max(SignedDuration::ZERO);
        operation.deadline = operation.deadline.saturating_add(lost).unwrap_or(Timestamp::MAX);
    }
}

/// The time before Azure accepted a step (a busy cluster, a blocked drain) does not count against
/// it; except after transient failures, which the deadline is to bound.
pub(super) fn deadline_of_accepted(operation: &Operation, view: &View<'_>) -> Timestamp {
    match class_of_last(operation) {
        Some(FailureClass::Transient) => operation.deadline,
        None | Some(_) => view.now + view.request.policy.step_timeout,
    }
}

fn class_of_last(operation: &Operation) -> Option<FailureClass> {
    operation.failure.as_ref().map(Failure::class)
}

/// The record after Azure has refused or failed the step in flight.
///
/// `retry_after` is what Azure asked for. The class of the failure decides whether and
/// when it is sent again, and whether that counts as an attempt.
#[must_use]
pub fn refused(ledger: &Ledger, failure: &Failure, retry_after: Option<Duration>, view: &View<'_>) -> Ledger {
    let (mut ledger, now, policy) = (ledger.clone(), view.now, &view.request.policy);
    if planted(PlantedBug::ForgetOnError) {
        return Ledger { operation: None, ..ledger };
    }
    let Some(operation) = &mut ledger.operation else { return ledger };
    end_hold(operation, now);
    let is_bounded = match operation.phase {
        Phase::Intent => is_bounded_already(operation, failure, now),
        // What took the place of ours may be at it for as long as it likes.
        Phase::Submitted | Phase::Verifying | Phase::Gating | Phase::Soaking => {
            failure.class() != FailureClass::Busy
        }
    };
    if !is_bounded {
        operation.deadline = now + policy.step_timeout;
    }
    let Again { pause, counts } = pause::after(operation, failure, retry_after, view);
    let was_begun = operation.phase != Phase::Intent;
    operation.phase = Phase::Intent;
    operation.since = now;
    operation.submitted_at = None;
    operation.azure_operation = None;
    operation.failure = Some(failure.clone());
    operation.held = pause.is_none();
    operation.not_before = pause.map(|pause| now + pause);
    operation.resubmissions = operation.resubmissions.saturating_add(1).min(1000);
    if counts {
        operation.attempt += 1;
        operation.deadline = now + policy.step_timeout;
    }
    let held = operation.held;
    ledger.gates_failing_since = None;
    set_state(&mut ledger, if held { StepState::Failed } else { StepState::Running });
    if held && !was_begun && is_for_good(failure) {
        return without_going_back(&ledger, &failure.message).unwrap_or(ledger);
    }
    ledger
}

/// Whether asking for the same once more would come to the same.
fn is_for_good(failure: &Failure) -> bool {
    match failure.class() {
        FailureClass::Bug | FailureClass::Failed => true,
        FailureClass::Transient | FailureClass::Busy | FailureClass::Blocked => false,
    }
}

/// Whether the deadline was set by a refusal before this one, and bounds this one, too: of those that pass by
/// themselves, and of those in a row that call the cluster busy.
fn is_bounded_already(operation: &Operation, failure: &Failure, now: Timestamp) -> bool {
    match class_of_last(operation) {
        Some(FailureClass::Transient) => true,
        // What it was busy with between two of them, when that was seen, is not the step's time.
        Some(FailureClass::Busy) => {
            failure.class() == FailureClass::Busy && now < later(operation.since, pause::IN_A_ROW)
        }
        Some(_) => false,
        None => operation.resubmissions > 0,
    }
}

/// The record without the step in flight. What was sent with it may be shown only later: until then its settings
/// count as changed.
pub(super) fn dropped(ledger: &Ledger, state: StepState) -> Ledger {
    let mut ledger = ledger.clone();
    set_state(&mut ledger, state);
    let sent = ledger.operation.take().filter(|operation| operation.claims > 0);
    let sent_at = sent.and_then(|operation| operation.submitted_at.max(Some(operation.intent_at)));
    for known in &mut ledger.restore {
        known.sent_at = known.sent_at.max(sent_at);
    }
    ledger
}

pub(super) fn set_state(ledger: &mut Ledger, state: StepState) {
    let Some(operation) = &ledger.operation else { return };
    if let Some(record) = ledger.steps.iter_mut().find(|record| record.id == operation.step_id) {
        record.state = state;
        record.attempts = operation.attempt;
    }
}
