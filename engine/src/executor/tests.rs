//! Upgrades of one cluster in a small world, told as stories. Tests that carry the name of an
//! invariant of the architecture check it; others show a way through the state machine.

use std::time::Duration;

use crate::{
    Failure, NodeImagePolicy, Policy, Request, Scope, StepState, WaitingOn,
    policy::{OrderRule, PoolMatch},
    testing::request,
};

mod bounds;
mod busy;
mod changes;
mod clock;
mod control;
mod crashes;
mod failures;
mod gates;
mod gone;
mod half_done;
mod inside;
mod limits;
mod pins;
mod plans;
mod reads;
mod repairs;
mod rollbacks;
mod settings;
mod size;
mod soaks;
mod standing;
mod storms;
mod unjudged;
mod way;
mod windows;

const MINUTE: Duration = Duration::from_secs(60);

fn full(to: &str) -> Request {
    request(Scope::Full, Some(to))
}

fn control_plane(to: &str) -> Request {
    request(Scope::ControlPlane, Some(to))
}

fn retried(request: &Request, token: &str) -> Request {
    Request { retry: Some(token.to_owned()), ..request.clone() }
}

fn pool_soak(name: &str, soak: Duration) -> Vec<OrderRule> {
    let matches = PoolMatch { names: vec![name.to_owned()], ..PoolMatch::default() };
    vec![OrderRule { matches, soak, ..OrderRule::default() }]
}

fn is_operation(waiting: &WaitingOn) -> bool {
    matches!(waiting, WaitingOn::Operation(_))
}

fn failure(status: Option<u16>, code: &str, message: &str) -> Failure {
    Failure::new(status, Some(code), None, message)
}

fn drain_blocked() -> Failure {
    failure(
        None,
        "UnsatisfiablePDB",
        "1 error occurred: Unsatisfiable PDB: PDB shop/checkout-pdb has minAvailable 3",
    )
}

fn timed_out() -> Failure {
    failure(None, "UpgradeFailed", "Drain node aks-linux1-0 failed: timed out after 30 minutes")
}

fn state_of(world: &crate::testing::world::World, id: &str) -> StepState {
    let state = world.state();
    state.stored.steps.iter().find(|record| record.id == id).expect("the step is recorded").state
}
