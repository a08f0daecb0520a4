//! Failures, stops and gates: what is waited for, and with whose settings.

use super::*;

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
fn a_step_whose_nodes_do_not_show_it_waits_with_the_settings_put_back() {
    let world = world_at("1.34.2").answers([Answer::Accept, Answer::Pretend]);
    let request = with(full("1.34.4"), surge());
    world.until_reason(&request, "NodesNotUpdated");
    assert_as_before(&world);
    assert_eq!(world.state().settings_sent, ["restore linux1"]);
    // The repair is a step like any other: with the settings of steps, and back.
    let request = retried(&request, "go");
    in_pool(&world, &request, "linux1");
    assert_eq!(surge_of(&world, "linux1").as_deref(), Some("33%"));
    world.finish(&request);
    assert_as_before(&world);
    let state = world.state();
    assert_eq!(state.sent[1..3], ["pool-linux1-1.34.4", "pool-linux1-1.34.4"]);
    assert_eq!(state.settings_sent[..2], ["restore linux1", "restore linux1"]);
}

#[test]
fn nodes_that_nobody_can_look_at_are_waited_for_with_the_settings_put_back() {
    let world = world_at("1.34.4");
    let request = with(request(Scope::NodeImage, None), surge());
    in_pool(&world, &request, "linux1");
    world.state().unreachable = true;
    let waiting = world.until_reason(&request, "GateInconclusive");
    assert_eq!(waiting.stance(), Stance::Working);
    assert_as_before(&world);
    assert_eq!(world.state().settings_sent, ["override linux1", "restore linux1"]);
    assert_eq!(state_of(&world, "image-linux1"), StepState::Running, "it has not passed for that");
    world.state().unreachable = false;
    world.finish(&request);
    assert_as_before(&world);
    world.state().assert_nothing_twice();
}

#[test]
fn a_pool_that_somebody_moves_before_its_nodes_were_seen_is_not_taken_for_one_that_gets_its_settings_back() {
    let world = world_at("1.34.2");
    let request = with(full("1.34.4"), surge());
    in_pool(&world, &request, "linux1");
    world.state().unreachable = true;
    world.until_reason(&request, "GateInconclusive");
    assert_as_before(&world);
    world.state().pool("linux1").version = "1.35.2".parse().unwrap();
    world.until_reason(&request, "ExternalChange");
    assert_eq!(world.state().sent.len(), 2, "and is not moved back");
}

#[test]
fn settings_of_a_step_that_is_left_are_put_back_also_when_they_are_shown_late() {
    let world = world_at("1.34.2");
    world.state().takes = MINUTE;
    let mut request = with(full("1.34.4"), surge());
    in_pool(&world, &request, "linux1");
    world.pass(MINUTE);
    // What is read is from before the step.
    let ours = std::mem::replace(world.state().settings(Some("linux1")), original("linux1"));
    request.asked.skip = Some("1".to_owned());
    world.until_reason(&request, "RestoringSettings");
    assert!(world.state().stored.operation.is_none());
    *world.state().settings(Some("linux1")) = ours;
    world.finish(&request);
    assert_as_before(&world);
}
