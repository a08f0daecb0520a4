//! What was seen at one moment, and what could not be seen.

use jiff::Timestamp;

use crate::{
    cluster::Cluster,
    failure::Failure,
    offers::Offers,
    version::{KubernetesVersion, Minor},
};

/// What was read, or why it could not be.
pub type Reading<T> = Result<T, Unreadable>;

/// Something could not be read. Never a pass, never a failure: nothing is known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(pub String);

impl Unreadable {
    /// It was not needed for this decision.
    #[must_use]
    pub fn not_asked() -> Self {
        Self("not read".to_owned())
    }

    /// What was to be read does not exist in Azure.
    #[must_use]
    pub fn gone() -> Self {
        Self("it does not exist in Azure".to_owned())
    }

    /// Whether that is what is known.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        *self == Self::gone()
    }
}

/// Everything that one decision about one cluster looks at.
#[derive(Clone, Debug)]
pub struct Observation {
    /// The cluster in Azure.
    pub cluster: Reading<Cluster>,
    /// What Azure offers it.
    pub offers: Reading<Offers>,
    /// The minor that its API server says it is.
    pub server: Reading<Minor>,
    /// The nodes of the pool in flight.
    pub nodes: Reading<Vec<Node>>,
    /// Its workloads.
    pub workloads: Reading<Vec<Workload>>,
    /// Whether each disruption budget that blocks the step in flight allows an eviction now.
    pub budgets_allow: Option<bool>,
    /// What Azure says of the operation in flight, when it was asked.
    pub operation: Option<OperationReport>,
}

impl Default for Observation {
    fn default() -> Self {
        Self {
            cluster: Err(Unreadable::not_asked()),
            offers: Err(Unreadable::not_asked()),
            server: Err(Unreadable::not_asked()),
            nodes: Err(Unreadable::not_asked()),
            workloads: Err(Unreadable::not_asked()),
            budgets_allow: None,
            operation: None,
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
