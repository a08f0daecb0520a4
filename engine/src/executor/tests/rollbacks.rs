//! Taking pools back, because somebody asks for it or a gate fails.

use super::*;
use crate::{
    Asked, OnGateFailure, StepState,
    testing::{
        OLD_LINUX,
        world::{Answer, Crash, World, workload},
    },
};

fn rolls_back(request: &Request, token: &str) -> Request {
    let asked = Asked { rollback: Some(token.to_owned()), ..request.asked.clone() };
    Request { asked, ..request.clone() }
}

fn refused(world: &World) -> String {
    world.state().stored.control.refused.clone().unwrap_or_default()
}

/// Runs until the step of a pool is done and its workloads are broken.
fn broken_after(world: &World, request: &Request, pool: &str) {
    world.until(request, |waiting| waiting.to_string().starts_with(&format!("Azure upgrades pool {pool} ")));
    world.state().workloads = Ok(vec![workload("checkout", Some("0 of 3 available"))]);
}

fn mends(world: &World) {
    world.state().workloads = Ok(vec![workload("checkout", None)]);
}

fn policy(on_gate_failure: OnGateFailure) -> Request {
    let mut request = full("1.34.4");
    request.policy.on_gate_failure = on_gate_failure;
    request
}

/// Mends the workloads once the pool is on its way back, and runs until that has ended.
fn until_rolled_back(world: &World, request: &Request) -> String {
    world.until_reason(request, "RollingBackNodePool");
    mends(world);
    world.until(request, |waiting| waiting.stance() == crate::Stance::Stopped).unwrap().to_string()
}

#[test]
fn a_gate_that_fails_after_a_pools_step_takes_the_pool_back() {
    let world = World::at("1.34.2");
    let request = policy(OnGateFailure::RollbackNodePool);
    broken_after(&world, &request, "linux1");
    let waiting = until_rolled_back(&world, &request);
    assert!(waiting.starts_with("pool linux1 was rolled back to 1.34.2 "), "{waiting}");
    assert!(waiting.contains("checkout: 0 of 3 available"), "{waiting}");
    let state = world.state();
    let pool = state.cluster.pool("linux1").unwrap();
    assert_eq!((pool.version.to_string().as_str(), pool.node_image.as_str()), ("1.34.2", OLD_LINUX));
    let of_pool = |state: StepState| {
        move |step: &&crate::StepRecord| step.state == state && step.step.pool.as_deref() == Some("linux1")
    };
    assert_eq!(state.stored.steps.iter().filter(of_pool(StepState::Dropped)).count(), 1);
    assert_eq!(state.stored.steps.iter().filter(of_pool(StepState::Succeeded)).count(), 1);
    drop(state);
    let sent = world.state().sent.len();
    world.pass(600 * MINUTE);
    assert_eq!(world.advance(&request).unwrap().waiting.unwrap().reason(), "GateFailed");
    assert_eq!(world.state().sent.len(), sent, "nothing until retry");
    world.finish(&retried(&request, "on"));
    assert_eq!(world.state().cluster.pool("linux1").unwrap().version.to_string(), "1.34.4");
}

#[test]
fn without_that_policy_a_gate_that_fails_takes_nothing_back() {
    let world = World::at("1.34.2");
    let request = policy(OnGateFailure::Hold);
    broken_after(&world, &request, "linux1");
    world.until_reason(&request, "GateFailed");
    mends(&world);
    world.finish(&request);
}

#[test]
fn what_azure_does_not_take_back_is_held_and_told() {
    let world = World::at("1.34.2");
    let request = policy(OnGateFailure::RollbackNodePool);
    broken_after(&world, &request, "linux1");
    world.state().cluster.auto_upgrade_channel = Some("patch".to_owned());
    world.until_reason(&request, "GateFailed");
    let why = world.state().stored.operation.clone().unwrap().policy_not_done.unwrap();
    assert!(why.starts_with("pool linux1 was not rolled back: the auto-upgrade channel patch"), "{why}");
    mends(&world);
    world.finish(&request);
}

#[test]
fn a_person_takes_back_a_pool_that_was_upgraded_and_no_other() {
    let world = World::at("1.34.2");
    let request = full("1.34.4");
    world.until(&request, |waiting| waiting.to_string().starts_with("Azure upgrades pool system "));
    let cases = [
        (
            "nosuch/1",
            "pool nosuch was not rolled back: this upgrade has not upgraded it; it has upgraded linux1, linux2, system",
        ),
        ("system/2", "pool system was not rolled back: Azure is upgrading it; abort that first"),
    ];
    for (token, expected) in cases {
        world.advance(&rolls_back(&request, token));
        assert!(refused(&world).starts_with(expected), "{}", refused(&world));
        assert_eq!(world.state().stored.control.rollback_token.as_deref(), Some(token));
    }
}

#[test]
fn a_pool_goes_back_for_a_person_also_while_suspended_and_after_an_abort() {
    let world = World::at("1.34.2");
    let mut request = full("1.34.4");
    request.policy.upgrade_settings = [(crate::Setting::MaxSurge, "50%")].into();
    world.until(&request, |waiting| waiting.to_string().starts_with("Azure upgrades pool linux1 "));
    request.asked.abort = Some("1".to_owned());
    world.until_reason(&request, "Aborted");
    let request = Request { suspend: true, ..rolls_back(&request, "linux1/2") };
    let waiting = world.until_reason(&request, "RolledBack").to_string();
    assert!(waiting.starts_with("pool linux1 was rolled back to 1.34.2 "), "{waiting}");
    let pool = world.state().cluster.pool("linux1").cloned().unwrap();
    assert_eq!((pool.version.to_string().as_str(), pool.upgrade_settings.is_empty()), ("1.34.2", true));
    let request = Request { suspend: false, ..request };
    world.finish(&retried(&request, "on"));
}

#[test]
fn what_is_too_old_is_not_taken_back() {
    let world = World::at("1.34.2");
    let mut request = full("1.34.4");
    request.policy.order = pool_soak("linux1", 20 * 24 * 60 * MINUTE);
    world.until_reason(&request, "Soaking");
    world.pass(8 * 24 * 60 * MINUTE);
    world.advance(&rolls_back(&request, "linux1"));
    assert!(refused(&world).contains("within that time"), "{}", refused(&world));
}

#[test]
fn r1_a_crash_at_any_call_of_a_rollback_changes_nothing_about_its_end() {
    for at in 1..40 {
        for after_effect in [false, true] {
            let world = World::at("1.34.2");
            let request = policy(OnGateFailure::RollbackNodePool);
            broken_after(&world, &request, "linux1");
            let calls = world.state().calls;
            world.state().crash = Some(Crash { at: calls + at, after_effect });
            let waiting = until_rolled_back(&world, &request);
            assert!(waiting.starts_with("pool linux1 was rolled back"), "{at} {after_effect}: {waiting}");
            let back = world.state().sent.iter().filter(|id| *id == "rollback-linux1").count();
            assert_eq!(back, 1, "{at} {after_effect}");
        }
    }
}

#[test]
fn a_rollback_that_was_aborted_goes_on_by_retry_and_halts_then() {
    let world = World::at("1.34.2");
    let mut request = policy(OnGateFailure::RollbackNodePool);
    broken_after(&world, &request, "linux1");
    world.until_reason(&request, "RollingBackNodePool");
    mends(&world);
    request.asked.abort = Some("1".to_owned());
    let waiting = world.until(&request, |waiting| waiting.stance() == crate::Stance::Stopped).unwrap();
    assert!(waiting.to_string().starts_with("the rollback of pool linux1 was aborted"), "{waiting}");
    let request = retried(&request, "back");
    let waiting = world.until(&request, |waiting| waiting.stance() == crate::Stance::Stopped).unwrap();
    assert!(waiting.to_string().starts_with("pool linux1 was rolled back to 1.34.2 "), "{waiting}");
    world.finish(&retried(&request, "on"));
}

#[test]
fn r15_a_retry_while_a_pool_is_on_its_way_back_does_not_turn_it_round() {
    let world = World::at("1.34.2").answers([Answer::Accept]);
    let request = policy(OnGateFailure::RollbackNodePool);
    broken_after(&world, &request, "linux1");
    world.until_reason(&request, "RollingBackNodePool");
    mends(&world);
    let request = retried(&request, "too-early");
    let waiting = world.until(&request, |waiting| waiting.stance() == crate::Stance::Stopped).unwrap();
    assert_eq!(waiting.reason(), "GateFailed");
    world.finish(&retried(&request, "on"));
}

/// What Azure says of a version that it has no more.
fn not_supported() -> crate::Failure {
    crate::Failure::new(Some(400), Some("AgentPoolK8sVersionNotSupported"), None, "1.34.2 is not supported")
}

fn rollbacks(world: &World) -> usize {
    world.state().sent.iter().filter(|id| *id == "rollback-linux1").count()
}

#[test]
fn a_rollback_that_azure_refuses_for_good_is_not_sent_again_and_retry_goes_on_without_it() {
    let world = World::at("1.34.2");
    let request = full("1.34.4");
    world.until(&request, |waiting| waiting.to_string().starts_with("Azure upgrades pool linux2 "));
    world.pass(60 * MINUTE);
    world.until(&request, |waiting| waiting.to_string().starts_with("Azure upgrades pool system "));
    let step = |world: &World, pool: &str| {
        let steps = world.state().stored.steps.clone();
        steps.into_iter().find(|record| record.id == format!("pool-{pool}-1.34.4")).map(|record| record.state)
    };
    world.pass(60 * MINUTE);
    let suspended = Request { suspend: true, ..request.clone() };
    world.until_reason(&suspended, "Suspended");
    world.state().answers.push_back(Answer::Refuse(not_supported(), None));
    let asked = rolls_back(&suspended, "linux1/1");
    let waiting = world.until_reason(&asked, "RollbackRefused");
    assert_eq!(waiting.stance(), crate::Stance::Stopped);
    assert!(
        waiting.to_string().starts_with("pool linux1 was not rolled back to 1.34.2 AKSUbuntu"),
        "{waiting}"
    );
    assert!(
        waiting.to_string().contains(": 1.34.2 is not supported; nothing goes on until retry"),
        "{waiting}"
    );
    assert_eq!((rollbacks(&world), step(&world, "linux1")), (1, Some(StepState::Succeeded)));
    world.pass(600 * MINUTE);
    assert_eq!(world.advance(&asked).unwrap().waiting.unwrap().reason(), "RollbackRefused");
    // Whoever asks once more has it tried once more.
    world.state().answers.push_back(Answer::Refuse(not_supported(), None));
    let asked = rolls_back(&suspended, "linux1/2");
    world.until(&asked, |_| rollbacks(&world) == 2);
    world.until_reason(&asked, "RollbackRefused");
    let request = Request { suspend: false, ..asked };
    world.finish(&retried(&request, "on"));
    assert_eq!(rollbacks(&world), 2, "retry goes on with what is left to do");
    assert_eq!(world.state().cluster.pool("linux1").unwrap().version.to_string(), "1.34.4");
    assert_eq!(step(&world, "linux1"), Some(StepState::Succeeded));
}

#[test]
fn a_gate_that_fails_takes_nothing_back_that_azure_refuses_and_says_both() {
    let world = World::at("1.34.2");
    let request = policy(OnGateFailure::RollbackNodePool);
    broken_after(&world, &request, "linux1");
    world.state().answers.push_back(Answer::Refuse(not_supported(), None));
    let waiting = world.until_reason(&request, "RollbackRefused").to_string();
    assert!(waiting.contains("1.34.2 is not supported") && waiting.contains("checkout: 0 of 3"), "{waiting}");
    mends(&world);
    world.finish(&retried(&request, "on"));
    assert_eq!(rollbacks(&world), 1);
}

#[test]
fn what_was_aborted_is_not_started_again_by_settings_when_its_rollback_is_refused() {
    let world = World::at("1.34.2");
    let mut request = full("1.34.4");
    request.policy.upgrade_settings = [(crate::Setting::MaxSurge, "50%")].into();
    world.until(&request, |waiting| waiting.to_string().starts_with("Azure upgrades pool linux1 "));
    request.asked.abort = Some("1".to_owned());
    world.until_reason(&request, "Aborted");
    for token in ["linux1/1", "linux1/2"] {
        world.state().answers.push_back(Answer::Refuse(not_supported(), None));
        let before = rollbacks(&world);
        request = rolls_back(&request, token);
        world.until(&request, |waiting| waiting.reason() == "RollbackRefused" && rollbacks(&world) > before);
        world.pass(60 * MINUTE);
        assert_eq!(world.advance(&request).unwrap().waiting.unwrap().reason(), "RollbackRefused");
        let pool = world.state().cluster.pool("linux1").cloned().unwrap();
        assert_eq!(pool.provisioning_state, crate::ProvisioningState::Canceled, "{token}");
    }
    world.finish(&retried(&request, "on"));
    let pool = world.state().cluster.pool("linux1").cloned().unwrap();
    assert_eq!((pool.version.to_string().as_str(), pool.upgrade_settings.is_empty()), ("1.34.4", true));
}
