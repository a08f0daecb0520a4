//! A write while an operation runs: refused in one of AKS's ways, or it takes over.

use super::*;

const POOLS: &str = "{ name: system, mode: System }, { name: apps, count: 3, kubernetesVersion: 1.34.2 }";

fn image(script: &mut Script, name: &str) -> Answer {
    script.call(Call::UpgradeNodeImage { pool: pool(name) })
}

#[test]
fn one_operation_per_cluster() {
    let mut script = Script::new("");
    let _answer = script.upgrade_control_plane("1.35.3");
    script.pass(1);
    let again = script.put_cluster(|_| {});
    assert_refused(&again, 409, "OperationNotAllowed", "in progress upgrade managed cluster operation");
    assert_refused(&again, 409, "OperationNotAllowed", "elapsed time is: '00:01:00'");
    let other = image(&mut script, "apps");
    assert_refused(&other, 409, "EtagMismatch", "Another operation is in progress");
    assert_eq!(other.body["details"][0]["code"], "Unspecified");
    script.pass(9);
    assert_eq!(image(&mut script, "apps").status, 202);
}

#[test]
fn a_busy_cluster_always_refuses_in_the_one_way_where_the_scenario_says_so() {
    let mut script = Script::with(POOLS, "whenBusy: operationNotAllowed");
    let _answer = script.upgrade_pool("apps", "1.34.4");
    let pool = image(&mut script, "system");
    assert_refused(&pool, 409, "OperationNotAllowed", "Another agentpool operation (apps - Upgrading)");
    let cluster = script.put_cluster(|_| {});
    assert_refused(&cluster, 409, "OperationNotAllowed", "(Upgrading) is in progress on agent pool (apps)");
    script.pass(60);
    let _answer = script.upgrade_control_plane("1.35.3");
    let pool = image(&mut script, "apps");
    assert_refused(&pool, 409, "OperationNotAllowed", "Another operation (Upgrading) is in progress, please");

    let mut script = Script::with(POOLS, "whenBusy: etagMismatch");
    let _answer = script.upgrade_pool("apps", "1.34.4");
    assert_refused(&image(&mut script, "apps"), 409, "EtagMismatch", "Another operation is in progress");
}

#[test]
fn a_newer_operation_takes_over_and_the_older_one_succeeds_with_an_error() {
    let mut script = Script::with(POOLS, "whenBusy: preempt");
    let first = script.upgrade_pool("apps", "1.34.4");
    script.pass(8);
    assert_refused(&image(&mut script, "system"), 409, "OperationNotAllowed", "Another agentpool operation");
    let second = script.put_pool("apps", |properties| {
        properties["upgradeSettings"]["drainTimeoutInMinutes"] = json!(10);
    });
    assert_eq!(second.status, 200, "{}", second.body);
    let status = script.status(&first);
    assert_eq!(
        (&status["status"], &status["error"]["code"], &status["endTime"]),
        (&json!("Succeeded"), &json!("NotLatestOperation"), &json!("2026-12-05T22:08:00Z"))
    );
    assert!(status["error"]["message"].as_str().unwrap().contains("preempted by another one"));
    // The newer one goes on with what the older one has left.
    assert_eq!(script.get_pool("apps")["provisioningState"], "Upgrading");
    script.pass(60);
    assert_eq!(script.status(&second)["status"], "Succeeded");
    assert!(script.status(&second).get("error").is_none());
    assert_eq!(script.nodes("apps"), ["000000 1.34.4", "000001 1.34.4", "000002 1.34.4"]);
    assert_eq!(script.states(), ["Succeeded", "Succeeded", "Succeeded"]);
}

#[test]
fn a_refused_write_preempts_nothing() {
    let mut script = Script::with(POOLS, "whenBusy: preempt");
    let first = script.upgrade_control_plane("1.35.3");
    script.pass(1);
    assert_refused(&script.upgrade_control_plane("1.37.1"), 400, "OperationNotAllowed", "not allowed");
    assert_eq!(script.status(&first)["status"], "ProvisioningControlPlane");
    let second = script.put_cluster(|body| body["tags"] = json!({ "a": "b" }));
    assert_eq!(second.status, 200, "{}", second.body);
    // The control plane is not there yet, so that the newer one takes it there.
    assert_eq!(script.states(), ["Upgrading", "Upgrading", "Upgrading"]);
    script.pass(9);
    assert_eq!(script.world.view()[0].kubernetes_version, "1.35.3");
    assert_eq!(script.states(), ["Succeeded", "Succeeded", "Succeeded"]);
}
