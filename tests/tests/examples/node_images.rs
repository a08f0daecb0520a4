//! Linux images every week, Windows images once a month, on Saturday nights alone.

use anyhow::Result;
use futures::FutureExt as _;
use tests::stage::Stage;

use crate::story::{ADMINISTRATOR, Moment, Night, Story, ended, expected, nights, rollouts, runs};

const CLUSTER: &str = "
location: swedencentral
kubernetesVersion: 1.35.3
pools: [{name: apps}, {name: system, mode: System}, {name: win, osType: Windows, osSku: Windows2022}]
";

/// `examples/node-images.yaml`
pub(crate) const STORY: Story = Story {
    file: "node-images.yaml",
    text: include_str!("../../../examples/node-images.yaml"),
    applied_by: ADMINISTRATOR,
    azure: &[("erp-test-sdc", CLUSTER), ("erp-prod-sdc", CLUSTER)],
    foretold: "window saturday-night opens",
    acts: &[
        (Moment::Begin, |stage| current(stage).boxed()),
        (Moment::Europe, |stage| ended(stage, "erp", "node-images", "node-images-2").map(done).boxed()),
        (Moment::SecondWeekend, |stage| {
            ended(stage, "erp", "node-images", "node-images-3").map(done).boxed()
        }),
        (Moment::ThirdWeekend, |stage| third(stage).boxed()),
    ],
};

fn done<T>(result: Result<T>) -> Result<()> {
    result.map(drop)
}

async fn current(stage: &Stage) -> Result<()> {
    stage.plan_reaches("erp", "node-images", "UpToDate").await.map(drop)
}

async fn third(stage: &Stage) -> Result<()> {
    ended(stage, "erp", "node-images", "node-images-4").await?;
    let night = Night::usual("Europe/Stockholm");
    let linux = ["POST pool apps upgradeNodeImageVersion", "POST pool system upgradeNodeImageVersion"];
    let windows = "POST pool win upgradeNodeImageVersion";
    let all = [linux[0], linux[1], windows];
    for cluster in ["erp-test-sdc", "erp-prod-sdc"] {
        let (version, pools) = runs(stage, cluster).await?;
        assert_eq!(version, "1.35.3", "images alone");
        let builds: Vec<&str> = pools.values().map(|(_, build)| build.as_str()).collect();
        assert_eq!(builds, ["202612.14.0", "202612.14.0", "20348.4467.261209"]);
    }
    let first_done = stage.dated_mutations("erp-test-sdc");
    let then = stage.dated_mutations("erp-prod-sdc");
    assert!(first_done[1].0 < then[0].0, "the test cluster first: {first_done:?}, {then:?}");
    // Settings that are sent with or after a step belong to it.
    for cluster in ["erp-test-sdc", "erp-prod-sdc"] {
        let mut nights = nights(stage, cluster, night)?;
        for done in nights.values_mut() {
            done.retain(|what| what.starts_with("POST"));
        }
        let wanted = [("2026-12-05", &linux[..]), ("2026-12-12", &all[..]), ("2026-12-19", &linux[..])];
        assert_eq!(nights, expected(&wanted), "{cluster}");
    }
    let told = rollouts(stage, "erp", "node-images").await?;
    // The first one found nothing to do, and is not told.
    let wanted = [4, 3, 2].map(|number| format!("node-images-{number} Succeeded 2/2 images"));
    assert_eq!(told, wanted);
    Ok(())
}
