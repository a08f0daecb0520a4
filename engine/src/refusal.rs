//! Why a cluster's upgrade cannot start: known before anything is changed.

use crate::{
    cluster::{Cluster, PoolType, Power, ProvisioningState},
    plan::Stays,
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
    /// The target is there for clusters on the long-term-support plan only.
    #[error(
        "spec.target.kubernetes.version is {wanted}, which Azure has for the long-term-support plan only, and the cluster is not on it: name a version with community support, or change the plan (az aks update --tier premium --k8s-support-plan AKSLongTermSupport)"
    )]
    LongTermOnly {
        /// The target.
        wanted: KubernetesVersion,
    },
    /// The way leads over a preview that is not the target.
    #[error(
        "spec.target.kubernetes.version is {wanted}, and the way there leads over the preview {preview}: name {preview} in full first, if a preview is what you want; clusters do not come back from one"
    )]
    OverPreview {
        /// The target.
        wanted: KubernetesVersion,
        /// The preview before it.
        preview: KubernetesVersion,
    },
    /// A hop that AKS takes for control plane and pools at once only.
    #[error(
        "Azure offers to go from {current} to {next} at once, which it does only for control plane and node pools together: do that by hand (az aks upgrade --kubernetes-version {next}), then go on from there"
    )]
    WholeClusterOnly {
        /// Where the hop begins.
        current: KubernetesVersion,
        /// Where it ends.
        next: KubernetesVersion,
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
    /// A pool cannot be newer than what its control plane really runs.
    #[error(
        "spec.target.scope is NodePools, Azure shows {shown} for the control plane, and its API server runs {runs}, so that AKS refuses newer node pools: finish its upgrade (az aks upgrade --control-plane-only --kubernetes-version {shown}), or use scope Full"
    )]
    ControlPlaneBehind {
        /// What Azure shows.
        shown: KubernetesVersion,
        /// What the API server says it is.
        runs: String,
    },
    /// Pools can go to the version of their control plane, or to one that the region has.
    #[error(
        "spec.target.kubernetes.version is {wanted}, to which no pool can go any more, as its region has it not, or not for this cluster's support plan: name {current}, the version of the control plane"
    )]
    PoolsNotOffered {
        /// The target.
        wanted: KubernetesVersion,
        /// What the control plane runs.
        current: KubernetesVersion,
    },
    /// A pool that is left alone would fall too far behind.
    #[error(
        "pool {pool} is left alone and would be more than {allowed} minors behind control plane {next}, which AKS does not allow: {}, or name an older version",
        way_to_follow(.stays)
    )]
    Skew {
        /// The pool.
        pool: String,
        /// Why it is left alone.
        stays: Stays,
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
    /// A snapshot pins the pool to its version and image.
    #[error(
        "pool {pool} is pinned to snapshot {snapshot}, from which an upgrade would take it: move it to a newer snapshot (az aks nodepool upgrade --snapshot-id), take it off the snapshot (az aks nodepool upgrade --kubernetes-version {version}), or leave it out with spec.nodePools.exclude"
    )]
    Pinned {
        /// The pool.
        pool: String,
        /// Name of the snapshot.
        snapshot: String,
        /// The pool's version.
        version: KubernetesVersion,
    },
    /// An availability set is upgraded only together with the control plane.
    #[error(
        "pool {pool} is an availability set, which AKS upgrades only together with the whole cluster: migrate it to virtual machines first (az aks update --migrate-vmas-to-vms)"
    )]
    AvailabilitySet {
        /// The pool.
        pool: String,
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
    /// Somebody aborted the last operation of a pool: only a person starts it again.
    #[error(
        "pool {pool} is in state Canceled: somebody aborted its last operation; finish it (az aks nodepool upgrade --kubernetes-version {version}) or leave the pool out with spec.nodePools.exclude"
    )]
    PoolAborted {
        /// The pool.
        pool: String,
        /// The version that it shows.
        version: KubernetesVersion,
    },
    /// A pool whose last operation failed, and which this upgrade must not repair.
    #[error(
        "pool {pool} is in state {state} and {stays}: a write to the cluster would take up its unfinished operation; repair it first (az aks nodepool upgrade --kubernetes-version {version})"
    )]
    PoolNotReady {
        /// The pool.
        pool: String,
        /// Its state.
        state: ProvisioningState,
        /// Why it is not repaired, as a clause.
        stays: String,
        /// The version that it shows.
        version: KubernetesVersion,
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

/// What lets a pool that is left alone follow its control plane.
fn way_to_follow(stays: &Stays) -> String {
    match stays {
        Stays::Excluded(index) => format!("include it (it is in spec.nodePools.exclude[{index}])"),
        Stays::OutOfScope => "include it (spec.target.scope Full)".to_owned(),
        Stays::Stopped => "start it (az aks nodepool start) or delete it".to_owned(),
        Stays::Pinned(_) => "move it to a newer snapshot (az aks nodepool upgrade --snapshot-id)".to_owned(),
        Stays::Provisioned => {
            "wait until its nodes have followed, or see what keeps them (kubectl get nodeclaims)".to_owned()
        }
        Stays::ImageAwaited { .. } => "wait until its region has the rollout's image".to_owned(),
        Stays::ImageSuperseded { .. } => {
            "change the plan, so that another rollout takes the image that there is".to_owned()
        }
        Stays::Done | Stays::ImageSkipped | Stays::ImageUnknown | Stays::ImageYoung { .. } => {
            "include it".to_owned()
        }
    }
}

impl Refusal {
    /// The reason in one word, for programs.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Downgrade { .. } => "Downgrade",
            Self::NotOffered { .. } => "NotOffered",
            Self::LongTermOnly { .. } => "LongTermOnly",
            Self::OverPreview { .. } => "OverPreview",
            Self::WholeClusterOnly { .. } => "WholeClusterOnly",
            Self::PoolsAhead { .. } => "PoolsAhead",
            Self::ControlPlaneBehind { .. } => "ControlPlaneBehind",
            Self::PoolsNotOffered { .. } => "PoolsNotOffered",
            Self::Skew { .. } => "Skew",
            Self::OsSkuEnds { .. } => "OsSkuEnds",
            Self::Pinned { .. } => "Pinned",
            Self::AvailabilitySet { .. } => "AvailabilitySet",
            Self::Stopped => "ClusterStopped",
            Self::Automatic => "Automatic",
            Self::AutoUpgrade { .. } => "AutoUpgrade",
            Self::PoolAborted { .. } => "PoolAborted",
            Self::PoolNotReady { .. } => "PoolNotReady",
            Self::CountUnknown { .. } => "CountUnknown",
            Self::ClusterNotReady(_) => "ClusterNotReady",
        }
    }

    /// The pool that it is about; `None` when it is about the cluster or the target.
    #[must_use]
    pub fn pool(&self) -> Option<&str> {
        match self {
            Self::Skew { pool, .. }
            | Self::OsSkuEnds { pool, .. }
            | Self::Pinned { pool, .. }
            | Self::AvailabilitySet { pool }
            | Self::PoolAborted { pool, .. }
            | Self::PoolNotReady { pool, .. }
            | Self::CountUnknown { pool } => Some(pool),
            Self::Downgrade { .. }
            | Self::NotOffered { .. }
            | Self::LongTermOnly { .. }
            | Self::OverPreview { .. }
            | Self::WholeClusterOnly { .. }
            | Self::PoolsAhead { .. }
            | Self::ControlPlaneBehind { .. }
            | Self::PoolsNotOffered { .. }
            | Self::Stopped
            | Self::Automatic
            | Self::AutoUpgrade { .. }
            | Self::ClusterNotReady(_) => None,
        }
    }

    /// Whether the specification is at fault, rather than the state of the cluster.
    #[must_use]
    pub fn is_invalid_spec(&self) -> bool {
        match self {
            Self::Downgrade { .. }
            | Self::NotOffered { .. }
            | Self::LongTermOnly { .. }
            | Self::OverPreview { .. }
            | Self::PoolsAhead { .. }
            | Self::PoolsNotOffered { .. } => true,
            Self::Skew { stays, .. } => matches!(stays, Stays::Excluded(_) | Stays::OutOfScope),
            Self::WholeClusterOnly { .. }
            | Self::ControlPlaneBehind { .. }
            | Self::OsSkuEnds { .. }
            | Self::Pinned { .. }
            | Self::AvailabilitySet { .. }
            | Self::Stopped
            | Self::Automatic
            | Self::AutoUpgrade { .. }
            | Self::PoolAborted { .. }
            | Self::PoolNotReady { .. }
            | Self::CountUnknown { .. }
            | Self::ClusterNotReady(_) => false,
        }
    }
}

/// What forbids any upgrade of this cluster, whatever the steps would be.
pub(crate) fn preconditions(cluster: &Cluster) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    if cluster.power == Power::Stopped {
        refusals.push(Refusal::Stopped);
    }
    if cluster.automatic {
        refusals.push(Refusal::Automatic);
    }
    if cluster.provisioning_state.is_broken() {
        refusals.push(Refusal::ClusterNotReady(cluster.provisioning_state.clone()));
    }
    let sets = cluster.pools.iter().filter(|pool| pool.pool_type == PoolType::AvailabilitySet);
    refusals.extend(sets.map(|pool| Refusal::AvailabilitySet { pool: pool.name.clone() }));
    refusals
}
