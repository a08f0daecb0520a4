//! Reads, live, a plan, the clusters of its namespace, and the ClusterUpgrades of its rollout.

use crds::{AKSCluster, ClusterUpgrade, PLAN_LABEL, Rollout, UpgradePlan, WaveSpec, share_of};
use engine::{Share, Wave};
use kube::{Api, ResourceExt, api::ListParams, core::DeserializeGuard};

use super::member::member;
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

/// The ClusterUpgrades that this very plan has made: not those of a deleted one of the same name
/// that the garbage collector has not reached yet, nor what somebody labelled by hand.
pub(super) async fn list_upgrades(
    context: &Context,
    plan: &UpgradePlan,
) -> Result<Vec<ClusterUpgrade>, kube::Error> {
    let api: Api<DeserializeGuard<ClusterUpgrade>> =
        Api::namespaced(context.hub.clone(), &plan.namespace().unwrap_or_default());
    let ours = ListParams::default().labels(&format!("{PLAN_LABEL}={}", plan.name_any()));
    let found = api.list(&ours).await?.items.into_iter();
    Ok(found.filter_map(|upgrade| upgrade.0.ok()).filter(|upgrade| is_made_by(upgrade, plan)).collect())
}

/// Whether the plan controls the ClusterUpgrade, which is not about to go.
pub(super) fn is_made_by(upgrade: &ClusterUpgrade, plan: &UpgradePlan) -> bool {
    let owners = upgrade.owner_references().iter();
    let controllers = owners.filter(|owner| owner.controller == Some(true)).map(|owner| Some(&owner.uid));
    upgrade.metadata.deletion_timestamp.is_none() && controllers.eq([plan.metadata.uid.as_ref()])
}

impl Observed {
    /// The present rollout.
    pub(super) fn rollout(&self) -> Option<&Rollout> {
        self.plan.status.as_ref()?.rollout.as_ref()
    }

    /// The ClusterUpgrades of the present rollout.
    pub(super) fn members(&self) -> impl Iterator<Item = &ClusterUpgrade> {
        let rollout = self.rollout().map(|rollout| rollout.id.as_str());
        self.upgrades.iter().filter(move |upgrade| {
            let of = upgrade.spec.plan.as_ref().map(|plan| plan.rollout.as_str());
            of.is_some() && of == rollout
        })
    }

    /// The waves as their ClusterUpgrades show them, in the order in which clusters start.
    pub(super) fn waves(&self) -> Vec<Wave> {
        self.plan.spec.waves.iter().enumerate().map(|(index, wave)| self.wave(index, wave)).collect()
    }

    fn wave(&self, index: usize, wave: &WaveSpec) -> Wave {
        let names = wave.clusters.names.as_deref().unwrap_or_default();
        let place = |upgrade: &ClusterUpgrade| {
            names.iter().position(|name| *name == upgrade.spec.cluster_ref.name).unwrap_or(usize::MAX)
        };
        let of_wave =
            |upgrade: &&ClusterUpgrade| upgrade.spec.plan.as_ref().is_some_and(|plan| plan.wave == wave.name);
        let size = self.rollout().and_then(|rollout| rollout.wave_sizes.get(index)).copied().unwrap_or(0);
        let mut upgrades: Vec<&ClusterUpgrade> = self.members().filter(of_wave).collect();
        upgrades.sort_by_key(|upgrade| (place(upgrade), upgrade.name_any()));
        Wave {
            name: wave.name.clone(),
            missing: usize::try_from(size).unwrap_or(0).saturating_sub(upgrades.len()),
            // A plan that says nonsense here was refused before it had a rollout.
            max_concurrent: share_of(wave, index).unwrap_or(Share::Number(1)),
            members: upgrades.into_iter().map(member).collect(),
        }
    }
}
