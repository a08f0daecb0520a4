//! What can be said of a call without looking at the world: whether it changes something, and what it is about.

use super::Call;
use crate::{
    effects::ClusterKey,
    world::manager::{ManagerCall, Scope},
};

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
