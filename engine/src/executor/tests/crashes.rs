//! The process dies between any two calls, and during each of them.

use super::*;
use crate::{
    Ledger, Setting, Settings,
    testing::{
        cluster, version,
        world::{Answer, Crash, World},
    },
};

/// What matters of an outcome: the instants may differ.
fn outcome(world: &World) -> (Vec<String>, Vec<(String, StepState)>, String) {
    let state = world.state();
    let Ledger { steps, operation, finished_at, .. } = &state.stored;
    assert!(operation.is_none() && finished_at.is_some());
    let records = steps.iter().map(|record| (record.id.clone(), record.state)).collect();
    let mut cluster = state.cluster.clone();
    cluster.pools.sort_by(|a, b| a.name.cmp(&b.name));
    (state.done.clone(), records, serde_json::to_string(&cluster).unwrap())
}

/// Runs the story once to count its calls, then once for each call and each way to die there.
fn same_outcome_wherever_it_dies(story: &Request, world: impl Fn() -> World) {
    let world = || {
        let world = world();
        world.state().takes = Duration::from_secs(40);
        world
    };
    let undisturbed = world();
    undisturbed.finish(story);
    let calls = undisturbed.state().calls;
    let expected = outcome(&undisturbed);
    assert!(calls > 10, "{calls}");
    for at in 1..=calls {
        for after_effect in [false, true] {
            let crash = Crash { at, after_effect };
            let world = world();
            world.state().crash = Some(crash);
            world.finish(story);
            assert!(world.state().crash.is_none(), "it died: {crash:?}");
            assert_eq!(outcome(&world), expected, "{crash:?}");
        }
    }
}

#[test]
fn r1_restarting_at_any_point_leads_to_the_same_outcome() {
    same_outcome_wherever_it_dies(&full("1.35"), || {
        let world = World::at("1.33.8");
        world.state().lag = Duration::from_secs(20);
        world
    });
}

#[test]
fn r1_restarting_at_any_point_of_an_image_upgrade_leads_to_the_same_outcome() {
    let mut story = request(Scope::NodeImage, None);
    story.policy.soak = MINUTE;
    story.policy.order = pool_soak("linux2", 3 * MINUTE);
    same_outcome_wherever_it_dies(&story, || World::at("1.34.4"));
}

#[test]
fn r1_r5_restarting_at_any_point_of_a_repair_leads_to_the_same_outcome() {
    same_outcome_wherever_it_dies(&full("1.34.4"), || {
        let mut shown = cluster("1.34.2");
        shown.version = version("1.34.4");
        let world = World::of(shown);
        world.state().server = version("1.34.2");
        for node in world.state().nodes.get_mut("linux2").into_iter().flatten() {
            node.kubelet = Some(version("1.33.8"));
        }
        world
    });
}

#[test]
fn r1_r20_restarting_at_any_point_after_lost_answers_leads_to_the_same_outcome() {
    same_outcome_wherever_it_dies(&full("1.34.4"), || {
        World::at("1.34.2").answers([
            Answer::LostBefore,
            Answer::LostAfterEffect,
            Answer::Refuse(failure(Some(429), "Throttled", "slow down"), Some(2 * MINUTE)),
            Answer::Accept,
            Answer::FailLater(timed_out()),
            Answer::Accept,
            Answer::LostAfterEffect,
        ])
    });
}

#[test]
fn r20_a_step_whose_answer_was_lost_is_adopted_and_not_sent_again() {
    let world = World::at("1.34.2").answers([Answer::LostAfterEffect, Answer::LostAfterEffect]);
    let request = full("1.34.4");
    let waiting = world.advance(&request).unwrap().waiting.unwrap();
    assert_eq!(waiting.reason(), "Retrying");
    world.pass(MINUTE);
    let waiting = world.advance(&request).unwrap().waiting.unwrap();
    assert_eq!(waiting.reason(), "UpgradingControlPlane");
    let operation = world.state().stored.operation.clone().unwrap();
    assert!(
        operation.submitted_at.is_some()
            && operation.failure.is_none()
            && operation.azure_operation.is_none()
    );
    world.finish(&request);
    let state = world.state();
    assert_eq!(state.sent, state.done);
    assert!(state.stored.steps.iter().all(|record| record.attempts == 1));
}

#[test]
fn r20_a_step_that_ended_while_nobody_looked_is_adopted() {
    let world = World::at("1.34.4").answers([Answer::LostAfterEffect]);
    let request = request(Scope::NodeImage, None);
    world.state().crash = Some(Crash { at: usize::MAX, after_effect: true });
    world.advance(&request);
    world.pass(60 * MINUTE);
    world.finish(&request);
    world.state().assert_nothing_twice();
}

#[test]
fn a_failed_step_whose_end_nobody_saw_is_read_and_sent_again() {
    let world = World::at("1.34.2").answers([Answer::FailLater(timed_out())]);
    let request = control_plane("1.34.4");
    world.until(&request, is_operation);
    // The name of the operation is gone, as after an adoption.
    world.state().stored.operation.as_mut().unwrap().azure_operation = None;
    let waiting = world.until_reason(&request, "Retrying");
    assert!(waiting.to_string().contains("gives no reason"), "{waiting}");
    world.finish(&request);
    assert_eq!(world.state().sent.len(), 2);
}

/// Overridden settings on every pool, and on the cluster.
fn overriding(story: Request) -> Request {
    let upgrade_settings = [(Setting::MaxSurge, "33%"), (Setting::DrainTimeoutInMinutes, "45")].into();
    let force_until = Some("2027-01-01T00:00:00Z".parse().unwrap());
    Request { policy: Policy { upgrade_settings, force_until, ..story.policy }, ..story }
}

/// Two pools, one with a setting of its own.
fn with_settings(version: &str) -> World {
    let mut cluster = cluster(version);
    cluster.pools.retain(|pool| ["linux1", "win1"].contains(&pool.name.as_str()));
    cluster.pools[0].upgrade_settings = [(Setting::MaxSurge, "10%")].into();
    World::of(cluster)
}

#[test]
fn restarting_at_any_point_with_overridden_settings_leads_to_the_same_outcome() {
    let before = with_settings("1.34.2");
    let settings = |world: &World| -> Vec<_> {
        world.state().cluster.pools.iter().map(|pool| pool.upgrade_settings.clone()).collect()
    };
    let story = overriding(full("1.34.4"));
    same_outcome_wherever_it_dies(&story, || with_settings("1.34.2"));
    let after = with_settings("1.34.2");
    after.finish(&story);
    assert_eq!(settings(&after), settings(&before), "and that is: as before");
    same_outcome_wherever_it_dies(&overriding(request(Scope::NodeImage, None)), || with_settings("1.34.4"));
}

#[test]
fn restarting_at_any_point_with_overridden_settings_and_lost_answers_leads_to_the_same_outcome() {
    same_outcome_wherever_it_dies(&overriding(request(Scope::NodeImage, None)), || {
        let world = with_settings("1.34.4").answers([
            Answer::LostAfterEffect,
            Answer::FailLater(timed_out()),
            Answer::LostBefore,
        ]);
        let throttled = failure(Some(429), "Throttled", "slow down");
        world.state().settings_answers.extend([
            Answer::LostAfterEffect,
            Answer::LostBefore,
            Answer::Refuse(throttled, Some(2 * MINUTE)),
            Answer::LostAfterEffect,
            Answer::LostBefore,
        ]);
        world
    });
}

#[test]
fn deleted_and_dead_at_any_point_everything_is_put_back() {
    for scope in [Scope::Full, Scope::NodeImage] {
        let (story, begin) = match scope {
            Scope::Full => (overriding(full("1.34.4")), "1.34.2"),
            Scope::NodeImage | Scope::ControlPlane | Scope::NodePools => {
                (overriding(request(Scope::NodeImage, None)), "1.34.4")
            }
        };
        let undisturbed = with_settings(begin);
        undisturbed.finish(&story);
        let calls = undisturbed.state().calls;
        for at in 1..=calls {
            for after_effect in [false, true] {
                let world = with_settings(begin);
                world.state().crash = Some(Crash { at, after_effect });
                // It dies, and before anybody looks again the upgrade is deleted.
                world.until(&story, |_| world.state().crash.is_none());
                let going = Request { abandoned: true, ..story.clone() };
                assert_eq!(world.until(&going, |_| false), None, "{at} {after_effect}");
                let mut state = world.state();
                assert!(state.stored.restore.is_empty() && state.cluster.override_settings.is_empty());
                assert!(state.settings(Some("win1")).is_empty(), "{at} {after_effect}");
                assert_eq!(*state.settings(Some("linux1")), [(Setting::MaxSurge, "10%")].into());
            }
        }
    }
}

/// Looks once, and lets the time pass until it is looked at again. `false` when all is done.
fn look(world: &World, request: &Request) -> bool {
    let Some(progress) = world.advance(request) else { return true };
    let Some(waiting) = progress.waiting else { return false };
    let pause = waiting.look_again(world.state().now);
    world.pass(pause);
    true
}

#[test]
fn deleted_in_any_phase_and_dead_at_any_call_everything_is_put_back() {
    let original = Settings::from([(Setting::MaxSurge, "10%")]);
    let world_after = |version: &str, story: &Request, looks: usize| {
        let mut cluster = cluster(version);
        cluster.version = "1.34.4".parse().unwrap();
        cluster.pools.retain(|pool| pool.name == "linux1");
        cluster.pools[0].upgrade_settings = original.clone();
        let world = World::of(cluster);
        world.state().lag = MINUTE;
        let goes_on = (0..looks).all(|_| look(&world, story));
        (world, goes_on)
    };
    let stories =
        [("1.34.2", overriding(full("1.34.4"))), ("1.34.4", overriding(request(Scope::NodeImage, None)))];
    for (version, story) in stories {
        let going = Request { abandoned: true, ..story.clone() };
        let (mut phases, mut stored) = (0, Ledger::default());
        for looks in 0.. {
            let (world, goes_on) = world_after(version, &story, looks);
            let now = world.state().stored.clone();
            if goes_on && now == stored {
                continue;
            }
            stored = now;
            phases += 1;
            let before = world.state().calls;
            assert_eq!(world.until(&going, |_| false), None);
            for at in before + 1..=world.state().calls {
                for after_effect in [false, true] {
                    let (world, _) = world_after(version, &story, looks);
                    world.state().crash = Some(Crash { at, after_effect });
                    assert_eq!(world.until(&going, |_| false), None, "{looks} {at} {after_effect}");
                    let mut state = world.state();
                    assert!(state.stored.restore.is_empty() && state.cluster.override_settings.is_empty());
                    assert_eq!(*state.settings(Some("linux1")), original, "{looks} {at} {after_effect}");
                    assert!(state.stored.left_to_others.is_empty());
                }
            }
            if !goes_on {
                break;
            }
        }
        assert!(phases >= 5, "every phase of the step: {phases}");
    }
}
