//! Who else changes the number of nodes: the autoscaler, and Karpenter.

use super::*;
use crate::effects::BlockedPod;

fn autoscaled(count: u32, autoscaler: &str) -> Script {
    Script::whole(
        "seed: 7",
        &format!(
            "kubernetesVersion: 1.34.4, autoscaler: {{ {autoscaler} }}, pools: [{{ name: apps, count: {count}, autoscale: {{ min: 2, max: 5 }}, kubernetesVersion: 1.34.2 }}, {{ name: fixed, count: 2 }}]"
        ),
    )
}

fn count(script: &mut Script) -> (u64, usize) {
    (script.get_pool("apps")["count"].as_u64().unwrap(), script.nodes("apps").len())
}

#[test]
fn a_pool_gets_its_sizes_at_the_instants_that_are_given() {
    let mut script = autoscaled(
        3,
        "at: [{ at: 2026-12-05T23:00:00Z, pool: apps, count: 5 }, { at: 2026-12-06T00:00:00Z, pool: apps, count: 2 }]",
    );
    let before = script.get_pool("apps");
    assert_eq!(
        (&before["enableAutoScaling"], &before["minCount"], &before["maxCount"]),
        (&json!(true), &json!(2), &json!(5))
    );
    script.pass(60);
    assert_eq!(count(&mut script), (5, 5));
    assert_eq!(script.world.view()[0].pools[0].nodes.iter().filter(|node| node.ready).count(), 3);
    script.pass(3);
    let properties = script.get_pool("apps");
    assert_eq!(script.nodes("apps")[4], "000004 1.34.2");
    assert_eq!(
        (&properties["provisioningState"], &properties["eTag"]),
        (&json!("Succeeded"), &before["eTag"])
    );
    script.pass(57);
    assert_eq!(count(&mut script), (2, 5));
    assert_eq!(script.nodes("apps")[2], "000002 1.34.2 c");
    script.pass(1);
    assert_eq!(script.nodes("apps"), ["000000 1.34.2", "000001 1.34.2"]);
    assert_eq!(script.nodes("fixed").len(), 2);
}

#[test]
fn a_pool_changes_now_and_then_within_its_bounds_and_the_same_for_the_same_seed() {
    let run = || {
        let mut script = autoscaled(3, "every: 1h");
        let counts = (0..48).map(|_| {
            script.pass(60);
            count(&mut script).0
        });
        counts.collect::<Vec<_>>()
    };
    let counts = run();
    assert_eq!(counts, run());
    assert!(counts.iter().all(|count| (2..=5).contains(count)), "{counts:?}");
    assert!(counts.windows(2).filter(|pair| pair[0] != pair[1]).count() > 10, "{counts:?}");
}

#[test]
fn during_an_upgrade_new_nodes_are_new_and_old_ones_stay_until_they_are_done() {
    let mut script = autoscaled(
        3,
        "at: [{ at: 2026-12-05T22:05:00Z, pool: apps, count: 4 }, { at: 2026-12-05T22:06:00Z, pool: apps, count: 2 }]",
    );
    let answer = script.upgrade_pool("apps", "1.34.4");
    script.pass(5);
    assert_eq!(script.nodes("apps")[4], "000004 1.34.4");
    // Nobody else may leave: the others are still to be upgraded.
    script.pass(1);
    assert_eq!(count(&mut script).0, 4);
    script.pass(60);
    assert_eq!(script.status(&answer)["status"], "Succeeded");
    assert_eq!(script.nodes("apps").iter().filter(|node| node.ends_with(" 1.34.4")).count(), 4);
}

#[test]
fn a_budget_keeps_a_node_that_was_to_leave() {
    let mut script = autoscaled(3, "at: [{ at: 2026-12-05T22:05:00Z, pool: apps, count: 2 }]");
    let endpoint = crate::world::Endpoint { server: "https://127.0.0.1:1".into(), ca_pem: "pem".into() };
    script.world.attach(script.now, &cluster(), endpoint);
    let blocked = || BlockedPod {
        namespace: "shop".into(),
        pod: "db-0".into(),
        budget: Some("db".into()),
        message: "Cannot evict pod".into(),
    };
    let effects = script.drive(30, |effect| {
        matches!(effect, Effect::DrainNode { .. }).then(|| Outcome::DrainBlocked(vec![blocked()]))
    });
    assert!(effects.iter().any(|effect| matches!(effect, Effect::UncordonNode { .. })));
    assert_eq!(count(&mut script), (3, 3));
    assert!(script.nodes("apps").iter().all(|node| node.ends_with(" 1.34.2")));
}

fn provisioned(script: &Script) -> Vec<String> {
    let view = script.world.view();
    let nodes = view[0].provisioned.iter().map(|node| {
        let cordoned = if node.cordoned { " c" } else { "" };
        format!("{}{cordoned}", node.kubernetes_version)
    });
    nodes.collect()
}

const NAP: &str = "kubernetesVersion: 1.34.4, pools: [{ name: system, mode: System }], nodeProvisioning: { nodes: 2, driftAfter: 30m }";

#[test]
fn provisioned_nodes_follow_the_control_plane_one_by_one() {
    let mut script = Script::whole("", NAP);
    assert_eq!(script.get()["properties"]["nodeProvisioningProfile"]["mode"], "Auto");
    assert_eq!(script.get()["properties"]["agentPoolProfiles"].as_array().unwrap().len(), 1);
    assert_eq!(provisioned(&script), ["1.34.4", "1.34.4"]);
    let _answer = script.upgrade_control_plane("1.35.3");
    script.pass(6 + 29);
    assert_eq!(provisioned(&script), ["1.34.4", "1.34.4"]);
    script.pass(2);
    assert_eq!(provisioned(&script), ["1.34.4", "1.34.4", "1.35.3"]);
    script.pass(2);
    assert_eq!(provisioned(&script), ["1.34.4 c", "1.34.4", "1.35.3"]);
    script.pass(30);
    assert_eq!(provisioned(&script), ["1.35.3", "1.35.3"]);
    assert_eq!(script.states(), ["Succeeded", "Succeeded"]);
    assert_eq!(script.world.next_deadline(), None);
}

#[test]
fn a_provisioned_node_that_cannot_be_drained_is_tried_again_an_hour_later() {
    let mut script = Script::whole("", NAP);
    let endpoint = crate::world::Endpoint { server: "https://127.0.0.1:1".into(), ca_pem: "pem".into() };
    script.world.attach(script.now, &cluster(), endpoint);
    let created = script.drive(0, |_| None);
    let stuck = script.world.view()[0].provisioned[0].name.clone();
    assert!(created.iter().any(|effect| {
        matches!(effect, Effect::CreateNode(node) if node.pool.is_empty()
            && node.name == stuck
            && stuck.starts_with("aks-default-")
            && node.provider_id.ends_with(&format!("/virtualMachines/{stuck}")))
    }));
    let _answer = script.upgrade_control_plane("1.35.3");
    let refuse = |effect: &Effect| {
        let is_stuck = matches!(effect, Effect::DrainNode { node, .. } if *node == stuck);
        is_stuck.then(|| Outcome::DrainBlocked(Vec::new()))
    };
    script.drive(90, refuse);
    assert_eq!(provisioned(&script), ["1.34.4", "1.34.4", "1.35.3"], "its successor is there");
    script.drive(180, |_| None);
    assert_eq!(provisioned(&script), ["1.35.3", "1.35.3"]);
}

#[test]
fn what_is_due_while_a_cluster_is_stopped_passes_it_by() {
    let mut script = Script::whole(
        "",
        "kubernetesVersion: 1.34.4, powerState: Stopped, nodeProvisioning: { nodes: 1 }, autoscaler: { every: 1h, at: [{ at: 2026-12-05T23:00:00Z, pool: apps, count: 5 }] }, pools: [{ name: apps, count: 3, autoscale: { min: 2, max: 5 } }]",
    );
    script.pass(180);
    assert_eq!((count(&mut script), provisioned(&script).len()), ((3, 3), 1));
}
