//! Refusals of Azure Resource Manager that come before AKS sees the call: policies and locks.

use serde_json::json;

use crate::{
    scenario::{DenyPolicy, Lock, LockLevel, LockScope},
    world::{
        call::{Call, Refusal},
        cluster::Cluster,
    },
};

/// Whether a policy or a lock is in the way of the call.
pub(crate) fn check_outside(cluster: &Cluster, call: &Call) -> Result<(), Refusal> {
    if call.is_read() {
        return Ok(());
    }
    if let Some(lock) = &cluster.constraints.lock
        && lock.level == LockLevel::ReadOnly
    {
        return Err(locked(cluster, lock, "write"));
    }
    let writes = matches!(call, Call::PutCluster { .. } | Call::PutPool { .. });
    match &cluster.constraints.policy {
        Some(policy) if writes => Err(disallowed(cluster, policy)),
        Some(_) | None => Ok(()),
    }
}

/// "Lock your Azure resources to protect your infrastructure".
fn locked(cluster: &Cluster, lock: &Lock, verb: &str) -> Refusal {
    let parts = cluster.id.split('/').collect::<Vec<_>>();
    let scope = match lock.scope {
        LockScope::Cluster => cluster.id.clone(),
        LockScope::ResourceGroup => parts.get(..5).unwrap_or_default().join("/"),
        LockScope::Subscription => parts.get(..3).unwrap_or_default().join("/"),
    };
    let message = format!(
        "The scope '{}' cannot perform {verb} operation because following scope(s) are locked: '{scope}'. Please \
         remove the lock and try again.",
        cluster.id
    );
    Refusal::arm(409, "ScopeLocked", message)
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
