//! A fleet that follows its channel, and renews images that are older than a month.

use anyhow::{Result, ensure};
use futures::FutureExt as _;
use tests::stage::Stage;

use crate::story::{ADMINISTRATOR, Moment, Night, Story, ended, expected, nights, rollouts, runs};

const CLUSTER: &str =
    "{location: norwayeast, kubernetesVersion: 1.35.3, pools: [{name: apps}, {name: system, mode: System}]}";
const CLUSTERS: [&str; 3] = ["logistics-canary", "logistics-depots", "logistics-fleet"];

/// `examples/continuous-fleet.yaml`
pub(crate) const STORY: Story = Story {
    file: "continuous-fleet.yaml",
    text: include_str!("../../../examples/continuous-fleet.yaml"),
    applied_by: ADMINISTRATOR,
    azure: &[(CLUSTERS[0], CLUSTER), (CLUSTERS[1], CLUSTER), (CLUSTERS[2], CLUSTER)],
    foretold: "1.35.3 → 1.36.2",
    acts: &[
        (Moment::Europe, |stage| channel(stage).boxed()),
        (Moment::SecondWeekend, |stage| nothing(stage).boxed()),
        (Moment::ThirdWeekend, |stage| patch(stage).boxed()),
        (Moment::January, |stage| images(stage).boxed()),
    ],
};

async fn channel(stage: &Stage) -> Result<()> {
    ended(stage, "logistics", "steady", "steady-1").await?;
    for cluster in CLUSTERS {
        assert_eq!(runs(stage, cluster).await?.0, "1.36.2", "one behind the newest");
    }
    Ok(())
}

async fn nothing(stage: &Stage) -> Result<()> {
    stage.plan_reaches("logistics", "steady", "UpToDate").await.map(drop)
}

async fn patch(stage: &Stage) -> Result<()> {
    ended(stage, "logistics", "steady", "steady-2").await?;
    for cluster in CLUSTERS {
        assert_eq!(runs(stage, cluster).await?.0, "1.36.3", "the patch of the 16th");
    }
    Ok(())
}

async fn images(stage: &Stage) -> Result<()> {
    ended(stage, "logistics", "steady", "steady-3").await?;
    stage.plan_reaches("logistics", "steady", "UpToDate").await?;
    let versions: &[&str] = &["PUT cluster", "PUT pool system", "PUT pool apps"];
    let images: &[&str] =
        &["POST pool system upgradeNodeImageVersion", "POST pool apps upgradeNodeImageVersion"];
    for cluster in CLUSTERS {
        let (version, pools) = runs(stage, cluster).await?;
        assert_eq!(version, "1.36.3");
        assert!(pools.values().all(|(_, build)| build == "202612.28.0"), "{cluster}: {pools:?}");
        let wanted = expected(&[("2026-12-05", versions), ("2026-12-19", versions), ("2027-01-09", images)]);
        assert_eq!(nights(stage, cluster, Night::usual("Europe/Oslo"))?, wanted, "{cluster}");
    }
    let canary = stage.dated_mutations(CLUSTERS[0]);
    for cluster in &CLUSTERS[1..] {
        let rest = stage.dated_mutations(cluster);
        ensure!(canary[2].0 < rest[0].0 && canary[5].0 < rest[3].0 && canary[7].0 < rest[6].0, "{cluster}");
    }
    let told = rollouts(stage, "logistics", "steady").await?;
    let wanted =
        ["steady-3 Succeeded 3/3 1.36.3", "steady-2 Succeeded 3/3 1.36.3", "steady-1 Succeeded 3/3 1.36.2"];
    assert_eq!(told, wanted);
    Ok(())
}
