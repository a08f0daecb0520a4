//! What nobody of us can have written is mended before anything is decided: a step in flight that is not among
//! the steps, and instants that are far ahead, which a clock has written that was wrong. Pure.
//!
//! Left as they are, such instants hold a step, a gate, a soak, an abort or settings back until then, and `retry`
//! does not help. What is a little ahead stays: the clocks of two replicas differ.

use jiff::Timestamp;

use crate::{
    control::Abort,
    decide::Request,
    instants::{is_far_ahead, later},
    ledger::{Ledger, Operation},
    settings::Restore,
};

/// The record, with the present in place of what is far ahead.
pub(crate) fn mended(request: &Request, mut ledger: Ledger, now: Timestamp) -> Ledger {
    if ledger.current().is_none() {
        // Somebody has edited the record: of the step nothing is known.
        ledger.operation = None;
    }
    if ledger.finished_at.is_some() {
        return ledger;
    }
    if let Some(operation) = &mut ledger.operation {
        mend_operation(request, operation, now);
    }
    if let Some(abort) = &mut ledger.control.abort {
        mend_abort(abort, now);
    }
    for record in &mut ledger.restore {
        mend_restore(record, now);
    }
    if let Some(baseline) = &mut ledger.baseline {
        // Workloads from after it would count as known to be healthy.
        mend_instant(&mut baseline.taken_at, now);
    }
    mend(&mut ledger.started_at, now);
    mend(&mut ledger.gates_failing_since, now);
    mend_steps(request, &mut ledger, now);
    ledger
}

fn mend_operation(request: &Request, operation: &mut Operation, now: Timestamp) {
    if [operation.since, operation.intent_at].into_iter().any(|at| is_far_ahead(at, now)) {
        operation.deadline = operation.deadline.min(later(now, request.policy.step_timeout));
    }
    mend_instant(&mut operation.since, now);
    mend_instant(&mut operation.intent_at, now);
    mend(&mut operation.submitted_at, now);
    mend(&mut operation.not_before, now);
    if let Some(hold) = &mut operation.hold {
        mend_instant(&mut hold.since, now);
    }
}

fn mend_abort(abort: &mut Abort, now: Timestamp) {
    mend_instant(&mut abort.intent_at, now);
    mend(&mut abort.sent_at, now);
    mend(&mut abort.not_before, now);
}

fn mend_restore(record: &mut Restore, now: Timestamp) {
    mend(&mut record.sent_at, now);
    mend(&mut record.not_before, now);
    if let Some(hold) = &mut record.hold {
        mend_instant(&mut hold.since, now);
    }
}

/// The steps, and the soak, which began when the last of them was done, by the same clock.
fn mend_steps(request: &Request, ledger: &mut Ledger, now: Timestamp) {
    let mut ends = ledger.steps.iter().filter_map(|record| record.finished_at);
    if let (Some(until), true) = (&mut ledger.soak_until, ends.any(|at| is_far_ahead(at, now))) {
        *until = later(now, request.policy.soak).min(*until);
    }
    for record in &mut ledger.steps {
        mend(&mut record.started_at, now);
        mend(&mut record.finished_at, now);
    }
}

fn mend(at: &mut Option<Timestamp>, now: Timestamp) {
    at.iter_mut().for_each(|at| mend_instant(at, now));
}

fn mend_instant(at: &mut Timestamp, now: Timestamp) {
    if is_far_ahead(*at, now) {
        *at = now;
    }
}
