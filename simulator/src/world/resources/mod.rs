//! Clusters and node pools as data: their documents, what fills the gaps in them, and their names.

pub(in crate::world) mod cluster;
pub(in crate::world) mod cluster_defaults;
pub(in crate::world) mod document;
pub(in crate::world) mod place;
pub(in crate::world) mod pool;
pub(in crate::world) mod pool_defaults;
