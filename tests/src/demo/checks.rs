//! What the demo shows must hold on the API servers and in Azure's own log.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use crds::{AKSCluster, ClusterUpgrade, Summary};
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment};
use kube::{Api, Client, ResourceExt, api::ListParams, runtime::wait::await_condition};
use simulator::LogEntry;

use crate::stage::{Stage, Target};

const DEADLINE: Duration = Duration::from_secs(120);

/// Every workload of a cluster is available, soon.
pub(super) async fn workloads_available(target: &Target) -> Result<()> {
    let deployments: Api<Deployment> = Api::all(target.client());
    for deployment in deployments.list(&ListParams::default()).await? {
        let api: Api<Deployment> =
            Api::namespaced(target.client(), &deployment.namespace().unwrap_or_default());
        let available = |object: Option<&Deployment>| {
            let wanted = object.and_then(|object| object.spec.as_ref()?.replicas);
            let found = object.and_then(|object| object.status.as_ref()?.available_replicas);
            object.is_some() && found.unwrap_or(0) >= wanted.unwrap_or(1)
        };
        Box::pin(within(
            &target.name,
            &deployment.name_any(),
            await_condition(api, &deployment.name_any(), available),
        ))
        .await?;
    }
    let agents: Api<DaemonSet> = Api::namespaced(target.client(), "kube-system");
    let everywhere = |object: Option<&DaemonSet>| {
        object.and_then(|object| object.status.as_ref()).is_some_and(|status| {
            status.desired_number_scheduled > 0
                && status.number_available == Some(status.desired_number_scheduled)
        })
    };
    Box::pin(within(&target.name, "log-agent", await_condition(agents, "log-agent", everywhere))).await
}

async fn within<T, E: std::error::Error + Send + Sync + 'static>(
    cluster: &str,
    workload: &str,
    available: impl Future<Output = Result<T, E>>,
) -> Result<()> {
    tokio::time::timeout(DEADLINE, available).await.with_context(|| {
        format!("{workload} in cluster {cluster} was not available within {DEADLINE:?}")
    })??;
    Ok(())
}

/// The operator has read the cluster and what Azure offers it.
pub(super) async fn observed(hub: &Client, cluster: &str) -> Result<()> {
    let api: Api<AKSCluster> = Api::namespaced(hub.clone(), "platform");
    let ready = |object: Option<&AKSCluster>| {
        object.and_then(|object| object.status.as_ref()).is_some_and(|status| {
            status.conditions.iter().any(|known| known.type_ == "Ready" && known.status == "True")
        })
    };
    tokio::time::timeout(DEADLINE, await_condition(api, cluster, ready))
        .await
        .with_context(|| format!("AKSCluster {cluster} was not Ready within {DEADLINE:?}"))??;
    Ok(())
}

/// Every node shows the version and the newest image of its pool, and takes pods.
pub(super) async fn cluster_is_at(target: &Target, version: &str) -> Result<()> {
    let pools = target.nodes().await?;
    ensure!(pools.len() == 3, "cluster {} shows {} pools instead of 3", target.name, pools.len());
    for (name, node) in pools.values().flatten() {
        ensure!(node.usable, "node {name} is not Ready, or cordoned");
        ensure!(node.kubelet == version, "node {name} shows kubelet {} instead of {version}", node.kubelet);
        let new = node.image.ends_with("202611.10.0") || node.image.ends_with("261112");
        ensure!(new, "node {name} shows the old image {}", node.image);
    }
    Ok(())
}

/// The mutations of a cluster that Azure accepted.
pub(super) fn mutations(stage: &Stage, cluster: &str) -> Vec<LogEntry> {
    let path = format!("/managedclusters/{cluster}");
    let of = |entry: &LogEntry| {
        let entry_path = entry.path.to_lowercase();
        entry.mutation
            && entry.accepted
            && entry_path.split('/').any(|part| path.ends_with(&format!("/{part}")))
    };
    stage.simulator.log().into_iter().filter(of).collect()
}

/// One control-plane upgrade, then each of three pools once.
pub(super) fn one_at_a_time(stage: &Stage, cluster: &str) -> Result<()> {
    let found: Vec<String> = mutations(stage, cluster)
        .iter()
        .map(|entry| entry.path.rsplit('/').next().unwrap_or_default().to_owned())
        .collect();
    let expected = [cluster, "system", "linux1", "win1"];
    ensure!(found == expected, "Azure accepted {found:?} for cluster {cluster}, expected {expected:?}");
    Ok(())
}

/// The canary has stopped, and says which workload is broken.
pub(super) async fn stopped_by_invoices(hub: &Client, cluster: &str) -> Result<()> {
    let summary = summary_of(hub, "winter", cluster).await?;
    ensure!(
        summary.reason == "GateFailed",
        "the canary stopped for {} instead of GateFailed",
        summary.reason
    );
    ensure!(
        summary.message.contains("Deployment shop/invoices"),
        "the canary does not name the workload: {}",
        summary.message
    );
    Ok(())
}

/// How a cluster stands in the first rollout of a plan, in two words.
pub(super) async fn end_of(hub: &Client, plan: &str, cluster: &str) -> Result<String> {
    let summary = summary_of(hub, plan, cluster).await?;
    Ok(format!("{}: {}", summary.phase, summary.reason))
}

async fn summary_of(hub: &Client, plan: &str, cluster: &str) -> Result<Summary> {
    let api: Api<ClusterUpgrade> = Api::namespaced(hub.clone(), "platform");
    let upgrade = api.get(&format!("{plan}-1-{cluster}")).await?;
    upgrade.status.and_then(|status| status.summary).with_context(|| format!("{cluster} has no summary"))
}
