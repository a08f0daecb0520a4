//! Waves: one after the other, a few clusters at a time, held by `suspend`, started anew by an edit.

use anyhow::{Context as _, Result};
use crds::{ClusterUpgrade, UpgradePlan};
use engine::Phase;
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, ListParams},
};
use serde_json::json;
use tests::stage::{Setup, Shared, Stage, gone, when};

/// Each test has clusters and a namespace of its own.
static STAGE: Shared = Shared::new(|| Setup::new("waves", &scenario()));

const CLUSTERS: [&str; 7] = ["order-1", "order-2", "order-3", "pause-1", "pause-2", "edit-1", "gone-1"];

/// A pool that is behind; `edit-1` has two.
fn scenario() -> String {
    let cluster = |name: &&str| {
        let more = if *name == "edit-1" { ", {name: apps, kubernetesVersion: 1.34.2}" } else { "" };
        format!(
            "
- subscription: 20000000-0000-4000-8000-000000000001
  resourceGroup: shop
  name: {name}
  kubernetesVersion: 1.35.3
  pools: [{{name: system, mode: System, kubernetesVersion: 1.34.2}}{more}]
"
        )
    };
    let clusters: String = CLUSTERS.iter().map(cluster).collect();
    format!("durations: {{surgeCreate: 1m, reimageLinux: 3m, delete: 30s}}\nclusters:{clusters}")
}

/// A plan that brings the node pools to the version of their control plane.
fn plan(namespace: &str, waves: &str) -> String {
    format!(
        "
apiVersion: tidegate.dev/v1alpha1
kind: UpgradePlan
metadata: {{namespace: {namespace}, name: main}}
spec:
  target: {{scope: NodePools, kubernetes: {{version: '1.35'}}}}
  waves: {waves}
"
    )
}

async fn versions(stage: &Stage, cluster: &str) -> Result<Vec<String>> {
    let nodes = stage.target(cluster).nodes().await?;
    Ok(nodes.into_values().flat_map(|nodes| nodes.into_values().map(|node| node.kubelet)).collect())
}

#[test]
fn the_second_wave_waits_for_the_first_and_no_more_start_than_allowed() -> Result<()> {
    STAGE.run(async |stage| {
        for cluster in ["order-1", "order-2", "order-3"] {
            let ring = if cluster == "order-1" { "canary" } else { "prod" };
            stage.register("order", cluster, &[("ring", ring)]).await?;
        }
        stage
            .apply(&plan(
                "order",
                "
  - {name: canary, clusters: {selector: {matchLabels: {ring: canary}}}}
  - {name: prod, clusters: {selector: {matchLabels: {ring: prod}}}, maxConcurrent: 50%}
",
            ))
            .await?;
        let done = stage.plan_reaches("order", "main", "Succeeded").await?;
        let waves = done.status.context("a status")?.waves;
        let counts: Vec<_> = waves
            .iter()
            .map(|wave| {
                (wave.name.as_str(), wave.state.as_str(), wave.clusters.succeeded, wave.clusters.total)
            })
            .collect();
        assert_eq!(counts, [("canary", "Succeeded", 1, 1), ("prod", "Succeeded", 2, 2)]);
        // Half of two is one, so all three ran one after the other.
        let mut free_at = None;
        for cluster in ["order-1", "order-2", "order-3"] {
            assert_eq!(versions(stage, cluster).await?, ["1.35.3"]);
            assert_eq!(stage.mutations(cluster), ["PUT pool system"]);
            let upgrade = stage.upgrades("order").get(&format!("main-1-{cluster}")).await?;
            let ledger = upgrade.status.context("a status")?.ledger;
            assert!(
                ledger.started_at.is_some() && ledger.started_at >= free_at,
                "{cluster} started too early"
            );
            free_at = ledger.finished_at;
        }
        Ok(())
    })
}

#[test]
fn suspend_finishes_the_step_in_flight_and_starts_nothing_until_it_is_resumed() -> Result<()> {
    STAGE.run(async |stage| {
        for cluster in ["pause-1", "pause-2"] {
            stage.register("pause", cluster, &[]).await?;
        }
        stage.apply(&plan("pause", "[{name: all, clusters: {names: [pause-2, pause-1]}}]")).await?;
        in_phase(stage, "pause", "main-1-pause-2", Phase::Submitted).await?;
        stage.change_plan("pause", "main", json!({"suspend": true})).await?;
        stage.upgrade_reaches("pause", "main-1-pause-2", "Succeeded").await?;
        let paused = |plan: &UpgradePlan| {
            plan.status.as_ref().and_then(|status| status.summary.as_ref()).is_some_and(|summary| {
                (summary.reason.as_str(), summary.progress.as_str()) == ("Suspended", "1/2")
            })
        };
        when(&stage.plans("pause"), "main", "suspended with one of two done", paused).await?;
        assert_eq!(stage.admitted("pause").await?, ["main-1-pause-2"]);
        assert!(stage.mutations("pause-1").is_empty());

        stage.change_plan("pause", "main", json!({"suspend": false})).await?;
        stage.plan_reaches("pause", "main", "Succeeded").await?;
        assert_eq!(versions(stage, "pause-1").await?, ["1.35.3"]);
        assert_eq!(stage.mutations("pause-2"), ["PUT pool system"], "not done a second time");
        Ok(())
    })
}

async fn in_phase(stage: &Stage, namespace: &str, upgrade: &str, phase: Phase) -> Result<()> {
    let there = |upgrade: &ClusterUpgrade| {
        let operation = upgrade.status.as_ref().and_then(|status| status.ledger.operation.as_ref());
        operation.is_some_and(|operation| operation.phase == phase)
    };
    when(&stage.upgrades(namespace), upgrade, &format!("in phase {phase:?}"), there).await.map(drop)
}

#[test]
fn r15_an_edit_lets_the_step_in_flight_finish_and_then_starts_a_new_rollout() -> Result<()> {
    STAGE.run(async |stage| {
        stage.register("edit", "edit-1", &[]).await?;
        let plan = plan("edit", "[{name: all, clusters: {names: [edit-1]}}]");
        stage.apply(&format!("{plan}  nodePools: {{exclude: [{{names: [system]}}]}}")).await?;
        in_phase(stage, "edit", "main-1-edit-1", Phase::Submitted).await?;
        stage.change_plan("edit", "main", json!({"nodePools": {"exclude": [{"names": ["apps"]}]}})).await?;

        let done = stage.plan_reaches("edit", "main", "Succeeded").await?;
        let rollout = done.status.context("a status")?.rollout.context("a rollout")?;
        assert_eq!(rollout.id, "main-2");
        let left = stage.upgrades("edit").list(&ListParams::default()).await?;
        assert_eq!(left.iter().map(ResourceExt::name_any).collect::<Vec<_>>(), ["main-2-edit-1"]);
        assert_eq!(stage.mutations("edit-1"), ["PUT pool apps", "PUT pool system"]);
        assert_eq!(versions(stage, "edit-1").await?, ["1.35.3", "1.35.3"], "what had begun was finished");
        Ok(())
    })
}

#[test]
fn a_deleted_plan_takes_its_cluster_upgrades_with_it() -> Result<()> {
    STAGE.run(async |stage| {
        stage.register("gone", "gone-1", &[]).await?;
        stage.apply(&plan("gone", "[{name: all, clusters: {names: [gone-1]}}]")).await?;
        stage.plan_reaches("gone", "main", "Succeeded").await?;
        let plans: Api<UpgradePlan> = stage.plans("gone");
        plans.delete("main", &DeleteParams::default()).await?;
        gone(&plans, "main").await?;
        gone(&stage.upgrades("gone"), "main-1-gone-1").await?;
        assert!(stage.clusters("gone").get_opt("gone-1").await?.is_some(), "the cluster stays registered");
        Ok(())
    })
}
