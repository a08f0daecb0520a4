//! Settings that a plan overrides are there while a step runs, and as before afterwards: to the letter,
//! whichever way it ends.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use crds::{ClusterUpgrade, UpgradePlan};
use engine::Phase;
use kube::{Api, api::DeleteParams};
use serde_json::{Value, json};
use tests::stage::{Setup, Stage, check_done, gone, when};

/// Pools with all kinds of settings of their own, some of which nobody here knows.
const SCENARIO: &str = "
durations: {controlPlane: 1m, update: 30s, surgeCreate: 1m, reimageLinux: 2m, reimageWindows: 3m, delete: 30s}
clusters:
- subscription: 20000000-0000-4000-8000-000000000001
  resourceGroup: shop
  name: weu-1
  kubernetesVersion: 1.35.3
  pools:
  - {name: system, mode: System}
  - name: apps
    kubernetesVersion: 1.34.4
    drainTimeoutInMinutes: 17
    extra: {upgradeSettings: {futureSetting: {deep: [1, null]}}}
  - {name: batch, nodeImage: AKSUbuntu-2204gen2containerd-202609.01.0, maxSurge: '2', undrainableNodeBehavior: Schedule}
  - {name: win, osType: Windows, osSku: Windows2022, kubernetesVersion: 1.34.4, maxSurge: '1', nodeSoakDurationInMinutes: 1}
  - {name: winimg, osType: Windows, osSku: Windows2022, nodeImage: AKSWindows-2022-containerd-20348.4052.250902}
- subscription: 20000000-0000-4000-8000-000000000001
  resourceGroup: shop
  name: weu-2
  kubernetesVersion: 1.35.3
  extra: {properties: {upgradeSettings: {overrideSettings: {until: '2026-01-01T00:00:00Z'}}}}
  pools:
  - {name: system, mode: System}
  - {name: apps, count: 2, kubernetesVersion: 1.34.4, drainTimeoutInMinutes: 17}
  - {name: later, kubernetesVersion: 1.34.4}
- subscription: 20000000-0000-4000-8000-000000000001
  resourceGroup: shop
  name: weu-3
  kubernetesVersion: 1.35.3
  pools:
  - {name: system, mode: System}
  - {name: win, count: 2, osType: Windows, osSku: Windows2022, nodeImage: AKSWindows-2022-containerd-20348.4052.250902, maxSurge: '1'}
";

/// For whoever wants the same.
const EXAMPLE: &str = include_str!("../../examples/settings.yaml");

fn plan(cluster: &str) -> String {
    format!(
        "
apiVersion: tidegate.dev/v1alpha1
kind: UpgradePlan
metadata: {{namespace: fleet, name: {cluster}}}
spec:
  target: {{scope: NodePools, kubernetes: {{version: 1.35.3}}}}
  waves: [{{name: all, clusters: {{names: [{cluster}]}}}}]
  nodePools:
    order:
    - {{name: linux, match: {{osType: Linux}}}}
    - {{name: windows, match: {{osType: Windows}}, upgradeSettings: {{maxUnavailable: 1, drainTimeout: 1h}}}}
    upgradeSettings: {{maxSurge: 50%, drainTimeout: 45m, nodeSoak: 1m, undrainableNodes: Cordon}}
  forceUpgrade: {{until: '2099-01-01T00:00:00Z'}}
"
    )
}

/// The settings of every pool, and of the cluster under the name of none.
async fn settings(stage: &Stage, cluster: &str) -> Result<BTreeMap<String, Value>> {
    let document = stage.arm(cluster, "").await?;
    let mut all = BTreeMap::from([(String::new(), document["properties"]["upgradeSettings"].clone())]);
    for pool in document["properties"]["agentPoolProfiles"].as_array().context("pools")? {
        let name = pool["name"].as_str().context("a name")?;
        let alone = stage.arm(cluster, &format!("/agentPools/{name}")).await?;
        all.insert(name.to_owned(), alone["properties"]["upgradeSettings"].clone());
    }
    Ok(all)
}

/// Waits until Azure works on this step.
async fn in_step(stage: &Stage, upgrade: &str, step: &str) -> Result<ClusterUpgrade> {
    let there = |upgrade: &ClusterUpgrade| {
        let operation = upgrade.status.as_ref().and_then(|status| status.ledger.operation.as_ref());
        let is_step = operation.is_some_and(|operation| operation.step_id == step);
        is_step && operation.is_some_and(|operation| operation.phase == Phase::Submitted)
    };
    when(&stage.upgrades("fleet"), upgrade, &format!("in step {step}"), there).await
}

fn forced() -> Value {
    json!({"overrideSettings": {"forceUpgrade": true, "until": "2099-01-01T00:00:00Z"}})
}

#[tokio::test(flavor = "multi_thread")]
async fn every_temporary_setting_is_restored() -> Result<()> {
    Stage::run(Setup::new("settings", SCENARIO), async |stage| {
        for cluster in ["weu-1", "weu-2", "weu-3"] {
            stage.register("fleet", cluster, &[]).await?;
        }
        futures::try_join!(
            Box::pin(to_the_end(stage)),
            Box::pin(deleted_in_a_version_step(stage)),
            Box::pin(deleted_in_an_image_step(stage))
        )?;
        Ok(())
    })
    .await
}

/// Version and image steps, Linux and Windows.
async fn to_the_end(stage: &Stage) -> Result<()> {
    let before = settings(stage, "weu-1").await?;
    assert_eq!(before[""], Value::Null);
    // The example forces nothing.
    let plan = EXAMPLE.rsplit("---\n").next().context("the plan is last in its file")?;
    let example = plan
        .replace("name: settings, namespace: media", "name: weu-1, namespace: fleet")
        .replace("names: [media-weu]", "names: [weu-1]");
    stage.apply(&format!("{example}  forceUpgrade: {{until: '2099-01-01T00:00:00Z'}}\n")).await?;

    in_step(stage, "weu-1-1-weu-1", "pool-apps-1.35.3").await?;
    let during = settings(stage, "weu-1").await?;
    let expected = json!({"maxSurge": "50%", "maxUnavailable": "0", "drainTimeoutInMinutes": 45,
        "nodeSoakDurationInMinutes": 1, "undrainableNodeBehavior": "Cordon", "futureSetting": {"deep": [1, null]}});
    assert_eq!((&during["apps"], &during[""]), (&expected, &forced()));
    assert_eq!(during["batch"], before["batch"], "for the step, and for its pool");

    in_step(stage, "weu-1-1-weu-1", "image-winimg").await?;
    let during = settings(stage, "weu-1").await?;
    let expected = json!({"maxSurge": "0", "maxUnavailable": "1", "drainTimeoutInMinutes": 60,
        "nodeSoakDurationInMinutes": 1, "undrainableNodeBehavior": "Cordon"});
    assert_eq!(during["winimg"], expected, "of the order's rule, and of the plan");
    assert_eq!(during["apps"], before["apps"]);

    let plan = stage.plan_reaches("fleet", "weu-1", "Succeeded").await?;
    check_done(&plan.status.context("a status")?.conditions)?;
    assert_eq!(settings(stage, "weu-1").await?, before);
    assert_eq!(
        stage.mutations("weu-1"),
        [
            "PUT cluster",
            "PUT pool apps",
            "PUT pool apps",
            "PUT cluster",
            "PUT pool batch",
            "PUT cluster",
            "POST pool batch upgradeNodeImageVersion",
            "PUT pool batch",
            "PUT cluster",
            "PUT cluster",
            "PUT pool win",
            "PUT pool win",
            "PUT cluster",
            "PUT pool winimg",
            "PUT cluster",
            "POST pool winimg upgradeNodeImageVersion",
            "PUT pool winimg",
            "PUT cluster",
        ]
    );
    let upgrade = stage.upgrades("fleet").get("weu-1-1-weu-1").await?;
    let ledger = upgrade.status.context("a status")?.ledger;
    assert!(ledger.restore.is_empty() && ledger.left_to_others.is_empty(), "{ledger:?}");
    let let_go = |upgrade: &ClusterUpgrade| upgrade.metadata.finalizers.is_none();
    when(&stage.upgrades("fleet"), "weu-1-1-weu-1", "let go", let_go).await?;
    Ok(())
}

/// The plan goes in mid-step, and its upgrade with it.
async fn deleted_in_a_version_step(stage: &Stage) -> Result<()> {
    let before = settings(stage, "weu-2").await?;
    stage.apply(&plan("weu-2")).await?;
    in_step(stage, "weu-2-1-weu-2", "pool-apps-1.35.3").await?;
    let during = settings(stage, "weu-2").await?;
    assert_eq!((&during["apps"]["maxSurge"], &during[""]), (&json!("50%"), &forced()));
    let plans: Api<UpgradePlan> = stage.plans("fleet");
    plans.delete("weu-2", &DeleteParams::default()).await?;
    // The garbage collector of a cluster learns of new kinds every half a minute: what it does, at once.
    let upgrades = stage.upgrades("fleet");
    upgrades.delete("weu-2-1-weu-2", &DeleteParams::default()).await?;
    let waits = |upgrade: &ClusterUpgrade| upgrade.metadata.deletion_timestamp.is_some();
    let upgrade = when(&upgrades, "weu-2-1-weu-2", "waiting for its settings", waits).await?;
    assert_eq!(upgrade.status.context("a status")?.ledger.restore.len(), 2);
    gone(&upgrades, "weu-2-1-weu-2").await?;
    assert_eq!(settings(stage, "weu-2").await?, before);
    assert_eq!(
        stage.mutations("weu-2"),
        ["PUT cluster", "PUT pool apps", "PUT pool apps", "PUT cluster"],
        "the step in flight ended, and nothing new was begun"
    );
    let world = stage.world("weu-2").await?;
    let apps = world.pools.iter().find(|pool| pool.name == "apps").context("the pool")?;
    assert!(apps.nodes.iter().all(|node| node.kubernetes_version == "1.35.3"), "{apps:?}");
    Ok(())
}

/// An upgrade made by hand.
async fn deleted_in_an_image_step(stage: &Stage) -> Result<()> {
    let before = settings(stage, "weu-3").await?;
    let upgrade = "
apiVersion: tidegate.dev/v1alpha1
kind: ClusterUpgrade
metadata: {namespace: fleet, name: by-hand}
spec:
  clusterRef: {name: weu-3}
  target: {scope: NodeImage}
  policy: {nodePools: {upgradeSettings: {maxUnavailable: 1, drainTimeout: 2h}}}
";
    stage.apply(upgrade).await?;
    in_step(stage, "by-hand", "image-win").await?;
    let expected = json!({"maxSurge": "0", "maxUnavailable": "1", "drainTimeoutInMinutes": 120});
    assert_eq!(settings(stage, "weu-3").await?["win"], expected);
    stage.upgrades("fleet").delete("by-hand", &DeleteParams::default()).await?;
    gone(&stage.upgrades("fleet"), "by-hand").await?;
    assert_eq!(settings(stage, "weu-3").await?, before);
    assert_eq!(
        stage.mutations("weu-3"),
        ["PUT pool win", "POST pool win upgradeNodeImageVersion", "PUT pool win"]
    );
    Ok(())
}
