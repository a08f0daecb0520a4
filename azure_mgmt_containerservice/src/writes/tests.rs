//! Tables for what is left out, properties for what survives.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn cluster() -> Value {
    json!({
        "id": "/subscriptions/s/resourceGroups/g/providers/Microsoft.ContainerService/managedClusters/c",
        "name": "c",
        "type": "Microsoft.ContainerService/ManagedClusters",
        "location": "westeurope",
        "eTag": "one",
        "systemData": {"createdBy": "somebody"},
        "tags": {"eTag": "a tag of that name", "status": "kept"},
        "sku": {"name": "Base", "tier": "Premium"},
        "identity": {
            "type": "UserAssigned",
            "principalId": "p",
            "tenantId": "t",
            "userAssignedIdentities": {"/id/of/it": {"clientId": "c", "principalId": "p"}},
        },
        "properties": {
            "kubernetesVersion": "1.33",
            "currentKubernetesVersion": "1.33.8",
            "provisioningState": "Succeeded",
            "powerState": {"code": "Running"},
            "supportPlan": "AKSLongTermSupport",
            "fqdn": "c.example",
            "maxAgentPools": 100,
            "servicePrincipalProfile": {"clientId": "msi"},
            "addonProfiles": {"azurepolicy": {"enabled": true, "identity": {"clientId": "x"}}},
            "networkProfile": {"loadBalancerProfile": {
                "managedOutboundIPs": {"count": 1}, "effectiveOutboundIPs": [{"id": "ip"}]}},
            "upgradeSettings": {"overrideSettings": {"forceUpgrade": false}},
            "agentPoolProfiles": [pool_profile()],
            "inventedLater": {"provisioningState": "kept", "deep": [{"eTag": "kept"}]},
        },
    })
}

fn pool_profile() -> Value {
    json!({
        "name": "system",
        "count": 3,
        "mode": "System",
        "orchestratorVersion": "1.33.8",
        "currentOrchestratorVersion": "1.33.8",
        "nodeImageVersion": "AKSUbuntu-2204gen2containerd-202610.03.1",
        "provisioningState": "Succeeded",
        "powerState": {"code": "Running"},
        "upgradeSettings": {"maxSurge": "33%", "drainTimeoutInMinutes": 30},
        "securityProfile": {"enableVTPM": false},
        "artifactStreamingProfile": {"enabled": true},
        "localDNSProfile": {"mode": "Preferred", "state": "Enabled"},
        "eTag": "two",
        "inventedLater": [1, null, "three"],
    })
}

fn pool() -> Value {
    json!({
        "id": "/x/agentPools/system",
        "name": "system",
        "type": "Microsoft.ContainerService/managedClusters/agentPools",
        "properties": pool_profile(),
    })
}

#[test]
fn a_control_plane_upgrade_changes_one_field_and_leaves_out_the_read_only_ones() {
    let body = control_plane_upgrade(&cluster(), "1.34.4");
    let expected = json!({
        "location": "westeurope",
        "tags": {"eTag": "a tag of that name", "status": "kept"},
        "sku": {"name": "Base", "tier": "Premium"},
        "identity": {"type": "UserAssigned", "userAssignedIdentities": {"/id/of/it": {}}},
        "properties": {
            "kubernetesVersion": "1.34.4",
            "supportPlan": "AKSLongTermSupport",
            "servicePrincipalProfile": null,
            "addonProfiles": {"azurepolicy": {"enabled": true}},
            "networkProfile": {"loadBalancerProfile": {"managedOutboundIPs": {"count": 1}}},
            "upgradeSettings": {"overrideSettings": {"forceUpgrade": false}},
            "agentPoolProfiles": [{
                "name": "system",
                "count": 3,
                "mode": "System",
                "orchestratorVersion": "1.33.8",
                "powerState": {"code": "Running"},
                "upgradeSettings": {"maxSurge": "33%", "drainTimeoutInMinutes": 30},
                "localDNSProfile": {"mode": "Preferred"},
                "inventedLater": [1, null, "three"],
            }],
            "inventedLater": {"provisioningState": "kept", "deep": [{"eTag": "kept"}]},
        },
    });
    assert_eq!(body, expected);
}

#[test]
fn a_service_principal_is_kept_without_a_managed_identity() {
    let mut document = cluster();
    document["properties"]["servicePrincipalProfile"] = json!({"clientId": "app"});
    for identity in [Value::Null, json!({"type": "None"})] {
        document["identity"] = identity;
        let body = control_plane_upgrade(&document, "1.34.4");
        assert_eq!(body["properties"]["servicePrincipalProfile"], json!({"clientId": "app"}));
    }
}

#[test]
fn a_pool_upgrade_never_names_an_image() {
    let body = agent_pool_upgrade(&pool(), "1.34.4");
    let expected = json!({"properties": {
        "name": "system",
        "count": 3,
        "mode": "System",
        "orchestratorVersion": "1.34.4",
        "powerState": {"code": "Running"},
        "upgradeSettings": {"maxSurge": "33%", "drainTimeoutInMinutes": 30},
        "securityProfile": {"enableVTPM": false},
        "artifactStreamingProfile": {"enabled": true},
        "localDNSProfile": {"mode": "Preferred"},
        "inventedLater": [1, null, "three"],
    }});
    assert_eq!(body, expected);
}

#[test]
fn a_rollback_names_version_and_image() {
    let body = agent_pool_rollback(&pool(), "1.32.9", "AKSUbuntu-old");
    assert_eq!(body["properties"]["orchestratorVersion"], "1.32.9");
    assert_eq!(body["properties"]["nodeImageVersion"], "AKSUbuntu-old");
}

#[test]
fn settings_are_merged_and_can_be_put_back() {
    let table = [
        (json!({"maxSurge": "50%"}), json!({"maxSurge": "50%", "drainTimeoutInMinutes": 30})),
        (json!({"drainTimeoutInMinutes": null}), json!({"maxSurge": "33%"})),
        (
            json!({"maxUnavailable": "1", "maxSurge": null}),
            json!({"maxUnavailable": "1", "drainTimeoutInMinutes": 30}),
        ),
    ];
    for (settings, expected) in table {
        let body = agent_pool_upgrade_settings(&pool(), settings.as_object().unwrap());
        assert_eq!(body["properties"]["upgradeSettings"], expected);
        assert_eq!(body["properties"]["orchestratorVersion"], "1.33.8");
    }
    let mut document = pool();
    document["properties"]["upgradeSettings"] = Value::Null;
    let body = agent_pool_upgrade_settings(&document, json!({"maxSurge": "1"}).as_object().unwrap());
    assert_eq!(body["properties"]["upgradeSettings"], json!({"maxSurge": "1"}));
}

#[test]
fn a_document_that_is_none_stays_as_it_is() {
    for document in [json!(null), json!([]), json!({"properties": []})] {
        assert_eq!(control_plane_upgrade(&document, "1.34.4"), document);
        assert_eq!(agent_pool_upgrade(&document, "1.34.4"), document);
    }
}

/// Names that are on the lists above, beside some that are not.
const NAMES: &[&str] = &[
    "id",
    "name",
    "type",
    "eTag",
    "status",
    "identity",
    "properties",
    "agentPoolProfiles",
    "provisioningState",
    "powerState",
    "localDNSProfile",
    "state",
    "securityProfile",
    "nodeImageVersion",
    "orchestratorVersion",
    "addonProfiles",
    "a",
    "b",
    "c",
];

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-z]{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(prop::sample::select(NAMES), inner, 0..6).prop_map(|members| members
                .into_iter()
                .map(|(k, v)| (k.to_owned(), v))
                .collect::<Map<_, _>>()
                .into()),
        ]
    })
}

/// A document with the members that Azure always sends, and anything beside and below them.
fn any_document() -> impl Strategy<Value = Value> {
    (any_value(), any_value(), prop::collection::vec(any_value(), 0..4)).prop_map(
        |(root, properties, pools)| {
            let object = |value: Value| value.as_object().cloned().unwrap_or_default();
            let mut properties = object(properties);
            properties.insert("agentPoolProfiles".to_owned(), pools.into());
            let mut root = object(root);
            root.insert("properties".to_owned(), properties.into());
            root.into()
        },
    )
}

/// Every leaf (scalars and empty containers) with its path.
fn leaves(value: &Value, path: &mut Vec<String>, found: &mut Vec<(Vec<String>, Value)>) {
    let objects = value.as_object().into_iter().flatten().map(|(name, member)| (name.clone(), member));
    let lists = value.as_array().into_iter().flatten().enumerate().map(|(i, item)| (i.to_string(), item));
    let members: Vec<(String, &Value)> = objects.chain(lists).collect();
    if members.is_empty() {
        found.push((path.clone(), value.clone()));
    }
    for (name, member) in members {
        path.push(name);
        leaves(member, path, found);
        path.pop();
    }
}

fn is_below(path: &[String], pattern: &[&str]) -> bool {
    path.len() >= pattern.len()
        && pattern.iter().zip(path).all(|(wanted, found)| *wanted == "*" || wanted == found)
}

/// Both ways: what is not on the lists survives, and nothing else appears.
fn assert_lossless(document: &Value, body: &Value, lists: &[&[Path]], changed: &[Path]) {
    let (mut before, mut after) = (Vec::new(), Vec::new());
    leaves(document, &mut Vec::new(), &mut before);
    leaves(body, &mut Vec::new(), &mut after);
    let owned = |path: &[String]| changed.iter().any(|pattern| is_below(path, pattern));
    let listed = |path: &[String]| lists.iter().copied().flatten().any(|pattern| is_below(path, pattern));
    for (path, value) in &before {
        if !owned(path) && !listed(path) {
            assert!(after.contains(&(path.clone(), value.clone())), "{path:?} is lost");
        }
    }
    for (path, value) in &after {
        // An object whose only members were left out stays as an empty object.
        let emptied = value.as_object().is_some_and(Map::is_empty);
        assert!(!listed(path) || owned(path), "{path:?} should be left out");
        assert!(
            owned(path) || emptied || before.contains(&(path.clone(), value.clone())),
            "{path:?} appeared"
        );
    }
}

proptest! {
    #[test]
    fn a_field_that_we_do_not_own_comes_back_exactly_as_read(document in any_document()) {
        let cluster = control_plane_upgrade(&document, "9.9.9");
        prop_assert_eq!(&cluster["properties"]["kubernetesVersion"], "9.9.9");
        let owned: &[Path] = &[&["properties", "kubernetesVersion"], &["properties", "servicePrincipalProfile"]];
        assert_lossless(&document, &cluster, &[CLUSTER_READ_ONLY, CLUSTER_POOL_REFUSED], owned);
        let pool = agent_pool_upgrade(&document, "9.9.9");
        prop_assert_eq!(&pool["properties"]["orchestratorVersion"], "9.9.9");
        assert_lossless(&document, &pool, &[POOL_LEFT_OUT], &[&["properties", "orchestratorVersion"]]);
    }

    #[test]
    fn writing_what_was_written_changes_nothing(document in any_document()) {
        let once = control_plane_upgrade(&document, "9.9.9");
        prop_assert_eq!(control_plane_upgrade(&once, "9.9.9"), once);
        let once = agent_pool_upgrade(&document, "9.9.9");
        prop_assert_eq!(agent_pool_upgrade(&once, "9.9.9"), once);
    }
}
