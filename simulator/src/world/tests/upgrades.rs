//! Upgrades that go well: control plane, pools, images.

use super::*;

#[test]
fn a_control_plane_shows_its_target_at_once_and_runs_it_later() {
    let mut script = Script::new("");
    let answer = script.upgrade_control_plane("1.35.3");
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.body["properties"]["provisioningState"], "Upgrading");
    assert_eq!(answer.body["properties"]["currentKubernetesVersion"], "1.35.3");
    assert_eq!(script.world.view()[0].kubernetes_version, "1.34.4");
    assert_eq!(script.status(&answer)["status"], "InProgress");

    script.pass(9);
    assert_eq!(script.world.view()[0].kubernetes_version, "1.35.3");
    assert_eq!(script.get()["properties"]["provisioningState"], "Succeeded");
    let status = script.status(&answer);
    assert_eq!(
        (&status["status"], &status["endTime"]),
        (&json!("Succeeded"), &json!("2026-12-05T22:09:00Z"))
    );
    assert!(status.get("error").is_none());
}

#[test]
fn a_failed_control_plane_keeps_showing_its_target_and_goes_there_when_asked_again() {
    let mut script = Script::new("faults: [{ error: { code: InternalServerError, message: try again } }]");
    let answer = script.upgrade_control_plane("1.35.3");
    script.pass(9);
    assert_eq!(script.status(&answer)["error"]["code"], "InternalServerError");
    let properties = script.get()["properties"].clone();
    assert_eq!(properties["provisioningState"], "Failed");
    assert_eq!(properties["currentKubernetesVersion"], "1.35.3");
    assert_eq!(script.world.view()[0].kubernetes_version, "1.34.4");
    let again = script.upgrade_control_plane("1.35.3");
    script.pass(9);
    assert_eq!(script.status(&again)["status"], "Succeeded");
    assert_eq!(script.world.view()[0].kubernetes_version, "1.35.3");
}

#[test]
fn a_pool_upgrade_adds_surge_nodes_reimages_in_batches_and_removes_them() {
    let mut script = Script::with("{ name: apps, count: 3, maxSurge: '2', kubernetesVersion: 1.34.2 }", "");
    let answer = script.upgrade_pool("apps", "1.34.4");
    assert_eq!(answer.body["properties"]["provisioningState"], "Upgrading");
    assert_eq!(answer.body["properties"]["currentOrchestratorVersion"], "1.34.4");
    assert_eq!(script.get()["properties"]["provisioningState"], "Succeeded");

    script.pass(1);
    assert_eq!(script.status(&answer)["status"], "RollingUpgradeCreatingSurgeNodes");
    script.pass(3);
    assert_eq!(
        script.nodes("apps"),
        ["000000 1.34.2 c", "000001 1.34.2 c", "000002 1.34.2", "000003 1.34.4 s", "000004 1.34.4 s"]
    );
    assert_eq!(
        script.status(&answer)["status"],
        "RollingUpgradeUpgradingNodes: 0/3 nodes completed; 0 errors"
    );
    script.pass(4);
    assert_eq!(script.nodes("apps")[..3], ["000000 1.34.4", "000001 1.34.4", "000002 1.34.2 c"]);
    assert_eq!(
        script.status(&answer)["status"],
        "RollingUpgradeUpgradingNodes: 2/3 nodes completed; 0 errors"
    );
    script.pass(3);
    assert_eq!(script.status(&answer)["status"], "RollingUpgradeRemovingSurgeNodes");
    script.pass(1);
    assert_eq!(script.nodes("apps"), ["000000 1.34.4", "000001 1.34.4", "000002 1.34.4"]);
    assert_eq!(script.status(&answer)["status"], "Succeeded");
    assert_eq!(script.status(&answer)["endTime"], "2026-12-05T22:12:00Z");
    assert_eq!(script.get_pool("apps")["provisioningState"], "Succeeded");
}

#[test]
fn the_image_stays_old_until_done_and_the_cluster_stays_succeeded() {
    let mut script = Script::new("");
    let answer = script.call(Call::UpgradeNodeImage { pool: pool("apps") });
    assert_eq!((answer.status, answer.started.as_ref().unwrap().with_result), (202, true));
    assert_eq!(answer.body["properties"]["provisioningState"], "UpgradingNodeImageVersion");
    script.pass(8);
    let cluster = script.get();
    assert_eq!(cluster["properties"]["provisioningState"], "Succeeded");
    assert_eq!(script.get_pool("apps")["nodeImageVersion"], "AKSUbuntu-2204gen2containerd-202610.01.0");
    script.pass(20);
    assert_eq!(script.get_pool("apps")["nodeImageVersion"], "AKSUbuntu-2204gen2containerd-202611.10.0");
    let profile = script.call(Call::PoolUpgradeProfile { pool: pool("apps") }).body;
    let recent = &profile["properties"]["recentlyUsedVersions"][0];
    assert_eq!(recent["nodeImageVersion"], "AKSUbuntu-2204gen2containerd-202610.01.0");
}

#[test]
fn without_surge_nodes_leave_in_batches_of_max_unavailable_and_nothing_is_added() {
    let pools = "{ name: system, mode: System }, { name: apps, count: 4, maxSurge: '0', maxUnavailable: '50%', kubernetesVersion: 1.34.2, nodeSoakDurationInMinutes: 2 }";
    let mut script = Script::with(pools, "");
    let answer = script.upgrade_pool("apps", "1.34.4");
    script.pass(4);
    assert_eq!(script.nodes("apps"), ["000000 1.34.4", "000001 1.34.4", "000002 1.34.2", "000003 1.34.2"]);
    script.pass(2);
    assert_eq!(script.nodes("apps")[2..], ["000002 1.34.2 c", "000003 1.34.2 c"]);
    script.pass(6);
    assert_eq!(script.status(&answer)["status"], "Succeeded");
}

#[test]
fn windows_nodes_have_their_own_names_and_take_longer() {
    let pools = "{ name: system, mode: System }, { name: win, osType: Windows, osSku: Windows2022, kubernetesVersion: 1.34.2 }";
    let mut script = Script::with(pools, "");
    assert_eq!(script.nodes("win"), ["akswin000000 1.34.2"]);
    let answer = script.upgrade_pool("win", "1.34.4");
    script.pass(11);
    assert_eq!(script.status(&answer)["status"], "RollingUpgradeRemovingSurgeNodes");
    script.pass(1);
    assert_eq!(script.status(&answer)["status"], "Succeeded");
}

#[test]
fn a_cluster_upgrade_takes_its_pools_along_when_all_name_the_new_version() {
    let mut script = Script::new("autoUpgradeChannel: stable");
    let answer = script.put_cluster(|body| {
        body["properties"]["kubernetesVersion"] = json!("1.35.3");
        for pool in body["properties"]["agentPoolProfiles"].as_array_mut().unwrap() {
            pool["orchestratorVersion"] = json!("1.35.3");
        }
    });
    assert_eq!(answer.status, 200, "{}", answer.body);
    script.pass(120);
    assert_eq!(script.status(&answer)["status"], "Succeeded");
    assert!(script.nodes("system").iter().chain(&script.nodes("apps")).all(|node| node.ends_with("1.35.3")));
}

#[test]
fn a_driver_gets_every_step_and_the_world_waits_for_it() {
    let mut script = Script::with("{ name: apps, kubernetesVersion: 1.34.2 }", "");
    let endpoint = super::super::Endpoint { server: "https://127.0.0.1:1".into(), ca_pem: "pem".into() };
    assert!(script.world.attach(script.now, &cluster(), endpoint));
    let created = script.drive(0, |_| None);
    assert!(matches!(&created[..], [Effect::CreateNode(node)] if node.name.ends_with("vmss000000")
        && node.provider_id.ends_with("/virtualMachines/0")
        && node.provider_id.contains("/resourceGroups/MC_shop_weu_westeurope/")));

    let _answer = script.upgrade_pool("apps", "1.34.4");
    let effects = script.drive(30, |_| None);
    let kinds =
        effects.iter().map(|effect| format!("{effect:?}").split(['(', ' ']).next().unwrap().to_owned());
    let expected = [
        "CreateNode",
        "CordonNode",
        "DrainNode",
        "ReimageNode",
        "UncordonNode",
        "CordonNode",
        "DrainNode",
        "DeleteNode",
    ];
    assert_eq!(kinds.collect::<Vec<_>>(), expected);

    let _answer = script.upgrade_control_plane("1.35.3");
    script.pass(60);
    assert_eq!(script.get()["properties"]["provisioningState"], "Upgrading");
    let effects = script.drive(1, |_| None);
    assert_eq!(effects, [Effect::UpgradeControlPlane { version: "1.35.3".into() }]);
    script.pass(3);
    assert_eq!(script.get()["properties"]["provisioningState"], "Succeeded");
}

#[test]
fn the_same_script_gives_the_same_world() {
    let run = || {
        let mut script = Script::new("");
        let answer = script.upgrade_control_plane("1.35.3");
        script.pass(5);
        (answer, script.get())
    };
    assert_eq!(run(), run());
}
