//! Reads, live, a plan and the clusters of its namespace.

use crds::{AKSCluster, UpgradePlan};
use kube::{Api, ResourceExt, api::ListParams, core::DeserializeGuard};

use crate::{context::Context, controller::settled};

/// A plan and the clusters of its namespace, by name. Those that cannot be read are left out.
/// `None` when the plan is gone.
pub(super) async fn observe(
    context: &Context,
    namespace: &str,
    name: &str,
) -> Result<Option<(UpgradePlan, Vec<AKSCluster>)>, kube::Error> {
    let plans: Api<UpgradePlan> = Api::namespaced(context.hub.clone(), namespace);
    let Some(plan) = settled(plans.get(name).await)? else { return Ok(None) };
    let clusters: Api<DeserializeGuard<AKSCluster>> = Api::namespaced(context.hub.clone(), namespace);
    let clusters = clusters.list(&ListParams::default()).await?;
    let mut clusters: Vec<AKSCluster> =
        clusters.items.into_iter().filter_map(|cluster| cluster.0.ok()).collect();
    clusters.sort_by_key(ResourceExt::name_any);
    Ok(Some((plan, clusters)))
}
