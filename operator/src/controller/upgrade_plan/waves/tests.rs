use super::{
    super::{
        member::tests::{stands, upgrade},
        request::rollout_request,
    },
    *,
};
use serde_json::{Value, json};

pub(in super::super) const NOW: &str = "2026-12-05T22:00:00Z";

pub(in super::super) fn plan(waves: &Value) -> UpgradePlan {
    serde_json::from_value(json!({
        "apiVersion": "tidegate.dev/v1alpha1", "kind": "UpgradePlan", "metadata": {"name": "p"},
        "spec": {"target": {"kubernetes": {"version": "1.35"}}, "waves": waves}
    }))
    .unwrap()
}

pub(in super::super) fn progress(upgrades: Vec<RolloutMember>) -> Progress {
    let rollout = json!({"id": "p-1", "number": 1, "planHash": "0", "target": {"kubernetes": "1.35.3"},
        "startedAt": NOW, "membersRecorded": true});
    let rollout = Some(serde_json::from_value(rollout).unwrap());
    Progress { rollout, upgrades, approvals: Vec::new(), obstacle: None }
}

/// A cluster with one pool, a minor behind.
pub(in super::super) fn cluster(name: &str) -> AKSCluster {
    let pool = json!({"name": "system", "mode": "System", "osType": "Linux", "osSku": "Ubuntu2404",
        "version": "1.34.4", "count": 3, "provisioningState": "Succeeded", "power": "Running"});
    let region: Vec<Value> = ["1.34.4", "1.35.3"].iter().map(|version| json!({"version": version})).collect();
    serde_json::from_value(json!({
        "apiVersion": "tidegate.dev/v1alpha1", "kind": "AKSCluster", "metadata": {"name": name},
        "spec": {"resourceId": "unused"},
        "status": {
            "cluster": {"name": name, "location": "westeurope", "version": "1.34.4",
                "provisioningState": "Succeeded", "power": "Running", "pools": [pool]},
            "offers": {"region": region, "controlPlane": [{"version": "1.35.3"}]}}
    }))
    .unwrap()
}

fn shown(plan: &UpgradePlan, progress: &Progress, clusters: &[AKSCluster]) -> Vec<WaveStatus> {
    let request = rollout_request(plan, clusters).unwrap();
    let now = NOW.parse().unwrap();
    let (waves, states) = (progress.waves(&request, now), progress.decide(&request, now).waves);
    let shown = Shown { plan, request: &request, progress, watching: None, clusters, now };
    waves.iter().zip(states).map(|(wave, state)| shown.wave(wave, state)).collect()
}

#[test]
fn a_wave_counts_its_clusters_and_its_failures() {
    let plan = plan(&json!([{"name": "w", "clusters": {"names": ["a"]}, "failureBudget": "50%"}]));
    let stopped = |name: &str| upgrade(name, true, &stands("Stopped", "DrainBlocked"));
    let skipped = upgrade("d", true, &json!({"control": {"skipped": true}, "finishedAt": NOW}));
    let upgrades =
        vec![upgrade("a", true, &json!({})), stopped("b"), upgrade("c", false, &json!({})), skipped];
    let wave = shown(&plan, &progress(upgrades), &[]).remove(0);
    let ClusterCounts {
        total,
        waiting,
        running,
        soaking,
        stopped: failed,
        succeeded,
        claimed,
        left,
        skipped,
    } = wave.clusters;
    assert_eq!(
        [total, waiting, running, soaking, failed, succeeded, claimed, left, skipped],
        [4, 1, 1, 0, 1, 0, 0, 0, 1]
    );
    let budget = wave.failure_budget.unwrap();
    assert_eq!((budget.allowed, budget.failed, budget.clusters.join(" ").as_str()), (2, 1, "b"));
    assert_eq!((wave.state.as_str(), wave.waiting_on), ("RollingOut", None));
}

#[test]
fn it_is_said_beforehand_what_approving_starts() {
    let waves = json!([
        {"name": "w", "clusters": {"names": ["a", "b"]}, "maxConcurrent": 2,
            "approvals": {"required": 2}},
        {"name": "later", "clusters": {"names": ["c"]}, "approvals": {"required": 1}},
    ]);
    let mut upgrades = ["a", "b", "c"].map(|name| upgrade(name, false, &json!({})));
    upgrades[2].wave = "later".to_owned();
    let told = shown(&plan(&waves), &progress(upgrades.into()), &[cluster("a"), cluster("b")]);
    let approvals = told[0].approvals.as_ref().unwrap();
    assert_eq!((approvals.required, approvals.given), (2, 0));
    assert_eq!(approvals.starts, "2 clusters to 1.35.3, 4 steps in all, at most 2 at once: a, b");
    let waits = told[0].waiting_on.as_ref().unwrap();
    assert_eq!(
        (waits.reason.as_str(), waits.message.as_str()),
        ("WaitingForApproval", "0 of 2 approvals count")
    );
    assert_eq!(told[1].state, "Pending");
    assert_eq!(
        told[1].approvals.as_ref().unwrap().starts,
        "1 clusters to 1.35.3, when the wave's turn has come"
    );
}

#[test]
fn approving_starts_neither_who_was_left_out_nor_who_is_gone() {
    let waves = json!([{"name": "w", "clusters": {"selector": {}}, "maxConcurrent": 9, "approvals": {"required": 1}}]);
    let waiting = |name: &str| upgrade(name, false, &json!({}));
    let skipped = upgrade("s", false, &json!({"control": {"skipped": true}, "finishedAt": NOW}));
    let gone = RolloutMember { registered: false, ..waiting("gone") };
    let claimed = RolloutMember { claimed_by: Some("old-1-c".to_owned()), ..waiting("c") };
    let upgrades = vec![waiting("a"), skipped.clone(), gone, claimed];
    // What is gone has no AKSCluster to count steps of.
    let told = shown(&plan(&waves), &progress(upgrades), &[cluster("a"), cluster("c"), cluster("s")]);
    assert_eq!(
        told[0].approvals.as_ref().unwrap().starts,
        "1 clusters to 1.35.3, 2 steps in all, at most 1 at once: a; 1 more once older rollouts of other plans have ended there"
    );
    let earlier = json!([{"name": "first", "clusters": {"names": ["f"]}}, waves[0]]);
    let first = RolloutMember { wave: "first".to_owned(), ..waiting("f") };
    let told = shown(&plan(&earlier), &progress(vec![first, waiting("a"), skipped]), &[]);
    assert_eq!(
        told[1].approvals.as_ref().unwrap().starts,
        "1 clusters to 1.35.3, when the wave's turn has come"
    );
}

#[test]
fn a_wave_shows_a_freeze_while_others_of_its_clusters_are_worked_on() {
    let plan = plan(&json!([{"name": "w", "clusters": {"selector": {}}, "maxConcurrent": 2}]));
    let frozen = upgrade("b", true, &stands("Parked", "Frozen"));
    let works = upgrade("a", true, &stands("Working", "UpgradingNodePool"));
    let told = shown(&plan, &progress(vec![works.clone(), frozen]), &[]).remove(0);
    assert_eq!(told.state, "RollingOut");
    let waits = told.waiting_on.unwrap();
    assert_eq!((waits.reason.as_str(), waits.message.as_str()), ("Frozen", "b: because"));
    assert_eq!(shown(&plan, &progress(vec![works]), &[])[0].waiting_on, None);
}

#[test]
fn a_status_with_fifty_waves_stays_below_twenty_kilobytes() {
    let waves: Vec<Value> = (0..50)
        .map(|n| {
            json!({"name": format!("production-{n:02}"), "clusters": {"names": ["a"]},
            "failureBudget": "10%", "approvals": {"required": 2}})
        })
        .collect();
    let upgrades = (0..1000).map(|n| {
        let mut upgrade = match n % 10 {
            0 => upgrade(&format!("weu-production-{n:04}"), true, &stands("Stopped", "DrainBlocked")),
            _ => upgrade(&format!("weu-production-{n:04}"), n % 20 != 1, &json!({})),
        };
        upgrade.wave = format!("production-{:02}", n % 50);
        upgrade
    });
    let told = shown(&plan(&json!(waves)), &progress(upgrades.collect()), &[]);
    let bytes = serde_json::to_vec(&told).unwrap().len();
    println!("50 waves, all with failures: {bytes} bytes");
    assert!(bytes < 18_000, "{bytes}");
    let frozen = (0..1000).map(|n| {
        let mut status = stands("Parked", ["Frozen", "WaitingForWindow", "NotBefore"][n % 3]);
        status["summary"]["message"] = "x".repeat(200).into();
        let mut upgrade = upgrade(&format!("weu-production-{n:04}"), n < 500, &status);
        upgrade.wave = format!("production-{:02}", n % 50);
        upgrade
    });
    let waves: Vec<Value> =
        waves.iter().map(|wave| json!({"name": wave["name"], "clusters": wave["clusters"]})).collect();
    let told = shown(&plan(&json!(waves)), &progress(frozen.collect()), &[]);
    assert_eq!(
        told.iter().filter(|wave| wave.waiting_on.is_some()).count(),
        1,
        "one wave is rolled out at a time"
    );
    let bytes = serde_json::to_vec(&told).unwrap().len();
    println!("50 waves, all that has started frozen: {bytes} bytes");
    assert!(bytes < 18_000, "{bytes}");
}
