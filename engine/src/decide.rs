//! The decision about one cluster: at most one action, or what it waits on.
//!
//! Pure and total: the same record, observation and instant give the same decision.
//! Recomputed from observation every time; recorded steps are history, not a script.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::{
    action::Action,
    cluster::{Cluster, NodePool, Power},
    gates::{LARGEST_BASELINE, Verdict, judge_workloads, take_baseline},
    ledger::{Baseline, Expected, Ledger, Operation, Phase, StepRecord, StepState},
    observation::{Observation, Unreadable},
    plan::{Plan, plan},
    planted::{PlantedBug, planted},
    policy::Policy,
    step::{Step, StepKind},
    target::{KubernetesRequest, NodeImagePolicy, Scope, Target, resolve},
    waiting::WaitingOn,
};

mod answer;
mod inquiry;
mod operation;
mod overrides;
mod pause;
mod reopen;
mod standing;

pub use answer::{accepted, answered, not_sent, refused};
pub use inquiry::offers_needed;
pub(crate) use standing::underway;

/// What is wanted of one cluster, validated.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// What is changed.
    pub scope: Scope,
    /// The version wanted; `None` for [`Scope::NodeImage`].
    pub kubernetes: Option<KubernetesRequest>,
    /// What happens to images.
    pub node_image: NodeImagePolicy,
    /// Images younger than this are left alone.
    pub max_image_age: Option<std::time::Duration>,
    /// How it is done.
    pub policy: Policy,
    /// Finish the step in flight, start nothing new.
    pub suspend: bool,
    /// The wave that has not started this cluster yet, if any.
    pub waits_for_wave: Option<String>,
    /// The ClusterUpgrade that works on the same cluster, if any.
    pub other_upgrade: Option<String>,
    /// Value of the annotation `tidegate.dev/retry`.
    pub retry: Option<String>,
    /// The baseline of an earlier upgrade of the cluster that did not come to its end.
    pub baseline: Option<Baseline>,
    /// The upgrade is being deleted: what was changed for a step is put back, nothing else is done.
    pub abandoned: bool,
}

/// Everything that a decision looks at.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// What is wanted.
    pub request: &'a Request,
    /// What is recorded.
    pub ledger: &'a Ledger,
    /// What was seen.
    pub seen: &'a Observation,
    /// The present.
    pub now: Timestamp,
}

/// The one thing to do now.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    /// The record changes to this; then decide again.
    Record(Box<Ledger>),
    /// Send this to Azure; what it is for is recorded.
    Submit(Action),
    /// Read the error of the operation of that name, once; then decide again.
    ReadOperation(String),
    /// Nothing until then.
    Wait(WaitingOn),
    /// All done, nothing ever again.
    Done,
}

/// Decides about one cluster.
#[must_use]
pub fn decide(view: &View<'_>) -> Decision {
    let Request { retry, suspend, waits_for_wave, other_upgrade, .. } = view.request;
    let ledger = view.ledger;
    let is_retried = retry.is_some() && *retry != ledger.retry_token && !planted(PlantedBug::IgnoreRetry);
    if view.request.abandoned && !planted(PlantedBug::IgnoreDeletion) {
        if is_retried && !ledger.restore.is_empty() {
            return record(reopen::reopened(view));
        }
        let left = overrides::restoring(view).filter(|_| !planted(PlantedBug::ForgetRestoreOnDeletion));
        return left.unwrap_or(Decision::Done);
    }
    if ledger.finished_at.is_some() && !planted(PlantedBug::WorkAfterDone) {
        return Decision::Done;
    }
    if is_retried {
        return record(reopen::reopened(view));
    }
    if let Some(ledger) = reopen::accepting_versions(view) {
        return record(ledger);
    }
    if let Some((operation, step)) = ledger.current() {
        return operation::decide(view, operation, step);
    }
    // Whatever else there is to wait for: nothing stays changed meanwhile.
    if let Some(decision) = overrides::restoring(view) {
        return decision;
    }
    if let Some(wave) = waits_for_wave {
        return Decision::Wait(WaitingOn::Wave(wave.clone()));
    }
    if *suspend && !ledger.has_done_all() && !planted(PlantedBug::IgnoreSuspend) {
        return Decision::Wait(WaitingOn::Suspended);
    }
    if let Some(other) = other_upgrade {
        return Decision::Wait(WaitingOn::OtherUpgrade(other.clone()));
    }
    idle(view).unwrap_or_else(|stop| *stop)
}

/// An early decision, so that `?` reads as "stop here with this".
type Stop = Box<Decision>;

fn wait(waiting: WaitingOn) -> Stop {
    Box::new(Decision::Wait(waiting))
}

/// Nothing is in flight: plan again, and start the first step if everything allows it.
fn idle(view: &View<'_>) -> Result<Decision, Stop> {
    let Observation { cluster, offers, .. } = view.seen;
    let unreadable = |why: &Unreadable| wait(WaitingOn::unreadable(why));
    let cluster = cluster.as_ref().map_err(unreadable)?;
    if let Some(busy) = cluster.busy_with() {
        return Ok(Decision::Wait(WaitingOn::ClusterBusy(busy)));
    }
    let offers = offers.as_ref().map_err(unreadable)?;
    let target = resolved_target(view, cluster)?;
    let policy = &view.request.policy;
    if let Some(change) = external_change(view.ledger, cluster) {
        return Ok(Decision::Wait(WaitingOn::ExternalChange(change)));
    }
    let mut plan = plan(cluster, &target, policy, offers, view.now)
        .map_err(|refusals| wait(WaitingOn::Refused(refusals)))?;
    plan.steps.retain(|planned| !is_rolled(view.ledger, &planned.step));
    let Some(next) = plan.steps.first() else { return finish(view) };
    overrides::check(policy, cluster, &plan).map_err(|problem| wait(WaitingOn::InvalidSpec(problem)))?;
    if view.request.suspend && !planted(PlantedBug::IgnoreSuspend) {
        return Ok(Decision::Wait(WaitingOn::Suspended));
    }
    if view.ledger.baseline.is_none() {
        return start(view, cluster, &target, &plan);
    }
    gate(view)?;
    Ok(record(with_intent(view, cluster, &plan, &next.step)))
}

/// An image step of a pool that this upgrade has already rolled: Azure publishes images all the
/// time, and a pool is not rolled again for one that came out meanwhile.
fn is_rolled(ledger: &Ledger, step: &Step) -> bool {
    let is_rolled = step.pool.as_ref().is_some_and(|pool| inquiry::is_rolled(ledger, pool));
    step.kind == StepKind::NodePoolImage && (is_rolled || planted(PlantedBug::LeaveImages))
}

/// The target with its version resolved once, when the upgrade starts.
fn resolved_target(view: &View<'_>, cluster: &Cluster) -> Result<Target, Stop> {
    let Request { scope, kubernetes, node_image, max_image_age, .. } = view.request;
    let version = match (kubernetes, &view.ledger.target_version) {
        (None, _) => None,
        (Some(_), Some(version)) => Some(version.clone()),
        (Some(request), None) => {
            let offers = view.seen.offers.as_ref().map_err(|why| wait(WaitingOn::unreadable(why)))?;
            let version = resolve(request, offers, Some(&cluster.version))
                .map_err(|error| wait(WaitingOn::InvalidSpec(error.to_string())))?;
            let started_at = view.ledger.started_at.or(Some(view.now));
            let ledger = Ledger { target_version: Some(version), started_at, ..view.ledger.clone() };
            return Err(Box::new(record(ledger)));
        }
    };
    Ok(Target { scope: *scope, kubernetes: version, node_image: *node_image, max_image_age: *max_image_age })
}

/// Records what is true before the first step: unhealthy workloads, versions, the plan.
fn start(view: &View<'_>, cluster: &Cluster, target: &Target, plan: &Plan) -> Result<Decision, Stop> {
    let policy = &view.request.policy;
    let workloads = view.seen.workloads.as_ref().map_err(|why| wait(WaitingOn::inconclusive(why)))?;
    // What an earlier upgrade of this cluster broke is not to pass for having been broken before.
    let inherited = view.request.baseline.clone();
    let baseline = inherited.unwrap_or_else(|| take_baseline(workloads, policy, view.now));
    if baseline.unhealthy.len() > LARGEST_BASELINE {
        return Ok(Decision::Wait(WaitingOn::TooManyUnhealthy(baseline.unhealthy.len())));
    }
    let expected = versions_of(cluster, policy);
    Ok(record(Ledger {
        target_version: target.kubernetes.clone(),
        started_at: view.ledger.started_at.or(Some(view.now)),
        steps: merged_steps(view.ledger, plan),
        baseline: Some(baseline),
        expected: Some(expected),
        ..view.ledger.clone()
    }))
}

/// The versions that only this upgrade may move. Azure moves provisioned nodes after the control plane,
/// and stopped pools when somebody starts them.
fn versions_of(cluster: &Cluster, policy: &Policy) -> Expected {
    let ours = |pool: &&NodePool| {
        policy.excluded(pool).is_none() && !pool.is_managed_by_azure() && pool.power == Power::Running
    };
    let pools = cluster.pools.iter().filter(ours);
    Expected {
        control_plane: cluster.version.clone(),
        pools: pools.map(|pool| (pool.name.clone(), pool.version.clone())).collect(),
    }
}

/// What a person does about a change that was not ours.
const EXTERNAL_ADVICE: &str =
    "find out who changed it, then retry (annotation tidegate.dev/retry) to go on from here";

/// What moved although no step of ours moved it.
fn external_change(ledger: &Ledger, cluster: &Cluster) -> Option<String> {
    let expected = ledger.expected.as_ref().filter(|_| !planted(PlantedBug::IgnoreExternalChange))?;
    let advice = EXTERNAL_ADVICE;
    if cluster.version != expected.control_plane {
        let (was, is) = (&expected.control_plane, &cluster.version);
        return Some(format!("the control plane went from {was} to {is}, and not by this upgrade: {advice}"));
    }
    cluster.pools.iter().find_map(|pool| {
        let was = expected.pools.get(&pool.name)?;
        let (name, is) = (&pool.name, &pool.version);
        (was != is).then(|| format!("pool {name} went from {was} to {is}, and not by this upgrade: {advice}"))
    })
}

/// The gate between steps and during soaks. `Err` is the decision to stop with.
fn gate(view: &View<'_>) -> Result<(), Stop> {
    let Some(baseline) = &view.ledger.baseline else { return Ok(()) };
    if let Err(why @ Unreadable::HeldBack(_)) = &view.seen.workloads {
        return Err(wait(WaitingOn::inconclusive(why)));
    }
    let policy = &view.request.policy;
    let failing_since = view.ledger.gates_failing_since;
    match judge_workloads(baseline, &view.seen.workloads, policy) {
        Verdict::Pass if failing_since.is_some() => {
            Err(Box::new(record(Ledger { gates_failing_since: None, ..view.ledger.clone() })))
        }
        Verdict::Pass => Ok(()),
        Verdict::Inconclusive(why) => Err(wait(WaitingOn::GateInconclusive(why))),
        Verdict::Fail(broken) => Err(match failing_since {
            None => Box::new(record(Ledger { gates_failing_since: Some(view.now), ..view.ledger.clone() })),
            Some(since) if view.now < since + policy.progress_deadline => {
                wait(WaitingOn::GateSettling(broken))
            }
            Some(_) => wait(WaitingOn::GateFailed(broken)),
        }),
    }
}

/// No step is left: soak, then done.
fn finish(view: &View<'_>) -> Result<Decision, Stop> {
    let ledger = view.ledger;
    let done = Ledger {
        finished_at: Some(view.now),
        started_at: ledger.started_at.or(Some(view.now)),
        steps: ledger.steps.iter().filter(|record| record.state == StepState::Succeeded).cloned().collect(),
        ..ledger.clone()
    };
    let nothing_was_done = done.steps.is_empty();
    if nothing_was_done || view.request.policy.soak.is_zero() {
        return Ok(record(done));
    }
    match ledger.soak_until {
        None => {
            Ok(record(Ledger { soak_until: Some(view.now + view.request.policy.soak), ..ledger.clone() }))
        }
        Some(until) => {
            gate(view)?;
            if view.now < until && !planted(PlantedBug::SkipSoak) {
                return Ok(Decision::Wait(WaitingOn::Soaking(until)));
            }
            Ok(record(done))
        }
    }
}

/// The intent to do a step, recorded before Azure is called.
fn with_intent(view: &View<'_>, cluster: &Cluster, plan: &Plan, step: &Step) -> Ledger {
    let mut ledger =
        Ledger { steps: merged_steps(view.ledger, plan), soak_until: None, ..view.ledger.clone() };
    // A pool that was made meanwhile is accounted for from its first step on.
    if let (Some(expected), Some(pool)) =
        (&mut ledger.expected, step.pool.as_ref().and_then(|name| cluster.pool(name)))
    {
        expected.pools.entry(pool.name.clone()).or_insert_with(|| pool.version.clone());
    }
    let id = step.id();
    if let Some(record) = ledger.steps.iter_mut().find(|record| record.id == id) {
        record.state = StepState::Running;
        record.started_at = Some(view.now);
        record.attempts = 1;
    }
    ledger.operation = Some(Operation {
        step_id: id,
        phase: Phase::Intent,
        attempt: 1,
        intent_at: view.now,
        claims: 0,
        submitted_at: None,
        deadline: view.now + view.request.policy.step_timeout,
        azure_operation: None,
        not_before: None,
        resubmissions: 0,
        failure: None,
        hold: None,
        held: false,
        repair: false,
        since: view.now,
    });
    if !planted(PlantedBug::OverrideUnrecorded) {
        ledger.restore = overrides::planned(view, cluster, step);
    }
    ledger
}

/// The steps that are done as they went, then those of the present plan.
fn merged_steps(ledger: &Ledger, plan: &Plan) -> Vec<StepRecord> {
    let kept =
        |record: &&StepRecord| record.state == StepState::Succeeded || planted(PlantedBug::KeepOldPlans);
    let mut steps: Vec<StepRecord> = ledger.steps.iter().filter(kept).cloned().collect();
    let mut taken: BTreeMap<String, u32> = BTreeMap::new();
    for record in &steps {
        *taken.entry(record.id.clone()).or_default() += 1;
    }
    steps.extend(plan.steps.iter().map(|planned| StepRecord {
        id: planned.step.id(),
        step: planned.step.clone(),
        state: StepState::Planned,
        started_at: None,
        finished_at: None,
        attempts: 0,
        nodes: planned.nodes,
    }));
    // A step that is needed a second time (somebody rolled a pool back) replaces its first record.
    let again: Vec<String> =
        plan.steps.iter().map(|planned| planned.step.id()).filter(|id| taken.contains_key(id)).collect();
    steps.retain(|record| record.state == StepState::Planned || !again.contains(&record.id));
    steps
}

fn record(ledger: Ledger) -> Decision {
    Decision::Record(Box::new(ledger))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::cluster;

    #[test]
    fn versions_that_azure_moves_by_itself_are_not_accounted_for() {
        let mut cluster = cluster("1.34.4");
        cluster.pools[0].mode = "Machines".to_owned();
        cluster.pools[1].power = Power::Stopped;
        let expected = versions_of(&cluster, &Policy::default());
        assert_eq!(expected.pools.keys().collect::<Vec<_>>(), ["system", "win1"]);
    }

    #[test]
    fn a_repair_is_no_renewal_of_the_image() {
        let step = |kind, from: &str, to: &str| Step {
            kind,
            pool: Some("linux1".to_owned()),
            from: from.to_owned(),
            to: to.to_owned(),
        };
        let done = |step: Step| StepRecord {
            id: step.id(),
            step,
            state: StepState::Succeeded,
            started_at: None,
            finished_at: None,
            attempts: 1,
            nodes: 3,
        };
        let after = |step| Ledger { steps: vec![done(step)], ..Ledger::default() };
        let image = step(StepKind::NodePoolImage, "old", "new");
        let version = StepKind::NodePoolVersion;
        assert!(is_rolled(&after(step(version, "1.33.8", "1.34.4")), &image));
        assert!(!is_rolled(&after(step(version, "1.34.4", "1.34.4")), &image));
    }
}
