//! Why a cluster's upgrade cannot start: known before anything is changed.

use crate::{
    cluster::{Cluster, Power, ProvisioningState},
    target::Target,
    version::{KubernetesVersion, Minor},
};

/// One reason, with what would have to change.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The target is older than the cluster.
    #[error(
        "spec.target.kubernetes.version is {wanted}, but the cluster runs {current} and AKS cannot downgrade: name {current} or newer, or leave the cluster out"
    )]
    Downgrade {
        /// The target.
        wanted: KubernetesVersion,
        /// What runs.
        current: KubernetesVersion,
    },
    /// No chain of offered upgrades leads to the target.
    #[error(
        "spec.target.kubernetes.version is {wanted}, to which Azure offers this cluster no way from {current}: name a version that tidegate get-upgrades lists for it"
    )]
    NotOffered {
        /// The target.
        wanted: KubernetesVersion,
        /// What runs.
        current: KubernetesVersion,
    },
    /// Node pools cannot be newer than their control plane.
    #[error(
        "spec.target.scope is NodePools and the target {wanted} is newer than the control plane {current}: upgrade the control plane first, or use scope Full"
    )]
    PoolsAhead {
        /// The target.
        wanted: KubernetesVersion,
        /// What runs.
        current: KubernetesVersion,
    },
    /// A pool that is left alone would fall too far behind.
    #[error(
        "pool {pool} is left alone and would be more than {allowed} minors behind control plane {next}, which AKS does not allow: include it (scope Full, and not in spec.nodePools.exclude), or name an older version"
    )]
    Skew {
        /// The pool.
        pool: String,
        /// Where the control plane would go.
        next: KubernetesVersion,
        /// How far behind is allowed.
        allowed: u64,
    },
    /// The operating system of a pool does not run the target.
    #[error(
        "pool {pool} runs {os_sku}, which ends with Kubernetes {last}, so spec.target.kubernetes.version can be at most {last}: {instead}, or leave it out with spec.nodePools.exclude"
    )]
    OsSkuEnds {
        /// The pool.
        pool: String,
        /// Its OS SKU.
        os_sku: String,
        /// The last minor on which that runs.
        last: Minor,
        /// What else could be done.
        instead: &'static str,
    },
    /// A stopped cluster cannot be upgraded.
    #[error("the cluster is stopped: start it (az aks start) or leave it out")]
    Stopped,
    /// AKS Automatic upgrades itself.
    #[error("the cluster is AKS Automatic, which upgrades itself: leave it out")]
    Automatic,
    /// An auto-upgrade channel forbids upgrading the control plane alone, and acts by itself.
    #[error(
        "the cluster's auto-upgrade channel is {channel:?}, which refuses control-plane upgrades and acts by itself: set it to none (az aks update --auto-upgrade-channel none)"
    )]
    AutoUpgrade {
        /// The channel.
        channel: String,
    },
    /// A pool whose last operation failed before we came.
    #[error(
        "pool {pool} is in state {state}: repair it first (az aks nodepool upgrade to its own version does)"
    )]
    PoolNotReady {
        /// The pool.
        pool: String,
        /// Its state.
        state: ProvisioningState,
    },
    /// Azure does not say how many nodes a pool has.
    #[error(
        "Azure does not say how many nodes pool {pool} has, so that nobody could tell when all of them are done: leave it out with spec.nodePools.exclude"
    )]
    CountUnknown {
        /// The pool.
        pool: String,
    },
    /// The cluster's last operation failed before we came.
    #[error("the cluster is in state {0}: repair it first (az aks update without options does)")]
    ClusterNotReady(ProvisioningState),
}

impl Refusal {
    /// Whether the specification is at fault, rather than the state of the cluster.
    #[must_use]
    pub fn is_invalid_spec(&self) -> bool {
        match self {
            Self::Downgrade { .. }
            | Self::NotOffered { .. }
            | Self::PoolsAhead { .. }
            | Self::Skew { .. } => true,
            Self::OsSkuEnds { .. }
            | Self::Stopped
            | Self::Automatic
            | Self::AutoUpgrade { .. }
            | Self::PoolNotReady { .. }
            | Self::CountUnknown { .. }
            | Self::ClusterNotReady(_) => false,
        }
    }
}

/// What forbids any upgrade of this cluster, whatever the steps would be.
pub(crate) fn preconditions(cluster: &Cluster, target: &Target) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    if cluster.power == Power::Stopped {
        refusals.push(Refusal::Stopped);
    }
    if cluster.automatic {
        refusals.push(Refusal::Automatic);
    }
    if let (true, Some(channel)) = (target.scope.has_control_plane(), &cluster.auto_upgrade_channel) {
        refusals.push(Refusal::AutoUpgrade { channel: channel.clone() });
    }
    let broken = |state: &ProvisioningState| match state {
        ProvisioningState::Failed | ProvisioningState::Canceled => true,
        ProvisioningState::Succeeded | ProvisioningState::Busy(_) => false,
    };
    if broken(&cluster.provisioning_state) {
        refusals.push(Refusal::ClusterNotReady(cluster.provisioning_state.clone()));
    }
    for pool in &cluster.pools {
        if broken(&pool.provisioning_state) {
            refusals.push(Refusal::PoolNotReady {
                pool: pool.name.clone(),
                state: pool.provisioning_state.clone(),
            });
        }
    }
    refusals
}
