//! Effects on nodes: they come, are cordoned, reimaged, quarantined, and leave.
//!
//! Decides nothing; every function can be called again after any part of it. Touches
//! nodes, the pods on them when they are reimaged or leave, and their leases.

use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::{
    coordination::v1::Lease,
    core::v1::{self as core, Pod},
};
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};

use super::{
    Driver,
    api::{ApiError, gone_is_fine},
    drain::is_left_alone,
    events::{Reason, record},
    node_object::{
        CORDONED, NodeFacts, Readiness, STATUS_LABEL, build_conditions, build_labels, build_node,
        build_status, merge_taints, next_boot_id,
    },
};
use crate::{clock, effects::Node, world::build_name};

/// How long a node that is reimaged stays NotReady, in real time: long enough to be
/// seen, short against a pool's upgrade on a fast clock.
const REIMAGE_TIME: Duration = Duration::from_millis(300);
/// Pods of one node that are deleted at once.
const DELETIONS_AT_ONCE: usize = 8;

/// Creates the node, Ready; one that is there already takes on these properties.
pub(super) async fn create(driver: &Driver, node: &Node) -> Result<(), ApiError> {
    let api = api(driver);
    let (object, params) = (build_node(node), PostParams::default());
    let created = driver.calls.until_answered("create node", || api.create(&params, &object)).await;
    match created {
        Err(error) if error.is_conflict() => write_metadata(driver, node).await?,
        other => drop(other?),
    }
    write_ready(driver, node, Boot::Same).await?;
    super::heartbeat::renew_lease(driver, &node.name).await?;
    if joins_an_upgrade(driver, node) {
        let message =
            format!("Created a surge node [{} {}] for agentpool {}", node.name, node.pool, node.pool);
        record(driver, &node.name, Reason::Surge, message).await;
    }
    Ok(())
}

/// Marks the node unschedulable, and as cordoned by the driver unless somebody else did it before.
pub(super) async fn cordon(driver: &Driver, node: &str) -> Result<(), ApiError> {
    patch_after_look(driver, node, |object| {
        let cordoned = object.spec.as_ref().and_then(|spec| spec.unschedulable).unwrap_or_default();
        (!cordoned).then(|| {
            json!({
                "metadata": { "annotations": { CORDONED: "true" } },
                "spec": { "unschedulable": true },
            })
        })
    })
    .await
}

/// Undoes what [`cordon`] did, and nothing else.
pub(super) async fn uncordon(driver: &Driver, node: &str) -> Result<(), ApiError> {
    patch_after_look(driver, node, |object| {
        object.annotations().contains_key(CORDONED).then(|| {
            json!({
                "metadata": { "annotations": { CORDONED: null } },
                "spec": { "unschedulable": null },
            })
        })
    })
    .await
}

/// Labels the node as one that could not be drained; it stays cordoned.
pub(super) async fn quarantine(driver: &Driver, node: &str) -> Result<(), ApiError> {
    cordon(driver, node).await?;
    patch_after_look(driver, node, |object| {
        let labelled = object.labels().get(STATUS_LABEL).is_some_and(|status| status == "Quarantined");
        (!labelled).then(|| json!({ "metadata": { "labels": { STATUS_LABEL: "Quarantined" } } }))
    })
    .await?;
    record(driver, node, Reason::Drain, format!("Node could not be drained and is quarantined: [{node}]"))
        .await;
    Ok(())
}

/// Takes the node down and brings it back under its own name; whether it takes pods stays as it was.
pub(super) async fn reimage(driver: &Driver, node: &Node) -> Result<(), ApiError> {
    record(driver, &node.name, Reason::Upgrade, format!("Reimaging node: [{}]", node.name)).await;
    let down = driver.down.take(&node.name);
    let missing = match write_conditions(driver, &node.name, Readiness::Reimaging).await {
        Err(error) if error.is_not_found() => true,
        other => other.map(|()| false)?,
    };
    if missing {
        drop(down);
        return create(driver, node).await;
    }
    delete_pods(driver, &node.name, |pod| !is_left_alone(pod)).await?;
    tokio::time::sleep(REIMAGE_TIME).await;
    write_metadata(driver, node).await?;
    write_ready(driver, node, Boot::Next).await?;
    drop(down);
    super::heartbeat::renew_lease(driver, &node.name).await?;
    let message =
        format!("Reimaged node: [{}] to {} {}", node.name, node.kubernetes_version, node.node_image);
    record(driver, &node.name, Reason::Upgrade, message).await;
    Ok(())
}

/// Removes the node, what still runs on it, and its lease.
pub(super) async fn delete(driver: &Driver, node: &str) -> Result<(), ApiError> {
    let _down = driver.down.take(node);
    let (api, params) = (api(driver), DeleteParams::default());
    record(driver, node, Reason::Surge, format!("Removing node: [{node}]")).await;
    gone_is_fine(driver.calls.until_answered("delete node", || api.delete(node, &params)).await)?;
    delete_pods(driver, node, |_| true).await?;
    let leases = Api::<Lease>::namespaced(driver.client.clone(), "kube-node-lease");
    gone_is_fine(driver.calls.until_answered("delete lease", || leases.delete(node, &params)).await)
}

/// Reports the node's conditions as its kubelet would.
pub(super) async fn write_conditions(
    driver: &Driver,
    node: &str,
    readiness: Readiness,
) -> Result<(), ApiError> {
    let patch = json!({ "status": { "conditions": build_conditions(readiness, clock::now()) } });
    patch_status(driver, node, patch).await
}

/// Every pod that is bound to the node.
pub(super) async fn list_pods(driver: &Driver, node: &str) -> Result<Vec<Pod>, ApiError> {
    let pods = Api::<Pod>::all(driver.client.clone());
    let params = ListParams::default().fields(&format!("spec.nodeName={node}"));
    Ok(driver.calls.until_answered("list pods", || pods.list(&params)).await?.items)
}

/// Deletes a pod at once, unless another one has taken its name.
pub(super) async fn delete_pod(driver: &Driver, pod: &Pod) -> Result<(), ApiError> {
    let pods = Api::<Pod>::namespaced(driver.client.clone(), &pod.namespace().unwrap_or_default());
    let (name, uid) = (pod.name_any(), pod.uid());
    let params = DeleteParams::default().grace_period(0);
    let params = match uid {
        Some(uid) => {
            params.preconditions(kube::api::Preconditions { uid: Some(uid), resource_version: None })
        }
        None => params,
    };
    let deleted = driver.calls.until_answered("delete pod", || pods.delete(&name, &params)).await;
    match deleted {
        Err(error) if error.is_conflict() => Ok(()),
        other => gone_is_fine(other),
    }
}

async fn delete_pods(driver: &Driver, node: &str, chosen: impl Fn(&Pod) -> bool) -> Result<(), ApiError> {
    let mut pods = list_pods(driver, node).await?;
    pods.retain(chosen);
    let deletions = pods.iter().map(|pod| delete_pod(driver, pod)).collect::<Vec<_>>();
    stream::iter(deletions).buffer_unordered(DELETIONS_AT_ONCE).try_collect().await
}

/// Whether a Ready status belongs to the boot before or starts another.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Boot {
    Same,
    Next,
}

async fn write_ready(driver: &Driver, node: &Node, boot: Boot) -> Result<(), ApiError> {
    let api = api(driver);
    let present = driver.calls.until_answered("read node", || api.get(&node.name)).await?;
    let previous = NodeFacts::read(&present).map(|facts| facts.boot_id);
    let boot_id = match (previous, boot) {
        (Some(previous), Boot::Same) => previous,
        (previous, _) => next_boot_id(&node.name, previous.as_deref().unwrap_or_default()),
    };
    let patch = json!({ "status": build_status(node, &boot_id, clock::now()) });
    patch_status(driver, &node.name, patch).await
}

async fn write_metadata(driver: &Driver, node: &Node) -> Result<(), ApiError> {
    patch_after_look(driver, &node.name, |object| {
        let present = object.spec.as_ref().and_then(|spec| spec.taints.as_deref()).unwrap_or_default();
        let mut labels = json!(build_labels(node));
        // A node that is new is not one that could not be drained.
        labels[STATUS_LABEL] = Value::Null;
        Some(json!({
            "metadata": { "labels": labels },
            "spec": { "taints": merge_taints(present, &node.taints) },
        }))
    })
    .await
}

async fn patch_status(driver: &Driver, node: &str, patch: Value) -> Result<(), ApiError> {
    let (api, params, patch) = (api(driver), PatchParams::default(), Patch::Strategic(patch));
    driver
        .calls
        .until_answered("write node status", || api.patch_status(node, &params, &patch))
        .await
        .map(drop)
}

/// Writes what `change` makes of the node, again if somebody else wrote in between.
async fn patch_after_look(
    driver: &Driver,
    node: &str,
    change: impl Fn(&core::Node) -> Option<Value>,
) -> Result<(), ApiError> {
    let (api, params) = (api(driver), PatchParams::default());
    loop {
        let object = driver.calls.until_answered("read node", || api.get(node)).await?;
        let Some(mut patch) = change(&object) else { return Ok(()) };
        patch["metadata"]["resourceVersion"] = json!(object.resource_version());
        let patch = Patch::Merge(patch);
        match driver.calls.until_answered("write node", || api.patch(node, &params, &patch)).await {
            Err(error) if error.is_conflict() => {}
            other => return other.map(drop),
        }
    }
}

/// Whether others of the node's pool still have another version or image: then it is a surge node.
fn joins_an_upgrade(driver: &Driver, node: &Node) -> bool {
    driver.nodes.state().iter().filter(|other| other.name_any() != node.name).any(|other| {
        let same_pool = other.labels().get(super::node_object::POOL_LABEL) == Some(&node.pool);
        same_pool
            && NodeFacts::read(other).is_some_and(|facts| {
                facts.image != node.node_image
                    || facts.kubelet_version.trim_start_matches('v') != build_name(&node.kubernetes_version)
            })
    })
}

fn api(driver: &Driver) -> Api<core::Node> {
    Api::all(driver.client.clone())
}
