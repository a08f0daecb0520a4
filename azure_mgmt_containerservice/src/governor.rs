//! When a request may be sent: limits are shared by everything that talks to Azure, so whoever keeps
//! them sees every request before it leaves and every answer that comes back.
//!
//! This module only describes the requests; it keeps no limits of its own.

use std::{fmt, time::Duration};

use azure_core::http::headers::Headers;

use crate::{ClusterId, Scope, headers};

/// Decides when requests may be sent, and learns what came of them.
#[async_trait::async_trait]
pub trait Governor: fmt::Debug + Send + Sync {
    /// Returns when the call may be sent; it is sent at once then.
    ///
    /// # Errors
    /// When it may not be sent for so long that the caller should do something else meanwhile.
    async fn admit(&self, call: &Call) -> Result<(), HeldBack>;

    /// Learns the answer to a call that was admitted, or that there was none.
    fn answered(&self, call: &Call, answer: &Answered);
}

/// A request, as far as limits and metrics are concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// What is asked.
    pub kind: CallKind,
    /// The resource id, in lower case, of what it is asked about: a subscription, a resource group, a
    /// cluster or a node pool. Limits are counted per one of these.
    pub scope: String,
}

/// What is asked of Azure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each is the call of that name")]
pub enum CallKind {
    ListClusters,
    GetCluster,
    PutCluster,
    ClusterUpgradeProfile,
    UserCredential,
    AbortCluster,
    ListPools,
    GetPool,
    PutPool,
    PoolUpgradeProfile,
    UpgradeNodeImage,
    AbortPool,
    AvailablePoolVersions,
    ListMachines,
    GetMachine,
    ListMaintenanceConfigurations,
    GetMaintenanceConfiguration,
    KubernetesVersions,
    NodeImageVersions,
    OperationStatus,
    OperationResult,
    ListPermissions,
    ListLocks,
}

/// A call that was not sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the share of Azure's limit {limit} is used up")]
pub struct HeldBack {
    /// Which limit, in words.
    pub limit: String,
    /// How long until it may be sent.
    pub retry_after: Duration,
}

/// What came back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answered {
    /// The HTTP status; absent when no answer came.
    pub status: Option<u16>,
    /// The code of an error: it tells whose limit it was that refused.
    pub code: Option<String>,
    /// How long it took, signing in included where that was due.
    pub took: Duration,
    /// How long Azure asks to wait.
    pub retry_after: Option<Duration>,
    /// How many reads Azure Resource Manager would still answer this identity now, in the subscription.
    pub remaining_reads: Option<u32>,
    /// How many writes it would still answer this identity now.
    pub remaining_writes: Option<u32>,
}

impl CallKind {
    /// The name of the call, in the API's words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ListClusters => "managedClusters/list",
            Self::GetCluster => "managedClusters/get",
            Self::PutCluster => "managedClusters/put",
            Self::ClusterUpgradeProfile => "managedClusters/upgradeProfiles",
            Self::UserCredential => "managedClusters/listClusterUserCredential",
            Self::AbortCluster => "managedClusters/abort",
            Self::ListPools => "agentPools/list",
            Self::GetPool => "agentPools/get",
            Self::PutPool => "agentPools/put",
            Self::PoolUpgradeProfile => "agentPools/upgradeProfiles",
            Self::UpgradeNodeImage => "agentPools/upgradeNodeImageVersion",
            Self::AbortPool => "agentPools/abort",
            Self::AvailablePoolVersions => "managedClusters/availableAgentPoolVersions",
            Self::ListMachines => "machines/list",
            Self::GetMachine => "machines/get",
            Self::ListMaintenanceConfigurations => "maintenanceConfigurations/list",
            Self::GetMaintenanceConfiguration => "maintenanceConfigurations/get",
            Self::KubernetesVersions => "locations/kubernetesVersions",
            Self::NodeImageVersions => "locations/nodeImageVersions",
            Self::OperationStatus => "locations/operations",
            Self::OperationResult => "locations/operationResults",
            Self::ListPermissions => "permissions/list",
            Self::ListLocks => "locks/list",
        }
    }

    /// Whether it asks for a change, or counts as one: Azure Resource Manager counts by the HTTP method.
    #[must_use]
    pub const fn is_write(self) -> bool {
        match self {
            Self::PutCluster
            | Self::PutPool
            | Self::UserCredential
            | Self::UpgradeNodeImage
            | Self::AbortCluster
            | Self::AbortPool => true,
            Self::ListClusters
            | Self::GetCluster
            | Self::ClusterUpgradeProfile
            | Self::ListPools
            | Self::GetPool
            | Self::PoolUpgradeProfile
            | Self::AvailablePoolVersions
            | Self::ListMachines
            | Self::GetMachine
            | Self::ListMaintenanceConfigurations
            | Self::GetMaintenanceConfiguration
            | Self::KubernetesVersions
            | Self::NodeImageVersions
            | Self::OperationStatus
            | Self::OperationResult
            | Self::ListPermissions
            | Self::ListLocks => false,
        }
    }
}

impl Call {
    /// The subscription that it is about, in lower case.
    #[must_use]
    pub fn subscription(&self) -> &str {
        self.scope.split('/').nth(2).unwrap_or_default()
    }

    pub(crate) fn of_subscription(kind: CallKind, subscription: &str) -> Self {
        Self { kind, scope: format!("/subscriptions/{}", subscription.to_lowercase()) }
    }

    pub(crate) fn of_scope(kind: CallKind, scope: &Scope<'_>) -> Self {
        Self { kind, scope: scope.to_string().to_lowercase() }
    }

    pub(crate) fn of_cluster(kind: CallKind, cluster: &ClusterId) -> Self {
        Self { kind, scope: cluster.as_str().to_lowercase() }
    }

    pub(crate) fn of_pool(kind: CallKind, cluster: &ClusterId, pool: &str) -> Self {
        let scope = format!("{}/agentpools/{}", cluster.as_str().to_lowercase(), pool.to_lowercase());
        Self { kind, scope }
    }

    /// A link from an answer, which names the subscription in its path.
    pub(crate) fn of_link(kind: CallKind, link: &url::Url) -> Self {
        let mut segments = link.path_segments().into_iter().flatten();
        let subscription = segments
            .by_ref()
            .find(|segment| segment.eq_ignore_ascii_case("subscriptions"))
            .and_then(|_| segments.next());
        Self::of_subscription(kind, subscription.unwrap_or_default())
    }
}

impl Answered {
    pub(crate) fn of(status: u16, headers: &Headers) -> Self {
        let number = |name| headers::text(headers, name)?.parse().ok();
        Self {
            status: Some(status),
            code: None,
            took: Duration::ZERO,
            retry_after: headers::retry_after(headers),
            remaining_reads: number("x-ms-ratelimit-remaining-subscription-reads"),
            remaining_writes: number("x-ms-ratelimit-remaining-subscription-writes"),
        }
    }
}
