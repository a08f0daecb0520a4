//! `scope: NodeImage` brings pools that are behind to the newest image, and leaves the others alone.

use anyhow::{Context as _, Result};
use tests::stage::{Setup, Stage, check_done};

const NEW_UBUNTU: &str = "AKSUbuntu-2204gen2containerd-202611.10.0";
const NEW_WINDOWS: &str = "AKSWindows-2022-containerd-20348.4405.261112";
/// Behind, and yet younger than a plan may ask for.
const YOUNG_UBUNTU: &str = "AKSUbuntu-2204gen2containerd-202611.03.0";

const SCENARIO: &str = "
durations: {surgeCreate: 1m, reimageLinux: 1m, reimageWindows: 2m, delete: 30s}
clusters:
- subscription: 20000000-0000-4000-8000-000000000001
  resourceGroup: shop
  name: weu-1
  kubernetesVersion: 1.35.3
  pools:
  - {name: system, mode: System}
  - {name: apps, count: 2, nodeImage: AKSUbuntu-2204gen2containerd-202609.01.0}
  - {name: young, nodeImage: AKSUbuntu-2204gen2containerd-202611.03.0}
  - {name: win, osType: Windows, osSku: Windows2022, nodeImage: AKSWindows-2022-containerd-20348.4052.250902}
  - {name: winnew, osType: Windows, osSku: Windows2022}
  - {name: legacy, nodeImage: AKSUbuntu-2204gen2containerd-202601.01.0}
";

#[tokio::test(flavor = "multi_thread")]
async fn refreshes_what_is_behind_and_nothing_else() -> Result<()> {
    Stage::run(Setup::new("node-image", SCENARIO), async |stage| {
        stage.register("fleet", "weu-1", &[]).await?;
        let before = stage.target("weu-1").nodes().await?;
        stage
            .apply(
                "
                apiVersion: tidegate.dev/v1alpha1
                kind: UpgradePlan
                metadata: {namespace: fleet, name: images}
                spec:
                  target: {scope: NodeImage, maxImageAge: 60d}
                  waves: [{name: all, clusters: {names: [weu-1]}}]
                  nodePools: {exclude: [{names: [legacy]}]}
                ",
            )
            .await?;
        let plan = stage.plan_reaches("fleet", "images", "Succeeded").await?;
        check_done(&plan.status.context("a status")?.conditions)?;

        let behind = ["POST pool apps upgradeNodeImageVersion", "POST pool win upgradeNodeImageVersion"];
        assert_eq!(stage.mutations("weu-1"), behind);
        let after = stage.target("weu-1").nodes().await?;
        for (pool, image) in [("apps", NEW_UBUNTU), ("win", NEW_WINDOWS)] {
            assert_eq!(after[pool].len(), before[pool].len());
            assert!(after[pool].values().all(|node| node.image == image && node.usable), "{after:?}");
        }
        for pool in ["system", "young", "winnew", "legacy"] {
            assert_eq!(after[pool], before[pool]);
        }
        assert_eq!(after["young"].values().next().context("a node")?.image, YOUNG_UBUNTU);
        assert!(after.values().flatten().all(|(_, node)| node.kubelet == "1.35.3"));
        Ok(())
    })
    .await
}
