//! What is really so in one cluster: for those who check what others make of it.

use serde_json::Value;

use super::{ClusterView, World, resources::cluster::Cluster};
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

    /// Whether an operation is under way.
    #[must_use]
    pub fn is_running(&self, operation: &str) -> bool {
        self.operations.is_running(operation)
    }
}
