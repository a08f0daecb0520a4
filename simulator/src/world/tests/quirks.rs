//! Quirks that an operation meets when it begins.

use super::*;

const POOLS: &str = "{ name: apps, count: 3, kubernetesVersion: 1.34.2 }";

fn with(quirk: &str) -> Script {
    Script::with(POOLS, &format!("quirks: [{{ quirk: {quirk}, times: 1 }}]"))
}

#[test]
fn a_slow_operation_takes_many_times_as_long() {
    let mut script = with("slowOperations, factor: 3");
    let answer = script.upgrade_pool("apps", "1.34.4");
    script.pass(47);
    assert_eq!(script.status(&answer)["status"], "RollingUpgradeRemovingSurgeNodes");
    script.pass(1);
    assert_eq!(script.status(&answer)["status"], "Succeeded");
    let image = script.call(Call::UpgradeNodeImage { pool: pool("apps") });
    script.pass(1);
    assert_eq!(script.status(&image)["status"], "Succeeded", "only the first one was slow");
}

#[test]
fn a_stuck_operation_goes_on_when_its_rule_has_passed_or_is_taken_away() {
    let mut script = with("stuckOperations, until: 2026-12-06T00:00:00Z");
    let answer = script.upgrade_pool("apps", "1.34.4");
    assert_eq!(script.world.next_deadline().unwrap().to_string(), "2026-12-06T00:00:00Z");
    script.pass(119);
    assert_eq!(script.status(&answer)["status"], "InProgress");
    assert_eq!(script.get_pool("apps")["provisioningState"], "Upgrading");
    script.pass(60);
    assert_eq!(script.status(&answer)["status"], "Succeeded");

    let mut script = with("stuckOperations");
    let answer = script.upgrade_pool("apps", "1.34.4");
    script.pass(600);
    assert_eq!(script.status(&answer)["status"], "InProgress");
    let rule = script.world.quirks()[0].id;
    assert!(script.world.remove_quirk(rule));
    script.tick(1);
    script.pass(60);
    assert_eq!(script.status(&answer)["status"], "Succeeded");
}

#[test]
fn a_preempted_operation_succeeds_and_has_not_done_everything() {
    let mut script = with("preemption");
    let answer = script.upgrade_pool("apps", "1.34.4");
    script.pass(60);
    let status = script.status(&answer);
    assert_eq!(
        (&status["status"], &status["error"]["code"]),
        (&json!("Succeeded"), &json!("NotLatestOperation"))
    );
    let properties = script.get_pool("apps");
    assert_eq!(properties["provisioningState"], "Succeeded");
    assert_eq!(properties["currentOrchestratorVersion"], "1.34.4");
    let nodes = script.nodes("apps");
    assert!(nodes[0].ends_with("1.34.4") && nodes[2].contains("1.34.2"), "{nodes:?}");
    let again = script.upgrade_pool("apps", "1.34.4");
    script.pass(60);
    assert!(script.status(&again).get("error").is_none());
    assert!(script.nodes("apps").iter().all(|node| node.ends_with("1.34.4")));

    let mut script = with("preemption");
    let answer = script.upgrade_control_plane("1.35.3");
    script.pass(60);
    assert_eq!(script.status(&answer)["error"]["code"], "NotLatestOperation");
    assert_eq!(script.get()["properties"]["currentKubernetesVersion"], "1.35.3");
    assert_eq!(script.world.view()[0].kubernetes_version, "1.34.4");
}

#[test]
fn the_url_of_an_operation_is_gone_too_soon_and_the_operation_goes_on() {
    let mut script = with("expiredOperations, seconds: 90");
    let answer = script.upgrade_pool("apps", "1.34.4");
    script.pass(1);
    assert_eq!(script.status(&answer)["status"], "RollingUpgradeCreatingSurgeNodes");
    script.pass(1);
    assert_eq!(script.status(&answer)["code"], "NotFound");
    script.pass(60);
    assert_eq!(script.get_pool("apps")["provisioningState"], "Succeeded");
}

#[test]
fn a_succeeded_operation_carries_the_error_of_the_rule_and_no_other_does() {
    let mut script = with("errorInSucceeded, code: Unspecified, message: Left over.");
    let answer = script.upgrade_pool("apps", "1.34.4");
    script.pass(1);
    assert!(script.status(&answer).get("error").is_none());
    script.pass(60);
    assert_eq!(script.status(&answer)["error"], json!({ "code": "Unspecified", "message": "Left over." }));
}
