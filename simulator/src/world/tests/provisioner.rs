//! Node auto-provisioning: Karpenter's nodes follow the control plane by themselves.

use super::*;

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
fn the_nodes_of_a_stopped_cluster_stay_as_they_are() {
    let mut script = Script::whole(
        "",
        "kubernetesVersion: 1.34.4, powerState: Stopped, nodeProvisioning: { nodes: 1 }, pools: [{ name: system, mode: System }]",
    );
    script.pass(180);
    assert_eq!(provisioned(&script), ["1.34.4"]);
}
