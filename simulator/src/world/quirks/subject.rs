//! What a call is about, for rules that name calls and clusters.

use crate::{
    effects::ClusterKey,
    scenario::CallName,
    world::{Call, ManagerCall},
};

/// What the rules want to know of a call.
#[derive(Clone, Debug)]
pub(super) struct Subject {
    pub(super) name: CallName,
    /// The cluster; none for what is about a subscription or region.
    pub(super) cluster: Option<ClusterKey>,
    /// Whether it carries If-Match.
    pub(super) conditional: bool,
    /// Which page of which list.
    pub(super) page: Option<(String, usize)>,
}

impl Subject {
    /// `operation` finds the cluster of an operation.
    pub(super) fn new(call: &Call, operation: impl Fn(&str) -> Option<ClusterKey>) -> Self {
        let mut subject =
            Self { name: name(call), cluster: call.cluster().cloned(), conditional: false, page: None };
        if let Call::Operation { id, .. } | Call::OperationResult { id, .. } = call {
            subject.cluster = operation(id);
        }
        if let Call::PutCluster { if_match, .. }
        | Call::PatchCluster { if_match, .. }
        | Call::DeleteCluster { if_match, .. }
        | Call::PutPool { if_match, .. }
        | Call::DeletePool { if_match, .. } = call
        {
            subject.conditional = if_match.is_some();
        }
        if let Call::ListClusters { subscription, resource_group, skip } = call {
            let group = resource_group.as_deref().unwrap_or_default();
            subject.page = Some((format!("{subscription}/{group}"), *skip));
        }
        if let Call::Manager(call) = call {
            subject.page = call.page();
        }
        if let Call::ListPools { cluster, skip } = call {
            subject.page = Some((cluster.0.clone(), *skip));
        }
        subject
    }
}

const fn name(call: &Call) -> CallName {
    match call {
        Call::ListClusters { .. } => CallName::ListClusters,
        Call::GetCluster { .. } => CallName::GetCluster,
        Call::PutCluster { .. } => CallName::PutCluster,
        Call::PatchCluster { .. } => CallName::PatchCluster,
        Call::DeleteCluster { .. } => CallName::DeleteCluster,
        Call::StopCluster { .. } => CallName::StopCluster,
        Call::StartCluster { .. } => CallName::StartCluster,
        Call::ClusterUpgradeProfile { .. } => CallName::ClusterUpgradeProfile,
        Call::ListPools { .. } => CallName::ListPools,
        Call::GetPool { .. } => CallName::GetPool,
        Call::PutPool { .. } => CallName::PutPool,
        Call::DeletePool { .. } => CallName::DeletePool,
        Call::AvailablePoolVersions { .. } => CallName::AvailablePoolVersions,
        Call::ListMachines { .. } => CallName::ListMachines,
        Call::GetMachine { .. } => CallName::GetMachine,
        Call::PoolUpgradeProfile { .. } => CallName::PoolUpgradeProfile,
        Call::UpgradeNodeImage { .. } => CallName::UpgradeNodeImage,
        Call::AbortCluster { .. } => CallName::AbortCluster,
        Call::AbortPool { .. } => CallName::AbortPool,
        Call::MaintenanceConfigurations { .. } => CallName::MaintenanceConfigurations,
        Call::MaintenanceConfiguration { .. } => CallName::MaintenanceConfiguration,
        Call::PutMaintenanceConfiguration { .. } => CallName::PutMaintenanceConfiguration,
        Call::DeleteMaintenanceConfiguration { .. } => CallName::DeleteMaintenanceConfiguration,
        Call::UserCredential { .. } => CallName::UserCredential,
        Call::AdminCredential { .. } => CallName::AdminCredential,
        Call::MonitoringCredential { .. } => CallName::MonitoringCredential,
        Call::AccessProfile { .. } => CallName::AccessProfile,
        Call::KubernetesVersions { .. } => CallName::KubernetesVersions,
        Call::NodeImageVersions { .. } => CallName::NodeImageVersions,
        Call::Operation { .. } => CallName::Operation,
        Call::OperationResult { .. } => CallName::OperationResult,
        Call::Manager(call) => name_of_manager(call),
    }
}

const fn name_of_manager(call: &ManagerCall) -> CallName {
    match call {
        ManagerCall::ListTenants => CallName::ListTenants,
        ManagerCall::ListSubscriptions { .. } => CallName::ListSubscriptions,
        ManagerCall::GetSubscription { .. } => CallName::GetSubscription,
        ManagerCall::ListLocations { .. } => CallName::ListLocations,
        ManagerCall::ListGroups { .. } => CallName::ListResourceGroups,
        ManagerCall::GetGroup { .. } => CallName::GetResourceGroup,
        ManagerCall::PutGroup { .. } | ManagerCall::PatchGroup { .. } => CallName::PutResourceGroup,
        ManagerCall::DeleteGroup { .. } => CallName::DeleteResourceGroup,
        ManagerCall::ListProviders { .. } => CallName::ListProviders,
        ManagerCall::GetProvider { .. } => CallName::GetProvider,
        ManagerCall::RegisterProvider { .. } => CallName::RegisterProvider,
        ManagerCall::ListResources { .. } => CallName::ListResources,
        ManagerCall::ListLocks { .. } => CallName::ListLocks,
        ManagerCall::GetLock { .. } => CallName::GetLock,
        ManagerCall::PutLock { .. } => CallName::PutLock,
        ManagerCall::DeleteLock { .. } => CallName::DeleteLock,
        ManagerCall::Permissions { .. } => CallName::Permissions,
    }
}
