//! Leaving a cluster out of the rollout: the operation in flight ends, settings are put back, and that is the end.
//!
//! What Azure works on is waited for, and not aborted: who wants that, asks for it as well. What the nodes and the
//! workloads show then is not waited for any more. A pool in state Failed or Canceled gets its settings back at once,
//! as on deletion: the person has decided.

use jiff::Timestamp;

use super::{may_be_on_its_way, new_token};
use crate::{
    control::Control,
    decide::{Decision, View, answer, operation::Resource, operation::move_on, overrides, record},
    ledger::{Ledger, Phase, StepState},
    observation::Unreadable,
    planted::{PlantedBug, planted},
    waiting::WaitingOn,
};

/// What leaving it out asks for; `None` when it is not left out, or Azure has first to come to its end.
pub(super) fn decide(view: &View<'_>) -> Option<Decision> {
    let control = &view.ledger.control;
    if !control.skipped {
        let token = new_token(view.request.asked.skip.as_ref(), control.skip_token.as_ref())?;
        let control =
            Control { skip_token: Some(token.clone()), skipped: true, refused: None, ..control.clone() };
        return Some(record(Ledger { control, ..view.ledger.clone() }));
    }
    if planted(PlantedBug::GoOnAfterSkip) {
        return None;
    }
    let Some((operation, current)) = view.ledger.current() else { return Some(ended(view)) };
    match operation.phase {
        Phase::Intent | Phase::Submitted => {}
        Phase::Verifying | Phase::Gating | Phase::Soaking => return Some(dropped(view)),
    }
    let resource = match (Resource::seen(view, &current.step), &view.seen.cluster) {
        (Ok(resource), _) => resource,
        // There is nothing there any more that could end.
        (Err(_), Ok(_) | Err(Unreadable::Gone(_))) => return Some(dropped(view)),
        (Err(stop), Err(_)) => return Some(*stop),
    };
    match operation.phase {
        Phase::Intent if resource.is_moving_to_target(&current.step) => Some(move_on(view, Phase::Submitted)),
        Phase::Intent if may_be_on_its_way(operation, view.now) => {
            Some(Decision::Wait(WaitingOn::Sending(current.step.clone())))
        }
        Phase::Intent => Some(dropped(view)),
        Phase::Submitted | Phase::Verifying | Phase::Gating | Phase::Soaking => None,
    }
}

/// The record of an upgrade whose cluster is left out although it cannot be carried out at all: its registration is
/// gone, or makes no sense. `None` when nobody asks for that, or something is in flight or changed.
#[must_use]
pub fn left_out(ledger: &Ledger, skip: Option<&String>, now: Timestamp) -> Option<Ledger> {
    let control = &ledger.control;
    let token = new_token(skip, control.skip_token.as_ref()).cloned();
    let is_asked = token.is_some() || control.skipped;
    if !is_asked || ledger.finished_at.is_some() || ledger.in_flight() || !ledger.restore.is_empty() {
        return None;
    }
    let skip_token = token.or_else(|| control.skip_token.clone());
    let control = Control { skip_token, skipped: true, refused: None, ..control.clone() };
    Some(over(&Ledger { control, ..ledger.clone() }, now))
}

/// The step in flight is left as it is.
fn dropped(view: &View<'_>) -> Decision {
    let was_sent = view.ledger.operation.as_ref().is_some_and(|operation| operation.claims > 0);
    record(answer::dropped(view.ledger, if was_sent { StepState::Dropped } else { StepState::Planned }))
}

/// Nothing is in flight: what was changed is put back, and then it is over.
fn ended(view: &View<'_>) -> Decision {
    let restoring = overrides::restoring(view).filter(|_| !planted(PlantedBug::SkipLeavesSettings));
    restoring.unwrap_or_else(|| record(over(view.ledger, view.now)))
}

fn over(ledger: &Ledger, now: Timestamp) -> Ledger {
    let mut ledger = Ledger { finished_at: Some(now), ..ledger.clone() };
    ledger.steps.retain(|record| matches!(record.state, StepState::Succeeded | StepState::Dropped));
    (ledger.control.halt, ledger.gates_failing_since, ledger.soak_until) = (None, None, None);
    ledger
}
