//! What is refused, and what a PUT keeps.

use super::*;

/// Status, code and message of a refusal.
fn refused(answer: &Answer) -> (u16, String, String) {
    let text = |field: &str| answer.body[field].as_str().unwrap_or_default().to_owned();
    assert!(answer.started.is_none(), "{}", answer.body);
    (answer.status, text("code"), text("message"))
}

#[track_caller]
fn assert_refused(answer: &Answer, status: u16, code: &str, phrase: &str) {
    let (found, found_code, message) = refused(answer);
    assert_eq!((found, found_code.as_str()), (status, code), "{message}");
    assert!(message.contains(phrase), "{message}");
}

#[test]
fn one_operation_per_cluster() {
    let mut script = Script::new("");
    let _answer = script.upgrade_control_plane("1.35.3");
    let again = script.put_cluster(|_| {});
    assert_refused(&again, 409, "OperationNotAllowed", "in progress upgrade managed cluster operation");
    let image = script.call(Call::UpgradeNodeImage { pool: pool("apps") });
    assert_refused(&image, 409, "EtagMismatch", "Another operation is in progress");
    script.pass(9);
    assert_eq!(script.call(Call::UpgradeNodeImage { pool: pool("apps") }).status, 202);
}

#[test]
fn etags_change_with_every_change_and_guard_writes() {
    let mut script = Script::new("");
    let before = script.get();
    let (cluster_tag, pool_tag) = (before["eTag"].clone(), script.get_pool("apps")["eTag"].clone());
    assert_eq!(before["properties"]["agentPoolProfiles"][0]["eTag"], pool_tag);
    let put = |script: &mut Script, tag: &Value| {
        let properties = script.get_pool("apps");
        script.call(Call::PutPool {
            pool: pool("apps"),
            body: json!({ "properties": properties }),
            if_match: Some(tag.as_str().unwrap().to_owned()),
        })
    };
    assert_eq!(put(&mut script, &pool_tag).status, 200);
    script.pass(5);
    assert_ne!(script.get()["eTag"], cluster_tag);
    assert_refused(&put(&mut script, &pool_tag), 412, "PreconditionFailed", "does not match");
    let current = script.get_pool("apps")["eTag"].clone();
    assert_eq!(put(&mut script, &current).status, 200);
}

#[test]
fn control_planes_go_where_they_are_offered_to_go() {
    let mut script = Script::new("");
    let skipped = script.upgrade_control_plane("1.36.2");
    assert_refused(&skipped, 400, "OperationNotAllowed", "Available upgrades: [1.35.3 1.35.1]");
    let older = script.upgrade_control_plane("1.34.2");
    assert_refused(&older, 400, "OperationNotAllowed", "Upgrading Kubernetes version 1.34.4 to 1.34.2");
    assert_refused(&script.upgrade_control_plane("1.99.0"), 400, "K8sVersionNotSupported", "1.99.0");
    assert_eq!(script.get()["properties"]["kubernetesVersion"], "1.34.4");
}

#[test]
fn a_channel_forbids_upgrades_of_the_control_plane_alone() {
    let mut script = Script::new("autoUpgradeChannel: patch");
    let answer = script.upgrade_control_plane("1.35.3");
    assert_refused(&answer, 400, "NotAllAgentPoolOrchestratorVersionSpecifiedAndUnchanged", "per agent pool");
}

#[test]
fn pools_stay_between_their_control_plane_and_three_minors_below() {
    let mut script = Script::with("{ name: apps, kubernetesVersion: 1.31.9 }", "");
    let newer = script.upgrade_pool("apps", "1.35.1");
    assert_refused(&newer, 400, "NodePoolMcVersionIncompatible", "cannot be bigger");
    let older = script.upgrade_pool("apps", "1.30.0");
    assert_refused(&older, 400, "OperationNotAllowed", "downgrade");
    assert_refused(&script.upgrade_pool("apps", "1.34.3"), 400, "AgentPoolK8sVersionNotSupported", "1.34.3");
    let behind = script.upgrade_control_plane("1.35.3");
    assert_refused(&behind, 400, "NodePoolMcVersionIncompatible", "more than 3 versions");
    assert_eq!(script.upgrade_pool("apps", "1.34.4").status, 200);
}

#[test]
fn another_image_asks_for_a_rollback_and_the_present_one_for_nothing() {
    let mut script = Script::with("{ name: apps, kubernetesVersion: 1.34.2, nodeImage: old }", "");
    let mut send = |version: &str, image: &str| {
        script.put_pool("apps", |properties| {
            properties["orchestratorVersion"] = json!(version);
            properties["nodeImageVersion"] = json!(image);
        })
    };
    assert_refused(&send("1.34.4", "older"), 400, "InvalidParameter", "recently used");
    assert_refused(&send("1.33.101", "old"), 400, "OperationNotAllowed", "downgrade");
    assert_eq!(send("1.34.4", "old").body["properties"]["provisioningState"], "Upgrading");
}

#[test]
fn an_os_sku_has_its_last_minor() {
    let mut script =
        Script::with("{ name: win, osType: Windows, osSku: Windows2022, kubernetesVersion: 1.34.4 }", "");
    for version in ["1.35.3", "1.36.2", "1.37.1"] {
        assert_eq!(script.upgrade_control_plane(version).status, 200);
        script.pass(10);
    }
    assert_refused(&script.upgrade_pool("win", "1.37.1"), 400, "OSSKUNotSupported", "Windows2022");
    let changed = script.put_pool("win", |properties| properties["osSKU"] = json!("Windows2025"));
    assert_refused(&changed, 400, "PropertyChangeNotAllowed", "osSKU");
}

#[test]
fn stopped_clusters_and_missing_ones_refuse() {
    let mut script = Script::new("powerState: Stopped");
    assert_refused(&script.upgrade_control_plane("1.35.3"), 400, "OperationNotAllowed", "stopped state");
    let missing = ClusterKey(CLUSTER.replace("weu", "neu"));
    let answer = script.call(Call::GetCluster { cluster: missing });
    assert_eq!((answer.status, &answer.body["error"]["code"]), (404, &json!("ResourceNotFound")));
    let answer = script.call(Call::GetPool { pool: pool("nope") });
    assert_refused(&answer, 404, "NotFound", "nope");
}

#[test]
fn upgrade_settings_are_checked() {
    let mut script = Script::new("");
    let mut settings = |pool: &str, settings: Value| {
        script.put_pool(pool, |properties| properties["upgradeSettings"] = settings)
    };
    let neither = settings("apps", json!({ "maxSurge": "0", "maxUnavailable": "0" }));
    assert_refused(&neither, 400, "InvalidParameter", "cannot both be 0");
    let system = settings("system", json!({ "maxSurge": "0", "maxUnavailable": "1" }));
    assert_refused(&system, 400, "InvalidParameter", "system pools");
    let defaults = settings("apps", json!({ "drainTimeoutInMinutes": 7 }));
    let expected = json!({ "drainTimeoutInMinutes": 7, "maxSurge": "10%", "maxUnavailable": "0" });
    assert_eq!(defaults.body["properties"]["upgradeSettings"], expected);
}

#[test]
fn a_put_keeps_what_it_does_not_know_and_drops_what_it_is_not_sent() {
    let extra =
        "extra: { properties: { futureProfile: { deep: [1, null] }, networkProfile: { future: true } } }";
    let mut script = Script::new(extra);
    let before = script.get();
    let answer = script.upgrade_control_plane("1.35.3");
    for field in ["futureProfile", "networkProfile", "aadProfile", "servicePrincipalProfile", "fqdn"] {
        assert_eq!(answer.body["properties"][field], before["properties"][field], "{field}");
    }
    let pools = &answer.body["properties"]["agentPoolProfiles"];
    assert_eq!(pools[0]["securityProfile"], before["properties"]["agentPoolProfiles"][0]["securityProfile"]);
    script.pass(10);

    let dropped = script.put_cluster(|body| {
        let properties = body["properties"].as_object_mut().unwrap();
        properties.remove("futureProfile");
        properties.insert("servicePrincipalProfile".to_owned(), Value::Null);
        properties.insert("fqdn".to_owned(), json!("mine"));
    });
    assert_eq!(dropped.body["properties"]["provisioningState"], "Updating");
    assert!(dropped.body["properties"].get("futureProfile").is_none());
    assert_eq!(dropped.body["properties"]["servicePrincipalProfile"], json!({ "clientId": "msi" }));
    assert_eq!(dropped.body["properties"]["fqdn"], before["properties"]["fqdn"]);
}

#[test]
fn a_put_of_a_cluster_refuses_what_belongs_to_its_pools() {
    let mut script = Script::new("");
    let inline = script.put_cluster(|body| {
        body["properties"]["agentPoolProfiles"][0]["securityProfile"]["sshAccess"] = json!("LocalUser");
    });
    assert_refused(&inline, 400, "UnmarshalError", "unknown field \"sshAccess\"");
    let new = script.put_cluster(|body| body["properties"]["agentPoolProfiles"][0]["name"] = json!("other"));
    assert_refused(&new, 400, "BadRequest", "A new agent pool was introduced");
    let one = script.put_cluster(|body| {
        body["properties"]["agentPoolProfiles"][0]["orchestratorVersion"] = json!("1.34.2");
    });
    assert_refused(&one, 400, "NotAllAgentPoolOrchestratorVersionSpecifiedAndUnchanged", "all specified");
}

#[test]
fn lists_come_in_pages() {
    let yaml = (0..5).map(|number| {
        format!("  - {{ subscription: s, resourceGroup: g{}, name: c{number}, kubernetesVersion: 1.34.4, pools: [{{ name: a }}] }}\n", number % 2)
    });
    let scenario = Scenario::parse(&format!("pageSize: 2\nclusters:\n{}", yaml.collect::<String>())).unwrap();
    let mut script = Script { world: World::new(&scenario), now: Timestamp::UNIX_EPOCH };
    let mut list = |group: Option<&str>, skip| {
        let resource_group = group.map(str::to_owned);
        let answer = script.call(Call::ListClusters { subscription: "S".into(), resource_group, skip });
        (answer.body["value"].as_array().unwrap().len(), answer.next)
    };
    assert_eq!(list(None, 0), (2, Some(2)));
    assert_eq!(list(None, 4), (1, None));
    assert_eq!(list(Some("G0"), 0), (2, Some(2)));
    assert_eq!(list(Some("G1"), 0), (2, None));
}
