//! The step in flight: intent, submitted, verifying, gating, soaking; and every way back.

use std::time::Duration;

use jiff::Timestamp;

use super::{
    Decision, EXTERNAL_ADVICE, Request, View,
    answer::{ABORTED, backoff, deadline_of_accepted, end_hold, is_repair, refused, repaired, set_state},
    gate, overrides, record,
};
use crate::{
    cluster::{Cluster, NodePool, ProvisioningState},
    failure::{Failure, FailureClass},
    gates::{Verdict, judge_nodes},
    ledger::{Ledger, Operation, Phase, StepRecord, StepState},
    observation::{HeldBack, Reading, ServerVersion},
    planted::{PlantedBug, planted},
    step::{Step, StepKind},
    waiting::WaitingOn,
};

/// How long Azure's word may run ahead of the nodes before a person should look.
const VERIFY_LIMIT: Duration = Duration::from_secs(30 * 60);

/// Azure forgets operations, and tells nothing of them to who may not read them.
const NO_REASON: &str = "the operation failed, and Azure gives no reason: it has forgotten it, or the \
    identity lacks Microsoft.ContainerService/locations/operations/read on the subscription";

/// Decides about the step in flight.
pub(super) fn decide(view: &View<'_>, operation: &Operation, current: &StepRecord) -> Decision {
    match operation.phase {
        // Azure is done: whatever is waited for now, it is waited for with the pool's own settings.
        Phase::Gating | Phase::Soaking => {
            return overrides::restoring(view).unwrap_or_else(|| gating(view, operation, current));
        }
        Phase::Intent | Phase::Submitted | Phase::Verifying => {}
    }
    let cluster = match &view.seen.cluster {
        Ok(cluster) => cluster,
        Err(why) => return Decision::Wait(WaitingOn::unreadable(why)),
    };
    let Some(resource) = Resource::of(cluster, &current.step) else {
        let change = changed(view, &format!("{} no longer exists", current.step.subject()));
        return overrides::not_while_stopped(view, cluster, change);
    };
    match operation.phase {
        Phase::Intent => {
            overrides::not_while_stopped(view, cluster, intent(view, operation, current, cluster, &resource))
        }
        Phase::Submitted => submitted(view, operation, current, cluster, &resource),
        Phase::Verifying | Phase::Gating | Phase::Soaking => verifying(view, operation, current, &resource),
    }
}

/// The step in flight lost its ground: a person decides. After `retry`, which forgets the versions
/// to account for, the step is dropped and everything is planned anew.
fn changed(view: &View<'_>, what: &str) -> Decision {
    if view.ledger.expected.is_some() {
        let change = format!("{what}, and not by this upgrade: {EXTERNAL_ADVICE}");
        return Decision::Wait(WaitingOn::ExternalChange(change));
    }
    let mut ledger = view.ledger.clone();
    set_state(&mut ledger, StepState::Planned);
    ledger.operation = None;
    record(ledger)
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
        match (step.kind, self.state) {
            // The image stays old until it is done; the word is all there is: `UpgradingNodeImageVersion`.
            (StepKind::NodePoolImage, ProvisioningState::Busy(word)) => {
                self.at_target || word.starts_with("Upgrading")
            }
            (StepKind::ControlPlane | StepKind::NodePoolVersion, ProvisioningState::Busy(_)) => {
                self.at_target
            }
            (_, ProvisioningState::Succeeded | ProvisioningState::Failed | ProvisioningState::Canceled) => {
                false
            }
        }
    }

    /// The version, when it is neither the one before the step nor the one after it.
    fn elsewhere(&self, cluster: &Cluster, step: &Step) -> Option<String> {
        let shown = match step.kind {
            StepKind::ControlPlane => cluster.version.to_string(),
            StepKind::NodePoolVersion => self.pool?.version.to_string(),
            StepKind::NodePoolImage => return None,
        };
        (shown != step.from && shown != step.to).then_some(shown)
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
    if planted(PlantedBug::AdoptAnything) && cluster.busy_with().is_some() {
        return move_on(view, Phase::Submitted);
    }
    if let Some(busy) = cluster.busy_with().filter(|_| !planted(PlantedBug::SendWhileBusy)) {
        let waiting = overrides::changing(view.ledger, cluster).unwrap_or(WaitingOn::ClusterBusy(busy));
        return Decision::Wait(waiting);
    }
    if let Some(version) = resource.elsewhere(cluster, &current.step) {
        let Step { from, .. } = &current.step;
        return changed(view, &format!("{} went from {from} to {version}", current.step.subject()));
    }
    if resource.is_done() && !is_repair(operation) && !planted(PlantedBug::SendWhatIsDone) {
        return move_on(view, Phase::Verifying);
    }
    if let Some(waiting) = holds_back(view, operation, current) {
        return Decision::Wait(waiting);
    }
    // An intent may have waited for hours: what was healthy when it was recorded counts no more.
    if !goes_on_regardless(operation)
        && !planted(PlantedBug::SkipGateOfIntent)
        && let Err(stop) = gate(view)
    {
        return *stop;
    }
    overrides::submit(view, cluster, &current.step)
}

/// A step that was half done when its drain was blocked, or that a person has asked to repair, is
/// what the workloads wait for.
fn goes_on_regardless(operation: &Operation) -> bool {
    let blocked = operation.failure.as_ref().is_some_and(|failure| failure.class() == FailureClass::Blocked);
    blocked || is_repair(operation)
}

/// What forbids sending the step (again) right now.
fn holds_back(view: &View<'_>, operation: &Operation, current: &StepRecord) -> Option<WaitingOn> {
    let step = current.step.clone();
    // With suspend set it is not sent either when there is room.
    let held = waits_for_limit(operation, &step, view.request, view.now).filter(|_| !view.request.suspend);
    if held.is_some() {
        return held;
    }
    if let Some(failure) = operation.failure.clone() {
        if operation.held {
            return Some(WaitingOn::OperationFailed { step, failure });
        }
        let early = operation.not_before.is_some_and(|at| view.now < at);
        match (failure.class(), view.seen.budgets_allow) {
            (FailureClass::Blocked, Some(true))
                if view.now >= operation.since + backoff(operation.resubmissions - 1) => {}
            (FailureClass::Blocked, Some(true)) if early => return Some(blocked(step, failure)),
            (FailureClass::Blocked, Some(false)) => return Some(blocked(step, failure)),
            (FailureClass::Blocked, None) if early => return Some(blocked(step, failure)),
            (_, _) if early => {
                let at = operation.not_before.unwrap_or(view.now);
                return Some(WaitingOn::Retry { step, failure, at });
            }
            (_, _) => {}
        }
    }
    (view.request.suspend && !planted(PlantedBug::IgnoreSuspend)).then_some(WaitingOn::Suspended)
}

/// What the step waits on while our share of one of Azure's limits is used up.
pub(crate) fn waits_for_limit(
    operation: &Operation,
    step: &Step,
    request: &Request,
    now: Timestamp,
) -> Option<WaitingOn> {
    let (hold, until) = (operation.hold.as_ref()?, operation.not_before.filter(|at| now < *at)?);
    let held = HeldBack { why: hold.why.clone(), until };
    let overdue = now >= hold.since + request.policy.step_timeout;
    Some(WaitingOn::HeldBack { step: Some(step.clone()), held, overdue })
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
        return Decision::Wait(if view.now < operation.deadline || planted(PlantedBug::ForgetDeadline) {
            WaitingOn::Operation(current.step.clone())
        } else {
            WaitingOn::StepTimeout(current.step.clone())
        });
    }
    if resource.is_done() {
        return move_on(view, Phase::Verifying);
    }
    if planted(PlantedBug::PreemptedIsDone) && *resource.state == ProvisioningState::Succeeded {
        return record(succeeded(view, &current.step));
    }
    if *resource.state == ProvisioningState::Canceled {
        return record(refused(view.ledger, &unexplained(resource.state), None, view));
    }
    match (&view.seen.operation, &operation.azure_operation) {
        (Some(report), _) if report.running => Decision::Wait(WaitingOn::Operation(current.step.clone())),
        (Some(report), _) => match &report.failure {
            Some(failure) => record(refused(view.ledger, failure, None, view)),
            None => record(refused(view.ledger, &unexplained(resource.state), None, view)),
        },
        (None, Some(name)) => Decision::ReadOperation(name.clone()),
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
        ProvisioningState::Canceled => (ABORTED, "the operation was aborted by somebody"),
        ProvisioningState::Failed | ProvisioningState::Busy(_) => ("UpgradeFailed", NO_REASON),
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
    if planted(PlantedBug::TrustAzure) {
        return move_on(view, Phase::Gating);
    }
    let unread = match resource.pool {
        Some(_) => view.seen.nodes.as_ref().err(),
        None => view.seen.server.as_ref().err(),
    };
    // A cluster that cannot be reached has not failed, however long that takes.
    if let Some(why) = unread {
        return Decision::Wait(WaitingOn::inconclusive(why));
    }
    let verdict = match (resource.pool, &view.seen.nodes) {
        (Some(pool), Ok(nodes)) => judge_nodes(step, &pool.node_image, pool.count, nodes),
        (Some(_), Err(why)) => Verdict::Inconclusive(why.to_string()),
        (None, _) => server_shows(step, view),
    };
    let problems = match verdict {
        Verdict::Pass => return move_on(view, Phase::Gating),
        Verdict::Fail(_) if is_repair(operation) => return record(repaired(view)),
        Verdict::Fail(problems) => problems,
        Verdict::Inconclusive(why) => return Decision::Wait(WaitingOn::GateInconclusive(why)),
    };
    let overdue = view.now >= operation.since + VERIFY_LIMIT;
    Decision::Wait(WaitingOn::Nodes { step: step.clone(), problems, overdue })
}

fn server_shows(step: &Step, view: &View<'_>) -> Verdict {
    let wanted = step.to.parse::<crate::KubernetesVersion>().map(|version| version.minor());
    match (&view.seen.server, wanted) {
        // A patch shows in the build only. Any other than the old one will do: what is served counts.
        (Ok(ServerVersion { build: Some(build), .. }), _) if build.to_string() == step.from => {
            Verdict::Fail(vec![format!("the API server says it is still {build}")])
        }
        (Ok(shown), Ok(wanted)) if shown.minor == wanted => Verdict::Pass,
        (Ok(shown), _) => Verdict::Fail(vec![format!("the API server says it is {}", shown.minor)]),
        (Err(why), _) => Verdict::Inconclusive(why.to_string()),
    }
}

/// The nodes show it: the workloads must be as healthy as before, for the pool's soak.
fn gating(view: &View<'_>, operation: &Operation, current: &StepRecord) -> Decision {
    if let Err(stop) = gate(view) {
        return *stop;
    }
    let soak = match pool_soak(view, &current.step) {
        Ok(soak) => soak,
        Err(why) => return Decision::Wait(WaitingOn::unreadable(&why)),
    };
    match operation.phase {
        Phase::Gating if !soak.is_zero() && !planted(PlantedBug::SkipSoak) => move_on(view, Phase::Soaking),
        Phase::Soaking if view.now < operation.since + soak => {
            Decision::Wait(WaitingOn::Soaking(operation.since + soak))
        }
        Phase::Intent | Phase::Submitted | Phase::Verifying | Phase::Gating | Phase::Soaking => {
            record(succeeded(view, &current.step))
        }
    }
}

/// How long gates stay watched after the step. Told by the pool, so it must be readable.
fn pool_soak(view: &View<'_>, step: &Step) -> Reading<Duration> {
    let policy = &view.request.policy;
    let Some(name) = &step.pool else { return Ok(Duration::ZERO) };
    if planted(PlantedBug::SkipPoolSoak) {
        return Ok(Duration::ZERO);
    }
    if policy.order.iter().all(|rule| rule.soak.is_zero()) {
        return Ok(Duration::ZERO);
    }
    match &view.seen.cluster {
        Ok(cluster) => Ok(cluster.pool(name).map_or(Duration::ZERO, |pool| policy.pool_soak(pool))),
        Err(why) => Err(why.clone()),
    }
}

fn move_on(view: &View<'_>, phase: Phase) -> Decision {
    let mut ledger = view.ledger.clone();
    if let Some(operation) = &mut ledger.operation {
        end_hold(operation, view.now);
        operation.phase = phase;
        operation.since = view.now;
        operation.held = false;
        if phase == Phase::Submitted {
            operation.submitted_at = operation.submitted_at.or(Some(view.now));
            operation.deadline = deadline_of_accepted(operation, view);
        } else {
            // Kept no longer than it is of use.
            operation.azure_operation = None;
        }
        operation.not_before = None;
        operation.failure = None;
        if phase == Phase::Intent {
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
