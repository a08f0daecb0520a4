//! Tables for what is left out, properties for what survives.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::checks::{any_document, assert_written};

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
fn what_forces_upgrades_is_merged_and_can_be_put_back() {
    let settings = |value: Value| value.as_object().unwrap().clone();
    let ours = settings(json!({"forceUpgrade": true, "until": "2026-12-06T22:00:00Z"}));
    let mut body = control_plane_upgrade(&cluster(), "1.34.4");
    merge_override_settings(&mut body, &ours);
    assert_eq!(body["properties"]["kubernetesVersion"], "1.34.4");
    assert_eq!(body["properties"]["upgradeSettings"], json!({ "overrideSettings": ours }));

    let back = settings(json!({"forceUpgrade": false, "until": null}));
    let body = cluster_override_settings(&body, &back);
    assert_eq!(body["properties"]["upgradeSettings"], cluster()["properties"]["upgradeSettings"]);
    assert_eq!(body["properties"]["kubernetesVersion"], "1.34.4", "as read");
    assert_eq!(body["properties"]["agentPoolProfiles"][0]["orchestratorVersion"], "1.33.8");

    let mut document = cluster();
    document["properties"].as_object_mut().unwrap().remove("upgradeSettings");
    let forced = cluster_override_settings(&document, &ours);
    let absent = settings(json!({"forceUpgrade": null, "until": null}));
    let body = cluster_override_settings(&forced, &absent);
    assert_eq!(body["properties"].get("upgradeSettings"), None, "what was absent is absent again");
}

#[test]
fn upgrade_settings_that_were_absent_are_absent_again() {
    let mut document = pool();
    document["properties"].as_object_mut().unwrap().remove("upgradeSettings");
    let ours = json!({"maxSurge": "50%", "drainTimeoutInMinutes": 45});
    let mut body = agent_pool_upgrade(&document, "1.34.4");
    merge_upgrade_settings(&mut body, ours.as_object().unwrap());
    assert_eq!(body["properties"]["upgradeSettings"], ours);
    let back = json!({"maxSurge": null, "drainTimeoutInMinutes": null});
    let body = agent_pool_upgrade_settings(&body, back.as_object().unwrap());
    assert_eq!(body["properties"].get("upgradeSettings"), None);
}

#[test]
fn a_document_that_is_none_stays_as_it_is() {
    for document in [json!(null), json!([]), json!({"properties": []})] {
        assert_eq!(control_plane_upgrade(&document, "1.34.4"), document);
        assert_eq!(agent_pool_upgrade(&document, "1.34.4"), document);
    }
}

proptest! {
    #[test]
    fn a_field_that_we_do_not_own_comes_back_exactly_as_read(document in any_document()) {
        assert_written(&document);
    }
}
