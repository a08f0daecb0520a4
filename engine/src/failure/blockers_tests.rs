//! What stands in the way, out of messages built like Azure's: quota, subnet, lock, policy, permission.
//!
//! Sources of the forms: the AKS error code articles on Microsoft Learn, and Azure/AKS#211, #1795, #2119,
//! #3291, Azure/azure-policy#1185, Azure/azure-sdk-for-java#2560, AKS-Construction#701.

use super::*;

fn failure(status: u16, code: &str, message: &str) -> Failure {
    Failure::new((status > 0).then_some(status), Some(code), None, message)
}

/// Each is blocked, by what the texts say, and comes back from where it is stored.
fn check(table: &[(Failure, &[&str])]) {
    for (failure, texts) in table {
        let blockers = failure.blockers();
        assert_eq!(blockers.iter().map(ToString::to_string).collect::<Vec<_>>(), *texts, "{failure:?}");
        assert_eq!(failure.class(), FailureClass::Blocked, "{failure:?}");
        let json = serde_json::to_string(&blockers).unwrap();
        assert_eq!(serde_json::from_str::<Vec<Blocker>>(&json).unwrap(), blockers);
    }
}

#[test]
fn quotas_with_their_names_and_numbers() {
    let compute = "Operation could not be completed as it results in exceeding approved standardDSv5Family Cores \
        quota. Additional details - Deployment Model: Resource Manager, Location: westeurope, Current Limit: 100, \
        Current Usage: 98, Additional Required: 8, (Minimum) New Limit Required: 106.";
    let wrapped =
        format!("VMSSAgentPoolReconciler retry failed: Code=\"OperationNotAllowed\" Message=\"{compute}\"");
    check(&[
        (
            failure(409, "OperationNotAllowed", compute),
            &["quota standardDSv5Family Cores, limit 100, used 98, needed 8"],
        ),
        (
            failure(0, "ReconcileVMSSAgentPoolFailed", &wrapped),
            &["quota standardDSv5Family Cores, limit 100, used 98, needed 8"],
        ),
        (
            failure(
                0,
                "QuotaExceeded",
                "Operation results in exceeding quota limits of Core. Maximum allowed: 450, Current in use: 449, Additional requested: 8.",
            ),
            &["quota Core, limit 450, used 449, needed 8"],
        ),
        (
            failure(
                400,
                "ErrCode_InsufficientVCPUQuota",
                "Insufficient vcpu quota requested 8, remaining 4 for family standardDv5Family for region westeurope.",
            ),
            &["quota vCPUs of standardDv5Family, left 4, needed 8"],
        ),
        (
            failure(
                400,
                "PublicIPCountLimitReached",
                "Cannot create more than 10 public IP addresses for this subscription in this region.",
            ),
            &["quota public IP addresses, limit 10"],
        ),
        (failure(409, "QuotaExceeded", "no words"), &["quota"]),
    ]);
}

#[test]
fn subnets_with_what_is_missing() {
    let full =
        "Subnet nodes with address prefix 10.0.0.0/24 does not have enough capacity for 31 IP addresses.";
    let other = "VMSSAgentPoolReconciler retry failed: Code='SubnetIsFull' Message='nodes with address prefix \
        10.0.0.0/24 doesn't have enough capacity for IP addresses.' Details=[]";
    let ahead = "Pre-allocated IPs 276 exceeds IPs available 251 in Subnet Cidr 10.0.0.0/24, Subnet Name nodes. \
        The autoscaler counts.";
    let older = "Pre-allocated IPs 276 exceeds IPs available 251 in Subnet Cidr 10.0.0.0/24";
    check(&[
        (failure(0, "SubnetIsFull", full), &[&format!("subnet nodes: {full}")]),
        (failure(0, "ReconcileVMSSAgentPoolFailed", other), &[&format!("subnet nodes: {other}")]),
        (
            failure(400, "InsufficientSubnetSize", ahead),
            &["subnet nodes, addresses needed 276, available 251"],
        ),
        (failure(400, "BadRequest", older), &["subnet 10.0.0.0/24, addresses needed 276, available 251"]),
        (failure(400, "SubnetIsFull", "no words"), &["subnet: no words"]),
    ]);
    let blockers = failure(0, "SubnetIsFull", full).blockers();
    assert!(matches!(&blockers[..], [Blocker::Subnet { needed: Some(31), available: None, .. }]));
}

#[test]
fn locks_with_their_scopes() {
    let locked = |scopes: &str| {
        let message = format!(
            "The scope '/s/c' cannot perform write operation because following scope(s) are locked: '{scopes}'. \
             Please remove the lock and try again."
        );
        failure(409, "ScopeLocked", &message)
    };
    check(&[
        (locked("/subscriptions/s/resourceGroups/shop"), &["lock on /subscriptions/s/resourceGroups/shop"]),
        (
            locked("/subscriptions/s,/subscriptions/s/resourceGroups/shop"),
            &["lock on /subscriptions/s", "lock on /subscriptions/s/resourceGroups/shop"],
        ),
        (
            locked("/subscriptions/s/resourceGroups/shop/providers/Microsoft.Authorization/locks/audit"),
            &["lock audit on /subscriptions/s/resourceGroups/shop"],
        ),
        (
            failure(
                0,
                "SomethingFailed",
                "Resource group 'MC_shop' under subscription: 's' is locked, please remove lock and retry.",
            ),
            &["lock on MC_shop"],
        ),
        (failure(409, "ScopeLocked", "no words"), &["lock on no words"]),
    ]);
}

#[test]
fn policies_by_assignment_and_definition() {
    let named = r#"Resource 'aks-1-vmss' was disallowed by policy. Policy identifiers: '[{"policyAssignment":{"name":"Tags","id":"/s/policyAssignments/0a1b"},"policyDefinition":{"name":"Require a tag","id":"/d/tag","version":"1.0.0"}},{"policyAssignment":{"name":"Sizes","id":"/s/policyAssignments/2c3d"}}]'."#;
    let escaped = format!(
        "The deployment failed. Details: [{{\"code\":\"RequestDisallowedByPolicy\",\"message\":{named:?}}}]"
    );
    let ids = r#"Resource 'nic-0' was disallowed by policy. Policy identifiers: '[{"policyDefinitionId":"/s/policyDefinitions/nsg","policyAssignmentId":"/s/policyAssignments/Enforce NSG"}]'."#;
    let beside = "Resource 'c' was disallowed by policy. Reasons: 'no tag'. See error details for policy resource IDs.; \
        policy assignment 'Tags', definition 'tag'; policy assignment 'Sizes'; policy assignment 'Zones', definition 'z'";
    let both: &[&str] = &["policy Tags (definition Require a tag)", &format!("policy Sizes: {named}")];
    check(&[
        (failure(403, "RequestDisallowedByPolicy", named), both),
        (
            failure(400, "PreconditionFailed", &escaped),
            &[
                "policy Tags (definition Require a tag)",
                &format!("policy Sizes: {}", failure(0, "", &escaped).message),
            ],
        ),
        (failure(403, "RequestDisallowedByPolicy", ids), &["policy Enforce NSG (definition nsg)"]),
        (
            failure(403, "RequestDisallowedByPolicy", beside),
            &[
                "policy Tags (definition tag)",
                &format!("policy Sizes: {beside}"),
                "policy Zones (definition z)",
            ],
        ),
        (failure(403, "RequestDisallowedByPolicy", "no words"), &["policy: no words"]),
    ]);
}

#[test]
fn permissions_with_action_scope_and_identity() {
    check(&[
        (
            failure(
                403,
                "AuthorizationFailed",
                "The client 'app' with object id 'o-1' does not have authorization to perform action 'A/write' over scope '/s' or the scope is invalid.",
            ),
            &["missing permission A/write on /s for identity o-1"],
        ),
        (
            failure(
                403,
                "LinkedAuthorizationFailed",
                "The client 'app' with object id 'o-1' has permission to perform action 'A/write' on scope '/s'; however, it does not have permission to perform action 'B/join/action' on the linked scope(s) '/t' or the linked scope(s) are invalid.",
            ),
            &["missing permission B/join/action on /t for identity o-1"],
        ),
        (
            failure(
                403,
                "DenyAssignmentAuthorizationFailed",
                "The client 'app' has permission to perform action 'A/write' on scope '/s'; however, the access is denied because of the deny assignment with name 'D' and Id 'i' at scope '/s'.",
            ),
            &["missing permission A/write on /s for identity app"],
        ),
        (failure(403, "AuthorizationFailed", "no words"), &["no words"]),
    ]);
}

#[test]
fn what_only_the_message_describes_is_the_message() {
    check(&[
        (failure(400, "SkuNotAvailable", "not in this region"), &["not in this region"]),
        (
            failure(400, "BadRequest", "AADSTS7000222: the client secret keys are expired"),
            &["AADSTS7000222: the client secret keys are expired"],
        ),
    ]);
    assert_eq!(failure(429, "Throttled", "slow down").blockers(), []);
}
