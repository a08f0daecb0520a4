use engine::calendar::{Start, Terms};
use jiff::civil::Weekday;
use serde_json::{Value, json};

use super::*;

const OLD: &str = "AKSUbuntu-2404gen2containerd-202609.01.0";
const NEW: &str = "AKSUbuntu-2404gen2containerd-202611.10.0";

fn now() -> Timestamp {
    "2026-11-22T21:00:00Z".parse().unwrap()
}

fn pool(name: &str, version: &str, count: i32) -> Value {
    json!({"name": name, "mode": if name == "system" { "System" } else { "User" }, "osType": "Linux",
        "osSku": "Ubuntu2404", "version": version, "nodeImage": OLD, "count": count,
        "provisioningState": "Succeeded", "power": "Running"})
}

/// A cluster whose region has 1.34 to 1.36, with the next versions on offer.
fn cluster(name: &str, version: &str, pools: &[Value], change: impl FnOnce(&mut Value)) -> AKSCluster {
    let next = |version: &str| match version {
        "1.34.4" => vec!["1.35.3"],
        "1.35.3" => vec!["1.36.2"],
        _ => vec![],
    };
    let entry =
        |version: &str| json!({"version": version, "supportPlans": "Both", "upgrades": next(version)});
    let region = ["1.34.4", "1.35.3", "1.36.2"].map(entry);
    let offered: Vec<Value> = next(version).iter().map(|version| json!({ "version": version })).collect();
    let images: serde_json::Map<String, Value> =
        pools.iter().map(|pool| (pool["name"].as_str().unwrap().to_owned(), json!(NEW))).collect();
    let mut seen = json!({"name": name, "location": "westeurope", "version": version,
        "provisioningState": "Succeeded", "power": "Running", "pools": pools});
    change(&mut seen);
    let ready = json!({"type": "Ready", "status": "True", "reason": "Observed", "message": "",
        "lastTransitionTime": "2026-11-20T08:00:00Z"});
    serde_json::from_value(json!({
        "apiVersion": "tidegate.dev/v1alpha1", "kind": "AKSCluster",
        "metadata": {"namespace": "fleet", "name": name},
        "spec": {"resourceId": "unused"},
        "status": {"cluster": seen, "conditions": [ready], "offers": {"controlPlane": offered,
            "region": region, "images": images}},
    }))
    .unwrap()
}

fn plan(target: Value, clusters: &[AKSCluster]) -> UpgradePlan {
    let names: Vec<&str> = clusters.iter().filter_map(|cluster| cluster.metadata.name.as_deref()).collect();
    serde_json::from_value(json!({
        "apiVersion": "tidegate.dev/v1alpha1", "kind": "UpgradePlan",
        "metadata": {"namespace": "fleet", "name": "autumn"},
        "spec": {"target": target, "waves": [{"name": "all", "clusters": {"names": names}}],
            "nodePools": {"order": [{"name": "system", "match": {"mode": "System"}, "soak": "10m"}],
                "exclude": [{"names": ["legacy"]}]}},
    }))
    .unwrap()
}

fn to(version: &str) -> Value {
    json!({"kubernetes": {"version": version}})
}

fn answer(target: Value, clusters: &[AKSCluster]) -> Answer {
    Answer::of(&plan(target, clusters), (clusters, &[]), now()).unwrap()
}

/// The lines of one cluster.
fn lines(target: Value, cluster: AKSCluster) -> Vec<String> {
    let text = render::text(&answer(target, &[cluster]));
    text.lines().skip(3).map(|line| line.trim_end().to_owned()).collect()
}

#[test]
fn steps_in_order_with_nodes_and_reasons_and_what_is_left_alone() {
    let pools = [pool("apps", "1.34.4", 9), pool("legacy", "1.34.4", 1), pool("system", "1.34.4", 3)];
    let plain = cluster("weu-1", "1.34.4", &pools, |_| ());
    let text = render::text(&answer(to("1.36"), &[plain]));
    let expected = "\
UpgradePlan autumn   target 1.36.2   (nothing is changed)

wave all
weu-1   1.34.4 → 1.36.2   4 steps, 12 nodes replaced once
   1  control plane   1.34.4 → 1.35.3   about 20m; Azure offers one minor at a time
   2  control plane   1.35.3 → 1.36.2   about 20m; Azure offers one minor at a time; pools stay at 1.34 meanwhile: 2 minors behind is allowed
   3  pool system     1.34.4 → 1.36.2   3 nodes, about 40m; to the target, after its control plane; brings the newest image; watched for 10m afterwards
   4  pool apps       1.34.4 → 1.36.2   9 nodes, about 1h40m; to the target, after its control plane; brings the newest image
   –  pool legacy left alone: spec.nodePools.exclude[0]
";
    assert_eq!(text, expected);
}

#[test]
fn a_wave_tells_what_is_needed_before_and_what_comes_after_its_clusters() {
    let plain = cluster("weu-1", "1.34.4", &[pool("system", "1.34.4", 3)], |_| ());
    let heading = |approvals: Value, soak: &str| {
        let mut plan = plan(to("1.36"), std::slice::from_ref(&plain));
        plan.spec.waves[0].approvals = serde_json::from_value(approvals).unwrap();
        plan.spec.waves[0].soak = Some(soak.parse().unwrap());
        let text = render::text(&Answer::of(&plan, (std::slice::from_ref(&plain), &[]), now()).unwrap());
        text.lines().nth(2).unwrap().to_owned()
    };
    assert_eq!(
        heading(json!({"required": 2}), "24h"),
        "wave all   needs 2 approvals   each cluster is watched for 1d after its last step"
    );
    assert_eq!(heading(json!({"required": 1}), "0s"), "wave all   needs 1 approval");
}

#[test]
fn one_refusal_hides_neither_the_others_nor_the_steps() {
    let mut pinned = pool("apps", "1.34.4", 9);
    pinned["snapshot"] = json!("golden");
    let mut ends = pool("win1", "1.32.9", 2);
    ends["provisioningState"] = json!("Canceled");
    let pools = [pinned, pool("system", "1.34.4", 3), ends];
    let stopped = cluster("weu-1", "1.34.4", &pools, |seen| seen["power"] = json!("Stopped"));
    let expected = [
        "weu-1   1.34.4 → 1.35.3   cannot start; then 2 steps, 3 nodes replaced once",
        "   ✖  in the way: the cluster is stopped: start it (az aks start) or leave it out",
        "   ✖  in the way: pool apps is pinned to snapshot golden, from which an upgrade would take it: move it to a newer snapshot (az aks nodepool upgrade --snapshot-id), take it off the snapshot (az aks nodepool upgrade --kubernetes-version 1.34.4), or leave it out with spec.nodePools.exclude",
        "   ✖  in the way: pool win1 is in state Canceled: somebody aborted its last operation; finish it (az aks nodepool upgrade --kubernetes-version 1.32.9) or leave the pool out with spec.nodePools.exclude",
        "   1  control plane   1.34.4 → 1.35.3   about 20m; the next minor",
        "   2  pool system     1.34.4 → 1.35.3   3 nodes, about 40m; to the target, after its control plane; brings the newest image; watched for 10m afterwards",
        "   !  note: spec.nodePools.exclude[0] names pool legacy, which the cluster does not have",
    ];
    assert_eq!(lines(to("1.35.3"), stopped), expected);
}

#[test]
fn repairs_forced_moves_and_provisioned_nodes() {
    let mut failed = pool("apps", "1.34.4", 1);
    failed["provisioningState"] = json!("Failed");
    let mut behind = pool("batch", "1.32.9", 2);
    behind["nodeImage"] = json!(NEW);
    let pools = [failed, behind, pool("legacy", "1.34.4", 1)];
    let cluster = cluster("weu-1", "1.34.4", &pools, |seen| seen["nodeProvisioning"] = json!(true));
    let expected = [
        "weu-1   1.34.4 → 1.36.2   6 steps, 6 replacements of 3 nodes",
        "   1  pool apps       1.34.4 again      1 node, about 20m; repairs its failed operation before the control plane moves",
        "   2  control plane   1.34.4 → 1.35.3   about 20m; Azure offers one minor at a time; pools stay at 1.32 meanwhile: 3 minors behind is allowed",
        "   3  pool batch      1.32.9 → 1.35.3   2 nodes, about 30m; must not be more than 3 minors behind control plane 1.36.2; brings the newest image",
        "   4  control plane   1.35.3 → 1.36.2   about 20m; Azure offers one minor at a time; pools stay at 1.34 meanwhile: 2 minors behind is allowed",
        "   5  pool apps       1.34.4 → 1.36.2   1 node, about 20m; to the target, after its control plane; brings the newest image",
        "   6  pool batch      1.35.3 → 1.36.2   2 nodes, about 30m; to the target, after its control plane; brings the newest image",
        "   –  pool legacy left alone: spec.nodePools.exclude[0]",
        "   –  nodes outside of pools left alone: node auto-provisioning makes its nodes: they follow the control plane by themselves, as far as disruption budgets let them, and the upgrade is done without them",
    ];
    assert_eq!(lines(to("1.36.2"), cluster), expected);
}

#[test]
fn images_by_the_part_of_their_name_that_changes() {
    let mut new = pool("system", "1.34.4", 3);
    new["nodeImage"] = json!(NEW);
    let pools = [pool("apps", "1.34.4", 1), pool("legacy", "1.34.4", 1), new];
    let expected = [
        "weu-1   1.34.4   1 step, 1 node replaced once",
        "   1  pool apps   image 202609.01.0 → 202611.10.0   1 node, about 20m; Azure offers a newer image",
        "   –  pool legacy left alone: spec.nodePools.exclude[0]",
        "   –  pool system left alone: its version and image are what is wanted",
    ];
    assert_eq!(lines(json!({"scope": "NodeImage"}), cluster("weu-1", "1.34.4", &pools, |_| ())), expected);
    let alone = cluster("weu-1", "1.34.4", &pools, |_| ());
    let control_plane = lines(json!({"scope": "ControlPlane", "kubernetes": {"version": "1.35"}}), alone);
    assert_eq!(control_plane[0], "weu-1   1.34.4 → 1.35.3   1 step, no node replaced");
    let done = cluster("weu-1", "1.35.3", &[], |_| ());
    assert_eq!(lines(to("1.35.3"), done)[0], "weu-1   1.35.3   nothing to do");
}

#[test]
fn a_cluster_that_is_not_known_does_not_hide_the_others() {
    let known = cluster("weu-1", "1.34.4", &[pool("system", "1.34.4", 3)], |_| ());
    let mut unknown = cluster("neu-1", "1.34.4", &[], |_| ());
    unknown.status = None;
    let mut stale = cluster("sea-1", "1.34.4", &[], |_| ());
    let conditions = &mut stale.status.as_mut().unwrap().conditions[0];
    (conditions.status, conditions.reason) = ("False".to_owned(), "AzureUnreachable".to_owned());
    let clusters = [known, unknown, stale];
    let answer = answer(json!({"scope": "NodeImage"}), &clusters);
    assert!(answer.is_stuck());
    let text = render::text(&answer);
    assert!(
        text.contains("neu-1   unknown   cannot start\n   ✖  in the way: what Azure offers is not known yet")
    );
    assert!(text.contains("weu-1   1.34.4   1 step, 3 nodes replaced once"), "{text}");
    assert!(text.contains("planned from what was seen before"), "{text}");
}

#[test]
fn programs_get_reasons_pools_and_numbers() {
    let mut pinned = pool("apps", "1.34.4", 9);
    pinned["snapshot"] = json!("golden");
    let pools = [pinned, pool("legacy", "1.34.4", 1), pool("system", "1.34.4", 3)];
    let answer = answer(to("1.35.3"), &[cluster("weu-1", "1.34.4", &pools, |_| ())]);
    let json = serde_json::to_value(&answer).unwrap();
    let told = &json["waves"][0]["clusters"][0];
    assert_eq!((&json["target"], &told["from"]), (&json!("1.35.3"), &json!("1.34.4")));
    assert_eq!(
        told["steps"][1],
        json!({"id": "pool-system-1.35.3", "kind": "NodePoolVersion", "subject": "pool system", "pool": "system",
            "from": "1.34.4", "to": "1.35.3", "nodes": 3, "repair": false, "takes": "40m", "soak": "10m",
            "why": "to the target, after its control plane; brings the newest image"})
    );
    assert_eq!(told["nodes"], json!({"affected": 3, "replacements": 3}));
    let excluded = json!({"pool": "legacy", "reason": "Excluded", "why": "spec.nodePools.exclude[0]"});
    assert_eq!(told["leftAlone"], json!([excluded]));
    assert_eq!(told["cannotStart"][0]["reason"], "Pinned");
    assert_eq!(told["cannotStart"][0]["pool"], "apps");
    let yaml = Format::Yaml.render(&answer).unwrap().unwrap();
    assert!(yaml.contains("reason: Pinned"), "{yaml}");
}

#[test]
fn a_plan_that_nobody_could_carry_out_is_an_error() {
    let clusters = [cluster("weu-1", "1.35.3", &[], |_| ())];
    let error = |target: Value| {
        Answer::of(&plan(target, &clusters), (&clusters, &[]), now()).err().unwrap().to_string()
    };
    assert!(error(to("1.34.4")).contains("AKS cannot downgrade"), "{}", error(to("1.34.4")));
    assert!(error(to("1.40")).contains("offered"), "{}", error(to("1.40")));
}

/// An hour on Saturdays.
fn weekend() -> Window {
    Window::new(&Terms {
        name: "weekend".to_owned(),
        time_zone: "Europe/Berlin".to_owned(),
        duration: Some(std::time::Duration::from_secs(3600)),
        starts: vec![Start::Weekly { days: vec![Weekday::Saturday], time: "22:00".parse().unwrap() }],
        exclusions: Vec::new(),
    })
    .unwrap()
}

#[test]
fn what_approving_starts_is_told_as_the_plan_tells_it() {
    let mut clusters =
        [cluster("weu-1", "1.34.4", &[pool("apps", "1.34.4", 9), pool("system", "1.34.4", 3)], |_| ())];
    let status = clusters[0].status.as_mut().unwrap();
    status.estimates.pools.insert("system".to_owned(), 1500);
    let (plan, windows) = (plan(to("1.35.3"), &clusters), [weekend()]);
    let rollout: engine::Rollout =
        serde_json::from_value(json!({"id": "autumn-1", "number": 1, "planHash": "0",
        "target": {"kubernetes": "1.35.3"}, "startedAt": now()}))
        .unwrap();
    let names = ["weu-1".to_owned()];
    let wave = of_wave(&plan, &rollout, ("all", &names), (&clusters, &windows), now()).unwrap();
    let whole = Answer::of(&plan, (&clusters, &windows), now()).unwrap();
    assert_eq!(serde_json::to_value(&wave.waves).unwrap(), serde_json::to_value(&whole.waves).unwrap());
    let text = wave_text(&wave);
    assert!(text.contains("in the way: pool apps needs a window of 1h40m"), "{text}");
    assert!(text.contains("3 nodes, about 1h35m"), "as long as they took before, and a margin: {text}");
    let nothing = of_wave(&plan, &rollout, ("all", &[]), (&clusters, &windows), now()).unwrap();
    assert_eq!(wave_text(&nothing), "\nnone of its clusters waits to be started\n");
}

#[test]
fn windows_and_steps_that_fit_into_none_of_them() {
    let window = weekend();
    let clusters =
        [cluster("weu-1", "1.34.4", &[pool("apps", "1.34.4", 9), pool("system", "1.34.4", 3)], |_| ())];
    let answer = Answer::of(&plan(to("1.35.3"), &clusters), (&clusters, &[window]), now()).unwrap();
    assert!(answer.is_stuck());
    let json = serde_json::to_value(&answer).unwrap();
    assert_eq!(
        json["openings"][0],
        json!({"window": "weekend", "from": "2026-11-28T21:00:00Z", "until": "2026-11-28T22:00:00Z"})
    );
    let told = &json["waves"][0]["clusters"][0]["cannotStart"];
    assert_eq!(told.as_array().unwrap().len(), 1, "{told}");
    assert_eq!((&told[0]["reason"], &told[0]["pool"]), (&json!("WindowTooShort"), &json!("apps")));
    assert_eq!(
        told[0]["message"],
        "pool apps needs a window of 1h40m, and the longest is 1h: a longer window, more surge, or spec.schedule.minimumRemaining"
    );
}
