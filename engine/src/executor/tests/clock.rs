//! The clock jumps, or the process sleeps for days between two of its decisions: deadlines are judged
//! anew, and nothing is started on what was known before.

use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::{
    Ledger, Setting,
    testing::world::{Answer, World, workload},
};

/// Longer than any deadline, soak or pause; and a mistake that somebody corrects.
const JUMPS: [SignedDuration; 2] = [SignedDuration::from_hours(24 * 30), SignedDuration::from_mins(-20)];

/// Runs the story with the clock set to another time before the decision of that number; how many there were.
fn jump_at(world: &World, story: &Request, number: usize, jump: SignedDuration) -> usize {
    for decision in 0..100_000 {
        if decision == number {
            world.state().now += jump;
        }
        let Some(progress) = world.advance(story) else { continue };
        let Some(waiting) = progress.waiting else { return decision };
        let pause = waiting.look_again(world.state().now);
        world.pass(pause);
    }
    panic!("it does not end");
}

fn same_steps_whenever_the_clock_jumps(story: &Request, world: impl Fn() -> World) {
    let undisturbed = world();
    let decisions = jump_at(&undisturbed, story, usize::MAX, SignedDuration::ZERO);
    let sent = undisturbed.state().sent.clone();
    assert!(decisions > 10 && sent.len() > 2, "{decisions} {sent:?}");
    for number in 0..=decisions {
        for jump in JUMPS {
            let world = world();
            jump_at(&world, story, number, jump);
            let state = world.state();
            assert_eq!(state.sent, sent, "{jump:#} at decision {number}");
            assert!(state.stored.steps.iter().all(|record| record.attempts == 1), "{:?}", state.stored.steps);
        }
    }
}

#[test]
fn r19_a_clock_that_jumps_sends_nothing_twice_and_gives_nothing_up() {
    same_steps_whenever_the_clock_jumps(&full("1.35"), || {
        let world = World::at("1.34.4");
        world.state().takes = MINUTE;
        world.state().lag = Duration::from_secs(20);
        world
    });
}

#[test]
fn r19_a_clock_that_jumps_cuts_no_drain_off_from_its_repair() {
    same_steps_whenever_the_clock_jumps(&full("1.34.4"), || {
        let world = World::at("1.34.2").answers([Answer::Accept, Answer::FailLater(drain_blocked())]);
        world.state().takes = MINUTE;
        world.state().budgets_allow = Some(true);
        world
    });
}

#[test]
fn r19_after_a_long_suspension_the_cluster_is_read_anew_before_anything_is_sent() {
    let world = World::at("1.34.2").answers([Answer::LostBefore]);
    let request = control_plane("1.34.4");
    world.advance(&request);
    // Meanwhile somebody else has upgraded it further than this upgrade wants.
    world.pass(24 * 30 * 60 * MINUTE);
    world.state().cluster.version = "1.35.2".parse().unwrap();
    let waiting = world.advance(&request).unwrap().waiting.unwrap();
    assert_eq!(waiting.reason(), "ExternalChange");
    assert_eq!(world.state().sent.len(), 1, "only the one that was lost");
}

#[test]
fn r19_a_process_that_was_stopped_right_after_its_claim_asks_again_what_is_wanted() {
    let world = World::at("1.34.2");
    let request = control_plane("1.34.4");
    world.state().after_write = Some(|state| {
        if state.stored.operation.as_ref().is_some_and(|operation| operation.claims > 0) {
            state.now += 20 * MINUTE;
        }
    });
    world.advance(&request);
    assert!(world.state().stored.operation.is_some(), "it was claimed");
    assert!(world.state().sent.is_empty(), "twenty minutes ago");
    world.state().after_write = None;
    let suspended = Request { suspend: true, ..request.clone() };
    world.until_reason(&suspended, "Suspended");
    assert!(world.state().sent.is_empty());
    world.finish(&request);
    assert_eq!(world.state().sent, ["cp-1.34.4"]);
}

/// Every instant that decides something, as somebody may have written it.
fn set_instants(ledger: &mut Ledger, at: Timestamp) {
    ledger.soak_until = ledger.soak_until.map(|_| at);
    ledger.gates_failing_since = ledger.gates_failing_since.map(|_| at);
    for record in &mut ledger.restore {
        (record.sent_at, record.not_before) = (record.sent_at.map(|_| at), record.not_before.map(|_| at));
    }
    if let Some(operation) = &mut ledger.operation {
        (operation.intent_at, operation.deadline, operation.since) = (at, at, at);
        operation.submitted_at = operation.submitted_at.map(|_| at);
        operation.not_before = operation.not_before.map(|_| at);
        if let Some(hold) = &mut operation.hold {
            hold.since = at;
        }
    }
}

#[test]
fn an_instant_on_record_may_be_any() {
    let mut story = full("1.34.4");
    story.policy.soak = 20 * MINUTE;
    story.policy.order = pool_soak("linux1", 5 * MINUTE);
    story.policy.upgrade_settings = [(Setting::MaxSurge, "33%")].into();
    let held = Answer::HoldBack(MINUTE);
    let world = || {
        let world =
            World::at("1.34.2").answers([held.clone(), Answer::Accept, Answer::FailLater(drain_blocked())]);
        world.state().takes = MINUTE;
        world.state().lag = Duration::from_secs(20);
        world.state().budgets_allow = Some(true);
        world
    };
    let decisions = jump_at(&world(), &story, usize::MAX, SignedDuration::ZERO);
    for number in 1..decisions {
        for (at, is_broken) in [(Timestamp::MAX, false), (Timestamp::MIN, true)] {
            let world = world();
            for _ in 0..number {
                let waiting = world.advance(&story).and_then(|progress| progress.waiting);
                let pause = waiting.map(|waiting| waiting.look_again(world.state().now));
                world.pass(pause.unwrap_or_default());
            }
            set_instants(&mut world.state().stored, at);
            if is_broken {
                world.state().workloads = Ok(vec![workload("checkout", Some("0 of 3 available"))]);
                world.advance(&story);
                set_instants(&mut world.state().stored, Timestamp::MAX);
            }
            let progress = world.advance(&story).expect("nothing fails");
            assert!(progress.waiting.is_some() || progress.ledger.finished_at.is_some(), "{number}");
        }
    }
}
