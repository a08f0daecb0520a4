//! The gate `workloads`: what a step breaks stops the rollout, what was broken before does not.

use anyhow::{Context as _, Result};
use k8s_openapi::api::apps::v1::Deployment;
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use serde_json::json;
use tests::stage::{Setup, Shared, Stage, is, when};

/// Two fleets that do not know of each other, each with a canary that runs workloads.
static STAGE: Shared =
    Shared::new(|| Setup::new("gates", SCENARIO).workloads(&["break-canary", "stale-canary"]));

/// `checkout` does not start on 1.35 nodes; `legacy` never starts.
const SCENARIO: &str = "
durations: {surgeCreate: 1m, reimageLinux: 1m, delete: 30s}
clusters:
- subscription: 20000000-0000-4000-8000-000000000001
  resourceGroup: shop
  name: break-canary
  kubernetesVersion: 1.35.3
  pools: [{name: apps, mode: System, kubernetesVersion: 1.34.4}]
  workloads:
  - {match: {labels: {app: checkout}}, when: {kubernetesVersion: '>=1.35'}, outcome: CrashLoopBackOff}
- subscription: 20000000-0000-4000-8000-000000000001
  resourceGroup: shop
  name: break-prod
  kubernetesVersion: 1.35.3
  pools: [{name: apps, mode: System, kubernetesVersion: 1.34.4}]
- subscription: 20000000-0000-4000-8000-000000000001
  resourceGroup: shop
  name: stale-canary
  kubernetesVersion: 1.35.3
  pools: [{name: apps, mode: System, kubernetesVersion: 1.34.4}]
  workloads:
  - {match: {labels: {app: legacy}}, outcome: ImagePullBackOff}
- subscription: 20000000-0000-4000-8000-000000000001
  resourceGroup: shop
  name: stale-prod
  kubernetesVersion: 1.35.3
  pools: [{name: apps, mode: System, kubernetesVersion: 1.34.4}]
";

fn deployment(app: &str) -> String {
    format!(
        "
apiVersion: apps/v1
kind: Deployment
metadata: {{namespace: shop, name: {app}}}
spec:
  replicas: 2
  selector: {{matchLabels: {{app: {app}}}}}
  template:
    metadata: {{labels: {{app: {app}}}}}
    spec: {{containers: [{{name: main, image: example.org/{app}:1}}]}}
---
"
    )
}

/// A canary, then production; a workload may be unavailable for ten minutes after a step.
fn plan(fleet: &str) -> String {
    format!(
        "
apiVersion: tidegate.dev/v1alpha1
kind: UpgradePlan
metadata: {{namespace: {fleet}, name: main}}
spec:
  target: {{scope: NodePools, kubernetes: {{version: '1.35'}}}}
  waves:
  - {{name: canary, clusters: {{names: [{fleet}-canary]}}}}
  - {{name: prod, clusters: {{names: [{fleet}-prod]}}}}
  gates: [{{name: workloads, workloads: {{progressDeadline: 10m}}}}]
"
    )
}

async fn begin(stage: &Stage, fleet: &str, apps: &[&str], healthy: &str) -> Result<()> {
    let canary = format!("{fleet}-canary");
    let manifests: String = apps.iter().map(|app| deployment(app)).collect();
    stage.target(&canary).apply(&manifests).await?;
    let available = |deployment: &Deployment| {
        deployment.status.as_ref().and_then(|status| status.available_replicas) == Some(2)
    };
    when(&deployments(stage, &canary), healthy, "available", available).await?;
    stage.register(fleet, &canary, &[]).await?;
    stage.register(fleet, &format!("{fleet}-prod"), &[]).await?;
    stage.apply(&plan(fleet)).await
}

fn deployments(stage: &Stage, cluster: &str) -> Api<Deployment> {
    Api::namespaced(stage.target(cluster).client(), "shop")
}

#[test]
fn what_a_step_breaks_stops_the_rollout_until_it_is_mended() -> Result<()> {
    STAGE.run(async |stage| {
        begin(stage, "break", &["checkout", "billing"], "checkout").await?;

        let upgrade = stage.upgrade_reaches("break", "main-1-break-canary", "GateFailed").await?;
        let status = upgrade.status.context("a status")?;
        assert!(is(&status.conditions, "Stalled", "True") && is(&status.conditions, "Ready", "False"));
        let message = status.summary.context("a summary")?.message;
        assert!(message.contains("Deployment shop/checkout"), "{message}");
        assert!(message.contains("CrashLoopBackOff") && !message.contains("billing"), "{message}");

        let plan = stage.plan_reaches("break", "main", "GateFailed").await?;
        let status = plan.status.context("a status")?;
        assert!(is(&status.conditions, "Stalled", "True"));
        let message = status.summary.context("a summary")?.message;
        assert!(message.contains("break-canary") && message.contains("shop/checkout"), "{message}");
        assert_eq!(status.waves[1].state, "Pending");
        assert_eq!(stage.admitted("break").await?, ["main-1-break-canary"]);
        assert!(stage.mutations("break-prod").is_empty());

        // Nobody tells Tidegate: it sees for itself.
        let scale = Patch::Merge(json!({"spec": {"replicas": 0}}));
        deployments(stage, "break-canary").patch("checkout", &PatchParams::default(), &scale).await?;
        stage.plan_reaches("break", "main", "Succeeded").await?;
        assert_eq!(stage.mutations("break-canary"), ["PUT pool apps"]);
        assert_eq!(stage.mutations("break-prod"), ["PUT pool apps"]);
        Ok(())
    })
}

#[test]
fn what_was_broken_before_stops_nothing() -> Result<()> {
    STAGE.run(async |stage| {
        begin(stage, "stale", &["legacy", "billing"], "billing").await?;
        stage.plan_reaches("stale", "main", "Succeeded").await?;
        let upgrade = stage.upgrades("stale").get("main-1-stale-canary").await?;
        let baseline = upgrade.status.and_then(|status| status.ledger.baseline).context("a baseline")?;
        assert_eq!(baseline.unhealthy, ["Deployment shop/legacy"]);
        Ok(())
    })
}
