//! The step in flight: intent, submitted, verifying, gating, soaking; and every way back. One file for each.

use super::{
    Decision, EXTERNAL_ADVICE, View,
    answer::{self, deadline_of_accepted, end_hold, set_state},
    control::{taking_back, without_going_back},
    overrides, record,
};
use crate::{
    ledger::{Ledger, Operation, Phase, StepRecord, StepState},
    planted::{PlantedBug, planted},
    step::{Step, StepKind},
    waiting::WaitingOn,
};

mod gating;
mod intent;
mod resource;
mod submitted;
mod verifying;

pub(super) use resource::Resource;

/// Decides about the step in flight.
pub(super) fn decide(view: &View<'_>, operation: &Operation, current: &StepRecord) -> Decision {
    let step = &current.step;
    match operation.phase {
        // Azure is done: whatever is waited for now, it is waited for with the pool's own settings.
        Phase::Gating | Phase::Soaking => {
            overrides::restoring(view).unwrap_or_else(|| gating::decide(view, operation, step))
        }
        Phase::Intent => match Resource::seen(view, step) {
            Ok(resource) => {
                let decision = intent::decide(view, operation, step, &resource);
                overrides::not_while_stopped(view, resource.cluster, decision)
            }
            Err(stop) => *stop,
        },
        Phase::Submitted => Resource::seen(view, step)
            .map_or_else(|stop| *stop, |resource| submitted::decide(view, operation, step, &resource)),
        Phase::Verifying => match Resource::seen(view, step) {
            Ok(resource) => overrides::after_the_step(view, resource.cluster, resource.is_done())
                .unwrap_or_else(|| verifying::decide(view, operation, step, &resource)),
            Err(stop) => *stop,
        },
    }
}

/// The step in flight lost its ground: a person decides. What `retry` has accepted is no change any more:
/// the step is dropped, and everything is planned anew.
fn changed(view: &View<'_>, what: &str, is_accepted: bool) -> Decision {
    if !is_accepted {
        let change = format!("{what}, and not by this upgrade: {EXTERNAL_ADVICE}");
        return Decision::Wait(WaitingOn::ExternalChange(change));
    }
    without_going_back(view.ledger, what).map_or_else(|| dropped(view), record)
}

/// The step is not done after all: everything is planned anew.
fn dropped(view: &View<'_>) -> Decision {
    record(answer::dropped(view.ledger, StepState::Planned))
}

pub(super) fn move_on(view: &View<'_>, phase: Phase) -> Decision {
    let mut ledger = view.ledger.clone();
    if let Some(operation) = &mut ledger.operation {
        end_hold(operation, view.now);
        operation.phase = phase;
        operation.since = view.now;
        operation.held = false;
        if phase == Phase::Submitted {
            // What runs may be somebody else's: a repair is done only when Azure has taken ours.
            if !operation.repair {
                operation.submitted_at = operation.submitted_at.or(Some(view.now));
            }
            operation.deadline = deadline_of_accepted(operation, view);
        } else {
            // Kept no longer than it is of use.
            operation.azure_operation = None;
        }
        operation.not_before = None;
        operation.failure = None;
        match phase {
            Phase::Intent => operation.submitted_at = None,
            // The nodes show it.
            Phase::Gating => operation.repair = false,
            Phase::Submitted | Phase::Verifying | Phase::Soaking => {}
        }
    }
    // Between two phases nobody judges, or the gate has passed.
    ledger.gates_failing_since = None;
    set_state(&mut ledger, StepState::Running);
    if phase != Phase::Intent {
        taking_back(&mut ledger);
    }
    record(ledger)
}

fn succeeded(view: &View<'_>, step: &Step) -> Ledger {
    let mut ledger = view.ledger.clone();
    set_state(&mut ledger, StepState::Succeeded);
    ledger.control.refused = None;
    let id = ledger.operation.take().map(|operation| operation.step_id);
    if let Some(record) = ledger.steps.iter_mut().find(|record| Some(&record.id) == id.as_ref()) {
        record.finished_at = Some(view.now);
    }
    let expected = ledger.expected.as_mut().filter(|_| !planted(PlantedBug::ForgetOwnMoves));
    if let (Some(expected), Ok(version)) = (expected, step.version_after().parse()) {
        match (&step.pool, step.kind) {
            (None, _) => expected.control_plane = version,
            (Some(pool), StepKind::NodePoolVersion | StepKind::NodePoolRollback) => {
                expected.pools.insert(pool.clone(), version);
            }
            (Some(_), StepKind::ControlPlane | StepKind::NodePoolImage) => {}
        }
    }
    ledger
}
