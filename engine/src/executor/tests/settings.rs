//! Settings that a step overrides: recorded before, put back on every way out.

use super::*;
use crate::{
    Ledger, Request, Setting, Settings, Stance, Unreadable,
    testing::world::{Answer, OPERATION, World},
};
use Setting::{
    DrainTimeoutInMinutes, ForceUpgrade, MaxSurge, MaxUnavailable, NodeSoakDurationInMinutes, Until,
};

fn with(request: Request, settings: Settings) -> Request {
    Request { policy: Policy { upgrade_settings: settings, ..request.policy }, ..request }
}

fn surge() -> Settings {
    [(MaxSurge, "33%"), (DrainTimeoutInMinutes, "45")].into()
}

/// What the pools had before anybody upgraded them.
fn original(name: &str) -> Settings {
    match name {
        "linux1" => [(MaxSurge, "10%"), (MaxUnavailable, "0")].into(),
        "win1" => [(MaxSurge, "1"), (DrainTimeoutInMinutes, "60"), (NodeSoakDurationInMinutes, "5")].into(),
        _ => Settings::default(),
    }
}

fn world_at(version: &str) -> World {
    let world = World::at(version);
    for pool in &mut world.state().cluster.pools {
        pool.upgrade_settings = original(&pool.name);
    }
    world
}

fn assert_as_before(world: &World) {
    let state = world.state();
    for pool in &state.cluster.pools {
        assert_eq!(pool.upgrade_settings, original(&pool.name), "{}", pool.name);
    }
    assert!(state.cluster.override_settings.is_empty());
    assert!(state.stored.restore.is_empty() && state.stored.left_to_others.is_empty(), "{:?}", state.stored);
}

fn abandoned(request: &Request) -> Request {
    Request { abandoned: true, ..request.clone() }
}

fn in_pool(world: &World, request: &Request, pool: &str) {
    let upgrades = |waiting: &WaitingOn| is_operation(waiting) && waiting.to_string().contains(pool);
    world.until(request, upgrades).unwrap();
}

fn surge_of(world: &World, pool: &str) -> Option<String> {
    world.state().settings(Some(pool)).0.get(&MaxSurge).cloned()
}

#[test]
fn every_temporary_setting_is_restored() {
    let world = world_at("1.34.2");
    let request = with(full("1.34.4"), surge());
    in_pool(&world, &request, "linux1");
    assert_eq!(surge_of(&world, "linux1").as_deref(), Some("33%"), "a version step brings them along");
    assert_eq!(surge_of(&world, "linux2"), None, "only for the step");
    assert!(world.state().settings_sent.is_empty());
    let waiting = world.until_reason(&request, "RestoringSettings");
    assert_eq!(waiting.to_string(), "pool linux1 gets back the upgrade settings that it had before its step");
    assert_eq!(waiting.stance(), Stance::Working);
    world.finish(&request);
    assert_as_before(&world);
    let state = world.state();
    assert_eq!(state.settings_sent, ["restore linux1", "restore linux2", "restore system", "restore win1"]);
    state.assert_nothing_twice();
    let writes: usize = state.writes.len();
    println!("{writes} writes for {} steps with settings", state.stored.steps.len());
    assert!(writes <= 5 * state.stored.steps.len(), "{writes}");
}

#[test]
fn an_image_step_has_its_settings_changed_before_and_after() {
    let world = world_at("1.34.4");
    let request = with(request(Scope::NodeImage, None), surge());
    let waiting = world.until_reason(&request, "ChangingSettings");
    assert_eq!(waiting.to_string(), "Azure changes the upgrade settings of pool linux1 for the next step");
    assert!(world.state().sent.is_empty());
    world.finish(&request);
    assert_as_before(&world);
    let state = world.state();
    assert_eq!(state.settings_sent[..3], ["override linux1", "restore linux1", "override linux2"]);
    assert_eq!(state.settings_sent.len(), 8);
    state.assert_nothing_twice();
}

#[test]
fn a_rule_of_the_order_goes_before_the_plan_and_pools_that_have_it_all_are_left_alone() {
    let world = world_at("1.34.2");
    let mut request = with(full("1.34.4"), [(MaxSurge, "10%")].into());
    request.policy.order = pool_soak("win1", MINUTE);
    request.policy.order[0].upgrade_settings = [(MaxUnavailable, "1")].into();
    in_pool(&world, &request, "win1");
    assert_eq!(
        *world.state().settings(Some("win1")),
        [
            (MaxSurge, "0"),
            (MaxUnavailable, "1"),
            (DrainTimeoutInMinutes, "60"),
            (NodeSoakDurationInMinutes, "5")
        ]
        .into()
    );
    world.until_reason(&request, "Soaking");
    assert_eq!(*world.state().settings(Some("win1")), original("win1"), "while it soaks, too");
    world.finish(&request);
    assert_as_before(&world);
    let sent = &world.state().settings_sent;
    assert!(!sent.contains(&"restore linux1".to_owned()), "it had 10% before: {sent:?}");
}

#[test]
fn force_is_given_only_until_its_end_and_taken_back_after_each_step() {
    let until: jiff::Timestamp = "2026-11-20T22:18:00Z".parse().unwrap();
    let mut request = full("1.34.4");
    request.policy.force_until = Some(until);
    let world = World::at("1.34.2");
    world.until(&request, is_operation);
    let forced: Settings = [(ForceUpgrade, "true"), (Until, "2026-11-20T22:18:00Z")].into();
    assert_eq!(*world.state().settings(None), forced, "the control plane brings it along");
    world.until_reason(&request, "RestoringSettings");
    world.until_reason(&request, "ChangingSettings");
    in_pool(&world, &request, "linux1");
    assert_eq!(*world.state().settings(None), forced);
    world.finish(&request);
    let state = world.state();
    assert_eq!(
        state.settings_sent,
        ["restore cluster", "override cluster", "restore cluster"],
        "after its end nothing is forced"
    );
    assert!(state.cluster.override_settings.is_empty() && state.stored.restore.is_empty());
    state.assert_nothing_twice();
}

#[test]
fn what_was_forced_by_others_is_as_they_left_it() {
    let theirs: Settings = [(ForceUpgrade, "false"), (Until, "2026-01-01T00:00:00Z")].into();
    let mut request = control_plane("1.34.4");
    request.policy.force_until = Some("2026-12-01T00:00:00Z".parse().unwrap());
    let world = World::at("1.34.2");
    *world.state().settings(None) = theirs.clone();
    world.finish(&request);
    assert_eq!(*world.state().settings(None), theirs);
}

#[test]
fn system_pools_cannot_have_unavailable_nodes() {
    let world = world_at("1.34.2");
    let mut request = with(full("1.34.4"), [(MaxUnavailable, "1")].into());
    let waiting = world.until_reason(&request, "InvalidSpec");
    assert!(
        waiting.to_string().contains("maxUnavailable cannot be used for pool system: "),
        "it names the field, and what would be right: {waiting}"
    );
    assert!(world.state().sent.is_empty() && world.state().settings_sent.is_empty());
    request.policy.order = pool_soak("system", Duration::ZERO);
    request.policy.order[0].upgrade_settings = [(MaxSurge, "1")].into();
    world.finish(&request);
    assert_as_before(&world);
}

#[test]
fn between_attempts_they_stay_and_after_the_last_one_they_are_put_back() {
    let world = world_at("1.34.2").answers([Answer::Accept, Answer::FailLater(timed_out())]);
    let request = with(full("1.34.4"), surge());
    world.until_reason(&request, "Retrying");
    assert_eq!(surge_of(&world, "linux1").as_deref(), Some("33%"));
    world.finish(&request);
    assert_as_before(&world);
    assert_eq!(world.state().settings_sent.len(), 4, "once for each pool");
}

#[test]
fn a_held_step_on_a_failed_pool_is_not_started_again_by_putting_settings_back() {
    for end in [Answer::FailLater(timed_out()), Answer::Abort] {
        let world =
            world_at("1.34.2").answers([Answer::Accept].into_iter().chain(std::iter::repeat_n(end, 3)));
        let request = with(full("1.34.4"), surge());
        world.until_reason(&request, "OperationFailed");
        for _ in 0..5 {
            world.pass(60 * MINUTE);
            assert_eq!(world.advance(&request).unwrap().waiting.unwrap().reason(), "OperationFailed");
        }
        assert!(world.state().settings_sent.is_empty());
        assert_eq!(
            world.state().stored.restore[0].before,
            [(MaxSurge, "10%")].into(),
            "it is known what they were"
        );
        world.state().answers.clear();
        world.finish(&retried(&request, "go"));
        assert_as_before(&world);
    }
}

#[test]
fn a_held_step_on_a_whole_pool_keeps_nothing_changed() {
    let refused = failure(Some(400), "InvalidParameter", "no");
    let world = world_at("1.34.4").answers([Answer::Refuse(refused, None)]);
    let request = with(request(Scope::NodeImage, None), surge());
    world.until_reason(&request, "OperationFailed");
    world.until_reason(&request, "RestoringSettings");
    world.until_reason(&request, "OperationFailed");
    assert_as_before(&world);
    assert_eq!(world.state().settings_sent, ["override linux1", "restore linux1"]);
    world.finish(&retried(&request, "go"));
    assert_as_before(&world);
    assert_eq!(world.state().settings_sent[2..4], ["override linux1", "restore linux1"], "for the step anew");
}

#[test]
fn suspend_between_settings_and_image_puts_them_back() {
    let world = world_at("1.34.4");
    let request = with(request(Scope::NodeImage, None), surge());
    world.until_reason(&request, "ChangingSettings");
    let suspended = Request { suspend: true, ..request.clone() };
    world.until_reason(&suspended, "Suspended");
    assert_as_before(&world);
    assert!(world.state().sent.is_empty());
    world.finish(&request);
    assert_as_before(&world);
    world.state().assert_nothing_twice();
}

#[test]
fn a_failed_gate_is_waited_for_with_the_settings_put_back() {
    let world = world_at("1.34.2");
    let request = with(full("1.34.4"), surge());
    in_pool(&world, &request, "linux1");
    world.state().workloads = Ok(vec![crate::testing::world::workload("checkout", Some("0 of 3 available"))]);
    world.until_reason(&request, "GateFailed");
    assert_as_before(&world);
    world.state().workloads = Ok(vec![crate::testing::world::workload("checkout", None)]);
    world.finish(&request);
}

#[test]
fn deleted_in_mid_step_it_waits_and_puts_back_and_starts_nothing_new() {
    let world = world_at("1.34.2");
    let request = with(full("1.34.4"), surge());
    in_pool(&world, &request, "linux1");
    let waiting = world.advance(&abandoned(&request)).unwrap().waiting.unwrap();
    assert!(["RestoringSettings", "UpgradingNodePool"].contains(&waiting.reason()), "{waiting:?}");
    assert!(world.state().settings_sent.is_empty(), "the step in flight is waited for");
    // The target cluster is away: nothing of it is needed.
    world.state().workloads = Err(Unreadable::failed("connection refused"));
    world.state().log.clear();
    assert_eq!(world.until(&abandoned(&request), |_| false), None);
    assert_as_before(&world);
    let state = world.state();
    assert_eq!(state.settings_sent, ["restore linux1"]);
    assert_eq!(state.sent, ["cp-1.34.4", "pool-linux1-1.34.4"]);
    for read in ["nodes", "workloads", "server", "offers"] {
        assert!(!state.log.contains(&read), "{:?}", state.log);
    }
}

#[test]
fn deleted_before_anything_was_changed_there_is_nothing_to_do() {
    let world = world_at("1.34.2");
    let request = with(full("1.34.4"), surge());
    world.until(&request, is_operation);
    assert_eq!(world.advance(&abandoned(&request)).unwrap().waiting, None);
    assert!(!world.state().log.contains(&"cluster") && !world.state().log.contains(&"glance"));
    world.state().stored = Ledger::default();
    assert_eq!(world.advance(&abandoned(&request)).unwrap().waiting, None);
    assert_eq!(world.state().sent, ["cp-1.34.4"]);
}

#[test]
fn deleted_while_held_the_settings_come_back_although_azure_goes_on() {
    let world = world_at("1.34.2").answers([Answer::Accept, Answer::Abort]);
    let request = with(full("1.34.4"), surge());
    world.until_reason(&request, "OperationFailed");
    assert_eq!(world.until(&abandoned(&request), |_| false), None);
    assert_as_before(&world);
    let state = world.state();
    assert_eq!((state.sent.len(), state.done.len()), (2, 2), "the pool is whole again: {:?}", state.done);
}

#[test]
fn what_is_gone_needs_nothing_back() {
    let request = with(full("1.34.4"), surge());
    let world = world_at("1.34.2");
    in_pool(&world, &request, "linux1");
    world.state().azure = Err(Unreadable::failed("503: try later"));
    world.pass(MINUTE);
    assert_eq!(
        world.advance(&abandoned(&request)).unwrap().waiting.unwrap().reason(),
        "AzureUnreachable",
        "out of reach is not gone"
    );
    world.state().azure = Err(Unreadable::Gone("404 ResourceNotFound".to_owned()));
    world.pass(MINUTE);
    assert_eq!(world.advance(&abandoned(&request)).unwrap().waiting, None);
    assert!(world.state().stored.restore.is_empty());

    let world = world_at("1.34.2");
    in_pool(&world, &request, "linux1");
    world.state().cluster.pools.retain(|pool| pool.name != "linux1");
    world.until_reason(&request, "ExternalChange");
    assert!(world.state().stored.restore.is_empty(), "neither does a pool that does not exist");
}

#[test]
fn what_somebody_else_changed_meanwhile_is_left_and_said() {
    let world = world_at("1.34.2");
    let request = with(full("1.34.4"), surge());
    in_pool(&world, &request, "linux1");
    world.state().settings(Some("linux1")).0.insert(MaxSurge, "50%".to_owned());
    let ledger = world.finish(&request);
    assert_eq!(*world.state().settings(Some("linux1")), [(MaxSurge, "50%"), (MaxUnavailable, "0")].into());
    assert_eq!(ledger.left_to_others, ["maxSurge of pool linux1"]);
    assert!(ledger.restore.is_empty());
}

#[test]
fn what_somebody_else_changed_between_record_and_write_is_what_comes_back() {
    let world = world_at("1.34.2");
    let request = with(full("1.34.4"), surge());
    world.state().after_write = Some(|state| {
        if state.stored.operation.as_ref().is_some_and(|operation| operation.step_id.contains("linux2")) {
            state.after_write = None;
            state.settings(Some("linux2")).0.insert(MaxSurge, "7".to_owned());
        }
    });
    world.finish(&request);
    assert_eq!(*world.state().settings(Some("linux2")), [(MaxSurge, "7")].into());
    assert!(world.state().stored.left_to_others.is_empty());
    world.state().assert_nothing_twice();
}

#[test]
fn putting_back_is_tried_until_azure_takes_it() {
    let world = world_at("1.34.2");
    let locked = || Answer::Refuse(failure(Some(409), "ScopeLocked", "the scope is locked"), None);
    let request = with(full("1.34.4"), surge());
    world.state().settings_answers.extend([locked(), locked()]);
    let waiting = world.until_reason(&request, "RestoreFailed");
    assert_eq!(waiting.stance(), Stance::Stopped);
    assert!(waiting.to_string().contains("the scope is locked"), "{waiting}");
    let began = world.state().now;
    assert_eq!(world.until(&request, |_| false), None);
    assert!(world.state().now >= began + 60 * MINUTE, "at a slow pace");
    assert_as_before(&world);
}

#[test]
fn settings_that_azure_takes_and_does_not_show_do_not_go_on_for_ever() {
    let world = world_at("1.34.4");
    world.state().settings_answers.extend(std::iter::repeat_n(Answer::Pretend, 20));
    let request = with(request(Scope::NodeImage, None), surge());
    let waiting = world.until_reason(&request, "OperationFailed");
    assert!(waiting.to_string().contains("does not show them"), "{waiting}");
    assert_eq!(world.state().settings_sent, ["override linux1"; 3]);
    assert!(world.state().sent.is_empty());
    world.state().settings_answers.clear();
    world.finish(&retried(&request, "go"));
    assert_as_before(&world);

    let world = world_at("1.34.2");
    world.state().settings_answers.extend(std::iter::repeat_n(Answer::Pretend, 20));
    let request = with(full("1.34.4"), surge());
    let waiting = world.until_reason(&request, "RestoreFailed");
    assert!(waiting.to_string().contains("does not show them"), "{waiting}");
    world.pass(24 * 60 * MINUTE);
    assert!(world.state().settings_sent.len() <= 6, "{:?}", world.state().settings_sent);
    world.state().settings_answers.clear();
    assert_eq!(world.until(&request, |_| false), None);
    assert_as_before(&world);
}

#[test]
fn a_limit_that_holds_settings_back_is_told_and_is_no_attempt() {
    let world = world_at("1.34.4");
    world.state().settings_answers.extend([Answer::HoldBack(3 * MINUTE), Answer::Accept]);
    world.state().settings_answers.extend(std::iter::repeat_n(Answer::HoldBack(3 * MINUTE), 8));
    let request = with(request(Scope::NodeImage, None), surge());
    let began = world.state().now;
    let waiting = world.until_reason(&request, "WaitingForAzureLimit");
    assert_eq!(waiting.stance(), Stance::Working);
    in_pool(&world, &request, "linux1");
    assert!(world.state().now >= began + 3 * MINUTE);
    let restored =
        |waiting: &WaitingOn| waiting.reason() == "RestoreFailed" || waiting.to_string().contains("linux2");
    let began = world.state().now;
    let waiting = world.until(&request, restored).unwrap();
    assert!(waiting.to_string().contains("linux2"), "however often it is held back: {waiting}");
    assert!(world.state().now >= began + 8 * 3 * MINUTE);
    let ledger = world.finish(&request);
    assert!(ledger.steps.iter().all(|record| record.attempts == 1));
    assert_as_before(&world);
}

#[test]
fn nothing_is_put_back_by_who_lost_the_lease() {
    let world = world_at("1.34.2");
    let request = with(full("1.34.4"), surge());
    in_pool(&world, &request, "linux1");
    world.state().may_act = false;
    world.pass(OPERATION);
    for _ in 0..5 {
        world.advance(&request);
        world.pass(MINUTE);
    }
    assert!(world.state().settings_sent.is_empty());
    world.state().may_act = true;
    world.finish(&request);
    assert_as_before(&world);
}

#[test]
fn an_old_document_right_after_a_change_is_not_taken_for_settings_that_are_back() {
    let world = world_at("1.34.4");
    let request = with(request(Scope::NodeImage, None), surge());
    world.until_reason(&request, "ChangingSettings");
    assert_eq!(surge_of(&world, "linux1").as_deref(), Some("33%"));
    // For a minute Azure shows what was there before.
    world.pass(MINUTE);
    let changed = std::mem::replace(world.state().settings(Some("linux1")), original("linux1"));
    let waiting = world.advance(&request).unwrap().waiting.unwrap();
    assert_eq!(waiting.reason(), "ChangingSettings", "nor is it sent again");
    let waiting = world.advance(&abandoned(&request)).unwrap().waiting.unwrap();
    assert_eq!(waiting.reason(), "RestoringSettings");
    *world.state().settings(Some("linux1")) = changed;
    assert_eq!(world.until(&abandoned(&request), |_| false), None);
    assert_as_before(&world);
    assert_eq!(world.state().settings_sent, ["override linux1", "restore linux1"]);
}
