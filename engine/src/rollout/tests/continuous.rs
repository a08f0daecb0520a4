//! Continuous plans: one rollout after the other, never two, and what was done is remembered.

use super::{
    world::{Crash, World},
    *,
};

/// A continuous plan whose clusters need something.
fn continuous(needy: &[&str]) -> World {
    let world = World::new();
    world.state().continuous = true;
    need(&world, needy);
    world
}

fn need(world: &World, clusters: &[&str]) {
    world.state().needy.extend(clusters.iter().map(|name| (*name).to_owned()));
}

fn rollout(world: &World) -> Rollout {
    world.state().record.clone().unwrap()
}

fn clusters(world: &World) -> Vec<String> {
    world.upgrades().into_iter().map(|member| member.name).collect()
}

/// Runs until nothing is to be done any more.
fn settle(world: &World) {
    for _ in 0..200 {
        let progress = world.reconcile();
        world.tick();
        let is_over = |progress: &world::Progress| {
            progress.obstacle.is_none()
                && progress.rollout.as_ref().is_some_and(|rollout| rollout.ended_at.is_some())
        };
        if progress.is_some_and(|progress| is_over(&progress)) && world.state().needy.is_empty() {
            return;
        }
    }
    panic!("it does not end: {:#?}", rollout(world));
}

#[test]
fn a_rollout_has_the_clusters_that_need_something_and_is_over_when_all_have_it() {
    let world = continuous(&["a", "d"]);
    settle(&world);
    assert_eq!(clusters(&world), ["p-1-a", "p-1-d"]);
    let first = rollout(&world);
    assert!(first.ended_at.is_some_and(|ended| ended > first.started_at));
    let writes = world.writes();
    for _ in 0..5 {
        assert_eq!(world.reconcile().unwrap().obstacle, None);
        world.tick();
    }
    assert_eq!(world.writes(), writes, "nothing is written while nothing is needed");
}

#[test]
fn another_follows_when_clusters_need_something_again_and_what_was_done_is_remembered() {
    let world = continuous(&["a", "d"]);
    settle(&world);
    need(&world, &["d", "e"]);
    settle(&world);
    assert_eq!(clusters(&world), ["p-2-d", "p-2-e"], "what is left of the first is gone");
    let history = world.state().history.clone();
    let told: Vec<_> = history
        .iter()
        .map(|known| (known.id.as_str(), known.outcome, known.succeeded, known.clusters))
        .collect();
    assert_eq!(told, [("p-2", Outcome::Succeeded, 2, 2), ("p-1", Outcome::Succeeded, 2, 2)]);
}

#[test]
fn nothing_to_do_is_a_rollout_without_clusters_that_is_over_at_once() {
    let world = continuous(&[]);
    settle(&world);
    assert_eq!((rollout(&world).number, clusters(&world).len()), (1, 0));
    assert!(world.state().history.is_empty(), "there is nothing to tell");
    world.edit();
    settle(&world);
    assert_eq!(rollout(&world).number, 2, "the plan is another now, and so is what it stands for");
}

#[test]
fn while_one_runs_or_has_stopped_none_starts() {
    let world = continuous(&["a", "d"]);
    world.stop("a");
    for _ in 0..20 {
        world.reconcile();
        world.tick();
        need(&world, &["e"]);
    }
    assert_eq!(rollout(&world).id, "p-1");
    assert!(world.upgrades().iter().any(RolloutMember::is_stopped));
    world.repair();
    settle(&world);
    assert_eq!((rollout(&world).id.as_str(), clusters(&world).join(" ").as_str()), ("p-2", "p-2-e"));
}

#[test]
fn a_suspended_plan_starts_none() {
    let world = continuous(&["a"]);
    settle(&world);
    world.suspend(true);
    need(&world, &["b"]);
    for _ in 0..5 {
        world.reconcile();
        world.tick();
    }
    assert_eq!(rollout(&world).id, "p-1");
    world.suspend(false);
    settle(&world);
    assert_eq!(clusters(&world), ["p-2-b"]);
}

#[test]
fn upgrades_that_somebody_deletes_do_not_undo_that_a_rollout_is_over() {
    let world = continuous(&["a", "d"]);
    settle(&world);
    let before = world.state().history.clone();
    world.state().members.clear();
    let progress = world.reconcile().unwrap();
    let (request, _) = world.read();
    let waves = progress.waves(&request, INSTANT.parse().unwrap());
    assert!(waves.iter().all(|wave| wave.missing == 0));
    need(&world, &["b"]);
    settle(&world);
    assert_eq!(world.state().history[1], before[0]);
}

#[test]
fn wherever_it_dies_the_next_rollout_comes_to_the_same() {
    let calls = {
        let world = continuous(&["a", "d"]);
        settle(&world);
        need(&world, &["d", "e"]);
        let before = world.state().calls;
        settle(&world);
        (before, world.state().calls)
    };
    for at in calls.0..calls.1 {
        for after_effect in [false, true] {
            let world = continuous(&["a", "d"]);
            settle(&world);
            need(&world, &["d", "e"]);
            world.state().crash = Some(Crash { at, after_effect });
            settle(&world);
            let there = clusters(&world);
            assert_eq!(there, ["p-2-d", "p-2-e"], "died at call {at}, {after_effect}");
            let told: Vec<_> =
                world.state().history.iter().map(|known| (known.id.clone(), known.succeeded)).collect();
            assert_eq!(
                told,
                [("p-2".to_owned(), 2), ("p-1".to_owned(), 2)],
                "died at call {at}, {after_effect}"
            );
        }
    }
}

/// A continuous plan with a budget of one: `a` has come to its end, and `b` fails `days` later.
fn fails_late(days: i64) -> World {
    let world = continuous(&["a", "b"]);
    world.widen();
    world.state().budget = 1;
    for _ in 0..2 {
        world.reconcile().unwrap();
        world.tick();
    }
    // As if it waited for a window of its own.
    world.state().members.get_mut("p-1-b").unwrap().suspended_by_hand = true;
    for _ in 0..10 {
        world.reconcile().unwrap();
        world.tick();
    }
    assert_eq!(state_of(&world, "p-1-a"), MemberState::Succeeded);
    assert_eq!(rollout(&world).ended_at, None);
    world.days_pass(days);
    world.stop("b");
    world.state().members.get_mut("p-1-b").unwrap().suspended_by_hand = false;
    while rollout(&world).ended_at.is_none() {
        world.tick();
        world.reconcile().unwrap();
    }
    assert_eq!(state_of(&world, "p-1-b"), MemberState::Stopped);
    world
}

fn state_of(world: &World, name: &str) -> MemberState {
    world.state().members[name].state()
}

/// Since when what was left undone is left in peace; `None` when another rollout is not thought about.
fn rests_since(world: &World) -> Option<Timestamp> {
    let mut state = world.state();
    state.left = None;
    state.needy.clear();
    drop(state);
    world.reconcile().unwrap();
    world.state().left.as_ref().map(|left| left.rests_since)
}

#[test]
fn what_fails_late_is_left_in_peace_from_then_on() {
    let world = fails_late(8);
    let now = world.state().now;
    let ended_at = rollout(&world).ended_at;
    assert_eq!(ended_at, Some(now), "when it was noticed, not when the other had come to its end");
    assert_eq!(world.state().history[0].ended_at, ended_at);
    assert_eq!(rests_since(&world), ended_at);
    // Tried once more by a person, it fails again.
    world.days_pass(6);
    world.repair();
    world.tick();
    world.stop("b");
    (0..3).for_each(|_| world.tick());
    assert_eq!(state_of(&world, "p-1-b"), MemberState::Stopped);
    let again = rests_since(&world).unwrap();
    assert!(again > now + jiff::SignedDuration::from_hours(6 * 24), "{again}");
    assert_eq!(rollout(&world).ended_at, ended_at, "the rollout was over before");
}

#[test]
fn who_holds_what_has_failed_and_lets_it_go_on_does_not_begin_its_rest_anew() {
    let world = fails_late(8);
    let ended_at = rollout(&world).ended_at;
    for held in [true, false] {
        world.days_pass(5);
        let mut state = world.state();
        let since = state.now;
        let told = if held { standing(false, "Suspended") } else { standing(true, "DrainBlocked") }.unwrap();
        let member = state.members.get_mut("p-1-b").unwrap();
        member.place.suspended = held;
        member.standing = Some(MemberStanding { since, ..told });
        drop(state);
        assert_eq!(rests_since(&world), ended_at, "held: {held}");
    }
}

#[test]
fn whoever_dies_before_the_end_is_noted_has_it_noted_by_the_next() {
    for after_effect in [false, true] {
        let world = fails_late(8);
        let ended_at = rollout(&world).ended_at;
        world.state().record.as_mut().unwrap().ended_at = None;
        let at = world.state().calls + 3;
        world.state().crash = Some(Crash { at, after_effect });
        assert!(world.reconcile().is_none(), "it dies");
        world.tick();
        world.reconcile().unwrap();
        let noted = rollout(&world).ended_at;
        let late = ended_at.map(|at| at + jiff::SignedDuration::from_mins(1));
        assert_eq!(noted, if after_effect { ended_at } else { late });
    }
}

#[test]
fn what_a_clock_has_written_that_was_wrong_leaves_nothing_in_peace_for_ever() {
    let world = fails_late(8);
    let now = world.state().now;
    let ahead = now + jiff::SignedDuration::from_hours(24 * 365);
    world.state().record.as_mut().unwrap().ended_at = Some(ahead);
    let failed_at = rests_since(&world).unwrap();
    assert!(failed_at <= now, "{failed_at}: what the cluster tells is as good");
    world.state().members.get_mut("p-1-a").unwrap().ledger.finished_at = Some(ahead);
    world.state().record.as_mut().unwrap().ended_at = None;
    world.repair();
    for _ in 0..10 {
        world.reconcile().unwrap();
        world.tick();
    }
    let ended_at = rollout(&world).ended_at.unwrap();
    assert!(ended_at <= world.state().now, "{ended_at}");
}

#[test]
fn while_a_cluster_goes_on_that_had_failed_no_other_rollout_starts() {
    let world = fails_late(0);
    let history = |world: &World| {
        let state = world.state();
        let known = state.history.iter().find(|known| known.id == "p-1").unwrap();
        (known.outcome, known.succeeded)
    };
    assert_eq!(history(&world), (Outcome::CompletedWithFailures, 1));
    // Somebody relaxes the disruption budget, and it goes on by itself.
    world.repair();
    world.tick();
    assert_eq!(state_of(&world, "p-1-b"), MemberState::Running);
    need(&world, &["a"]);
    world.state().needy.remove("b");
    let ended_at = rollout(&world).ended_at;
    while state_of(&world, "p-1-b") != MemberState::Succeeded {
        let progress = world.reconcile().unwrap();
        assert_eq!(rollout(&world).id, "p-1");
        assert!(progress.members().all(|member| !member.place.suspended));
        let now = RolloutRecord::of(&rollout(&world), &world.upgrades(), None);
        assert_eq!((now.outcome, now.ended_at), (Outcome::CompletedWithFailures, ended_at));
        world.tick();
    }
    settle(&world);
    assert_eq!((rollout(&world).id.as_str(), history(&world)), ("p-2", (Outcome::Succeeded, 2)));
    let told = world.state().history.iter().find(|known| known.id == "p-1").unwrap().ended_at;
    assert!(told > ended_at, "when its last cluster was done");
}

#[test]
fn a_cluster_that_has_failed_makes_way_also_when_it_is_mended_meanwhile() {
    let world = fails_late(0);
    need(&world, &["a", "b"]);
    let progress = world.reconcile().unwrap();
    assert!(matches!(progress.obstacle, Some(Obstacle::EarlierRollout(_))), "{:?}", progress.obstacle);
    // Held by its plan, and no more in the way of anything: it is not let go on to be held again.
    world.repair();
    let mut state = world.state();
    let member = state.members.get_mut("p-1-b").unwrap();
    member.standing = standing(false, "Suspended");
    drop(state);
    world.reconcile().unwrap();
    assert_eq!(rollout(&world).id, "p-2");
    settle(&world);
    assert_eq!(clusters(&world), ["p-2-a", "p-2-b"]);
}
