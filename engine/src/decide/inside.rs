//! Whether what Azure shows is so: nothing is built upon its word alone.
//!
//! Looked at are only things that the next decision rests on: before a hop of the control plane all
//! that takes part in the upgrade, since a write to the cluster takes up what pools have left undone;
//! else the control plane, and pools that no step moves any more; before the end all of it once more.

use super::{Decision, Stop, View, wait};
use crate::{
    cluster::{Cluster, NodePool},
    lag::Lag,
    ledger::{StepRecord, StepState},
    observation::{Look, Unreadable},
    plan::{Plan, PlannedStep, taking_part},
    planted::{PlantedBug, planted},
    step::StepKind,
    target::Target,
    waiting::WaitingOn,
};

/// What to look at before a plan that rests on Azure's word is built upon.
pub(super) fn worth_a_look(view: &View<'_>, cluster: &Cluster, target: &Target, plan: &Plan) -> Look {
    let believes = planted(PlantedBug::TrustAzure) || planted(PlantedBug::BelieveWhatIsShown);
    if target.kubernetes.is_none() || believes {
        return Look::default();
    }
    let hops = plan.steps.iter().any(|planned| planned.step.kind == StepKind::ControlPlane);
    let all = hops || plan.steps.is_empty();
    let moves = |pool: &NodePool| {
        let version = |planned: &&PlannedStep| planned.step.kind == StepKind::NodePoolVersion;
        let mut steps = plan.steps.iter().filter(version);
        steps.any(|planned| planned.step.pool.as_ref() == Some(&pool.name))
    };
    // Its nodes have shown it when its step was done.
    let is_done = |pool: &NodePool| {
        let by = |record: &StepRecord| {
            record.state == StepState::Succeeded
                && record.step.pool.as_ref() == Some(&pool.name)
                && record.step.to == pool.version.to_string()
        };
        view.ledger.steps.iter().any(by)
    };
    let pools = taking_part(cluster, target, &view.request.policy)
        .filter(|_| target.scope.has_pool_versions())
        .filter(|pool| all || !(moves(pool) || is_done(pool)));
    Look { server: true, pools: pools.map(|pool| pool.name.clone()).collect() }
}

/// What runs where that is older than what Azure shows. `Err` is the decision to stop with: to look
/// first, or to wait until somebody can.
pub(super) fn lag(view: &View<'_>, cluster: &Cluster, look: Look) -> Result<Lag, Stop> {
    if look.is_nothing() {
        return Ok(Lag::default());
    }
    match &view.seen.inside {
        Ok(inside) if inside.answers(&look) => {
            Lag::of(cluster, inside).map_err(|why| wait(WaitingOn::GateInconclusive(why)))
        }
        Ok(_) | Err(Unreadable::NotAsked) => Err(Box::new(Decision::Look(look))),
        Err(why) => Err(wait(WaitingOn::inconclusive(why))),
    }
}

/// Whether the step in flight repairs, and is still needed although Azure shows that it is done: it always
/// did. `Err` is the decision to stop with.
pub(super) fn is_needed(view: &View<'_>, cluster: &Cluster) -> Result<bool, Stop> {
    let Some((_, current)) = view.ledger.current().filter(|(_, record)| record.repair) else {
        return Ok(false);
    };
    let pool = current.step.pool.clone();
    let lag = lag(view, cluster, Look { server: pool.is_none(), pools: pool.into_iter().collect() })?;
    Ok(match &current.step.pool {
        None => lag.control_plane.is_some(),
        Some(pool) => lag.pools.contains_key(pool),
    })
}
