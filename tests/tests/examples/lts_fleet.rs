//! Long-term support: patches of 1.33 on the second Saturday of the month, and never another minor.

use anyhow::{Result, ensure};
use futures::FutureExt as _;
use tests::stage::Stage;

use crate::story::{ADMINISTRATOR, Moment, Night, Story, ended, expected, message, nights, rollouts, runs};

const PLANT: &str = "
location: polandcentral
kubernetesVersion: 1.33.100
sku: {tier: Premium}
supportPlan: AKSLongTermSupport
pools: [{name: system, mode: System}]
";

/// `examples/lts-fleet.yaml`
pub(crate) const STORY: Story = Story {
    file: "lts-fleet.yaml",
    text: include_str!("../../../examples/lts-fleet.yaml"),
    applied_by: ADMINISTRATOR,
    azure: &[("plant-gdansk", PLANT), ("plant-lodz", PLANT), ("plant-poznan", PLANT)],
    foretold: "1.33.100 → 1.33.101",
    acts: &[
        (Moment::Begin, |stage| waits(stage).boxed()),
        (Moment::SecondWeekend, |stage| december(stage).boxed()),
        (Moment::January, |stage| january(stage).boxed()),
    ],
};

const PLANTS: [&str; 3] = ["plant-gdansk", "plant-lodz", "plant-poznan"];

async fn waits(stage: &Stage) -> Result<()> {
    let plan = stage.plan_reaches("factory", "lts-1-33", "WaitingForWindow").await?;
    let told = message(&plan);
    ensure!(told.contains("second-saturday opens at 2026-12-12T19:00:00Z"), "{told}");
    Ok(())
}

async fn december(stage: &Stage) -> Result<()> {
    ended(stage, "factory", "lts-1-33", "lts-1-33-1").await?;
    for plant in PLANTS {
        assert_eq!(runs(stage, plant).await?.0, "1.33.101");
    }
    Ok(())
}

async fn january(stage: &Stage) -> Result<()> {
    ended(stage, "factory", "lts-1-33", "lts-1-33-2").await?;
    stage.plan_reaches("factory", "lts-1-33", "UpToDate").await?;
    let steps: &[&str] = &["PUT cluster", "PUT pool system"];
    for plant in PLANTS {
        let (version, pools) = runs(stage, plant).await?;
        assert_eq!((version.as_str(), pools["system"].0.as_str()), ("1.33.102", "1.33.102"));
        let night = Night { zone: "Europe/Warsaw", hour: 20, hours: 8 };
        let wanted = expected(&[("2026-12-12", steps), ("2027-01-09", steps)]);
        assert_eq!(nights(stage, plant, night)?, wanted, "{plant}");
    }
    let (pilot, next) = (stage.dated_mutations("plant-gdansk"), stage.dated_mutations("plant-lodz"));
    ensure!(pilot[1].0 < next[0].0 && pilot[3].0 < next[2].0, "the pilot first: {pilot:?} {next:?}");
    let told = rollouts(stage, "factory", "lts-1-33").await?;
    assert_eq!(told, ["lts-1-33-2 Succeeded 3/3 1.33.102", "lts-1-33-1 Succeeded 3/3 1.33.101"]);
    Ok(())
}
