//! The nodes show it: the workloads must be as healthy as before, for the pool's soak.

use std::time::Duration;

use super::{Decision, Operation, Phase, Step, View, WaitingOn, move_on, record, succeeded};
use crate::{
    decide::{control::after_failed_gate, gate},
    instants::later,
    observation::Reading,
    planted::{PlantedBug, planted},
};

pub(super) fn decide(view: &View<'_>, operation: &Operation, step: &Step) -> Decision {
    if let Err(stop) = gate(view) {
        return after_failed_gate(view, step, *stop);
    }
    if step.is_rollback() {
        // Nothing follows that a soak could keep from harm.
        return record(succeeded(view, step));
    }
    let soak = match pool_soak(view, step) {
        Ok(soak) => soak,
        Err(why) => return Decision::Wait(WaitingOn::unreadable(&why)),
    };
    let is_soaking = operation.phase == Phase::Soaking;
    if !is_soaking && !soak.is_zero() && !planted(PlantedBug::SkipSoak) {
        return move_on(view, Phase::Soaking);
    }
    let until = later(operation.since, soak);
    if is_soaking && view.now < until {
        return Decision::Wait(WaitingOn::Soaking(until));
    }
    record(succeeded(view, step))
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
