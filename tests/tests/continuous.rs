//! A continuous plan: a cluster that is registered late, and a patch that Azure publishes, get rollouts of their
//! own; what was done is told when its ClusterUpgrades are long gone.

use anyhow::{Context as _, Result, ensure};
use crds::UpgradePlan;
use jiff::{SignedDuration, Timestamp};
use kube::{
    ResourceExt,
    api::{DeleteParams, ListParams},
};
use tests::stage::{Setup, Stage, check_done, when};

/// Ten simulated minutes in a second: what Azure offers is asked for every six hours.
const RATE: f64 = 600.0;
/// When the patch comes out: the first two rollouts are done by then.
const RELEASE: SignedDuration = SignedDuration::from_hours(14);

fn scenario(released: Timestamp) -> String {
    let cluster = |name: &str, version: &str| {
        format!(
            "
- subscription: 20000000-0000-4000-8000-000000000001
  resourceGroup: shop
  name: {name}
  location: westeurope
  kubernetesVersion: {version}
  pools: [{{name: system, mode: System}}]
"
        )
    };
    format!(
        "
durations: {{controlPlane: 5m, surgeCreate: 1m, reimageLinux: 2m, delete: 30s}}
regions:
  westeurope:
    releases:
      at: [{{at: '{released}', versions: [{{version: 1.35.4}}]}}]
clusters:{}{}{}",
        cluster("west-1", "1.34.4"),
        cluster("west-2", "1.35.3"),
        cluster("late-1", "1.34.4")
    )
}

const PLAN: &str = "
apiVersion: tidegate.dev/v1alpha1
kind: UpgradePlan
metadata: {namespace: fleet, name: steady}
spec:
  mode: Continuous
  target: {kubernetes: {version: '1.35'}}
  waves:
  - {name: first, clusters: {names: [west-1]}}
  - {name: rest, clusters: {selector: {}}, maxConcurrent: 2}
";

/// Whether every cluster is where the target is now, after this rollout.
fn watches_after(plan: &UpgradePlan, id: &str) -> bool {
    let Some(status) = &plan.status else { return false };
    let reason = status.summary.as_ref().map(|summary| summary.reason.as_str());
    let is_over =
        status.rollout.as_ref().is_some_and(|rollout| rollout.id == id && rollout.ended_at.is_some());
    reason == Some("UpToDate") && is_over
}

async fn members(stage: &Stage) -> Result<Vec<String>> {
    let found = stage.upgrades("fleet").list(&ListParams::default()).await?;
    Ok(found.iter().map(ResourceExt::name_any).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn rollouts_follow_what_is_registered_and_what_is_released() -> Result<()> {
    let released = simulator::clock::now() + RELEASE;
    let setup = Setup::new("continuous", &scenario(released)).without_api_servers().rate(RATE);
    Stage::run(setup, async |stage| {
        stage.register("fleet", "west-1", &[]).await?;
        stage.register("fleet", "west-2", &[]).await?;
        stage.apply(PLAN).await?;
        let plan =
            when(&stage.plans("fleet"), "steady", "up to date", |plan| watches_after(plan, "steady-1"))
                .await?;
        check_done(&plan.status.clone().context("a status")?.conditions)?;
        assert_eq!(members(stage).await?, ["steady-1-west-1"], "the other one needs nothing");

        stage.register("fleet", "late-1", &[]).await?;
        when(&stage.plans("fleet"), "steady", "done with the late one", |plan| {
            watches_after(plan, "steady-2")
        })
        .await?;
        assert_eq!(members(stage).await?, ["steady-2-late-1"]);
        ensure!(
            stage.clock().at(simulator::clock::now()) < released,
            "the first rollouts took until after the release"
        );

        when(&stage.plans("fleet"), "steady", "at the new patch", |plan| watches_after(plan, "steady-3"))
            .await?;
        assert_eq!(members(stage).await?, ["steady-3-late-1", "steady-3-west-1", "steady-3-west-2"]);
        for cluster in ["west-1", "west-2", "late-1"] {
            assert_eq!(stage.world(cluster).await?.kubernetes_version, "1.35.4");
        }
        history_outlives_its_objects(stage).await
    })
    .await
}

async fn history_outlives_its_objects(stage: &Stage) -> Result<()> {
    stage.upgrades("fleet").delete_collection(&DeleteParams::default(), &ListParams::default()).await?;
    tests::stage::gone(&stage.upgrades("fleet"), "steady-3-west-1").await?;
    let told = stage.tidegate(&["history", "steady", "-n", "fleet"]).await?;
    let rollouts = told["plans"][0]["rollouts"].as_array().context("rollouts")?;
    let ids: Vec<_> = rollouts.iter().map(|rollout| rollout["id"].as_str().unwrap_or_default()).collect();
    assert_eq!(ids, ["steady-3", "steady-2", "steady-1"]);
    for (rollout, (clusters, to)) in rollouts.iter().zip([(3, "1.35.4"), (1, "1.35.3"), (1, "1.35.3")]) {
        assert_eq!(
            (&rollout["clusters"], &rollout["succeeded"]),
            (&clusters.into(), &clusters.into()),
            "{rollout}"
        );
        assert_eq!(
            (rollout["outcome"].as_str(), rollout["target"]["kubernetes"].as_str()),
            (Some("Succeeded"), Some(to))
        );
    }
    let instant =
        |rollout: &serde_json::Value, field: &str| rollout[field].as_str()?.parse::<Timestamp>().ok();
    for (newer, older) in rollouts.iter().zip(&rollouts[1..]) {
        ensure!(instant(newer, "startedAt") >= instant(older, "endedAt"), "two at once: {newer} and {older}");
    }
    let told = stage.tidegate(&["history", "west-1", "-n", "fleet"]).await?;
    let upgrades = told["clusters"][0]["upgrades"].as_array().context("upgrades")?;
    let steps: Vec<_> = upgrades
        .iter()
        .flat_map(|upgrade| upgrade["steps"].as_array().into_iter().flatten())
        .map(|step| format!("{} {} {}", step["subject"], step["from"], step["to"]).replace('"', ""))
        .collect();
    assert_eq!(
        steps,
        [
            "control plane 1.35.3 1.35.4",
            "pool system 1.35.3 1.35.4",
            "control plane 1.34.4 1.35.3",
            "pool system 1.34.4 1.35.3",
        ]
    );
    assert!(upgrades.iter().all(|upgrade| upgrade["outcome"] == "Succeeded"), "{upgrades:?}");

    // With its ClusterUpgrades gone it is still over, and nothing starts anew.
    let plan = stage.plans("fleet").get("steady").await?;
    ensure!(watches_after(&plan, "steady-3"), "{:?}", plan.status);
    Ok(())
}
