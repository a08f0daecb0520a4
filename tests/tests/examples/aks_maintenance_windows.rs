//! Each cluster in the window that it has in Azure, with one plan that names none.

use anyhow::Result;
use futures::FutureExt as _;
use tests::stage::Stage;

use crate::story::{ADMINISTRATOR, Moment, Night, Story, expected, nights, rollouts, runs};

const WEST_EUROPE: &str = "
location: westeurope
kubernetesVersion: 1.34.4
pools: [{name: system, mode: System}]
maintenanceConfigurations:
- name: aksManagedAutoUpgradeSchedule
  properties:
    maintenanceWindow:
      {schedule: {weekly: {intervalWeeks: 1, dayOfWeek: Saturday}}, durationHours: 4, utcOffset: '+01:00', startTime: '22:00'}
";
const EAST_US: &str = "
location: eastus
kubernetesVersion: 1.34.4
pools: [{name: system, mode: System}]
maintenanceConfigurations:
- name: aksManagedAutoUpgradeSchedule
  properties:
    maintenanceWindow:
      {schedule: {weekly: {intervalWeeks: 1, dayOfWeek: Saturday}}, durationHours: 4, utcOffset: '-05:00', startTime: '22:00'}
";

/// `examples/aks-maintenance-windows.yaml`
pub(crate) const STORY: Story = Story {
    file: "aks-maintenance-windows.yaml",
    text: include_str!("../../../examples/aks-maintenance-windows.yaml"),
    applied_by: ADMINISTRATOR,
    azure: &[("claims-weu", WEST_EUROPE), ("claims-eus", EAST_US)],
    foretold: "1.34.4 → 1.35.3",
    acts: &[
        (Moment::Begin, |stage| waits(stage).boxed()),
        (Moment::Europe, |stage| west_europe(stage).boxed()),
        (Moment::Americas, |stage| east_us(stage).boxed()),
    ],
};

const STEPS: &[&str] = &["PUT cluster", "PUT pool system"];
const UPGRADES: [&str; 2] = ["kubernetes-1-35-1-claims-weu", "kubernetes-1-35-1-claims-eus"];

async fn waits(stage: &Stage) -> Result<()> {
    for upgrade in UPGRADES {
        stage.upgrade_reaches("claims", upgrade, "WaitingForWindow").await?;
    }
    Ok(())
}

async fn west_europe(stage: &Stage) -> Result<()> {
    stage.upgrade_reaches("claims", UPGRADES[0], "Succeeded").await?;
    // Standard time: the offsets of the winter are those of the zones.
    let done = nights(stage, "claims-weu", Night { zone: "Europe/Berlin", hour: 22, hours: 4 })?;
    assert_eq!(done, expected(&[("2026-12-05", STEPS)]));
    Ok(())
}

async fn east_us(stage: &Stage) -> Result<()> {
    stage.plan_reaches("claims", "kubernetes-1-35", "Succeeded").await?;
    let done = nights(stage, "claims-eus", Night { zone: "America/New_York", hour: 22, hours: 4 })?;
    assert_eq!(done, expected(&[("2026-12-05", STEPS)]));
    for cluster in ["claims-weu", "claims-eus"] {
        assert_eq!(runs(stage, cluster).await?.0, "1.35.3");
    }
    let told = rollouts(stage, "claims", "kubernetes-1-35").await?;
    assert_eq!(told, ["kubernetes-1-35-1 Succeeded 2/2 1.35.3"]);
    Ok(())
}
