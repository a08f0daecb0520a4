//! A call that is not made because our share of one of Azure's limits is used up is neither a failure nor
//! an attempt: it is told as what it is, and made when there is room.

use jiff::SignedDuration;

use super::*;
use crate::{
    Decision, HeldBack, Observation, Phase, Stance, Unreadable, View, decide,
    testing::world::{Answer, World, workload},
};

const WHY: &str = "the share of Azure's limit for writes of one node pool is used up";

fn hold(minutes: u32) -> Answer {
    Answer::HoldBack(minutes * MINUTE)
}

fn held(world: &World, pause: Duration) -> Unreadable {
    let until = world.state().now + pause;
    Unreadable::HeldBack(HeldBack { why: WHY.to_owned(), until })
}

#[test]
fn a_step_that_is_not_sent_says_which_limit_it_waits_for_and_comes_back_when_there_is_room() {
    let world = World::at("1.34.2").answers([hold(3), hold(2)]);
    let request = control_plane("1.34.4");
    let waiting = world.advance(&request).unwrap().waiting.unwrap();
    assert_eq!((waiting.reason(), waiting.stance()), ("WaitingForAzureLimit", Stance::Working));
    let text = "control plane is not sent to Azure yet: the share of Azure's limit of the test is used up";
    assert_eq!(waiting.to_string(), text);
    assert_eq!(waiting.look_again(world.state().now), 3 * MINUTE);

    let writes = world.state().writes.len();
    world.pass(MINUTE);
    let again = world.advance(&request).unwrap().waiting.unwrap();
    assert_eq!(again.look_again(world.state().now), 2 * MINUTE, "not before there is room");
    assert_eq!(world.state().writes.len(), writes, "and nothing is written meanwhile");

    let steps = world.finish(&request).steps;
    assert_eq!((world.state().sent.len(), steps[0].attempts), (1, 1));
}

#[test]
fn one_that_is_not_sent_for_longer_than_a_step_may_take_says_so_and_goes_on() {
    let world = World::at("1.34.2").answers(std::iter::repeat_with(|| hold(30)).take(16));
    let request = control_plane("1.34.4");
    let timeout = SignedDuration::try_from(request.policy.step_timeout).unwrap();
    let began = world.state().now;
    let waiting = world.until(&request, |waiting| waiting.stance() == Stance::Stopped).unwrap();
    assert_eq!(waiting.reason(), "WaitingForAzureLimit", "not as a failure: {waiting}");
    assert!(waiting.to_string().contains("stepTimeout: the share of Azure's limit of the test"), "{waiting}");
    assert!(world.state().now >= began + timeout);
    assert_eq!(state_of(&world, "cp-1.34.4"), StepState::Running);

    world.until(&request, is_operation);
    let operation = world.state().stored.operation.clone().unwrap();
    assert!(operation.deadline > world.state().now + timeout - SignedDuration::from_mins(1), "{operation:?}");
    assert_eq!((operation.phase, operation.hold), (Phase::Submitted, None));
    assert_eq!(world.finish(&request).steps[0].attempts, 1);
}

#[test]
fn the_time_without_sending_does_not_count_against_a_step_that_keeps_failing() {
    let gateway = || Answer::Refuse(failure(Some(502), "BadGateway", "<html>"), None);
    let answers = (0..24).map(|_| hold(30)).chain(std::iter::repeat_with(gateway).take(3));
    let world = World::at("1.34.2").answers([gateway()].into_iter().chain(answers));
    let request = control_plane("1.34.4");
    world.until(&request, is_operation);
    let steps = world.finish(&request).steps;
    assert_eq!((world.state().sent.len(), steps[0].attempts), (5, 1), "twelve hours were not its own");
}

#[test]
fn what_went_wrong_before_is_not_forgotten() {
    // The drain was blocked, and the workloads are as that left them: the step goes on regardless.
    let world = World::at("1.34.2").answers([
        Answer::Accept,
        Answer::FailLater(drain_blocked()),
        hold(2),
        Answer::Accept,
    ]);
    let request = full("1.34.4");
    world.until_reason(&request, "DrainBlocked");
    world.state().workloads = Ok(vec![workload("checkout", Some("2 of 3 available"))]);
    world.state().budgets_allow = Some(true);
    world.until_reason(&request, "WaitingForAzureLimit");
    let held = world.state().stored.operation.clone().unwrap();
    assert_eq!(held.failure, Some(drain_blocked()));
    world.until(&request, is_operation);
    assert_eq!(world.state().sent.len(), 3);
}

#[test]
fn a_suspended_step_waits_for_a_person_and_for_no_limit() {
    let world = World::at("1.34.2").answers([hold(30)]);
    let request = control_plane("1.34.4");
    world.until_reason(&request, "WaitingForAzureLimit");
    world.until_reason(&Request { suspend: true, ..request.clone() }, "Suspended");
    assert!(world.state().sent.is_empty());
    assert_eq!(world.advance(&request).unwrap().waiting.unwrap().reason(), "WaitingForAzureLimit");
    world.finish(&request);
    assert_eq!(world.state().sent.len(), 1);
}

#[test]
fn what_is_not_read_says_for_which_limit_it_waits() {
    let world = World::at("1.34.2");
    let request = control_plane("1.34.4");
    world.state().azure = Err(held(&world, 5 * MINUTE));
    let waiting = world.advance(&request).unwrap().waiting.unwrap();
    assert_eq!(
        (waiting.reason(), waiting.to_string()),
        ("WaitingForAzureLimit", format!("Azure is not asked yet: {WHY}"))
    );
    assert_eq!(waiting.look_again(world.state().now), 5 * MINUTE);
    world.state().azure = Err(held(&world, Duration::ZERO));
    let waiting = world.advance(&request).unwrap().waiting.unwrap();
    assert_eq!(waiting.look_again(world.state().now).as_secs(), 10, "all come again, few are let through");

    // Where the cluster's API is, Azure says.
    world.state().azure = Ok(());
    let unreachable = held(&world, 4 * MINUTE);
    world.state().workloads = Err(unreachable);
    let waiting = world.advance(&request).unwrap().waiting.unwrap();
    assert_eq!(waiting.reason(), "WaitingForAzureLimit");
    assert_eq!(waiting.look_again(world.state().now), 4 * MINUTE);
}

#[test]
fn nodes_and_api_servers_that_are_not_read_say_for_which_limit_they_wait() {
    for request in [control_plane("1.34.4"), full("1.34.4")] {
        let world = World::at("1.34.2");
        world.state().lag = 60 * MINUTE;
        let pools = request.scope.has_pool_versions();
        world.until(
            &request,
            |waiting| matches!(waiting, WaitingOn::Nodes { step, .. } if step.pool.is_some() == pools),
        );
        let (ledger, cluster, now) = {
            let state = world.state();
            (state.stored.clone(), state.cluster.clone(), state.now)
        };
        let Unreadable::HeldBack(expected) = held(&world, 4 * MINUTE) else { unreachable!() };
        let seen = Observation {
            cluster: Ok(cluster),
            server: Err(Unreadable::HeldBack(expected.clone())),
            nodes: Err(Unreadable::HeldBack(expected.clone())),
            ..Observation::default()
        };
        let decision = decide(&View { request: &request, ledger: &ledger, seen: &seen, now });
        let waiting = WaitingOn::HeldBack { step: None, held: expected, overdue: false };
        assert_eq!(decision, Decision::Wait(waiting));
    }
}
