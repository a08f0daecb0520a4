//! What the inventory shows keeps up with Azure, also with what is no longer there.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use crds::AKSCluster;
use jiff::{SignedDuration, Timestamp};
use tests::stage::{Setup, Stage, is, until_within};

const SCENARIO: &str = "
durations: {controlPlane: 3h, delete: 30s}
clusters:
- subscription: 20000000-0000-4000-8000-000000000001
  resourceGroup: shop
  name: weu-1
  kubernetesVersion: 1.34.4
  pools: [{name: system, mode: System}]
- subscription: 20000000-0000-4000-8000-000000000001
  resourceGroup: shop
  name: weu-2
  kubernetesVersion: 1.34.4
  pools: [{name: system, mode: System}]
";

/// While it runs, the subscription is listed every 15 seconds.
const UPGRADE: &str = "
apiVersion: tidegate.dev/v1alpha1
kind: ClusterUpgrade
metadata: {namespace: fleet, name: weu-1}
spec: {clusterRef: {name: weu-1}, target: {kubernetes: {version: '1.35'}}}
";

/// Simulated seconds in a real one.
const RATE: f64 = 20.0;
/// Less than the pause between two looks at an AKSCluster, which is 300 s: something woke it.
const SOON: SignedDuration = SignedDuration::from_secs(200);
/// How old what is noted of a cluster may be while its subscription is listed.
const NOTED: SignedDuration = SignedDuration::from_mins(16);

async fn disappears(stage: &Stage, cluster: &str) -> Result<Timestamp> {
    let id = stage.resource_id(cluster).to_owned();
    stage.arm_delete(cluster).await?;
    loop {
        if !stage.simulator.clusters().await?.iter().any(|cluster| cluster.id == id) {
            return Ok(stage.simulator.now());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_disappears_from_azure_says_so_with_the_next_list() -> Result<()> {
    let setup = Setup::new("inventory", SCENARIO).without_api_servers().rate(RATE);
    Stage::run(setup, async |stage| {
        for cluster in ["weu-1", "weu-2"] {
            stage.register("fleet", cluster, &[]).await?;
        }
        stage.apply(UPGRADE).await?;
        stage.upgrade_reaches("fleet", "weu-1", "UpgradingControlPlane").await?;

        let gone_at = disappears(stage, "weu-2").await?;
        let says_so = |cluster: Option<&AKSCluster>| {
            let status = cluster.and_then(|cluster| cluster.status.as_ref());
            status.is_some_and(|status| {
                let ready = status.conditions.iter().find(|condition| condition.type_ == "Ready");
                is(&status.conditions, "Ready", "False")
                    && ready.is_some_and(|ready| ready.message.contains("404 ResourceNotFound"))
            })
        };
        let patience = stage.clock().real_duration(Duration::try_from(SOON)?);
        let cluster =
            until_within(patience, &stage.clusters("fleet"), "weu-2", "known to be gone", says_so).await?;
        let status = cluster.and_then(|cluster| cluster.status).context("a status")?;
        let seen = status.cluster_read_at.context("when Azure showed it")?;
        ensure!(status.cluster.is_some() && seen <= gone_at, "what was seen last stays, as of {seen}");

        let now = stage.simulator.now();
        let told = stage.tidegate(&["inventory", "-n", "fleet", "weu-1"]).await?;
        let read_at: Timestamp = told[0]["clusterReadAt"].as_str().context("clusterReadAt")?.parse()?;
        ensure!(now.duration_since(read_at) < NOTED, "seen at {read_at}, and it is {now}");
        Ok(())
    })
    .await
}
