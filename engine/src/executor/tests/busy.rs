//! Azure is busy with something else: told as what it is, and not counted against the step.

use super::*;
use crate::{
    Phase, ProvisioningState,
    testing::{
        version,
        world::{Answer, OPERATION, World},
    },
};

fn busy(word: &str) -> ProvisioningState {
    ProvisioningState::Busy(word.to_owned())
}

/// The first pool is done in Azure, and its nodes are not.
fn verifying(request: &Request) -> World {
    let world = World::at("1.34.2");
    world.state().lag = 60 * MINUTE;
    world.state().server = version("1.34.4");
    world.until(request, |waiting| waiting.to_string().contains("node aks-linux1-0"));
    world
}

#[test]
fn r5_a_pool_that_is_worked_on_while_its_nodes_are_verified_gets_no_more_time_for_that() {
    let request = full("1.34.4");
    let world = verifying(&request);
    let since = world.state().stored.operation.clone().unwrap().since;
    for (word, reason) in [("Updating", "WaitingForCluster"), ("Upgrading", "UpgradingNodePool")] {
        world.pass(4 * MINUTE);
        world.state().pool("linux1").provisioning_state = busy(word);
        let waiting = world.until_reason(&request, reason);
        if reason == "WaitingForCluster" {
            let words = "an operation that is not ours runs: pool linux1 is Updating";
            assert_eq!(waiting.to_string(), words);
        }
        world.pass(4 * MINUTE);
        assert_eq!(world.advance(&request).unwrap().waiting.unwrap().reason(), reason);
        world.state().pool("linux1").provisioning_state = ProvisioningState::Succeeded;
        world.until_reason(&request, "Verifying");
        let operation = world.state().stored.operation.clone().unwrap();
        assert_eq!((operation.phase, operation.since), (Phase::Verifying, since));
    }
    world.until_reason(&request, "NodesNotUpdated");
    assert_eq!(world.state().now.duration_since(since).as_mins(), 30);
    assert_eq!(world.state().sent.len(), 2);
}

#[test]
fn what_breaks_while_it_is_verified_is_sent_again_unless_somebody_has_aborted_it() {
    let request = full("1.34.4");
    let world = verifying(&request);
    world.state().pool("linux1").provisioning_state = ProvisioningState::Failed;
    world.until(&request, is_operation).unwrap();
    assert_eq!(world.state().sent[1..], ["pool-linux1-1.34.4"; 2]);

    let world = verifying(&request);
    world.state().pool("linux1").provisioning_state = ProvisioningState::Canceled;
    let waiting = world.until_reason(&request, "OperationFailed");
    assert!(waiting.to_string().contains("aborted by somebody"), "{waiting}");
    assert_eq!(world.state().sent.len(), 2);
    world.until(&retried(&request, "go"), is_operation).unwrap();
    assert_eq!(world.state().sent.len(), 3);
}

#[test]
fn r9_what_is_moved_elsewhere_while_it_is_verified_stops_it() {
    let request = full("1.34.4");
    let world = verifying(&request);
    world.state().pool("linux1").version = version("1.33.8");
    let waiting = world.until_reason(&request, "ExternalChange");
    assert!(waiting.to_string().contains("pool linux1 went from 1.34.2 to 1.33.8"), "{waiting}");
}

#[test]
fn r7_the_time_of_an_operation_that_took_the_place_of_ours_is_not_our_steps() {
    let world = World::at("1.34.2").answers([Answer::Accept, Answer::Preempt]);
    let mut request = full("1.34.4");
    request.policy.step_timeout = OPERATION + MINUTE;
    let in_pool = |waiting: &WaitingOn| is_operation(waiting) && waiting.to_string().contains("linux1");
    world.until(&request, in_pool).unwrap();
    {
        let mut state = world.state();
        state.takes = 2 * OPERATION;
        let pool = state.pool("linux1");
        (pool.version, pool.provisioning_state) = (version("1.34.2"), busy("Scaling"));
    }
    let waiting = world.until(&request, |waiting| !is_operation(waiting)).unwrap();
    let words = "an operation that is not ours runs: pool linux1 is Scaling";
    assert_eq!((waiting.reason(), &*waiting.to_string()), ("WaitingForCluster", words));
    world.pass(OPERATION / 2);
    world.state().takes = OPERATION;
    let ledger = world.finish(&request);
    assert!(ledger.steps.iter().all(|record| record.attempts == 1));
    assert_eq!(world.state().sent[1..3], ["pool-linux1-1.34.4"; 2]);
}

#[test]
fn an_image_upgrade_is_ours_by_its_word_and_words_that_nobody_knows_may_be_it() {
    for (word, reason) in [
        ("UpgradingNodeImageVersion", "UpgradingNodeImage"),
        ("Refurbishing", "UpgradingNodeImage"),
        ("Scaling", "WaitingForCluster"),
    ] {
        let world = World::at("1.34.4");
        let request = request(Scope::NodeImage, None);
        world.until(&request, is_operation).unwrap();
        world.pass(MINUTE);
        world.state().pool("linux1").provisioning_state = busy(word);
        world.pass(MINUTE);
        assert_eq!(world.advance(&request).unwrap().waiting.unwrap().reason(), reason, "{word}");
        world.finish(&request);
        world.state().assert_nothing_twice();
    }
}

#[test]
fn another_pool_that_is_worked_on_when_ours_is_done_is_told_as_what_it_is() {
    let world = World::at("1.34.2");
    let request = full("1.34.4");
    let in_pool = |waiting: &WaitingOn| is_operation(waiting) && waiting.to_string().contains("linux1");
    world.until(&request, in_pool).unwrap();
    world.state().pool("win1").provisioning_state = busy("Scaling");
    world.pass(OPERATION);
    let waiting = world.until(&request, |waiting| !is_operation(waiting)).unwrap();
    assert!(waiting.to_string().contains("not ours runs: pool win1 is Scaling"), "{waiting}");
    world.state().pool("win1").provisioning_state = ProvisioningState::Succeeded;
    world.finish(&request);
    world.state().assert_nothing_twice();
}
