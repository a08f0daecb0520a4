//! Nodes of the world as Node objects: the same that the node driver writes to a real API server.

use jiff::Timestamp;
use k8s_openapi::{api::core::v1 as core, apimachinery::pkg::apis::meta::v1::Time};
use serde_json::{Value, json};

use crate::{
    driver::node_object::{STATUS_LABEL, build_node, build_status, fingerprint, merge_taints, next_boot_id},
    world::{ApiNode, ApiServerView},
};

/// The taint that Kubernetes gives a cordoned node.
const UNSCHEDULABLE: &str = "node.kubernetes.io/unschedulable:NoSchedule";

/// Every node, by name. The world does not keep since when a node is there or Ready: `since` stands
/// for both.
pub(super) fn build_all(view: &ApiServerView, since: Timestamp, now: Timestamp) -> Vec<Value> {
    let mut nodes = view.nodes.iter().map(|node| build(node, since, now)).collect::<Vec<_>>();
    nodes.sort_by(|a, b| a.metadata.name.cmp(&b.metadata.name));
    nodes.into_iter().map(|node| json!(node)).collect()
}

fn build(ApiNode { node, cordoned, quarantined }: &ApiNode, since: Timestamp, now: Timestamp) -> core::Node {
    let mut object = build_node(node);
    // Another image or version is another boot.
    let boot = next_boot_id(&node.name, &format!("{}{}", node.kubernetes_version, node.node_image));
    let mut status = build_status(node, &boot, now);
    for condition in status.conditions.iter_mut().flatten() {
        condition.last_transition_time = Some(Time(since));
    }
    object.status = Some(status);
    object.metadata.uid = Some(fingerprint(&[&node.provider_id, "uid"]));
    object.metadata.creation_timestamp = Some(Time(since));
    object.metadata.resource_version = Some(now.as_millisecond().to_string());
    if *quarantined && let Some(labels) = &mut object.metadata.labels {
        labels.insert(STATUS_LABEL.to_owned(), "Quarantined".to_owned());
    }
    if *cordoned && let Some(spec) = &mut object.spec {
        spec.unschedulable = Some(true);
        let wanted = node.taints.iter().map(String::as_str).chain([UNSCHEDULABLE]);
        spec.taints = Some(merge_taints(&[], &wanted.map(str::to_owned).collect::<Vec<_>>()));
    }
    object
}
