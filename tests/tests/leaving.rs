//! Upgrades and registrations that are deleted while settings are overridden, in any order: Azure gets back
//! what was there before, and then everything goes; or a person says that it need not.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use crds::{AKSCluster, ClusterUpgrade, LEAVE_SETTINGS_ANNOTATION};
use engine::Phase;
use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, Patch, PatchParams},
};
use serde_json::{Value, json};
use tests::stage::{Setup, Stage, gone, is, when};

const CLUSTERS: [&str; 4] = ["both", "namespace", "alone", "refused"];

/// Two pools each that are behind, the first with settings of its own; its step takes ten seconds.
fn scenario() -> String {
    let cluster = |name: &&str| {
        format!(
            "
- subscription: 20000000-0000-4000-8000-000000000001
  resourceGroup: shop
  name: {name}
  kubernetesVersion: 1.35.3
  pools:
  - {{name: system, mode: System}}
  - {{name: apps, kubernetesVersion: 1.34.4, count: 2, maxSurge: '1', drainTimeoutInMinutes: 17}}
  - {{name: later, kubernetesVersion: 1.34.4}}
"
        )
    };
    let clusters: String = CLUSTERS.iter().map(cluster).collect();
    format!("durations: {{surgeCreate: 1m, reimageLinux: 4m, delete: 30s, update: 30s}}\nclusters:{clusters}")
}

/// Begins an upgrade of a cluster in a namespace of its name, and waits until Azure works on the first pool with
/// other settings.
async fn begin(stage: &Stage, name: &str) -> Result<Begun> {
    stage.register(name, name, &[]).await?;
    let before = settings(stage, name).await?;
    let upgrade = format!(
        "
apiVersion: tidegate.dev/v1alpha1
kind: ClusterUpgrade
metadata: {{namespace: {name}, name: by-hand}}
spec:
  clusterRef: {{name: {name}}}
  target: {{scope: NodePools, kubernetes: {{version: 1.35.3}}}}
  policy: {{nodePools: {{upgradeSettings: {{maxSurge: 50%, drainTimeout: 45m}}}}}}
"
    );
    stage.apply(&upgrade).await?;
    let works = |upgrade: &ClusterUpgrade| {
        let operation = upgrade.status.as_ref().and_then(|status| status.ledger.operation.as_ref());
        operation.is_some_and(|operation| operation.phase == Phase::Submitted)
    };
    when(&stage.upgrades(name), "by-hand", "in its step", works).await?;
    let during = settings(stage, name).await?;
    let expected = json!({"maxSurge": "50%", "maxUnavailable": "0", "drainTimeoutInMinutes": 45});
    ensure!(during["apps"] == expected, "{during:?}");
    let cluster = stage.clusters(name).get(name).await?;
    ensure!(cluster.finalizers() == ["upgrade-settings.tidegate.dev/by-hand"], "{:?}", cluster.finalizers());
    Ok(Begun { before })
}

struct Begun {
    before: BTreeMap<String, Value>,
}

impl Begun {
    async fn is_as_before(&self, stage: &Stage, name: &str) -> Result<()> {
        let after = settings(stage, name).await?;
        ensure!(after == self.before, "{name}: {after:?}");
        Ok(())
    }

    /// Azure has done the step and then put back the settings, and nothing was begun after that.
    async fn has_ended(&self, stage: &Stage, name: &str) -> Result<()> {
        self.is_as_before(stage, name).await?;
        let changes = stage.mutations(name);
        ensure!(changes == ["PUT pool apps", "PUT pool apps"], "{name}: {changes:?}");
        Ok(())
    }
}

/// The settings of every pool.
async fn settings(stage: &Stage, cluster: &str) -> Result<BTreeMap<String, Value>> {
    let document = stage.arm(cluster, "").await?;
    let pools = document["properties"]["agentPoolProfiles"].as_array().context("pools")?;
    let each = pools.iter().map(|pool| (pool["name"].to_string(), pool["upgradeSettings"].clone()));
    Ok(each.map(|(name, settings)| (name.trim_matches('"').to_owned(), settings)).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_are_put_back_whatever_is_deleted_first() -> Result<()> {
    Stage::run(Setup::new("leaving", &scenario()).without_api_servers(), async |stage| {
        futures::try_join!(
            Box::pin(both_in_one_go(stage)),
            Box::pin(the_namespace(stage)),
            Box::pin(the_registration_alone(stage)),
            Box::pin(while_azure_refuses(stage))
        )?;
        Ok(())
    })
    .await
}

/// As `kubectl delete -f` does, the registration first.
async fn both_in_one_go(stage: &Stage) -> Result<()> {
    let (name, upgrades, clusters) = ("both", stage.upgrades("both"), stage.clusters("both"));
    let begun = begin(stage, name).await?;
    clusters.delete(name, &DeleteParams::default()).await?;
    upgrades.delete("by-hand", &DeleteParams::default()).await?;
    gone(&upgrades, "by-hand").await?;
    begun.has_ended(stage, name).await?;
    gone(&clusters, name).await
}

/// Everything in it, by Kubernetes itself, which takes a few seconds to come to it: another step may begin.
async fn the_namespace(stage: &Stage) -> Result<()> {
    let name = "namespace";
    let begun = begin(stage, name).await?;
    let namespaces: Api<Namespace> = Api::all(stage.hub());
    namespaces.delete(name, &DeleteParams::default()).await?;
    gone(&namespaces, name).await?;
    begun.is_as_before(stage, name).await
}

/// Who takes the registration away stops the upgrade, which stays to be deleted, or to go on when the cluster
/// is registered again.
async fn the_registration_alone(stage: &Stage) -> Result<()> {
    let (name, upgrades, clusters) = ("alone", stage.upgrades("alone"), stage.clusters("alone"));
    let begun = begin(stage, name).await?;
    clusters.delete(name, &DeleteParams::default()).await?;
    let waits = |cluster: &AKSCluster| {
        let status = cluster.status.as_ref();
        status.is_some_and(|status| is(&status.conditions, "Ready", "False"))
    };
    let cluster = when(&clusters, name, "waiting for its settings", waits).await?;
    let condition = &cluster.status.context("a status")?.conditions[0];
    ensure!(condition.reason == "Deleting", "{condition:?}");
    ensure!(condition.message.contains("put back by ClusterUpgrade by-hand"), "{condition:?}");
    gone(&clusters, name).await?;
    begun.has_ended(stage, name).await?;
    let upgrade = stage.upgrade_reaches(name, "by-hand", "InvalidSpec").await?;
    ensure!(upgrade.finalizers().is_empty(), "{:?}", upgrade.finalizers());

    stage.register(name, name, &[]).await?;
    stage.upgrade_reaches(name, "by-hand", "Succeeded").await?;
    begun.is_as_before(stage, name).await?;
    let let_go = |cluster: &AKSCluster| cluster.finalizers().is_empty();
    when(&clusters, name, "let go", let_go).await?;
    upgrades.delete("by-hand", &DeleteParams::default()).await?;
    gone(&upgrades, "by-hand").await
}

/// And nobody is left who could remove what is in the way.
async fn while_azure_refuses(stage: &Stage) -> Result<()> {
    let (name, upgrades, clusters) = ("refused", stage.upgrades("refused"), stage.clusters("refused"));
    begin(stage, name).await?;
    stage.arm_lock(name).await?;
    clusters.delete(name, &DeleteParams::default()).await?;
    upgrades.delete("by-hand", &DeleteParams::default()).await?;
    let upgrade = stage.upgrade_reaches(name, "by-hand", "RestoreFailed").await?;
    let ready =
        upgrade.status.context("a status")?.conditions.into_iter().find(|known| known.type_ == "Ready");
    let message = ready.context("a condition")?.message;
    ensure!(message.contains(&format!("{LEAVE_SETTINGS_ANNOTATION}=true")), "{message}");
    let cluster = clusters.get(name).await?;
    ensure!(cluster.metadata.deletion_timestamp.is_some(), "{cluster:?}");

    let leave = json!({"metadata": {"annotations": {LEAVE_SETTINGS_ANNOTATION: "true"}}});
    upgrades.patch("by-hand", &PatchParams::default(), &Patch::Merge(leave)).await?;
    gone(&upgrades, "by-hand").await?;
    gone(&clusters, name).await?;
    ensure!(settings(stage, name).await?["apps"]["maxSurge"] == "50%", "as was said");
    Ok(())
}
