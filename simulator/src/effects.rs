//! What the world asks of whoever carries out its effects, and what comes back.
//!
//! The world is sans-I/O: it says "drain this node" and is told later how that went.
//! A driver on a real API server answers with what really happened; the model
//! without a driver answers at once.

use jiff::Timestamp;

/// Numbers one effect of one world; an outcome carries the same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EffectId(pub u64);

/// A simulated cluster: its lower-cased ARM id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClusterKey(pub String);

/// One thing that happens to a cluster's API server, nodes or pods.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// A node joins: created with these properties, then Ready.
    CreateNode(Node),
    /// The node takes no new pods.
    CordonNode {
        /// Name of the node.
        node: String,
    },
    /// The node takes pods again.
    UncordonNode {
        /// Name of the node.
        node: String,
    },
    /// Every pod that is not a DaemonSet's or a mirror pod is evicted, honouring
    /// disruption budgets, until the node is empty or the deadline has passed.
    DrainNode {
        /// Name of the node.
        node: String,
        /// Instant (of the simulated clock) at which a blocked drain is given up.
        deadline: Timestamp,
        /// Pods that a disruption budget protects are deleted instead.
        force: bool,
    },
    /// A drain of the node that is still trying gives up; the node stays as it is.
    StopDrain {
        /// Name of the node.
        node: String,
    },
    /// The node comes back under its own name with these properties, Ready.
    ReimageNode(Node),
    /// The node drained in vain and stays cordoned, labelled as quarantined.
    QuarantineNode {
        /// Name of the node.
        node: String,
    },
    /// The node leaves.
    DeleteNode {
        /// Name of the node.
        node: String,
    },
    /// The API server goes away and comes back at this version.
    UpgradeControlPlane {
        /// The full version, for example `1.34.4`.
        version: String,
    },
}

/// What a Node object of the real cluster shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Name of the node, as AKS names them.
    pub name: String,
    /// Name of the node pool.
    pub pool: String,
    /// `System` or `User`.
    pub mode: String,
    /// `Linux` or `Windows`.
    pub os_type: String,
    /// For example `Ubuntu2204` or `Windows2022`.
    pub os_sku: String,
    /// For example `Standard_D4s_v5`.
    pub vm_size: String,
    /// Azure region.
    pub location: String,
    /// The kubelet's version without the leading v, for example `1.34.4`.
    pub kubernetes_version: String,
    /// Value of the label `kubernetes.azure.com/node-image-version`.
    pub node_image: String,
    /// Value of `spec.providerID`.
    pub provider_id: String,
    /// Labels and taints that the pool adds.
    pub labels: std::collections::BTreeMap<String, String>,
    /// Taints as AKS writes them: `key=value:Effect`.
    pub taints: Vec<String>,
}

/// How an effect went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Carried out; nodes that should be Ready are.
    Done,
    /// The drain's deadline passed with these pods still there.
    DrainBlocked(Vec<BlockedPod>),
    /// It could not be done, for a reason that a person can read.
    Failed(String),
}

/// A pod that could not be evicted, with the budget that refused it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BlockedPod {
    /// Namespace of the pod.
    pub namespace: String,
    /// Name of the pod.
    pub pod: String,
    /// Name of the PodDisruptionBudget that refused, when one did.
    pub budget: Option<String>,
    /// The API server's words.
    pub message: String,
}
