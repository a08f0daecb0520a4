//! The errors that AKS writes into the body of a failed operation.

use serde_json::{Value, json};

use crate::{
    effects::BlockedPod,
    scenario::{FaultError, Subnet},
};

/// The scenario's own error.
pub(crate) fn scripted(error: &FaultError) -> Value {
    let FaultError { code, subcode, message } = error;
    json!({ "code": code, "subcode": subcode, "message": message })
}

/// A step that could not be carried out.
pub(crate) fn broken(message: &str) -> Value {
    json!({
        "code": "UpgradeFailed",
        "subcode": "InternalError",
        "message": format!("The upgrade could not be completed: {message}"),
    })
}

/// A drain that ran into its deadline ("Troubleshoot UpgradeFailed errors due to eviction failures
/// caused by PDBs").
pub(crate) fn blocked_drain(pool: &str, node: &str, pods: &[BlockedPod]) -> Value {
    let by_budget = pods.iter().any(|pod| pod.budget.is_some());
    let subcode = if by_budget { "UnsatisfiablePDB" } else { "DrainTimeout" };
    let sentences = pods.iter().map(|pod| refused_eviction(node, pod)).collect::<Vec<_>>();
    let message = if sentences.is_empty() {
        format!("Drain of node {node} in agent pool {pool} did not complete before its drain timeout.")
    } else {
        sentences.join(" ")
    };
    let details = pods
        .iter()
        .map(|pod| json!({ "code": subcode, "message": blocked_pod(pod), "target": format!("{}/{}", pod.namespace, pod.pod) }))
        .collect::<Vec<_>>();
    json!({ "code": "UpgradeFailed", "subcode": subcode, "message": message, "details": details })
}

fn refused_eviction(node: &str, blocked: &BlockedPod) -> String {
    let BlockedPod { namespace, pod, budget, message } = blocked;
    match budget {
        Some(budget) => format!(
            "Drain node {node} failed when evicting pod {pod} failed with Too Many Requests error. This is often \
             caused by a restrictive Pod Disruption Budget (PDB) policy. See https://aka.ms/aks/debugdrainfailures. \
             Original error: {message}. PDB debug info: {namespace}/{pod} blocked by pdb {budget} with 0 unready pods."
        ),
        None => format!(
            "Drain of node {node} did not complete before its drain timeout. Blocked pods: pod {namespace}/{pod}: \
             {message}"
        ),
    }
}

/// An upgrade that ended with nodes left behind in quarantine.
pub(crate) fn quarantined(pool: &str, nodes: &[(String, Vec<BlockedPod>)]) -> Value {
    let names = nodes.iter().map(|(node, _)| node.as_str()).collect::<Vec<_>>().join(", ");
    let details = nodes
        .iter()
        .flat_map(|(node, pods)| pods.iter().map(move |pod| (node, pod)))
        .map(|(node, pod)| json!({ "code": "UndrainableNode", "message": blocked_pod(pod), "target": node }))
        .collect::<Vec<_>>();
    json!({
        "code": "UpgradeFailed",
        "subcode": "UndrainableNodesQuarantined",
        "message": format!("Agent pool {pool} was upgraded except for nodes that could not be drained: {names}. They are cordoned and labeled kubernetes.azure.com/upgrade-status=Quarantined."),
        "details": details,
    })
}

/// No address is left for a surge node ("Troubleshoot the SubnetIsFull error code").
pub(crate) fn subnet_is_full(pool: &str, subnet: &Subnet) -> Value {
    let Subnet { name, prefix, free_addresses: _ } = subnet;
    json!({
        "code": "SubnetIsFull",
        "subcode": "",
        "message": format!(
            "Failed to scale node pool '{pool}'. Error: VMSSAgentPoolReconciler retry failed: Code='SubnetIsFull' \
             Message='Subnet {name} with address prefix {prefix} does not have enough capacity for IP addresses.' \
             Details=[]"
        ),
    })
}

fn blocked_pod(pod: &BlockedPod) -> String {
    let BlockedPod { namespace, pod, budget, message } = pod;
    match budget {
        Some(budget) => format!("pod {namespace}/{pod} blocked by pdb {namespace}/{budget}: {message}"),
        None => format!("pod {namespace}/{pod}: {message}"),
    }
}
