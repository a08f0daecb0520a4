//! Refusals of Azure Resource Manager that come before AKS sees the call: policies. Locks are among what
//! [`super::super::manager`] keeps.

use serde_json::json;

use crate::{
    scenario::DenyPolicy,
    world::{
        call::{Call, Refusal},
        resources::cluster::Cluster,
    },
};

/// Whether a policy is in the way of the call.
pub(crate) fn check_policies(cluster: &Cluster, call: &Call) -> Result<(), Refusal> {
    if call.is_read() {
        return Ok(());
    }
    let writes = matches!(call, Call::PutCluster { .. } | Call::PatchCluster { .. } | Call::PutPool { .. });
    match &cluster.constraints.policy {
        Some(policy) if writes => Err(disallowed(cluster, policy)),
        Some(_) | None => Ok(()),
    }
}

/// "Troubleshoot the RequestDisallowedByPolicy error code".
fn disallowed(cluster: &Cluster, policy: &DenyPolicy) -> Refusal {
    let DenyPolicy { assignment, definition } = policy;
    let base = format!("/subscriptions/{}/providers/Microsoft.Authorization", cluster.subscription);
    let assignment_id = format!("{base}/policyAssignments/{assignment}");
    let definition_id = format!("{base}/policyDefinitions/{definition}");
    let identifiers = json!([{
        "policyAssignment": { "name": assignment, "id": assignment_id },
        "policyDefinition": { "name": definition, "id": definition_id },
    }]);
    let message =
        format!("Resource '{}' was disallowed by policy. Policy identifiers: '{identifiers}'.", cluster.name);
    let mut refusal = Refusal::arm(403, "RequestDisallowedByPolicy", message);
    refusal.body["error"]["target"] = json!(cluster.name);
    refusal.body["error"]["additionalInfo"] = json!([{
        "type": "PolicyViolation",
        "info": {
            "policyDefinitionDisplayName": definition,
            "policyDefinitionId": definition_id,
            "policyDefinitionName": definition,
            "policyDefinitionEffect": "deny",
            "policyAssignmentDisplayName": assignment,
            "policyAssignmentId": assignment_id,
            "policyAssignmentName": assignment,
            "policyAssignmentScope": format!("/subscriptions/{}", cluster.subscription),
        },
    }]);
    refusal
}
