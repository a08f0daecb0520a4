//! What Azure calls done and the nodes do not show is sent again when a person asks for it: once, and
//! whatever comes in between.

use super::*;
use crate::{
    Phase, ProvisioningState, Stance,
    testing::world::{Answer, Crash, OPERATION, World},
};

const STEP: &str = "pool-linux1-1.34.4";

/// The first pool is called done, its nodes are old, and that for so long that a person has to look.
fn not_updated(answers: impl IntoIterator<Item = Answer>) -> World {
    let world = World::at("1.34.2").answers([Answer::Accept, Answer::Pretend]).answers(answers);
    world.until_reason(&full("1.34.4"), "NodesNotUpdated");
    world
}

fn times_sent(world: &World) -> usize {
    world.state().sent.iter().filter(|id| *id == STEP).count()
}

fn is_to_be_repaired(world: &World) -> bool {
    world.state().stored.operation.as_ref().is_some_and(|operation| operation.repair)
}

#[test]
fn r5_what_azure_calls_done_and_nodes_do_not_show_is_repaired_by_retry() {
    let world = World::at("1.34.2").answers([Answer::Accept, Answer::Pretend]);
    let request = full("1.34.4");
    let waiting = world.until_reason(&request, "NodesNotUpdated");
    assert_eq!(waiting.stance(), Stance::Stopped);
    assert!(waiting.to_string().contains("node aks-linux1-0 shows kubelet 1.34.2"), "{waiting}");
    assert_eq!(world.state().sent.len(), 2);
    world.finish(&retried(&request, "repair"));
    assert_eq!(world.state().sent[1..3], ["pool-linux1-1.34.4"; 2]);
}

#[test]
fn r5_a_repair_that_azure_refuses_for_a_while_is_not_forgotten() {
    let unavailable = || Answer::Refuse(failure(Some(503), "ServiceUnavailable", "not now"), None);
    let busy = Answer::Refuse(failure(Some(409), "OperationNotAllowed", "another operation runs"), None);
    let world = not_updated([unavailable(), busy, unavailable()]);
    let request = retried(&full("1.34.4"), "repair");
    world.until_reason(&request, "Retrying");
    assert!(is_to_be_repaired(&world));
    world.pass(Duration::from_secs(10));
    assert_eq!(world.advance(&request).unwrap().waiting.unwrap().reason(), "Retrying");
    assert_eq!(times_sent(&world), 2, "not before its time");
    world.finish(&request);
    assert_eq!(times_sent(&world), 5, "once for nothing, three times refused, once to repair it");
}

#[test]
fn r5_a_repair_outlives_what_others_do_to_the_pool_meanwhile() {
    let world = not_updated([]);
    let request = retried(&full("1.34.4"), "repair");
    world.state().unreachable = true;
    world.until_reason(&request, "GateInconclusive");
    world.state().pool("linux1").provisioning_state = ProvisioningState::Busy("Scaling".to_owned());
    world.pass(MINUTE);
    assert_eq!(world.advance(&request).unwrap().waiting.unwrap().reason(), "WaitingForCluster");
    assert!(is_to_be_repaired(&world));
    world.state().unreachable = false;
    world.state().pool("linux1").provisioning_state = ProvisioningState::Succeeded;
    world.finish(&request);
    assert_eq!(times_sent(&world), 2);
}

#[test]
fn r5_an_operation_of_somebody_else_is_not_taken_for_the_repair() {
    let world = not_updated([]);
    let request = retried(&full("1.34.4"), "repair");
    // Somebody reconciles the pool between our claim and our look at it.
    world.state().after_write = Some(|state| {
        let operation = state.stored.operation.clone().unwrap();
        if operation.phase == Phase::Intent && operation.repair {
            state.pool("linux1").provisioning_state = ProvisioningState::Busy("Updating".to_owned());
        }
    });
    world.until(&request, is_operation).unwrap();
    assert_eq!(times_sent(&world), 1, "theirs is waited for");
    world.state().after_write = None;
    world.state().pool("linux1").provisioning_state = ProvisioningState::Succeeded;
    world.finish(&request);
    assert_eq!(times_sent(&world), 2, "and then ours is sent");
}

#[test]
fn r5_r20_a_repair_is_sent_once_wherever_its_answer_is_lost_or_the_operator_dies() {
    let request = retried(&full("1.34.4"), "repair");
    let lost = not_updated([Answer::LostAfterEffect]);
    lost.finish(&request);
    assert_eq!(times_sent(&lost), 2, "its answer was lost");
    for at in 1..=12 {
        for (after_effect, pause) in [(false, MINUTE), (true, MINUTE), (true, 2 * OPERATION)] {
            let world = not_updated([]);
            let at = world.state().calls + at;
            world.state().crash = Some(Crash { at, after_effect });
            world.advance(&request);
            world.pass(pause);
            world.finish(&request);
            assert_eq!(times_sent(&world), 2, "{at} {after_effect}");
            assert!(world.state().crash.is_none(), "it died");
        }
    }
}

#[test]
fn r15_a_repair_without_effect_is_not_repeated_until_somebody_asks_again() {
    let world = not_updated([Answer::Pretend]);
    let request = retried(&full("1.34.4"), "once");
    world.until(&request, is_operation).unwrap();
    world.until_reason(&request, "NodesNotUpdated");
    world.pass(600 * MINUTE);
    assert_eq!(world.advance(&request).unwrap().waiting.unwrap().reason(), "NodesNotUpdated");
    assert_eq!(times_sent(&world), 2);
    let steps = world.finish(&retried(&request, "twice")).steps;
    assert_eq!(times_sent(&world), 3);
    assert!(steps.iter().all(|record| record.attempts == 1));
}

#[test]
fn a_repair_that_the_nodes_have_made_needless_is_not_sent() {
    let world = not_updated([]);
    let request = retried(&full("1.34.4"), "repair");
    world.state().unreachable = true;
    world.until_reason(&request, "GateInconclusive");
    {
        let mut state = world.state();
        state.unreachable = false;
        let image = state.images["linux1"].clone();
        state.pool("linux1").node_image.clone_from(&image);
        for node in state.nodes.get_mut("linux1").unwrap() {
            (node.kubelet, node.image) = (Some("1.34.4".parse().unwrap()), image.clone());
        }
    }
    world.finish(&request);
    assert_eq!(times_sent(&world), 1);
}
