//! Tidegate's objects on a stage, and the waits that every test has.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use crds::{AKSCluster, ClusterUpgrade, MaintenanceWindow, UpgradePlan};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{
    Api, ResourceExt,
    api::{ListParams, Patch, PatchParams},
};
use serde_json::{Value, json};

use super::{PATIENCE, Stage, until_within, when};

impl Stage {
    /// The AKSClusters of a namespace.
    pub fn clusters(&self, namespace: &str) -> Api<AKSCluster> {
        Api::namespaced(self.hub(), namespace)
    }

    /// The ClusterUpgrades of a namespace.
    pub fn upgrades(&self, namespace: &str) -> Api<ClusterUpgrade> {
        Api::namespaced(self.hub(), namespace)
    }

    /// The UpgradePlans of a namespace.
    pub fn plans(&self, namespace: &str) -> Api<UpgradePlan> {
        Api::namespaced(self.hub(), namespace)
    }

    /// The MaintenanceWindows of a namespace.
    pub fn windows(&self, namespace: &str) -> Api<MaintenanceWindow> {
        Api::namespaced(self.hub(), namespace)
    }

    /// Registers a cluster of the scenario, under its own name, and waits until it was observed.
    ///
    /// # Errors
    /// When Azure or the cluster's API cannot be read.
    pub async fn register(&self, namespace: &str, cluster: &str, labels: &[(&str, &str)]) -> Result<()> {
        self.register_unseen(namespace, cluster, labels).await?;
        self.observed_cluster(namespace, cluster, PATIENCE).await.map(drop)
    }

    /// Registers a cluster of the scenario, under its own name.
    ///
    /// # Errors
    /// When the API server refuses it.
    pub async fn register_unseen(
        &self,
        namespace: &str,
        cluster: &str,
        labels: &[(&str, &str)],
    ) -> Result<()> {
        let labels: serde_json::Map<String, Value> =
            labels.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect();
        let object = json!({
            "apiVersion": "tidegate.dev/v1alpha1",
            "kind": "AKSCluster",
            "metadata": { "namespace": namespace, "name": cluster, "labels": labels },
            "spec": { "resourceId": self.resource_id(cluster) },
        });
        self.apply(&object.to_string()).await
    }

    /// Waits until a registered cluster was observed.
    ///
    /// # Errors
    /// When Azure or the cluster's API cannot be read in time.
    pub async fn observed_cluster(
        &self,
        namespace: &str,
        cluster: &str,
        patience: Duration,
    ) -> Result<AKSCluster> {
        let ready = |cluster: Option<&AKSCluster>| {
            let status = cluster.and_then(|cluster| cluster.status.as_ref());
            status.is_some_and(|status| is(&status.conditions, "Ready", "True"))
        };
        let found = until_within(patience, &self.clusters(namespace), cluster, "observed", ready).await?;
        found.context("an observed cluster is there")
    }

    /// Waits until a plan, as it is specified now, waits on this (`Succeeded` when it is done).
    ///
    /// # Errors
    /// When that does not happen.
    pub async fn plan_reaches(&self, namespace: &str, plan: &str, reason: &str) -> Result<UpgradePlan> {
        self.plan_reaches_within(PATIENCE, namespace, plan, reason).await
    }

    /// As [`Self::plan_reaches`], for at most so long.
    ///
    /// # Errors
    /// When that does not happen in time.
    pub async fn plan_reaches_within(
        &self,
        patience: Duration,
        namespace: &str,
        plan: &str,
        reason: &str,
    ) -> Result<UpgradePlan> {
        let reached = |plan: Option<&UpgradePlan>| {
            plan.is_some_and(|plan| {
                plan.status.as_ref().is_some_and(|status| {
                    status.observed_generation == plan.metadata.generation
                        && status.summary.as_ref().is_some_and(|summary| summary.reason == reason)
                })
            })
        };
        let what = format!("at {reason}");
        let found = until_within(patience, &self.plans(namespace), plan, &what, reached).await?;
        found.context("a plan that is as wanted is there")
    }

    /// Waits until a ClusterUpgrade waits on this (`Succeeded` when it is done).
    ///
    /// # Errors
    /// When that does not happen.
    pub async fn upgrade_reaches(
        &self,
        namespace: &str,
        upgrade: &str,
        reason: &str,
    ) -> Result<ClusterUpgrade> {
        let reached = |upgrade: &ClusterUpgrade| reason_of(upgrade) == reason;
        when(&self.upgrades(namespace), upgrade, &format!("at {reason}"), reached).await
    }

    /// Changes fields of a plan's specification, as `kubectl patch --type merge` does.
    ///
    /// # Errors
    /// When the change is refused.
    pub async fn change_plan(&self, namespace: &str, plan: &str, spec: Value) -> Result<()> {
        let patch = Patch::Merge(json!({ "spec": spec }));
        self.plans(namespace).patch(plan, &PatchParams::default(), &patch).await?;
        Ok(())
    }

    /// Names of the ClusterUpgrades of a namespace that were let start, sorted.
    ///
    /// # Errors
    /// When they cannot be listed.
    pub async fn admitted(&self, namespace: &str) -> Result<Vec<String>> {
        let all = self.upgrades(namespace).list(&ListParams::default()).await?;
        let admitted =
            all.iter().filter(|upgrade| upgrade.spec.plan.as_ref().is_none_or(|plan| plan.admitted));
        Ok(admitted.map(ResourceExt::name_any).collect())
    }
}

/// What a ClusterUpgrade waits on; empty when it has no status yet.
pub fn reason_of(upgrade: &ClusterUpgrade) -> &str {
    let summary = upgrade.status.as_ref().and_then(|status| status.summary.as_ref());
    summary.map_or("", |summary| &summary.reason)
}

/// Whether a condition of this type has this status.
pub fn is(conditions: &[Condition], type_: &str, status: &str) -> bool {
    conditions.iter().any(|condition| condition.type_ == type_ && condition.status == status)
}

/// Checks that a finished object says so in its conditions.
///
/// # Errors
/// Naming the condition that does not fit.
pub fn check_done(conditions: &[Condition]) -> Result<()> {
    for (type_, status) in
        [("Ready", "True"), ("Reconciling", "False"), ("Stalled", "False"), ("UpToDate", "True")]
    {
        if !is(conditions, type_, status) {
            bail!("{type_} is not {status}: {conditions:?}");
        }
    }
    Ok(())
}
