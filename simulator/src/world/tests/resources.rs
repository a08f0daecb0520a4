//! What there is besides clusters and pools: machines, configurations, credentials, what a region offers.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::*;

#[test]
fn machines_are_the_nodes_of_a_pool() {
    let mut script = Script::new("");
    let list = script.call(Call::ListMachines { pool: pool("apps") });
    let machines = list.body["value"].as_array().unwrap();
    assert_eq!(machines.len(), 3);
    let name = machines[1]["name"].as_str().unwrap();
    assert_eq!(name.rsplit_once("vmss").unwrap().1, "000001");
    let id = machines[1]["id"].as_str().unwrap();
    assert!(id.contains("/resourceGroups/") && id.ends_with(&format!("/agentPools/apps/machines/{name}")));
    let resource = machines[1]["properties"]["resourceId"].as_str().unwrap();
    assert!(
        resource.starts_with("/subscriptions/s/resourceGroups/MC_")
            && resource.ends_with("/virtualMachines/1")
    );
    let addresses =
        machines.iter().map(|machine| machine["properties"]["network"]["ipAddresses"][0]["ip"].clone());
    assert_eq!(addresses.collect::<std::collections::HashSet<_>>().len(), 3);

    let one = script.call(Call::GetMachine { pool: pool("apps"), machine: name.to_lowercase() });
    assert_eq!(one.body["properties"], machines[1]["properties"]);
    assert!(one.body["id"].as_str().unwrap().ends_with(&format!("/machines/{name}/{name}")));
    let none = script.call(Call::GetMachine { pool: pool("apps"), machine: "other".into() });
    assert_eq!((none.status, &none.body["subcode"]), (404, &json!("GetMachine_NotFound_HCPServerError")));
}

#[test]
fn machines_of_a_zonal_pool_are_in_its_zones_in_turn() {
    let mut script =
        Script::with("{ name: a, mode: System, count: 3, extra: { availabilityZones: ['1', '2'] } }", "");
    let list = script.call(Call::ListMachines { pool: pool("a") });
    let zones = list.body["value"].as_array().unwrap().iter().map(|machine| machine["zones"][0].clone());
    assert_eq!(zones.collect::<Vec<_>>(), [json!("1"), json!("2"), json!("1")]);
}

#[test]
fn maintenance_configurations_come_and_go_at_once() {
    let mut script = Script::new(
        "maintenanceConfigurations: [{ name: default, properties: { timeInWeek: [{ day: Saturday, hourSlots: [1] }] } }]",
    );
    let name = || "aksmanagedautoupgradeschedule".to_owned();
    let list = |script: &mut Script| {
        let list = script.call(Call::MaintenanceConfigurations { cluster: cluster() });
        let names = list.body["value"].as_array().unwrap().iter();
        names.map(|configuration| configuration["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(list(&mut script), ["default"]);
    let window = json!({ "maintenanceWindow": {
        "schedule": { "weekly": { "intervalWeeks": 1, "dayOfWeek": "Friday" } }, "durationHours": 4, "startTime": "22:00",
    } });
    let put = |script: &mut Script, properties: &Value| {
        let body = json!({ "properties": properties });
        script.call(Call::PutMaintenanceConfiguration { cluster: cluster(), name: name(), body })
    };
    let made = put(&mut script, &window);
    assert_eq!((made.status, made.started.is_none()), (200, true), "{}", made.body);
    assert_eq!(made.body["name"], "aksManagedAutoUpgradeSchedule");
    assert_eq!(
        made.body["properties"]["maintenanceWindow"]["startDate"], "2026-12-05",
        "today, when it is not said"
    );
    let read = script.call(Call::MaintenanceConfiguration { cluster: cluster(), name: name() });
    assert_eq!(read.body, made.body);
    assert_eq!(list(&mut script), ["aksManagedAutoUpgradeSchedule", "default"]);

    let mut short = window;
    short["maintenanceWindow"]["durationHours"] = json!(3);
    let refused = put(&mut script, &short);
    assert_eq!((refused.status, &refused.body["code"]), (400, &json!("InvalidParameter")));
    assert!(refused.body["message"].as_str().unwrap().contains("durationHours"), "{}", refused.body);

    let delete = || Call::DeleteMaintenanceConfiguration { cluster: cluster(), name: name() };
    assert_eq!(script.call(delete()).status, 200);
    assert_eq!(script.call(delete()).status, 204);
    let gone = script.call(Call::MaintenanceConfiguration { cluster: cluster(), name: name() });
    assert_eq!((gone.status, &gone.body["code"]), (404, &json!("NotFound")));
}

#[test]
fn a_region_says_what_pools_and_nodes_may_run() {
    let mut script = Script::new("");
    let versions = script.call(Call::AvailablePoolVersions { cluster: cluster() });
    let versions = versions.body["properties"]["agentPoolVersions"].as_array().unwrap().clone();
    let named = |version: &Value| version["kubernetesVersion"].as_str().unwrap().to_owned();
    assert_eq!(
        versions.iter().map(named).collect::<Vec<_>>(),
        ["1.32.100", "1.33.100", "1.33.101", "1.34.2", "1.34.4"],
        "none ahead of the control plane"
    );
    assert_eq!(
        versions.iter().filter(|version| version["default"] == true).map(named).collect::<Vec<_>>(),
        ["1.34.4"]
    );

    let region = || Call::NodeImageVersions { subscription: "s".into(), location: "WestEurope".into() };
    let images = script.call(region()).body["value"].as_array().unwrap().clone();
    let expected = json!({
        "fullName": "AKSUbuntu-2204gen2containerd-202611.10.0",
        "os": "AKSUbuntu",
        "sku": "2204gen2containerd",
        "version": "202611.10.0",
    });
    assert!(images.contains(&expected), "{images:?}");
}

#[test]
fn kubeconfigs_have_a_credential_only_where_local_accounts_are_on() {
    let credential = |local: bool, call: Call| {
        let rest = format!("extra: {{ properties: {{ disableLocalAccounts: {} }} }}", !local);
        Script::new(&rest).call(call)
    };
    let user_of = |answer: &Answer| {
        let value = STANDARD.decode(answer.body["kubeconfigs"][0]["value"].as_str().unwrap()).unwrap();
        let kubeconfig: Value = serde_json::from_slice(&value).unwrap();
        (kubeconfig["users"][0]["name"].as_str().unwrap().to_owned(), kubeconfig["users"][0]["user"].clone())
    };
    let (name, user) = user_of(&credential(false, Call::UserCredential { cluster: cluster() }));
    assert_eq!((name.as_str(), &user["exec"]["command"]), ("clusterUser_shop_weu", &json!("kubelogin")));
    let refused = credential(false, Call::AdminCredential { cluster: cluster() });
    assert_eq!((refused.status, &refused.body["code"]), (400, &json!("BadRequest")));
    let (name, user) = user_of(&credential(true, Call::AdminCredential { cluster: cluster() }));
    assert!(name == "clusterAdmin_shop_weu" && user["token"].is_string());
    let (name, _) = user_of(&credential(true, Call::MonitoringCredential { cluster: cluster() }));
    assert_eq!(name, "clusterMonitoringUser_shop_weu");

    let profile = |role: &str| Call::AccessProfile { cluster: cluster(), role: role.to_owned() };
    let older = credential(true, profile("clusteruser"));
    assert_eq!(older.body["name"], "clusterUser");
    assert!(older.body["properties"]["kubeConfig"].is_string());
    assert_eq!(credential(true, profile("nobody")).status, 400);
}

#[test]
fn a_list_of_pools_ends_with_an_empty_page() {
    let mut script = Script::new("");
    let page = |script: &mut Script, skip| {
        let answer = script.call(Call::ListPools { cluster: cluster(), skip });
        (answer.body["value"].as_array().unwrap().len(), answer.next)
    };
    assert_eq!(page(&mut script, 0), (2, Some(2)));
    assert_eq!(page(&mut script, 2), (0, None));
}
