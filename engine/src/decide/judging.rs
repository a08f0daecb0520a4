//! Gates: how workloads stand against the baseline, and since when they fail without a break.
//!
//! That instant counts only for as long as somebody judges. What waits for a window, is suspended, or is sent to
//! Azure is not judged meanwhile, for days perhaps; whatever fails at the first look afterwards has only begun to.

use super::{Decision, Stop, View, record, wait};
use crate::{
    gates::{Verdict, judge_workloads},
    instants::later,
    ledger::{Ledger, Phase},
    observation::Unreadable,
    planted::{PlantedBug, planted},
    waiting::WaitingOn,
};

/// The gate between steps and during soaks. `Err` is the decision to stop with.
pub(super) fn gate(view: &View<'_>) -> Result<(), Stop> {
    let Some(baseline) = &view.ledger.baseline else { return Ok(()) };
    match &view.seen.workloads {
        Err(Unreadable::NotAsked) => return Err(Box::new(Decision::ReadWorkloads)),
        Err(why @ Unreadable::HeldBack(_)) => return Err(wait(WaitingOn::inconclusive(why))),
        Ok(_) | Err(Unreadable::Failed(_) | Unreadable::Gone(_)) => {}
    }
    let policy = &view.request.policy;
    let failing_since = view.ledger.gates_failing_since;
    match judge_workloads(baseline, &view.seen.workloads, policy) {
        Verdict::Pass if failing_since.is_some() && planted(PlantedBug::GateStaysFailed) => {
            Err(wait(WaitingOn::GateFailed(Vec::new())))
        }
        Verdict::Pass if failing_since.is_some() => {
            Err(Box::new(record(Ledger { gates_failing_since: None, ..view.ledger.clone() })))
        }
        Verdict::Pass => Ok(()),
        Verdict::Inconclusive(why) => Err(wait(WaitingOn::GateInconclusive(why))),
        Verdict::Fail(broken) => Err(match failing_since {
            None => Box::new(record(Ledger { gates_failing_since: Some(view.now), ..view.ledger.clone() })),
            Some(since) if view.now < later(since, policy.progress_deadline) => {
                wait(WaitingOn::GateSettling(broken))
            }
            Some(_) => wait(WaitingOn::GateFailed(broken)),
        }),
    }
}

/// Which workloads fail their gate for good while Azure works on a step. `Err` is what is to be recorded first.
pub(super) fn failing_gate(view: &View<'_>) -> Result<Option<Vec<String>>, Stop> {
    match gate(view) {
        Ok(()) => Ok(None),
        Err(stop) => match *stop {
            Decision::Wait(WaitingOn::GateFailed(broken)) => Ok(Some(broken)),
            // What is not known, or may still pass, is no reason to abort anything.
            Decision::Wait(_) => Ok(None),
            Decision::Record(_)
            | Decision::Submit(_)
            | Decision::ReadOperation(_)
            | Decision::ReadRecentlyUsed(_)
            | Decision::ReadMaintenance
            | Decision::ReadWorkloads
            | Decision::Look(_)
            | Decision::Done => Err(stop),
        },
    }
}

/// What is decided before a step is sent, or the record without gates that were failing when the decision is to
/// wait for something before which nobody judges them.
pub(super) fn while_judged(view: &View<'_>, decision: Decision) -> Decision {
    let before_a_step = match &view.ledger.operation {
        None => true,
        Some(operation) => operation.phase == Phase::Intent,
    };
    let is_failing = view.ledger.gates_failing_since.is_some() && before_a_step;
    if !is_failing || !matches!(&decision, Decision::Wait(waiting) if is_unjudged(waiting)) {
        return decision;
    }
    record(Ledger { gates_failing_since: None, ..view.ledger.clone() })
}

/// Whether gates are not judged while this is waited for before a step. What passes within moments, or keeps
/// anybody from telling how things stand, begins nothing anew: a gate that is read well only now and then would
/// never fail.
fn is_unjudged(waiting: &WaitingOn) -> bool {
    match waiting {
        WaitingOn::Wave(_)
        | WaitingOn::Suspended
        | WaitingOn::Window { .. }
        | WaitingOn::Frozen(_)
        | WaitingOn::NotBefore(_)
        | WaitingOn::WindowTooShort { .. }
        | WaitingOn::OwnWindowMisread { .. }
        | WaitingOn::OtherUpgrade(_)
        | WaitingOn::PinnedImage { .. }
        | WaitingOn::Refused(_)
        | WaitingOn::TooManyUnhealthy(_)
        | WaitingOn::InvalidSpec(_)
        | WaitingOn::Retry { .. }
        | WaitingOn::Blocked { .. }
        | WaitingOn::OperationFailed { .. }
        | WaitingOn::Halted(_)
        | WaitingOn::ExternalChange(_)
        | WaitingOn::ClusterGone => true,
        WaitingOn::ClusterBusy(_)
        | WaitingOn::AzureUnreadable(_)
        | WaitingOn::Undecided
        | WaitingOn::HeldBack { .. }
        | WaitingOn::Sending(_)
        | WaitingOn::Operation(_)
        | WaitingOn::Nodes { .. }
        | WaitingOn::GateInconclusive(_)
        | WaitingOn::GateSettling(_)
        | WaitingOn::GateFailed(_)
        | WaitingOn::Soaking(_)
        | WaitingOn::StepTimeout(_)
        | WaitingOn::Aborting { .. }
        | WaitingOn::ChangingSettings(_)
        | WaitingOn::RestoringSettings { .. } => false,
    }
}
