//! What is told of plans, and of upgrades without one.

use super::*;
use serde_json::{Value, json};

fn plan(name: &str, summary: &Value) -> UpgradePlan {
    serde_json::from_value(json!({
        "apiVersion": "tidegate.dev/v1alpha1", "kind": "UpgradePlan",
        "metadata": {"name": name, "namespace": "fleet"},
        "spec": {"target": {"scope": "NodeImage"}, "waves": [{"name": "w", "clusters": {"names": ["a"]}}]},
        "status": {"summary": summary,
            "rollout": {"id": "p-1", "number": 1, "planHash": "0", "target": {},
                "startedAt": "2026-12-05T22:00:00Z"},
            "waves": [{"name": "w", "state": "RollingOut", "clusters": {"total": 1}}]}
    }))
    .unwrap()
}

fn stands(phase: &str) -> Value {
    json!({"phase": phase, "reason": "Why", "message": "because", "progress": "0/1", "wave": "w"})
}

fn upgrade(rollout: &str) -> ClusterUpgrade {
    let instant = "2026-12-05T22:00:00Z";
    serde_json::from_value(json!({
        "apiVersion": "tidegate.dev/v1alpha1", "kind": "ClusterUpgrade",
        "metadata": {"name": "p-1-a", "namespace": "fleet", "managedFields": [{"manager": "tidegate"}]},
        "spec": {"clusterRef": {"name": "a"}, "target": {"scope": "NodeImage"},
            "plan": {"name": "p", "rollout": rollout, "wave": "w"}},
        "status": {
            "summary": {"phase": "Stopped", "reason": "DrainBlocked", "message": "a budget", "progress": "0/1",
                "since": instant},
            "operation": {"stepId": "image-a", "phase": "Submitted", "attempt": 1, "intentAt": instant,
                "deadline": instant, "since": instant}
        }
    }))
    .unwrap()
}

fn plans<const N: usize>(plans: [Answer; N]) -> Answers {
    Answers { plans: plans.into(), alone: Vec::new() }
}

fn answer(phase: &str) -> Answer {
    let plan = plan("p", &stands(phase));
    let upgrades = members(&plan, &[upgrade("p-1"), upgrade("p-0")]).into_iter().map(readable).collect();
    Answer { plan, upgrades }
}

#[test]
fn answers_are_those_of_the_present_rollout() {
    let answers = plans([answer("RollingOut")]);
    assert_eq!(answers.plans[0].upgrades.len(), 1, "those of the present rollout");
    for format in [Format::Json, Format::Yaml] {
        let text = format.render(&answers).unwrap().unwrap();
        assert!(text.contains("image-a") && !text.contains("managedFields"), "{text}");
    }
}

#[test]
fn a_line_per_plan_and_a_tree_of_one() {
    let table = render(&plans([answer("RollingOut")]), false);
    let lines: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["PLAN", "TARGET", "PHASE", "WAVE", "CLUSTERS", "WAITING", "ON", "ETA"]);
    assert_eq!(lines[1], ["fleet/p", "newest", "images", "RollingOut", "w", "0/1", "Why", "–"]);
    let mut ending = answer("RollingOut");
    let eta = "2026-12-06T02:40:00Z".parse().unwrap();
    ending.plan.status.as_mut().unwrap().summary.as_mut().unwrap().eta = Some(eta);
    let ending = plans([ending]);
    let tree = render(&ending, true);
    assert!(tree.contains(&format!("\nexpected to end {}\n", local(eta))), "{tree}");
    assert!(render(&ending, false).trim_end().ends_with(&local(eta)));
    let tree = render(&plans([answer("Stopped")]), true);
    assert!(tree.contains("DrainBlocked: a budget   → tidegate explain a -n fleet\n"), "{tree}");
    assert!(!tree.contains("suspended"), "{tree}");
    let mut suspended = answer("Stopped");
    suspended.plan.spec.suspend = true;
    suspended.upgrades[0].spec.suspend = true;
    let suspended = plans([suspended]);
    let both = render(&suspended, true);
    assert!(both.contains("until spec.suspend of the plan is false\n"), "{both}");
    assert!(both.contains("a budget (suspended besides: its spec.suspend is true)   →"), "{both}");
    assert!(render(&suspended, false).contains("Why, suspended"));
    let new = Answer { plan: plan("p", &Value::Null), upgrades: Vec::new() };
    assert!(render(&plans([new]), true).contains("the operator has not looked at it yet"));
}

#[test]
fn exit_codes_tell_done_stopped_and_in_progress() {
    let code = |phases: &[&str]| {
        let plans = phases.iter().map(|phase| answer(phase)).collect();
        format!("{:?}", exit_code(&Answers { plans, alone: Vec::new() }))
    };
    let is = |code: u8| format!("{:?}", ExitCode::from(code));
    assert_eq!(code(&["Succeeded", "Succeeded"]), is(0));
    assert_eq!(code(&["Succeeded", "Stopped", "RollingOut"]), is(1));
    assert_eq!(code(&["Succeeded", "Parked"]), is(3));
}

/// One that was made by hand.
fn by_hand(phase: &str) -> ClusterUpgrade {
    let mut made = upgrade("p-1");
    made.metadata.name = Some("by-hand".to_owned());
    made.metadata.namespace = Some("analytics".to_owned());
    made.spec.plan = None;
    made.status.as_mut().unwrap().summary.as_mut().unwrap().phase = phase.to_owned();
    made
}

#[test]
fn upgrades_that_no_plan_has_are_told_too() {
    let mut orphan = upgrade("gone-1");
    orphan.spec.plan.as_mut().unwrap().name = "gone".to_owned();
    orphan.metadata.name = Some("orphan".to_owned());
    let known = |plans| Known { plans, upgrades: vec![by_hand("Working"), orphan.clone(), upgrade("p-1")] };
    let both = choose(known(vec![plan("p", &stands("RollingOut"))]), None, "analytics").unwrap();
    let names: Vec<String> = both.alone.iter().map(ResourceExt::name_any).collect();
    assert_eq!(names, ["by-hand", "orphan"]);
    let text = render(&both, false);
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!((lines[0][0], lines[1][0], lines[2].len()), ("PLAN", "fleet/p", 0));
    assert_eq!(lines[3], ["UPGRADE", "CLUSTER", "TARGET", "PHASE", "STEPS", "WAITING", "ON", "ETA"]);
    let line = ["analytics/by-hand", "a", "newest", "images", "Working", "0/1", "DrainBlocked", "–"];
    assert_eq!(lines[4], line);
    let read: Value = serde_json::from_str(&Format::Json.render(&both).unwrap().unwrap()).unwrap();
    assert_eq!(read[0]["plan"]["metadata"]["name"], "p");
    assert_eq!(
        (&read[1]["plan"], &read[1]["upgrades"][0]["metadata"]["name"]),
        (&Value::Null, &json!("by-hand"))
    );
    let named = choose(known(vec![plan("p", &stands("RollingOut"))]), Some("p"), "analytics").unwrap();
    assert!(named.alone.is_empty(), "only what is asked for");
    let without = choose(known(Vec::new()), None, "analytics").unwrap();
    assert!(!without.is_empty() && render(&without, false).starts_with("UPGRADE "));
    let code =
        |phase| format!("{:?}", exit_code(&Answers { plans: Vec::new(), alone: vec![by_hand(phase)] }));
    let is = |code: u8| format!("{:?}", ExitCode::from(code));
    assert_eq!(["Succeeded", "Skipped", "Stopped", "Parked"].map(code), [is(0), is(0), is(1), is(3)]);
}

#[test]
fn a_plan_that_there_is_not_is_refused_with_those_that_there_are() {
    let known =
        || Known { plans: vec![plan("p", &stands("RollingOut"))], upgrades: vec![by_hand("Working")] };
    let refused = |name| choose(known(), Some(name), "fleet").err().unwrap();
    assert_eq!(refused("q"), "namespace fleet has no UpgradePlan q; there are: p (tidegate status -n fleet)");
    assert!(refused("a").ends_with("; tidegate explain a -n fleet tells of ClusterUpgrade by-hand"));
}
