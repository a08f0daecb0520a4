//! Plays the kubelet for every pod that is bound to a node of the cluster.
//!
//! Decides, with the scenario's rules, what becomes of a pod. Touches the status of
//! pods, and removes those that are being deleted.

use std::{sync::Arc, time::Duration};

use futures::{StreamExt, stream};
use k8s_openapi::api::core::v1::{Pod, PodStatus};
use kube::{
    Api, ResourceExt,
    api::{Patch, PatchParams},
    runtime::{
        Controller,
        controller::{Action, Config},
        reflector::ObjectRef,
        watcher,
    },
};
use serde_json::json;
use tokio::sync::mpsc;

use super::{
    Driver,
    api::{ApiError, WatchPause},
    node_object::{NodeFacts, hash},
    nodes::delete_pod,
    pod_status::{
        creating, finished, is_finished, needs_start, next_restart, restarts, runs_to_completion, settled,
    },
};
use crate::{
    clock,
    scenario::workloads::{PodOutcome, outcome_for},
};

/// Pods that start at the same time, which makes about 150 a second.
const PODS_AT_ONCE: u16 = 32;
/// Shortest time that a pod takes to start, in real milliseconds; up to twice as much is added.
const START_MILLIS: u64 = 100;
/// How long a Job's pod runs, in real time.
const JOB_TIME: Duration = Duration::from_millis(500);
/// Pause after a call that failed, and while a node is down, in real time.
const RETRY_PAUSE: Duration = Duration::from_millis(500);

/// Follows the cluster's pods for ever; looks at all of them again after each of `changes`.
pub(super) async fn run(driver: Arc<Driver>, changes: mpsc::Receiver<()>) {
    let changes = stream::unfold(changes, async |mut changes| changes.recv().await.map(|()| ((), changes)));
    let pods = Api::<Pod>::all(driver.client.clone());
    Controller::new(pods, watcher::Config::default().fields("spec.nodeName!="))
        .with_config(Config::default().concurrency(PODS_AT_ONCE))
        .trigger_backoff(WatchPause)
        .reconcile_all_on(changes)
        .run(play, again_later, Arc::clone(&driver))
        .for_each(|result| {
            if let Err(error) = result {
                tracing::debug!(cluster = driver.key.0, %error, "a pod is looked at again");
            }
            std::future::ready(())
        })
        .await;
}

fn again_later(_: Arc<Pod>, _: &ApiError, _: Arc<Driver>) -> Action {
    Action::requeue(RETRY_PAUSE)
}

/// Brings one pod to where a kubelet would have brought it.
async fn play(pod: Arc<Pod>, driver: Arc<Driver>) -> Result<Action, ApiError> {
    match advance(&driver, Pod::clone(&pod)).await {
        // Somebody else wrote, or the pod is gone: the watch brings the news.
        Err(error) if error.is_conflict() || error.is_not_found() => Ok(Action::await_change()),
        other => other,
    }
}

async fn advance(driver: &Driver, mut pod: Pod) -> Result<Action, ApiError> {
    let name = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()).unwrap_or_default();
    if driver.down.contains(name) {
        return Ok(Action::requeue(RETRY_PAUSE));
    }
    let Some(node) = facts_of(driver, name) else { return Ok(Action::await_change()) };
    if pod.metadata.deletion_timestamp.is_some() {
        // Without grace it is only a finalizer that keeps the pod.
        if pod.metadata.deletion_grace_period_seconds != Some(0) {
            delete_pod(driver, &pod).await?;
        }
        return Ok(Action::await_change());
    }
    if is_finished(&pod) {
        return Ok(Action::await_change());
    }
    if needs_start(&pod, &node) {
        let status = creating(&pod, &node, clock::now());
        pod = write(driver, pod, status).await?;
        tokio::time::sleep(start_time(&pod)).await;
    }
    let outcome = outcome_of(driver, &pod, &node);
    if runs_to_completion(&pod) && ends(&pod, outcome) {
        let status = settled(&pod, &node, PodOutcome::Running, clock::now(), |time| time);
        pod = write(driver, pod, status).await?;
        tokio::time::sleep(JOB_TIME).await;
        let status = finished(&pod, &node, outcome == PodOutcome::Running, clock::now());
        write(driver, pod, status).await?;
        return Ok(Action::await_change());
    }
    let real = |time| driver.clock.real_duration(time);
    let status = settled(&pod, &node, outcome, clock::now(), real);
    let restart = next_restart(&status, clock::now(), real);
    write(driver, pod, status).await?;
    Ok(restart.map_or_else(Action::await_change, Action::requeue))
}

/// What is known of a node, when it is one of the driver's.
fn facts_of(driver: &Driver, name: &str) -> Option<NodeFacts> {
    NodeFacts::read(driver.nodes.get(&ObjectRef::new(name))?.as_ref())
}

fn outcome_of(driver: &Driver, pod: &Pod, node: &NodeFacts) -> PodOutcome {
    let containers =
        pod.spec.iter().flat_map(|spec| spec.init_containers.iter().flatten().chain(&spec.containers));
    let images = containers.filter_map(|container| container.image.clone()).collect::<Vec<_>>();
    let namespace = pod.namespace().unwrap_or_default();
    // Rules are about versions, whatever builds are called.
    let version = node.kubelet_version.trim_start_matches('v').split('-').next().unwrap_or_default();
    outcome_for(&driver.rules, &namespace, pod.labels(), &images, version, &node.image)
}

/// Whether a Job's pod comes to its end with this outcome.
fn ends(pod: &Pod, outcome: PodOutcome) -> bool {
    match outcome {
        PodOutcome::Running => true,
        PodOutcome::CrashLoopBackOff => !restarts(pod),
        PodOutcome::NotReady | PodOutcome::ImagePullBackOff => false,
    }
}

/// Different from pod to pod, always the same for one.
fn start_time(pod: &Pod) -> Duration {
    let spread = hash(&[&pod.uid().unwrap_or_default(), "start"]) % (2 * START_MILLIS);
    Duration::from_millis(START_MILLIS + spread)
}

/// Writes the status when it says something new; refused with a conflict when somebody else wrote in between.
async fn write(driver: &Driver, pod: Pod, status: PodStatus) -> Result<Pod, ApiError> {
    if pod.status.as_ref() == Some(&status) {
        return Ok(pod);
    }
    let pods = Api::<Pod>::namespaced(driver.client.clone(), &pod.namespace().unwrap_or_default());
    let patch = Patch::Merge(json!({
        "metadata": { "uid": pod.uid(), "resourceVersion": pod.resource_version() },
        "status": status,
    }));
    driver.calls.once(pods.patch_status(&pod.name_any(), &PatchParams::default(), &patch)).await
}
