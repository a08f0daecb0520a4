//! The step in flight: intent, submitted, verifying, gating, soaking; and every way back.

use std::time::Duration;

use jiff::Timestamp;

use super::{Decision, View, gate, record};
use crate::{
    cluster::{Cluster, NodePool, ProvisioningState},
    failure::{Failure, FailureClass},
    gates::{Verdict, judge_nodes},
    ledger::{Ledger, Operation, Phase, StepRecord, StepState},
    step::{Step, StepKind},
    waiting::WaitingOn,
};

/// How long Azure's word may run ahead of the nodes before a person should look.
const VERIFY_LIMIT: Duration = Duration::from_secs(30 * 60);
/// A blocked step is tried again at this pace even if nothing seems to have changed:
/// quota and policy change where we cannot see it.
const BLOCKED_PACE: Duration = Duration::from_secs(30 * 60);
/// Busy clusters and preempted operations are looked at again after this.
const BUSY_PACE: Duration = Duration::from_secs(30);
/// First and largest pause after a failure that passes by itself.
const BACKOFF: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(600));

/// Decides about the step in flight.
pub(super) fn decide(view: &View<'_>, operation: &Operation, current: &StepRecord) -> Decision {
    match operation.phase {
        Phase::Gating | Phase::Soaking => return gating(view, operation, current),
        Phase::Intent | Phase::Submitted | Phase::Verifying => {}
    }
    let cluster = match &view.seen.cluster {
        Ok(cluster) => cluster,
        Err(why) => return Decision::Wait(WaitingOn::AzureUnreadable(why.to_string())),
    };
    let Some(resource) = Resource::of(cluster, &current.step) else {
        let gone = format!("{} no longer exists, and not by this upgrade", current.step.subject());
        return Decision::Wait(WaitingOn::ExternalChange(gone));
    };
    match operation.phase {
        Phase::Intent => intent(view, operation, current, cluster, &resource),
        Phase::Submitted => submitted(view, operation, current, cluster, &resource),
        Phase::Verifying | Phase::Gating | Phase::Soaking => verifying(view, operation, current, &resource),
    }
}

/// The resource that a step changes, as Azure shows it.
struct Resource<'a> {
    state: &'a ProvisioningState,
    /// Shows the target. For versions that is so from the accepting answer on.
    at_target: bool,
    pool: Option<&'a NodePool>,
}

impl<'a> Resource<'a> {
    fn of(cluster: &'a Cluster, step: &Step) -> Option<Self> {
        let pool = match &step.pool {
            None => None,
            Some(name) => Some(cluster.pool(name)?),
        };
        let (state, at_target) = match (step.kind, pool) {
            (StepKind::ControlPlane, _) => {
                (&cluster.provisioning_state, cluster.version.to_string() == step.to)
            }
            (StepKind::NodePoolVersion, pool) => {
                (&pool?.provisioning_state, pool?.version.to_string() == step.to)
            }
            // An image newer than the one planned may have come out meanwhile: any other than before is it.
            (StepKind::NodePoolImage, pool) => (&pool?.provisioning_state, pool?.node_image != step.from),
        };
        Some(Self { state, at_target, pool })
    }

    fn is_done(&self) -> bool {
        self.at_target && *self.state == ProvisioningState::Succeeded
    }

    /// Whether what runs is what we wanted: then it is ours, or as good as ours.
    fn is_moving_to_target(&self, step: &Step) -> bool {
        self.state.is_busy() && (self.at_target || step.kind == StepKind::NodePoolImage)
    }
}

/// Intent is recorded. Azure may or may not have been called: read first, then adopt or submit.
fn intent(
    view: &View<'_>,
    operation: &Operation,
    current: &StepRecord,
    cluster: &Cluster,
    resource: &Resource<'_>,
) -> Decision {
    if resource.is_moving_to_target(&current.step) {
        return move_on(view, Phase::Submitted);
    }
    if let Some(busy) = cluster.busy_with() {
        return Decision::Wait(WaitingOn::ClusterBusy(busy));
    }
    if resource.is_done() {
        return move_on(view, Phase::Verifying);
    }
    if let Some(waiting) = holds_back(view, operation, current) {
        return Decision::Wait(waiting);
    }
    Decision::Submit(current.step.clone())
}

/// What forbids sending the step (again) right now.
fn holds_back(view: &View<'_>, operation: &Operation, current: &StepRecord) -> Option<WaitingOn> {
    let step = current.step.clone();
    if let Some(failure) = operation.failure.clone() {
        if operation.held {
            return Some(WaitingOn::OperationFailed { step, failure });
        }
        let early = operation.not_before.is_some_and(|at| view.now < at);
        match (failure.class(), view.seen.budgets_allow) {
            (FailureClass::Blocked, Some(true)) => {}
            (FailureClass::Blocked, Some(false)) => return Some(blocked(step, failure)),
            (FailureClass::Blocked, None) if early => return Some(blocked(step, failure)),
            (_, _) if early => {
                let at = operation.not_before.unwrap_or(view.now);
                return Some(WaitingOn::Retry { step, failure, at });
            }
            (_, _) => {}
        }
    }
    view.request.suspend.then_some(WaitingOn::Suspended)
}

fn blocked(step: Step, failure: Failure) -> WaitingOn {
    let blockers = failure.blockers();
    WaitingOn::Blocked { step, failure, blockers }
}

/// Azure works on it.
fn submitted(
    view: &View<'_>,
    operation: &Operation,
    current: &StepRecord,
    cluster: &Cluster,
    resource: &Resource<'_>,
) -> Decision {
    if cluster.busy_with().is_some() {
        return Decision::Wait(if view.now < operation.deadline {
            WaitingOn::Operation(current.step.clone())
        } else {
            WaitingOn::StepTimeout(current.step.clone())
        });
    }
    if resource.is_done() {
        return move_on(view, Phase::Verifying);
    }
    match (&view.seen.operation, &operation.async_operation) {
        (Some(report), _) => match &report.failure {
            Some(failure) => record(refused(view.ledger, failure, None, view)),
            None => record(refused(view.ledger, &unexplained(resource.state), None, view)),
        },
        (None, Some(url)) => Decision::ReadOperation(url.clone()),
        (None, None) => record(refused(view.ledger, &unexplained(resource.state), None, view)),
    }
}

/// The resource is idle and not where it should be, and Azure gives no reason.
fn unexplained(state: &ProvisioningState) -> Failure {
    let (code, message) = match state {
        // Another operation took its place and ended well: ours is sent again.
        ProvisioningState::Succeeded => {
            ("OperationPreempted", "the operation ended without effect, probably preempted by another")
        }
        ProvisioningState::Canceled => ("OperationCanceled", "the operation was aborted by somebody"),
        ProvisioningState::Failed | ProvisioningState::Busy(_) => {
            ("UpgradeFailed", "the operation failed, and Azure gives no reason any more")
        }
    };
    Failure::new(None, Some(code), None, message)
}

/// Azure says done: the nodes, or the API server, must show it.
fn verifying(
    view: &View<'_>,
    operation: &Operation,
    current: &StepRecord,
    resource: &Resource<'_>,
) -> Decision {
    let step = &current.step;
    if !resource.is_done() {
        // Somebody moved it again after it was done; what runs now is read like a fresh intent.
        return move_on(view, Phase::Intent);
    }
    let verdict = match (resource.pool, &view.seen.nodes) {
        (Some(pool), Ok(nodes)) => judge_nodes(step, &pool.node_image, pool.count, nodes),
        (Some(_), Err(why)) => Verdict::Inconclusive(why.to_string()),
        (None, _) => server_shows(step, view),
    };
    let problems = match verdict {
        Verdict::Pass => return move_on(view, Phase::Gating),
        Verdict::Fail(problems) => problems,
        Verdict::Inconclusive(why) => vec![why],
    };
    let overdue = view.now >= operation.since + VERIFY_LIMIT;
    Decision::Wait(WaitingOn::Nodes { step: step.clone(), problems, overdue })
}

fn server_shows(step: &Step, view: &View<'_>) -> Verdict {
    let wanted = step.to.parse::<crate::KubernetesVersion>().map(|version| version.minor());
    match (&view.seen.server, wanted) {
        (Ok(shown), Ok(wanted)) if *shown == wanted => Verdict::Pass,
        (Ok(shown), _) => Verdict::Fail(vec![format!("the API server says it is {shown}")]),
        (Err(why), _) => Verdict::Inconclusive(why.to_string()),
    }
}

/// The nodes show it: the workloads must be as healthy as before, for the pool's soak.
fn gating(view: &View<'_>, operation: &Operation, current: &StepRecord) -> Decision {
    if let Err(stop) = gate(view) {
        return *stop;
    }
    let soak = pool_soak(view, &current.step);
    match operation.phase {
        Phase::Gating if !soak.is_zero() => move_on(view, Phase::Soaking),
        Phase::Soaking if view.now < operation.since + soak => {
            Decision::Wait(WaitingOn::Soaking(operation.since + soak))
        }
        Phase::Intent | Phase::Submitted | Phase::Verifying | Phase::Gating | Phase::Soaking => {
            record(succeeded(view, &current.step))
        }
    }
}

fn pool_soak(view: &View<'_>, step: &Step) -> Duration {
    let pool = step.pool.as_ref().and_then(|name| view.seen.cluster.as_ref().ok()?.pool(name));
    pool.map_or(Duration::ZERO, |pool| view.request.policy.pool_soak(pool))
}

fn move_on(view: &View<'_>, phase: Phase) -> Decision {
    let mut ledger = view.ledger.clone();
    if let Some(operation) = &mut ledger.operation {
        operation.phase = phase;
        operation.since = view.now;
        operation.held = false;
        if phase == Phase::Submitted {
            operation.submitted_at = operation.submitted_at.or(Some(view.now));
        } else {
            operation.not_before = None;
            operation.failure = None;
        }
        if phase == Phase::Intent {
            operation.async_operation = None;
            operation.submitted_at = None;
        }
    }
    set_state(&mut ledger, StepState::Running);
    record(ledger)
}

fn succeeded(view: &View<'_>, step: &Step) -> Ledger {
    let mut ledger = view.ledger.clone();
    set_state(&mut ledger, StepState::Succeeded);
    let id = ledger.operation.take().map(|operation| operation.step_id);
    if let Some(record) = ledger.steps.iter_mut().find(|record| Some(&record.id) == id.as_ref()) {
        record.finished_at = Some(view.now);
    }
    if let (Some(expected), Ok(version)) = (&mut ledger.expected, step.to.parse()) {
        match (&step.pool, step.kind) {
            (None, _) => expected.control_plane = version,
            (Some(pool), StepKind::NodePoolVersion) => {
                expected.pools.insert(pool.clone(), version);
            }
            (Some(_), StepKind::ControlPlane | StepKind::NodePoolImage) => {}
        }
    }
    ledger
}

fn set_state(ledger: &mut Ledger, state: StepState) {
    let Some(operation) = &ledger.operation else { return };
    if let Some(record) = ledger.steps.iter_mut().find(|record| record.id == operation.step_id) {
        record.state = state;
        record.attempts = operation.attempt;
    }
}

/// The record after Azure has accepted the step in flight.
#[must_use]
pub fn accepted(ledger: &Ledger, async_operation: Option<String>, now: Timestamp) -> Ledger {
    let mut ledger = ledger.clone();
    if let Some(operation) = &mut ledger.operation {
        operation.phase = Phase::Submitted;
        operation.submitted_at = Some(now);
        operation.async_operation = async_operation;
        operation.not_before = None;
        operation.failure = None;
        operation.since = now;
    }
    ledger
}

/// The record after Azure has refused or failed the step in flight.
///
/// `retry_after` is what Azure asked for. The class of the failure decides whether and
/// when it is sent again, and whether that counts as an attempt.
#[must_use]
pub fn refused(ledger: &Ledger, failure: &Failure, retry_after: Option<Duration>, view: &View<'_>) -> Ledger {
    let (mut ledger, now, policy) = (ledger.clone(), view.now, &view.request.policy);
    let Some(operation) = &mut ledger.operation else { return ledger };
    let retries = i32::try_from(policy.retries).unwrap_or(i32::MAX);
    let pause = backoff(operation.resubmissions).max(retry_after.unwrap_or_default());
    let (pause, counts) = match failure.class() {
        FailureClass::Transient if now >= operation.deadline => (None, false),
        FailureClass::Transient => (Some(pause), false),
        FailureClass::Busy => (Some(BUSY_PACE.max(retry_after.unwrap_or_default())), false),
        FailureClass::Blocked => (Some(BLOCKED_PACE), false),
        FailureClass::Failed if operation.attempt <= retries => (Some(pause), true),
        FailureClass::Failed | FailureClass::Bug => (None, false),
    };
    operation.phase = Phase::Intent;
    operation.since = now;
    operation.submitted_at = None;
    operation.async_operation = None;
    operation.failure = Some(failure.clone());
    operation.held = pause.is_none();
    operation.not_before = pause.map(|pause| now + pause);
    operation.resubmissions = operation.resubmissions.saturating_add(1).min(1000);
    if counts {
        operation.attempt += 1;
        operation.deadline = now + policy.step_timeout;
    }
    let state = if operation.held { StepState::Failed } else { StepState::Running };
    set_state(&mut ledger, state);
    ledger
}

/// Doubles from the first pause to the largest. Without jitter: attempts of different
/// clusters are spread by their own timing, and each cluster has one in flight.
fn backoff(resubmissions: i32) -> Duration {
    let (first, largest) = BACKOFF;
    let doublings = u32::try_from(resubmissions).unwrap_or(0).min(16);
    first.saturating_mul(1 << doublings).min(largest)
}
