//! One image in two regions, one of which has it some days later.

use anyhow::{Context as _, Result};
use futures::FutureExt as _;
use tests::stage::{Stage, check_done};

use crate::story::{ADMINISTRATOR, Moment, Story, rollouts, runs, status};

/// `examples/consistent-images.yaml`
pub(crate) const STORY: Story = Story {
    file: "consistent-images.yaml",
    text: include_str!("../../../examples/consistent-images.yaml"),
    applied_by: ADMINISTRATOR,
    azure: &[
        (
            "trading-frc",
            "{location: francecentral, kubernetesVersion: 1.35.3, pools: [{name: system, mode: System, nodeImage: AKSUbuntu-2204gen2containerd-202610.27.0}]}",
        ),
        (
            "trading-itn",
            "{location: italynorth, kubernetesVersion: 1.35.3, pools: [{name: system, mode: System, nodeImage: AKSUbuntu-2204gen2containerd-202610.27.0}]}",
        ),
    ],
    foretold: "202611.24.0",
    acts: &[
        (Moment::Begin, |stage| one_waits(stage).boxed()),
        (Moment::SecondWeekend, |stage| both_have_it(stage).boxed()),
    ],
};

async fn one_waits(stage: &Stage) -> Result<()> {
    stage.upgrade_reaches("trading", "audit-1-trading-itn", "WaitingForImage").await?;
    stage.upgrade_reaches("trading", "audit-1-trading-frc", "Succeeded").await?;
    assert_eq!(runs(stage, "trading-frc").await?.1["system"].1, "202611.24.0");
    assert!(stage.mutations("trading-itn").is_empty(), "it could have 202611.10.0, and is not to");
    Ok(())
}

async fn both_have_it(stage: &Stage) -> Result<()> {
    let plan = stage.plan_reaches("trading", "audit", "Succeeded").await?;
    let told = status(&plan);
    check_done(&told.conditions)?;
    let pinned = told.rollout.context("a rollout")?.target.images;
    let image = pinned.get("AKSUbuntu-2204gen2containerd").map(String::as_str);
    assert_eq!(image, Some("AKSUbuntu-2204gen2containerd-202611.24.0"));
    for cluster in ["trading-frc", "trading-itn"] {
        assert_eq!(runs(stage, cluster).await?.1["system"].1, "202611.24.0");
        assert_eq!(stage.mutations(cluster), ["POST pool system upgradeNodeImageVersion"], "once");
    }
    assert_eq!(told.history[0].deviating_pools, 0);
    assert_eq!(rollouts(stage, "trading", "audit").await?, ["audit-1 Succeeded 2/2 images"]);
    Ok(())
}
