//! The world's own truth, for tests and for the control port.

use jiff::Timestamp;
use semver::Version;
use serde::Serialize;

use super::{
    outbox::Driver,
    resources::{cluster::Cluster, pool::WorldNode},
};
use crate::effects::Node;

/// A cluster as it really is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClusterView {
    /// Its ARM id.
    pub id: String,
    /// What its API server runs.
    pub kubernetes_version: String,
    /// What its document says.
    pub provisioning_state: String,
    /// Whether a real API server plays it.
    pub driven: bool,
    /// What is going on.
    pub operation: Option<WorkView>,
    /// Its node pools.
    pub pools: Vec<PoolView>,
    /// Nodes that Karpenter provides, outside of all pools.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub provisioned: Vec<WorldNode>,
}

/// A node pool as it really is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PoolView {
    /// Its name.
    pub name: String,
    /// What its document says.
    pub provisioning_state: String,
    /// The version that its document shows.
    pub orchestrator_version: String,
    /// The image that its document shows.
    pub node_image_version: String,
    /// Its nodes.
    pub nodes: Vec<WorldNode>,
}

/// What the API server of a cluster shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiServerView {
    /// What it runs.
    pub version: Version,
    /// It does not, because the cluster is stopped.
    pub stopped: bool,
    /// The nodes that have joined.
    pub nodes: Vec<ApiNode>,
}

/// A node, as the API server shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiNode {
    /// Its properties.
    pub node: Node,
    /// Whether it takes no new pods.
    pub cordoned: bool,
    /// Whether it drained in vain and was left behind.
    pub quarantined: bool,
}

/// An operation under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkView {
    /// Its id.
    pub id: String,
    /// The pool that it is about; the cluster when none.
    pub pool: Option<String>,
    /// The text of its status.
    pub status: String,
    /// When it was accepted.
    pub started: Timestamp,
}

impl Cluster {
    pub(super) fn api_server(&self) -> ApiServerView {
        let nodes = self.pools.values().chain(&self.provisioned).flat_map(|pool| {
            pool.nodes.values().filter(|node| node.ready).map(|node| ApiNode {
                node: pool.render_node(&node.name, &node.kubernetes_version, &node.node_image),
                cordoned: node.cordoned,
                quarantined: node.quarantined,
            })
        });
        ApiServerView { version: self.version.clone(), stopped: self.is_stopped(), nodes: nodes.collect() }
    }

    pub(super) fn view(&self) -> ClusterView {
        let pools = self.pools.values().map(|pool| {
            let mut nodes = pool.nodes.values().cloned().collect::<Vec<_>>();
            nodes.sort_by_key(|node| node.index);
            PoolView {
                name: pool.name.clone(),
                provisioning_state: pool.state().to_owned(),
                orchestrator_version: pool.text("orchestratorVersion").to_owned(),
                node_image_version: pool.image().to_owned(),
                nodes,
            }
        });
        ClusterView {
            id: self.id.clone(),
            kubernetes_version: self.version.to_string(),
            provisioning_state: self.state().to_owned(),
            driven: self.driver == Driver::Outside,
            operation: self.work.as_ref().map(|work| WorkView {
                id: work.operation.clone(),
                pool: work.pool.clone(),
                status: work.text.clone(),
                started: work.started,
            }),
            pools: pools.collect(),
            provisioned: self
                .provisioned
                .iter()
                .flat_map(|pool| pool.members().into_iter().cloned())
                .collect(),
        }
    }
}
