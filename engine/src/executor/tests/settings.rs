//! Settings that a step overrides: recorded before, put back on every way out.

use super::*;
use crate::{
    Ledger, Request, Setting, Settings, Stance, Unreadable,
    testing::world::{Answer, OPERATION, State, World},
};

mod deleted;
mod others;
mod refused;
mod ways_out;

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
    assert_eq!(
        waiting.to_string(),
        "the upgrade settings of pool linux1 are being changed for the next step"
    );
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
