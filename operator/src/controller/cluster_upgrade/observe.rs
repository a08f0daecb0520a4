//! Reads, live, what a decision needs of the hub. Nothing here judges.

use azure_mgmt_containerservice::ClusterId;
use crds::{AKSCluster, ClusterUpgrade};
use engine::{Ledger, Request, Unreadable};
use kube::{Api, ResourceExt, api::ListParams, core::DeserializeGuard};

use crate::{
    context::Context,
    controller::{SKIPPED, settled},
    target::{TargetCluster, TargetError},
};

/// A ClusterUpgrade and what it refers to.
pub(super) struct Observed {
    pub(super) upgrade: ClusterUpgrade,
    /// The cluster that it names, if that exists, or why it cannot be understood.
    pub(super) cluster: Option<Result<AKSCluster, String>>,
    /// Other ClusterUpgrades of the same cluster. Those that cannot be understood are left out: they
    /// are left alone, too, and what Azure still does for them shows in the cluster.
    pub(super) others: Vec<ClusterUpgrade>,
}

/// `None` when the ClusterUpgrade is gone.
pub(super) async fn observe(
    context: &Context,
    namespace: &str,
    name: &str,
) -> Result<Option<Observed>, kube::Error> {
    let upgrades: Api<ClusterUpgrade> = Api::namespaced(context.hub.clone(), namespace);
    let Some(upgrade) = settled(upgrades.get(name).await)? else { return Ok(None) };
    let clusters: Api<DeserializeGuard<AKSCluster>> = Api::namespaced(context.hub.clone(), namespace);
    let cluster_name = &upgrade.spec.cluster_ref.name;
    let cluster = clusters.get_opt(cluster_name).await?;
    let cluster = cluster.map(|cluster| cluster.0.map_err(|invalid| invalid.error));
    let in_flight = upgrade.status.as_ref().is_some_and(|status| status.ledger.in_flight());
    let others = if in_flight {
        Vec::new()
    } else {
        let same_cluster = ListParams::default().fields(&format!("spec.clusterRef.name={cluster_name}"));
        let upgrades: Api<DeserializeGuard<ClusterUpgrade>> = Api::namespaced(context.hub.clone(), namespace);
        let found = upgrades.list(&same_cluster).await?.items.into_iter();
        found.filter_map(|other| other.0.ok()).filter(|other| other.name_any() != name).collect()
    };
    Ok(Some(Observed { upgrade, cluster, others }))
}

impl Observed {
    pub(super) fn ledger(&self) -> Ledger {
        self.upgrade.status.as_ref().map(|status| status.ledger.clone()).unwrap_or_default()
    }

    /// Whether the status already says that all is done.
    pub(super) fn is_settled(&self) -> bool {
        let summary = self.upgrade.status.as_ref().and_then(|status| status.summary.as_ref());
        summary.is_some_and(|summary| summary.phase == "Succeeded" || summary.phase == SKIPPED)
    }

    /// The AKSCluster, if it can be understood.
    pub(super) fn registration(&self) -> Option<&AKSCluster> {
        self.cluster.as_ref().and_then(|cluster| cluster.as_ref().ok())
    }

    /// Whether the AKSCluster is being deleted.
    pub(super) fn loses_its_cluster(&self) -> bool {
        self.registration().is_some_and(|cluster| cluster.metadata.deletion_timestamp.is_some())
    }

    pub(super) fn cluster_name(&self) -> &str {
        &self.upgrade.spec.cluster_ref.name
    }

    /// The cluster's own API; not asked for while nothing would be read there.
    pub(super) async fn target(
        &self,
        context: &Context,
        id: &ClusterId,
        request: &Request,
    ) -> Result<TargetCluster, TargetError> {
        match &self.cluster {
            Some(Ok(cluster)) if request.waits_for_wave.is_none() => context.target(cluster, id).await,
            Some(_) | None => Ok(TargetCluster::new(Err(Unreadable::NotAsked))),
        }
    }
}
