//! Upgrades of pools that do not go well, and what comes after.

use super::*;
use crate::effects::BlockedPod;

const OLD: &str = "{ name: apps, count: 3, kubernetesVersion: 1.34.2 }";

fn attached(pools: &str) -> Script {
    let mut script = Script::with(pools, "");
    let endpoint = super::super::Endpoint { server: "https://127.0.0.1:1".into(), ca_pem: "pem".into() };
    script.world.attach(script.now, &cluster(), endpoint);
    script.drive(0, |_| None);
    script
}

/// A budget that refuses evictions from the nodes whose names end so.
fn blocks(number: &'static str) -> impl Fn(&Effect) -> Option<Outcome> {
    move |effect| {
        let (node, _) = drain(effect)?;
        let blocked = BlockedPod {
            namespace: "shop".into(),
            pod: "db-0".into(),
            budget: Some("db".into()),
            message: "Cannot evict pod as it would violate the pod's disruption budget.".into(),
        };
        node.ends_with(number).then(|| Outcome::DrainBlocked(vec![blocked]))
    }
}

fn drain(effect: &Effect) -> Option<(&str, Timestamp)> {
    if let Effect::DrainNode { node, deadline, .. } = effect { Some((node, *deadline)) } else { None }
}

#[test]
fn a_blocked_drain_fails_the_upgrade_and_leaves_things_as_they_are() {
    let mut script = attached(OLD);
    let answer = script.upgrade_pool("apps", "1.34.4");
    script.drive(60, blocks("000001"));
    let status = script.status(&answer);
    assert_eq!(status["status"], "Failed");
    assert_eq!(
        (&status["error"]["code"], &status["error"]["subcode"]),
        (&json!("UpgradeFailed"), &json!("UnsatisfiablePDB"))
    );
    assert!(status["error"]["message"].as_str().unwrap().contains("shop/db-0 blocked by pdb db"));
    let properties = script.get_pool("apps");
    assert_eq!(properties["provisioningState"], "Failed");
    assert_eq!(properties["currentOrchestratorVersion"], "1.34.4");
    assert_eq!(
        script.nodes("apps"),
        ["000000 1.34.4", "000001 1.34.2 c", "000002 1.34.2", "000003 1.34.4 s"]
    );

    // Submitted again, it goes on with the nodes that are not done, and uses the surge node that is there.
    let again = script.upgrade_pool("apps", "1.34.4");
    let effects = script.drive(60, |_| None);
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::CreateNode(_))));
    let reimaged = effects.iter().filter(|effect| matches!(effect, Effect::ReimageNode(_)));
    assert_eq!(reimaged.count(), 2);
    assert_eq!(script.status(&again)["status"], "Succeeded");
    assert_eq!(script.nodes("apps"), ["000000 1.34.4", "000001 1.34.4", "000002 1.34.4"]);
}

#[test]
fn a_drain_has_as_long_as_the_pool_says() {
    let mut script = attached("{ name: apps, kubernetesVersion: 1.34.2, drainTimeoutInMinutes: 5 }");
    let _answer = script.upgrade_pool("apps", "1.34.4");
    let effects = script.drive(60, |_| None);
    let deadline = effects.iter().find_map(drain).map(|(_, deadline)| deadline.to_string());
    assert_eq!(deadline.as_deref(), Some("2026-12-05T22:08:00Z"));
}

#[test]
fn undrainable_nodes_are_quarantined_where_the_pool_asks_for_that() {
    let mut script = attached(
        "{ name: apps, count: 3, kubernetesVersion: 1.34.2, undrainableNodeBehavior: Cordon, maxBlockedNodes: '1' }",
    );
    let answer = script.upgrade_pool("apps", "1.34.4");
    let effects = script.drive(120, blocks("000001"));
    assert!(effects.iter().any(|effect| matches!(effect, Effect::QuarantineNode { .. })));
    assert_eq!(script.status(&answer)["error"]["subcode"], "UndrainableNodesQuarantined");
    assert_eq!(script.nodes("apps"), ["000000 1.34.4", "000001 1.34.2 cq", "000002 1.34.4", "000003 1.34.4"]);
}

#[test]
fn faults_of_the_scenario_strike_the_upgrade_that_they_name() {
    let fault = "faults: [{ pool: apps, upgrade: 1, afterNodes: 2, error: { code: OverconstrainedAllocationRequest, message: no capacity } }]";
    let mut script = Script::with(OLD, fault);
    let answer = script.upgrade_pool("apps", "1.34.4");
    script.pass(60);
    assert_eq!(script.status(&answer)["error"]["code"], "OverconstrainedAllocationRequest");
    assert_eq!(script.nodes("apps").iter().filter(|node| node.contains("1.34.4")).count(), 3);
    let again = script.upgrade_pool("apps", "1.34.4");
    script.pass(60);
    assert_eq!(script.status(&again)["status"], "Succeeded");
}

#[test]
fn without_a_driver_a_fault_can_block_a_drain_until_its_deadline() {
    let fault = "faults: [{ pool: apps, blockedBy: [{ namespace: shop, pod: db-0, budget: db }] }]";
    let mut script = Script::with(OLD, fault);
    let answer = script.upgrade_pool("apps", "1.34.4");
    script.pass(32);
    assert_eq!(
        script.status(&answer)["status"],
        "RollingUpgradeUpgradingNodes: 0/3 nodes completed; 0 errors"
    );
    script.pass(1);
    let status = script.status(&answer);
    assert_eq!((&status["status"], &status["endTime"]), (&json!("Failed"), &json!("2026-12-05T22:33:00Z")));
}

#[test]
fn a_pool_rolls_back_to_what_it_ran_within_a_week() {
    let mut script = Script::with("{ name: apps, kubernetesVersion: 1.34.2, nodeImage: old }", "");
    let _answer = script.upgrade_pool("apps", "1.34.4");
    script.pass(60);
    let back = |script: &mut Script| {
        script.put_pool("apps", |properties| {
            properties["orchestratorVersion"] = json!("1.34.2");
            properties["nodeImageVersion"] = json!("old");
        })
    };
    let answer = back(&mut script);
    assert_eq!(answer.status, 200, "{}", answer.body);
    script.pass(60);
    assert_eq!(script.get_pool("apps")["nodeImageVersion"], "old");
    assert_eq!(script.nodes("apps"), ["000000 1.34.2"]);

    let _answer = script.upgrade_pool("apps", "1.34.4");
    script.pass(8 * 24 * 60);
    assert_eq!(back(&mut script).status, 400);
}

#[test]
fn a_pool_changes_its_size() {
    let mut script = Script::with(OLD, "");
    let answer = script.put_pool("apps", |properties| properties["count"] = json!(4));
    assert_eq!(answer.body["properties"]["provisioningState"], "Scaling");
    script.pass(10);
    assert_eq!(script.nodes("apps").len(), 4);
    let _answer = script.put_pool("apps", |properties| properties["count"] = json!(2));
    script.pass(10);
    assert_eq!(script.nodes("apps"), ["000000 1.34.2", "000001 1.34.2"]);
}

#[test]
fn a_pool_whose_deletion_was_aborted_halfway_gets_its_nodes_back_with_the_next_put() {
    let mut script = attached(OLD);
    let _answer = script.call(Call::DeletePool { pool: pool("apps"), if_match: None });
    script.pass(1);
    let deletions = script.world.take_effects();
    assert_eq!(deletions.len(), 3, "{deletions:?}");
    for (_, id, _) in &deletions[..2] {
        script.world.complete(script.now, *id, &Outcome::Done);
    }
    let _abort = script.call(Call::AbortPool { pool: pool("apps") });
    script.drive(1, |_| None);
    assert_eq!(script.get_pool("apps")["provisioningState"], "Canceled");
    assert_eq!(script.nodes("apps"), ["000002 1.34.2"]);
    let again = script.put_pool("apps", |_| {});
    assert_eq!(again.body["properties"]["provisioningState"], "Scaling");
    script.drive(10, |_| None);
    assert_eq!(script.get_pool("apps")["provisioningState"], "Succeeded");
    assert_eq!(script.nodes("apps").len(), 3);
}
