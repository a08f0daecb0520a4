//! What is told of a cluster and its pools. The field names are for programs: they stay.

use std::collections::BTreeMap;

use azure_mgmt_containerservice::ClusterId;
use crds::AKSCluster;
use engine::{Cluster, KubernetesVersion, NodePool, Offers, Power, ProvisioningState, Support};
use jiff::Timestamp;
use kube::ResourceExt;
use serde::Serialize;

use super::super::{hub::Found, image::ImageAnswer, standing::Standing};

/// One cluster.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ClusterAnswer {
    #[serde(flatten)]
    pub(super) standing: Standing,
    labels: BTreeMap<String, String>,
    pub(super) resource_id: Option<String>,
    pub(super) subscription: Option<String>,
    pub(super) resource_group: Option<String>,
    #[serde(flatten)]
    pub(super) observed: Option<Observed>,
}

/// What was seen of it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Observed {
    pub(super) location: String,
    pub(super) version: KubernetesVersion,
    pub(super) support: Support,
    pub(super) support_plan: Option<String>,
    pub(super) tier: Option<String>,
    pub(super) automatic: bool,
    pub(super) auto_upgrade_channel: Option<String>,
    pub(super) node_os_upgrade_channel: Option<String>,
    pub(super) power: Power,
    pub(super) provisioning_state: ProvisioningState,
    /// `None` when Azure does not say it of each pool.
    pub(super) nodes: Option<i64>,
    pub(super) pools_up_to_date: usize,
    pub(super) pools_total: usize,
    pub(super) oldest_image: Option<OldestImage>,
    pub(super) pools: Vec<PoolAnswer>,
    /// What a person should know.
    pub(super) warnings: Vec<String>,
}

/// The oldest image of a cluster, among those whose name has a date.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OldestImage {
    pool: String,
    pub(super) age_days: u32,
}

/// One node pool.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PoolAnswer {
    pub(super) name: String,
    pub(super) mode: String,
    pub(super) os_type: String,
    pub(super) os_sku: String,
    /// The last Kubernetes minor on which the OS SKU runs, where that is known.
    pub(super) os_sku_last_minor: Option<String>,
    pub(super) version: KubernetesVersion,
    pub(super) nodes: Option<i32>,
    pub(super) power: Power,
    pub(super) provisioning_state: ProvisioningState,
    pub(super) image: Option<ImageAnswer>,
    /// It is settled, and has its control plane's version and the newest image; `None` when Azure names no newest.
    pub(super) up_to_date: Option<bool>,
}

impl ClusterAnswer {
    pub(super) fn of(found: &Found, now: Timestamp) -> Self {
        let standing = Standing::of(found);
        let cluster = found.cluster.as_ref().ok();
        let id = cluster.map(|cluster| cluster.spec.resource_id.as_str());
        let parts = id.and_then(|id| id.parse::<ClusterId>().ok());
        Self {
            standing,
            labels: cluster.map(|cluster| cluster.labels().clone()).unwrap_or_default(),
            resource_id: id.map(str::to_owned),
            subscription: parts.as_ref().map(|id| id.subscription().to_owned()),
            resource_group: parts.as_ref().map(|id| id.resource_group().to_owned()),
            observed: cluster.and_then(|cluster| observed(cluster, now)),
        }
    }
}

fn observed(cluster: &AKSCluster, now: Timestamp) -> Option<Observed> {
    let status = cluster.status.as_ref()?;
    let seen = status.cluster.as_ref()?;
    let offers = status.offers.clone().unwrap_or_default();
    let support = engine::support(seen.version.minor(), seen.is_long_term(), &offers, now);
    let pools: Vec<PoolAnswer> = seen.pools.iter().map(|pool| answer(pool, seen, &offers, now)).collect();
    Some(Observed {
        location: seen.location.clone(),
        version: seen.version.clone(),
        support,
        support_plan: seen.support_plan.clone(),
        tier: seen.tier.clone(),
        automatic: seen.automatic,
        auto_upgrade_channel: seen.auto_upgrade_channel.clone(),
        node_os_upgrade_channel: seen.node_os_upgrade_channel.clone(),
        power: seen.power,
        provisioning_state: seen.provisioning_state.clone(),
        nodes: seen.pools.iter().map(|pool| pool.count.map(i64::from)).sum(),
        pools_up_to_date: pools.iter().filter(|pool| pool.up_to_date == Some(true)).count(),
        pools_total: pools.len(),
        oldest_image: oldest(&pools),
        warnings: engine::outlook(seen, &offers, now),
        pools,
    })
}

fn answer(pool: &NodePool, cluster: &Cluster, offers: &Offers, now: Timestamp) -> PoolAnswer {
    let image = ImageAnswer::new(&pool.node_image, offers.images.get(&pool.name), now);
    let behind = image.as_ref().and_then(|image| image.behind);
    // Azure shows the target's version from acceptance on, also after a failure.
    let settled = pool.provisioning_state == ProvisioningState::Succeeded;
    PoolAnswer {
        name: pool.name.clone(),
        mode: pool.mode.clone(),
        os_type: pool.os_type.clone(),
        os_sku: pool.os_sku.clone(),
        os_sku_last_minor: engine::last_minor(&pool.os_sku).map(|minor| minor.to_string()),
        version: pool.version.clone(),
        nodes: pool.count,
        power: pool.power,
        provisioning_state: pool.provisioning_state.clone(),
        image,
        up_to_date: if settled && pool.version == cluster.version {
            behind.map(|behind| !behind)
        } else {
            Some(false)
        },
    }
}

fn oldest(pools: &[PoolAnswer]) -> Option<OldestImage> {
    let aged = pools.iter().filter_map(|pool| Some((pool.image.as_ref()?.age_days?, &pool.name)));
    aged.max_by_key(|(age, _)| *age).map(|(age_days, pool)| OldestImage { pool: pool.clone(), age_days })
}
