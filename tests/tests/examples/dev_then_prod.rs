//! Development first, three days of watching, then production, one cluster after the other.

use anyhow::{Context as _, Result, ensure};
use futures::FutureExt as _;
use jiff::SignedDuration;
use tests::stage::{Stage, check_done};

use crate::story::{ADMINISTRATOR, Moment, Story, rollouts, runs, status};

const CLUSTER: &str = "
location: westeurope
kubernetesVersion: 1.34.4
pools: [{name: apps}, {name: system, mode: System}, {name: win, osType: Windows, osSku: Windows2022}]
";

/// `examples/dev-then-prod.yaml`
pub(crate) const STORY: Story = Story {
    file: "dev-then-prod.yaml",
    text: include_str!("../../../examples/dev-then-prod.yaml"),
    applied_by: ADMINISTRATOR,
    azure: &[("webshop-dev-weu", CLUSTER), ("webshop-prod-neu", CLUSTER), ("webshop-prod-weu", CLUSTER)],
    foretold: "watched for 10m afterwards",
    acts: &[
        (Moment::Begin, |stage| development(stage).boxed()),
        (Moment::Asia, |stage| production(stage).boxed()),
    ],
};

const STEPS: [&str; 4] = ["PUT cluster", "PUT pool system", "PUT pool apps", "PUT pool win"];

async fn development(stage: &Stage) -> Result<()> {
    let plan = stage.plan_reaches("webshop", "kubernetes-1-35", "Soaking").await?;
    assert_eq!(status(&plan).waves[0].state, "Soaking");
    assert_eq!(stage.mutations("webshop-dev-weu"), STEPS);
    for cluster in ["webshop-prod-neu", "webshop-prod-weu"] {
        assert!(stage.mutations(cluster).is_empty(), "{cluster} waits for development");
    }
    Ok(())
}

async fn production(stage: &Stage) -> Result<()> {
    let plan = stage.plan_reaches("webshop", "kubernetes-1-35", "Succeeded").await?;
    check_done(&status(&plan).conditions)?;
    let development = stage.clusters("webshop").get("webshop-dev-weu").await?.status.context("a status")?;
    let done = development.history[0].steps.last().and_then(|step| step.finished_at).context("an end")?;
    let (first, second) =
        (stage.dated_mutations("webshop-prod-neu"), stage.dated_mutations("webshop-prod-weu"));
    for production in [&first, &second] {
        let words: Vec<&str> = production.iter().map(|(_, what)| what.as_str()).collect();
        assert_eq!(words, STEPS, "each pool once, Windows last");
    }
    ensure!(first[0].0 >= done + SignedDuration::from_hours(72), "{} is too early after {done}", first[0].0);
    ensure!(first[3].0 < second[0].0, "two production clusters at once: {first:?} and {second:?}");
    for cluster in ["webshop-dev-weu", "webshop-prod-neu", "webshop-prod-weu"] {
        let (version, pools) = runs(stage, cluster).await?;
        assert_eq!(version, "1.35.3");
        assert!(pools.values().all(|(version, _)| version == "1.35.3"), "{cluster}: {pools:?}");
    }
    let told = rollouts(stage, "webshop", "kubernetes-1-35").await?;
    assert_eq!(told, ["kubernetes-1-35-1 Succeeded 3/3 1.35.3"]);
    Ok(())
}
