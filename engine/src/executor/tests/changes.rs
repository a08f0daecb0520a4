//! Somebody else changes the cluster.

use super::*;
use crate::{
    ProvisioningState, Stance,
    testing::{
        version,
        world::{Answer, OPERATION, World, workload},
    },
};

/// Waits until the control plane is done and the first pool is upgraded.
fn in_the_first_pool(request: &Request) -> World {
    let world = World::at("1.34.2");
    world.until(request, |waiting| is_operation(waiting) && waiting.to_string().contains("pool linux1"));
    world
}

fn add_pool(world: &World) {
    let mut state = world.state();
    let mut fresh = state.pool("linux1").clone();
    fresh.name = "linux3".to_owned();
    (fresh.version, fresh.provisioning_state) = (version("1.34.2"), ProvisioningState::Succeeded);
    state.cluster.pools.push(fresh);
    let image = state.images["linux1"].clone();
    state.images.insert("linux3".to_owned(), image);
}

#[test]
fn r9_a_version_that_moved_without_us_stops_and_retry_goes_on_from_there() {
    let request = full("1.34.4");
    let world = in_the_first_pool(&request);
    world.state().pool("win1").version = version("1.34.4");
    world.state().show_nodes("win1");
    let waiting = world.until_reason(&request, "ExternalChange");
    let words = waiting.to_string();
    assert!(
        words.contains("pool win1 went from 1.34.2 to 1.34.4") && words.contains("tidegate.dev/retry"),
        "{words}"
    );
    assert_eq!(waiting.stance(), Stance::Stopped);
    assert_eq!(world.state().sent.len(), 2);
    world.finish(&retried(&request, "known"));
    assert!(!world.state().sent.contains(&"pool-win1-1.34.4".to_owned()), "it is there already");
}

#[test]
fn r9_what_moves_after_a_retry_is_noticed_also_while_a_step_is_under_way() {
    let request = full("1.34.4");
    let world = in_the_first_pool(&request);
    let again = retried(&request, "early");
    world.pass(MINUTE);
    assert!(is_operation(&world.advance(&again).unwrap().waiting.unwrap()));
    assert_eq!(world.state().stored.retry_token.as_deref(), Some("early"));
    world.state().pool("win1").version = version("1.34.4");
    let waiting = world.until_reason(&again, "ExternalChange");
    assert!(waiting.to_string().contains("pool win1 went from 1.34.2 to 1.34.4"), "{waiting}");
    assert_eq!(world.state().sent.len(), 2, "what was under way has come to its end");
    assert_eq!(state_of(&world, "pool-linux1-1.34.4"), StepState::Succeeded);
    world.finish(&retried(&request, "known"));
}

#[test]
fn r9_what_moves_after_a_retry_is_noticed_also_between_steps() {
    let request = full("1.34.4");
    let world = in_the_first_pool(&request);
    world.until_reason(&Request { suspend: true, ..request.clone() }, "Suspended");
    world.state().workloads = Ok(vec![workload("checkout", Some("image cannot be pulled"))]);
    let again = retried(&request, "impatient");
    world.until_reason(&again, "GateFailed");
    assert_eq!(world.state().stored.operation, None);
    world.state().pool("win1").version = version("1.34.4");
    world.pass(MINUTE);
    world.state().workloads = Ok(vec![workload("checkout", None)]);
    world.until_reason(&again, "ExternalChange");
    assert_eq!(world.state().sent.len(), 2);
}

#[test]
fn r9_r15_a_pool_that_is_taken_back_while_an_intent_waits_stops_it_and_retry_plans_anew() {
    let request = full("1.35");
    let world = World::at("1.34.4").answers([Answer::LostBefore]);
    world.advance(&request);
    assert!(world.state().stored.in_flight());
    world.pass(60 * MINUTE);
    world.state().pool("win1").version = version("1.31.9");
    world.state().show_nodes("win1");
    let waiting = world.advance(&request).unwrap().waiting.unwrap();
    assert_eq!(waiting.reason(), "ExternalChange");
    assert!(waiting.to_string().contains("pool win1 went from 1.34.4 to 1.31.9"), "{waiting}");
    assert_eq!(world.state().sent.len(), 1, "only the one that was lost");
    let again = retried(&request, "known");
    world.until(&again, |waiting| is_operation(waiting) || matches!(waiting, WaitingOn::Sending(_)));
    let sent = world.state().sent.clone();
    assert!(sent[1].starts_with("pool-win1-"), "below 1.35 it would be too far behind: {sent:?}");
    world.finish(&again);
}

#[test]
fn a_retry_is_no_change_of_what_the_step_under_way_moves_itself() {
    for decisions in 0..8 {
        let mut request = full("1.34.4");
        request.policy.order = pool_soak("linux1", 5 * MINUTE);
        let world = in_the_first_pool(&request);
        world.state().lag = 5 * MINUTE;
        for _ in 0..decisions {
            let waiting = world.advance(&request).unwrap().waiting.unwrap();
            let pause = waiting.look_again(world.state().now);
            world.pass(pause.max(2 * MINUTE));
        }
        world.finish(&retried(&request, "early"));
        world.state().assert_nothing_twice();
    }
}

#[test]
fn a_pool_that_was_made_meanwhile_is_accounted_for_from_its_first_step_on() {
    let request = full("1.34.4");
    let world = in_the_first_pool(&request);
    add_pool(&world);
    // Somebody moves it between our claim and our look at it.
    world.state().after_write = Some(|state| {
        if state.stored.operation.as_ref().is_some_and(|operation| operation.step_id.contains("linux3")) {
            state.pool("linux3").version = version("1.33.8");
        }
    });
    let waiting = world.until_reason(&request, "ExternalChange");
    assert!(waiting.to_string().contains("pool linux3 went from 1.34.2 to 1.33.8"), "{waiting}");
    world.state().after_write = None;
    world.finish(&retried(&request, "known"));
}

#[test]
fn a_control_plane_that_overtook_the_step_is_not_sent_backwards() {
    let world = World::at("1.33.8");
    let request = control_plane("1.35.2");
    world.state().may_act = false;
    world.advance(&request);
    world.state().may_act = true;
    {
        let mut state = world.state();
        (state.cluster.version, state.server) = (version("1.35.0"), version("1.35.0"));
    }
    let waiting = world.until_reason(&request, "ExternalChange");
    assert!(waiting.to_string().contains("control plane went from 1.33.8 to 1.35.0"), "{waiting}");
    assert!(world.state().sent.is_empty());
    world.finish(&retried(&request, "known"));
    assert_eq!(world.state().sent, ["cp-1.35.2"]);
}

#[test]
fn a_pool_deleted_under_us_stops_and_retry_goes_on_without_it() {
    let request = full("1.34.4");
    let world = in_the_first_pool(&request);
    world.state().cluster.pools.retain(|pool| pool.name != "linux1");
    let waiting = world.until_reason(&request, "ExternalChange");
    assert!(waiting.to_string().contains("pool linux1 no longer exists"), "{waiting}");
    assert!(waiting.to_string().contains("tidegate.dev/retry"), "{waiting}");
    // Its operation ends nowhere.
    let again = retried(&request, "known");
    let next = world.until(&again, is_operation).unwrap();
    assert!(next.to_string().contains("pool linux2"), "{next}");
}

#[test]
fn a_new_pool_takes_part() {
    let request = full("1.34.4");
    let world = in_the_first_pool(&request);
    add_pool(&world);
    world.finish(&request);
    assert!(world.state().done.contains(&"pool-linux3-1.34.4".to_owned()));
}

#[test]
fn r7_the_same_move_by_somebody_else_is_as_good_as_ours() {
    let world = World::at("1.34.2");
    let request = control_plane("1.34.4");
    world.state().may_act = false;
    world.advance(&request);
    {
        let mut state = world.state();
        state.may_act = true;
        state.cluster.version = version("1.34.4");
        state.cluster.provisioning_state = ProvisioningState::Busy("Upgrading".to_owned());
    }
    assert_eq!(world.advance(&request).unwrap().waiting.unwrap().reason(), "UpgradingControlPlane");
    world.pass(OPERATION);
    world.state().cluster.provisioning_state = ProvisioningState::Succeeded;
    // Azure shows the target from the start: a patch is there when the API server is another one.
    let waiting = world.until_reason(&request, "Verifying");
    assert!(waiting.to_string().contains("the API server says it is still 1.34.2"), "{waiting}");
    world.state().server = version("1.34.4");
    world.finish(&request);
    assert!(world.state().sent.is_empty());
}

#[test]
fn a_pool_that_scales_is_not_taken_for_our_image_upgrade() {
    let world = World::at("1.34.4");
    let request = request(Scope::NodeImage, None);
    world.state().may_act = false;
    world.advance(&request);
    world.state().may_act = true;
    world.state().pool("linux1").provisioning_state = ProvisioningState::Busy("Scaling".to_owned());
    assert_eq!(world.advance(&request).unwrap().waiting.unwrap().reason(), "WaitingForCluster");
    world.state().pool("linux1").provisioning_state = ProvisioningState::Succeeded;
    world.finish(&request);
    world.state().assert_nothing_twice();
}

#[test]
fn a_pool_that_scales_while_its_nodes_are_verified_is_verified_afterwards() {
    let request = full("1.34.4");
    let world = World::at("1.34.2");
    world.state().lag = 5 * MINUTE;
    world.until(&request, |waiting| waiting.to_string().contains("node aks-linux1-0"));
    world.state().pool("linux1").provisioning_state = ProvisioningState::Busy("Scaling".to_owned());
    world.pass(MINUTE);
    world.advance(&request);
    {
        let mut state = world.state();
        state.pool("linux1").provisioning_state = ProvisioningState::Succeeded;
        state.pool("linux1").count = Some(4);
        let mut node = state.nodes["linux1"][0].clone();
        node.name = "aks-linux1-3".to_owned();
        state.nodes.get_mut("linux1").unwrap().push(node);
    }
    world.finish(&request);
    assert_eq!(world.state().sent.iter().filter(|id| id.contains("linux1")).count(), 1);
}

#[test]
fn what_cannot_start_says_so_and_starts_when_it_can() {
    let world = World::at("1.34.2");
    let request = full("1.34.4");
    world.state().cluster.power = crate::Power::Stopped;
    let waiting = world.until_reason(&request, "PreflightBlocked");
    assert!(waiting.to_string().contains("stopped"), "{waiting}");
    world.state().cluster.power = crate::Power::Running;
    world.finish(&request);

    let world = World::at("1.34.2");
    let waiting = world.until_reason(&full("1.99"), "InvalidSpec");
    assert!(waiting.to_string().contains("spec.target.kubernetes.version is 1.99"), "{waiting}");
    assert!(world.state().sent.is_empty());
}

#[test]
fn the_nodes_of_one_pool_say_nothing_about_the_next() {
    let request = full("1.34.4");
    let world = in_the_first_pool(&request);
    // Somebody upgrades the next pool between our claim and our look at it; its nodes lag.
    world.state().after_write = Some(|state| {
        if state.stored.operation.as_ref().is_some_and(|operation| operation.step_id.contains("linux2")) {
            let image = state.images["linux2"].clone();
            let pool = state.pool("linux2");
            (pool.version, pool.node_image) = (version("1.34.4"), image);
        }
    });
    let waiting = world.until(&request, |waiting| waiting.to_string().contains("linux2")).unwrap();
    assert!(waiting.to_string().contains("node aks-linux2-0 shows kubelet 1.34.2"), "{waiting}");
}
