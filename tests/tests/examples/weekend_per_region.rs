//! Each region on the Saturday night of its own.

use anyhow::Result;
use futures::FutureExt as _;
use tests::stage::Stage;

use crate::story::{ADMINISTRATOR, Moment, Night, Story, expected, nights, rollouts, runs};

const EUROPE: &str =
    "{location: westeurope, kubernetesVersion: 1.34.4, pools: [{name: system, mode: System}]}";

/// `examples/weekend-per-region.yaml`
pub(crate) const STORY: Story = Story {
    file: "weekend-per-region.yaml",
    text: include_str!("../../../examples/weekend-per-region.yaml"),
    applied_by: ADMINISTRATOR,
    azure: &[
        ("payments-weu", EUROPE),
        (
            "payments-neu",
            "{location: northeurope, kubernetesVersion: 1.34.4, pools: [{name: system, mode: System}]}",
        ),
        (
            "payments-eus",
            "{location: eastus, kubernetesVersion: 1.34.4, pools: [{name: system, mode: System}]}",
        ),
        (
            "payments-sea",
            "{location: southeastasia, kubernetesVersion: 1.34.4, pools: [{name: system, mode: System}]}",
        ),
    ],
    foretold: "window weekend-americas opens",
    acts: &[
        (Moment::Begin, |stage| all_wait(stage).boxed()),
        (Moment::Asia, |stage| region(stage, "asia", "Asia/Singapore", &["payments-sea"]).boxed()),
        (Moment::Europe, |stage| {
            region(stage, "europe", "Europe/Berlin", &["payments-neu", "payments-weu"]).boxed()
        }),
        (Moment::Americas, |stage| region(stage, "americas", "America/New_York", &["payments-eus"]).boxed()),
    ],
};

async fn all_wait(stage: &Stage) -> Result<()> {
    for plan in ["europe", "americas", "asia"] {
        stage.plan_reaches("payments", plan, "WaitingForWindow").await?;
    }
    Ok(())
}

async fn region(stage: &Stage, plan: &str, zone: &'static str, clusters: &[&str]) -> Result<()> {
    stage.plan_reaches("payments", plan, "Succeeded").await?;
    for cluster in clusters {
        let done = nights(stage, cluster, Night::usual(zone))?;
        assert_eq!(done, expected(&[("2026-12-05", &["PUT cluster", "PUT pool system"])]), "{cluster}");
        assert_eq!(runs(stage, cluster).await?.0, "1.35.3");
    }
    let number = clusters.len();
    let told = rollouts(stage, "payments", plan).await?;
    assert_eq!(told, [format!("{plan}-1 Succeeded {number}/{number} 1.35.3")]);
    Ok(())
}
