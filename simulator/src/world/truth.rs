//! What is really so in one cluster: for those who check what others make of it.

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

    /// Whether an operation is under way in a cluster.
    pub(crate) fn is_busy(&self, key: &ClusterKey) -> bool {
        self.clusters.get(key).is_some_and(|cluster| cluster.work.is_some())
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
