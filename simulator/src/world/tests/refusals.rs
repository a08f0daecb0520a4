//! What is refused, and what a PUT keeps.

use super::*;

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
    let empty = script.put_cluster(|body| body["properties"]["kubernetesVersion"] = json!("1.36"));
    assert_refused(&empty, 400, "OperationNotAllowed", "to 1.36.2 is not allowed");
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
fn inline_fields_that_are_sent_as_they_were_returned_are_taken() {
    let mut script = Script::new("");
    let mut body = script.get();
    body["properties"]["kubernetesVersion"] = json!("1.35.3");
    let answer = script.call(Call::PutCluster { cluster: cluster(), body, if_match: None });
    assert_eq!(answer.status, 200, "{}", answer.body);
}

#[test]
fn long_term_support_needs_the_premium_tier_and_its_own_patches_need_long_term_support() {
    let fields = |plan: &str| {
        format!("kubernetesVersion: 1.33.100, pools: [{{ name: apps, kubernetesVersion: 1.32.100 }}], {plan}")
    };
    let mut script = Script::whole("", &fields("supportPlan: AKSLongTermSupport, sku: { tier: Premium }"));
    let standard = script.put_cluster(|body| body["sku"]["tier"] = json!("standard"));
    assert_refused(&standard, 400, "BadRequest", "only available for managed clusters in the Premium tier");
    let leave = script.put_cluster(|body| body["properties"]["supportPlan"] = json!("KubernetesOfficial"));
    assert_refused(&leave, 400, "K8sVersionNotSupported", "only available for Long-Term Support (LTS)");
    // It leaves together with an upgrade to a version that everybody has, skipping a minor on the way.
    let skip = script.upgrade_control_plane("1.35.3");
    assert_eq!(skip.status, 200, "{}", skip.body);
    script.pass(10);
    let leave = script.put_cluster(|body| {
        body["properties"]["supportPlan"] = json!("KubernetesOfficial");
        body["sku"]["tier"] = json!("standard");
    });
    assert_eq!((leave.status, &leave.body["sku"]["tier"]), (200, &json!("Standard")));

    let mut script = Script::whole("", &fields("supportPlan: KubernetesOfficial"));
    let patch = script.upgrade_control_plane("1.33.101");
    assert_refused(&patch, 400, "K8sVersionNotSupported", "only available for Long-Term Support (LTS)");
    let onboard = script.put_cluster(|body| {
        body["properties"]["supportPlan"] = json!("AKSLongTermSupport");
        body["properties"]["kubernetesVersion"] = json!("1.33.101");
        body["sku"]["tier"] = json!("Premium");
    });
    assert_eq!(onboard.status, 200, "{}", onboard.body);

    let pools = "kubernetesVersion: 1.33.101, pools: [{ name: apps, kubernetesVersion: 1.32.100 }]";
    let mut script = Script::whole("", pools);
    let pool = script.upgrade_pool("apps", "1.33.100");
    assert_refused(&pool, 400, "AgentPoolK8sVersionNotSupported", "1.33.100");
    assert_eq!(script.upgrade_pool("apps", "1.33.101").status, 200, "as its control plane");
}

#[test]
fn a_cluster_out_of_support_goes_back_as_a_whole() {
    let pools = "kubernetesVersion: 1.31.9, pools: [{ name: apps }]";
    let mut script = Script::whole("", pools);
    let alone = script.upgrade_control_plane("1.34.4");
    assert_refused(&alone, 400, "NotAllAgentPoolOrchestratorVersionSpecifiedAndUnchanged", "all specified");
    let skipped = script.upgrade_control_plane("1.35.3");
    assert_refused(&skipped, 400, "OperationNotAllowed", "Available upgrades: [1.34.4 1.34.2]");
    let whole = script.put_cluster(|body| {
        body["properties"]["kubernetesVersion"] = json!("1.34.4");
        body["properties"]["agentPoolProfiles"][0]["orchestratorVersion"] = json!("1.34.4");
    });
    assert_eq!(whole.status, 200, "{}", whole.body);
}

#[test]
fn previews_are_shown_and_refused_where_the_region_says_so() {
    let versions = "kubernetesVersions: [{ version: 1.34.4 }, { version: 1.35.0, preview: true }]";
    for (refuse, status) in [("true", 400), ("false", 200)] {
        let general = format!("regions: {{ westeurope: {{ {versions}, refusePreviews: {refuse} }} }}");
        let mut script = Script::whole(&general, "kubernetesVersion: 1.34.4, pools: [{ name: apps }]");
        let profile = script.call(Call::ClusterUpgradeProfile { cluster: cluster() }).body;
        assert_eq!(profile["properties"]["controlPlaneProfile"]["upgrades"][0]["isPreview"], true);
        assert_eq!(script.upgrade_control_plane("1.35.0").status, status);
    }
}

#[test]
fn times_of_an_upgrade_have_their_bounds_and_spot_pools_no_surge() {
    let mut script =
        Script::with("{ name: apps, extra: { scaleSetPriority: Spot, upgradeSettings: null } }", "");
    let mut settings = |settings: Value| {
        let answer = script.put_pool("apps", |properties| properties["upgradeSettings"] = settings);
        script.pass(1);
        answer
    };
    let spot = settings(json!({ "maxSurge": "1" }));
    assert_refused(&spot, 400, "InvalidParameter", "Spot pools can't set max surge");
    assert_eq!(spot.body["target"], "agentPoolProfile.upgrade.maxSurge");
    for (field, too_much, enough) in
        [("drainTimeoutInMinutes", 1441, 1440), ("nodeSoakDurationInMinutes", 31, 30)]
    {
        assert_refused(&settings(json!({ field: too_much })), 400, "InvalidParameter", field);
        assert_eq!(settings(json!({ field: enough })).status, 200, "{field}");
    }
    assert_refused(
        &settings(json!({ "drainTimeoutInMinutes": 4 })),
        400,
        "InvalidParameter",
        "between 5 and 1440",
    );
}

#[test]
fn the_autoscaler_has_the_say_on_the_size_of_its_pools() {
    let extra = "autoscale: { min: 1, max: 5 }";
    let mut script = Script::with(&format!("{{ name: apps, count: 3, {extra} }}"), "");
    let within = script.put_pool("apps", |properties| properties["count"] = json!(5));
    assert_eq!((within.status, &within.body["properties"]["count"]), (200, &json!(3)));
    script.pass(1);
    let outside = script.put_pool("apps", |properties| properties["count"] = json!(6));
    assert_refused(&outside, 400, "InvalidParameter", "count 6 is outside of min 1 and max 5");
    let manual = script.put_pool("apps", |properties| {
        properties["enableAutoScaling"] = json!(false);
        properties["count"] = json!(6);
    });
    assert_eq!(manual.body["properties"]["provisioningState"], "Scaling");
}

#[test]
fn a_stopped_pool_is_not_upgraded_by_itself() {
    let mut script = Script::with(
        "{ name: apps, kubernetesVersion: 1.34.2, extra: { powerState: { code: Stopped } } }",
        "",
    );
    assert_refused(&script.upgrade_pool("apps", "1.34.4"), 400, "OperationNotAllowed", "in stopped state");
    let image = script.call(Call::UpgradeNodeImage { pool: pool("apps") });
    assert_refused(&image, 400, "OperationNotAllowed", "in stopped state");
}

#[test]
fn a_rollback_goes_one_step_back_with_automatic_upgrades_off() {
    let fields = "kubernetesVersion: 1.34.4, autoUpgradeChannel: none, pools: [{ name: apps, kubernetesVersion: 1.34.2, nodeImage: old }]";
    let mut script = Script::whole("", fields);
    let to = |script: &mut Script, version: &str, image: &str| {
        script.put_pool("apps", |properties| {
            properties["orchestratorVersion"] = json!(version);
            properties["nodeImageVersion"] = json!(image);
        })
    };
    let newest = "AKSUbuntu-2204gen2containerd-202611.10.0";
    let _answer = script.upgrade_pool("apps", "1.34.4");
    script.pass(60);
    let mixed = to(&mut script, "1.34.2", "AKSUbuntu-2204gen2containerd-202609.01.0");
    assert_refused(
        &mixed,
        400,
        "InvalidParameter",
        "is not accepted. NodeImageVersion can only be current version",
    );
    let channel = |script: &mut Script, channel: &str| {
        let answer = script
            .put_cluster(|body| body["properties"]["autoUpgradeProfile"]["upgradeChannel"] = json!(channel));
        assert_eq!(answer.status, 200, "{}", answer.body);
        script.pass(1);
    };
    channel(&mut script, "patch");
    assert_refused(
        &to(&mut script, "1.34.2", "old"),
        400,
        "InvalidParameter",
        "channel patch of the cluster",
    );
    channel(&mut script, "none");
    assert_eq!(to(&mut script, "1.34.2", "old").status, 200);
    script.pass(60);
    // There is nothing to go back to after going back.
    let profile = script.call(Call::PoolUpgradeProfile { pool: pool("apps") }).body;
    assert!(profile["properties"].get("recentlyUsedVersions").is_none());
    assert_eq!(to(&mut script, "1.34.4", newest).status, 400);
}

#[test]
fn a_pool_goes_one_step_back_also_where_more_is_listed() {
    let fields =
        "kubernetesVersion: 1.34.4, pools: [{ name: apps, kubernetesVersion: 1.34.2, nodeImage: old }]";
    let mut script = Script::whole("", fields);
    let newest = "AKSUbuntu-2204gen2containerd-202611.10.0";
    let _answer = script.call(Call::UpgradeNodeImage { pool: pool("apps") });
    script.pass(60);
    let _answer = script.upgrade_pool("apps", "1.34.4");
    script.pass(60);
    let profile = script.call(Call::PoolUpgradeProfile { pool: pool("apps") }).body;
    let recent = profile["properties"]["recentlyUsedVersions"].as_array().unwrap();
    let images: Vec<&str> = recent.iter().filter_map(|recent| recent["nodeImageVersion"].as_str()).collect();
    assert_eq!(images, [newest, "old"]);
    let to = |script: &mut Script, image: &str| {
        script.put_pool("apps", |properties| {
            properties["orchestratorVersion"] = json!("1.34.2");
            properties["nodeImageVersion"] = json!(image);
        })
    };
    assert_refused(&to(&mut script, "old"), 400, "InvalidParameter", "recently used");
    assert_eq!(to(&mut script, newest).status, 200);
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
