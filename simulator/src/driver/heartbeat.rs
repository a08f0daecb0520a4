//! Keeps nodes alive in the eyes of the control plane, and tells the kubelet when one changes.
//!
//! Decides that a node which is not down is Ready. Touches leases in `kube-node-lease`
//! and the conditions of nodes.

use std::{collections::BTreeMap, time::Duration};

use futures::{StreamExt, stream};
use jiff::Timestamp;
use k8s_openapi::{api::core::v1 as core, apimachinery::pkg::apis::meta::v1::MicroTime};
use kube::{
    Api, ResourceExt,
    api::{Patch, PatchParams, PostParams},
    runtime::{WatchStreamExt, reflector, watcher},
};
use serde_json::json;
use tokio::{sync::mpsc, time::MissedTickBehavior};

use super::{
    Driver,
    api::{ApiError, WatchPause},
    node_object::{CLUSTER_LABEL, NodeFacts, Readiness},
    nodes,
    wall::since,
};
use crate::clock;
use k8s_openapi::api::coordination::v1::Lease;

/// As a kubelet: the control plane gives up on a node after 40 s or more without.
const LEASE_PAUSE: Duration = Duration::from_secs(10);
/// As a kubelet: conditions are reported at least this often.
const REPORT_PAUSE: Duration = Duration::from_mins(5);
/// What a kubelet writes into the lease, in seconds; four times its pause.
const LEASE_SECONDS: i32 = 40;
/// Leases renewed at once: a hundred nodes are done in a fraction of a second.
const RENEWALS_AT_ONCE: usize = 8;

/// Follows the cluster's nodes into the driver's store. Signals `changed` when one that
/// pods depend on changes, and makes a node Ready again that has lost its readiness.
pub(super) async fn watch_nodes(
    driver: &Driver,
    writer: reflector::store::Writer<core::Node>,
    changed: mpsc::Sender<()>,
) {
    let nodes = Api::<core::Node>::all(driver.client.clone());
    let mut events = watcher(nodes, watcher::Config::default().labels(CLUSTER_LABEL))
        .backoff(WatchPause)
        .reflect(writer)
        .boxed();
    let mut seen = BTreeMap::<String, Option<NodeFacts>>::new();
    while let Some(event) = events.next().await {
        let news = match event {
            Ok(watcher::Event::Apply(node) | watcher::Event::InitApply(node)) => {
                let (name, facts) = (node.name_any(), NodeFacts::read(&node));
                if facts.as_ref().is_some_and(|facts| !facts.ready) {
                    restore(driver, &name).await;
                }
                seen.insert(name, facts.clone()) != Some(facts)
            }
            Ok(watcher::Event::Delete(node)) => seen.remove(&node.name_any()).is_some(),
            Ok(watcher::Event::Init) => false,
            // What the store holds has only now replaced what it held before.
            Ok(watcher::Event::InitDone) => true,
            Err(error) => {
                tracing::debug!(cluster = driver.key.0, %error, "the watch on nodes starts again");
                false
            }
        };
        if news {
            // Full: the kubelet has not yet looked since the last change, and will.
            let _ = changed.try_send(());
        }
    }
}

/// Renews every node's lease for ever, and looks after nodes whose restoration failed.
pub(super) async fn renew_leases(driver: &Driver) {
    let mut tick = tokio::time::interval(LEASE_PAUSE);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        stream::iter(driver.nodes.state())
            .for_each_concurrent(RENEWALS_AT_ONCE, |node| async move {
                let name = node.name_any();
                if driver.down.contains(&name) {
                    return;
                }
                let renewed = write_lease(driver, &name).await;
                if let Err(error) = renewed {
                    tracing::debug!(cluster = driver.key.0, node = name, %error, "lease not renewed");
                }
                let lost = NodeFacts::read(&node).is_some_and(|facts| !facts.ready);
                if lost || is_stale(&node, clock::now()) {
                    restore(driver, &name).await;
                }
            })
            .await;
    }
}

/// Whether the node's conditions were last reported too long ago.
fn is_stale(node: &core::Node, now: Timestamp) -> bool {
    let conditions = node.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions
        .filter(|condition| condition.type_ == "Ready")
        .filter_map(|condition| condition.last_heartbeat_time.as_ref())
        .any(|reported| since(reported.0, now) >= REPORT_PAUSE)
}

/// Renews one node's lease, until the API server has answered.
pub(super) async fn renew_lease(driver: &Driver, node: &str) -> Result<(), ApiError> {
    loop {
        match write_lease(driver, node).await {
            Err(error) if error.is_transient() => tokio::time::sleep(Duration::from_millis(200)).await,
            other => return other,
        }
    }
}

async fn write_lease(driver: &Driver, node: &str) -> Result<(), ApiError> {
    let leases = Api::<Lease>::namespaced(driver.client.clone(), "kube-node-lease");
    let now = MicroTime(clock::now());
    let patch = Patch::Merge(json!({ "spec": { "renewTime": now } }));
    match driver.calls.once(leases.patch(node, &PatchParams::default(), &patch)).await {
        Err(error) if error.is_not_found() => {}
        other => return other.map(drop),
    }
    let mut lease = Lease::default();
    lease.metadata.name = Some(node.to_owned());
    let spec = lease.spec.get_or_insert_default();
    spec.holder_identity = Some(node.to_owned());
    spec.lease_duration_seconds = Some(LEASE_SECONDS);
    spec.renew_time = Some(now);
    match driver.calls.once(leases.create(&PostParams::default(), &lease)).await {
        // Created by somebody else meanwhile, which is as good.
        Err(error) if error.is_conflict() => Ok(()),
        other => other.map(drop),
    }
}

/// Reports a node as Ready, unless it is down.
async fn restore(driver: &Driver, node: &str) {
    if driver.down.contains(node) {
        return;
    }
    if let Err(error) = nodes::write_conditions(driver, node, Readiness::Ready).await {
        tracing::debug!(cluster = driver.key.0, node, %error, "node not reported as Ready");
    }
}
