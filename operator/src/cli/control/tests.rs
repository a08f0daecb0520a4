//! What verbs mean for what has a name.

use crds::{ClusterUpgrade, UpgradePlan};
use serde_json::{Value, json};

use super::{
    Verb,
    confirm::Course,
    edit::{Edit, Refusal, edits},
    subject::Known,
};

fn upgrade(cluster: &str, phase: &str, status: Value) -> ClusterUpgrade {
    let mut whole = json!({"summary": {"phase": phase, "reason": "Why", "message": "", "progress": "0/1",
        "since": "2026-11-22T20:00:00Z"}});
    whole.as_object_mut().unwrap().extend(status.as_object().unwrap().clone());
    serde_json::from_value(json!({
        "apiVersion": "tidegate.dev/v1alpha1", "kind": "ClusterUpgrade",
        "metadata": {"name": format!("autumn-1-{cluster}"), "namespace": "fleet", "resourceVersion": "7"},
        "spec": {"clusterRef": {"name": cluster}, "target": {"kubernetes": {"version": "1.34"}},
            "plan": {"name": "autumn", "rollout": "autumn-1", "wave": "w", "admitted": true}},
        "status": whole,
    }))
    .unwrap()
}

fn step(pool: &str, state: &str) -> Value {
    json!({"pool": pool, "from": "1.33.8", "to": "1.34.4", "state": state, "nodes": 3,
        "startedAt": "2026-11-22T20:00:00Z"})
}

fn running(pool: &str, phase: &str) -> Value {
    json!({"steps": [step("system", "Succeeded"), step(pool, "Running")],
        "operation": {"stepId": format!("pool-{pool}-1.34.4"), "phase": phase, "attempt": 1,
            "intentAt": "2026-11-22T20:00:00Z", "deadline": "2026-11-23T02:00:00Z", "since": "2026-11-22T20:00:00Z"}})
}

fn known() -> Known {
    let plan: UpgradePlan = serde_json::from_value(json!({
        "apiVersion": "tidegate.dev/v1alpha1", "kind": "UpgradePlan",
        "metadata": {"name": "autumn", "namespace": "fleet", "resourceVersion": "9"},
        "spec": {"target": {"kubernetes": {"version": "1.34"}},
            "waves": [{"name": "w", "clusters": {"names": ["weu-1"]}}]},
        "status": {"rollout": {"id": "autumn-1", "number": 1, "planHash": "x", "target": {},
            "startedAt": "2026-11-22T20:00:00Z"}},
    }))
    .unwrap();
    let upgrades = vec![
        upgrade("done", "Succeeded", json!({"finishedAt": "2026-11-22T21:00:00Z"})),
        upgrade("held", "Stopped", running("apps", "Gating")),
        upgrade("idle", "Parked", json!({})),
        upgrade("weu-1", "Working", running("apps", "Submitted")),
    ];
    Known { plans: vec![plan], upgrades }
}

#[test]
fn skip_says_what_becomes_of_the_step_in_flight_and_of_the_plan() {
    let says = |upgrade: &ClusterUpgrade| super::words::skipped(upgrade);
    let going_on = "the cluster is left out, not at its target, and UpgradePlan autumn goes on without it, to the next wave if nothing else holds it";
    let of_plan = upgrade("idle", "Parked", json!({}));
    assert_eq!(says(&of_plan), (format!("nothing more is done; {going_on}"), false));
    let (words, is_asked_for) = says(&upgrade("weu-1", "Working", running("apps", "Submitted")));
    assert!(words.starts_with("what Azure does (") && words.ends_with(going_on), "{words}");
    assert!(is_asked_for);
    let mut alone = of_plan;
    alone.spec.plan = None;
    assert_eq!(says(&alone).0, "nothing more is done; the cluster is left out, not at its target");
}

/// The plan with these clusters, in each of which Azure works on a pool.
pub(super) fn known_running(clusters: &[(&str, &str)]) -> Known {
    let upgrades =
        clusters.iter().map(|(cluster, pool)| upgrade(cluster, "Working", running(pool, "Submitted")));
    Known { upgrades: upgrades.collect(), ..known() }
}

fn told(verb: &Verb, name: &str) -> Result<Vec<(String, bool)>, Refusal> {
    let known = known();
    let edits = edits(verb, name, "now", (&known, "fleet"))?;
    Ok(edits.iter().map(|edit: &Edit| (edit.told(), edit.disrupts)).collect())
}

fn one(verb: &Verb, name: &str) -> (String, bool) {
    let mut all = told(verb, name).unwrap();
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

fn rollback(pool: &str) -> Verb {
    Verb::Rollback { pool: pool.to_owned() }
}

#[test]
fn each_verb_says_what_it_sets_and_does() {
    let (text, disrupts) = one(&Verb::Suspend, "weu-1");
    assert_eq!(
        text,
        "spec.suspend=true on ClusterUpgrade fleet/autumn-1-weu-1: the step in flight (pool apps from 1.33.8 to 1.34.4) ends, nothing new starts"
    );
    assert!(!disrupts);
    let (text, disrupts) = one(&Verb::Abort, "autumn-1-weu-1");
    assert!(
        text.starts_with(
            "tidegate.dev/abort=now on ClusterUpgrade fleet/autumn-1-weu-1: what Azure does (pool apps"
        ),
        "{text}"
    );
    assert!(disrupts);
    let (text, disrupts) = one(&Verb::Skip, "weu-1");
    assert!(text.contains("ends and is not aborted") && disrupts, "{text}");
    let (text, disrupts) = one(&Verb::Skip, "idle");
    assert!(text.contains("nothing more is done") && !disrupts, "{text}");
    let (text, disrupts) = one(&rollback("apps"), "held");
    assert!(
        text.contains("tidegate.dev/rollback-pool=apps/now on ")
            && text.contains("pool apps returns to 1.33.8"),
        "{text}"
    );
    assert!(disrupts);
    let (text, disrupts) = one(&Verb::Retry, "held");
    assert!(
        text.contains("tidegate.dev/retry=now") && text.contains("goes on from Why") && !disrupts,
        "{text}"
    );
    assert!(one(&Verb::Resume, "idle").0.ends_with("it is not suspended"));
}

#[test]
fn of_a_plan_only_those_are_meant_that_it_concerns() {
    assert_eq!(
        one(&Verb::Suspend, "autumn").0,
        "spec.suspend=true on UpgradePlan fleet/autumn: steps in flight end, nothing new starts in any of its clusters"
    );
    assert_eq!(
        one(&Verb::Retry, "autumn").0,
        "tidegate.dev/retry=now on UpgradePlan fleet/autumn: what has stopped goes on with the versions of the rollout: held (Why)",
        "the plan hands it on, to what has stopped"
    );
    assert!(
        one(&Verb::Abort, "autumn").0.contains("ClusterUpgrade fleet/autumn-1-weu-1: "),
        "only what runs"
    );
    for verb in [Verb::Skip, rollback("apps")] {
        let refusal = told(&verb, "autumn").unwrap_err();
        assert!(
            refusal.is_wrong_use && refusal.words.contains("name the cluster that is meant"),
            "{refusal:?}"
        );
    }
}

#[test]
fn what_would_do_nothing_is_refused_with_the_reason() {
    let cases = [
        (Verb::Abort, "held", "ClusterUpgrade autumn-1-held: no operation of it runs in Azure now"),
        (Verb::Abort, "idle", "ClusterUpgrade autumn-1-idle: nothing is in flight: tidegate suspend"),
        (Verb::Skip, "done", "ClusterUpgrade autumn-1-done has ended (Succeeded)"),
        (
            rollback("nosuch"),
            "held",
            "ClusterUpgrade autumn-1-held: it has not upgraded a node pool nosuch; it has upgraded system, apps",
        ),
        (rollback("apps"), "idle", "ClusterUpgrade autumn-1-idle: it has upgraded no node pool yet"),
        (rollback("system"), "held", "ClusterUpgrade autumn-1-held: pool apps is in flight"),
        (rollback("apps"), "weu-1", "ClusterUpgrade autumn-1-weu-1: Azure works on pool apps"),
        (Verb::Retry, "nosuch", "namespace fleet has no UpgradePlan or ClusterUpgrade nosuch"),
    ];
    for (verb, name, expected) in cases {
        let refusal = told(&verb, name).unwrap_err();
        assert!(refusal.words.starts_with(expected) && !refusal.is_wrong_use, "{refusal:?}");
    }
}

#[test]
fn of_two_upgrades_of_a_cluster_the_one_that_has_it_is_edited() {
    let mut known = known();
    let mut younger = upgrade("weu-1", "Parked", json!({}));
    younger.metadata.name = Some("winter-1-weu-1".to_owned());
    younger.metadata.creation_timestamp = serde_json::from_value(json!("2026-11-22T22:00:00Z")).unwrap();
    younger.spec.plan.as_mut().unwrap().name = "winter".to_owned();
    known.upgrades.push(younger);
    for verb in [Verb::Abort, Verb::Suspend, Verb::Skip, Verb::Retry] {
        let edits = edits(&verb, "weu-1", "now", (&known, "fleet")).unwrap();
        assert_eq!(edits[0].name, "autumn-1-weu-1", "{verb:?}");
        let told = edits[0].told();
        let other = "; another upgrade of the cluster waits for this one: ClusterUpgrade winter-1-weu-1";
        assert!(told.ends_with(other), "{told}");
    }
    let by_name = edits(&Verb::Suspend, "winter-1-weu-1", "now", (&known, "fleet")).unwrap();
    assert_eq!(by_name[0].name, "winter-1-weu-1");
}

#[test]
fn only_what_is_written_is_announced_as_done() {
    let mut known = known();
    known.upgrades[2].spec.suspend = true;
    let course = |verb: &Verb, name: &str, flags: (bool, bool), is_possible: bool| {
        let edits = edits(verb, name, "now", (&known, "fleet")).unwrap();
        let course = Course::of(&edits, flags, is_possible);
        (course, course.announced(&edits))
    };
    let (none, dry_run, yes) = ((false, false), (true, false), (false, true));
    for (flags, is_possible, expected) in [
        (none, false, Course::Unasked),
        (none, true, Course::Ask),
        (dry_run, true, Course::Shown),
        (yes, false, Course::Write),
    ] {
        let (course, text) = course(&Verb::Abort, "weu-1", flags, is_possible);
        assert_eq!(course, expected);
        let sets = if course == Course::Write { "sets tidegate.dev" } else { "would set tidegate.dev" };
        assert!(text.starts_with(sets), "{course:?}: {text}");
    }
    assert_eq!(course(&Verb::Suspend, "weu-1", none, false).0, Course::Write, "it disrupts nothing");
    for flags in [none, dry_run, yes] {
        let (course, text) = course(&Verb::Suspend, "idle", flags, true);
        let standing = "ClusterUpgrade fleet/autumn-1-idle: it is suspended already\n";
        assert_eq!((course, text.as_str()), (Course::Done, standing));
    }
}

#[test]
fn a_plan_of_which_nothing_has_stopped_is_not_retried() {
    let mut known = known();
    known.upgrades.retain(|upgrade| upgrade.spec.cluster_ref.name != "held");
    let refusal = edits(&Verb::Retry, "autumn", "now", (&known, "fleet")).unwrap_err();
    assert!(refusal.words.starts_with("no cluster of UpgradePlan autumn has stopped"), "{refusal:?}");
}

#[test]
fn an_edit_is_refused_when_somebody_has_written_since() {
    let known = known();
    let patch = |verb: &Verb| edits(verb, "weu-1", "now", (&known, "fleet")).unwrap()[0].patch();
    assert_eq!(
        patch(&Verb::Suspend),
        json!({"metadata": {"resourceVersion": "7"}, "spec": {"suspend": true}})
    );
    let annotations = json!({"tidegate.dev/abort": "now"});
    assert_eq!(
        patch(&Verb::Abort),
        json!({"metadata": {"resourceVersion": "7", "annotations": annotations}})
    );
    let of_plan = edits(&Verb::Retry, "autumn", "now", (&known, "fleet")).unwrap()[0].patch();
    let annotations = json!({"tidegate.dev/retry": "now"});
    assert_eq!(of_plan, json!({"metadata": {"resourceVersion": "9", "annotations": annotations}}));
}
