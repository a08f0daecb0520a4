//! Upgrades that are deleted: what they changed goes back, and nothing new is begun.

use super::*;

#[test]
fn deleted_in_mid_step_it_waits_and_puts_back_and_starts_nothing_new() {
    let world = world_at("1.34.2");
    let request = with(full("1.34.4"), surge());
    in_pool(&world, &request, "linux1");
    let waiting = world.advance(&abandoned(&request)).unwrap().waiting.unwrap();
    assert!(["RestoringSettings", "UpgradingNodePool"].contains(&waiting.reason()), "{waiting:?}");
    assert!(world.state().settings_sent.is_empty(), "the step in flight is waited for");
    // The target cluster is away: nothing of it is needed.
    world.state().workloads = Err(Unreadable::failed("connection refused"));
    world.state().log.clear();
    assert_eq!(world.until(&abandoned(&request), |_| false), None);
    assert_as_before(&world);
    let state = world.state();
    assert_eq!(state.settings_sent, ["restore linux1"]);
    assert_eq!(state.sent, ["cp-1.34.4", "pool-linux1-1.34.4"]);
    for read in ["nodes", "workloads", "server", "offers"] {
        assert!(!state.log.contains(&read), "{:?}", state.log);
    }
}

#[test]
fn deleted_before_anything_was_changed_there_is_nothing_to_do() {
    let world = world_at("1.34.2");
    let request = with(full("1.34.4"), surge());
    world.until(&request, is_operation);
    assert_eq!(world.advance(&abandoned(&request)).unwrap().waiting, None);
    assert!(!world.state().log.contains(&"cluster") && !world.state().log.contains(&"glance"));
    world.state().stored = Ledger::default();
    assert_eq!(world.advance(&abandoned(&request)).unwrap().waiting, None);
    assert_eq!(world.state().sent, ["cp-1.34.4"]);
}

#[test]
fn deleted_while_held_the_settings_come_back_although_azure_goes_on() {
    let world = world_at("1.34.2").answers([Answer::Accept, Answer::Abort]);
    let request = with(full("1.34.4"), surge());
    world.until_reason(&request, "OperationFailed");
    assert_eq!(world.until(&abandoned(&request), |_| false), None);
    assert_as_before(&world);
    let state = world.state();
    assert_eq!((state.sent.len(), state.done.len()), (2, 2), "the pool is whole again: {:?}", state.done);
}

#[test]
fn what_is_gone_needs_nothing_back() {
    let request = with(full("1.34.4"), surge());
    let world = world_at("1.34.2");
    in_pool(&world, &request, "linux1");
    world.state().azure = Err(Unreadable::failed("503: try later"));
    world.pass(MINUTE);
    assert_eq!(
        world.advance(&abandoned(&request)).unwrap().waiting.unwrap().reason(),
        "AzureUnreachable",
        "out of reach is not gone"
    );
    world.state().azure = Err(Unreadable::Gone("404 ResourceNotFound".to_owned()));
    world.pass(MINUTE);
    assert_eq!(world.advance(&abandoned(&request)).unwrap().waiting, None);
    assert!(world.state().stored.restore.is_empty());

    let world = world_at("1.34.2");
    in_pool(&world, &request, "linux1");
    world.state().cluster.pools.retain(|pool| pool.name != "linux1");
    world.until_reason(&request, "ExternalChange");
    assert!(world.state().stored.restore.is_empty(), "neither does a pool that does not exist");
}

#[test]
fn deleted_while_azure_cannot_be_read_it_waits_and_puts_back() {
    let world = world_at("1.34.2");
    let request = with(full("1.34.4"), surge());
    in_pool(&world, &request, "linux1");
    // Its answer is lost, then Azure is out of reach for hours.
    world.state().settings_answers.push_back(Answer::LostAfterEffect);
    let going = abandoned(&request);
    world.until(&going, |_| !world.state().settings_sent.is_empty());
    world.state().azure = Err(Unreadable::failed("503: try later"));
    for _ in 0..10 {
        world.pass(30 * MINUTE);
        let waiting = world.advance(&going).unwrap().waiting.unwrap();
        assert_eq!((waiting.reason(), waiting.stance()), ("AzureUnreachable", Stance::Working));
    }
    world.state().azure = Ok(());
    assert_eq!(world.until(&going, |_| false), None);
    assert_as_before(&world);
    assert_eq!(world.state().settings_sent, ["restore linux1"], "it had been done");
}

#[test]
fn deleted_while_a_limit_holds_it_back_it_waits_for_room() {
    let held = || Answer::HoldBack(7 * MINUTE);
    let world = world_at("1.34.4");
    let request = with(request(Scope::NodeImage, None), surge());
    let going = abandoned(&request);
    world.state().settings_answers.push_back(held());
    world.until_reason(&request, "WaitingForAzureLimit");
    assert_eq!(world.until(&going, |_| false), None, "what was never sent needs nothing back");
    assert_as_before(&world);
    assert!(world.state().settings_sent.is_empty() && world.state().sent.is_empty());

    let world = world_at("1.34.4");
    in_pool(&world, &request, "linux1");
    world.state().settings_answers.extend([held(), held(), held()]);
    let began = world.state().now;
    world.until_reason(&going, "WaitingForAzureLimit");
    assert_eq!(world.until(&going, |waiting| waiting.stance() == Stance::Stopped), None);
    assert!(world.state().now >= began + 3 * 7 * MINUTE);
    assert_as_before(&world);
    assert_eq!(world.state().settings_sent, ["override linux1", "restore linux1"]);
}

#[test]
fn deleted_and_without_the_lease_it_is_not_done() {
    let world = world_at("1.34.2");
    let request = with(full("1.34.4"), surge());
    in_pool(&world, &request, "linux1");
    world.pass(OPERATION);
    // A step that lost its ground was dropped, and its settings are still there.
    world.state().stored.operation = None;
    world.state().may_act = false;
    let waiting =
        world.advance(&abandoned(&request)).unwrap().waiting.expect("there is something to put back");
    assert_eq!(waiting.reason(), "RestoringSettings");
    assert!(world.state().settings_sent.is_empty());
    world.state().may_act = true;
    assert_eq!(world.until(&abandoned(&request), |_| false), None);
    assert_as_before(&world);
}
