//! Two teams whose plans have the same name and the same labels, and nothing to do with one another.

use anyhow::{Context as _, Result, ensure};
use crds::UpgradePlan;
use futures::FutureExt as _;
use kube::{
    Api,
    api::{ListParams, Patch, PatchParams},
};
use serde_json::json;
use tests::stage::Stage;

use crate::story::{ADMINISTRATOR, Moment, Story, rollouts, runs};

/// `examples/teams.yaml`
pub(crate) const STORY: Story = Story {
    file: "teams.yaml",
    text: include_str!("../../../examples/teams.yaml"),
    applied_by: ADMINISTRATOR,
    azure: &[
        ("shared-weu", "{kubernetesVersion: 1.34.2, pools: [{name: system, mode: System}]}"),
        ("blue-weu", "{kubernetesVersion: 1.34.2, pools: [{name: system, mode: System}]}"),
    ],
    foretold: "1.34.2 → 1.34.4",
    acts: &[(Moment::Begin, |stage| both(stage).boxed())],
};

async fn both(stage: &Stage) -> Result<()> {
    let bob = stage.hub_plane().client_as("bob@blue.example", &["team-blue"])?;
    let plans = |namespace: &str| Api::<UpgradePlan>::namespaced(bob.clone(), namespace);
    let suspend = async |namespace: &str, suspend: bool| {
        let patch = Patch::Merge(json!({"spec": {"suspend": suspend}}));
        plans(namespace).patch("main", &PatchParams::default(), &patch).await
    };
    suspend("team-blue", true).await?;
    let refused = suspend("platform", true).await.err().context("a refusal")?.to_string();
    ensure!(refused.contains("cannot patch resource"), "{refused}");
    let refused =
        plans("platform").list(&ListParams::default()).await.err().context("a refusal")?.to_string();
    ensure!(refused.contains("cannot list resource"), "{refused}");

    stage.plan_reaches("platform", "main", "Succeeded").await?;
    assert_eq!(runs(stage, "shared-weu").await?.0, "1.35.3");
    stage.plan_reaches("team-blue", "main", "Suspended").await?;
    ensure!(stage.mutations("blue-weu").len() <= 1, "the step in flight, and no other");

    suspend("team-blue", false).await?;
    stage.plan_reaches("team-blue", "main", "Succeeded").await?;
    let (version, pools) = runs(stage, "blue-weu").await?;
    assert_eq!((version.as_str(), pools["system"].0.as_str()), ("1.34.4", "1.34.4"), "its own minor");
    assert_eq!(stage.mutations("blue-weu"), ["PUT cluster", "PUT pool system"]);
    assert_eq!(stage.mutations("shared-weu"), ["PUT cluster", "PUT pool system"]);
    assert_eq!(rollouts(stage, "platform", "main").await?, ["main-1 Succeeded 1/1 1.35.3"]);
    assert_eq!(rollouts(stage, "team-blue", "main").await?.len(), 1);
    assert_eq!(stage.admitted("platform").await?, ["main-1-shared-weu"]);
    assert_eq!(stage.admitted("team-blue").await?, ["main-1-blue-weu"]);
    Ok(())
}
