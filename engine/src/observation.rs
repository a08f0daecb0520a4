//! What was seen at one moment, and what could not be seen.

use std::{collections::BTreeMap, fmt};

use jiff::Timestamp;

use crate::{
    cluster::Cluster,
    control::RecentlyUsed,
    failure::Failure,
    offers::Offers,
    schedule::{Freeze, Maintenance},
    version::{KubernetesVersion, Minor},
};

/// What was read, or why it could not be.
pub type Reading<T> = Result<T, Unreadable>;

/// Something could not be read. Never a pass, never a failure: nothing is known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// It was not needed for this decision.
    #[error("not read")]
    NotAsked,
    /// Why it could not.
    #[error("{0}")]
    Failed(String),
    /// Azure says that it does not exist.
    #[error("{0}")]
    Gone(String),
    /// Nobody was asked.
    #[error("{0}")]
    HeldBack(HeldBack),
}

/// Azure was not called, because our share of one of its limits is used up. Neither an answer nor the lack
/// of one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct HeldBack {
    /// Which limit, in a sentence without numbers: the same each time.
    pub why: String,
    /// When the call may probably be made.
    pub until: Timestamp,
}

impl Unreadable {
    /// It could not be read, and why.
    pub fn failed(why: impl Into<String>) -> Self {
        Self::Failed(why.into())
    }
}

/// Everything that one decision about one cluster looks at.
#[derive(Clone, Debug)]
pub struct Observation {
    /// The cluster in Azure.
    pub cluster: Reading<Cluster>,
    /// What Azure offers it.
    pub offers: Reading<Offers>,
    /// What its API server says it is.
    pub server: Reading<ServerVersion>,
    /// The nodes of the pool in flight.
    pub nodes: Reading<Vec<Node>>,
    /// What it shows of itself, when a decision asked for it.
    pub inside: Reading<Inside>,
    /// Its workloads.
    pub workloads: Reading<Vec<Workload>>,
    /// The cluster's own maintenance windows, when a decision asked for them.
    pub maintenance: Reading<Maintenance>,
    /// The freezes of the cluster as they were read right before something is to be sent; before that, those
    /// that the request came with count.
    pub freezes: Option<Vec<Freeze>>,
    /// Whether each disruption budget that blocks the step in flight allows an eviction now.
    pub budgets_allow: Option<bool>,
    /// What Azure says of the operation in flight, when it was asked.
    pub operation: Option<OperationReport>,
    /// What the pool that is to be rolled back had before, when a decision asked for it.
    pub recently_used: Reading<Vec<RecentlyUsed>>,
}

impl Default for Observation {
    fn default() -> Self {
        Self {
            cluster: Err(Unreadable::NotAsked),
            offers: Err(Unreadable::NotAsked),
            server: Err(Unreadable::NotAsked),
            nodes: Err(Unreadable::NotAsked),
            inside: Err(Unreadable::NotAsked),
            workloads: Err(Unreadable::NotAsked),
            maintenance: Err(Unreadable::NotAsked),
            freezes: None,
            budgets_allow: None,
            operation: None,
            recently_used: Err(Unreadable::NotAsked),
        }
    }
}

/// What Azure says of an operation.
#[derive(Clone, Debug, PartialEq)]
pub struct OperationReport {
    /// Azure still works on it, although the resource does not show it.
    pub running: bool,
    /// Its error; an error in the body of a succeeded operation is none.
    pub failure: Option<Failure>,
}

/// What is to be read within a cluster, to see whether what Azure says of versions is so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// What its API server is.
    pub server: bool,
    /// Which nodes these pools have.
    pub pools: Vec<String>,
}

impl Look {
    /// Whether there is nothing to look at.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        !self.server && self.pools.is_empty()
    }
}

/// What was read within a cluster for a [`Look`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inside {
    /// What its API server says it is, if that was asked.
    pub server: Option<ServerVersion>,
    /// The nodes of each pool that was asked for.
    pub nodes: BTreeMap<String, Vec<Node>>,
}

impl Inside {
    /// Whether it tells all that a look is for.
    #[must_use]
    pub fn answers(&self, look: &Look) -> bool {
        (self.server.is_some() || !look.server) && look.pools.iter().all(|pool| self.nodes.contains_key(pool))
    }
}

/// What an API server says it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerVersion {
    /// The minor whose API it serves.
    pub minor: Minor,
    /// The build that runs, when it is named like a release. It may serve the API of an older minor.
    pub build: Option<KubernetesVersion>,
}

impl ServerVersion {
    /// Whether it serves an older minor, or is an older build.
    #[must_use]
    pub fn is_older_than(&self, version: &KubernetesVersion) -> bool {
        self.minor < version.minor() || self.build.as_ref().is_some_and(|build| build.is_older_than(version))
    }
}

impl fmt::Display for ServerVersion {
    /// The build, or the minor where that has no name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.build {
            Some(build) => build.fmt(f),
            None => self.minor.fmt(f),
        }
    }
}

/// A node of the target cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Version of its kubelet.
    pub kubelet: Option<KubernetesVersion>,
    /// Label `kubernetes.azure.com/node-image-version`.
    pub image: String,
    /// Condition Ready is True.
    pub ready: bool,
    /// Takes new pods.
    pub schedulable: bool,
    /// Label `kubernetes.azure.com/upgrade-status=Quarantined`.
    pub quarantined: bool,
    /// It is on its way out, or shut down: what it runs says nothing about its pool.
    pub leaving: bool,
}

/// A workload of the target cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workload {
    /// `Deployment`, `StatefulSet`, `DaemonSet` or `Job`.
    pub kind: &'static str,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// When it was created.
    pub created_at: Option<Timestamp>,
    /// What is wrong with it, in words; `None` when healthy.
    pub problem: Option<String>,
}

impl Workload {
    /// `Kind namespace/name`.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{} {}/{}", self.kind, self.namespace, self.name)
    }
}
