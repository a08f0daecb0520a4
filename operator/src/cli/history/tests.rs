//! What people and programs are told of the past.

use serde_json::{Value, json};

use super::*;
use crate::cli::output::local;

fn plan(history: Value) -> UpgradePlan {
    serde_json::from_value(json!({
        "apiVersion": "tidegate.dev/v1alpha1", "kind": "UpgradePlan",
        "metadata": {"namespace": "fleet", "name": "autumn"},
        "spec": {"target": {"scope": "NodeImage"}, "waves": [{"name": "w", "clusters": {"names": ["a"]}}]},
        "status": {"history": history}
    }))
    .unwrap()
}

fn rollout() -> Value {
    json!({"id": "autumn-2", "target": {"kubernetes": "1.35.3"}, "from": ["1.34.2", "1.34.4"],
        "outcome": "Replaced", "startedAt": "2026-12-05T22:00:00Z", "endedAt": "2026-12-06T23:30:00Z",
        "clusters": 14, "succeeded": 9, "poolsRolled": 27, "deviatingPools": 2,
        "failed": [{"cluster": "neu-2", "reason": "DrainBlocked", "message": "budget shop/checkout allows none"}],
        "approvals": [{"wave": "prod", "approver": "ana@example.org", "reason": "tested", "at": "2026-12-06T08:00:00Z"}]})
}

fn cluster(finished: bool) -> AKSCluster {
    let mut upgrade = json!({"upgrade": "autumn-2-weu-1", "rollout": "autumn-2", "startedAt": "2026-12-05T22:00:00Z",
        "steps": [
            {"subject": "control plane", "from": "1.34.4", "to": "1.35.3", "startedAt": "2026-12-05T22:00:10Z",
                "finishedAt": "2026-12-05T22:09:40Z"},
            {"subject": "pool apps", "from": "1.34.4", "to": "1.35.3", "startedAt": "2026-12-05T22:10:00Z",
                "attempts": 3, "failure": "a node did not come up"}]});
    if finished {
        upgrade["finishedAt"] = json!("2026-12-06T00:10:00Z");
    }
    serde_json::from_value(json!({
        "apiVersion": "tidegate.dev/v1alpha1", "kind": "AKSCluster",
        "metadata": {"namespace": "fleet", "name": "weu-1"}, "spec": {"resourceId": "unused"},
        "status": {"history": [upgrade]}
    }))
    .unwrap()
}

#[test]
fn a_line_each_rollout_and_what_else_there_is_to_say() {
    let plan = PlanAnswer::of(&plan(json!([rollout()])));
    let brief = render::text(std::slice::from_ref(&plan), &[], false);
    assert_eq!(brief.lines().count(), 2, "{brief}");
    let words = ["autumn-2", "1.34.2 to 1.34.4", "1.35.3", "Replaced", "9/14", "27", "1 d 1 h"];
    assert!(words.iter().all(|word| brief.contains(word)), "{brief}");
    assert!(brief.contains(&local("2026-12-05T22:00:00Z".parse().unwrap())), "{brief}");
    let whole = render::text(&[plan], &[], true);
    for line in [
        "✖ autumn-2: cluster neu-2 had stopped: DrainBlocked, budget shop/checkout allows none",
        "!  autumn-2: 2 pools did not get the image of the rollout",
        "✔ autumn-2: wave prod approved by ana@example.org",
        "!  autumn-2: the plan was changed before it was done",
    ] {
        assert!(whole.contains(line), "{line}\n{whole}");
    }
}

#[test]
fn rollouts_of_all_plans_are_told_newest_first_and_what_has_stopped() {
    let entry = |id: &str, day: u8, outcome: &str| {
        let mut entry = rollout();
        entry["id"] = json!(id);
        entry["outcome"] = json!(outcome);
        entry["startedAt"] = json!(format!("2026-12-{day:02}T22:00:00Z"));
        entry
    };
    let mut early = plan(json!([entry("a-2", 7, "Running"), entry("a-1", 1, "Succeeded")]));
    let stopped = json!({"rollout": {"id": "a-2", "number": 2, "planHash": "x", "target": {},
        "startedAt": "2026-12-07T22:00:00Z"},
        "summary": {"phase": "Stopped", "reason": "GateFailed", "message": "", "progress": "0/1", "wave": "w"},
        "history": early.status.as_ref().unwrap().history});
    early.status = serde_json::from_value(stopped).unwrap();
    let late = plan(json!([entry("b-2", 9, "Running"), entry("b-1", 3, "Replaced")]));
    let answers = [PlanAnswer::of(&early), PlanAnswer::of(&late)];
    let text = render::text(&answers, &[], false);
    let outcome = |line: &str| {
        let words = ["Running", "Stopped", "Succeeded", "Replaced"].into_iter();
        let word = words.filter(|word| line.contains(*word)).collect::<Vec<_>>().join("+");
        format!("{} {word}", line.split_whitespace().next().unwrap())
    };
    let lines: Vec<String> = text.lines().skip(1).map(outcome).collect();
    assert_eq!(lines, ["b-2 Running", "a-2 Stopped", "b-1 Replaced", "a-1 Succeeded"]);
    assert_eq!(answers[0].stopped.as_deref(), Some("a-2"));
    assert_eq!(answers[1].stopped, None);
}

#[test]
fn a_line_each_step_of_a_cluster() {
    let there = ["autumn-2-weu-1".to_owned()];
    let text = |cluster: &AKSCluster, there: &[String]| {
        render::text(&[], &[ClusterAnswer::of(cluster, there)], true)
    };
    let done = text(&cluster(true), &[]);
    for word in [
        "AKSCluster fleet/weu-1",
        "rollout autumn-2   Succeeded",
        "2 h 10 m",
        "control plane",
        "9 m",
        "failed",
        "✖ pool apps: a node did not come up",
    ] {
        assert!(done.contains(word), "{word}\n{done}");
    }
    assert!(text(&cluster(false), &there).contains("Unfinished"));
    assert!(text(&cluster(false), &[]).contains("Deleted"), "its ClusterUpgrade has gone before it was done");
}

#[test]
fn a_step_that_was_done_at_last_says_why_it_had_failed() {
    let mut cluster = cluster(true);
    let step = &mut cluster.status.as_mut().unwrap().history[0].steps[1];
    step.finished_at = "2026-12-05T23:10:00Z".parse().ok();
    let text = render::text(&[], &[ClusterAnswer::of(&cluster, &[])], true);
    assert!(text.contains("!  pool apps had failed before: a node did not come up"), "{text}");
    assert!(text.contains("1 h 0 m") && !text.contains("✖"), "{text}");
}

#[test]
fn a_cluster_that_was_left_out_has_not_succeeded() {
    let mut skipped = cluster(true);
    let record = &mut skipped.status.as_mut().unwrap().history[0];
    (record.skipped, record.steps[1].failure) = (true, None);
    let answer = ClusterAnswer::of(&skipped, &[]);
    assert_eq!(answer.upgrades[0].outcome, "Skipped");
    let text = render::text(&[], &[answer], true);
    assert!(text.contains("rollout autumn-2   Skipped") && text.contains("left"), "{text}");
    assert!(!text.contains("failed"), "the step in flight was left as it was: {text}");
}

#[test]
fn programs_get_exact_instants() {
    let answer = Answer {
        plans: vec![PlanAnswer::of(&plan(json!([rollout()])))],
        clusters: vec![ClusterAnswer::of(&cluster(true), &[])],
    };
    let text = Format::Json.render(&answer).unwrap().unwrap();
    let read: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(read["plans"][0]["rollouts"][0]["endedAt"], "2026-12-06T23:30:00Z");
    let upgrade = &read["clusters"][0]["upgrades"][0];
    assert_eq!((&upgrade["outcome"], &upgrade["steps"][1]["attempts"]), (&json!("Succeeded"), &json!(3)));
    assert!(!answer.is_empty());
    let none = Answer { plans: vec![PlanAnswer::of(&plan(json!([])))], clusters: Vec::new() };
    assert!(
        none.is_empty()
            && none.nothing(Some("autumn"), "fleet").starts_with("UpgradePlan autumn has had no rollout")
    );
}
