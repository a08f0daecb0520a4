//! Keeps an upgrade that changes settings in Azure, and its AKSCluster, until they are as they were before.
//!
//! Held from before the first step until the last setting is back, and only by upgrades that override any.
//! The upgrade comes first, then the AKSCluster, each read after what came before: so whoever finds an
//! AKSCluster that is deleted, and then no upgrade that is held, knows that none will change anything.

use crds::{AKSCluster, ClusterUpgrade};
use engine::Request;
use kube::{
    Api, Resource, ResourceExt,
    api::{Patch, PatchParams},
};
use serde::de::DeserializeOwned;
use serde_json::json;

use super::{Error, observe::Observed};
use crate::{
    context::Context,
    controller::{FIELD_MANAGER, settled},
};

/// Its name on the upgrade.
const FINALIZER: &str = "tidegate.dev/upgrade-settings";
/// How its names on the AKSCluster begin: one for each upgrade, with its name.
const ON_CLUSTER: &str = "upgrade-settings.tidegate.dev/";
/// How long the rest of a finalizer's name may be, in bytes (validation of `metadata.finalizers`).
const LONGEST_NAME: usize = 63;

/// Whether upgrade and AKSCluster are to be held from now on.
pub(super) fn is_needed(observed: &Observed, request: &Request) -> bool {
    let on_cluster = on_cluster(&observed.upgrade);
    let is_registered = |cluster: &AKSCluster| cluster.finalizers().contains(&on_cluster);
    let both = is_held(&observed.upgrade) && observed.registration().is_some_and(is_registered);
    request.policy.overrides_settings() && request.waits_for_wave.is_none() && !both
}

/// Whether the upgrade is held.
pub(crate) fn is_held(upgrade: &impl ResourceExt) -> bool {
    upgrade.finalizers().iter().any(|finalizer| finalizer == FINALIZER)
}

/// What an upgrade holds its AKSCluster with.
pub(crate) fn on_cluster(upgrade: &impl ResourceExt) -> String {
    let name = upgrade.name_any();
    let fits = name.len() <= LONGEST_NAME;
    format!("{ON_CLUSTER}{}", if fits { name } else { upgrade.uid().unwrap_or_default() })
}

/// What upgrades hold an AKSCluster with.
pub(crate) fn holds_on(cluster: &AKSCluster) -> Vec<String> {
    let holds = cluster.finalizers().iter().filter(|finalizer| finalizer.starts_with(ON_CLUSTER));
    holds.cloned().collect()
}

/// Holds the upgrade if it is still as it was read, then its AKSCluster. `false` when that goes, or is gone:
/// then nothing may be changed.
pub(super) async fn hold(context: &Context, observed: &mut Observed) -> Result<bool, Error> {
    if !is_held(&observed.upgrade) {
        observed.upgrade = set(context, &observed.upgrade, |all| all.push(FINALIZER.to_owned()))
            .await
            .map_err(Error::Finalizer)?;
    }
    let (upgrades, entry) = (clusters_beside(context, &observed.upgrade), on_cluster(&observed.upgrade));
    let name = observed.cluster_name();
    let Some(cluster) = upgrades.get_metadata_opt(name).await.map_err(Error::Read)? else { return Ok(false) };
    if cluster.metadata.deletion_timestamp.is_some() {
        return Ok(false);
    }
    if !cluster.finalizers().contains(&entry) {
        let held = set::<_, AKSCluster>(context, &cluster, |all| all.push(entry)).await;
        return Ok(settled(held).map_err(Error::Registration)?.is_some());
    }
    Ok(true)
}

/// Lets go of the AKSCluster, then of the upgrade if it is still as it was read.
pub(super) async fn release(context: &Context, upgrade: &ClusterUpgrade) -> Result<(), Error> {
    if !is_held(upgrade) {
        return Ok(());
    }
    let (clusters, entry) = (clusters_beside(context, upgrade), on_cluster(upgrade));
    let found = clusters.get_metadata_opt(&upgrade.spec.cluster_ref.name).await.map_err(Error::Read)?;
    if let Some(cluster) = found.filter(|cluster| cluster.finalizers().contains(&entry)) {
        let released = set::<_, AKSCluster>(context, &cluster, |all| all.retain(|known| *known != entry));
        settled(released.await).map_err(Error::Registration)?;
    }
    let released = set::<_, ClusterUpgrade>(context, upgrade, |all| all.retain(|known| known != FINALIZER));
    released.await.map(drop).map_err(Error::Finalizer)
}

/// AKSClusters of the upgrade's namespace.
fn clusters_beside(context: &Context, upgrade: &ClusterUpgrade) -> Api<AKSCluster> {
    Api::namespaced(context.hub.clone(), &upgrade.namespace().unwrap_or_default())
}

/// Changes the finalizers of an object that is still as it was read; gives it as it is then.
pub(crate) async fn set<R, K>(
    context: &Context,
    object: &R,
    change: impl FnOnce(&mut Vec<String>),
) -> Result<K, kube::Error>
where
    R: ResourceExt,
    K: Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>
        + Clone
        + std::fmt::Debug
        + DeserializeOwned,
{
    let mut all = object.finalizers().to_vec();
    change(&mut all);
    let api: Api<K> = Api::namespaced(context.hub.clone(), &object.namespace().unwrap_or_default());
    let patch = json!({"metadata": {"resourceVersion": object.resource_version(), "finalizers": all}});
    let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
    api.patch(&object.name_any(), &params, &Patch::Merge(&patch)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_aks_cluster_says_which_upgrades_hold_it() {
        let upgrade = |name: &str| -> ClusterUpgrade {
            serde_json::from_value(json!({
                "apiVersion": "tidegate.dev/v1alpha1", "kind": "ClusterUpgrade",
                "metadata": {"name": name, "uid": "0b7d8c4e-5f6a-4b0e-9c39-3a3f8d0e6a11"},
                "spec": {"clusterRef": {"name": "weu-1"}, "target": {}}
            }))
            .unwrap()
        };
        assert_eq!(on_cluster(&upgrade("autumn-1-weu-1")), "upgrade-settings.tidegate.dev/autumn-1-weu-1");
        let long = on_cluster(&upgrade(&"a".repeat(64)));
        assert_eq!(long, "upgrade-settings.tidegate.dev/0b7d8c4e-5f6a-4b0e-9c39-3a3f8d0e6a11");
        let cluster: AKSCluster = serde_json::from_value(json!({
            "apiVersion": "tidegate.dev/v1alpha1", "kind": "AKSCluster",
            "metadata": {"name": "weu-1", "finalizers": ["example.org/other", long]},
            "spec": {"resourceId": "unused"}
        }))
        .unwrap();
        assert_eq!(holds_on(&cluster), [long]);
    }
}
