//! Clusters and pools come, stop, start and go.

use super::*;

const BORN: &str =
    "/subscriptions/s/resourcegroups/shop/providers/microsoft.containerservice/managedclusters/born";

fn born() -> ClusterKey {
    ClusterKey(BORN.to_owned())
}

fn create(script: &mut Script, document: Value) -> Answer {
    let id = "/subscriptions/s/resourceGroups/Shop/providers/Microsoft.ContainerService/managedClusters/Born";
    let mut body = document;
    body["id"] = json!(id);
    script.call(Call::PutCluster { cluster: born(), body, if_match: None })
}

fn get(script: &mut Script, cluster: ClusterKey) -> Answer {
    script.call(Call::GetCluster { cluster })
}

/// One system pool, and nothing else that a client has to say.
fn simple() -> Value {
    let pool = json!({
        "name": "nodepool1", "mode": "System", "count": 2, "vmSize": "", "orchestratorVersion": "",
        "scaleSetPriority": "Regular",
    });
    json!({ "location": "West Europe", "properties": { "kubernetesVersion": "", "agentPoolProfiles": [pool] } })
}

#[test]
fn a_cluster_is_made_part_by_part() {
    let mut script = Script::new("");
    let answer = create(&mut script, simple());
    assert_eq!(answer.status, 201, "{}", answer.body);
    let properties = &answer.body["properties"];
    assert_eq!(
        answer.body["id"],
        "/subscriptions/s/resourcegroups/Shop/providers/Microsoft.ContainerService/managedClusters/Born"
    );
    assert_eq!((&answer.body["location"], &answer.body["kind"]), (&json!("westeurope"), &json!("Base")));
    assert_eq!(
        (&properties["provisioningState"], &properties["kubernetesVersion"]),
        (&json!("Creating"), &json!("1.35"))
    );
    assert_eq!(properties["currentKubernetesVersion"], "1.35.3");
    let pool = &properties["agentPoolProfiles"][0];
    assert_eq!((&pool["provisioningState"], &pool["nodeLabels"]), (&json!("Creating"), &json!({})));
    assert_eq!((&pool["vmSize"], &pool["osDiskType"]), (&json!("Standard_D8d_v5"), &json!("Ephemeral")));
    assert!(pool.get("scaleSetPriority").is_none() && pool.get("eTag").is_none());
    assert!(properties.get("identityProfile").is_none() && answer.body.get("eTag").is_none());
    let started = answer.started.clone().unwrap();
    assert!(!started.with_result);

    script.pass(2);
    assert_eq!(script.status(&answer)["status"], "ProvisioningControlPlane");
    script.pass(7);
    assert_eq!(script.status(&answer)["status"], "CreatingAgentPools: 0/2 nodes completed");
    let view = script.world.view().into_iter().find(|view| view.id.ends_with("Born")).unwrap();
    assert_eq!(view.pools[0].nodes.iter().map(|node| node.ready).collect::<Vec<_>>(), [false, false]);
    script.pass(3);
    assert_eq!(script.status(&answer)["status"], "Succeeded");
    let made = get(&mut script, born()).body;
    let properties = &made["properties"];
    assert_eq!(properties["provisioningState"], "Succeeded");
    assert_eq!(properties["agentPoolProfiles"][0]["provisioningState"], "Succeeded");
    assert!(properties["agentPoolProfiles"][0].get("nodeLabels").is_none());
    assert!(made["eTag"].is_string() && properties["agentPoolProfiles"][0]["eTag"].is_string());
    assert!(
        properties["identityProfile"]["kubeletidentity"]["resourceId"]
            .as_str()
            .unwrap()
            .ends_with("Born-agentpool")
    );
    let addresses = &properties["networkProfile"]["loadBalancerProfile"]["effectiveOutboundIPs"];
    assert_eq!(addresses.as_array().unwrap().len(), 1);
    let upgrades = script.call(Call::ClusterUpgradeProfile { cluster: born() });
    assert_eq!(
        upgrades.body["properties"]["controlPlaneProfile"]["upgrades"][0]["kubernetesVersion"],
        "1.36.2"
    );
}

#[test]
fn a_cluster_that_cannot_be_is_not_made() {
    let refused = |change: fn(&mut Value)| {
        let mut script = Script::new("");
        let mut document = simple();
        change(&mut document);
        let answer = create(&mut script, document);
        assert_eq!(get(&mut script, born()).status, 404);
        let error = answer.body.get("error").unwrap_or(&answer.body);
        (
            answer.status,
            error["code"].as_str().unwrap().to_owned(),
            error["message"].as_str().unwrap().to_owned(),
        )
    };
    let (status, code, _) = refused(|body| drop(body.as_object_mut().unwrap().remove("location")));
    assert_eq!((status, code.as_str()), (400, "LocationRequired"));
    let (_, code, message) = refused(|body| body["properties"]["kubernetesVersion"] = json!("1.12.3"));
    assert!(code == "K8sVersionNotSupported" && message.contains("1.12.3"), "{code}: {message}");
    let profile = |field: &'static str, value: &'static str| {
        let mut script = Script::new("");
        let mut document = simple();
        document["properties"]["agentPoolProfiles"][0][field] = json!(value);
        create(&mut script, document).body["code"].as_str().unwrap().to_owned()
    };
    assert_eq!(profile("mode", "User"), "InvalidParameter");
    assert_eq!(profile("name", "Not_A_Name"), "InvalidParameter");
    assert_eq!(profile("orchestratorVersion", "1.36.2"), "NodePoolMcVersionIncompatible");
    assert_eq!(profile("orchestratorVersion", "1.2.3"), "AgentPoolK8sVersionNotSupported");
}

#[test]
fn aks_automatic_decides_for_itself_and_may_hide_its_system_pools() {
    let mut script = Script::new("");
    let answer = create(
        &mut script,
        json!({
            "location": "westeurope",
            "sku": { "name": "Automatic", "tier": "Standard" },
            "properties": { "hostedSystemProfile": { "enabled": true }, "networkProfile": { "outboundType": "managedNATGateway" } },
        }),
    );
    assert_eq!(answer.status, 201, "{}", answer.body);
    let properties = &answer.body["properties"];
    assert_eq!(answer.body["kind"], "Automatic");
    assert_eq!(properties["autoUpgradeProfile"]["upgradeChannel"], "stable");
    assert_eq!(properties["nodeProvisioningProfile"]["mode"], "Auto");
    assert_eq!(properties["networkProfile"]["networkDataplane"], "cilium");
    assert_eq!(properties["networkProfile"]["natGatewayProfile"]["idleTimeoutInMinutes"], 4);
}

#[test]
fn a_deleted_cluster_says_so_until_it_is_gone() {
    let mut script = Script::new("");
    let delete =
        |script: &mut Script| script.call(Call::DeleteCluster { cluster: cluster(), if_match: None });
    let answer = delete(&mut script);
    assert_eq!((answer.status, &answer.body), (202, &Value::Null));
    assert!(answer.started.as_ref().unwrap().with_result);
    let meanwhile = script.get();
    assert_eq!(meanwhile["properties"]["provisioningState"], "Deleting");
    assert_eq!(meanwhile["properties"]["agentPoolProfiles"][0]["provisioningState"], "Deleting");
    assert_eq!(delete(&mut script).started, answer.started, "a second look at the same deletion");
    script.pass(3);
    assert_eq!(script.status(&answer)["status"], "Succeeded");
    let gone = get(&mut script, cluster());
    assert_eq!((gone.status, &gone.body["error"]["code"]), (404, &json!("ResourceNotFound")));
    let pool = script.call(Call::GetPool { pool: pool("apps") });
    assert_eq!((pool.status, &pool.body["error"]["code"]), (404, &json!("ParentResourceNotFound")));
    assert_eq!(delete(&mut script).status, 204);
    assert!(script.world.view().is_empty());
}

#[test]
fn a_deletion_takes_over_from_an_upgrade() {
    let mut script = Script::new("");
    let upgrade = script.upgrade_control_plane("1.35.3");
    let deletion = script.call(Call::DeleteCluster { cluster: cluster(), if_match: None });
    assert_eq!(deletion.status, 202, "{}", deletion.body);
    assert_eq!(script.status(&upgrade)["status"], "Succeeded", "it ends so, and nothing was upgraded");
    script.pass(3);
    assert!(script.world.view().is_empty());
}

#[test]
fn a_pool_comes_with_its_nodes_and_goes_with_them() {
    let mut script = Script::new("");
    let put = |script: &mut Script, name: &str, properties: Value| {
        let body = json!({ "properties": properties });
        script.call(Call::PutPool { pool: pool(name), body, if_match: None })
    };
    let answer = put(
        &mut script,
        "extra",
        json!({ "count": 2, "orchestratorVersion": "1.34.2", "upgradeSettings": {} }),
    );
    assert_eq!(answer.status, 201, "{}", answer.body);
    let properties = &answer.body["properties"];
    assert_eq!((&properties["provisioningState"], &properties["mode"]), (&json!("Creating"), &json!("User")));
    assert!(properties["eTag"].is_string());
    assert_eq!(script.get()["properties"]["provisioningState"], "Succeeded");
    assert_eq!(script.nodes("extra"), ["000000 1.34.2", "000001 1.34.2"]);
    script.pass(3);
    assert_eq!(script.get_pool("extra")["provisioningState"], "Succeeded");

    let ahead = put(&mut script, "ahead", json!({ "orchestratorVersion": "1.35.3" }));
    assert_eq!(ahead.body["code"], "NodePoolMcVersionIncompatible");
    let windows = put(&mut script, "windows", json!({ "osType": "Windows" }));
    assert!(windows.body["message"].as_str().unwrap().contains("up to 5"), "{}", windows.body);

    let delete =
        |script: &mut Script, name: &str| script.call(Call::DeletePool { pool: pool(name), if_match: None });
    let answer = delete(&mut script, "extra");
    assert_eq!(answer.status, 202, "{}", answer.body);
    assert_eq!(script.get_pool("extra")["provisioningState"], "Deleting");
    script.pass(1);
    let gone = script.call(Call::GetPool { pool: pool("extra") });
    assert_eq!((gone.status, &gone.body["code"]), (404, &json!("NotFound")));
    assert_eq!(delete(&mut script, "extra").status, 204);
    let last = delete(&mut script, "system");
    assert_eq!((last.status, &last.body["code"]), (400, &json!("OperationNotAllowed")));
}

#[test]
fn a_pool_stops_and_starts_with_the_names_that_it_had() {
    let mut script = Script::new("");
    let before = script.nodes("apps");
    let stop = script.put_pool("apps", |properties| properties["powerState"]["code"] = json!("Stopped"));
    assert_eq!(stop.status, 200, "{}", stop.body);
    assert_eq!(stop.body["properties"]["provisioningState"], "Stopping");
    assert_eq!(
        (&stop.body["properties"]["count"], &script.get_pool("apps")["count"]),
        (&json!(0), &json!(3))
    );
    script.pass(1);
    assert!(script.nodes("apps").is_empty());
    let stopped = script.get_pool("apps");
    assert_eq!(
        (&stopped["provisioningState"], &stopped["powerState"]["code"]),
        (&json!("Succeeded"), &json!("Stopped"))
    );
    let start = script.put_pool("apps", |properties| properties["powerState"]["code"] = json!("Running"));
    assert_eq!(start.body["properties"]["provisioningState"], "Starting");
    script.pass(3);
    assert_eq!(script.nodes("apps"), before);
    let system = script.put_pool("system", |properties| properties["powerState"]["code"] = json!("Stopped"));
    assert_eq!(system.body["code"], "OperationNotAllowed");
}

#[test]
fn an_aborted_stop_leaves_a_pool_that_runs() {
    let mut script = Script::new("");
    script.put_pool("apps", |properties| properties["powerState"]["code"] = json!("Stopped"));
    let abort = script.call(Call::AbortPool { pool: pool("apps") });
    assert_eq!(abort.status, 202, "{}", abort.body);
    script.pass(2);
    let pool = script.get_pool("apps");
    assert_eq!(
        (&pool["provisioningState"], &pool["powerState"]["code"]),
        (&json!("Canceled"), &json!("Running"))
    );
    assert_eq!(pool["count"], 3);
}

#[test]
fn a_cluster_stops_and_starts_with_all_its_pools() {
    let mut script = Script::new("");
    let stop = script.call(Call::StopCluster { cluster: cluster() });
    assert_eq!((stop.status, &stop.body), (202, &Value::Null));
    assert!(stop.started.as_ref().unwrap().with_result);
    let meanwhile = script.get();
    assert_eq!(meanwhile["properties"]["provisioningState"], "Stopping");
    script.pass(3);
    assert_eq!(script.status(&stop)["status"], "Succeeded");
    let stopped = script.get();
    assert_eq!(stopped["properties"]["powerState"]["code"], "Stopped");
    assert_eq!(stopped["properties"]["agentPoolProfiles"][0]["powerState"]["code"], "Stopped");
    assert!(script.nodes("apps").is_empty());
    assert_eq!(script.upgrade_control_plane("1.35.3").body["code"], "OperationNotAllowed");
    assert_eq!(script.call(Call::StopCluster { cluster: cluster() }).status, 204);
    let start = script.call(Call::StartCluster { cluster: cluster() });
    assert_eq!(start.status, 202);
    script.pass(8);
    assert_eq!(script.status(&start)["status"], "Succeeded");
    assert_eq!(script.nodes("apps").len(), 3);
    assert_eq!(script.get()["properties"]["powerState"]["code"], "Running");
}

#[test]
fn tags_are_patched_and_nothing_else() {
    let mut script = Script::new("tags: { stage: test, team: shop }");
    let before = script.get();
    let patch = |script: &mut Script, body: Value| {
        script.call(Call::PatchCluster { cluster: cluster(), body, if_match: None })
    };
    let answer =
        patch(&mut script, json!({ "tags": { "stage": "production" }, "properties": { "dnsPrefix": "x" } }));
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.body["tags"], json!({ "stage": "production" }));
    assert_eq!(answer.body["properties"]["dnsPrefix"], before["properties"]["dnsPrefix"]);
    script.pass(1);
    assert_eq!(script.status(&answer)["status"], "Succeeded");
    assert_eq!(patch(&mut script, json!({ "tags": ["a"] })).body["code"], "InvalidRequestContent");
}

#[test]
fn a_cluster_has_so_many_pools_and_nodes_and_no_more() {
    let with = |count: u64, pools: u64| {
        let mut document = simple();
        let pools = (0..pools).map(|index| {
            json!({ "name": format!("p{index}"), "mode": "System", "count": count, "vmSize": "Standard_D4s_v5" })
        });
        document["properties"]["agentPoolProfiles"] = pools.collect();
        document
    };
    let mut script = Script::new("");
    let refused = |answer: &Answer, words: &str| {
        assert_eq!(
            (answer.status, &answer.body["code"]),
            (400, &json!("InvalidParameter")),
            "{}",
            answer.body
        );
        assert!(answer.body["message"].as_str().unwrap().contains(words), "{}", answer.body);
    };
    refused(&create(&mut script, with(1, 101)), "100 agent pools");
    refused(&create(&mut script, with(1001, 1)), "1001 nodes are more than the 1000");
    refused(&create(&mut script, with(900, 6)), "5400 nodes are more than the 5000");
    assert_eq!(create(&mut script, with(1, 100)).status, 201);
    script.pass(400);
    let call = Call::PutPool {
        pool: PoolKey { cluster: born(), name: "more".to_owned() },
        body: json!({ "properties": { "count": 1, "vmSize": "Standard_D4s_v5" } }),
        if_match: None,
    };
    refused(&script.call(call), "100 agent pools");

    let mut script = Script::whole(
        "quotas: [{ subscription: s, location: westeurope, vcpus: 36 }]",
        "kubernetesVersion: 1.34.4, pools: [{ name: apps, count: 1, vmSize: Standard_D4s_v5 }]",
    );
    let answer = create(&mut script, with(3, 3));
    assert_eq!((answer.status, &answer.body["code"]), (400, &json!("ErrCode_InsufficientVCPUQuota")));
    assert_eq!(create(&mut script, with(2, 3)).status, 201);
}
