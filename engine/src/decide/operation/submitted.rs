//! Azure has taken the step: it works on it, or has come to an end with it, or with something else.

use super::{Decision, Operation, Phase, Resource, Step, View, WaitingOn, move_on, record, succeeded};
use crate::{
    cluster::ProvisioningState,
    decide::{answer::refused, control::begin_abort, failing_gate, pause::ABORTED, standing},
    failure::{Failure, FailureClass},
    planted::{PlantedBug, planted},
};

/// Azure forgets operations, and tells nothing of them to who may not read them.
const NO_REASON: &str = "the operation failed, and Azure gives no reason: it has forgotten it, or the \
    identity lacks Microsoft.ContainerService/locations/operations/read on the subscription";

pub(super) fn decide(
    view: &View<'_>,
    operation: &Operation,
    step: &Step,
    resource: &Resource<'_>,
) -> Decision {
    if let Some(decision) = aborted_by_policy(view, operation, resource, step) {
        return decision;
    }
    if let Some(busy) = resource.cluster.busy_with() {
        // The time that others take is not the step's own.
        return Decision::Wait(if resource.is_left_to_others(step) {
            WaitingOn::ClusterBusy(busy)
        } else {
            standing::at_work(operation, step, view.now)
        });
    }
    if resource.is_done() {
        return move_on(view, Phase::Verifying);
    }
    if planted(PlantedBug::PreemptedIsDone) && *resource.state == ProvisioningState::Succeeded {
        return record(succeeded(view, step));
    }
    let failure = match (&view.seen.operation, &operation.azure_operation) {
        (Some(report), _) if report.running => {
            return Decision::Wait(standing::at_work(operation, step, view.now));
        }
        (Some(report), _) => ended(resource.state, report.failure.as_ref()),
        (None, Some(name)) => return Decision::ReadOperation(name.clone()),
        (None, None) => ended(resource.state, None),
    };
    record(refused(view.ledger, &failure, None, view))
}

/// What the failure policy asks for when gates fail while Azure works on the step: they are judged then under
/// `AbortOperation` only, since each look at them costs reads of the cluster.
fn aborted_by_policy(
    view: &View<'_>,
    operation: &Operation,
    resource: &Resource<'_>,
    step: &Step,
) -> Option<Decision> {
    let is_ours = resource.state.is_busy() && !resource.is_left_to_others(step);
    if !view.request.judges_meanwhile()
        || operation.policy_not_done.is_some()
        || !is_ours
        || step.is_rollback()
    {
        return None;
    }
    match failing_gate(view) {
        Err(decision) => Some(*decision),
        Ok(Some(broken)) => begin_abort(view, &broken),
        Ok(None) => None,
    }
}

/// What has gone wrong, from the state of the resource and what the operation says itself.
pub(super) fn ended(state: &ProvisioningState, said: Option<&Failure>) -> Failure {
    match (state, said) {
        (ProvisioningState::Canceled, said) => canceled(said),
        (_, Some(failure)) => failure.clone(),
        // Another operation took its place and ended well: ours is sent again.
        (ProvisioningState::Succeeded, None) => {
            let message = "the operation ended without effect, probably preempted by another";
            Failure::new(None, Some("OperationPreempted"), None, message)
        }
        (ProvisioningState::Failed | ProvisioningState::Busy(_), None) => {
            Failure::new(None, Some("UpgradeFailed"), None, NO_REASON)
        }
    }
}

/// Somebody has stopped it on purpose, unless the operation says that another one took its place. Whatever else it
/// says is told, and starts nothing again by itself: it may be what moved somebody to stop it.
fn canceled(said: Option<&Failure>) -> Failure {
    const WHAT: &str = "the operation was aborted by somebody";
    match said {
        Some(failure) if failure.class() == FailureClass::Busy => failure.clone(),
        Some(failure) => {
            let message = format!("{WHAT}; Azure says: {}", failure.message);
            Failure::new(None, Some(ABORTED), failure.code.as_deref(), &message)
        }
        None => Failure::new(None, Some(ABORTED), None, WHAT),
    }
}
