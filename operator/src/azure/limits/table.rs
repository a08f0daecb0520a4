//! Which limits there are, and which of them a call counts against. Touches nothing.
//!
//! Sources: "Throttling limits on Azure Kubernetes Service resource provider APIs" and "Understand how
//! Azure Resource Manager throttles requests" on Microsoft Learn. AKS keeps its buckets per region; a call
//! does not say which region it is about, so ours span all regions of a subscription.

use azure_mgmt_containerservice::{Call, CallKind};

use super::bucket::Share;

/// A kind of limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Limit {
    /// Lists of all clusters of a subscription.
    ListClusters,
    /// Lists of all clusters of a resource group.
    ListClustersInGroup,
    /// Reads of one cluster.
    GetCluster,
    /// Writes of one cluster.
    PutCluster,
    /// Writes of one node pool.
    PutPool,
    /// Statuses of operations, per subscription.
    OperationStatus,
    /// Everything else that AKS answers, per subscription.
    Other,
    /// Azure Resource Manager's own: reads per subscription and principal.
    ArmReads,
    /// Azure Resource Manager's own: everything but reads, per subscription and principal.
    ArmWrites,
}

/// One bucket: the kind of limit, and the resource id of what it is counted for.
pub(super) type Key = (Limit, String);

impl Limit {
    /// All of them.
    pub(crate) const ALL: [Self; 9] = [
        Self::ListClusters,
        Self::ListClustersInGroup,
        Self::GetCluster,
        Self::PutCluster,
        Self::PutPool,
        Self::OperationStatus,
        Self::Other,
        Self::ArmReads,
        Self::ArmWrites,
    ];

    /// Its name in metrics.
    #[must_use]
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::ListClusters => "list-clusters",
            Self::ListClustersInGroup => "list-clusters-in-group",
            Self::GetCluster => "get-cluster",
            Self::PutCluster => "put-cluster",
            Self::PutPool => "put-pool",
            Self::OperationStatus => "operation-status",
            Self::Other => "other",
            Self::ArmReads => "arm-reads",
            Self::ArmWrites => "arm-writes",
        }
    }

    /// Its name in a sentence, after "Azure's limit".
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::ListClusters => "for lists of clusters in one subscription",
            Self::ListClustersInGroup => "for lists of clusters in one resource group",
            Self::GetCluster => "for reads of one cluster",
            Self::PutCluster => "for writes of one cluster",
            Self::PutPool => "for writes of one node pool",
            Self::OperationStatus => "for operation statuses in one subscription",
            Self::Other => "for upgrade profiles, node pools and everything else in one subscription",
            Self::ArmReads => "for all reads in one subscription",
            Self::ArmWrites => "for all writes in one subscription",
        }
    }

    /// Our share of it.
    pub(super) const fn share(self) -> Share {
        match self {
            Self::ListClusters => Share::of(500, 1, 1),
            Self::ListClustersInGroup | Self::GetCluster | Self::Other => Share::of(60, 1, 1),
            Self::PutCluster | Self::PutPool => Share::of(20, 1, 60),
            Self::OperationStatus => Share::of(200, 2, 1),
            Self::ArmReads => Share::of(250, 25, 1),
            Self::ArmWrites => Share::of(200, 10, 1),
        }
    }
}

/// The bucket of AKS that a call is taken from.
pub(super) fn aks_bucket(call: &Call) -> Key {
    let in_subscription = |limit| (limit, call.subscription().to_owned());
    let of_one = |limit| (limit, call.scope.clone());
    #[expect(clippy::wildcard_enum_match_arm, reason = "Microsoft's table ends with: all other APIs")]
    match call.kind {
        CallKind::ListClusters if call.scope.contains("/resourcegroups/") => {
            of_one(Limit::ListClustersInGroup)
        }
        CallKind::ListClusters => in_subscription(Limit::ListClusters),
        CallKind::GetCluster => of_one(Limit::GetCluster),
        CallKind::PutCluster => of_one(Limit::PutCluster),
        CallKind::PutPool => of_one(Limit::PutPool),
        CallKind::OperationStatus | CallKind::OperationResult => in_subscription(Limit::OperationStatus),
        _ => in_subscription(Limit::Other),
    }
}

/// The bucket of Azure Resource Manager that a call is taken from.
pub(super) fn arm_bucket(call: &Call, write: bool) -> Key {
    let limit = if write { Limit::ArmWrites } else { Limit::ArmReads };
    (limit, call.subscription().to_owned())
}
