//! What goes wrong again and again: it is tried less and less often, or so often and no more, and somebody is told.

use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::{
    Ledger, Phase, ProvisioningState, Setting, Stance,
    testing::world::{Answer, World},
};

const HOUR: Duration = Duration::from_secs(3600);

/// As Azure words it: with the instant at which something began that nothing shows.
fn busy(number: usize) -> Answer {
    let message = format!(
        "Operation is not allowed because there's an in progress reconcile managed cluster operation on the \
         resource started at 2026-11-20 10:{:02}:{:02} +0000 UTC. Please wait for it to finish.",
        number / 60 % 60,
        number % 60
    );
    Answer::Refuse(failure(Some(409), "OperationNotAllowed", &message), None)
}

#[test]
fn r15_a_cluster_that_only_says_that_it_is_busy_is_asked_ever_less_often_and_somebody_is_told() {
    let world = World::at("1.34.2").answers((0..2000).map(busy));
    let mut request = control_plane("1.34.4");
    request.policy.step_timeout = 2 * HOUR;
    let began = world.state().now;
    let waiting = world.until_reason(&request, "StepTimeout");
    assert_eq!(waiting.stance(), Stance::Stopped);
    assert!(waiting.to_string().contains("in progress reconcile"), "{waiting}");
    let took = world.state().now.duration_since(began);
    assert!((SignedDuration::from_hours(2)..SignedDuration::from_mins(135)).contains(&took), "{took:#}");
    let sent = world.state().sent.len();
    assert!((15..=22).contains(&sent), "{sent}: every 30 s five times, then each 10 minutes");
    let (said, writes) = (waiting.to_string(), world.state().writes.len());
    let until = world.state().now + 24 * HOUR;
    world.until(&request, |waiting| {
        assert_eq!((waiting.reason(), &waiting.to_string()), ("StepTimeout", &said));
        world.state().now >= until
    });
    let more = world.state().sent.len() - sent;
    assert!((100..=144).contains(&more), "{more}");
    assert_eq!(world.state().writes.len() - writes, 2 * more, "a claim and an answer each");
    world.state().answers.clear();
    world.until(&request, is_operation).unwrap();
    let ledger = world.finish(&request);
    assert_eq!(ledger.steps[0].attempts, 1, "the time of others is no attempt");
}

#[test]
fn the_time_that_others_are_seen_to_take_between_two_refusals_is_not_the_steps() {
    let world = World::at("1.34.2").answers([busy(1), busy(2)]);
    let mut request = control_plane("1.34.4");
    request.policy.step_timeout = HOUR;
    world.until_reason(&request, "Retrying");
    world.state().cluster.provisioning_state = ProvisioningState::Busy("Scaling".to_owned());
    world.pass(5 * HOUR);
    assert_eq!(world.advance(&request).unwrap().waiting.unwrap().reason(), "WaitingForCluster");
    world.state().cluster.provisioning_state = ProvisioningState::Succeeded;
    world.pass(MINUTE);
    assert_eq!(world.advance(&request).unwrap().waiting.unwrap().reason(), "Retrying");
    world.finish(&request);
}

#[test]
fn a_step_that_was_refused_once_and_is_suspended_since_is_not_overdue() {
    let world = World::at("1.34.2").answers([busy(1)]);
    let mut request = control_plane("1.34.4");
    request.policy.step_timeout = HOUR;
    world.until_reason(&request, "Retrying");
    request.suspend = true;
    world.pass(5 * HOUR);
    assert_eq!(world.advance(&request).unwrap().waiting.unwrap().reason(), "Suspended");
    request.suspend = false;
    world.finish(&request);
}

#[test]
fn r15_what_breaks_each_time_that_it_is_verified_is_sent_as_often_as_retries_allow() {
    let world = World::at("1.34.2");
    let mut request = full("1.34.4");
    request.policy.retries = 2;
    world.state().lag = HOUR;
    world.state().server = "1.34.4".parse().unwrap();
    world.state().after_write = Some(|state| {
        let is_verified = |operation: &crate::Operation| {
            operation.phase == Phase::Verifying && operation.step_id.contains("linux1")
        };
        if state.stored.operation.as_ref().is_some_and(is_verified) {
            state.pool("linux1").provisioning_state = ProvisioningState::Failed;
        }
    });
    let waiting = world.until_reason(&request, "OperationFailed");
    assert!(waiting.to_string().contains("it was done, and has failed since"), "{waiting}");
    assert_eq!(world.state().sent[1..], ["pool-linux1-1.34.4"; 3], "once, and two retries");
    world.state().after_write = None;
    world.until(&retried(&request, "go"), is_operation).unwrap();
    assert_eq!(world.state().sent.len(), 5);
}

#[test]
fn i8_decisions_without_end_say_so_and_are_looked_at_again() {
    let world = World::at("1.34.4");
    let mut request = request(Scope::NodeImage, None);
    request.policy.upgrade_settings = [(Setting::MaxSurge, "33%")].into();
    // Somebody changes settings to and fro, each time between our claim and our look at it.
    world.state().after_write = Some(|state| {
        let is_claimed = state.stored.operation.as_ref().is_some_and(|operation| operation.claims > 0);
        if is_claimed {
            let ours = state.stored.restore.first().map(|record| record.ours.clone()).unwrap_or_default();
            let pool = state.pool("linux1");
            let is_ours = pool.upgrade_settings == ours;
            pool.upgrade_settings = if is_ours { crate::Settings::default() } else { ours };
        }
    });
    let waiting = world.until_reason(&request, "Undecided");
    assert_eq!((waiting.stance(), waiting.look_again(world.state().now)), (Stance::Stopped, 5 * MINUTE));
    assert!(waiting.to_string().contains("a mistake in Tidegate"), "{waiting}");
    world.state().after_write = None;
    world.pass(5 * MINUTE);
    world.finish(&request);
}

/// Every instant that a clock writes, so much later.
fn written_by(ledger: &mut Ledger, ahead: SignedDuration) {
    let later = |at: &mut Timestamp| *at += ahead;
    let all = [&mut ledger.started_at, &mut ledger.soak_until, &mut ledger.gates_failing_since];
    all.into_iter().flatten().for_each(later);
    ledger.baseline.iter_mut().for_each(|baseline| later(&mut baseline.taken_at));
    if let Some(abort) = &mut ledger.control.abort {
        later(&mut abort.intent_at);
        [&mut abort.sent_at, &mut abort.not_before].into_iter().flatten().for_each(later);
    }
    for record in &mut ledger.steps {
        [&mut record.started_at, &mut record.finished_at].into_iter().flatten().for_each(later);
    }
    for record in &mut ledger.restore {
        [&mut record.sent_at, &mut record.not_before].into_iter().flatten().for_each(later);
    }
    if let Some(operation) = &mut ledger.operation {
        let always = [&mut operation.intent_at, &mut operation.deadline, &mut operation.since];
        let sometimes = [&mut operation.submitted_at, &mut operation.not_before];
        always.into_iter().chain(sometimes.into_iter().flatten()).for_each(later);
        operation.hold.iter_mut().for_each(|hold| later(&mut hold.since));
    }
}

#[test]
fn r19_what_a_clock_has_written_that_was_far_ahead_holds_nothing_up() {
    let mut story = full("1.34.4");
    story.policy.soak = 20 * MINUTE;
    story.policy.order = pool_soak("linux1", 5 * MINUTE);
    story.policy.upgrade_settings = [(Setting::MaxSurge, "33%")].into();
    let unavailable = Answer::Refuse(failure(Some(503), "ServiceUnavailable", "not now"), None);
    let world = || {
        let answers = [Answer::HoldBack(MINUTE), Answer::Accept, unavailable.clone()];
        let world = World::at("1.34.2").answers(answers).answers([Answer::FailLater(drain_blocked())]);
        world.state().budgets_allow = Some(true);
        world.state().settings_answers.push_back(Answer::LostBefore);
        world
    };
    let began = world().state().now;
    assert_eq!(world().until(&story, |_| false), None);
    for number in 1.. {
        let world = world();
        let mut is_over = false;
        for _ in 0..number {
            let waiting = world.advance(&story).and_then(|progress| progress.waiting);
            is_over = waiting.is_none();
            world.pass(waiting.map(|waiting| waiting.look_again(world.state().now)).unwrap_or_default());
        }
        if is_over {
            assert!(number > 20, "{number}");
            break;
        }
        written_by(&mut world.state().stored, SignedDuration::from_hours(24 * 30));
        let waiting = world.until(&story, |waiting| waiting.stance() == Stance::Stopped);
        assert!(waiting.as_ref().is_none_or(|waiting| waiting.reason() == "DrainBlocked"), "{waiting:?}");
        world.until(&story, |_| false);
        let took = world.state().now.duration_since(began);
        assert!(took < SignedDuration::from_hours(6), "{number}: {took:#}");
        assert!(world.state().stored.restore.is_empty());
    }
}

#[test]
fn r19_an_abort_that_a_clock_far_ahead_has_put_off_is_sent() {
    let world = World::at("1.34.2");
    let mut request = full("1.34.4");
    world.state().takes = 300 * MINUTE;
    world.until(&request, is_operation);
    world.state().abort_answers.extend([Answer::LostBefore]);
    request.asked.abort = Some("stop".to_owned());
    world.until_reason(&request, "Aborting");
    written_by(&mut world.state().stored, SignedDuration::from_hours(24 * 30));
    let began = world.state().now;
    world.until_reason(&request, "Aborted");
    let took = world.state().now.duration_since(began);
    assert!(took < SignedDuration::from_mins(15), "{took:#}");
}

#[test]
fn a_step_in_flight_that_is_not_among_the_steps_is_none() {
    let world = World::at("1.34.2");
    let request = full("1.34.4");
    world.until(&request, is_operation).unwrap();
    world.pass(HOUR);
    world.state().stored.operation.as_mut().unwrap().step_id = "pool-nobody-1.34.4".to_owned();
    world.until_reason(&request, "ExternalChange");
    let request = retried(&request, "accepted");
    let ledger = world.finish(&request);
    assert!(ledger.finished_at.is_some() && ledger.operation.is_none(), "{ledger:?}");
    world.state().stored.operation = Some(serde_json::from_value(serde_json::json!({
        "stepId": "pool-nobody-1.34.4", "phase": "Submitted", "attempt": 1, "intentAt": "2026-11-20T22:00:00Z",
        "deadline": "2026-11-20T23:00:00Z", "since": "2026-11-20T22:00:00Z"
    })).unwrap());
    assert_eq!(world.advance(&request).unwrap().ledger, ledger, "neither is one beside the end");
}

#[test]
fn disruption_budgets_are_asked_once_in_a_run() {
    let world = World::at("1.34.2").answers([Answer::Accept, Answer::FailLater(drain_blocked())]);
    world.state().budgets_allow = Some(true);
    let request = full("1.34.4");
    let mut asked = 0;
    for _ in 0..500 {
        let progress = world.advance(&request).unwrap();
        let times = world.state().log.iter().filter(|call| **call == "budgets").count();
        assert!(times <= 1, "{:?}", world.state().log);
        asked += times;
        let Some(waiting) = progress.waiting else { break };
        let pause = waiting.look_again(world.state().now);
        world.pass(pause);
    }
    assert!(asked > 0 && world.state().stored.finished_at.is_some(), "{asked}");
}
