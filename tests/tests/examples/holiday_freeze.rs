//! A wave each weekend; over the holidays production stands still, although its window opens.

use anyhow::Result;
use crds::UpgradeFreeze;
use futures::FutureExt as _;
use jiff::Timestamp;
use kube::Api;
use tests::stage::{Stage, when};

use crate::story::{ADMINISTRATOR, Moment, Night, Story, expected, in_wave, message, nights, rollouts, runs};

const CLUSTER: &str =
    "{location: westeurope, kubernetesVersion: 1.34.4, pools: [{name: system, mode: System}]}";

/// `examples/holiday-freeze.yaml`
pub(crate) const STORY: Story = Story {
    file: "holiday-freeze.yaml",
    text: include_str!("../../../examples/holiday-freeze.yaml"),
    applied_by: ADMINISTRATOR,
    azure: &[("retail-test", CLUSTER), ("retail-stores", CLUSTER), ("retail-hq", CLUSTER)],
    foretold: "window saturday-night opens",
    acts: &[
        (Moment::Begin, |stage| pending(stage).boxed()),
        (Moment::Europe, |stage| in_wave(stage, PLAN, "test", "Soaking").map(|plan| plan.map(drop)).boxed()),
        (Moment::SecondWeekend, |stage| {
            in_wave(stage, PLAN, "stores", "Soaking").map(|plan| plan.map(drop)).boxed()
        }),
        (Moment::ThirdWeekend, |stage| frozen(stage).boxed()),
        (Moment::January, |stage| over(stage).boxed()),
    ],
};

const PLAN: (&str, &str) = ("retail", "winter");

/// Waits until the freeze has this state, and holds so many clusters.
async fn freeze(stage: &Stage, state: &str, clusters: i32) -> Result<()> {
    let freezes: Api<UpgradeFreeze> = Api::all(stage.hub());
    let there = |freeze: &UpgradeFreeze| {
        freeze.status.as_ref().is_some_and(|status| status.state == state && status.clusters == clusters)
    };
    when(&freezes, "holidays-2026", &format!("{state}, {clusters} clusters"), there).await.map(drop)
}

async fn pending(stage: &Stage) -> Result<()> {
    freeze(stage, "Pending", 0).await?;
    stage.plan_reaches("retail", "winter", "WaitingForWindow").await.map(drop)
}

async fn frozen(stage: &Stage) -> Result<()> {
    freeze(stage, "Holding", 2).await?;
    let opens: Timestamp = "2026-12-19T21:00:00Z".parse()?;
    let window = |window: &crds::MaintenanceWindow| {
        window.status.as_ref().is_some_and(|status| status.open == Some(true))
    };
    when(&stage.windows("retail"), "saturday-night", "open", window).await?;
    assert!(stage.simulator.now() >= opens);
    let plan = in_wave(stage, PLAN, "headquarters", "Frozen").await?;
    let told = message(&plan);
    assert!(
        told.contains("holidays-2026 until 2027-01-06T23:00:00Z: holiday sales, ask the retail duty manager"),
        "{told}"
    );
    assert!(stage.mutations("retail-hq").is_empty());
    Ok(())
}

async fn over(stage: &Stage) -> Result<()> {
    stage.plan_reaches("retail", "winter", "Succeeded").await?;
    freeze(stage, "Over", 0).await?;
    for (cluster, saturday) in
        [("retail-test", "2026-12-05"), ("retail-stores", "2026-12-12"), ("retail-hq", "2027-01-09")]
    {
        let done = nights(stage, cluster, Night::usual("Europe/Berlin"))?;
        assert_eq!(done, expected(&[(saturday, &["PUT cluster", "PUT pool system"])]), "{cluster}");
        assert_eq!(runs(stage, cluster).await?.0, "1.35.3");
    }
    assert_eq!(rollouts(stage, "retail", "winter").await?, ["winter-1 Succeeded 3/3 1.35.3"]);
    Ok(())
}
