//! Workloads before, between and after steps; soaks.

use super::*;
use crate::{
    Stance, Unreadable,
    testing::world::{OPERATION, World, workload},
};

fn breaks(world: &World, problem: Option<&str>) {
    world.state().workloads = Ok(vec![workload("checkout", problem)]);
}

#[test]
fn r11_a_gate_without_data_is_never_a_pass() {
    let denied = || Err(Unreadable::failed("deployments.apps is forbidden"));
    let world = World::at("1.34.2");
    let request = full("1.34.4");
    world.state().workloads = denied();
    for _ in 0..5 {
        let waiting = world.advance(&request).unwrap().waiting.unwrap();
        assert_eq!((waiting.reason(), waiting.stance()), ("GateInconclusive", Stance::Working));
        world.pass(60 * MINUTE);
    }
    assert!(world.state().sent.is_empty(), "no baseline, no step");
    breaks(&world, None);
    world.until(&request, is_operation);
    world.state().workloads = denied();
    world.until_reason(&request, "GateInconclusive");
    world.pass(600 * MINUTE);
    world.until_reason(&request, "GateInconclusive");
    assert_eq!(world.state().sent.len(), 1, "nor between steps");
    breaks(&world, None);
    world.finish(&request);
}

#[test]
fn a_gate_that_settles_goes_on() {
    let world = World::at("1.34.2");
    let request = full("1.34.4");
    world.until(&request, is_operation);
    breaks(&world, Some("1 of 3 available"));
    let waiting = world.until_reason(&request, "Verifying");
    assert!(waiting.to_string().contains("Deployment shop/checkout"), "{waiting}");
    world.pass(5 * MINUTE);
    assert_eq!(world.advance(&request).unwrap().waiting.unwrap().reason(), "Verifying");
    breaks(&world, None);
    world.finish(&request);
    assert_eq!(world.state().stored.gates_failing_since, None);
}

#[test]
fn a_gate_that_fails_stops_and_goes_on_when_it_recovers() {
    let world = World::at("1.34.2");
    let request = full("1.34.4");
    world.until(&request, is_operation);
    breaks(&world, Some("image cannot be pulled"));
    let waiting = world.until_reason(&request, "GateFailed");
    assert_eq!(waiting.stance(), Stance::Stopped);
    assert!(waiting.to_string().contains("shop/checkout: image cannot be pulled"), "{waiting}");
    world.pass(600 * MINUTE);
    assert_eq!(world.advance(&request).unwrap().waiting.unwrap().reason(), "GateFailed");
    assert_eq!(world.state().sent.len(), 1, "nothing starts meanwhile");
    breaks(&world, None);
    world.finish(&request);
}

#[test]
fn a_gate_that_recovers_in_between_starts_counting_anew() {
    let world = World::at("1.34.2");
    let request = full("1.34.4");
    world.until(&request, is_operation);
    for _ in 0..4 {
        breaks(&world, Some("0 of 3 available"));
        world.until_reason(&request, "Verifying");
        world.pass(8 * MINUTE);
        assert_eq!(world.advance(&request).unwrap().waiting.unwrap().reason(), "Verifying");
        breaks(&world, None);
        world.advance(&request);
        world.pass(OPERATION);
    }
}

#[test]
fn what_was_broken_before_is_not_blamed() {
    let world = World::at("1.34.2");
    breaks(&world, Some("0 of 1 available"));
    let ledger = world.finish(&full("1.34.4"));
    assert_eq!(ledger.baseline.unwrap().unhealthy, ["Deployment shop/checkout"]);
}

#[test]
fn r11_a_baseline_that_says_nothing_is_refused() {
    let world = World::at("1.34.2");
    let broken = (0..101).map(|number| workload(&format!("w{number}"), Some("0 of 1 available")));
    world.state().workloads = Ok(broken.collect());
    let waiting = world.until_reason(&full("1.34.4"), "PreflightBlocked");
    assert!(waiting.to_string().contains("excludeNamespaces") && !waiting.to_string().contains("101"));
}

#[test]
fn a_pool_soaks_before_the_next_one_starts() {
    let world = World::at("1.34.2");
    let mut request = full("1.34.4");
    request.policy.order = pool_soak("linux1", 30 * MINUTE);
    let waiting = world.until_reason(&request, "Soaking");
    assert_eq!(waiting.stance(), Stance::Parked);
    let began = world.state().now;
    assert_eq!(world.state().sent.len(), 2);
    world.until(&request, |waiting| waiting.to_string().contains("pool linux2"));
    let paused = world.state().now.duration_since(began);
    assert_eq!(paused.as_mins(), 30);
    world.finish(&request);
}

#[test]
fn a_soak_is_not_cut_short_when_azure_cannot_be_read() {
    let world = World::at("1.34.2");
    let mut request = full("1.34.4");
    request.policy.order = pool_soak("linux1", 30 * MINUTE);
    world.until_reason(&request, "Soaking");
    world.state().azure = Err(Unreadable::failed("503"));
    assert_eq!(world.advance(&request).unwrap().waiting.unwrap().reason(), "AzureUnreachable");
    assert_eq!(state_of(&world, "pool-linux1-1.34.4"), StepState::Running);
    world.state().azure = Ok(());
    assert_eq!(world.advance(&request).unwrap().waiting.unwrap().reason(), "Soaking");
}

#[test]
fn gates_stay_watched_during_the_soaks() {
    let world = World::at("1.34.2");
    let mut request = full("1.34.4");
    request.policy.order = pool_soak("linux1", 30 * MINUTE);
    request.policy.soak = 60 * MINUTE;
    for _ in 0..2 {
        world.until_reason(&request, "Soaking");
        breaks(&world, Some("0 of 3 available"));
        world.until_reason(&request, "GateFailed");
        breaks(&world, None);
        // Over the end of this soak, up to the next operation or the end.
        world.until(&request, is_operation);
    }
    assert!(world.state().stored.finished_at.is_some());
}

#[test]
fn all_is_done_when_the_last_soak_is_over() {
    let world = World::at("1.34.2");
    let mut request = full("1.34.4");
    request.policy.soak = 60 * MINUTE;
    let soaking = world.until_reason(&request, "Soaking");
    assert!(!soaking.to_string().contains("all steps"), "pools soak too: {soaking}");
    let done = world.state().stored.progress();
    let last = world.state().now;
    assert_eq!(done, (5, 5));
    let ledger = world.finish(&request);
    assert_eq!(ledger.finished_at.unwrap().duration_since(last).as_mins(), 60);
}

#[test]
fn an_intent_that_waited_is_gated_again_before_it_is_sent() {
    let world = World::at("1.34.2");
    let request = full("1.34.4");
    world.state().may_act = false;
    world.advance(&request);
    assert!(world.state().stored.operation.is_some(), "the intent is recorded");
    world.state().may_act = true;
    breaks(&world, Some("image cannot be pulled"));
    world.until_reason(&request, "GateFailed");
    assert!(world.state().sent.is_empty(), "what was healthy when it was recorded counts no more");
    breaks(&world, None);
    world.finish(&request);
}

#[test]
fn what_an_earlier_upgrade_broke_is_not_taken_for_broken_before() {
    let world = World::at("1.34.2");
    let healthy = crate::take_baseline(&[], &Policy::default(), world.state().now);
    let request = Request { baseline: Some(healthy), ..full("1.34.4") };
    breaks(&world, Some("image cannot be pulled"));
    world.until_reason(&request, "GateFailed");
    assert!(world.state().sent.is_empty());
    breaks(&world, None);
    world.finish(&request);
}
