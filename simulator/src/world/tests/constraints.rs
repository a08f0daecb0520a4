//! Refusals that have their reason outside the cluster: quotas, subnets, policies, locks, and the
//! scenario.

use super::*;

const POOL: &str = "kubernetesVersion: 1.36.2, pools: [{ name: apps, count: 3, maxSurge: '2', vmSize: Standard_D8s_v5, kubernetesVersion: 1.34.2 }]";

/// Three nodes use 24 virtual CPUs.
fn with_quota(vcpus: u32, fields: &str) -> Script {
    let general = format!("quotas: [{{ subscription: S, location: WestEurope, vcpus: {vcpus} }}]");
    Script::whole(&general, fields)
}

#[test]
fn an_upgrade_needs_quota_for_its_surge_nodes() {
    let mut script = with_quota(39, POOL);
    let answer = script.upgrade_pool("apps", "1.34.4");
    assert_refused(&answer, 400, "ErrCode_InsufficientVCPUQuota", "requested 16, remaining 15");
    assert_refused(&answer, 400, "ErrCode_InsufficientVCPUQuota", "standardDSv5Family");
    let image = script.call(Call::UpgradeNodeImage { pool: pool("apps") });
    assert_refused(&image, 400, "ErrCode_InsufficientVCPUQuota", "Surge nodes");
    assert_eq!(with_quota(40, POOL).upgrade_pool("apps", "1.34.4").status, 200);
}

#[test]
fn from_1_35_on_one_surge_node_is_enough_when_there_is_no_quota_for_more() {
    let mut script = with_quota(32, POOL);
    let answer = script.upgrade_pool("apps", "1.35.3");
    assert_eq!(answer.status, 200, "{}", answer.body);
    script.pass(4);
    assert_eq!(script.nodes("apps").len(), 4);
    script.pass(60);
    assert_eq!(script.status(&answer)["status"], "Succeeded");
    assert_refused(
        &with_quota(31, POOL).upgrade_pool("apps", "1.35.3"),
        400,
        "ErrCode_InsufficientVCPUQuota",
        "",
    );
}

#[test]
fn nodes_become_unavailable_instead_where_the_pool_allows_it() {
    let fields = POOL.replace("maxSurge: '2'", "maxSurge: '2', maxUnavailable: '1'");
    let mut script = with_quota(24, &fields);
    let answer = script.upgrade_pool("apps", "1.34.4");
    assert_eq!(answer.status, 200, "{}", answer.body);
    script.pass(5);
    assert_eq!(script.nodes("apps").len(), 3);
    script.pass(60);
    assert_eq!(script.status(&answer)["status"], "Succeeded");
}

#[test]
fn a_larger_pool_needs_quota_and_stays_within_the_limits() {
    let mut script = with_quota(40, POOL.replace("1.34.2", "1.36.2").as_str());
    let mut resize = |count: u64| script.put_pool("apps", |properties| properties["count"] = json!(count));
    assert_refused(&resize(6), 400, "ErrCode_InsufficientVCPUQuota", "requested 24, remaining 16");
    let too_many = resize(1001);
    assert_refused(&too_many, 400, "InvalidParameter", "1001 nodes are more than the 1000");
    assert_eq!(too_many.body["target"], "agentPoolProfile.count");
    assert_eq!(resize(5).status, 200);
}

#[test]
fn a_scale_set_holds_a_thousand_nodes_surge_included_and_a_cluster_five_thousand() {
    let pools =
        |count: u32| format!("{{ name: apps, count: {count}, maxSurge: '1', kubernetesVersion: 1.34.2 }}");
    let full = Script::with(&pools(1000), "").upgrade_pool("apps", "1.34.4");
    assert_refused(&full, 400, "InvalidParameter", "1000 nodes and 1 surge nodes");
    assert_eq!(full.body["target"], "agentPoolProfile.upgrade.maxSurge");
    assert_eq!(Script::with(&pools(999), "").upgrade_pool("apps", "1.34.4").status, 200);

    let six = (0..5).map(|n| format!("{{ name: a{n}, count: 990 }}, ")).collect::<String>()
        + "{ name: apps, count: 50 }";
    let mut script = Script::with(&six, "");
    let more = script.put_pool("apps", |properties| properties["count"] = json!(51));
    assert_refused(&more, 400, "InvalidParameter", "5001 nodes are more than the 5000");
}

#[test]
fn a_full_subnet_fails_the_upgrade_when_the_surge_nodes_are_to_come() {
    let fields = format!("{POOL}, subnet: {{ name: nodes, prefix: 10.1.0.0/28, freeAddresses: 1 }}");
    let mut script = Script::whole("", &fields);
    let answer = script.upgrade_pool("apps", "1.34.4");
    assert_eq!(answer.status, 200);
    let status = script.status(&answer);
    assert_eq!((&status["status"], &status["error"]["code"]), (&json!("Failed"), &json!("SubnetIsFull")));
    assert!(status["error"]["message"].as_str().unwrap().contains("nodes with address prefix 10.1.0.0/28"));
    assert_eq!(script.nodes("apps").len(), 3);
}

#[test]
fn a_policy_denies_writes_and_nothing_else() {
    let mut script = Script::new("policy: { assignment: freeze, definition: no-changes }");
    let answer = script.upgrade_control_plane("1.35.3");
    assert_eq!((answer.status, &answer.body["error"]["code"]), (403, &json!("RequestDisallowedByPolicy")));
    assert_eq!(answer.body["error"]["additionalInfo"][0]["info"]["policyAssignmentName"], "freeze");
    assert!(
        answer.body["error"]["message"].as_str().unwrap().contains("Resource 'weu' was disallowed by policy")
    );
    assert_eq!(script.call(Call::UserCredential { cluster: cluster() }).status, 200);
}

#[test]
fn the_scenario_refuses_the_upgrade_that_it_names_at_once() {
    let refuse = "faults: [{ pool: apps, upgrade: 1, refuse: { status: 400, code: UnsatisfiablePDB, message: 'PDB shop/db has maxUnavailable(0)' } }, { upgrade: 2, refuse: { status: 429, code: TooManyRequests, message: later, resourceManager: true } }]";
    let mut script = Script::new(refuse);
    let first = script.call(Call::UpgradeNodeImage { pool: pool("apps") });
    assert_refused(&first, 400, "UnsatisfiablePDB", "PDB shop/db");
    assert_eq!(script.call(Call::UpgradeNodeImage { pool: pool("apps") }).status, 202);
    script.pass(60);
    assert_eq!(script.upgrade_control_plane("1.35.3").status, 200);
    script.pass(9);
    let second = script.upgrade_control_plane("1.36.2");
    assert_eq!((second.status, &second.body["error"]["code"]), (429, &json!("TooManyRequests")));
    assert_eq!(script.upgrade_control_plane("1.36.2").status, 200);
}
