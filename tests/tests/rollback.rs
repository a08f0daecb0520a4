//! A gate fails after the step of a node pool: under `RollbackNodePool` the pool goes back to what it had.

use anyhow::{Context as _, Result};
use k8s_openapi::api::apps::v1::Deployment;
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use serde_json::{Value, json};
use tests::stage::{Setup, Stage, is, when};

/// `checkout` does not start on 1.35 nodes.
const SCENARIO: &str = "
durations: {surgeCreate: 1m, reimageLinux: 1m, delete: 30s}
clusters:
- subscription: 20000000-0000-4000-8000-000000000001
  resourceGroup: shop
  name: canary
  kubernetesVersion: 1.35.3
  pools:
  - {name: apps, mode: System, kubernetesVersion: 1.34.4, nodeImage: AKSUbuntu-2204gen2containerd-202609.01.0, maxSurge: '1'}
  workloads:
  - {match: {labels: {app: checkout}}, when: {kubernetesVersion: '>=1.35'}, outcome: CrashLoopBackOff}
- subscription: 20000000-0000-4000-8000-000000000001
  resourceGroup: shop
  name: prod
  kubernetesVersion: 1.35.3
  pools: [{name: apps, mode: System, kubernetesVersion: 1.34.4}]
";

const OLD_IMAGE: &str = "AKSUbuntu-2204gen2containerd-202609.01.0";

const WORKLOAD: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {namespace: shop, name: checkout}
spec:
  replicas: 2
  selector: {matchLabels: {app: checkout}}
  template:
    metadata: {labels: {app: checkout}}
    spec: {containers: [{name: main, image: example.org/checkout:1}]}
";

const PLAN: &str = "
apiVersion: tidegate.dev/v1alpha1
kind: UpgradePlan
metadata: {namespace: fleet, name: main}
spec:
  target: {scope: NodePools, kubernetes: {version: '1.35'}}
  waves:
  - {name: canary, clusters: {names: [canary]}}
  - {name: prod, clusters: {names: [prod]}}
  nodePools: {upgradeSettings: {maxSurge: 50%}}
  gates: [{name: workloads, workloads: {progressDeadline: 5m}}]
  failurePolicy: {onGateFailure: RollbackNodePool}
";

/// Version and image of every node of a cluster, as its API server shows them.
async fn nodes(stage: &Stage, cluster: &str) -> Result<Vec<(String, String)>> {
    let nodes = stage.target(cluster).nodes().await?;
    Ok(nodes
        .into_values()
        .flat_map(|nodes| nodes.into_values().map(|node| (node.kubelet, node.image)))
        .collect())
}

async fn settings(stage: &Stage, cluster: &str) -> Result<Value> {
    Ok(stage.arm(cluster, "/agentPools/apps").await?["properties"]["upgradeSettings"].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_whose_gate_fails_goes_back_and_nothing_goes_on_until_retry() -> Result<()> {
    Box::pin(Stage::run(Setup::new("rollback", SCENARIO).workloads(&["canary"]), async |stage| {
        stage.target("canary").apply(WORKLOAD).await?;
        let deployments: Api<Deployment> = Api::namespaced(stage.target("canary").client(), "shop");
        let available = |deployment: &Deployment| {
            deployment.status.as_ref().and_then(|status| status.available_replicas) == Some(2)
        };
        when(&deployments, "checkout", "available", available).await?;
        stage.register("fleet", "canary", &[]).await?;
        stage.register("fleet", "prod", &[]).await?;
        let (before, had) = (nodes(stage, "canary").await?, settings(stage, "canary").await?);
        assert!(before.iter().all(|(_, image)| image == OLD_IMAGE), "{before:?}");
        stage.apply(PLAN).await?;

        let upgrade = stage.upgrade_reaches("fleet", "main-1-canary", "RollingBackNodePool").await?;
        let operation =
            upgrade.status.and_then(|status| status.ledger.operation).context("a step in flight")?;
        assert_eq!(operation.step_id, "rollback-apps");
        let upgrade = stage.upgrade_reaches("fleet", "main-1-canary", "GateFailed").await?;
        let status = upgrade.status.context("a status")?;
        assert!(is(&status.conditions, "Stalled", "True") && is(&status.conditions, "UpToDate", "False"));
        let message = status.summary.context("a summary")?.message;
        assert!(message.starts_with("pool apps was rolled back to 1.34.4 "), "{message}");
        assert!(message.contains("Deployment shop/checkout"), "{message}");
        assert_eq!(nodes(stage, "canary").await?, before, "the nodes show what they had");
        assert_eq!(settings(stage, "canary").await?, had);
        when(&deployments, "checkout", "available again", available).await?;
        // The upgrade, its settings back, the rollback, its settings back.
        assert_eq!(stage.mutations("canary"), ["PUT pool apps"; 4]);

        let plan = stage.plan_reaches("fleet", "main", "GateFailed").await?;
        assert!(is(&plan.status.context("a status")?.conditions, "Stalled", "True"));
        assert!(stage.mutations("prod").is_empty(), "the others are untouched");
        let said = stage.says(&["explain", "canary", "-n", "fleet"]).await?;
        assert_eq!(said.code, 1);
        assert!(
            said.out.contains("tidegate retry canary -n fleet") && said.out.contains("tidegate skip canary"),
            "{said:?}"
        );

        let scale = Patch::Merge(json!({"spec": {"replicas": 0}}));
        deployments.patch("checkout", &PatchParams::default(), &scale).await?;
        let said = stage.says(&["retry", "main", "-n", "fleet"]).await?;
        assert_eq!(said.code, 0, "{said:?}");
        assert!(said.out.contains("what was aborted or rolled back is upgraded again"), "{said:?}");
        stage.plan_reaches("fleet", "main", "Succeeded").await?;
        let after = nodes(stage, "canary").await?;
        assert!(after.iter().all(|(kubelet, image)| kubelet == "1.35.3" && image != OLD_IMAGE), "{after:?}");
        assert_eq!(settings(stage, "canary").await?, had);
        Ok(())
    }))
    .await
}
