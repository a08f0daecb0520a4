//! Failures within and beyond the budget, and what `retry` on the plan does about them.

use super::{world::World, *};

fn state(world: &World, cluster: &str) -> Option<MemberState> {
    world.upgrades().iter().find(|member| member.cluster == cluster).map(RolloutMember::state)
}

fn live(world: &World, rounds: usize) {
    for _ in 0..rounds {
        world.reconcile().unwrap();
        world.tick();
    }
}

#[test]
fn within_the_budget_all_others_are_upgraded_and_retry_finishes_the_rest() {
    let world = World::new();
    world.state().budget = 1;
    world.stop("a");
    live(&world, 60);
    let others = ["b", "c", "d", "e"].map(|cluster| state(&world, cluster));
    assert_eq!(others, [Some(MemberState::Succeeded); 4]);
    assert_eq!(state(&world, "a"), Some(MemberState::Stopped));
    world.repair();
    world.state().retry = Some("now".to_owned());
    live(&world, 10);
    assert_eq!(state(&world, "a"), Some(MemberState::Succeeded));
    assert_eq!(world.state().retried, ["p-1-a"], "nobody else is asked");
    let writes = world.writes();
    live(&world, 3);
    assert_eq!(world.writes(), writes, "once");
}

#[test]
fn a_token_that_was_there_before_a_rollout_is_not_for_it() {
    let world = World::new();
    world.state().retry = Some("old".to_owned());
    world.stop("a");
    live(&world, 6);
    assert_eq!((state(&world, "a"), world.state().retried.len()), (Some(MemberState::Stopped), 0));
    let token = world.state().record.as_ref().and_then(|rollout| rollout.retry_token.clone());
    assert_eq!(token.as_deref(), Some("old"));
}

#[test]
fn whoever_dies_while_handing_on_a_retry_has_it_done_by_the_next_and_nobody_is_asked_twice() {
    let story = |crash| {
        let world = World::new();
        world.widen();
        world.stop("a");
        world.stop("b");
        live(&world, 6);
        let before = world.state().calls;
        world.state().crash = crash;
        world.state().retry = Some("now".to_owned());
        world.repair();
        for _ in 0..4 {
            while world.reconcile().is_none() {}
            world.tick();
        }
        assert!(world.state().crash.is_none(), "it died: {crash:?}");
        assert_eq!(world.state().retried, ["p-1-a", "p-1-b"], "{crash:?}");
        (before, world.state().calls)
    };
    let (from, to) = story(None);
    for at in from + 1..=to {
        for after_effect in [false, true] {
            story(Some(super::world::Crash { at, after_effect }));
        }
    }
}

#[test]
fn what_holds_up_a_plan_that_was_changed_is_retried_with_the_plan() {
    let world = World::new();
    live(&world, 2);
    let stops = |world: &World| {
        let mut state = world.state();
        let member = state.members.get_mut("p-1-a").unwrap();
        member.ledger.operation = operation(Phase::Verifying);
        member.standing = standing(true, "NodesNotUpdated");
    };
    stops(&world);
    world.edit();
    let progress = world.reconcile().unwrap();
    assert!(matches!(progress.obstacle, Some(Obstacle::EarlierRollout(_))), "{:?}", progress.obstacle);
    stops(&world);
    world.state().retry = Some("now".to_owned());
    world.reconcile().unwrap();
    let state = world.state();
    let member = &state.members["p-1-a"];
    assert_eq!((member.retry.as_deref(), member.place.suspended), (Some("now"), true));
    assert!(state.members["p-1-b"].retry.is_none(), "it has not stopped");
}

#[test]
fn a_cluster_that_is_deregistered_before_its_turn_leaves_and_one_that_has_begun_does_not() {
    let table = [(false, MemberState::Left), (true, MemberState::Stopped)];
    for (begun, expected) in table {
        let mut member = RolloutMember { registered: false, ..member(true) };
        member.standing = standing(true, "InvalidSpec");
        member.ledger.operation = operation(Phase::Submitted).filter(|_| begun);
        assert_eq!(member.state(), expected, "begun: {begun}");
    }
}

#[test]
fn what_azure_works_on_takes_a_place_also_when_it_has_stopped() {
    let works = |phase: Option<Phase>| {
        let mut member = member(true);
        member.standing = standing(true, "StepTimeout");
        member.ledger.operation = phase.and_then(operation);
        member.of_wave(&std::collections::BTreeMap::new()).works
    };
    assert_eq!([Some(Phase::Submitted), Some(Phase::Intent), None].map(works), [true, false, false]);
}
