//! The table of classes, and the blockers of drains and upgrades.

use super::*;
use FailureClass::{Blocked, Bug, Busy, Failed, Transient};

fn failure(status: u16, code: &str, message: &str) -> Failure {
    Failure::new((status > 0).then_some(status), Some(code), None, message)
}

const BUSY_TEXT: &str = "Operation is not allowed: Another operation (Updating) is in progress, please wait.";
const NOT_OFFERED: &str =
    "Upgrading Kubernetes version 1.32.1 to 1.34.0 is not allowed. Available upgrades: [1.33.2].";
const CORES: &str = "Operation could not be completed as it results in exceeding approved Total Regional Cores quota. \
    Additional details - Location: westeurope, Current Limit: 100, Current Usage: 98, Additional Required: 8.";

#[test]
fn r8_classes_by_code_message_and_status() {
    let table = [
        (failure(429, "Throttled", "slow down"), Transient),
        (failure(429, "QuotaExceeded", "too many calls"), Transient),
        (failure(401, "InvalidAuthenticationToken", "expired"), Transient),
        (failure(500, "InternalServerError", "quota service is down"), Transient),
        (failure(502, "", "HTML body"), Transient),
        (failure(503, "SomethingNew", "later"), Transient),
        (failure(0, "", "connection reset"), Transient),
        (failure(0, "ZonalAllocationFailed", "no capacity"), Transient),
        (
            failure(0, "ReconcileVMSSAgentPoolFailed", "SubCode: OverconstrainedZonalAllocationRequest"),
            Transient,
        ),
        (failure(409, "OperationNotAllowed", BUSY_TEXT), Busy),
        (failure(400, "OperationNotAllowed", BUSY_TEXT), Busy),
        (failure(409, "OperationNotAllowed", "not now"), Busy),
        (failure(400, "OperationNotAllowed", NOT_OFFERED), Bug),
        (failure(409, "OperationNotAllowed", CORES), Blocked),
        (failure(400, "OperationNotAllowed", "the cluster is stopped"), Blocked),
        (failure(400, "OperationNotAllowed", "managed cluster is not currently running"), Blocked),
        (
            failure(
                400,
                "OperationNotAllowed",
                "is in Provisioning State(Updating) and Power State(Running)",
            ),
            Busy,
        ),
        (failure(400, "OperationNotAllowed", "Another agentpool operation (Scaling) is in progress"), Busy),
        (failure(409, "OperationNotAllowed", "deletion was issued on 'agentpool'"), Busy),
        (failure(400, "OperationNotAllowed", "PublicIPCountLimitReached: no more"), Blocked),
        (failure(409, "OperationNotAllowed", "Resource group 'g' is locked, please remove lock"), Blocked),
        (failure(400, "OperationNotAllowed", "something else"), Failed),
        (failure(409, "EtagMismatch", "Operation is not allowed: Another operation is in progress"), Busy),
        (failure(412, "PreconditionFailed", "the eTag does not match"), Busy),
        (failure(412, "", "empty body"), Busy),
        (failure(0, "NotLatestOperation", "preempted by another one"), Busy),
        (
            failure(
                0,
                "ResourceOperationFailure",
                "This operation has been preempted by Deleting operation.",
            ),
            Busy,
        ),
        (failure(0, "QuotaExceeded", "cores"), Blocked),
        (failure(400, "ErrCode_InsufficientVCPUQuota", "Insufficient vcpu quota requested 8"), Blocked),
        (failure(0, "CreateVMSSAgentPoolFailed", CORES), Blocked),
        (failure(403, "RequestDisallowedByPolicy", "no"), Blocked),
        (failure(403, "SomethingNew", "no"), Blocked),
        (failure(409, "ScopeLocked", "no"), Blocked),
        (failure(400, "UnsatisfiablePDB", "no"), Blocked),
        (failure(0, "UpgradeFailed", "evicting pod p failed with Too Many Requests error"), Blocked),
        (failure(0, "UpgradeFailed", "Drain of n did not complete in 30 minutes"), Failed),
        (failure(0, "VMExtensionProvisioningError", "exit status 50"), Failed),
        (failure(0, "OperationCanceled", "the operation was aborted"), Failed),
        (failure(404, "ResourceNotFound", "gone"), Failed),
        (failure(418, "Teapot", "short and stout"), Failed),
        (failure(409, "Teapot", "short and stout"), Failed),
        (failure(0, "Teapot", "short and stout"), Failed),
        (failure(400, "BadRequest", "AADSTS7000222: the client secret keys are expired"), Blocked),
        (failure(400, "BadRequest", "Pre-allocated IPs 276 exceeds IPs available 251 in Subnet"), Blocked),
        (failure(400, "PreconditionFailed", "Details: [{code: RequestDisallowedByPolicy}]"), Blocked),
        (failure(0, "", "no token: workload identity: AADSTS700016: no such application"), Blocked),
        (failure(0, "", "no token: workload identity: AADSTS90033: try again"), Transient),
        (failure(403, "DenyAssignmentAuthorizationFailed", "no"), Blocked),
        (failure(409, "AKSOperationPreemptedByDelete", "preempted"), Busy),
        (failure(400, "AksCapacityHeavyUsage", "heavy usage in the region"), Transient),
        (failure(400, "SKUNotAvailable", "not in this zone"), Blocked),
        (failure(400, "quotaexceeded", "spelled otherwise"), Blocked),
        (failure(400, "NodePoolMcVersionIncompatible", "newer than the control plane"), Bug),
        (failure(400, "AgentPoolK8sVersionNotSupported", "1.12.7"), Bug),
    ];
    for (failure, class) in table {
        assert_eq!(failure.class(), class, "{failure:?}");
    }
}

#[test]
fn of_two_codes_the_finer_one_counts_unless_the_coarse_one_says_that_it_was_tried() {
    let drain = "evicting pod p failed with Too Many Requests error";
    let policy = "Details: [{code: RequestDisallowedByPolicy}]";
    let table = [
        (400, "ValidationError", "UpgradeBlockedOnDeprecatedAPIUsage", "no", Blocked),
        (0, "UpgradeFailed", "InternalError", "a node did not come up", Failed),
        (0, "UpgradeFailed", "QuotaExceeded", "a node did not come up", Blocked),
        (0, "UpgradeFailed", "AllocationFailed", drain, Blocked),
        (400, "SubnetIsFull", "InternalError", "no", Blocked),
        (400, "K8sVersionNotSupported", "InternalError", "no", Bug),
        // A code for anything says nothing against a finer one that passes by itself.
        (400, "BadRequest", "AllocationFailed", "no", Transient),
        (400, "badrequest", "allocationfailed", "no", Transient),
        (400, "ErrCode_InvalidParameter", "ErrCode_ServerTimeout", "no", Transient),
        (400, "InvalidRequestContent", "AKSCapacityHeavyUsage", "no", Transient),
        (412, "PreconditionFailed", "VirtualNetworkNotInSucceededState", "no", Transient),
        // Nor against one of another kind.
        (400, "BadRequest", "QuotaExceeded", "no", Blocked),
        (400, "BadRequest", "NotLatestOperation", "no", Busy),
        (412, "PreconditionFailed", "K8sVersionNotSupported", "no", Bug),
        // What it wraps is in the message, and counts more than a finer code that passes by itself.
        (400, "BadRequest", "InternalError", policy, Blocked),
        (400, "InvalidParameter", "InternalError", "Another operation is in progress", Busy),
        // Two codes for anything, or a finer one that nobody knows, are still a code for anything.
        (400, "BadRequest", "InvalidParameter", "no", Bug),
        (400, "PreconditionFailed", "Teapot", "no", Busy),
        (400, "BadRequest", "", "no", Bug),
        (429, "BadRequest", "K8sVersionNotSupported", "no", Transient),
    ];
    for (status, code, subcode, message, class) in table {
        let failure = Failure::new((status > 0).then_some(status), Some(code), Some(subcode), message);
        assert_eq!(failure.class(), class, "{failure:?}");
    }
}

#[test]
fn drains_name_pods_budgets_and_nodes() {
    let message = "Drain node aks-user-1-vmss000002 failed when evicting pod cart-0 failed with Too Many Requests \
        error. Original error: Cannot evict pod as it would violate the pod's disruption budget.. PDB debug info: \
        shop/cart-0 blocked by pdb cart with 1 unready pods: [shop/cart-0].";
    let expected = [
        Blocker::DisruptionBudget {
            namespace: "shop".into(),
            name: "cart".into(),
            message: "allows no eviction of shop/cart-0".into(),
        },
        Blocker::Pod {
            namespace: "shop".into(),
            name: "cart-0".into(),
            node: Some("aks-user-1-vmss000002".into()),
        },
    ];
    assert_eq!(failure(0, "UpgradeFailed", message).blockers(), expected);
    let older = "Drain of aks-user-1-vmss000002 did not complete:\n\nToo many req pod cart-0 on node \
        aks-user-1-vmss000002:\n\nshop/cart-0 blocked by pdb cart with unready pods [].";
    assert_eq!(failure(0, "UpgradeFailed", older).blockers(), expected);
}

#[test]
fn drains_of_several_nodes_keep_their_pods_apart() {
    let message = "Drain of node aks-1 did not complete before its drain timeout. Blocked pods: pod shop/cart-0: \
        still running. Drain of node aks-2 did not complete. Blocked pods: pod shop/till-0 blocked by pdb shop/till: no";
    let failure = failure(0, "UpgradeFailed", message);
    let texts: Vec<String> = failure.blockers().iter().map(ToString::to_string).collect();
    let expected = [
        "disruption budget shop/till (allows no eviction of shop/till-0)",
        "pod shop/cart-0 on node aks-1",
        "pod shop/till-0 on node aks-2",
    ];
    assert_eq!(texts, expected);
    assert_eq!(failure.class(), Blocked);
}

#[test]
fn budgets_that_never_allow_an_eviction_are_all_named() {
    let message = "Upgrade is blocked due to invalid Pod Disruption Budgets (PDBs). Invalid PDBs details: 2 errors \
        occurred:\n\t* PDB shop/cart has minAvailable(1) >= expectedPods(1)  can't proceed with put operation\n\t* \
        PDB shop/till has maxUnavailable(0)  can't proceed with put operation\n";
    let budget = |name: &str, message: &str| Blocker::DisruptionBudget {
        namespace: "shop".into(),
        name: name.into(),
        message: message.into(),
    };
    let expected =
        [budget("cart", "minAvailable(1) >= expectedPods(1)"), budget("till", "maxUnavailable(0)")];
    assert_eq!(failure(400, "UnsatisfiablePDB", message).blockers(), expected);
}

#[test]
fn deprecated_apis_are_named_with_version_and_time() {
    let message = "Control Plane upgrade is blocked. Usage details: 1 error occurred:\n\t* usage has been detected on \
        API policy.podsecuritypolicies.v1beta1, and was recently seen at: 2026-11-20 20:57:18 +0000 UTC, which will \
        be removed in 1.25\n\n";
    let blockers = failure(400, "UpgradeBlockedOnDeprecatedAPIUsage", message).blockers();
    let text = "deprecated API policy.podsecuritypolicies.v1beta1, removed in 1.25, last used 2026-11-20 20:57:18 +0000 UTC";
    assert_eq!(blockers.iter().map(ToString::to_string).collect::<Vec<_>>(), [text]);
}

#[test]
fn everything_is_bounded() {
    let many: String = (0..100).map(|i| format!("PDB n/b{i} has x\n")).collect();
    let failure =
        Failure::new(Some(400), Some("UnsatisfiablePDB"), Some(""), &format!("{many}{}", "é".repeat(5000)));
    assert_eq!(failure.message.chars().count(), MESSAGE_LIMIT);
    assert_eq!(failure.subcode, None);
    assert!(failure.blockers().len() <= 16);
}

/// The API server warns of unsigned formats, and refuses lists and strings without bounds in CEL rules.
#[test]
fn schemas_suit_a_custom_resource() {
    let schemas =
        [schemars::schema_for!(Failure), schemars::schema_for!(Blocker)].map(|s| s.to_value().to_string());
    for schema in schemas {
        assert!(!schema.contains("uint"), "{schema}");
        assert_eq!(schema.matches("\"string\"").count(), schema.matches("\"maxLength\"").count(), "{schema}");
    }
}

/// Pieces of Azure's messages, among which anything may stand.
const MARKERS: &[&str] = &[
    "Drain node ",
    "evicting pod ",
    "Too many req pod ",
    " blocked by pdb ",
    "PDB ",
    " has ",
    "usage has been detected on API ",
    "removed in ",
    "exceeding approved ",
    " quota",
    "exceeding quota limits of ",
    "quota requested ",
    "remaining ",
    "Current Limit: ",
    "Cannot create more than ",
    "public IP",
    "Subnet Name ",
    " with address prefix ",
    "doesn't have enough capacity for ",
    "Pre-allocated IPs ",
    "scope(s) are locked: '",
    "/providers/Microsoft.Authorization/locks/",
    "Resource group '",
    " is locked",
    "disallowed by policy",
    "\"policyAssignment\":{\"name\":\"",
    "\\\"policyDefinition\\\":{\\\"name\\\":\\\"",
    "{\"policyAssignmentId\":\"",
    "policy assignment '",
    "', definition '",
    "perform action '",
    "does not have authorization to perform action '",
    "over scope '",
    "because of the deny assignment",
    "with object id '",
    "'",
    "é",
    "\n",
    "9223372036854775808",
];

proptest::proptest! {
    #[test]
    fn any_answer_has_a_class_and_bounded_blockers(
        status in proptest::option::of(0_u16..700),
        code in proptest::option::of(proptest::prop_oneof!["[A-Za-z_]{0,12}", ".{0,300}"]),
        known in 0..200_usize,
        pieces in proptest::collection::vec((".{0,40}", 0..MARKERS.len()), 0..40),
    ) {
        let codes: Vec<&str> = CODES.iter().chain(GENERIC).flat_map(|(_, codes)| codes.iter().copied()).collect();
        let message: String = pieces.iter().flat_map(|(text, at)| [text.as_str(), MARKERS[*at]]).collect();
        for subcode in [None, codes.get(known).copied(), Some("UpgradeFailed"), Some("OperationNotAllowed")] {
            checks::check(&Failure::new(status, code.as_deref(), subcode, &message));
        }
    }
}
