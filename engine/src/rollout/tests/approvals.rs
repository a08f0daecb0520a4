//! Waves that need approvals: they start by those that are there at that moment, and are recorded with them.

use std::time::Duration;

use super::{world::World, *};

fn approve(world: &World, approver: &str) {
    let mut state = world.state();
    let given_at = state.now;
    let rollout = state.record.clone().unwrap();
    let name = format!("{approver}-{}", state.approvals.len());
    state.approvals.push(Approval {
        name,
        wave: "prod".to_owned(),
        rollout: rollout.id,
        plan_hash: rollout.plan_hash,
        approver: approver.to_owned(),
        reason: "CHG-1".to_owned(),
        given_at,
    });
}

fn live(world: &World, rounds: usize) {
    for _ in 0..rounds {
        while world.reconcile().is_none() {}
        world.tick();
    }
}

/// Clusters of wave `prod` that were let start.
fn started(world: &World) -> usize {
    world.upgrades().iter().filter(|member| member.wave == "prod" && member.place.admitted).count()
}

fn world() -> World {
    let world = World::new();
    world.state().required = 2;
    live(&world, 30);
    assert_eq!(started(&world), 0);
    world
}

fn approvers(world: &World) -> Vec<String> {
    let rollout = world.state().record.clone().unwrap();
    rollout.approved.into_iter().flat_map(|wave| wave.by).map(|approver| approver.name).collect()
}

#[test]
fn two_people_let_a_wave_start_and_the_record_says_who() {
    let world = world();
    approve(&world, "bea");
    approve(&world, "bea");
    approve(&world, "ann");
    live(&world, 3);
    assert_eq!((started(&world), approvers(&world).len()), (0, 0), "twice, and an author");
    approve(&world, "cem");
    live(&world, 1);
    assert!(started(&world) > 0);
    assert_eq!(approvers(&world), ["bea", "cem"]);
    // What becomes of them later changes nothing.
    world.state().approvals.clear();
    world.settle();
    assert_eq!(approvers(&world), ["bea", "cem"]);
    let told = world.state().history[0].approvals.clone();
    let told: Vec<_> = told.iter().map(|yes| (yes.approver.as_str(), yes.reason.as_deref())).collect();
    assert_eq!(told, [("bea", Some("CHG-1")), ("cem", Some("CHG-1"))], "it is remembered");
}

#[test]
fn an_approval_that_expires_before_the_start_does_not_count() {
    let world = world();
    approve(&world, "bea");
    world.state().now += Duration::from_secs(3600);
    approve(&world, "cem");
    live(&world, 3);
    assert_eq!(started(&world), 0);
    approve(&world, "bea");
    live(&world, 1);
    assert!(started(&world) > 0);
}

#[test]
fn one_that_is_withdrawn_while_the_wave_is_claimed_does_not_count() {
    let world = world();
    approve(&world, "bea");
    approve(&world, "cem");
    world.state().withdrawn = Some("cem-1".to_owned());
    live(&world, 3);
    assert!(world.state().withdrawn.is_none(), "it was claimed");
    assert_eq!(started(&world), 0);
    approve(&world, "dan");
    live(&world, 1);
    assert!(started(&world) > 0);
    assert_eq!(approvers(&world), ["bea", "dan"]);
}

#[test]
fn an_edited_plan_needs_new_approvals() {
    let world = world();
    approve(&world, "bea");
    approve(&world, "cem");
    world.edit();
    live(&world, 40);
    assert_eq!((started(&world), approvers(&world).len()), (0, 0));
    approve(&world, "bea");
    approve(&world, "cem");
    world.settle();
    assert_eq!(approvers(&world), ["bea", "cem"]);
}

#[test]
fn whoever_dies_at_any_call_leaves_a_wave_that_is_let_start_by_what_is_recorded() {
    let story = |crash| {
        let world = world();
        approve(&world, "bea");
        approve(&world, "cem");
        let before = world.state().calls;
        world.state().crash = crash;
        live(&world, 2);
        assert!(started(&world) > 0, "{crash:?}");
        assert_eq!(approvers(&world), ["bea", "cem"], "{crash:?}");
        (before, world.state().calls)
    };
    let (from, to) = story(None);
    for at in from + 1..=to {
        for after_effect in [false, true] {
            story(Some(super::world::Crash { at, after_effect }));
        }
    }
}
