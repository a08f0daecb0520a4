//! What may be sent although workloads are broken: what Azure has half done, for that may be what has broken
//! them; and nothing else.

use super::*;
use crate::{
    Failure,
    testing::world::{Answer, World, workload},
};

fn breaks(world: &World, problem: Option<&str>) {
    world.state().workloads = Ok(vec![workload("checkout", problem)]);
}

fn quota() -> Failure {
    failure(Some(400), "QuotaExceeded", "exceeding approved Total Regional Cores quota")
}

fn was_told(world: &World, reason: &str) -> bool {
    world.state().writes.iter().any(|(_, told)| told.as_deref() == Some(reason))
}

#[test]
fn r11_a_step_that_was_refused_before_anything_happened_does_not_go_past_a_failing_gate() {
    let refused = [quota(), failure(Some(403), "RequestDisallowedByPolicy", "disallowed by policy")];
    for refused in refused {
        let world = World::at("1.34.2").answers([Answer::Accept, Answer::Refuse(refused, None)]);
        let request = full("1.34.4");
        world.until_reason(&request, "OperationBlocked");
        breaks(&world, Some("image cannot be pulled"));
        world.until_reason(&request, "GateFailed");
        let again = retried(&request, "now");
        world.until_reason(&again, "GateFailed");
        assert_eq!(world.state().sent.len(), 2, "neither when its time has come nor by retry");
        breaks(&world, None);
        world.finish(&again);
    }
}

#[test]
fn r11_nor_past_one_without_data() {
    let world = World::at("1.34.2").answers([Answer::Accept, Answer::Refuse(quota(), None)]);
    let request = full("1.34.4");
    world.until_reason(&request, "OperationBlocked");
    world.state().workloads = Err(crate::Unreadable::failed("deployments.apps is forbidden"));
    world.until_reason(&request, "GateInconclusive");
    assert_eq!(world.state().sent.len(), 2);
    breaks(&world, None);
    world.finish(&request);
}

#[test]
fn r6_r15_what_is_half_done_goes_on_by_retry_although_that_very_half_has_broken_workloads() {
    for how in [Answer::FailLater(drain_blocked()), Answer::Abort] {
        for (world, request) in [
            (World::at("1.34.2").answers([Answer::Accept, how.clone()]), full("1.34.4")),
            (World::at("1.34.4").answers([how.clone()]), request(Scope::NodeImage, None)),
        ] {
            let before = world.until(&request, |waiting| waiting.stance() == crate::Stance::Stopped);
            let sent = world.state().sent.len();
            breaks(&world, Some("2 of 3 available"));
            world.until(&retried(&request, "go on"), is_operation).unwrap();
            assert_eq!(world.state().sent.len(), sent + 1, "{before:?}");
            assert!(!was_told(&world, "GateFailed"));
        }
    }
}

#[test]
fn r6_what_is_half_done_goes_on_after_azure_has_refused_it_for_a_while() {
    let unavailable = || Answer::Refuse(failure(Some(503), "ServiceUnavailable", "not now"), None);
    for how in [drain_blocked(), timed_out()] {
        let world = World::at("1.34.2").answers([
            Answer::Accept,
            Answer::FailLater(how),
            unavailable(),
            unavailable(),
        ]);
        let request = full("1.34.4");
        world.until(&request, |waiting| waiting.to_string().contains("linux1") && !is_operation(waiting));
        breaks(&world, Some("2 of 3 available"));
        world.state().budgets_allow = Some(true);
        world.until(&request, |_| world.state().sent.len() == 5).unwrap();
        assert!(!was_told(&world, "GateFailed"));
        assert_eq!(world.state().sent[1..], ["pool-linux1-1.34.4"; 4]);
        // Its end is gated like any other.
        world.until_reason(&request, "GateFailed");
        breaks(&world, None);
        world.finish(&request);
    }
}

#[test]
fn r11_what_somebody_else_has_half_done_is_no_reason_to_go_past_a_failing_gate() {
    let world = World::at("1.34.2");
    let request = full("1.34.4");
    // Somebody has upgraded the pool, and failed, between our intent and our look at it.
    world.state().may_act = false;
    world.advance(&request);
    world.state().may_act = true;
    {
        let mut state = world.state();
        state.cluster.version = "1.34.4".parse().unwrap();
        state.cluster.provisioning_state = crate::ProvisioningState::Failed;
    }
    breaks(&world, Some("image cannot be pulled"));
    world.until_reason(&request, "GateFailed");
    assert!(world.state().sent.is_empty());
    breaks(&world, None);
    world.finish(&request);
}
