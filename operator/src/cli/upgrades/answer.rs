//! What is offered to a cluster and its pools. The field names are for programs: they stay.

use engine::{Cluster, KubernetesVersion, NodePool, OfferedVersion, Offers, OnOffer, Support};
use jiff::Timestamp;
use serde::Serialize;

use super::super::{hub::Found, image::ImageAnswer, standing::Standing};

/// One cluster.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ClusterAnswer {
    #[serde(flatten)]
    pub(super) standing: Standing,
    #[serde(flatten)]
    pub(super) offered: Option<Offered>,
}

/// What is offered to it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Offered {
    location: String,
    pub(super) control_plane: Upgradable,
    pub(super) pools: Vec<PoolAnswer>,
    /// What a person should know.
    pub(super) warnings: Vec<String>,
}

/// A version and where it can go.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Upgradable {
    pub(super) version: KubernetesVersion,
    pub(super) support: Support,
    /// All of them, oldest first.
    pub(super) offered: Vec<VersionAnswer>,
    /// Of those the newest patch of each minor.
    #[serde(skip)]
    pub(super) newest: Vec<VersionAnswer>,
    /// Why there are none, or why none can be taken now.
    pub(super) hindrance: Option<String>,
}

/// A version on offer.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct VersionAnswer {
    pub(super) version: KubernetesVersion,
    pub(super) preview: bool,
    pub(super) support: Support,
}

/// One node pool.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PoolAnswer {
    pub(super) name: String,
    pub(super) os_type: String,
    pub(super) os_sku: String,
    #[serde(flatten)]
    pub(super) upgradable: Upgradable,
    pub(super) image: Option<ImageAnswer>,
}

/// What the support of a version depends on.
struct Region<'a> {
    cluster: &'a Cluster,
    offers: &'a Offers,
    now: Timestamp,
}

impl ClusterAnswer {
    pub(super) fn of(found: &Found, now: Timestamp) -> Self {
        let status = found.cluster.as_ref().ok().and_then(|cluster| cluster.status.as_ref());
        let offered = status.and_then(|status| {
            let cluster = status.cluster.as_ref()?;
            let offers = status.offers.clone().unwrap_or_default();
            Some(Region { cluster, offers: &offers, now }.answer())
        });
        Self { standing: Standing::of(found), offered }
    }
}

impl Region<'_> {
    fn answer(&self) -> Offered {
        let Self { cluster, offers, .. } = *self;
        let control_plane = OnOffer::to_control_plane(cluster, offers);
        Offered {
            location: cluster.location.clone(),
            control_plane: self.upgradable(&cluster.version, &control_plane),
            pools: cluster.pools.iter().map(|pool| self.pool(pool)).collect(),
            warnings: engine::outlook(cluster, offers, self.now),
        }
    }

    fn pool(&self, pool: &NodePool) -> PoolAnswer {
        PoolAnswer {
            name: pool.name.clone(),
            os_type: pool.os_type.clone(),
            os_sku: pool.os_sku.clone(),
            upgradable: self.upgradable(&pool.version, &OnOffer::to_pool(pool, self.cluster, self.offers)),
            image: ImageAnswer::new(&pool.node_image, self.offers.images.get(&pool.name), self.now),
        }
    }

    fn upgradable(&self, version: &KubernetesVersion, on_offer: &OnOffer) -> Upgradable {
        Upgradable {
            version: version.clone(),
            support: self.support(version),
            offered: self.versions(&on_offer.versions),
            newest: self.versions(&engine::newest_of_each_minor(&on_offer.versions)),
            hindrance: on_offer.hindrance.as_ref().map(ToString::to_string),
        }
    }

    fn versions(&self, offered: &[OfferedVersion]) -> Vec<VersionAnswer> {
        let answer = |offer: &OfferedVersion| VersionAnswer {
            version: offer.version.clone(),
            preview: offer.preview,
            support: if offer.preview { Support::Preview } else { self.support(&offer.version) },
        };
        offered.iter().map(answer).collect()
    }

    fn support(&self, version: &KubernetesVersion) -> Support {
        engine::support(version.minor(), self.cluster.is_long_term(), self.offers, self.now)
    }
}
