//! Drains a node as AKS does: by the Eviction API, within a deadline of the simulated clock.
//!
//! Decides which pods have to go and when a drain is given up. Touches the node's
//! cordon and evicts pods; it deletes one only in a forced drain, when a budget refuses.

use std::{collections::BTreeMap, time::Duration};

use futures::{StreamExt, stream};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, EvictParams},
};
use tokio::time::Instant;

use super::{
    Driver,
    api::ApiError,
    events::{Reason, record},
    nodes,
    refusal::{Eviction, read_refusal},
};
use crate::{
    clock,
    effects::{BlockedPod, Outcome},
};

/// Pause between two rounds of evictions on the simulated clock, as long as `kubectl drain`'s.
const PAUSE: Duration = Duration::from_secs(5);
/// Shortest and longest real pause, whatever the clock's rate.
const REAL_PAUSE: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(1));
/// On a fast clock half an hour is over before a real scheduler has placed a pod. A
/// drain is therefore given up only when, besides, nothing has moved for this real time.
const PATIENCE: Duration = Duration::from_secs(3);
/// Evictions sent at once.
const EVICTIONS_AT_ONCE: usize = 8;

/// Cordons the node and evicts its pods until none is left or the deadline has passed.
pub(super) async fn drain(driver: &Driver, node: &str, deadline: Timestamp, force: bool) -> Outcome {
    match try_drain(driver, node, deadline, force).await {
        Ok(outcome) => outcome,
        // There is nothing to drain on a node that is gone.
        Err(error) if error.is_not_found() => Outcome::Done,
        Err(error) => Outcome::Failed(error.to_string()),
    }
}

async fn try_drain(
    driver: &Driver,
    node: &str,
    deadline: Timestamp,
    force: bool,
) -> Result<Outcome, ApiError> {
    nodes::cordon(driver, node).await?;
    record(driver, node, Reason::Drain, format!("Draining node: [{node}]")).await;
    let (shortest, longest) = REAL_PAUSE;
    let pause = driver.clock.real_duration(PAUSE).clamp(shortest, longest);
    let mut left = usize::MAX;
    let mut last_progress = Instant::now();
    loop {
        let mut pods = nodes::list_pods(driver, node).await?;
        pods.retain(|pod| !is_left_alone(pod));
        if pods.is_empty() {
            return Ok(Outcome::Done);
        }
        let refusals = evict_all(driver, &pods, force).await;
        let terminating = pods.iter().filter(|pod| pod.metadata.deletion_timestamp.is_some()).count();
        if pods.len() * 2 - terminating < left {
            left = pods.len() * 2 - terminating;
            last_progress = Instant::now();
        }
        let overdue = driver.clock.at(clock::now()) >= deadline;
        if overdue && last_progress.elapsed() >= PATIENCE {
            return Ok(Outcome::DrainBlocked(report(&pods, &refusals)));
        }
        tokio::time::sleep(pause).await;
    }
}

/// Whether a drain leaves the pod alone: a DaemonSet's, a mirror pod, or one that has ended.
pub(super) fn is_left_alone(pod: &Pod) -> bool {
    let of_daemon_set = pod
        .owner_references()
        .iter()
        .any(|owner| owner.kind == "DaemonSet" && owner.controller == Some(true));
    let mirror = pod.annotations().contains_key("kubernetes.io/config.mirror");
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    of_daemon_set || mirror || matches!(phase, Some("Succeeded" | "Failed"))
}

/// Namespace and name of a pod, and why it could not be evicted.
type Refusals = BTreeMap<(String, String), (Option<String>, String)>;

/// Asks for the eviction of every pod that is not on its way out, and collects the refusals.
async fn evict_all(driver: &Driver, pods: &[Pod], force: bool) -> Refusals {
    let attempts = pods
        .iter()
        .filter(|pod| pod.metadata.deletion_timestamp.is_none())
        .map(|pod| async move {
            match evict(driver, pod).await {
                Eviction::Accepted => None,
                Eviction::Refused { budget: Some(_), .. } if force => delete(driver, pod).await,
                Eviction::Unknown => Some((key(pod), (None, "the API server did not answer".to_owned()))),
                Eviction::Refused { budget, message } => Some((key(pod), (budget, message))),
            }
        })
        .collect::<Vec<_>>();
    let answers = stream::iter(attempts).buffer_unordered(EVICTIONS_AT_ONCE).collect::<Vec<_>>().await;
    answers.into_iter().flatten().collect()
}

async fn evict(driver: &Driver, pod: &Pod) -> Eviction {
    let (namespace, name) = key(pod);
    let pods = Api::<Pod>::namespaced(driver.client.clone(), &namespace);
    match driver.calls.once(pods.evict(&name, &EvictParams::default())).await {
        Ok(_) => Eviction::Accepted,
        Err(error) => error.status().map_or(Eviction::Unknown, read_refusal),
    }
}

/// Deletes a pod that a budget protects; says why when that is not possible either.
async fn delete(driver: &Driver, pod: &Pod) -> Option<((String, String), (Option<String>, String))> {
    let (namespace, name) = key(pod);
    let pods = Api::<Pod>::namespaced(driver.client.clone(), &namespace);
    let error = driver.calls.once(pods.delete(&name, &DeleteParams::default())).await.err()?;
    Some((key(pod), (None, error.to_string())))
}

/// What a blocked drain says about the pods that are still there.
fn report(pods: &[Pod], refusals: &Refusals) -> Vec<BlockedPod> {
    let mut blocked = pods
        .iter()
        .map(|pod| {
            let (namespace, name) = key(pod);
            let (budget, message) = match refusals.get(&(namespace.clone(), name.clone())) {
                Some((budget, message)) => (budget.clone(), message.clone()),
                None => (None, "evicted, but has not terminated".to_owned()),
            };
            BlockedPod { namespace, pod: name, budget, message }
        })
        .collect::<Vec<_>>();
    blocked.sort();
    blocked
}

fn key(pod: &Pod) -> (String, String) {
    (pod.namespace().unwrap_or_default(), pod.name_any())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(name: &str, owner: Option<&str>, annotation: Option<&str>, phase: &str) -> Pod {
        let owners: Vec<_> = owner
            .map(|kind| json!({ "apiVersion": "apps/v1", "kind": kind, "name": "o", "uid": "1", "controller": true }))
            .into_iter()
            .collect();
        serde_json::from_value(json!({
            "metadata": {
                "namespace": "shop", "name": name, "ownerReferences": owners,
                "annotations": annotation.map(|key| json!({ key: "x" })),
            },
            "status": { "phase": phase },
        }))
        .unwrap()
    }

    #[test]
    fn daemons_mirrors_and_finished_pods_stay() {
        let left_alone = |owner, annotation, phase| is_left_alone(&pod("a", owner, annotation, phase));
        assert!(left_alone(Some("DaemonSet"), None, "Running"));
        assert!(left_alone(None, Some("kubernetes.io/config.mirror"), "Running"));
        assert!(left_alone(Some("Job"), None, "Succeeded"));
        assert!(!left_alone(Some("ReplicaSet"), None, "Running"));
        assert!(!left_alone(None, None, "Pending"));
    }

    #[test]
    fn the_report_names_budget_or_slow_end() {
        let pods = [pod("b", None, None, "Running"), pod("a", None, None, "Running")];
        let refusals = Refusals::from([(
            ("shop".to_owned(), "b".to_owned()),
            (Some("web".to_owned()), "Cannot evict pod".to_owned()),
        )]);
        let report = report(&pods, &refusals);
        assert_eq!(report[0].message, "evicted, but has not terminated");
        assert_eq!((report[1].pod.as_str(), report[1].budget.as_deref()), ("b", Some("web")));
    }
}
