//! The class of every recorded error and operation body, as a person would choose it.
//!
//! The recordings are not part of the project: `TIDEGATE_ARM_RECORDINGS` names their folder.

use std::collections::BTreeSet;

use serde_json::Value;

use super::*;
use FailureClass::{Blocked, Bug, Busy, Failed, Transient};

/// Code, subcode, a part of the message where the code says too little, class, and why where it surprises.
const RECORDED: &[(&str, &str, &str, FailureClass, &str)] = &[
    ("", "", "", Transient, "a page of HTML from a gateway"),
    ("AgentPoolK8sVersionNotSupported", "", "", Bug, ""),
    ("AuthorizationFailed", "", "", Blocked, ""),
    ("BadGatewayConnection", "", "", Transient, ""),
    ("BadRequest", "", "", Bug, "asking the same again does not help"),
    ("ContextDeadlineExceeded", "", "", Transient, "AKS gave up on a scale set, and goes on by itself"),
    ("CreatesNotAllowed", "", "", Failed, "not one of ours: an unknown code of a 400"),
    ("EntityStoreOperationError", "", "", Transient, ""),
    ("EtagMismatch", "", "", Busy, ""),
    ("EtagMismatch", "PutManagedClusterAndComponents_FailedPrecondition", "", Busy, "409 without If-Match"),
    ("GatewayTimeout", "", "", Transient, "whether Azure acted is for the executor to find out"),
    ("InternalServerError", "", "", Transient, ""),
    ("InvalidParameter", "", "", Bug, "asking the same again does not help"),
    ("NotFound", "", "", Failed, "the cluster may be gone: an attempt, and then held"),
    ("NotFound", "GetJWTAuthenticator_NotFound_HCPServerError", "", Failed, ""),
    ("NotFound", "GetMachine_NotFound_HCPServerError", "", Failed, ""),
    ("NotFound", "GetManagedCluster_NotFound", "", Failed, ""),
    ("NotFound", "GetManagedCluster_NotFound_HCPServerError", "", Failed, ""),
    ("NotFound", "GetNamespace_NotFound_HCPServerError", "", Failed, ""),
    ("NotFound", "GetTrustedAccessRoleBinding_NotFound", "", Failed, ""),
    ("NotLatestOperation", "", "", Busy, "another operation came first"),
    ("OperationNotAllowed", "", "Available upgrades", Bug, "not offered, under the code for busy"),
    ("OperationNotAllowed", "", "deletion was issued", Busy, ""),
    ("OverlaymgrReconcileError", "", "", Transient, "inside running and succeeded operations"),
    ("PrincipalNotFound", "", "", Blocked, "somebody must make the identity"),
    ("ReconcileControlPlaneCertificatesError", "", "", Transient, "AKS goes on by itself"),
    ("ReconcilePortalDNSError", "", "", Transient, "AKS goes on by itself"),
    ("ResourceNotFound", "", "", Failed, ""),
    ("ResourceOperationFailure", "", "preempted by", Busy, "only a detail says it"),
    ("RoleAssignmentExists", "", "", Failed, "not one of ours: an unknown code of a 409"),
    ("ServicePrincipalNotFound", "", "", Blocked, "somebody must renew the cluster's identity"),
    ("ServicePrincipalNotFound", "ServicePrincipalNotFound", "", Blocked, ""),
    ("ValidationError", "UpgradeBlockedOnDeprecatedAPIUsage", "", Blocked, "the finer code decides"),
];

#[test]
fn r8_every_recorded_error_has_the_class_that_a_person_would_choose() {
    let Some(folder) = std::env::var_os("TIDEGATE_ARM_RECORDINGS").map(std::path::PathBuf::from) else {
        eprintln!("skipped: no recordings");
        return;
    };
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let lines = |name: &str| {
        read(name).lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>()
    };
    let mut recorded = lines("unique_error_responses.jsonl");
    recorded.extend(lines("unique_operation_status_bodies.jsonl"));
    recorded
        .extend(serde_json::from_str::<Vec<Value>>(&read("error_bodies_from_docs_and_issues.json")).unwrap());
    let (mut seen, mut used) = (0, BTreeSet::new());
    for entry in recorded {
        let Some(failure) = recorded_failure(&entry) else { continue };
        seen += 1;
        let (code, subcode) =
            (failure.code.as_deref().unwrap_or(""), failure.subcode.as_deref().unwrap_or(""));
        let row = RECORDED
            .iter()
            .position(|(c, s, part, ..)| (*c, *s) == (code, subcode) && failure.message.contains(part));
        let row = row.unwrap_or_else(|| panic!("{failure:?} is not in the table"));
        used.insert(row);
        let expected = RECORDED[row].3;
        assert_eq!(failure.class(), expected, "{failure:?}");
        assert_eq!(failure.blockers().is_empty(), expected != Blocked, "{failure:?}");
    }
    assert!(seen >= 45, "only {seen} bodies");
    let unused: Vec<_> =
        (0..RECORDED.len()).filter(|row| !used.contains(row)).map(|row| RECORDED[row]).collect();
    assert!(unused.is_empty(), "not recorded: {unused:?}");
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
