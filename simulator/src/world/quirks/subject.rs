//! What a call is about, for rules that name calls and clusters.

use crate::{
    effects::ClusterKey,
    scenario::CallName,
    world::{Call, PoolKey},
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
        let name = name(call);
        let of_cluster = |cluster: &ClusterKey| Self {
            name,
            cluster: Some(cluster.clone()),
            conditional: false,
            page: None,
        };
        let of_pool = |PoolKey { cluster, name: _ }: &PoolKey| of_cluster(cluster);
        let of_region = Self { name, cluster: None, conditional: false, page: None };
        match call {
            Call::ListClusters { subscription, resource_group, skip } => {
                let group = resource_group.as_deref().unwrap_or_default();
                Self { page: Some((format!("{subscription}/{group}"), *skip)), ..of_region }
            }
            Call::ListPools { cluster, skip } => {
                Self { page: Some((cluster.0.clone(), *skip)), ..of_cluster(cluster) }
            }
            Call::PutCluster { cluster, body: _, if_match } => {
                Self { conditional: if_match.is_some(), ..of_cluster(cluster) }
            }
            Call::PutPool { pool, body: _, if_match } => {
                Self { conditional: if_match.is_some(), ..of_pool(pool) }
            }
            Call::GetCluster { cluster }
            | Call::ClusterUpgradeProfile { cluster }
            | Call::AbortCluster { cluster }
            | Call::MaintenanceConfigurations { cluster }
            | Call::UserCredential { cluster } => of_cluster(cluster),
            Call::GetPool { pool }
            | Call::PoolUpgradeProfile { pool }
            | Call::UpgradeNodeImage { pool }
            | Call::AbortPool { pool } => of_pool(pool),
            Call::KubernetesVersions { location: _ } => of_region,
            Call::Operation { location: _, id } | Call::OperationResult { location: _, id } => {
                Self { cluster: operation(id), ..of_region }
            }
        }
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
