//! The calls that the world understands, what it answers, and how it refuses.

mod answer;
mod facts;
mod refusal;

use serde_json::Value;

pub use answer::{Answer, Remaining, Started};

pub(crate) use refusal::Refusal;

use crate::{effects::ClusterKey, world::manager::ManagerCall};

/// One call on the management plane.
#[derive(Clone, Debug, PartialEq)]
pub enum Call {
    /// The clusters of a subscription or resource group, from the `skip`-th on.
    ListClusters {
        /// Id of the subscription.
        subscription: String,
        /// Only those of this resource group.
        resource_group: Option<String>,
        /// How many come before this page.
        skip: usize,
    },
    /// One cluster with its pools.
    GetCluster {
        /// Which.
        cluster: ClusterKey,
    },
    /// A new cluster, the upgrade of a control plane, or a change of settings.
    PutCluster {
        /// Which.
        cluster: ClusterKey,
        /// The whole document.
        body: Value,
        /// The eTag that it must still have.
        if_match: Option<String>,
    },
    /// New tags.
    PatchCluster {
        /// Which.
        cluster: ClusterKey,
        /// `{ "tags": … }`.
        body: Value,
        /// The eTag that it must still have.
        if_match: Option<String>,
    },
    /// The end of a cluster.
    DeleteCluster {
        /// Which.
        cluster: ClusterKey,
        /// The eTag that it must still have.
        if_match: Option<String>,
    },
    /// Stop the machines of a cluster.
    StopCluster {
        /// Which.
        cluster: ClusterKey,
    },
    /// Start them again.
    StartCluster {
        /// Which.
        cluster: ClusterKey,
    },
    /// What the control plane may be upgraded to.
    ClusterUpgradeProfile {
        /// Which.
        cluster: ClusterKey,
    },
    /// The pools of a cluster, from the `skip`-th on.
    ListPools {
        /// Which.
        cluster: ClusterKey,
        /// How many come before this page.
        skip: usize,
    },
    /// One pool.
    GetPool {
        /// Which.
        pool: PoolKey,
    },
    /// A new pool, an upgrade, a rollback, a change of settings, stop or start.
    PutPool {
        /// Which.
        pool: PoolKey,
        /// The whole document.
        body: Value,
        /// The eTag that it must still have.
        if_match: Option<String>,
    },
    /// The end of a pool.
    DeletePool {
        /// Which.
        pool: PoolKey,
        /// The eTag that it must still have.
        if_match: Option<String>,
    },
    /// The versions that a new pool may have.
    AvailablePoolVersions {
        /// In which cluster.
        cluster: ClusterKey,
    },
    /// The machines of a pool.
    ListMachines {
        /// Of which.
        pool: PoolKey,
    },
    /// One machine of a pool.
    GetMachine {
        /// Of which.
        pool: PoolKey,
        /// The machine's name in lower case.
        machine: String,
    },
    /// What the pool may be upgraded to.
    PoolUpgradeProfile {
        /// Which.
        pool: PoolKey,
    },
    /// The newest image for a pool.
    UpgradeNodeImage {
        /// Which.
        pool: PoolKey,
    },
    /// Stop what runs in the cluster.
    AbortCluster {
        /// Which.
        cluster: ClusterKey,
    },
    /// Stop what runs in the pool.
    AbortPool {
        /// Which.
        pool: PoolKey,
    },
    /// The windows of the cluster.
    MaintenanceConfigurations {
        /// Which.
        cluster: ClusterKey,
    },
    /// One of them.
    MaintenanceConfiguration {
        /// Of which cluster.
        cluster: ClusterKey,
        /// Its name in lower case.
        name: String,
    },
    /// A new one, or a change.
    PutMaintenanceConfiguration {
        /// Of which cluster.
        cluster: ClusterKey,
        /// Its name in lower case.
        name: String,
        /// The whole document.
        body: Value,
    },
    /// The end of one.
    DeleteMaintenanceConfiguration {
        /// Of which cluster.
        cluster: ClusterKey,
        /// Its name in lower case.
        name: String,
    },
    /// A kubeconfig.
    UserCredential {
        /// Which.
        cluster: ClusterKey,
    },
    /// A kubeconfig with a certificate of an administrator.
    AdminCredential {
        /// Which.
        cluster: ClusterKey,
    },
    /// A kubeconfig for monitoring.
    MonitoringCredential {
        /// Which.
        cluster: ClusterKey,
    },
    /// The kubeconfig of a role, in the older form.
    AccessProfile {
        /// Of which cluster.
        cluster: ClusterKey,
        /// `clusteruser` or `clusteradmin`.
        role: String,
    },
    /// What a region offers.
    KubernetesVersions {
        /// Id of the subscription.
        subscription: String,
        /// The region.
        location: String,
    },
    /// The node images of a region.
    NodeImageVersions {
        /// Id of the subscription.
        subscription: String,
        /// The region.
        location: String,
    },
    /// How an operation stands.
    Operation {
        /// Id of the subscription in the URL.
        subscription: String,
        /// The region in the URL.
        location: String,
        /// The operation's id.
        id: String,
    },
    /// What an operation left: 202 while it runs, then 204.
    OperationResult {
        /// Id of the subscription in the URL.
        subscription: String,
        /// The region in the URL.
        location: String,
        /// The operation's id.
        id: String,
    },
    /// What Azure Resource Manager answers itself.
    Manager(ManagerCall),
}

/// A pool of a cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PoolKey {
    /// The cluster.
    pub cluster: ClusterKey,
    /// The pool's name in lower case.
    pub name: String,
}
