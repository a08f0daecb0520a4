//! How it is told: the same from the record alone as when all is seen, and a person hears what there is to do.

use super::*;
use crate::{
    Stance,
    decide::underway,
    testing::world::{Answer, World, start},
};

fn quota() -> crate::Failure {
    failure(Some(400), "QuotaExceeded", "exceeding approved Total Regional Cores quota")
}

fn told(world: &World, request: &Request) -> WaitingOn {
    world.advance(request).unwrap().waiting.unwrap()
}

#[test]
fn what_the_record_tells_is_what_is_decided_when_all_is_seen() {
    let unavailable = failure(Some(503), "ServiceUnavailable", "not now");
    let invalid = failure(Some(400), "K8sVersionNotSupported", "Version 1.34.4 is not supported");
    let stories = [
        (Answer::Accept, "UpgradingControlPlane"),
        (Answer::Refuse(unavailable, None), "Retrying"),
        (Answer::Refuse(quota(), None), "OperationBlocked"),
        (Answer::FailLater(drain_blocked()), "DrainBlocked"),
        (Answer::Refuse(invalid, None), "OperationFailed"),
        (Answer::HoldBack(5 * MINUTE), "WaitingForAzureLimit"),
    ];
    for (answer, reason) in stories {
        let world = World::at("1.34.2").answers([answer]);
        let request = control_plane("1.34.4");
        world.until_reason(&request, reason);
        world.pass(Duration::from_secs(10));
        let decided = told(&world, &request);
        assert_eq!(decided.reason(), reason);
        let state = world.state();
        assert_eq!(underway(&request, &state.stored, state.now), Some(decided));
    }
}

#[test]
fn a_step_past_its_time_is_told_so_from_the_record_too() {
    let world = World::at("1.34.2");
    let mut request = control_plane("1.34.4");
    request.policy.step_timeout = 5 * MINUTE;
    let decided = world.until_reason(&request, "StepTimeout");
    let state = world.state();
    assert_eq!(underway(&request, &state.stored, state.now), Some(decided));
}

#[test]
fn suspended_does_not_hide_what_a_person_must_do() {
    let request = full("1.34.4");
    let suspended = Request { suspend: true, ..request.clone() };
    let blocked = World::at("1.34.2").answers([Answer::Accept, Answer::Refuse(quota(), None)]);
    blocked.until_reason(&request, "OperationBlocked");
    let failed = World::at("1.34.2").answers(std::iter::repeat_n(Answer::FailLater(timed_out()), 3));
    failed.until_reason(&request, "OperationFailed");
    for (world, reason) in [(blocked, "OperationBlocked"), (failed, "OperationFailed")] {
        let sent = world.state().sent.len();
        for _ in 0..5 {
            world.pass(29 * MINUTE);
            let waiting = told(&world, &suspended);
            assert_eq!((waiting.reason(), waiting.stance()), (reason, Stance::Stopped));
        }
        assert_eq!(world.state().sent.len(), sent, "and nothing is sent");
        world.finish(&retried(&request, "go"));
    }
}

#[test]
fn suspended_is_told_when_nothing_else_is_the_matter() {
    let request = full("1.34.4");
    let suspended = Request { suspend: true, ..request.clone() };
    let world = World::at("1.34.2").answers([Answer::Accept, Answer::FailLater(drain_blocked())]);
    world.until_reason(&request, "DrainBlocked");
    world.state().budgets_allow = Some(false);
    assert_eq!(told(&world, &suspended).reason(), "DrainBlocked");
    world.state().budgets_allow = Some(true);
    assert_eq!(told(&world, &suspended).reason(), "Suspended", "the budget is mended");
    world.pass(60 * MINUTE);
    assert_eq!(told(&world, &suspended).reason(), "Suspended");
    assert_eq!(world.state().sent.len(), 2);
    world.finish(&request);

    let unavailable = failure(Some(503), "ServiceUnavailable", "not now");
    let world = World::at("1.34.2").answers([Answer::Refuse(unavailable, Some(20 * MINUTE))]);
    world.until_reason(&request, "Retrying");
    assert_eq!(told(&world, &suspended).reason(), "Suspended", "it is not tried again meanwhile");
    world.pass(60 * MINUTE);
    assert_eq!(told(&world, &suspended).reason(), "Suspended");
    assert_eq!(world.state().sent.len(), 1);
    world.finish(&request);
}

#[test]
fn a_listing_that_is_late_does_not_change_what_is_told() {
    let world = World::at("1.34.4");
    world.state().lag = 20 * MINUTE;
    let mut request = request(Scope::NodeImage, None);
    request.policy.upgrade_settings = [(crate::Setting::MaxSurge, "33%")].into();
    world.until_reason(&request, "Verifying");
    {
        // The last one is from before the settings were changed, and the next one does not come.
        let mut state = world.state();
        state.listing = Some((start(), state.cluster.clone()));
        state.listing_every = 24 * 60 * MINUTE;
    }
    for _ in 0..5 {
        world.pass(MINUTE);
        assert_eq!(told(&world, &request).reason(), "Verifying");
    }
}
