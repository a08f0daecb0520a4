//! The plain way from the first decision to the last, and the rules that hold on it.

use super::*;
use crate::{
    Phase, Stance,
    testing::world::{Answer, OPERATION, World, start},
};

#[test]
fn a_cluster_three_minors_behind_goes_all_the_way() {
    let world = World::at("1.33.0");
    let ledger = world.finish(&full("1.36"));
    let expected = [
        "cp-1.34.4",
        "cp-1.35.2",
        "cp-1.36.2",
        "pool-linux1-1.36.2",
        "pool-linux2-1.36.2",
        "pool-system-1.36.2",
        "pool-win1-1.36.2",
    ];
    let state = world.state();
    assert_eq!(state.done, expected);
    assert_eq!(state.sent, expected, "nothing is sent twice");
    assert!(state.cluster.pools.iter().all(|pool| pool.version.to_string() == "1.36.2"));
    let records: Vec<_> =
        ledger.steps.iter().map(|record| (&*record.id, record.state, record.attempts)).collect();
    assert_eq!(records, expected.map(|id| (id, StepState::Succeeded, 1)));
    assert!(ledger.steps.iter().all(|record| record.started_at < record.finished_at));
    assert_eq!(ledger.target_version.unwrap().to_string(), "1.36.2");
    assert_eq!((ledger.started_at, ledger.operation), (Some(start()), None));
    assert!(ledger.finished_at.unwrap() >= start() + OPERATION * 7);
}

#[test]
fn at_most_one_mutation_in_flight() {
    // The world itself refuses a submission while anything runs; here also by the record.
    let world = World::at("1.33.0");
    world.finish(&full("1.36"));
    for (ledger, _) in &world.state().writes {
        let running = ledger.steps.iter().filter(|record| record.state == StepState::Running).count();
        assert!(running <= 1, "{ledger:?}");
        assert_eq!(running == 1, ledger.operation.is_some());
    }
}

#[test]
fn intent_is_recorded_before_the_call() {
    let world = World::at("1.34.2");
    world.advance(&control_plane("1.34.4"));
    let log = world.state().log.clone();
    let submit = log.iter().position(|call| *call == "submit").unwrap();
    // Claimed by a guarded write, then read live, then acted; the last look is for freezes.
    assert_eq!(log[submit - 3..=submit], ["save", "recheck", "freezes", "submit"]);
    let state = world.state();
    let (intent, _) = &state.writes[0];
    let operation = intent.operation.as_ref().unwrap();
    assert_eq!((operation.phase, operation.attempt, operation.submitted_at), (Phase::Intent, 1, None));
    assert_eq!(state.writes[1].0.operation.as_ref().unwrap().phase, Phase::Submitted);
}

#[test]
fn r2_an_old_intent_is_claimed_again_before_the_call() {
    let world = World::at("1.34.2").answers([crate::testing::world::Answer::LostBefore]);
    let request = control_plane("1.34.4");
    world.advance(&request);
    world.pass(MINUTE);
    world.state().conflicts = 1;
    assert_eq!(world.advance(&request), None, "somebody else decided the same from the same record");
    assert_eq!(world.state().sent.len(), 1, "and so nothing is sent");
    world.finish(&request);
}

#[test]
fn r4_a_journal_conflict_sends_nothing() {
    let world = World::at("1.34.2");
    world.state().conflicts = 1;
    assert_eq!(world.advance(&control_plane("1.34.4")), None);
    assert!(world.state().sent.is_empty());
    assert!(world.state().writes.is_empty());
    world.finish(&control_plane("1.34.4"));
    assert_eq!(world.state().sent, ["cp-1.34.4"]);
}

#[test]
fn r3_who_lost_the_lease_sends_nothing() {
    let world = World::at("1.34.2");
    world.state().may_act = false;
    let request = control_plane("1.34.4");
    for _ in 0..3 {
        world.advance(&request);
        world.pass(MINUTE);
    }
    assert!(world.state().sent.is_empty());
    world.state().may_act = true;
    world.finish(&request);
    assert_eq!(world.state().sent, ["cp-1.34.4"]);
}

#[test]
fn r5_done_when_the_nodes_show_it() {
    let world = World::at("1.34.2");
    world.state().lag = Duration::from_secs(20 * 60);
    let request = full("1.34.4");
    let waiting = world.until_reason(&request, "Verifying");
    assert!(waiting.to_string().contains("pool linux1") || waiting.to_string().contains("control plane"));
    let waiting = world.until(&request, |waiting| waiting.to_string().contains("kubelet 1.34.2")).unwrap();
    assert!(
        waiting.to_string().contains("node aks-linux1-0 shows kubelet 1.34.2 instead of 1.34.4"),
        "{waiting}"
    );
    assert_eq!(waiting.stance(), Stance::Working);
    assert_eq!(state_of(&world, "pool-linux1-1.34.4"), StepState::Running, "though Azure says Succeeded");
    world.finish(&request);
}

#[test]
fn nothing_to_do_is_done_at_once_and_changes_nothing() {
    let world = World::at("1.34.4");
    let waiting = world.advance(&control_plane("1.34.4")).unwrap().waiting;
    assert_eq!(waiting, None);
    let state = world.state();
    assert!(state.sent.is_empty() && state.stored.steps.is_empty() && state.stored.baseline.is_none());
    assert!(state.stored.finished_at.is_some());
    assert_eq!(state.writes.len(), 1);
}

#[test]
fn a_finished_upgrade_is_never_taken_up_again() {
    let world = World::at("1.34.2");
    world.finish(&control_plane("1.34.4"));
    world.state().cluster.version = crate::testing::version("1.34.2");
    let progress = world.advance(&retried(&control_plane("1.34.4"), "again")).unwrap();
    assert_eq!(progress.waiting, None);
    assert_eq!(world.state().sent.len(), 1);
    assert_eq!(world.state().log, ["save"], "nothing is read");
}

#[test]
fn images_alone_are_refreshed_where_they_are_behind() {
    let world = World::at("1.34.4");
    world.state().pool("linux2").node_image = crate::testing::NEW_LINUX.to_owned();
    world.finish(&request(Scope::NodeImage, None));
    assert_eq!(world.state().done, ["image-linux1", "image-system", "image-win1"]);
}

#[test]
fn an_image_that_comes_out_meanwhile_rolls_no_pool_twice() {
    let world = World::at("1.34.2");
    let request = full("1.34.4");
    world.until(&request, |waiting| waiting.to_string().contains("pool linux2")).unwrap();
    for image in world.state().images.values_mut() {
        image.push_str(".next");
    }
    world.finish(&request);
    let state = world.state();
    assert_eq!(state.done.len(), 5, "{:?}", state.done);
    assert!(state.done.iter().all(|id| !id.starts_with("image")));
}

#[test]
fn waits_its_turn_without_reading_anything() {
    let world = World::at("1.34.2");
    let mut request = control_plane("1.34.4");
    request.waits_for_wave = Some("canary".to_owned());
    assert_eq!(world.advance(&request).unwrap().waiting.unwrap().reason(), "WaitingForWave");
    request.waits_for_wave = None;
    request.other_upgrade = Some("hotfix".to_owned());
    assert_eq!(world.advance(&request).unwrap().waiting.unwrap().reason(), "WaitingForOtherUpgrade");
    assert_eq!(world.state().log, ["save"]);
    assert_eq!(world.state().stored, crate::Ledger::default());
}

#[test]
fn suspend_finishes_the_step_in_flight_and_starts_nothing_new() {
    let world = World::at("1.34.2");
    let request = full("1.34.4");
    world.until(&request, is_operation);
    let suspended = Request { suspend: true, ..request.clone() };
    world.until_reason(&suspended, "Suspended");
    assert_eq!(world.state().sent, ["cp-1.34.4"]);
    assert_eq!(state_of(&world, "cp-1.34.4"), StepState::Succeeded);
    world.finish(&request);
}

#[test]
fn suspend_does_not_hold_back_the_end_of_what_is_done() {
    let world = World::at("1.34.2");
    let request = control_plane("1.34.4");
    world.until(&request, is_operation);
    world.finish(&Request { suspend: true, ..request });
}

#[test]
fn suspend_between_intent_and_call_sends_nothing() {
    let world = World::at("1.34.2");
    let request = full("1.34.4");
    world.state().may_act = false;
    world.advance(&request);
    world.state().may_act = true;
    let suspended = Request { suspend: true, ..request.clone() };
    world.until_reason(&suspended, "Suspended");
    assert!(world.state().sent.is_empty());
    world.finish(&request);
}

#[test]
fn a_busy_cluster_is_waited_for() {
    let world = World::at("1.34.2");
    world.state().pool("win1").provisioning_state = crate::ProvisioningState::Busy("Scaling".to_owned());
    let request = full("1.34.4");
    let waiting = world.until_reason(&request, "WaitingForCluster");
    assert!(waiting.to_string().contains("pool win1 is Scaling"), "{waiting}");
    assert!(world.state().sent.is_empty());
    world.state().pool("win1").provisioning_state = crate::ProvisioningState::Succeeded;
    world.finish(&request);
}

#[test]
fn a_step_that_takes_too_long_is_shown_and_not_aborted() {
    let world = World::at("1.34.2");
    let mut request = full("1.34.4");
    request.policy.step_timeout = Duration::from_secs(300);
    let waiting = world.until_reason(&request, "StepTimeout");
    assert_eq!(waiting.stance(), Stance::Stopped);
    assert!(waiting.to_string().contains("spec.failurePolicy.stepTimeout"));
    assert_eq!(world.until(&request, |_| false), None, "it goes on by itself");
    assert_eq!(world.state().sent.len(), 5);
}

#[test]
fn until_azure_answers_nobody_is_told_that_it_works_on_the_step() {
    let world = World::at("1.34.2").answers([Answer::Accept, Answer::FailLater(timed_out())]);
    world.until(&full("1.34.4"), |waiting| waiting.reason() == "Retrying");
    world.until(&full("1.34.4"), is_operation);
    let state = world.state();
    let told: Vec<&str> = state.writes.iter().filter_map(|(_, reason)| reason.as_deref()).collect();
    let pool = ["SendingStep", "UpgradingNodePool", "Retrying", "Retrying", "UpgradingNodePool"];
    assert_eq!(told[..2], ["SendingStep", "UpgradingControlPlane"]);
    assert_eq!(told[told.len() - 5..], pool, "what was the matter stays so until there is an answer");
}
