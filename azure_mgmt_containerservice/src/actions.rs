//! Which permission a call needs. Touches nothing.

use crate::CallKind;

impl CallKind {
    /// All calls that the client can make.
    pub const ALL: [Self; 23] = [
        Self::ListClusters,
        Self::GetCluster,
        Self::PutCluster,
        Self::ClusterUpgradeProfile,
        Self::UserCredential,
        Self::AbortCluster,
        Self::ListPools,
        Self::GetPool,
        Self::PutPool,
        Self::PoolUpgradeProfile,
        Self::UpgradeNodeImage,
        Self::AbortPool,
        Self::AvailablePoolVersions,
        Self::ListMachines,
        Self::GetMachine,
        Self::ListMaintenanceConfigurations,
        Self::GetMaintenanceConfiguration,
        Self::KubernetesVersions,
        Self::NodeImageVersions,
        Self::OperationStatus,
        Self::OperationResult,
        Self::ListPermissions,
        Self::ListLocks,
    ];

    /// The action of Azure's role-based access control that the call needs ("Azure permissions for
    /// Containers" and "Azure permissions for Management and governance" on Microsoft Learn).
    #[must_use]
    pub const fn action(self) -> &'static str {
        match self {
            Self::ListClusters | Self::GetCluster => "Microsoft.ContainerService/managedClusters/read",
            Self::PutCluster => "Microsoft.ContainerService/managedClusters/write",
            Self::ClusterUpgradeProfile => "Microsoft.ContainerService/managedClusters/upgradeProfiles/read",
            Self::UserCredential => {
                "Microsoft.ContainerService/managedClusters/listClusterUserCredential/action"
            }
            Self::AbortCluster => "Microsoft.ContainerService/managedClusters/abort/action",
            Self::ListPools | Self::GetPool => "Microsoft.ContainerService/managedClusters/agentPools/read",
            Self::PutPool => "Microsoft.ContainerService/managedClusters/agentPools/write",
            Self::PoolUpgradeProfile => {
                "Microsoft.ContainerService/managedClusters/agentPools/upgradeProfiles/read"
            }
            Self::UpgradeNodeImage => {
                "Microsoft.ContainerService/managedClusters/agentPools/upgradeNodeImageVersion/action"
            }
            Self::AbortPool => "Microsoft.ContainerService/managedClusters/agentPools/abort/action",
            Self::AvailablePoolVersions => {
                "Microsoft.ContainerService/managedClusters/availableAgentPoolVersions/read"
            }
            Self::ListMachines | Self::GetMachine => {
                "Microsoft.ContainerService/managedClusters/agentPools/machines/read"
            }
            Self::ListMaintenanceConfigurations | Self::GetMaintenanceConfiguration => {
                "Microsoft.ContainerService/managedClusters/maintenanceConfigurations/read"
            }
            Self::KubernetesVersions => "Microsoft.ContainerService/locations/kubernetesVersions/read",
            Self::NodeImageVersions => "Microsoft.ContainerService/locations/nodeImageVersions/read",
            Self::OperationStatus => "Microsoft.ContainerService/locations/operations/read",
            Self::OperationResult => "Microsoft.ContainerService/locations/operationresults/read",
            Self::ListPermissions => "Microsoft.Authorization/permissions/read",
            Self::ListLocks => "Microsoft.Authorization/locks/read",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn all_calls_are_there_once_and_writes_need_more_than_read() {
        assert_eq!(BTreeSet::from(CallKind::ALL).len(), CallKind::ALL.len());
        for kind in CallKind::ALL {
            assert_eq!(!kind.action().ends_with("/read"), kind.is_write(), "{kind:?}");
        }
    }
}
