//! What operations say while they run and after their end, and what cluster and pools show.

use super::*;

#[test]
fn a_pool_upgrade_says_what_it_does_and_leaves_the_cluster_succeeded() {
    let mut script = Script::with("{ name: apps, count: 2, kubernetesVersion: 1.34.2 }", "");
    let answer = script.upgrade_pool("apps", "1.34.4");
    let texts: Vec<_> = (0..14)
        .map(|_| {
            let status = script.status(&answer)["status"].as_str().unwrap().to_owned();
            script.pass(1);
            status
        })
        .collect();
    let expected = [
        "InProgress",
        "RollingUpgradeCreatingSurgeNodes",
        "RollingUpgradeCreatingSurgeNodes",
        "RollingUpgradeUpgradingNodes: 0/2 nodes completed; 0 errors",
        "RollingUpgradeUpgradingNodes: 0/2 nodes completed; 0 errors",
        "RollingUpgradeUpgradingNodes: 0/2 nodes completed; 0 errors",
        "RollingUpgradeUpgradingNodes: 0/2 nodes completed; 0 errors",
        "RollingUpgradeUpgradingNodes: 1/2 nodes completed; 0 errors",
        "RollingUpgradeUpgradingNodes: 1/2 nodes completed; 0 errors",
        "RollingUpgradeUpgradingNodes: 1/2 nodes completed; 0 errors",
        "RollingUpgradeUpgradingNodes: 1/2 nodes completed; 0 errors",
        "RollingUpgradeRemovingSurgeNodes",
        "Succeeded",
        "Succeeded",
    ];
    assert_eq!(texts, expected);
}

#[test]
fn a_control_plane_upgrade_says_what_it_does_and_its_pools_look_the_same() {
    let mut script = Script::new("");
    let answer = script.upgrade_control_plane("1.35.3");
    assert_eq!(script.states(), ["Upgrading", "Upgrading", "Upgrading"]);
    let mut texts = Vec::new();
    for _ in 0..10 {
        texts.push(script.status(&answer)["status"].as_str().unwrap().to_owned());
        script.pass(1);
    }
    texts.dedup();
    let expected =
        ["InProgress", "ProvisioningControlPlane", "ReconcilingDNS", "ReconcilingAddons", "Succeeded"];
    assert_eq!(texts, expected);
    assert_eq!(script.states(), ["Succeeded", "Succeeded", "Succeeded"]);
}

#[test]
fn new_settings_of_a_cluster_show_on_its_pools_which_are_then_what_they_were() {
    let mut script = Script::with(
        "{ name: system, mode: System }, { name: apps, provisioningState: Failed }",
        "durations: { update: 10m }",
    );
    let answer = script.put_cluster(|body| body["tags"] = json!({ "stage": "test" }));
    assert_eq!(answer.body["properties"]["agentPoolProfiles"][0]["provisioningState"], "Updating");
    script.pass(1);
    assert_eq!(script.status(&answer)["status"], "ProvisioningControlPlane");
    assert_eq!(script.states(), ["Updating", "Updating", "Updating"]);
    script.pass(9);
    assert_eq!(script.states(), ["Succeeded", "Failed", "Succeeded"]);
}

#[test]
fn pools_that_go_along_are_done_one_after_the_other() {
    let mut script = Script::with(
        "{ name: apps }, { name: batch }",
        "faults: [{ pool: batch, error: { code: OverconstrainedAllocationRequest, message: no room } }]",
    );
    let answer = script.put_cluster(|body| {
        body["properties"]["kubernetesVersion"] = json!("1.35.3");
        for pool in body["properties"]["agentPoolProfiles"].as_array_mut().unwrap() {
            pool["orchestratorVersion"] = json!("1.35.3");
        }
    });
    script.pass(18);
    assert_eq!(script.states(), ["Upgrading", "Succeeded", "Upgrading"]);
    script.pass(60);
    assert_eq!(script.status(&answer)["error"]["code"], "OverconstrainedAllocationRequest");
    assert_eq!(script.states(), ["Failed", "Succeeded", "Failed"]);
    let batch = script.get_pool("batch");
    assert_eq!(batch["currentOrchestratorVersion"], "1.35.3");
    assert_eq!(
        script.nodes("batch"),
        ["000000 1.34.4", "000001 1.35.3s"].map(|node| node.replace("3s", "3 s"))
    );

    // Any later PUT goes on with it.
    let again = script.put_cluster(|_| {});
    assert_eq!(script.states(), ["Upgrading", "Upgrading", "Upgrading"]);
    script.pass(60);
    assert_eq!(script.status(&again)["status"], "Succeeded");
    assert_eq!(script.nodes("batch"), ["000000 1.35.3"]);
}

#[test]
fn an_error_that_aks_gets_over_stays_in_the_body_of_a_success() {
    let fault = |pool: &str| {
        format!(
            "faults: [{{ {pool} passing: true, error: {{ code: OverlaymgrReconcileError, message: again }} }}]"
        )
    };
    let mut script = Script::new(&fault(""));
    let answer = script.upgrade_control_plane("1.35.3");
    script.pass(1);
    let status = script.status(&answer);
    assert_eq!(
        (&status["status"], &status["error"]["code"]),
        (&json!("ProvisioningControlPlane"), &json!("OverlaymgrReconcileError"))
    );
    script.pass(9);
    let status = script.status(&answer);
    assert_eq!(
        (&status["status"], &status["error"]["code"]),
        (&json!("Succeeded"), &json!("OverlaymgrReconcileError"))
    );
    assert_eq!(script.get()["properties"]["provisioningState"], "Succeeded");

    let mut script = Script::with(
        "{ name: apps, count: 2, kubernetesVersion: 1.34.2 }",
        &fault("pool: apps, afterNodes: 1,"),
    );
    let answer = script.upgrade_pool("apps", "1.34.4");
    script.pass(5);
    assert!(script.status(&answer).get("error").is_none());
    script.pass(60);
    assert_eq!(script.status(&answer)["error"]["message"], "again");
    assert_eq!(script.nodes("apps"), ["000000 1.34.4", "000001 1.34.4"]);
}

#[test]
fn an_operation_is_found_by_its_own_url_only_and_not_for_ever() {
    let mut script = Script::whole(
        "operations: { mixedEndianNames: true }\nsubscriptions: [{ id: other }]",
        "kubernetesVersion: 1.34.4, pools: [{ name: apps }]",
    );
    let answer = script.upgrade_control_plane("1.35.3");
    let started = answer.started.clone().unwrap();
    let name = script.status(&answer)["name"].as_str().unwrap().to_owned();
    assert_ne!(name, started.id);
    assert_eq!(name[18..], started.id[18..]);
    let ask = |script: &mut Script, subscription: &str, location: &str| {
        let (subscription, location) = (subscription.to_owned(), location.to_owned());
        script.call(Call::Operation { subscription, location, id: started.id.clone() }).status
    };
    assert_eq!(ask(&mut script, "S", "WestEurope"), 200);
    assert_eq!(ask(&mut script, "s", "eastus"), 404);
    assert_eq!(ask(&mut script, "other", "westeurope"), 404);
    script.pass(9 + 24 * 60);
    assert_eq!(ask(&mut script, "s", "westeurope"), 200);
    script.pass(1);
    assert_eq!(ask(&mut script, "s", "westeurope"), 404);
}

#[test]
fn the_result_of_an_operation_is_202_while_it_runs_and_204_then() {
    let mut script = Script::new("");
    let answer = script.call(Call::UpgradeNodeImage { pool: pool("apps") });
    let started = answer.started.unwrap();
    let result =
        Call::OperationResult { subscription: "s".into(), location: started.location, id: started.id };
    assert_eq!(script.call(result.clone()).status, 202);
    script.pass(60);
    assert_eq!(script.call(result).status, 204);
}

#[test]
fn a_linux_pool_changes_to_another_linux() {
    let mut script = Script::new("");
    let answer = script.put_pool("apps", |properties| properties["osSKU"] = json!("AzureLinux"));
    assert_eq!((answer.status, &answer.body["properties"]["osSKU"]), (200, &json!("AzureLinux")));
    script.pass(60);
    assert_eq!(script.get_pool("apps")["nodeImageVersion"], "AKSAzureLinux-V3gen2-202611.10.0");
    let windows = script.put_pool("apps", |properties| properties["osSKU"] = json!("Windows2025"));
    assert_refused(&windows, 400, "PropertyChangeNotAllowed", "osSKU");
}

#[test]
fn the_latest_image_can_be_asked_for_by_its_name() {
    let mut script = Script::new("");
    let answer = script.put_pool("apps", |properties| properties["nodeImageVersion"] = json!("latest"));
    assert_eq!(answer.body["properties"]["provisioningState"], "UpgradingNodeImageVersion");
    script.pass(60);
    assert_eq!(script.get_pool("apps")["nodeImageVersion"], "AKSUbuntu-2204gen2containerd-202611.10.0");
}
