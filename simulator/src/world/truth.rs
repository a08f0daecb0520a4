//! What is really so in one cluster: for those who check what others make of it.

use jiff::Timestamp;
use semver::Version;
use serde_json::{Map, Value};

use super::{
    ClusterView, World, WorldNode,
    resources::{cluster::Cluster, pool::Pool},
};
use crate::effects::ClusterKey;

impl World {
    /// One cluster as it really is; `None` when there is none.
    #[must_use]
    pub fn cluster_view(&self, key: &ClusterKey) -> Option<ClusterView> {
        self.clusters.get(key).map(Cluster::view)
    }

    /// One cluster's document as a read would show it, whatever quirks do to readers.
    #[must_use]
    pub fn document(&self, key: &ClusterKey) -> Option<Value> {
        self.clusters.get(key).map(Cluster::render)
    }

    /// The `properties` of a pool, or of the cluster without its pools.
    pub(crate) fn properties(&self, key: &ClusterKey, pool: Option<&str>) -> Option<&Map<String, Value>> {
        match pool {
            None => self.clusters.get(key)?.document.get("properties")?.as_object(),
            Some(pool) => Some(&self.pool_of(key, pool)?.properties),
        }
    }

    /// The nodes of a pool, those that have not joined yet included.
    pub(crate) fn nodes(&self, key: &ClusterKey, pool: &str) -> impl Iterator<Item = &WorldNode> {
        self.pool_of(key, pool).into_iter().flat_map(|pool| pool.nodes.values())
    }

    /// What the API server of a cluster runs.
    pub(crate) fn served_version(&self, key: &ClusterKey) -> Option<&Version> {
        self.clusters.get(key).map(|cluster| &cluster.version)
    }

    /// The newest image that the region has for a pool: what every upgrade of it brings.
    pub(crate) fn newest_image(&self, key: &ClusterKey, pool: &str) -> Option<String> {
        let cluster = self.clusters.get(key)?;
        let catalog = self.catalogs.get(&cluster.location.to_lowercase())?;
        let pool = cluster.pools.get(pool)?;
        let version = Version::parse(pool.text("orchestratorVersion")).ok()?;
        Some(catalog.latest_image(pool.text("osSKU"), &version))
    }

    /// When the region of a cluster has released something last, as far as the world has seen it.
    pub(crate) fn released_at(&self, key: &ClusterKey) -> Option<Timestamp> {
        let cluster = self.clusters.get(key)?;
        self.released.get(&cluster.location.to_lowercase()).map(|(at, _)| *at)
    }

    /// How often the region of a cluster has released something.
    pub(crate) fn releases_seen(&self, key: &ClusterKey) -> u64 {
        let cluster = self.clusters.get(key);
        let released = cluster.and_then(|cluster| self.released.get(&cluster.location.to_lowercase()));
        released.map_or(0, |(_, count)| *count)
    }

    /// Whether everybody has support for a version in a cluster's region.
    pub(crate) fn is_supported(&self, key: &ClusterKey, version: &Version) -> bool {
        let catalog =
            self.clusters.get(key).and_then(|cluster| self.catalogs.get(&cluster.location.to_lowercase()));
        catalog.is_some_and(|catalog| catalog.support(version) == super::region::catalog::Support::Community)
    }

    /// The newest stable patch of the minor before the newest, of those that all regions have.
    pub(crate) fn stable_target(&self) -> Option<Version> {
        let mut common: Option<Vec<Version>> = None;
        for catalog in
            self.clusters.values().filter_map(|cluster| self.catalogs.get(&cluster.location.to_lowercase()))
        {
            let stable =
                catalog.versions().filter(|(_, preview)| !preview).map(|(version, _)| version.clone());
            let stable: Vec<Version> = stable.collect();
            common = Some(match common {
                None => stable,
                Some(common) => common.into_iter().filter(|version| stable.contains(version)).collect(),
            });
        }
        let common = common?;
        let newest = common.iter().map(|version| version.minor).max()?;
        common.into_iter().filter(|version| version.minor + 1 == newest).max()
    }

    /// Whether an operation is under way in a cluster.
    pub(crate) fn is_busy(&self, key: &ClusterKey) -> bool {
        self.clusters.get(key).is_some_and(|cluster| cluster.work.is_some())
    }

    /// The operation that is under way on a pool, or on the cluster itself.
    pub(crate) fn running_in(&self, key: &ClusterKey, pool: Option<&str>) -> Option<&str> {
        let work = self.clusters.get(key)?.work.as_ref()?;
        (work.pool.as_deref() == pool).then_some(work.operation.as_str())
    }

    /// Whether an operation is under way.
    #[must_use]
    pub fn is_running(&self, operation: &str) -> bool {
        self.operations.is_running(operation)
    }

    fn pool_of(&self, key: &ClusterKey, pool: &str) -> Option<&Pool> {
        self.clusters.get(key)?.pools.get(pool)
    }
}
