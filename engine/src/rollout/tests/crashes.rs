//! The process dies between any two calls, and during each of them; or loses its lease there.

use super::{
    world::{Crash, World},
    *,
};

/// What people do while a plan is carried out.
#[derive(Clone, Copy)]
enum Deed {
    Suspend(bool),
    Edit,
    Stop(&'static str),
    Repair,
}

/// What is done in which round.
type Story = &'static [(usize, Deed)];

const STORIES: [Story; 4] = [
    &[],
    &[(2, Deed::Suspend(true)), (5, Deed::Suspend(false))],
    &[(3, Deed::Edit), (6, Deed::Suspend(true)), (7, Deed::Edit), (9, Deed::Suspend(false))],
    &[(0, Deed::Stop("b")), (12, Deed::Edit), (14, Deed::Repair)],
];

/// What people do in a round.
fn meddle(world: &World, story: Story, round: usize) {
    for (_, deed) in story.iter().filter(|(at, _)| *at == round) {
        match deed {
            Deed::Suspend(suspend) => world.suspend(*suspend),
            Deed::Edit => world.edit(),
            Deed::Stop(cluster) => world.stop(cluster),
            Deed::Repair => world.repair(),
        }
    }
}

fn live(world: &World, story: Story) {
    for round in 0..16 {
        meddle(world, story, round);
        // Who has died starts again at once.
        while world.reconcile().is_none() {}
        world.tick();
    }
    world.settle();
}

/// What matters of an outcome: how often something was claimed may differ.
fn outcome(world: &World) -> (Vec<(String, MemberState, bool)>, Option<Rollout>) {
    let members = world.upgrades().into_iter();
    let members =
        members.map(|member| (member.name.clone(), member.state(), member.inherited_baseline.is_some()));
    let record = world.state().record.clone().map(|rollout| Rollout {
        admissions: 0,
        ended_at: rollout.ended_at.map(|_| rollout.started_at),
        ..rollout
    });
    (members.collect(), record)
}

#[test]
fn restarting_at_any_point_leads_to_the_same_outcome() {
    for (number, story) in STORIES.into_iter().enumerate() {
        let undisturbed = World::new();
        live(&undisturbed, story);
        let calls = undisturbed.state().calls;
        let expected = outcome(&undisturbed);
        println!("story {number}: {calls} calls, each crashed at before and after its effect");
        for at in 1..=calls {
            for after_effect in [false, true] {
                let crash = Crash { at, after_effect };
                let world = World::new();
                world.state().crash = Some(crash);
                live(&world, story);
                assert!(world.state().crash.is_none(), "it died: {crash:?}");
                assert_eq!(outcome(&world), expected, "story {number}, {crash:?}");
            }
        }
    }
}

#[test]
fn nothing_is_written_once_the_lease_is_lost() {
    let undisturbed = World::new();
    live(&undisturbed, STORIES[2]);
    let calls = undisturbed.state().calls;
    for at in 1..=calls {
        // The world itself refuses a write after that call.
        let world = World::new();
        world.state().lease_ends = at;
        let lost = (0..50).any(|round| {
            meddle(&world, STORIES[2], round);
            let progress = world.reconcile().expect("nobody dies");
            world.tick();
            progress.obstacle == Some(Obstacle::NotLeading)
        });
        assert!(lost, "at call {at} of {calls}");
    }
}
