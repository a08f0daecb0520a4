//! The errors that AKS writes into the body of a failed operation.

use serde_json::{Value, json};

use crate::{effects::BlockedPod, scenario::FaultError};

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

/// A drain that ran into its deadline.
pub(crate) fn blocked_drain(pool: &str, node: &str, pods: &[BlockedPod]) -> Value {
    let named = pods.iter().map(blocked_pod).collect::<Vec<_>>();
    let by_budget = pods.iter().any(|pod| pod.budget.is_some());
    let (subcode, cause) = if by_budget {
        ("UnsatisfiablePDB", "This is often caused by a restrictive Pod Disruption Budget (PDB) policy.")
    } else {
        ("DrainTimeout", "Pods did not terminate before the drain timeout.")
    };
    let message = format!(
        "Drain of node {node} in agent pool {pool} did not complete before its drain timeout. {cause} \
         See https://aka.ms/aks/debugdrainfailures. Blocked pods: {}",
        named.join("; ")
    );
    let details = pods
        .iter()
        .map(|pod| json!({ "code": subcode, "message": blocked_pod(pod), "target": format!("{}/{}", pod.namespace, pod.pod) }))
        .collect::<Vec<_>>();
    json!({ "code": "UpgradeFailed", "subcode": subcode, "message": message, "details": details })
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

fn blocked_pod(pod: &BlockedPod) -> String {
    let BlockedPod { namespace, pod, budget, message } = pod;
    match budget {
        Some(budget) => format!("pod {namespace}/{pod} blocked by pdb {namespace}/{budget}: {message}"),
        None => format!("pod {namespace}/{pod}: {message}"),
    }
}
