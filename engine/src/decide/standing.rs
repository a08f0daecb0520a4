//! What the step in flight waits on, as far as the record alone tells, and the one place that words it.
//!
//! Decisions say the same in the same words once they have seen more: so that the reason of an upgrade does
//! not change because somebody looked.

use jiff::Timestamp;

use super::{Request, control::aborting};
use crate::{
    control::HaltedAfter,
    failure::FailureClass,
    instants::later,
    ledger::{Ledger, Operation, Phase},
    observation::HeldBack,
    planted::{PlantedBug, planted},
    step::Step,
    waiting::WaitingOn,
};

/// What the step in flight waits on, told from the record alone.
pub(crate) fn underway(request: &Request, ledger: &Ledger, now: Timestamp) -> Option<WaitingOn> {
    let settings = ledger.restore.iter().find(|record| record.sent_at.is_some());
    let restoring = ledger.restore.iter().find(|record| record.attempts > 0).map(WaitingOn::restoring);
    let open = || ledger.restore.first().map(WaitingOn::restoring);
    let halted = || ledger.control.halt.clone().map(WaitingOn::Halted);
    let Some((operation, record)) = ledger.current() else {
        return restoring.or_else(halted).or_else(open);
    };
    let step = &record.step;
    if let Some(abort) = &ledger.control.abort {
        return Some(aborting(abort, step));
    }
    let halt = ledger.control.halt.as_ref().filter(|halt| halt.after == HaltedAfter::Abort);
    match operation.phase {
        Phase::Intent if halt.is_some() => restoring.or_else(|| halt.cloned().map(WaitingOn::Halted)),
        Phase::Intent => restoring
            .or_else(|| limit(operation, step, request, now))
            .or_else(|| trouble(operation, step))
            .or_else(|| settings.map(|record| WaitingOn::ChangingSettings(record.subject())))
            .or_else(|| Some(WaitingOn::Sending(step.clone()))),
        Phase::Submitted => Some(at_work(operation, step, now)),
        Phase::Verifying | Phase::Gating | Phase::Soaking => {
            restoring.or_else(|| Some(WaitingOn::Operation(step.clone())))
        }
    }
}

/// What the step waits on while our share of one of Azure's limits is used up.
pub(super) fn limit(
    operation: &Operation,
    step: &Step,
    request: &Request,
    now: Timestamp,
) -> Option<WaitingOn> {
    let (hold, until) = (operation.hold.as_ref()?, operation.not_before.filter(|at| now < *at)?);
    let held = HeldBack { why: hold.why.clone(), until };
    let overdue = now >= later(hold.since, request.policy.step_timeout);
    Some(WaitingOn::HeldBack { step: Some(step.clone()), held, overdue })
}

/// What went wrong last, as what the step waits on because of it.
pub(super) fn trouble(operation: &Operation, step: &Step) -> Option<WaitingOn> {
    let (failure, step) = (operation.failure.clone()?, step.clone());
    if operation.held {
        return Some(WaitingOn::OperationFailed { step, failure });
    }
    if failure.class() == FailureClass::Blocked {
        let blockers = failure.blockers();
        return Some(WaitingOn::Blocked { step, failure, blockers });
    }
    // Told by the refusal, not by the clock: what is suspended, or waits for a window, is not refused meanwhile.
    let overdue = failure.class() == FailureClass::Busy && operation.since >= operation.deadline;
    operation.not_before.map(|at| WaitingOn::Retry { step, failure, at, overdue })
}

/// Azure works on the step: for as long as it may, or longer.
pub(super) fn at_work(operation: &Operation, step: &Step, now: Timestamp) -> WaitingOn {
    if now < operation.deadline || planted(PlantedBug::ForgetDeadline) {
        WaitingOn::Operation(step.clone())
    } else {
        WaitingOn::StepTimeout(step.clone())
    }
}
