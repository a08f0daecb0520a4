use super::*;
use serde_json::json;

fn cluster() -> AKSCluster {
    let pool = |name: &str, state: &str| {
        json!({"name": name, "mode": "User", "osType": "Linux", "osSku": "Ubuntu2404", "version": "1.34.4",
            "count": 3, "provisioningState": state, "power": "Running"})
    };
    let pools = [pool("apps", "Canceled"), pool("system", "Canceled")];
    serde_json::from_value(json!({
        "apiVersion": "tidegate.dev/v1alpha1", "kind": "AKSCluster",
        "metadata": {"namespace": "fleet", "name": "weu-1"},
        "spec": {"resourceId": "unused"},
        "status": {
            "cluster": {"name": "weu-1", "location": "westeurope", "version": "1.34.4",
                "provisioningState": "Succeeded", "power": "Stopped", "pools": pools},
            "offers": {"region": [{"version": "1.34.4"}]}},
    }))
    .unwrap()
}

fn upgrade(reason: &str) -> ClusterUpgrade {
    serde_json::from_value(json!({
        "apiVersion": "tidegate.dev/v1alpha1", "kind": "ClusterUpgrade",
        "metadata": {"namespace": "fleet", "name": "autumn-weu-1"},
        "spec": {"clusterRef": {"name": "weu-1"}, "target": {"kubernetes": {"version": "1.34.4"}}},
        "status": {"summary": {"phase": "Stopped", "reason": reason, "message": "the cluster is stopped",
            "progress": "0/0", "since": "2026-11-22T20:00:00Z"}},
    }))
    .unwrap()
}

#[test]
fn a_refused_upgrade_is_told_all_that_stands_in_its_way() {
    let (clusters, now) = ([cluster()], "2026-11-22T21:00:00Z".parse().unwrap());
    let known = Known { clusters: &clusters, upgrades: &[], now };
    let answer = explain_upgrade(&upgrade("PreflightBlocked"), &known);
    let told: Vec<(&str, Option<&str>)> =
        answer.in_the_way.iter().map(|found| (found.reason, found.pool.as_deref())).collect();
    let expected = [("ClusterStopped", None), ("PoolAborted", Some("apps")), ("PoolAborted", Some("system"))];
    assert_eq!(told, expected);
    let text = render(&answer);
    assert_eq!(text.matches("in the way: ").count(), 3, "{text}");
    assert!(text.contains("az aks start") && text.contains("it is looked at again by itself"), "{text}");
}

#[test]
fn a_rollback_that_azure_refuses_is_told_with_every_way_on() {
    let known = Known { clusters: &[], upgrades: &[], now: "2026-11-22T21:00:00Z".parse().unwrap() };
    let mut refused = upgrade("RollbackRefused");
    let ledger = json!({
        "steps": [{"pool": "apps", "from": "1.33.8", "to": "1.34.4", "state": "Succeeded"},
            {"pool": "apps", "from": "1.34.4 new", "to": "1.33.8 old", "state": "Failed", "kind": "NodePoolRollback"}],
        "control": {"halt": {"after": "RefusedRollback", "words": "pool apps was not rolled back"}}});
    refused.status.as_mut().unwrap().ledger = serde_json::from_value(ledger).unwrap();
    let text = render(&explain_upgrade(&refused, &known));
    for command in ["retry weu-1 -n fleet", "rollback weu-1 apps -n fleet", "skip weu-1 -n fleet"] {
        assert!(text.contains(&format!("tidegate {command}")), "{command}: {text}");
    }
}

#[test]
fn overridden_settings_are_told_with_what_ends_them() {
    let known = Known { clusters: &[], upgrades: &[], now: "2026-11-22T21:00:00Z".parse().unwrap() };
    let mut held = upgrade("OperationFailed");
    let open = json!([{"pool": "apps", "ours": {"maxSurge": "33%"}, "before": {"maxSurge": "10%"}}]);
    held.status.as_mut().unwrap().ledger.restore = serde_json::from_value(open).unwrap();
    let text = render(&explain_upgrade(&held, &known));
    let told = "\n  pool apps has for its step maxSurge 33% (10% before); put back when the step has ended, or the upgrade is deleted\n";
    assert!(text.contains(told), "{text}");
    assert!(!text.contains("leave-settings"), "{text}");

    let mut stuck = upgrade("RestoreFailed");
    assert!(!render(&explain_upgrade(&stuck, &known)).contains("leave-settings"));
    stuck.metadata.deletion_timestamp = serde_json::from_value(json!("2026-12-05T22:00:00Z")).unwrap();
    let text = render(&explain_upgrade(&stuck, &known));
    let command = "\n  kubectl annotate clusterupgrade autumn-weu-1 -n fleet --overwrite tidegate.dev/leave-settings=true   ";
    assert!(text.contains(command), "{text}");
}

#[test]
fn an_upgrade_that_waits_for_something_else_keeps_its_message() {
    let (clusters, now) = ([cluster()], "2026-11-22T21:00:00Z".parse().unwrap());
    let answer = explain_upgrade(&upgrade("GateFailed"), &Known { clusters: &clusters, upgrades: &[], now });
    assert!(answer.in_the_way.is_empty() && render(&answer).contains("\n  the cluster is stopped\n"));
}

#[test]
fn a_step_that_repairs_says_what_was_found() {
    let mut stopped = upgrade("NodesNotUpdated");
    let status = stopped.status.as_mut().unwrap();
    status.ledger = serde_json::from_value(json!({
        "steps": [{"pool": "apps", "from": "1.33.8", "to": "1.34.4", "state": "Running",
            "startedAt": "2026-11-22T20:00:00Z", "nodes": 3, "repair": true}],
        "operation": {"stepId": "pool-apps-1.34.4", "phase": "Verifying", "attempt": 1,
            "intentAt": "2026-11-22T20:00:00Z", "deadline": "2026-11-23T02:00:00Z",
            "since": "2026-11-22T20:00:00Z"},
    }))
    .unwrap();
    let (clusters, now) = ([cluster()], "2026-11-22T21:00:00Z".parse().unwrap());
    let text = render(&explain_upgrade(&stopped, &Known { clusters: &clusters, upgrades: &[], now }));
    let found = "repairs pool apps: Azure shows 1.34.4 already, and what runs was found to be 1.33.8";
    assert!(text.contains(found), "{text}");
    assert!(text.contains("az aks nodepool upgrade --node-image-only"), "{text}");
}

#[test]
fn what_holds_it_up_besides_is_told_with_what_to_do() {
    let mut suspended = upgrade("GateFailed");
    suspended.spec.suspend = true;
    let known = Known { clusters: &[], upgrades: &[], now: "2026-11-22T21:00:00Z".parse().unwrap() };
    let hold = hold::of_upgrade(&suspended, &[], &[]);
    let text = render(&explain_upgrade(&suspended, &known).with(hold));
    assert!(text.contains("\n  suspended besides: spec.suspend of ClusterUpgrade autumn-weu-1"), "{text}");
    assert!(text.contains("\n  tidegate resume autumn-weu-1 -n fleet "), "{text}");
}

fn of_plan(rollout: &str, minute: u8, summary: serde_json::Value) -> ClusterUpgrade {
    let mut made = upgrade("Verifying");
    made.metadata.name = Some(format!("{rollout}-weu-1"));
    let at = json!(format!("2026-11-22T20:{minute:02}:00Z"));
    made.metadata.creation_timestamp = serde_json::from_value(at).unwrap();
    let place = json!({"name": rollout, "rollout": rollout, "wave": "w", "admitted": true});
    made.spec.plan = serde_json::from_value(place).unwrap();
    made.status = serde_json::from_value(summary).unwrap();
    made
}

fn stands(reason: &str) -> serde_json::Value {
    json!({"phase": "Parked", "reason": reason, "message": "because", "progress": "0/1",
        "since": "2026-11-22T20:00:00Z"})
}

#[test]
fn of_two_upgrades_of_a_cluster_the_one_that_has_it_is_explained_and_each_by_its_name() {
    let step = json!([{"from": "1.33.8", "to": "1.34.4", "state": "Succeeded"}]);
    let has = of_plan("winter-1", 0, json!({"summary": stands("Soaking"), "steps": step}));
    let waits = of_plan("spring-1", 9, json!({"summary": stands("WaitingForOtherUpgrade")}));
    let objects = subject::Known { plans: Vec::new(), upgrades: vec![waits, has] };
    let known = Known { clusters: &[], upgrades: &[], now: "2026-11-22T21:00:00Z".parse().unwrap() };
    let text = |name: &str| explain(name, "fleet", &objects, &known).map(|answers| render(&answers[0]));
    let of_cluster = text("weu-1").unwrap();
    assert!(of_cluster.starts_with("weu-1 (ClusterUpgrade winter-1-weu-1) waits"), "{of_cluster}");
    let other = "\n  another upgrade of the cluster waits for this one: ClusterUpgrade spring-1-weu-1\n";
    assert!(of_cluster.contains(other), "{of_cluster}");
    let by_name = text("spring-1-weu-1").unwrap();
    for words in [
        "weu-1 (ClusterUpgrade spring-1-weu-1) waits",
        "ClusterUpgrade winter-1-weu-1 has cluster weu-1: Soaking: because",
        "tidegate explain winter-1-weu-1 -n fleet",
    ] {
        assert!(by_name.contains(words), "{words}: {by_name}");
    }
    let retry =
        |number: usize| advice("OperationFailed", &objects.upgrades[number], &objects.upgrades).remove(1);
    assert!(retry(0).starts_with("tidegate retry spring-1-weu-1 -n fleet"), "its own name: {}", retry(0));
    assert!(retry(1).starts_with("tidegate retry weu-1 -n fleet"), "{}", retry(1));
    let refused = text("weu-2").unwrap_err();
    assert!(refused.contains("weu-1: tidegate status -n fleet shows them"), "{refused}");
}

/// The columns `reason`, `stands`, `what it means` and `what to do` of the first table of docs/reasons.md.
fn documented() -> Vec<[String; 4]> {
    let text = include_str!("../../../../docs/reasons.md");
    let table = text.split("\n## ").next().unwrap();
    let rows = table.lines().filter(|line| line.starts_with("| `"));
    let rows = rows.map(|row| row.split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>());
    rows.flat_map(|cells| {
        let [_, names, stands, meaning, remedy, _] = cells.try_into().unwrap();
        let row = |name: &str| {
            [name.trim().trim_matches('`').to_owned(), stands.clone(), meaning.clone(), remedy.clone()]
        };
        names.split(',').map(row).collect::<Vec<_>>()
    })
    .collect()
}

#[test]
fn every_reason_that_a_person_can_do_something_about_has_advice() {
    let plan: UpgradePlan = serde_json::from_value(json!({
        "apiVersion": "tidegate.dev/v1alpha1", "kind": "UpgradePlan",
        "metadata": {"name": "spring-1", "namespace": "fleet"},
        "spec": {"target": {"scope": "NodeImage"}, "waves": [{"name": "w", "clusters": {"names": ["weu-1"]}}]},
        "status": {"rollout": {"id": "spring-1", "number": 1, "planHash": "x", "target": {},
            "startedAt": "2026-11-22T20:00:00Z"}}
    }))
    .unwrap();
    let upgrades = [of_plan("winter-1", 0, json!({})), of_plan("spring-1", 9, json!({}))];
    let documented = documented();
    for [reason, stands, meaning, remedy] in &documented {
        let of_upgrade = advice(reason, &upgrade(reason), &[]);
        let of_plan = super::of_plan(reason, &plan, &upgrades);
        let is_for_both = meaning.contains("of a plan:");
        let is_for_plans = meaning.starts_with("a plan:") || meaning.starts_with("of a continuous plan:");
        if stands == "done" || remedy == "nothing" || remedy.starts_with("nothing:") {
            continue;
        }
        assert!(
            is_for_plans || !of_upgrade.is_empty() || ONLY_PLANS.contains(&reason.as_str()),
            "{reason}: {remedy}"
        );
        assert!(!(is_for_both || is_for_plans) || !of_plan.is_empty(), "{reason}: {remedy}");
        assert!(!of_upgrade.is_empty() || !of_plan.is_empty(), "{reason}: {remedy}");
    }
    // Each reason that the engine has is documented.
    let engine = include_str!("../../../../engine/src/waiting.rs");
    let (_, body) = engine.split_once("pub fn reason(&self)").unwrap();
    let (body, _) = body.split_once("pub fn stance(&self)").unwrap();
    let reasons: Vec<&str> = body.split("=> \"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(reasons.len() > 35, "{reasons:?}");
    for reason in reasons {
        assert!(documented.iter().any(|[known, ..]| known == reason), "{reason} is not in docs/reasons.md");
    }
}

/// Reasons that ClusterUpgrades do not have.
const ONLY_PLANS: [&str; 3] = ["MemberMissing", "WaitingForInventory", "WaitingForEarlierRollout"];
