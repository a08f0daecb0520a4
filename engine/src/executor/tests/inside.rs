//! Azure shows a version that is not there: somebody else's upgrade was accepted and had no effect.

use super::*;
use crate::{
    KubernetesVersion, Setting, Stance,
    testing::{
        cluster,
        world::{Answer, World},
    },
};

fn version(text: &str) -> KubernetesVersion {
    crate::testing::version(text)
}

/// To a version, and images stay as they are.
fn to(scope: Scope, version: &str) -> Request {
    Request { node_image: NodeImagePolicy::Skip, ..request(scope, Some(version)) }
}

/// The cluster of [`cluster`], with some of its pools in name only where Azure shows them.
fn in_name_only(at: &str, pools: &[(&str, &str)]) -> World {
    let world = World::of(cluster(at));
    for (pool, runs) in pools {
        old_nodes(&world, pool, runs);
    }
    world
}

/// One node of the pool runs this, whatever Azure shows.
fn old_nodes(world: &World, pool: &str, runs: &str) {
    world.state().nodes.get_mut(pool).unwrap()[1].kubelet = Some(version(runs));
}

fn looks(world: &World) -> (usize, usize) {
    let count = |name: &str| world.state().log.iter().filter(|call| **call == name).count();
    (count("server"), count("nodes"))
}

#[test]
fn r5_a_pool_that_was_upgraded_in_name_only_is_repaired() {
    let world = in_name_only("1.34.4", &[("win1", "1.33.8")]);
    let ledger = world.finish(&to(Scope::Full, "1.34.4"));
    assert_eq!(world.state().sent, ["pool-win1-1.34.4"]);
    let record = &ledger.steps[0];
    assert_eq!((record.step.from.as_str(), record.repair), ("1.33.8", true));
    let words = "repairs pool win1: Azure shows 1.34.4 already, and what runs was found to be 1.33.8";
    assert_eq!(record.repairs().as_deref(), Some(words));
    let kubelet = world.state().nodes["win1"][1].kubelet.clone();
    assert_eq!(kubelet, Some(version("1.34.4")));
}

#[test]
fn r5_a_control_plane_that_was_upgraded_in_name_only_is_repaired_before_its_pools() {
    let mut shown = cluster("1.34.2");
    shown.version = version("1.34.4");
    let world = World::of(shown);
    world.state().server = version("1.34.2");
    let ledger = world.finish(&to(Scope::Full, "1.34.4"));
    let state = world.state();
    assert_eq!(state.sent[..2], ["cp-1.34.4", "pool-linux1-1.34.4"]);
    assert_eq!((state.sent.len(), &state.server), (5, &version("1.34.4")));
    assert_eq!((ledger.steps[0].step.from.as_str(), ledger.steps[0].repair), ("1.34.2", true));
    assert!(ledger.steps[1..].iter().all(|record| !record.repair && record.repairs().is_none()));
}

#[test]
fn a_control_plane_in_name_only_is_repaired_however_far_behind_it_a_pool_is() {
    let mut shown = cluster("1.35.2");
    shown.version = version("1.36.2");
    shown.pools[1].version = version("1.32.9");
    let world = World::of(shown);
    world.state().server = version("1.35.2");
    world.finish(&to(Scope::Full, "1.36.2"));
    assert_eq!(world.state().sent[..2], ["cp-1.36.2", "pool-linux1-1.36.2"]);
    assert_eq!(world.state().sent.len(), 5);
}

#[test]
fn r5_before_the_control_plane_moves_its_pools_are_what_they_seem() {
    let world = in_name_only("1.34.4", &[("linux2", "1.33.8")]);
    world.state().server = version("1.34.2");
    world.finish(&to(Scope::Full, "1.35.2"));
    let first = world.state().sent[..4].to_vec();
    assert_eq!(first, ["cp-1.34.4", "pool-linux2-1.34.4", "cp-1.35.2", "pool-linux1-1.35.2"]);
    assert_eq!(world.state().sent.len(), 7, "every pool once after that");
}

#[test]
fn r5_r9_what_somebody_moves_in_between_stops_first_and_is_repaired_after_the_retry() {
    let request = to(Scope::Full, "1.34.4");
    let world = World::at("1.34.2");
    world.until(&request, |waiting| is_operation(waiting) && waiting.to_string().contains("pool linux1"));
    world.state().pool("win1").version = version("1.34.4");
    let waiting = world.until_reason(&request, "ExternalChange");
    assert!(waiting.to_string().contains("pool win1 went from 1.34.2 to 1.34.4"), "{waiting}");
    let again = retried(&request, "known");
    let repair = world.until(&again, |waiting| waiting.to_string().contains("pool win1")).unwrap();
    assert_eq!(repair.to_string(), "Azure upgrades pool win1 from 1.34.2 to 1.34.4");
    world.finish(&again);
    assert_eq!(world.state().sent.iter().filter(|id| *id == "pool-win1-1.34.4").count(), 1);
    assert_eq!(world.state().nodes["win1"][0].kubelet, Some(version("1.34.4")));
}

#[test]
fn r5_before_it_is_recorded_as_done_everything_is_looked_at_once_more() {
    let mut request = to(Scope::Full, "1.34.4");
    request.policy.soak = 10 * MINUTE;
    let world = World::at("1.34.2");
    let soaking = |waiting: &WaitingOn| matches!(waiting, WaitingOn::Soaking(_));
    world.until(&request, soaking);
    old_nodes(&world, "linux1", "1.34.2");
    assert_eq!(world.advance(&request).unwrap().waiting.unwrap().reason(), "Soaking");
    assert_eq!(looks(&world), (0, 0), "not while there is only to wait");
    world.pass(10 * MINUTE);
    let waiting = world.advance(&request).unwrap().waiting.unwrap();
    assert_eq!(waiting.to_string(), "Azure upgrades pool linux1 from 1.34.2 to 1.34.4");
    // What came up during the soak is soaked, too.
    world.until(&request, soaking).unwrap();
    let ledger = world.finish(&request);
    assert_eq!(world.state().sent.iter().filter(|id| *id == "pool-linux1-1.34.4").count(), 2);
    assert_eq!(ledger.steps.iter().filter(|record| record.repair).count(), 1);
}

#[test]
fn r5_what_cannot_be_looked_at_is_not_done() {
    for scope in [Scope::Full, Scope::ControlPlane, Scope::NodePools] {
        let world = World::at("1.34.4");
        let request = to(scope, "1.34.4");
        world.state().unreachable = true;
        for _ in 0..3 {
            let waiting = world.advance(&request).unwrap().waiting.unwrap();
            assert_eq!((waiting.reason(), waiting.stance()), ("GateInconclusive", Stance::Working));
            assert!(waiting.to_string().contains("connection refused"), "{waiting}");
            world.pass(MINUTE);
        }
        world.state().unreachable = false;
        assert!(world.finish(&request).steps.is_empty());
        assert!(world.state().sent.is_empty());
    }
    // Images say nothing of versions.
    let world = World::at("1.34.4");
    world.state().unreachable = true;
    world.finish(&Request { node_image: NodeImagePolicy::Skip, ..request(Scope::NodeImage, None) });
}

#[test]
fn r5_r11_a_cluster_that_shows_no_nodes_has_not_shown_that_they_are_new() {
    let world = World::at("1.34.4");
    let request = to(Scope::Full, "1.34.4");
    world.state().nodes.remove("linux2");
    let waiting = world.until_reason(&request, "GateInconclusive");
    assert!(waiting.to_string().contains("pool linux2 should have 3 nodes"), "{waiting}");
    world.state().show_nodes("linux2");
    assert!(world.finish(&request).steps.is_empty());
}

#[test]
fn a_repair_that_somebody_else_has_made_meanwhile_is_not_sent() {
    let world = in_name_only("1.34.4", &[("linux1", "1.33.8")]);
    let request = to(Scope::Full, "1.34.4");
    world.state().may_act = false;
    world.advance(&request);
    assert!(world.state().stored.operation.is_some(), "its intent is recorded");
    world.state().may_act = true;
    world.state().show_nodes("linux1");
    world.finish(&request);
    assert!(world.state().sent.is_empty());
}

#[test]
fn a_repair_is_sent_whatever_image_it_brings() {
    let world = in_name_only("1.34.4", &[("win1", "1.33.8")]);
    let mut request = to(Scope::Full, "1.34.4");
    let pin = "AKSWindows-2022-containerd-20348.4100.260811";
    request.node_image = NodeImagePolicy::Consistent;
    request.images = [("AKSWindows-2022-containerd".to_owned(), pin.to_owned())].into();
    world.finish(&request);
    assert!(world.state().sent.contains(&"pool-win1-1.34.4".to_owned()));
}

#[test]
fn a_repair_that_nobody_can_see_to_be_needed_is_not_sent() {
    let world = in_name_only("1.34.4", &[("linux1", "1.33.8")]);
    let request = to(Scope::Full, "1.34.4");
    world.state().may_act = false;
    world.advance(&request);
    world.state().may_act = true;
    world.state().unreachable = true;
    for _ in 0..3 {
        assert_eq!(world.advance(&request).unwrap().waiting.unwrap().reason(), "GateInconclusive");
        world.pass(10 * MINUTE);
    }
    assert!(world.state().sent.is_empty());
    world.state().unreachable = false;
    world.finish(&request);
    assert_eq!(world.state().sent, ["pool-linux1-1.34.4"]);
}

#[test]
fn r20_a_repair_whose_answer_was_lost_is_adopted() {
    let lost = [Answer::LostBefore, Answer::LostAfterEffect];
    let world = in_name_only("1.34.4", &[("linux1", "1.33.8")]).answers(lost);
    world.finish(&to(Scope::Full, "1.34.4"));
    let state = world.state();
    assert_eq!((state.sent.len(), state.done.as_slice()), (2, ["pool-linux1-1.34.4".to_owned()].as_slice()));
}

#[test]
fn r5_a_repair_without_effect_is_no_success() {
    let world = in_name_only("1.34.4", &[("linux1", "1.33.8")]).answers([Answer::Pretend]);
    let request = to(Scope::Full, "1.34.4");
    let waiting = world.until_reason(&request, "NodesNotUpdated");
    assert!(waiting.to_string().contains("node aks-linux1-1 shows kubelet 1.33.8"), "{waiting}");
    assert_eq!(world.state().sent.len(), 1, "not again and again");
    world.finish(&retried(&request, "again"));
    assert_eq!(world.state().done, ["pool-linux1-1.34.4"]);
}

#[test]
fn a_repair_runs_with_the_settings_of_the_plan_and_puts_them_back() {
    let world = in_name_only("1.34.4", &[("linux1", "1.33.8")]);
    let mut request = to(Scope::Full, "1.34.4");
    request.policy.upgrade_settings.0.insert(Setting::MaxSurge, "2".to_owned());
    let before = world.state().pool("linux1").upgrade_settings.clone();
    world.until(&request, is_operation);
    assert_ne!(world.state().pool("linux1").upgrade_settings, before);
    world.finish(&request);
    assert_eq!(world.state().pool("linux1").upgrade_settings, before);
    assert_eq!(world.state().sent, ["pool-linux1-1.34.4"]);
}

#[test]
fn a_control_plane_out_of_scope_that_is_behind_is_named_and_waited_for() {
    let world = World::at("1.34.2");
    world.state().cluster.version = version("1.34.4");
    let request = to(Scope::NodePools, "1.34.4");
    world.pass(MINUTE);
    let waiting = world.until_reason(&request, "PreflightBlocked");
    let words = waiting.to_string();
    assert!(
        words.contains("Azure shows 1.34.4 for the control plane, and its API server runs 1.34.2"),
        "{words}"
    );
    assert!(words.contains("az aks upgrade --control-plane-only --kubernetes-version 1.34.4"), "{words}");
    world.state().server = version("1.34.4");
    world.finish(&request);
    assert_eq!(world.state().sent.len(), 4);
}

#[test]
fn nobody_looks_while_nothing_could_come_of_it() {
    let quiet = |change: fn(&mut Request)| {
        let world = World::at("1.34.2");
        let mut request = to(Scope::Full, "1.34.4");
        change(&mut request);
        world.advance(&request);
        assert_eq!(looks(&world), (0, 0));
    };
    quiet(|request| request.waits_for_wave = Some("prod".to_owned()));
    quiet(|request| request.suspend = true);
    quiet(|request| request.other_upgrade = Some("autumn".to_owned()));
    let world = World::at("1.34.2");
    world.finish(&to(Scope::Full, "1.34.4"));
    world.advance(&to(Scope::Full, "1.34.4"));
    assert_eq!(looks(&world), (0, 0), "done is done");
}

#[test]
fn a_decision_looks_at_no_more_than_it_rests_on() {
    let world = World::at("1.34.2");
    let request = to(Scope::Full, "1.34.4");
    let looked = |part: &str| {
        world.until(&request, |waiting| is_operation(waiting) && waiting.to_string().contains(part));
        looks(&world)
    };
    assert_eq!(looked("control plane"), (1, 4), "before a hop all that takes part");
    assert_eq!(looked("pool linux1"), (2, 0), "the hop's end, and what pools rest on");
    assert_eq!(looked("pool linux2"), (1, 1), "the last one's end; the others move");
    assert_eq!(looked("pool system"), (1, 1));
    world.finish(&request);
    assert_eq!(looks(&world), (1, 5), "the last one's end, and all of them before it is done");
}
