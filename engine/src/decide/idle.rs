//! Nothing is in flight: what is to be done next, or whether all is done.

use super::{
    Decision, Request, Stop, View,
    external::{external_change, versions_of},
    gate, inquiry, inside, overrides, record,
    steps::{merged_steps, with_intent},
    timing, wait,
};
use crate::{
    cluster::Cluster,
    gates::{LARGEST_BASELINE, take_baseline},
    lag::Lag,
    ledger::{Ledger, StepRecord, StepState},
    observation::{Observation, Unreadable},
    plan::{LeftAlone, Plan, Stays, plan_what_runs},
    planted::{PlantedBug, planted},
    step::{Step, StepKind},
    target::{Target, resolve},
    waiting::WaitingOn,
};

/// How many deviations are recorded, of as many pools.
const DEVIATIONS: usize = 8;

/// Nothing is in flight: plan again, and start the first step if everything allows it.
pub(super) fn idle(view: &View<'_>) -> Result<Decision, Stop> {
    let Observation { cluster, offers, .. } = view.seen;
    let unreadable = |why: &Unreadable| wait(WaitingOn::unreadable(why));
    let cluster = cluster.as_ref().map_err(unreadable)?;
    if let Some(busy) = cluster.busy_with() {
        return Ok(Decision::Wait(WaitingOn::ClusterBusy(busy)));
    }
    offers.as_ref().map_err(unreadable)?;
    let target = resolved_target(view, cluster)?;
    if let Some(change) = external_change(view.ledger, cluster, None) {
        return Ok(Decision::Wait(WaitingOn::ExternalChange(change)));
    }
    // Azure's word tells what is worth looking at, and often that there is nothing to do but to wait.
    let shown = next_plan(view, (cluster, &Lag::default()), &target)?;
    if shown.steps.is_empty() {
        soaking(view)?;
    }
    let lag = inside::lag(view, cluster, inside::worth_a_look(view, cluster, &target, &shown))?;
    let plan = if lag.is_none() { shown } else { next_plan(view, (cluster, &lag), &target)? };
    let Some(next) = plan.steps.first() else {
        awaited(view, cluster, &plan)?;
        return finish(view, &plan);
    };
    if view.ledger.baseline.is_none() {
        return start(view, cluster, &target, &plan);
    }
    Ok(record(with_intent(view, cluster, &plan, &next.step)))
}

/// What is left to do, when it may be begun now.
fn next_plan(view: &View<'_>, known: (&Cluster, &Lag), target: &Target) -> Result<Plan, Stop> {
    let offers = view.seen.offers.as_ref().map_err(|why| wait(WaitingOn::unreadable(why)))?;
    let policy = &view.request.policy;
    let mut plan = plan_what_runs(known, target, policy, offers, view.now)
        .map_err(|refusals| wait(WaitingOn::Refused(refusals)))?;
    plan.steps.retain(|planned| !is_rolled(view.ledger, &planned.step));
    plan.steps.retain(|planned| !is_left_to_the_next(view.ledger, &planned.step));
    if plan.steps.is_empty() {
        return Ok(plan);
    }
    if view.ledger.soak_until.is_some_and(|until| view.now < until) {
        // Whatever has come up, and whenever it may begin: workloads are watched for as long as was asked.
        gate(view)?;
    }
    overrides::check(policy, known.0, &plan).map_err(|problem| wait(WaitingOn::InvalidSpec(problem)))?;
    if view.request.suspend && !planted(PlantedBug::IgnoreSuspend) {
        return Err(wait(WaitingOn::Suspended));
    }
    timing::may_begin(view, known.0, &plan)?;
    gate(view)?;
    Ok(plan)
}

/// An image step of a pool that this upgrade has already rolled: Azure publishes images all the
/// time, and a pool is not rolled again for one that came out meanwhile.
fn is_rolled(ledger: &Ledger, step: &Step) -> bool {
    let is_rolled = step.pool.as_ref().is_some_and(|pool| inquiry::is_rolled(ledger, pool));
    step.kind == StepKind::NodePoolImage && (is_rolled || planted(PlantedBug::LeaveImages))
}

/// An image step that comes up when all was done and workloads are watched: the cluster has given its place in the
/// wave away, and an image that came out, or grew too old, since is for the next rollout. What somebody has broken,
/// or a pool that was made meanwhile, is seen to nevertheless: the upgrade is not done without it.
fn is_left_to_the_next(ledger: &Ledger, step: &Step) -> bool {
    step.kind == StepKind::NodePoolImage && inquiry::leaves_images(ledger)
}

/// The target with its version resolved once, when the upgrade starts.
fn resolved_target(view: &View<'_>, cluster: &Cluster) -> Result<Target, Stop> {
    let Request { scope, kubernetes, node_image, images, max_image_age, .. } = view.request;
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
    Ok(Target {
        scope: *scope,
        kubernetes: version,
        node_image: *node_image,
        images: images.clone(),
        max_image_age: *max_image_age,
    })
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

/// A pool whose image is pinned to one that its region does not have yet. `Err` is the decision to stop with.
fn awaited(view: &View<'_>, cluster: &Cluster, plan: &Plan) -> Result<(), Stop> {
    let (scope, target) = (view.request.scope, view.ledger.target_version.as_ref());
    let gets_a_version = |name: &String| {
        let pool = cluster.pool(name).filter(|_| scope.has_pool_versions());
        pool.is_some_and(|pool| target.is_some_and(|to| pool.version < *to))
    };
    let awaits = |left: &LeftAlone| {
        let Stays::ImageAwaited { pinned } = &left.why else { return None };
        Some((left.pool.clone()?, pinned.clone()))
    };
    let mut all = plan.left_alone.iter().filter_map(awaits);
    match all.find(|(pool, _)| !inquiry::leaves_images(view.ledger) || gets_a_version(pool)) {
        Some((pool, pinned)) => Err(wait(WaitingOn::PinnedImage { pool, pinned })),
        None => Ok(()),
    }
}

/// Pools that have not got the image that is pinned, and never will.
fn deviations(plan: &Plan) -> Vec<String> {
    let deviates = |left: &LeftAlone| {
        let pool = left.pool.as_ref().filter(|_| matches!(left.why, Stays::ImageSuperseded { .. }))?;
        Some(format!("pool {pool}: {}", left.why))
    };
    plan.left_alone.iter().filter_map(deviates).take(DEVIATIONS).collect()
}

/// No step is left: soak, then done.
fn finish(view: &View<'_>, plan: &Plan) -> Result<Decision, Stop> {
    let ledger = view.ledger;
    let done = Ledger {
        finished_at: Some(view.now),
        started_at: ledger.started_at.or(Some(view.now)),
        steps: done_steps(ledger).cloned().collect(),
        deviations: deviations(plan),
        ..ledger.clone()
    };
    if !soaks(view) {
        return Ok(record(done));
    }
    match ledger.soak_until {
        None => {
            Ok(record(Ledger { soak_until: Some(view.now + view.request.policy.soak), ..ledger.clone() }))
        }
        Some(_) => {
            soaking(view)?;
            Ok(record(done))
        }
    }
}

/// The soak after the last step, as far as it goes on. `Err` is the decision to stop with.
fn soaking(view: &View<'_>) -> Result<(), Stop> {
    let Some(until) = view.ledger.soak_until.filter(|_| soaks(view)) else { return Ok(()) };
    gate(view)?;
    if view.now < until && !planted(PlantedBug::SkipSoak) {
        return Err(wait(WaitingOn::Soaking(until)));
    }
    Ok(())
}

/// Whether something was done, after which workloads are to be watched.
fn soaks(view: &View<'_>) -> bool {
    done_steps(view.ledger).next().is_some() && !view.request.policy.soak.is_zero()
}

fn done_steps(ledger: &Ledger) -> impl Iterator<Item = &StepRecord> {
    ledger.steps.iter().filter(|record| record.state == StepState::Succeeded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repair_is_no_renewal_of_the_image() {
        let step = |kind, from: &str, to: &str| Step {
            kind,
            pool: Some("linux1".to_owned()),
            from: from.to_owned(),
            to: to.to_owned(),
        };
        let done = |step: Step, repair| StepRecord {
            id: step.id(),
            step,
            state: StepState::Succeeded,
            started_at: None,
            finished_at: None,
            attempts: 1,
            nodes: 3,
            repair,
        };
        let after = |step, repair| Ledger { steps: vec![done(step, repair)], ..Ledger::default() };
        let image = step(StepKind::NodePoolImage, "old", "new");
        let version = StepKind::NodePoolVersion;
        assert!(is_rolled(&after(step(version, "1.33.8", "1.34.4"), false), &image));
        assert!(!is_rolled(&after(step(version, "1.34.4", "1.34.4"), true), &image));
        assert!(!is_rolled(&after(step(version, "1.33.8", "1.34.4"), true), &image), "the nodes were old");
    }
}
