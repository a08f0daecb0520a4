//! What a call is about, for rules that name calls and clusters.

use crate::{effects::ClusterKey, scenario::CallName, world::Call};

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
        if let Call::PutCluster { if_match, .. } | Call::PutPool { if_match, .. } = call {
            subject.conditional = if_match.is_some();
        }
        if let Call::ListClusters { subscription, resource_group, skip } = call {
            let group = resource_group.as_deref().unwrap_or_default();
            subject.page = Some((format!("{subscription}/{group}"), *skip));
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
        Call::ClusterUpgradeProfile { .. } => CallName::ClusterUpgradeProfile,
        Call::ListPools { .. } => CallName::ListPools,
        Call::GetPool { .. } => CallName::GetPool,
        Call::PutPool { .. } => CallName::PutPool,
        Call::PoolUpgradeProfile { .. } => CallName::PoolUpgradeProfile,
        Call::UpgradeNodeImage { .. } => CallName::UpgradeNodeImage,
        Call::AbortCluster { .. } => CallName::AbortCluster,
        Call::AbortPool { .. } => CallName::AbortPool,
        Call::MaintenanceConfigurations { .. } => CallName::MaintenanceConfigurations,
        Call::UserCredential { .. } => CallName::UserCredential,
        Call::KubernetesVersions { .. } => CallName::KubernetesVersions,
        Call::Operation { .. } => CallName::Operation,
        Call::OperationResult { .. } => CallName::OperationResult,
    }
}
