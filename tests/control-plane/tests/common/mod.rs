//! Plays kubelet: makes a Node and reports pods as running.

use std::time::Duration;

use anyhow::{Context, Result};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::{Api, ListParams, Patch, PatchParams, PostParams};
use serde_json::json;

/// A generous deadline for what takes a second or two.
pub(crate) const SOON: Duration = Duration::from_secs(60);

/// Creates a Node and makes it Ready.
pub(crate) async fn create_ready_node(client: &kube::Client, name: &str) -> Result<()> {
    let nodes: Api<Node> = Api::all(client.clone());
    let node = serde_json::from_value(json!({
        "metadata": { "name": name, "labels": { "kubernetes.io/hostname": name } },
    }))?;
    nodes.create(&PostParams::default(), &node).await?;
    let room = json!({ "cpu": "4", "memory": "16Gi", "pods": "110" });
    let status = json!({ "status": {
        "allocatable": room,
        "capacity": room,
        "conditions": [{ "type": "Ready", "status": "True", "reason": "KubeletReady" }],
    }});
    let params = PatchParams::default();
    nodes.patch_status(name, &params, &Patch::Merge(status)).await?;
    Ok(())
}

/// Creates a Deployment of `replicas` pods, called `name`.
pub(crate) async fn create_deployment(client: &kube::Client, name: &str, replicas: i32) -> Result<()> {
    let deployments: Api<Deployment> = Api::default_namespaced(client.clone());
    let deployment = serde_json::from_value(json!({
        "metadata": { "name": name },
        "spec": {
            "replicas": replicas,
            "selector": { "matchLabels": { "app": name } },
            "template": {
                "metadata": { "labels": { "app": name } },
                "spec": { "containers": [{ "name": "main", "image": "example.org/main" }] },
            },
        },
    }))?;
    deployments.create(&PostParams::default(), &deployment).await?;
    Ok(())
}

/// Reports scheduled pods as running until the Deployment `name` has `replicas` ready ones.
pub(crate) async fn run_until_available(client: &kube::Client, name: &str, replicas: i32) -> Result<()> {
    let deployments: Api<Deployment> = Api::default_namespaced(client.clone());
    let pods: Api<Pod> = Api::default_namespaced(client.clone());
    let run = async {
        loop {
            for pod in pods.list(&ListParams::default()).await? {
                report_running(&pods, pod).await?;
            }
            let status = deployments.get_status(name).await?.status;
            if status.and_then(|s| s.available_replicas) == Some(replicas) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(SOON, run).await.with_context(|| format!("waiting for {replicas} pods of {name}"))?
}

async fn report_running(pods: &Api<Pod>, pod: Pod) -> Result<()> {
    let scheduled = pod.spec.is_some_and(|spec| spec.node_name.is_some());
    let running = pod.status.and_then(|s| s.phase).as_deref() == Some("Running");
    let name = pod.metadata.name.context("a pod's name")?;
    if scheduled && !running {
        let status = json!({ "status": {
            "phase": "Running",
            "conditions": [{ "type": "Ready", "status": "True" }],
        }});
        let params = PatchParams::default();
        pods.patch_status(&name, &params, &Patch::Merge(status)).await?;
    }
    Ok(())
}
