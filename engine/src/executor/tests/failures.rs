//! What Azure refuses, fails, throttles, preempts; and what a person does about it.

use super::*;
use crate::{
    Stance,
    testing::world::{Answer, OPERATION, World},
};

#[test]
fn r7_throttling_waits_as_long_as_azure_asks_and_is_no_attempt() {
    let throttled = failure(Some(429), "Throttled", "too many requests");
    let world = World::at("1.34.2").answers([Answer::Refuse(throttled, Some(7 * MINUTE))]);
    let request = control_plane("1.34.4");
    let waiting = world.advance(&request).unwrap().waiting.unwrap();
    assert_eq!((waiting.reason(), waiting.stance()), ("Retrying", Stance::Working));
    let now = world.state().now;
    let pause = waiting.look_again(now);
    assert!((7 * MINUTE..9 * MINUTE).contains(&pause), "{pause:?}");
    world.pass(6 * MINUTE);
    world.advance(&request);
    assert_eq!(world.state().sent.len(), 1, "not before its time");
    let ledger = world.finish(&request);
    assert_eq!((world.state().sent.len(), ledger.steps[0].attempts), (2, 1));
}

#[test]
fn transient_failures_back_off_and_end_with_the_deadline() {
    let gateway = || Answer::Refuse(failure(Some(502), "BadGateway", "<html>"), None);
    let world = World::at("1.34.2").answers(std::iter::repeat_with(gateway).take(200));
    let request = control_plane("1.34.4");
    let began = world.state().now;
    let waiting = world.until_reason(&request, "OperationFailed");
    assert_eq!(waiting.stance(), Stance::Stopped);
    let state = world.state();
    assert!(state.now >= began + request.policy.step_timeout);
    assert!(state.sent.len() < 50, "{} requests in six hours", state.sent.len());
    assert_eq!(state.stored.steps[0].attempts, 1, "none of them counts");
}

#[test]
fn a_failed_operation_is_tried_again_and_then_held() {
    let fail = || Answer::FailLater(timed_out());
    let world = World::at("1.34.2").answers([Answer::Accept, fail(), fail(), fail()]);
    let request = full("1.34.4");
    let waiting = world.until_reason(&request, "OperationFailed");
    assert!(
        waiting.to_string().contains("pool linux1") && waiting.to_string().contains("timed out"),
        "{waiting}"
    );
    assert_eq!(world.state().sent.len(), 4, "once, and two retries");
    assert_eq!(state_of(&world, "pool-linux1-1.34.4"), StepState::Failed);
    for _ in 0..5 {
        world.pass(60 * MINUTE);
        world.advance(&request);
    }
    assert_eq!(world.state().sent.len(), 4, "held");

    let again = retried(&request, "monday");
    world.until(&again, is_operation);
    assert_eq!(state_of(&world, "pool-linux1-1.34.4"), StepState::Running);
    let ledger = world.finish(&again);
    assert_eq!(world.state().sent.len(), 8);
    assert_eq!(ledger.retry_token.as_deref(), Some("monday"));
}

#[test]
fn r15_retry_is_acted_on_once_and_attempts_stay_bounded() {
    let world = World::at("1.34.2").answers(std::iter::repeat_n(Answer::FailLater(timed_out()), 20));
    let request = control_plane("1.34.4");
    world.until_reason(&request, "OperationFailed");
    let again = retried(&request, "once");
    world.until(&again, is_operation);
    world.until_reason(&again, "OperationFailed");
    for _ in 0..5 {
        world.pass(60 * MINUTE);
        assert_eq!(world.advance(&again).unwrap().waiting.unwrap().reason(), "OperationFailed");
    }
    assert_eq!(world.state().sent.len(), 6);
}

#[test]
fn retry_of_a_held_image_step_sends_the_same_step() {
    let world = World::at("1.34.4").answers(std::iter::repeat_n(Answer::FailLater(timed_out()), 3));
    let request = request(Scope::NodeImage, None);
    world.until_reason(&request, "OperationFailed");
    let ledger = world.finish(&retried(&request, "again"));
    assert_eq!(world.state().sent[..4], ["image-linux1"; 4]);
    assert_eq!(ledger.steps.len(), 4);
}

#[test]
fn what_azure_calls_invalid_is_held_at_once() {
    let invalid =
        failure(Some(400), "K8sVersionNotSupported", "Version 1.34.4 is not supported in this region.");
    let world = World::at("1.34.2").answers([Answer::Refuse(invalid, None)]);
    world.until_reason(&control_plane("1.34.4"), "OperationFailed");
    assert_eq!(world.state().sent.len(), 1);
}

#[test]
fn r7_another_operation_in_between_is_waited_for_and_is_no_attempt() {
    let busy = || failure(Some(409), "OperationNotAllowed", "another operation is in progress");
    let world = World::at("1.34.2").answers(std::iter::repeat_with(|| Answer::Refuse(busy(), None)).take(8));
    let ledger = world.finish(&control_plane("1.34.4"));
    assert_eq!((world.state().sent.len(), ledger.steps[0].attempts), (9, 1));
}

#[test]
fn r6_a_blocked_drain_waits_for_the_budget_and_then_sends_the_same_step() {
    let world = World::at("1.34.2").answers([Answer::Accept, Answer::FailLater(drain_blocked())]);
    let request = full("1.34.4");
    let waiting = world.until_reason(&request, "DrainBlocked");
    assert!(waiting.to_string().contains("checkout-pdb"), "{waiting}");
    assert_eq!(waiting.stance(), Stance::Stopped);
    world.state().budgets_allow = Some(false);
    for _ in 0..10 {
        world.pass(60 * MINUTE);
        assert_eq!(world.advance(&request).unwrap().waiting.unwrap().reason(), "DrainBlocked");
    }
    assert_eq!(
        world.state().sent,
        ["cp-1.34.4", "pool-linux1-1.34.4"],
        "nothing while it allows no eviction"
    );
    world.state().budgets_allow = Some(true);
    let waiting = world.advance(&request).unwrap().waiting.unwrap();
    assert_eq!(waiting.reason(), "UpgradingNodePool");
    world.pass(OPERATION / 2);
    let waiting = world.advance(&request).unwrap().waiting.unwrap();
    assert_eq!(waiting.reason(), "UpgradingNodePool", "the hours of waiting do not count against the step");
    let ledger = world.finish(&request);
    assert_eq!(world.state().sent[1..3], ["pool-linux1-1.34.4"; 2]);
    assert!(ledger.steps.iter().all(|record| record.attempts == 1));
}

#[test]
fn a_refusal_that_contradicts_the_budgets_is_not_repeated_without_a_pause() {
    let refuse = || Answer::Refuse(drain_blocked(), None);
    let world = World::at("1.34.2")
        .answers([Answer::Accept].into_iter().chain(std::iter::repeat_with(refuse).take(9)));
    world.state().budgets_allow = Some(true);
    let request = full("1.34.4");
    world.until_reason(&request, "DrainBlocked");
    for _ in 0..60 {
        world.advance(&request);
        world.pass(Duration::from_secs(10));
    }
    assert!(world.state().sent.len() < 8, "{} requests in ten minutes", world.state().sent.len());
}

#[test]
fn the_deadline_of_transient_failures_begins_when_they_begin() {
    let throttled = failure(Some(429), "Throttled", "too many requests");
    let world = World::at("1.34.2").answers([
        Answer::Accept,
        Answer::FailLater(drain_blocked()),
        Answer::Refuse(throttled, Some(MINUTE)),
    ]);
    let request = full("1.34.4");
    world.until_reason(&request, "DrainBlocked");
    world.state().budgets_allow = Some(false);
    world.pass(20 * 60 * MINUTE);
    world.advance(&request);
    world.state().budgets_allow = Some(true);
    let waiting = world.advance(&request).unwrap().waiting.unwrap();
    assert_eq!(waiting.reason(), "Retrying", "not held for the hours before");
    world.finish(&request);
}

#[test]
fn operations_that_fail_for_want_of_machines_end_with_the_deadline() {
    let no_machines = failure(None, "AllocationFailed", "Allocation failed. Try again later.");
    let world = World::at("1.34.2").answers(std::iter::repeat_n(Answer::FailLater(no_machines), 200));
    let began = world.state().now;
    world.until_reason(&control_plane("1.34.4"), "OperationFailed");
    let hours = world.state().now.duration_since(began).as_hours();
    assert!((6..8).contains(&hours), "{hours}");
}

#[test]
fn other_blockers_are_looked_at_again_at_a_slow_pace() {
    let quota = failure(Some(400), "QuotaExceeded", "exceeding approved Total Regional Cores quota");
    let world = World::at("1.34.2").answers(std::iter::repeat_n(Answer::Refuse(quota, None), 4));
    let request = control_plane("1.34.4");
    world.until_reason(&request, "OperationBlocked");
    let began = world.state().now;
    assert_eq!(world.until(&request, |_| false), None, "goes on when the quota is there");
    assert_eq!(world.state().sent.len(), 5);
    assert!(world.state().now >= began + 120 * MINUTE);
}

#[test]
fn a_preempted_operation_is_sent_again_and_is_no_attempt() {
    let world = World::at("1.34.2").answers([Answer::Preempt]);
    let ledger = world.finish(&control_plane("1.34.4"));
    assert_eq!((world.state().sent.len(), ledger.steps[0].attempts), (2, 1));
}

#[test]
fn a_step_without_effect_is_not_repeated_for_ever() {
    let world = World::at("1.34.4").answers(std::iter::repeat_n(Answer::Pretend, 50));
    let request = request(Scope::NodeImage, None);
    world.until_reason(&request, "OperationFailed");
    assert!(world.state().sent.len() < 10, "{}", world.state().sent.len());
}

#[test]
fn what_somebody_aborted_is_not_started_again_by_itself() {
    let world = World::at("1.34.2").answers([Answer::Abort]);
    let request = control_plane("1.34.4");
    let waiting = world.until_reason(&request, "OperationFailed");
    assert!(waiting.to_string().contains("aborted by somebody"), "{waiting}");
    assert_eq!(world.state().sent.len(), 1);
    world.finish(&retried(&request, "go"));
    assert_eq!(world.state().done, ["cp-1.34.4"]);
}

#[test]
fn what_an_aborted_operation_says_is_told_and_starts_nothing_again() {
    let by_user = failure(None, "Canceled", "Operation is being canceled by user");
    for said in [by_user, drain_blocked(), failure(None, "InternalServerError", "try again")] {
        let world = World::at("1.34.2").answers([Answer::Accept, Answer::Cancel(said.clone())]);
        world.state().budgets_allow = Some(true);
        let request = full("1.34.4");
        let waiting = world.until_reason(&request, "OperationFailed");
        let words = waiting.to_string();
        assert!(words.contains("aborted by somebody") && words.contains(&said.message), "{words}");
        world.pass(600 * MINUTE);
        assert_eq!(world.advance(&request).unwrap().waiting.unwrap().reason(), "OperationFailed");
        assert_eq!(world.state().sent.len(), 2);
        world.finish(&retried(&request, "go"));
    }
}

#[test]
fn r7_an_operation_that_was_canceled_for_another_one_is_sent_again() {
    let preempted = failure(None, "AKSOperationPreempted", "preempted by another operation");
    let world = World::at("1.34.2").answers([Answer::Cancel(preempted)]);
    let ledger = world.finish(&control_plane("1.34.4"));
    assert_eq!((world.state().sent.len(), ledger.steps[0].attempts), (2, 1));
}

#[test]
fn r17_a_finished_step_is_not_sent_again_because_nobody_can_look() {
    let world = World::at("1.34.2");
    let request = control_plane("1.34.4");
    world.until(&request, is_operation);
    world.state().unreachable = true;
    let waiting = world.until_reason(&request, "GateInconclusive");
    assert_eq!(waiting.stance(), Stance::Working, "it has not failed");
    world.pass(120 * MINUTE);
    let asked = retried(&request, "look");
    for _ in 0..3 {
        assert_eq!(world.advance(&asked).unwrap().waiting.unwrap().reason(), "GateInconclusive");
        world.pass(10 * MINUTE);
    }
    world.state().unreachable = false;
    world.finish(&asked);
    assert_eq!(world.state().sent, ["cp-1.34.4"]);
}

#[test]
fn r17_azure_out_of_reach_is_neither_failure_nor_progress() {
    let world = World::at("1.34.2");
    let request = full("1.34.4");
    world.until(&request, is_operation);
    world.state().azure = Err(crate::Unreadable::failed("503: try later"));
    let before = world.state().stored.clone();
    for _ in 0..5 {
        world.pass(10 * MINUTE);
        assert_eq!(world.advance(&request).unwrap().waiting.unwrap().reason(), "AzureUnreachable");
    }
    assert_eq!(world.state().stored, before);
    world.state().azure = Ok(());
    world.finish(&request);
}
