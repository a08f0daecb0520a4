//! Reads, live, a plan and the clusters of its namespace.

use std::collections::BTreeSet;

use crds::{AKSCluster, UpgradePlan};
use kube::{Api, ResourceExt, api::ListParams, core::DeserializeGuard};

use crate::{context::Context, controller::settled};

/// A plan and the clusters of its namespace.
pub(super) struct Observed {
    pub(super) plan: UpgradePlan,
    /// By name. Those that cannot be understood are left out.
    pub(super) clusters: Vec<AKSCluster>,
    /// Names of all that are registered, also of those that cannot be understood.
    pub(super) registered: BTreeSet<String>,
}

/// `None` when the plan is gone.
pub(super) async fn observe(
    context: &Context,
    namespace: &str,
    name: &str,
) -> Result<Option<Observed>, kube::Error> {
    let plans: Api<UpgradePlan> = Api::namespaced(context.hub.clone(), namespace);
    let Some(plan) = settled(plans.get(name).await)? else { return Ok(None) };
    let clusters: Api<DeserializeGuard<AKSCluster>> = Api::namespaced(context.hub.clone(), namespace);
    let clusters = clusters.list(&ListParams::default()).await?;
    let registered = clusters.items.iter().map(ResourceExt::name_any).collect();
    let mut clusters: Vec<AKSCluster> =
        clusters.items.into_iter().filter_map(|cluster| cluster.0.ok()).collect();
    clusters.sort_by_key(ResourceExt::name_any);
    Ok(Some(Observed { plan, clusters, registered }))
}
