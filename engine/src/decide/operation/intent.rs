//! Intent is recorded. Azure may or may not have been called: read first, then adopt or submit.

use super::{
    Decision, Operation, Phase, Resource, Step, StepKind, View, WaitingOn, changed, dropped, move_on,
    overrides, verifying::missing,
};
use std::time::Duration;

use jiff::Timestamp;

use crate::{
    cluster::{Cluster, NodePool},
    decide::{Stop, external::external_change, gate, inside, pause::backoff, record, standing, timing, wait},
    failure::{Failure, FailureClass},
    instants::later,
    plan::barred_image,
    planted::{PlantedBug, planted},
    version::{KubernetesVersion, Minor, allowed_skew},
    waiting::Stance,
};

/// Longer than it takes to look at a step that is due.
const KEPT_WAITING: Duration = Duration::from_secs(1800);

pub(super) fn decide(
    view: &View<'_>,
    operation: &Operation,
    step: &Step,
    resource: &Resource<'_>,
) -> Decision {
    let cluster = resource.cluster;
    if resource.is_moving_to_target(step) {
        return move_on(view, Phase::Submitted);
    }
    if let Some(busy) = cluster.busy_with().filter(|_| !planted(PlantedBug::SendWhileBusy)) {
        if planted(PlantedBug::AdoptAnything) {
            return move_on(view, Phase::Submitted);
        }
        let waiting = overrides::changing(view.ledger, cluster).unwrap_or(WaitingOn::ClusterBusy(busy));
        return Decision::Wait(waiting);
    }
    if let Some(version) = resource.elsewhere(step) {
        let what = format!("{} went from {} to {version}", step.subject(), step.from);
        return changed(view, &what, resource.is_accounted_for(view));
    }
    if let Some(change) = external_change(view.ledger, cluster, Some(step)) {
        return Decision::Wait(WaitingOn::ExternalChange(change));
    }
    if leaves_a_pool_behind(step, cluster) {
        // What `retry` has accepted may ask for other steps first.
        return dropped(view);
    }
    if resource.is_done() && !planted(PlantedBug::SendWhatIsDone) {
        // Azure's word is what a repair does not trust. The nodes tell whether it was sent already, too.
        let is_needed = if operation.repair {
            missing(view, step, resource)
                .map(|missing| !missing.is_empty())
                .map_err(|why| wait(WaitingOn::inconclusive(why)))
        } else {
            inside::is_needed(view, cluster)
        };
        match is_needed {
            Ok(true) => {}
            Ok(false) => return move_on(view, Phase::Verifying),
            Err(stop) => return *stop,
        }
    }
    if let Some(waiting) = holds_back(view, operation, step) {
        return Decision::Wait(waiting);
    }
    if let Err(stop) = timing::may_start(view, cluster, step).or_else(ignored) {
        return *stop;
    }
    if let Some(deadline) = new_deadline(view, operation) {
        let mut ledger = view.ledger.clone();
        ledger.operation.iter_mut().for_each(|operation| operation.deadline = deadline);
        return record(ledger);
    }
    // What is half done, or is to be repaired, is what the workloads may be waiting for. Else an intent
    // may have waited for hours: what was healthy when it was recorded counts no more.
    // A rollback is the answer to a gate that fails.
    let regardless = operation.repair || step.is_rollback() || resource.is_half_done(step, operation);
    if !regardless
        && !planted(PlantedBug::SkipGateOfIntent)
        && let Err(stop) = gate(view)
    {
        return *stop;
    }
    // What Azure shows and the nodes do not has no other way out, whatever image that brings.
    let repairs = view.ledger.current().is_some_and(|(_, record)| record.repair);
    if let Some(decision) = other_image(view, cluster, step).filter(|_| !regardless && !repairs) {
        return decision;
    }
    overrides::submit(view, cluster, step)
}

/// What to do when the step would bring another image than the one that is pinned for the rollout: a region
/// may have got a newer one since it was planned. What is half done is finished nevertheless.
fn other_image(view: &View<'_>, cluster: &Cluster, step: &Step) -> Option<Decision> {
    let pool = step.pool.as_ref().and_then(|name| cluster.pool(name))?;
    let request = view.request;
    if request.images.is_empty() {
        return None;
    }
    match &view.seen.offers {
        Err(why) => Some(Decision::Wait(WaitingOn::unreadable(why))),
        Ok(offers) => {
            barred_image(pool, (request.node_image, &request.images), offers).map(|_| dropped(view))
        }
    }
}

/// Whether the control plane's step would leave a pool further behind than Kubernetes allows: somebody has
/// taken it back since the step was planned. What Azure shows already leaves nothing behind by being sent again.
fn leaves_a_pool_behind(step: &Step, cluster: &Cluster) -> bool {
    let to = step.to.parse::<KubernetesVersion>().ok().filter(|_| step.kind == StepKind::ControlPlane);
    let to = to.filter(|to| *to != cluster.version);
    let is_behind = |pool: &NodePool, to: Minor| to.ahead_of(pool.version.minor()) > allowed_skew(to);
    let mut pools = cluster.pools.iter().filter(|pool| !pool.is_managed_by_azure());
    to.is_some_and(|to| pools.any(|pool| is_behind(pool, to.minor())))
}

/// What forbids sending the step (again) right now.
fn holds_back(view: &View<'_>, operation: &Operation, step: &Step) -> Option<WaitingOn> {
    let trouble = standing::trouble(operation, step);
    // A rollback undoes what has begun: it is no new step.
    if view.request.suspend && !step.is_rollback() && !planted(PlantedBug::IgnoreSuspend) {
        // It is not sent either when there is room, or when its time has come. But who suspends an upgrade
        // still has to know what a person must do about it.
        let for_a_person = trouble.filter(|trouble| trouble.stance() == Stance::Stopped);
        let is_over = view.seen.budgets_allow == Some(true);
        return Some(for_a_person.filter(|_| !is_over).unwrap_or(WaitingOn::Suspended));
    }
    standing::limit(operation, step, view.request, view.now)
        .or_else(|| trouble.filter(|_| !is_due(view, operation)))
}

/// What goes wrong and passes by itself is tried again until a deadline. Time in which the step was not sent
/// although it was due, since no window was open, does not count: then it is another one.
fn new_deadline(view: &View<'_>, operation: &Operation) -> Option<Timestamp> {
    let class = operation.failure.as_ref().map(Failure::class);
    let due = operation.not_before.filter(|_| class == Some(FailureClass::Transient))?;
    let was_kept_waiting = view.now > later(due, KEPT_WAITING) && view.now >= operation.deadline;
    was_kept_waiting.then(|| later(view.now, view.request.policy.step_timeout))
}

/// With a bug that is planted, what an intent waits on is not looked at.
fn ignored(stop: Stop) -> Result<(), Stop> {
    if planted(PlantedBug::IgnoreScheduleOfIntent) { Ok(()) } else { Err(stop) }
}

/// Whether what went wrong may be tried again now.
fn is_due(view: &View<'_>, operation: &Operation) -> bool {
    let is_early = operation.not_before.is_some_and(|at| view.now < at);
    let is_blocked =
        operation.failure.as_ref().is_some_and(|failure| failure.class() == FailureClass::Blocked);
    match view.seen.budgets_allow.filter(|_| is_blocked) {
        _ if operation.held => false,
        Some(false) => false,
        // Budgets that allow it and an Azure that refuses it contradict each other: not without a pause.
        Some(true) => {
            let pause = backoff(operation.resubmissions.saturating_sub(1));
            !is_early || view.now >= later(operation.since, pause)
        }
        None => !is_early,
    }
}
