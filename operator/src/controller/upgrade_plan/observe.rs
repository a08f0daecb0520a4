//! Reads, live, a plan, the clusters of its namespace, and the ClusterUpgrades of its rollout.

use crds::{AKSCluster, ClusterUpgrade, PLAN_LABEL, UpgradePlan};
use kube::{Api, ResourceExt, api::ListParams, core::DeserializeGuard};

use crate::{context::Context, controller::settled};

/// A plan and what belongs to it.
pub(super) struct Observed {
    pub(super) plan: UpgradePlan,
    /// The clusters of its namespace, by name. Those that cannot be read are left out.
    pub(super) clusters: Vec<AKSCluster>,
    /// Every ClusterUpgrade that it has made, of this rollout and earlier ones.
    pub(super) upgrades: Vec<ClusterUpgrade>,
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
    let mut clusters: Vec<AKSCluster> =
        clusters.items.into_iter().filter_map(|cluster| cluster.0.ok()).collect();
    clusters.sort_by_key(ResourceExt::name_any);
    let upgrades = list_upgrades(context, &plan).await?;
    Ok(Some(Observed { plan, clusters, upgrades }))
}

/// The ClusterUpgrades that a plan has made.
pub(super) async fn list_upgrades(
    context: &Context,
    plan: &UpgradePlan,
) -> Result<Vec<ClusterUpgrade>, kube::Error> {
    let api: Api<DeserializeGuard<ClusterUpgrade>> =
        Api::namespaced(context.hub.clone(), &plan.namespace().unwrap_or_default());
    let ours = ListParams::default().labels(&format!("{PLAN_LABEL}={}", plan.name_any()));
    let found = api.list(&ours).await?;
    Ok(found.items.into_iter().filter_map(|upgrade| upgrade.0.ok()).collect())
}

impl Observed {
    /// The ClusterUpgrades of the present rollout.
    pub(super) fn members(&self) -> impl Iterator<Item = &ClusterUpgrade> {
        let rollout = self.plan.status.as_ref().and_then(|status| status.rollout.as_ref());
        self.upgrades.iter().filter(move |upgrade| {
            let of = upgrade.spec.plan.as_ref().map(|plan| plan.rollout.as_str());
            of.is_some() && of == rollout.map(|rollout| rollout.id.as_str())
        })
    }
}
