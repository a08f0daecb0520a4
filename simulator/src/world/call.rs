//! The calls that the world understands, what it answers, and how it refuses.

use serde_json::{Value, json};

use super::{
    manager::{ManagerCall, Scope},
    quirks::Delivery,
};
use crate::{effects::ClusterKey, scenario::RefuseSpec};

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

impl Call {
    /// Whether the call asks for a change.
    #[must_use]
    pub const fn is_mutation(&self) -> bool {
        match self {
            Self::PutCluster { .. }
            | Self::PatchCluster { .. }
            | Self::DeleteCluster { .. }
            | Self::StopCluster { .. }
            | Self::StartCluster { .. }
            | Self::PutPool { .. }
            | Self::DeletePool { .. }
            | Self::PutMaintenanceConfiguration { .. }
            | Self::DeleteMaintenanceConfiguration { .. }
            | Self::UpgradeNodeImage { .. }
            | Self::AbortCluster { .. }
            | Self::AbortPool { .. } => true,
            Self::Manager(call) => call.is_mutation(),
            Self::ListClusters { .. }
            | Self::GetCluster { .. }
            | Self::ClusterUpgradeProfile { .. }
            | Self::ListPools { .. }
            | Self::GetPool { .. }
            | Self::PoolUpgradeProfile { .. }
            | Self::AvailablePoolVersions { .. }
            | Self::ListMachines { .. }
            | Self::GetMachine { .. }
            | Self::MaintenanceConfigurations { .. }
            | Self::MaintenanceConfiguration { .. }
            | Self::UserCredential { .. }
            | Self::AdminCredential { .. }
            | Self::MonitoringCredential { .. }
            | Self::AccessProfile { .. }
            | Self::KubernetesVersions { .. }
            | Self::NodeImageVersions { .. }
            | Self::Operation { .. }
            | Self::OperationResult { .. } => false,
        }
    }
}

impl Call {
    /// Whether the call is a GET; Azure Resource Manager counts everything else as a write.
    pub(crate) const fn is_read(&self) -> bool {
        !self.is_mutation()
            && !matches!(
                self,
                Self::UserCredential { .. }
                    | Self::AdminCredential { .. }
                    | Self::MonitoringCredential { .. }
                    | Self::AccessProfile { .. }
            )
    }

    /// The cluster that the call is about.
    pub(crate) const fn cluster(&self) -> Option<&ClusterKey> {
        match self {
            Self::GetCluster { cluster }
            | Self::PutCluster { cluster, .. }
            | Self::PatchCluster { cluster, .. }
            | Self::DeleteCluster { cluster, .. }
            | Self::StopCluster { cluster }
            | Self::StartCluster { cluster }
            | Self::ClusterUpgradeProfile { cluster }
            | Self::ListPools { cluster, .. }
            | Self::AvailablePoolVersions { cluster }
            | Self::AbortCluster { cluster }
            | Self::MaintenanceConfigurations { cluster }
            | Self::MaintenanceConfiguration { cluster, .. }
            | Self::PutMaintenanceConfiguration { cluster, .. }
            | Self::DeleteMaintenanceConfiguration { cluster, .. }
            | Self::UserCredential { cluster }
            | Self::AdminCredential { cluster }
            | Self::MonitoringCredential { cluster }
            | Self::AccessProfile { cluster, .. } => Some(cluster),
            Self::GetPool { pool }
            | Self::PutPool { pool, .. }
            | Self::DeletePool { pool, .. }
            | Self::ListMachines { pool }
            | Self::GetMachine { pool, .. }
            | Self::PoolUpgradeProfile { pool }
            | Self::UpgradeNodeImage { pool }
            | Self::AbortPool { pool } => Some(&pool.cluster),
            Self::ListClusters { .. }
            | Self::KubernetesVersions { .. }
            | Self::NodeImageVersions { .. }
            | Self::Operation { .. }
            | Self::OperationResult { .. }
            | Self::Manager(_) => None,
        }
    }

    /// What is asked about something below a cluster, and its type: for ARM's words when the cluster is not there.
    pub(crate) const fn child(&self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::ListPools { .. } | Self::GetPool { .. } => Some(("read", "agentPools")),
            Self::PutPool { .. } => Some(("write", "agentPools")),
            Self::DeletePool { .. } => Some(("delete", "agentPools")),
            Self::UpgradeNodeImage { .. } | Self::AbortPool { .. } => Some(("action", "agentPools")),
            Self::ListMachines { .. } | Self::GetMachine { .. } => Some(("read", "agentPools/machines")),
            Self::PoolUpgradeProfile { .. } => Some(("read", "agentPools/upgradeProfiles")),
            Self::ClusterUpgradeProfile { .. } => Some(("read", "upgradeProfiles")),
            Self::AvailablePoolVersions { .. } => Some(("read", "availableAgentPoolVersions")),
            Self::MaintenanceConfigurations { .. } | Self::MaintenanceConfiguration { .. } => {
                Some(("read", "maintenanceConfigurations"))
            }
            Self::PutMaintenanceConfiguration { .. } => Some(("write", "maintenanceConfigurations")),
            Self::DeleteMaintenanceConfiguration { .. } => Some(("delete", "maintenanceConfigurations")),
            Self::AccessProfile { .. } => Some(("action", "accessProfiles")),
            Self::ListClusters { .. }
            | Self::GetCluster { .. }
            | Self::PutCluster { .. }
            | Self::PatchCluster { .. }
            | Self::DeleteCluster { .. }
            | Self::StopCluster { .. }
            | Self::StartCluster { .. }
            | Self::AbortCluster { .. }
            | Self::UserCredential { .. }
            | Self::AdminCredential { .. }
            | Self::MonitoringCredential { .. }
            | Self::KubernetesVersions { .. }
            | Self::NodeImageVersions { .. }
            | Self::Operation { .. }
            | Self::OperationResult { .. }
            | Self::Manager(_) => None,
        }
    }

    /// What the call is about, as Azure Resource Manager sees it.
    pub(crate) fn scope(&self) -> Scope {
        if let Self::GetPool { pool }
        | Self::PutPool { pool, .. }
        | Self::DeletePool { pool, .. }
        | Self::ListMachines { pool }
        | Self::GetMachine { pool, .. }
        | Self::PoolUpgradeProfile { pool }
        | Self::UpgradeNodeImage { pool }
        | Self::AbortPool { pool } = self
        {
            return Scope::new(&format!("{}/agentpools/{}", pool.cluster.0, pool.name));
        }
        if let Some(cluster) = self.cluster() {
            return Scope::new(&cluster.0);
        }
        if let Self::Manager(call) = self {
            return call.scope();
        }
        if let Self::ListClusters { subscription, resource_group: Some(group), .. } = self {
            return Scope::new(&format!("/subscriptions/{subscription}/resourcegroups/{group}"));
        }
        if let Self::ListClusters { subscription, .. }
        | Self::KubernetesVersions { subscription, .. }
        | Self::NodeImageVersions { subscription, .. }
        | Self::Operation { subscription, .. }
        | Self::OperationResult { subscription, .. } = self
        {
            return Scope::new(&format!("/subscriptions/{subscription}"));
        }
        Scope::new("/")
    }

    /// Id of the subscription in the URL, in lower case; empty when there is none.
    pub(crate) fn subscription(&self) -> String {
        self.scope().subscription().unwrap_or_default().to_owned()
    }

    /// Whether something is deleted.
    pub(crate) const fn is_deletion(&self) -> bool {
        matches!(
            self,
            Self::DeleteCluster { .. }
                | Self::DeletePool { .. }
                | Self::DeleteMaintenanceConfiguration { .. }
                | Self::Manager(ManagerCall::DeleteGroup { .. })
        )
    }
}

/// The answer to a call.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The body; null for none.
    pub body: Value,
    /// The operation that the call started.
    pub started: Option<Started>,
    /// Where the next page starts.
    pub next: Option<usize>,
    /// Seconds for which a throttled caller is to stay away.
    pub retry_after: Option<u32>,
    /// What the caller has left; nothing when the call was refused before it was counted.
    pub remaining: Option<Remaining>,
    /// How it travels.
    pub delivery: Delivery,
}

/// How many calls Azure Resource Manager still admits at once from this caller in this
/// subscription: `x-ms-ratelimit-remaining-subscription-reads` and `-writes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remaining {
    /// Reads: GET.
    pub reads: u16,
    /// Writes: everything else.
    pub writes: u16,
}

impl Remaining {
    /// While calls are not throttled: all but this one.
    pub(crate) const UNCOUNTED: Self = Self { reads: 249, writes: 199 };
}

/// A long-running operation, as the headers of the accepting answer name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Started {
    /// The operation's id.
    pub id: String,
    /// The region in its URL.
    pub location: String,
    /// Whether the answer carries `Location` too.
    pub with_result: bool,
}

impl Answer {
    pub(crate) fn new(status: u16, body: Value) -> Self {
        Self {
            status,
            body,
            started: None,
            next: None,
            retry_after: None,
            remaining: None,
            delivery: Delivery::default(),
        }
    }

    /// Whether the call was accepted.
    #[must_use]
    pub const fn is_success(&self) -> bool {
        self.status < 300
    }
}

/// Why a call is refused; becomes an [`Answer`].
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl Refusal {
    /// An error in the bare shape of the AKS resource provider.
    pub(crate) fn aks(status: u16, code: &str, subcode: &str, message: impl Into<String>) -> Self {
        let message: String = message.into();
        Self {
            status,
            body: json!({ "code": code, "details": null, "message": message, "subcode": subcode }),
        }
    }

    /// Something below a cluster that is not there, in the provider's words; `entity` is what it calls it.
    pub(crate) fn not_found(subcode: &str, entity: &str, message: impl Into<String>) -> Self {
        let mut refusal = Self::aks(404, "NotFound", subcode, message);
        let details = format!("rpc error: code = NotFound desc = {entity} not found");
        refusal.body["details"] = json!([{ "code": "Unspecified", "message": details }]);
        refusal
    }

    /// An error in the wrapped shape of Azure Resource Manager.
    pub(crate) fn arm(status: u16, code: &str, message: impl Into<String>) -> Self {
        let message: String = message.into();
        Self { status, body: json!({ "error": { "code": code, "message": message } }) }
    }

    /// An error that the scenario asks for.
    pub(crate) fn scripted(spec: &RefuseSpec) -> Self {
        let RefuseSpec { status, code, subcode, message, resource_manager } = spec;
        if *resource_manager {
            Self::arm(*status, code, message)
        } else {
            Self::aks(*status, code, subcode, message)
        }
    }

    pub(crate) fn bad_request(code: &str, message: impl Into<String>) -> Self {
        Self::aks(400, code, "", message)
    }
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        Self::new(refusal.status, refusal.body)
    }
}
