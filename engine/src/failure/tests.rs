//! The table of classes, the blockers in messages, and the recorded bodies.

use serde_json::Value;

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
fn classes_by_code_message_and_status() {
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
        (failure(400, "NodePoolMcVersionIncompatible", "newer than the control plane"), Bug),
        (failure(400, "AgentPoolK8sVersionNotSupported", "1.12.7"), Bug),
    ];
    for (failure, class) in table {
        assert_eq!(failure.class(), class, "{failure:?}");
    }
    let finer =
        Failure::new(Some(400), Some("ValidationError"), Some("UpgradeBlockedOnDeprecatedAPIUsage"), "no");
    assert_eq!(finer.class(), Blocked);
    let failed = Failure::new(None, Some("UpgradeFailed"), Some("InternalError"), "a node did not come up");
    assert_eq!(failed.class(), Failed);
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
fn other_blockers_are_named_as_far_as_azure_does() {
    let table = [
        (
            failure(409, "OperationNotAllowed", CORES),
            "quota Total Regional Cores, limit 100, used 98, needed 8",
        ),
        (
            failure(
                400,
                "InsufficientVCPUQuota",
                "Insufficient vcpu quota requested 8, remaining 4 for family F for region R.",
            ),
            "quota vCPUs of F, needed 8",
        ),
        (
            failure(
                0,
                "SubnetIsFull",
                "Subnet nodes with address prefix 10.0.0.0/24 does not have enough capacity for 3 IP addresses.",
            ),
            "subnet nodes: Subnet nodes with address prefix 10.0.0.0/24 does not have enough capacity for 3 IP addresses.",
        ),
        (
            failure(
                409,
                "ScopeLocked",
                "The scope 'c' cannot perform write operation because following scope(s) are locked: '/g/locks/l'. Please remove the lock.",
            ),
            "lock /g/locks/l",
        ),
        (
            failure(
                403,
                "RequestDisallowedByPolicy",
                r#"Resource 'c' was disallowed by policy. Policy identifiers: '[{"policyAssignment":{"name":"tags","id":"/x"}}]'."#,
            ),
            r#"policy tags: Resource 'c' was disallowed by policy. Policy identifiers: '[{"policyAssignment":{"name":"tags","id":"/x"}}]'."#,
        ),
        (
            failure(
                403,
                "AuthorizationFailed",
                "The client 'x' does not have authorization to perform action 'A/write' over scope '/s' or the scope is invalid.",
            ),
            "missing permission A/write on /s",
        ),
        (
            failure(
                403,
                "LinkedAuthorizationFailed",
                "The client 'x' has permission to perform action 'A/write' on scope '/s'; however, it does not have permission to perform action 'B/join' on the linked scope(s) '/t' or the linked scope(s) are invalid.",
            ),
            "missing permission B/join on /t",
        ),
        (failure(400, "SkuNotAvailable", "not in this region"), "not in this region"),
    ];
    for (failure, text) in table {
        let blockers = failure.blockers();
        assert_eq!(blockers.iter().map(ToString::to_string).collect::<Vec<_>>(), [text]);
        let json = serde_json::to_string(&blockers).unwrap();
        assert_eq!(serde_json::from_str::<Vec<Blocker>>(&json).unwrap(), blockers);
    }
    assert_eq!(failure(429, "Throttled", "slow down").blockers(), []);
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

proptest::proptest! {
    #[test]
    fn no_message_is_too_strange(code in "[A-Za-z]{0,12}", message in ".{0,200}", marker in 0..8_usize) {
        let markers = ["Drain node ", "evicting pod ", " blocked by pdb ", "PDB ", "Too many req pod ",
            "usage has been detected on API ", "exceeding approved ", "Subnet "];
        let failure = failure(400, &code, &format!("{message}{}{message}", markers[marker]));
        let _ = (failure.class(), failure.blockers());
    }
}

/// Every code that occurs in the recordings; what is not here must be 5xx or without a code.
const RECORDED: &[(&str, &str, FailureClass)] = &[
    ("AgentPoolK8sVersionNotSupported", "", Bug),
    ("AuthorizationFailed", "", Blocked),
    ("BadGatewayConnection", "", Transient),
    ("BadRequest", "", Bug),
    ("ContextDeadlineExceeded", "", Transient),
    ("CreatesNotAllowed", "", Failed),
    ("EntityStoreOperationError", "", Transient),
    ("EtagMismatch", "", Busy),
    ("EtagMismatch", "PutManagedClusterAndComponents_FailedPrecondition", Busy),
    ("GatewayTimeout", "", Transient),
    ("InternalServerError", "", Transient),
    ("InvalidParameter", "", Bug),
    ("NotFound", "", Failed),
    ("NotFound", "GetJWTAuthenticator_NotFound_HCPServerError", Failed),
    ("NotFound", "GetMachine_NotFound_HCPServerError", Failed),
    ("NotFound", "GetManagedCluster_NotFound", Failed),
    ("NotFound", "GetManagedCluster_NotFound_HCPServerError", Failed),
    ("NotFound", "GetNamespace_NotFound_HCPServerError", Failed),
    ("NotFound", "GetTrustedAccessRoleBinding_NotFound", Failed),
    ("NotLatestOperation", "", Busy),
    ("OverlaymgrReconcileError", "", Transient),
    ("PrincipalNotFound", "", Blocked),
    ("ReconcileControlPlaneCertificatesError", "", Transient),
    ("ReconcilePortalDNSError", "", Transient),
    ("ResourceNotFound", "", Failed),
    ("ResourceOperationFailure", "", Busy),
    ("RoleAssignmentExists", "", Failed),
    ("ServicePrincipalNotFound", "", Blocked),
    ("ServicePrincipalNotFound", "ServicePrincipalNotFound", Blocked),
    ("ValidationError", "UpgradeBlockedOnDeprecatedAPIUsage", Blocked),
];

#[test]
fn every_recorded_error_has_the_expected_class() {
    let Some(folder) = std::env::var_os("TIDEGATE_ARM_RECORDINGS").map(std::path::PathBuf::from) else {
        eprintln!("skipped: no recordings");
        return;
    };
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let lines = |name: &str| -> Vec<Value> {
        read(name).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let mut recorded = lines("unique_error_responses.jsonl");
    recorded.extend(lines("unique_operation_status_bodies.jsonl"));
    recorded
        .extend(serde_json::from_str::<Vec<Value>>(&read("error_bodies_from_docs_and_issues.json")).unwrap());
    let mut seen = 0;
    for entry in recorded {
        let Some(failure) = recorded_failure(&entry) else { continue };
        seen += 1;
        let code = failure.code.clone().unwrap_or_default();
        let subcode = failure.subcode.clone().unwrap_or_default();
        let expected = match code.as_str() {
            "OperationNotAllowed" if failure.message.contains("Available upgrades") => Bug,
            "OperationNotAllowed" => Busy,
            "" => Transient,
            _ => {
                let known = RECORDED.iter().find(|(c, s, _)| *c == code && *s == subcode);
                known.unwrap_or_else(|| panic!("{code}/{subcode} is not in the list")).2
            }
        };
        assert_eq!(failure.class(), expected, "{code}/{subcode}");
        assert_eq!(failure.blockers().is_empty(), expected != Blocked, "{code}/{subcode}");
    }
    assert!(seen > 40, "only {seen} bodies");
}

/// The failure in a recorded body: either JSON shape, or no JSON at all.
fn recorded_failure(entry: &Value) -> Option<Failure> {
    let status = entry["status"].as_u64().and_then(|status| u16::try_from(status).ok()).filter(|s| *s >= 400);
    let body = &entry["body"];
    let body = body.as_str().map_or(body.clone(), |text| serde_json::from_str(text).unwrap_or(Value::Null));
    let error = body.get("error").unwrap_or(&body);
    if status.is_none() && error.get("code").is_none() {
        return None;
    }
    let text = |name: &str| error.get(name).and_then(Value::as_str);
    let message = [text("message").unwrap_or_default(), &error["details"].to_string()].join("; ");
    Some(Failure::new(status, text("code"), text("subcode"), &message))
}
