//! R12: windows and freezes on a real API server. Three weekends are in weekends.rs.

use std::time::Duration;

use anyhow::{Context as _, Result};
use crds::{UpgradeFreeze, UpgradePlan};
use kube::{
    Api,
    api::{DeleteParams, Patch, PatchParams},
};
use serde_json::json;
use tests::stage::{Setup, Stage, reason_of, when};

const SCENARIO: &str = "
durations: {controlPlane: 10m, surgeCreate: 1m, reimageLinux: 2m, delete: 30s}
clusters:
- subscription: 20000000-0000-4000-8000-000000000001
  resourceGroup: shop
  name: shop-1
  kubernetesVersion: 1.34.4
  pools: [{name: system, mode: System, count: 1}]
";

/// Of one cluster; a schedule may follow.
const PLAN: &str = "
apiVersion: tidegate.dev/v1alpha1
kind: UpgradePlan
metadata: {namespace: fleet, name: now}
spec:
  target: {kubernetes: {version: '1.35'}}
  waves: [{name: all, clusters: {names: [shop-1]}}]
";

/// The plan and its wave show the freeze, and when somebody says when it will end, the next attempt.
async fn is_shown_by_the_plan(stage: &Stage, freezes: &Api<UpgradeFreeze>) -> Result<()> {
    let plan = stage.plan_reaches("fleet", "now", "Frozen").await?;
    let waits = plan.status.and_then(|status| status.waves[0].waiting_on.clone()).context("a wait")?;
    assert_eq!(
        (waits.reason.as_str(), waits.message.as_str()),
        ("Frozen", "shop-1: frozen by UpgradeFreeze incident: checkout is down")
    );
    let ends = "2099-01-01T00:00:00Z";
    let change = Patch::Merge(json!({"spec": {"to": ends}}));
    freezes.patch("incident", &PatchParams::default(), &change).await?;
    let foreseen = |plan: &UpgradePlan| {
        let summary = plan.status.as_ref().and_then(|status| status.summary.as_ref());
        summary.and_then(|summary| summary.next_attempt) == ends.parse().ok()
    };
    when(&stage.plans("fleet"), "now", "with its next attempt", foreseen).await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn r12_a_freeze_stops_the_next_step_within_seconds_and_lets_the_one_in_flight_finish() -> Result<()> {
    let setup = Setup::new("freeze", SCENARIO).without_api_servers();
    Stage::run(setup, async |stage| {
        stage.register("fleet", "shop-1", &[("ring", "shop")]).await?;
        stage.apply(PLAN).await?;
        stage.upgrade_reaches("fleet", "now-1-shop-1", "UpgradingControlPlane").await?;
        stage
            .apply("{apiVersion: tidegate.dev/v1alpha1, kind: UpgradeFreeze, metadata: {name: incident}, spec: {reason: checkout is down}}")
            .await?;
        let upgrade = stage.upgrade_reaches("fleet", "now-1-shop-1", "Frozen").await?;
        let status = upgrade.status.context("a status")?;
        assert_eq!(status.ledger.progress().0, 1, "the control plane is done");
        let summary = status.summary.context("a summary")?;
        assert_eq!(summary.message, "frozen by UpgradeFreeze incident: checkout is down");
        assert_eq!(summary.phase, "Parked");
        assert_eq!(stage.mutations("shop-1"), ["PUT cluster"]);
        let freezes: Api<UpgradeFreeze> = Api::all(stage.hub());
        let holds = |freeze: &UpgradeFreeze| {
            freeze.status.as_ref().is_some_and(|status| (status.state.as_str(), status.clusters) == ("Holding", 1))
        };
        when(&freezes, "incident", "holding the cluster", holds).await?;

        Box::pin(is_shown_by_the_plan(stage, &freezes)).await?;
        freezes.delete("incident", &DeleteParams::default()).await?;
        let goes_on = |upgrade: &crds::ClusterUpgrade| reason_of(upgrade) != "Frozen";
        // The freeze is watched: nobody waits for the next look, half a minute later.
        let upgrades = stage.upgrades("fleet");
        tokio::time::timeout(Duration::from_secs(10), when(&upgrades, "now-1-shop-1", "going on", goes_on)).await??;
        stage.plan_reaches("fleet", "now", "Succeeded").await?;
        assert_eq!(stage.mutations("shop-1"), ["PUT cluster", "PUT pool system"]);
        let cluster = stage.clusters("fleet").get("shop-1").await?;
        let estimates = cluster.status.context("a status")?.estimates;
        assert!(estimates.control_plane.is_some_and(|seconds| (540..900).contains(&seconds)), "{estimates:?}");
        assert!(estimates.pools.contains_key("system"), "{estimates:?}");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn r12_a_window_that_does_not_exist_is_named_before_anything_is_created() -> Result<()> {
    Stage::run(Setup::new("nowindow", SCENARIO).without_api_servers(), async |stage| {
        stage.register("fleet", "shop-1", &[("ring", "shop")]).await?;
        stage.apply(&format!("{PLAN}  schedule: {{windows: [{{name: weekend}}]}}\n")).await?;
        let plan = stage.plan_reaches("fleet", "now", "InvalidSpec").await?;
        let summary = plan.status.and_then(|status| status.summary).context("a summary")?;
        assert_eq!(
            summary.message,
            "spec.schedule.windows[0].name: there is no MaintenanceWindow weekend in namespace fleet: create it, or name another"
        );
        assert!(stage.upgrades("fleet").list(&kube::api::ListParams::default()).await?.items.is_empty());
        Ok(())
    })
    .await
}
