//! What `retry` makes of the record: forget what held it back, keep what is done, and accept the versions as
//! they are then.

use super::{View, answer::set_state, control::halt_after, external::versions_of};
use crate::{
    ledger::{Ledger, Operation, Phase, StepState},
    planted::{PlantedBug, planted},
};

/// The record after `retry`.
///
/// A step that Azure calls done and the nodes do not show is sent again: that repairs it. It is only
/// marked here, and sent when the nodes are seen not to show it.
pub(super) fn reopened(view: &View<'_>) -> Ledger {
    let mut ledger = Ledger {
        retry_token: view.request.retry.clone(),
        expected: None,
        gates_failing_since: None,
        ..view.ledger.clone()
    };
    if planted(PlantedBug::RetakeBaseline) {
        ledger.baseline = None;
    }
    ledger.control.refused = None;
    // A pool that is on its way back does not turn round.
    let back = view.ledger.current().filter(|(_, record)| record.step.is_rollback());
    let because = view.ledger.control.halt.as_ref().and_then(|halt| halt.because.as_deref());
    ledger.control.halt = back.map(|(_, record)| halt_after(&record.step, because));
    for record in ledger.restore.iter_mut().filter(|record| record.failure.is_some()) {
        record.not_before = None;
    }
    let Some(operation) = &mut ledger.operation else { return ledger };
    operation.policy_not_done = None;
    match operation.phase {
        Phase::Intent => {
            begin_anew(operation, view);
            operation.since = view.now;
        }
        Phase::Verifying => {
            begin_anew(operation, view);
            operation.repair = true;
        }
        Phase::Submitted | Phase::Gating | Phase::Soaking => return ledger,
    }
    set_state(&mut ledger, StepState::Running);
    ledger
}

/// The operation as on its first attempt. Its phase stays, and what a person has asked for before.
fn begin_anew(operation: &mut Operation, view: &View<'_>) {
    operation.failure = None;
    operation.hold = None;
    operation.held = false;
    operation.attempt = 1;
    operation.resubmissions = 0;
    operation.not_before = None;
    operation.submitted_at = None;
    operation.azure_operation = None;
    operation.deadline = view.now + view.request.policy.step_timeout;
}

/// The record with the versions to account for from now on, which `retry` has forgotten: those that are
/// seen first afterwards, whatever is going on then. `None` when they are known, or cannot be seen.
///
/// What the step in flight moves is among them as it is shown, and is set when the step is done.
pub(super) fn accepting_versions(view: &View<'_>) -> Option<Ledger> {
    let is_forgotten = view.ledger.expected.is_none() && view.ledger.baseline.is_some();
    let cluster = view.seen.cluster.as_ref().ok().filter(|_| is_forgotten)?;
    let expected = versions_of(cluster, &view.request.policy);
    Some(Ledger { expected: Some(expected), ..view.ledger.clone() })
}
