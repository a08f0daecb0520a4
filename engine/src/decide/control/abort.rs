//! Aborting the operation in flight: only one that is known to be ours, and known to run.
//!
//! Azure aborts whatever runs on a resource; an abort names no operation. So what runs there has to be ours
//! beyond doubt: Azure named it when it took our step, and says right before that it still runs. What was found
//! running after an answer was lost may be somebody else's, and is left alone.
//!
//! Afterwards the resource is Canceled, and nothing is undone. The step keeps its place in the record, as one that
//! has failed and is held; `retry` sends it again.

use jiff::Timestamp;

use super::{may_be_on_its_way, new_token, refuse};
use crate::{
    action::Action,
    cluster::ProvisioningState,
    control::{Abort, Control, Halt, HaltedAfter, bounded},
    decide::{
        Decision, View, answer::refused, operation::Resource, operation::move_on, pause::ABORTED, record,
    },
    failure::{Failure, FailureClass},
    ledger::{Ledger, Operation, Phase},
    planted::{PlantedBug, planted},
    step::Step,
    waiting::WaitingOn,
};

/// Azure's word for a resource whose operation is being aborted.
const CANCELING: &str = "Canceling";

/// What a person's new token asks for.
pub(super) fn asked(view: &View<'_>) -> Option<Decision> {
    let control = &view.ledger.control;
    let token = new_token(view.request.asked.abort.as_ref(), control.abort_token.as_ref())?;
    if planted(PlantedBug::IgnoreAbort) {
        return None;
    }
    let echo = |control: &mut Control| control.abort_token = Some(token.clone());
    let nothing = || {
        let why = "not aborted: no operation of this upgrade runs in Azure; spec.suspend keeps the next step from starting";
        Some(refuse(view, why, echo))
    };
    let Some((operation, current)) = view.ledger.current() else { return nothing() };
    match operation.phase {
        Phase::Submitted => {
            let mut ledger = begun(view, None);
            echo(&mut ledger.control);
            Some(record(ledger))
        }
        // It may run all the same: what was sent is looked for first.
        Phase::Intent if operation.claims > 0 && control.halt.is_none() => {
            let resource = match Resource::seen(view, &current.step) {
                Ok(resource) => resource,
                // There is nothing there any more that could run.
                Err(_) if view.seen.cluster.is_ok() => return nothing(),
                Err(stop) => return Some(*stop),
            };
            if resource.is_moving_to_target(&current.step) {
                return Some(move_on(view, Phase::Submitted));
            }
            if may_be_on_its_way(operation, view.now) {
                return Some(Decision::Wait(WaitingOn::Sending(current.step.clone())));
            }
            nothing()
        }
        Phase::Intent | Phase::Verifying | Phase::Gating | Phase::Soaking => nothing(),
    }
}

/// Gates fail while Azure works on the step: the policy has its operation aborted. `None` when it is not known to
/// be ours.
pub(in crate::decide) fn begin(view: &View<'_>, broken: &[String]) -> Option<Decision> {
    let operation = view.ledger.operation.as_ref()?;
    operation.azure_operation.as_ref()?;
    Some(record(begun(view, Some(bounded(&broken.join("; "))))))
}

/// The intent to abort, recorded before Azure is called.
fn begun(view: &View<'_>, because: Option<String>) -> Ledger {
    let mut ledger = view.ledger.clone();
    ledger.control.refused = None;
    ledger.control.abort = Some(Abort {
        because,
        intent_at: view.now,
        claims: 0,
        sent_at: None,
        not_before: None,
        failure: None,
    });
    ledger
}

/// The abort is recorded: it is sent, or waited for, until Azure does nothing there any more.
pub(super) fn at_work(view: &View<'_>, abort: &Abort) -> Decision {
    let submitted = view.ledger.current().filter(|(operation, _)| operation.phase == Phase::Submitted);
    let Some((operation, current)) = submitted else {
        return record(over(view.ledger, |_| {}));
    };
    let step = &current.step;
    let resource = match Resource::seen(view, step) {
        Ok(resource) => resource,
        // There is nothing there any more that could be aborted; what became of it is told next.
        Err(_) if view.seen.cluster.is_ok() => return record(over(view.ledger, |_| {})),
        Err(stop) => return *stop,
    };
    let wait = || Decision::Wait(waiting(abort, step));
    if abort.is_tried_later(view.now) && matches!(resource.state, ProvisioningState::Busy(_)) {
        // Azure goes on meanwhile, and its listing shows when it has ended.
        return wait();
    }
    let report = match (&view.seen.operation, &operation.azure_operation) {
        (None, Some(name)) => return Decision::ReadOperation(name.clone()),
        (report, _) => report.as_ref(),
    };
    let runs = report.is_some_and(|report| report.running);
    let word = match resource.state {
        ProvisioningState::Busy(word) => word.as_str(),
        // What was read may be older than what Azure has taken.
        ProvisioningState::Succeeded | ProvisioningState::Failed | ProvisioningState::Canceled if runs => {
            return wait();
        }
        ended @ (ProvisioningState::Succeeded | ProvisioningState::Failed | ProvisioningState::Canceled) => {
            return record(ended_as(view, step, ended, abort));
        }
    };
    let ours = operation.azure_operation.as_ref().filter(|_| runs && !resource.is_left_to_others(step));
    let any = || operation.azure_operation.clone().or_else(|| Some("unknown".to_owned()));
    let ours = if planted(PlantedBug::AbortAnything) { any() } else { ours.cloned() };
    match ours {
        _ if word == CANCELING || abort.not_before.is_some_and(|at| view.now < at) => wait(),
        Some(operation) => Decision::Submit(Action::Abort { pool: step.pool.clone(), operation }),
        None if abort.claims > 0 => wait(),
        None => not_ours(view, abort, step, (word, operation)),
    }
}

/// What runs there is not known to be ours: it is left alone, and whoever asked is told.
fn not_ours(view: &View<'_>, abort: &Abort, step: &Step, (word, operation): (&str, &Operation)) -> Decision {
    let whose = if operation.azure_operation.is_some() {
        "Azure does not say that it is the operation that this upgrade began"
    } else {
        "it was found running, begun by somebody else, or by this upgrade with an answer that was lost"
    };
    let why = format!(
        "not aborted: {} is {word}, and {whose}; if it is to be aborted, use az aks operation-abort or az aks nodepool operation-abort",
        step.subject()
    );
    record(over(view.ledger, |ledger| {
        ledger.control.refused = Some(bounded(&why));
        if let Some(operation) = ledger.operation.as_mut().filter(|_| abort.because.is_some()) {
            operation.policy_not_done = Some(bounded(&why));
        }
    }))
}

fn over(ledger: &Ledger, change: impl FnOnce(&mut Ledger)) -> Ledger {
    let mut ledger = ledger.clone();
    ledger.control.abort = None;
    change(&mut ledger);
    ledger
}

/// Azure does nothing there any more: the step is held, and everything waits for `retry`.
fn ended_as(view: &View<'_>, step: &Step, state: &ProvisioningState, abort: &Abort) -> Ledger {
    let subject = step.subject();
    let verb = if step.is_rollback() { "the rollback" } else { "the upgrade" };
    let words = match state {
        ProvisioningState::Canceled => format!("{verb} of {subject} was aborted; nothing is undone"),
        ProvisioningState::Succeeded | ProvisioningState::Failed | ProvisioningState::Busy(_) => {
            format!("{verb} of {subject} had ended before it could be aborted, as {state}")
        }
    };
    let failure = Failure::new(None, Some(ABORTED), None, &words);
    over(&refused(view.ledger, &failure, None, view), |ledger| {
        ledger.control.halt = Some(Halt::new(HaltedAfter::Abort, &words, abort.because.as_deref()));
    })
}

/// What the abort waits on.
pub(in crate::decide) fn waiting(abort: &Abort, step: &Step) -> WaitingOn {
    let passes = |failure: &Failure| match failure.class() {
        FailureClass::Transient | FailureClass::Busy => true,
        FailureClass::Blocked | FailureClass::Failed | FailureClass::Bug => false,
    };
    WaitingOn::Aborting {
        step: step.clone(),
        problem: abort.failure.as_ref().map(|failure| failure.message.clone()),
        at: abort.not_before.filter(|_| abort.failure.is_some()),
        stuck: abort.failure.as_ref().is_some_and(|failure| !passes(failure)),
    }
}

/// When an abort that Azure has taken, and that shows nothing, is sent again.
pub(in crate::decide) fn again_at(now: Timestamp) -> Timestamp {
    now + super::ON_ITS_WAY
}
