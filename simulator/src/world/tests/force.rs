//! `forceUpgrade`: over disruption budgets and deprecated APIs, until the instant that it names.

use super::*;

const API: &str = "deprecatedApis: [{ api: flowcontrol.apiserver.k8s.io.flowschemas.v1beta3, removedIn: '1.35', lastSeen: 2026-12-05T12:00:00Z }]";

fn force(script: &mut Script, settings: Value) {
    let answer = script
        .put_cluster(|body| body["properties"]["upgradeSettings"] = json!({ "overrideSettings": settings }));
    assert_eq!(answer.status, 200, "{}", answer.body);
    script.pass(1);
}

#[test]
fn a_deprecated_api_in_use_blocks_a_minor_upgrade_for_twelve_hours() {
    let mut script = Script::new(API);
    let answer = script.upgrade_control_plane("1.35.3");
    assert_refused(&answer, 400, "ValidationError", "flowcontrol.apiserver.k8s.io.flowschemas.v1beta3");
    assert_eq!(answer.body["subcode"], "UpgradeBlockedOnDeprecatedAPIUsage");
    let message = answer.body["message"].as_str().unwrap();
    for phrase in
        ["1 error occurred", "was recently seen at: 2026-12-05 12:00:00 +0000 UTC", "removed in 1.35"]
    {
        assert!(message.contains(phrase), "{message}");
    }
    // 22:00 + 2 h are twelve hours after its use.
    script.pass(120);
    assert_eq!(script.upgrade_control_plane("1.35.3").status, 400);
    script.pass(1);
    assert_eq!(script.upgrade_control_plane("1.35.3").status, 200);
}

#[test]
fn patches_and_minors_that_still_have_the_api_are_not_blocked() {
    let used = |removed: &str| format!("deprecatedApis: [{{ api: a.b.v1, removedIn: '{removed}' }}]");
    let mut script =
        Script::whole("", &format!("kubernetesVersion: 1.34.2, pools: [{{ name: a }}], {}", used("1.35")));
    assert_eq!(script.upgrade_control_plane("1.34.4").status, 200);
    assert_eq!(Script::new(&used("1.36")).upgrade_control_plane("1.35.3").status, 200);
    // One that is used all the time blocks for ever.
    let mut script = Script::new(&used("1.35"));
    script.pass(24 * 60);
    assert_eq!(script.upgrade_control_plane("1.35.3").body["code"], "ValidationError");
}

#[test]
fn force_goes_over_deprecated_apis_only_with_an_instant_that_is_still_to_come() {
    let mut script = Script::new(API);
    force(&mut script, json!({ "forceUpgrade": true }));
    assert_eq!(script.upgrade_control_plane("1.35.3").status, 400, "without until it is not in effect");
    force(&mut script, json!({ "forceUpgrade": true, "until": "2026-12-05T22:00:30Z" }));
    assert_eq!(script.upgrade_control_plane("1.35.3").status, 400, "it is over");
    force(&mut script, json!({ "until": "2026-12-06T22:00:00Z" }));
    assert_eq!(script.upgrade_control_plane("1.35.3").status, 400, "it is not asked for");
    // Sent along with the upgrade, it counts for this one.
    let answer = script.put_cluster(|body| {
        body["properties"]["kubernetesVersion"] = json!("1.35.3");
        body["properties"]["upgradeSettings"] =
            json!({ "overrideSettings": { "forceUpgrade": true, "until": "2026-12-06T22:00:00Z" } });
    });
    assert_eq!(answer.status, 200, "{}", answer.body);
}

#[test]
fn force_drains_without_regard_to_budgets_until_the_end_of_the_upgrade() {
    let blocked = "faults: [{ pool: apps, blockedBy: [{ namespace: shop, pod: db-0, budget: db }] }]";
    let mut script = Script::with("{ name: apps, kubernetesVersion: 1.34.2 }", blocked);
    force(&mut script, json!({ "forceUpgrade": true, "until": "2026-12-05T22:03:00Z" }));
    let answer = script.upgrade_pool("apps", "1.34.4");
    script.pass(9);
    assert_eq!(script.status(&answer)["status"], "Succeeded", "until counts at the start only");

    // A pod that does not end is no matter of budgets.
    let stuck = blocked.replace(", budget: db", "");
    let mut script = Script::with("{ name: apps, kubernetesVersion: 1.34.2 }", &stuck);
    force(&mut script, json!({ "forceUpgrade": true, "until": "2026-12-06T22:00:00Z" }));
    let answer = script.upgrade_pool("apps", "1.34.4");
    script.pass(60);
    assert_eq!(script.status(&answer)["status"], "Failed");
}

#[test]
fn a_driver_is_told_whether_budgets_count() {
    for (until, forced) in [("2026-12-06T22:00:00Z", true), ("2026-12-05T21:00:00Z", false)] {
        let mut script = Script::with("{ name: apps, kubernetesVersion: 1.34.2 }", "");
        force(&mut script, json!({ "forceUpgrade": true, "until": until }));
        let endpoint = crate::world::Endpoint { server: "https://127.0.0.1:1".into(), ca_pem: "pem".into() };
        script.world.attach(script.now, &cluster(), endpoint);
        let _answer = script.upgrade_pool("apps", "1.34.4");
        let effects = script.drive(30, |_| None);
        let drains = effects.iter().filter_map(|effect| {
            if let Effect::DrainNode { force, .. } = effect { Some(*force) } else { None }
        });
        assert_eq!(drains.collect::<Vec<_>>(), [forced, forced], "node and surge node");
    }
}
