//! What people ask for besides to go on: aborts, and clusters that are left out.

use super::*;
use crate::{
    Asked, Failure, OnGateFailure, Policy, Setting, Settings, StepState,
    testing::world::{Answer, Crash, World, workload},
};

fn asks(request: &Request, change: impl FnOnce(&mut Asked)) -> Request {
    let mut request = request.clone();
    change(&mut request.asked);
    request
}

fn aborts(request: &Request, token: &str) -> Request {
    asks(request, |asked| asked.abort = Some(token.to_owned()))
}

fn skips(request: &Request) -> Request {
    asks(request, |asked| asked.skip = Some("1".to_owned()))
}

/// Runs until a step of a pool is under way.
fn until_pool(world: &World, request: &Request) -> String {
    world.until_reason(request, "UpgradingNodePool");
    world.state().stored.current().unwrap().1.step.pool.clone().unwrap()
}

fn surging(request: &Request) -> Request {
    let upgrade_settings: Settings = [(Setting::MaxSurge, "50%")].into();
    Request { policy: Policy { upgrade_settings, ..request.policy.clone() }, ..request.clone() }
}

#[test]
fn an_abort_stops_what_is_ours_and_everything_until_retry() {
    let world = World::at("1.34.2");
    let request = full("1.34.4");
    let pool = until_pool(&world, &request);
    let request = aborts(&request, "stop");
    let waiting = world.until_reason(&request, "Aborted");
    assert_eq!(waiting.stance(), crate::Stance::Stopped);
    assert!(waiting.to_string().starts_with(&format!("the upgrade of pool {pool} was aborted")), "{waiting}");
    assert_eq!(world.state().aborts.len(), 1, "once");
    let sent = world.state().sent.len();
    let ledger = world.state().stored.clone();
    assert_eq!(ledger.control.abort_token.as_deref(), Some("stop"));
    world.pass(60 * MINUTE);
    assert_eq!(world.advance(&request).unwrap().waiting.unwrap().reason(), "Aborted");
    assert_eq!(world.state().sent.len(), sent, "nothing is sent until retry");
    world.finish(&retried(&request, "on"));
    assert_eq!(world.state().stored.control.halt, None);
}

#[test]
fn an_abort_with_nothing_in_flight_is_refused_and_told() {
    let world = World::at("1.34.2");
    let request = aborts(&full("1.34.4"), "early");
    world.advance(&request).unwrap();
    let control = world.state().stored.control.clone();
    assert_eq!(control.abort_token.as_deref(), Some("early"));
    assert!(world.state().aborts.is_empty());
    let before = world.state().writes.iter().find_map(|(ledger, _)| ledger.control.refused.clone());
    assert!(before.unwrap().starts_with("not aborted: no operation of this upgrade runs in Azure"));
    world.finish(&request);
}

#[test]
fn r9_what_was_found_running_is_not_aborted() {
    let world = World::at("1.34.2").answers([Answer::LostAfterEffect]);
    let request = full("1.34.4");
    world.until(&request, is_operation);
    assert_eq!(world.state().stored.operation.as_ref().unwrap().azure_operation, None);
    let request = aborts(&request, "stop");
    world.advance(&request).unwrap();
    let refused = world.state().stored.control.refused.clone().unwrap();
    assert!(
        refused.starts_with("not aborted: control plane is Upgrading, and it was found running"),
        "{refused}"
    );
    assert!(world.state().aborts.is_empty());
    world.finish(&request);
}

#[test]
fn an_operation_that_has_ended_when_it_is_to_be_aborted_halts_all_the_same() {
    let world = World::at("1.34.2");
    let request = full("1.34.4");
    world.until(&request, is_operation);
    world.pass(60 * MINUTE);
    let request = aborts(&request, "stop");
    let waiting = world.until_reason(&request, "Aborted").to_string();
    assert!(waiting.contains("had ended before it could be aborted, as Succeeded"), "{waiting}");
    assert!(world.state().aborts.is_empty());
    world.finish(&retried(&request, "on"));
    world.state().assert_nothing_twice();
}

#[test]
fn an_abort_that_azure_does_not_take_is_asked_for_again() {
    let forbidden = Failure::new(Some(403), Some("AuthorizationFailed"), None, "no right to abort");
    let world = World::at("1.34.2");
    let request = full("1.34.4");
    world.state().takes = 300 * MINUTE;
    world.until(&request, is_operation);
    let answers = [Answer::LostBefore, Answer::Refuse(forbidden, None), Answer::LostAfterEffect];
    world.state().abort_answers.extend(answers);
    let request = aborts(&request, "stop");
    let waiting = world.until_reason(&request, "Aborting").to_string();
    assert!(waiting.contains("goes on meanwhile: connection reset"), "{waiting}");
    let waiting = world.until_reason(&request, "AbortFailed");
    assert_eq!(waiting.stance(), crate::Stance::Stopped);
    assert!(waiting.to_string().ends_with("goes on meanwhile: no right to abort"), "{waiting}");
    // A listing shows that it goes on, until it is tried again.
    let listing = {
        let state = world.state();
        (state.now, state.cluster.clone())
    };
    world.state().listing = Some(listing);
    world.pass(MINUTE);
    world.advance(&request).unwrap();
    assert_eq!(world.state().log, ["glance", "save"]);
    world.state().listing = None;
    // Its third answer is lost, and it is at it.
    world.until_reason(&request, "Aborted");
    assert_eq!(world.state().aborts.len(), 3);
    world.state().takes = crate::testing::world::OPERATION;
    world.finish(&retried(&request, "on"));
}

/// Runs until it is halted or done, with its caller dying at one call.
fn dying_at(at: usize, after_effect: bool, change: impl Fn(&Request) -> Request) -> World {
    let world = World::at("1.34.2");
    let request = surging(&full("1.34.4"));
    until_pool(&world, &request);
    let calls = world.state().calls;
    world.state().crash = Some(Crash { at: calls + at, after_effect });
    let request = change(&request);
    world.until(&request, |waiting| waiting.stance() == crate::Stance::Stopped);
    world
}

#[test]
fn r1_a_crash_at_any_call_of_an_abort_changes_nothing_about_its_end() {
    for at in 1..25 {
        for after_effect in [false, true] {
            let world = dying_at(at, after_effect, |request| aborts(request, "stop"));
            let state = world.state();
            let reason = state.writes.last().unwrap().1.clone();
            assert_eq!(reason.as_deref(), Some("Aborted"), "{at} {after_effect}");
            let broken =
                state.cluster.pools.iter().filter(|pool| pool.provisioning_state.is_broken()).count();
            assert_eq!(broken, 1, "{at} {after_effect}");
        }
    }
}

#[test]
fn r1_a_cluster_that_is_left_out_ends_its_operation_and_has_its_settings_back() {
    for crash in 0..30 {
        let world = dying_at(crash, true, skips);
        let state = world.state();
        assert!(state.stored.is_skipped(), "{crash}");
        assert!(state.stored.restore.is_empty() && state.stored.operation.is_none(), "{crash}");
        let changed = state.cluster.pools.iter().filter(|pool| !pool.upgrade_settings.is_empty()).count();
        assert_eq!(changed, 0, "{crash}");
        let states: Vec<_> = state.stored.steps.iter().map(|step| step.state).collect();
        assert_eq!(states, [StepState::Succeeded, StepState::Dropped], "{crash}");
        assert_eq!(state.sent.len(), 2, "{crash}: nothing is begun any more");
    }
}

#[test]
fn who_asks_to_abort_the_step_of_a_pool_that_is_gone_is_answered() {
    let refused = Answer::Refuse(Failure::new(Some(403), Some("AuthorizationFailed"), None, "no"), None);
    let world = World::at("1.34.2").answers([Answer::Accept, refused]);
    let request = full("1.34.4");
    world.until_reason(&request, "OperationBlocked");
    world.state().cluster.pools.retain(|pool| pool.name != "linux1");
    world.until_reason(&request, "ExternalChange");
    world.until_reason(&aborts(&request, "1"), "ExternalChange");
    let control = world.state().stored.control.clone();
    assert_eq!(control.abort_token.as_deref(), Some("1"));
    assert!(control.refused.unwrap().starts_with("not aborted: no operation of this upgrade runs"));
}

#[test]
fn what_cannot_be_carried_out_is_left_out_unless_something_is_in_flight() {
    let (now, token) = (crate::testing::world::start(), "1".to_owned());
    let none = crate::Ledger::default();
    assert_eq!(crate::left_out(&none, None, now), None);
    let over = crate::left_out(&none, Some(&token), now).unwrap();
    assert!(over.is_skipped() && over.control.skip_token.as_deref() == Some("1"));
    assert_eq!(crate::left_out(&over, Some(&token), now), None, "once");
    let world = World::at("1.34.2");
    world.until(&full("1.34.4"), is_operation);
    assert_eq!(crate::left_out(&world.state().stored, Some(&token), now), None);
}

#[test]
fn a_cluster_that_waits_for_its_wave_is_left_out_without_a_look_at_it() {
    let world = World::at("1.34.2");
    let waits = Request { waits_for_wave: Some("canary".to_owned()), ..full("1.34.4") };
    world.finish(&skips(&waits));
    assert!(world.state().stored.is_skipped() && world.state().reads == 0);
}

#[test]
fn what_is_asked_of_an_upgrade_that_has_ended_is_answered_once() {
    let world = World::at("1.34.2");
    let request = full("1.34.4");
    world.finish(&request);
    let done = world.state().stored.clone();
    let sent = world.state().sent.len();
    let request = asks(&retried(&request, "again"), |asked| {
        asked.abort = Some("stop".to_owned());
        asked.rollback = Some("linux1/1".to_owned());
    });
    world.finish(&request);
    let told = world.state().stored.clone();
    let words =
        "not done: retry, abort, rollback; this upgrade has ended, and nothing is done with it any more";
    assert_eq!(told.control.refused.as_deref(), Some(words));
    let writes = world.state().writes.len();
    world.finish(&request);
    assert_eq!(world.state().writes.len(), writes, "once");
    assert_eq!(world.state().sent.len(), sent, "nothing is done");
    assert_eq!((told.steps, told.finished_at), (done.steps, done.finished_at));
    world.finish(&asks(&request, |asked| asked.skip = Some("1".to_owned())));
    let control = world.state().stored.control.clone();
    assert!(control.refused.unwrap().starts_with("not done: skip; ") && !control.skipped);
}

#[test]
fn gates_that_fail_meanwhile_abort_the_operation_where_that_is_asked_for() {
    let with = |on_gate_failure| {
        let world = World::at("1.34.2");
        world.state().takes = 60 * MINUTE;
        let mut request = full("1.34.4");
        request.policy.on_gate_failure = on_gate_failure;
        world.until(&request, is_operation);
        world.state().workloads = Ok(vec![workload("checkout", Some("0 of 3 available"))]);
        let waiting = world.until_reason(&request, "GateFailed").to_string();
        let aborts = world.state().aborts.len();
        (world, request, waiting, aborts)
    };
    let (world, request, waiting, aborts) = with(OnGateFailure::AbortOperation);
    assert_eq!(aborts, 1);
    assert!(waiting.starts_with("the upgrade of control plane was aborted; nothing is undone"), "{waiting}");
    assert!(waiting.contains("checkout: 0 of 3 available"), "{waiting}");
    world.state().workloads = Ok(vec![workload("checkout", None)]);
    world.pass(60 * MINUTE);
    assert_eq!(world.advance(&request).unwrap().waiting.unwrap().reason(), "GateFailed", "until retry");
    world.finish(&retried(&request, "on"));
    let (_, _, waiting, aborts) = with(OnGateFailure::Hold);
    assert_eq!(aborts, 0, "{waiting}");
}
