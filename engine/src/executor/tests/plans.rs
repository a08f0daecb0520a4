//! Plans that begin with somebody else's mess, or leave nodes to Azure, carried out to their end.

use super::*;
use crate::{
    ProvisioningState,
    testing::{cluster, version, world::World},
};

#[test]
fn a_pool_that_failed_before_we_came_is_repaired_before_the_control_plane_moves() {
    let mut broken = cluster("1.34.2");
    broken.pools[1].provisioning_state = ProvisioningState::Failed;
    let world = World::of(broken);
    world.finish(&full("1.34.4"));
    let state = world.state();
    let expected = ["pool-linux2-1.34.2", "cp-1.34.4", "pool-linux1-1.34.4", "pool-linux2-1.34.4"];
    assert_eq!(state.sent[..4], expected);
    assert!(state.cluster.pools.iter().all(|pool| pool.provisioning_state == ProvisioningState::Succeeded));
    state.assert_nothing_twice();
}

#[test]
fn a_repair_that_fails_stops_before_the_control_plane_has_moved() {
    let mut broken = cluster("1.34.2");
    broken.pools[1].provisioning_state = ProvisioningState::Failed;
    let answers = (0..3).map(|_| crate::testing::world::Answer::FailLater(timed_out()));
    let world = World::of(broken).answers(answers);
    world.until_reason(&full("1.34.4"), "OperationFailed");
    assert_eq!(world.state().sent, ["pool-linux2-1.34.2"; 3]);
    assert_eq!(world.state().cluster.version, version("1.34.2"));
}

#[test]
fn nodes_that_azure_makes_follow_by_themselves_and_that_is_no_change_from_outside() {
    let mut provisioning = cluster("1.34.2");
    provisioning.node_provisioning = true;
    provisioning.pools[3].mode = "Machines".to_owned();
    let (world, request) = (World::of(provisioning), full("1.34.4"));
    world.until(&request, |waiting| is_operation(waiting) && waiting.to_string().contains("pool linux1"));
    world.state().pool("win1").version = version("1.34.4");
    world.finish(&request);
    assert_eq!(world.state().sent.len(), 4, "control plane and three pools");
}

#[test]
fn an_upgrade_is_done_before_provisioned_nodes_are() {
    let mut provisioning = cluster("1.34.2");
    provisioning.pools[3].mode = "Machines".to_owned();
    let world = World::of(provisioning);
    world.finish(&full("1.34.4"));
    assert_eq!(world.state().pool("win1").version, version("1.34.2"));
}
