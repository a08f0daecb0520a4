//! Settings that Azure does not take back at once, and what is known of them meanwhile.

use super::*;

#[test]
fn putting_back_is_tried_until_azure_takes_it() {
    let world = world_at("1.34.2");
    let locked = || Answer::Refuse(failure(Some(409), "ScopeLocked", "the scope is locked"), None);
    let request = with(full("1.34.4"), surge());
    world.state().settings_answers.extend([locked(), locked()]);
    let waiting = world.until_reason(&request, "RestoreFailed");
    assert_eq!(waiting.stance(), Stance::Stopped);
    assert!(waiting.to_string().contains("the scope is locked"), "{waiting}");
    let began = world.state().now;
    assert_eq!(world.until(&request, |_| false), None);
    assert!(world.state().now >= began + 60 * MINUTE, "at a slow pace");
    assert_as_before(&world);
}

#[test]
fn settings_that_azure_takes_and_does_not_show_do_not_go_on_for_ever() {
    let world = world_at("1.34.4");
    world.state().settings_answers.extend(std::iter::repeat_n(Answer::Pretend, 20));
    let request = with(request(Scope::NodeImage, None), surge());
    let waiting = world.until_reason(&request, "OperationFailed");
    assert!(waiting.to_string().contains("does not show them"), "{waiting}");
    assert_eq!(world.state().settings_sent, ["override linux1"; 3]);
    assert!(world.state().sent.is_empty());
    world.state().settings_answers.clear();
    world.finish(&retried(&request, "go"));
    assert_as_before(&world);

    let world = world_at("1.34.2");
    world.state().settings_answers.extend(std::iter::repeat_n(Answer::Pretend, 20));
    let request = with(full("1.34.4"), surge());
    let waiting = world.until_reason(&request, "RestoreFailed");
    assert!(waiting.to_string().contains("does not show them"), "{waiting}");
    world.pass(24 * 60 * MINUTE);
    assert!(world.state().settings_sent.len() <= 6, "{:?}", world.state().settings_sent);
    world.state().settings_answers.clear();
    assert_eq!(world.until(&request, |_| false), None);
    assert_as_before(&world);
}

#[test]
fn a_limit_that_holds_settings_back_is_told_and_is_no_attempt() {
    let world = world_at("1.34.4");
    world.state().settings_answers.extend([Answer::HoldBack(3 * MINUTE), Answer::Accept]);
    world.state().settings_answers.extend(std::iter::repeat_n(Answer::HoldBack(3 * MINUTE), 8));
    let request = with(request(Scope::NodeImage, None), surge());
    let began = world.state().now;
    let waiting = world.until_reason(&request, "WaitingForAzureLimit");
    assert_eq!(waiting.stance(), Stance::Working);
    in_pool(&world, &request, "linux1");
    assert!(world.state().now >= began + 3 * MINUTE);
    let restored =
        |waiting: &WaitingOn| waiting.reason() == "RestoreFailed" || waiting.to_string().contains("linux2");
    let began = world.state().now;
    let waiting = world.until(&request, restored).unwrap();
    assert!(waiting.to_string().contains("linux2"), "however often it is held back: {waiting}");
    assert!(world.state().now >= began + 8 * 3 * MINUTE);
    let ledger = world.finish(&request);
    assert!(ledger.steps.iter().all(|record| record.attempts == 1));
    assert_as_before(&world);
}

#[test]
fn nothing_is_put_back_by_who_lost_the_lease() {
    let world = world_at("1.34.2");
    let request = with(full("1.34.4"), surge());
    in_pool(&world, &request, "linux1");
    world.state().may_act = false;
    world.pass(OPERATION);
    for _ in 0..5 {
        world.advance(&request);
        world.pass(MINUTE);
    }
    assert!(world.state().settings_sent.is_empty());
    world.state().may_act = true;
    world.finish(&request);
    assert_as_before(&world);
}

#[test]
fn an_old_document_right_after_a_change_is_not_taken_for_settings_that_are_back() {
    let world = world_at("1.34.4");
    let request = with(request(Scope::NodeImage, None), surge());
    world.until_reason(&request, "ChangingSettings");
    assert_eq!(surge_of(&world, "linux1").as_deref(), Some("33%"));
    // For a minute Azure shows what was there before.
    world.pass(MINUTE);
    let changed = std::mem::replace(world.state().settings(Some("linux1")), original("linux1"));
    let waiting = world.advance(&request).unwrap().waiting.unwrap();
    assert_eq!(waiting.reason(), "ChangingSettings", "nor is it sent again");
    let waiting = world.advance(&abandoned(&request)).unwrap().waiting.unwrap();
    assert_eq!(waiting.reason(), "RestoringSettings");
    *world.state().settings(Some("linux1")) = changed;
    assert_eq!(world.until(&abandoned(&request), |_| false), None);
    assert_as_before(&world);
    assert_eq!(world.state().settings_sent, ["override linux1", "restore linux1"]);
}

#[test]
fn what_passes_by_itself_needs_nobody_however_often_it_comes() {
    let world = world_at("1.34.2");
    let throttled = || Answer::Refuse(failure(Some(429), "TooManyRequests", "slow down"), None);
    let busy = || Answer::Refuse(failure(Some(409), "EtagMismatch", "changed meanwhile"), None);
    world.state().settings_answers.extend([throttled(), busy()].into_iter().cycle().take(12));
    let request = with(full("1.34.4"), surge());
    let told = |waiting: &WaitingOn| waiting.to_string().contains("slow down");
    let waiting = world.until(&request, told).unwrap();
    assert_eq!((waiting.reason(), waiting.stance()), ("RestoringSettings", Stance::Working));
    world.finish(&request);
    assert_as_before(&world);
    assert_eq!(world.state().settings_sent.len(), 12 + 4);
}

#[test]
fn what_azure_fills_in_where_nothing_was_is_back() {
    let world = world_at("1.34.2");
    world.state().defaults = [(MaxSurge, "10%")].into();
    let request = with(full("1.34.4"), [(MaxSurge, "10%"), (DrainTimeoutInMinutes, "45")].into());
    world.finish(&request);
    let mut state = world.state();
    assert_eq!(*state.settings(Some("linux2")), [(MaxSurge, "10%")].into(), "as Azure has it");
    assert_eq!(*state.settings(Some("linux1")), original("linux1"));
    assert_eq!(state.settings_sent, ["restore linux1", "restore linux2", "restore system", "restore win1"]);
    assert!(state.stored.restore.is_empty() && state.stored.left_to_others.is_empty());
}

#[test]
fn a_retry_tries_at_once_to_put_back_what_was_refused() {
    for going in [abandoned, Request::clone] {
        let world = world_at("1.34.2");
        let request = with(full("1.34.4"), surge());
        in_pool(&world, &request, "linux1");
        let locked = Answer::Refuse(failure(Some(409), "ScopeLocked", "the scope is locked"), None);
        world.state().settings_answers.push_back(locked);
        let request = going(&request);
        world.until_reason(&request, "RestoreFailed");
        let refused = world.state().now;
        let request = retried(&request, "go");
        world.until(&request, |_| world.state().settings_sent.len() > 1);
        assert_eq!(world.state().settings_sent, ["restore linux1", "restore linux1"]);
        assert!(world.state().now < refused + MINUTE, "not after half an hour");
        assert_eq!(world.until(&request, |_| false), None);
        assert_as_before(&world);
    }
}
