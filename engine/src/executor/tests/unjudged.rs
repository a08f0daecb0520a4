//! Since when gates fail without a break: times in which nobody judges them do not count.

use jiff::{Timestamp, civil::Weekday};

use super::*;
use crate::{
    OnGateFailure, Schedule,
    testing::world::{Answer, World, workload},
};

fn breaks(world: &World, problem: Option<&str>) {
    world.state().workloads = Ok(vec![workload("checkout", problem)]);
}

/// Friday and Saturday 22:00 to 04:00 in Berlin: 21:00 to 03:00 in UTC. The world begins on a Friday at 22:00.
fn at_weekends(request: Request) -> Request {
    let days = [Weekday::Friday, Weekday::Saturday];
    let windows = vec![crate::testing::weekly("weekend", &days, "22:00", 6)];
    let minimum_remaining = Some(60 * MINUTE);
    Request { schedule: Schedule { windows, minimum_remaining, ..Schedule::default() }, ..request }
}

fn reason(world: &World, request: &Request) -> &'static str {
    world.advance(request).unwrap().waiting.unwrap().reason()
}

fn failing_since(world: &World) -> Option<Timestamp> {
    world.state().stored.gates_failing_since
}

/// The control plane and one pool are done, and nothing is in flight.
fn between_steps() -> (World, Request) {
    let world = World::at("1.34.2");
    let request = full("1.34.4");
    world.until(&request, |waiting| waiting.to_string().starts_with("Azure upgrades pool linux1 "));
    world.until_reason(&Request { suspend: true, ..request.clone() }, "Suspended");
    assert_eq!(world.state().stored.operation, None);
    (world, request)
}

#[test]
fn an_operation_that_is_sent_again_is_not_aborted_for_what_failed_before() {
    let world = World::at("1.34.2").answers([Answer::Accept, Answer::FailLater(timed_out())]);
    let mut request = at_weekends(full("1.34.4"));
    request.policy.on_gate_failure = OnGateFailure::AbortOperation;
    request.policy.retries = 5;
    let of_pool = |waiting: &WaitingOn| waiting.to_string().starts_with("Azure upgrades pool linux1 ");
    world.until(&request, of_pool).unwrap();
    world.pass(5 * MINUTE);
    breaks(&world, Some("2 of 3 available"));
    world.until(&request, |waiting| !of_pool(waiting)).unwrap();
    assert!(world.state().aborts.is_empty(), "its drain has timed out before");
    // What is half done waits for its window, and is sent without a gate.
    world.state().now = "2026-11-21T02:30:00Z".parse().unwrap();
    world.until_reason(&request, "WaitingForWindow");
    world.pass(60 * MINUTE);
    assert_eq!(reason(&world, &request), "WaitingForWindow");
    let writes = world.state().writes.len();
    world.pass(10 * 60 * MINUTE);
    assert_eq!(reason(&world, &request), "WaitingForWindow");
    assert_eq!(world.state().writes.len(), writes, "nothing is written while nothing changes");
    world.until(&request, of_pool).unwrap();
    for _ in 0..3 {
        assert_eq!(reason(&world, &request), "UpgradingNodePool", "{:?}", failing_since(&world));
        world.pass(MINUTE);
    }
    assert!(world.state().aborts.is_empty());
    breaks(&world, None);
    world.finish(&request);
}

#[test]
fn an_operation_that_is_sent_again_is_aborted_when_gates_fail_for_as_long_as_ever() {
    let world = World::at("1.34.2").answers([Answer::Accept, Answer::FailLater(timed_out())]);
    let mut request = full("1.34.4");
    request.policy.on_gate_failure = OnGateFailure::AbortOperation;
    world.until(&request, |waiting| waiting.to_string().starts_with("Azure upgrades pool linux1 "));
    world.state().takes = 60 * MINUTE;
    world.pass(5 * MINUTE);
    breaks(&world, Some("2 of 3 available"));
    world.until(&request, |_| world.state().sent.len() == 3).unwrap();
    let sent_at = world.state().stored.operation.as_ref().unwrap().submitted_at.unwrap();
    world.until(&request, |_| !world.state().aborts.is_empty()).unwrap();
    let took = world.state().now.duration_since(sent_at);
    assert!((600..700).contains(&took.as_secs()), "{took:#}");
}

#[test]
fn a_gate_that_settles_when_the_window_closes_settles_anew_when_the_next_one_opens() {
    let (world, request) = between_steps();
    let request = at_weekends(request);
    world.state().now = "2026-11-21T01:55:00Z".parse().unwrap();
    breaks(&world, Some("2 of 3 available"));
    world.until_reason(&request, "Verifying");
    assert!(failing_since(&world).is_some());
    world.until_reason(&request, "WaitingForWindow");
    assert_eq!(failing_since(&world), None);
    world.pass(90 * MINUTE);
    assert_eq!(reason(&world, &request), "WaitingForWindow");
    let writes = world.state().writes.len();
    world.pass(60 * MINUTE);
    assert_eq!(reason(&world, &request), "WaitingForWindow");
    assert_eq!(world.state().writes.len(), writes, "once");
    world.state().now = "2026-11-21T21:00:00Z".parse().unwrap();
    assert_eq!(reason(&world, &request), "Verifying", "one look is none to stop for");
    world.pass(11 * MINUTE);
    assert_eq!(reason(&world, &request), "GateFailed");
    breaks(&world, None);
    world.finish(&request);
}

#[test]
fn a_gate_that_fails_when_the_upgrade_is_suspended_fails_anew_when_it_goes_on() {
    let (world, request) = between_steps();
    breaks(&world, Some("2 of 3 available"));
    world.until_reason(&request, "GateFailed");
    let suspended = Request { suspend: true, ..request.clone() };
    world.until_reason(&suspended, "Suspended");
    assert_eq!(failing_since(&world), None);
    world.pass(600 * MINUTE);
    assert_eq!(reason(&world, &request), "Verifying");
    world.until_reason(&request, "GateFailed");
    breaks(&world, None);
    world.finish(&request);
}

#[test]
fn what_is_not_known_for_a_moment_does_not_begin_it_anew() {
    let (world, request) = between_steps();
    breaks(&world, Some("2 of 3 available"));
    world.until_reason(&request, "Verifying");
    let since = failing_since(&world);
    assert!(since.is_some());
    world.state().azure = Err(crate::Unreadable::failed("503"));
    world.until_reason(&request, "AzureUnreachable");
    world.state().azure = Ok(());
    world.state().workloads = Err(crate::Unreadable::failed("timed out"));
    world.until_reason(&request, "GateInconclusive");
    breaks(&world, Some("2 of 3 available"));
    world.pass(10 * MINUTE);
    assert_eq!((reason(&world, &request), failing_since(&world)), ("GateFailed", since));
}
