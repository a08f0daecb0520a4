//! One cluster, now, without a plan; one of its pools is left alone.

use anyhow::{Context as _, Result};
use crds::AKSCluster;
use futures::FutureExt as _;
use kube::api::DeleteParams;
use tests::stage::{Stage, check_done, gone, when};

use crate::story::{ADMINISTRATOR, Moment, Story, runs};

/// `examples/one-cluster-by-hand.yaml`
pub(crate) const STORY: Story = Story {
    file: "one-cluster-by-hand.yaml",
    text: include_str!("../../../examples/one-cluster-by-hand.yaml"),
    applied_by: ADMINISTRATOR,
    azure: &[(
        "analytics-weu",
        "{kubernetesVersion: 1.34.4, pools: [{name: batch}, {name: notebooks}, {name: system, mode: System}]}",
    )],
    foretold: "",
    acts: &[(Moment::Begin, |stage| by_hand(stage).boxed())],
};

async fn by_hand(stage: &Stage) -> Result<()> {
    let upgrade = stage.upgrade_reaches("analytics", "analytics-weu-1-35", "Succeeded").await?;
    check_done(&upgrade.status.context("a status")?.conditions)?;
    assert_eq!(stage.mutations("analytics-weu"), ["PUT cluster", "PUT pool system", "PUT pool batch"]);
    let (version, pools) = runs(stage, "analytics-weu").await?;
    let versions: Vec<&str> = pools.values().map(|(version, _)| version.as_str()).collect();
    assert_eq!((version.as_str(), versions), ("1.35.3", vec!["1.35.3", "1.34.4", "1.35.3"]));

    // It is written down right after the status says so.
    let written = |cluster: &AKSCluster| {
        let newest = cluster.status.as_ref().and_then(|status| status.history.first());
        newest.is_some_and(|record| record.finished_at.is_some())
    };
    when(&stage.clusters("analytics"), "analytics-weu", "with its history", written).await?;
    stage.upgrades("analytics").delete("analytics-weu-1-35", &DeleteParams::default()).await?;
    gone(&stage.upgrades("analytics"), "analytics-weu-1-35").await?;
    let told = stage.tidegate(&["history", "analytics-weu", "-n", "analytics"]).await?;
    let upgrade = &told["clusters"][0]["upgrades"][0];
    assert_eq!(
        (&upgrade["upgrade"], &upgrade["outcome"]),
        (&"analytics-weu-1-35".into(), &"Succeeded".into())
    );
    let steps = upgrade["steps"].as_array().context("steps")?;
    let subjects: Vec<&str> = steps.iter().filter_map(|step| step["subject"].as_str()).collect();
    assert_eq!(subjects, ["control plane", "pool system", "pool batch"]);
    assert!(steps.iter().all(|step| step["to"] == "1.35.3" && step["finishedAt"].is_string()), "{steps:?}");
    Ok(())
}
