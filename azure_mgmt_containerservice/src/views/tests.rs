//! Every field from a document that has them all, and nothing from documents that have none.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{Document, ETag, View};

fn pool() -> Value {
    json!({
        "name": "win", "mode": "User", "osType": "Windows", "osSKU": "Windows2022", "count": 2,
        "orchestratorVersion": "1.33", "currentOrchestratorVersion": "1.33.8", "nodeImageVersion": "image",
        "vmSize": "Standard_D4d_v5", "provisioningState": "Upgrading", "powerState": {"code": "Stopped"},
        "enableAutoScaling": true, "eTag": "two", "type": "VirtualMachineScaleSets",
        "upgradeSettings": {"maxSurge": 1, "maxUnavailable": "0", "drainTimeoutInMinutes": 45,
            "nodeSoakDurationInMinutes": 5, "undrainableNodeBehavior": "Cordon"},
    })
}

fn expected_pool() -> AgentPool {
    let text = |text: &str| Some(text.to_owned());
    AgentPool {
        id: None,
        name: text("win"),
        mode: text("User"),
        os_type: text("Windows"),
        os_sku: text("Windows2022"),
        orchestrator_version: text("1.33"),
        current_orchestrator_version: text("1.33.8"),
        node_image_version: text("image"),
        count: Some(2),
        vm_size: text("Standard_D4d_v5"),
        provisioning_state: text("Upgrading"),
        power_state: text("Stopped"),
        upgrade_settings: UpgradeSettings {
            max_surge: text("1"),
            max_unavailable: text("0"),
            drain_timeout_in_minutes: Some(45),
            node_soak_duration_in_minutes: Some(5),
            undrainable_node_behavior: text("Cordon"),
        },
        enable_auto_scaling: Some(true),
        etag: text("two"),
        type_: text("VirtualMachineScaleSets"),
    }
}

#[test]
fn a_cluster_shows_its_fields_and_its_pools() {
    let cluster = ManagedCluster::read(&json!({
        "id": "/id", "name": "c", "location": "westeurope", "tags": {"team": "shop", "odd": 1},
        "sku": {"name": "Automatic", "tier": "Standard"},
        "properties": {
            "powerState": {"code": "Stopped"}, "provisioningState": "Succeeded", "kubernetesVersion": "1.33",
            "currentKubernetesVersion": "1.33.8", "supportPlan": "AKSLongTermSupport", "nodeResourceGroup": "MC_x",
            "autoUpgradeProfile": {"upgradeChannel": "patch", "nodeOSUpgradeChannel": "NodeImage"},
            "nodeProvisioningProfile": {"mode": "Auto"}, "disableLocalAccounts": true, "aadProfile": {},
            "agentPoolProfiles": [pool()],
        },
    }));
    assert!(cluster.is_stopped() && cluster.is_automatic() && cluster.has_aad_profile);
    assert_eq!(cluster.tags.into_iter().collect::<Vec<_>>(), [("team".to_owned(), "shop".to_owned())]);
    assert_eq!(cluster.auto_upgrade_profile.upgrade_channel.as_deref(), Some("patch"));
    assert_eq!(cluster.auto_upgrade_profile.node_os_upgrade_channel.as_deref(), Some("NodeImage"));
    assert_eq!(cluster.node_provisioning_mode.as_deref(), Some("Auto"));
    assert_eq!(cluster.support_plan.as_deref(), Some("AKSLongTermSupport"));
    assert_eq!(cluster.node_resource_group.as_deref(), Some("MC_x"));
    assert_eq!(cluster.disable_local_accounts, Some(true));
    assert_eq!(cluster.agent_pool_profiles, [expected_pool()]);
}

#[test]
fn a_pool_of_its_own_shows_the_same_fields() {
    let document =
        json!({"id": "/id", "name": "win", "type": "Microsoft.X/agentPools", "properties": pool()});
    let document = Document::<AgentPool>::from_value(document);
    assert_eq!(*document.view(), AgentPool { id: Some("/id".to_owned()), ..expected_pool() });
    assert!(document.view().is_stopped());
    assert_eq!(document.etag(), Some(&ETag::new("two")));
}

#[test]
fn what_is_missing_null_or_odd_is_not_known() {
    let documents = [
        json!({}),
        json!(null),
        json!({"id": 1, "tags": [], "sku": null, "properties": {"powerState": "Running", "agentPoolProfiles": null}}),
    ];
    for document in documents {
        assert_eq!(ManagedCluster::read(&document), ManagedCluster::default());
        assert_eq!(AgentPool::read(&document), AgentPool::default());
        assert_eq!(ClusterUpgradeProfile::read(&document), ClusterUpgradeProfile::default());
        assert_eq!(AgentPoolUpgradeProfile::read(&document), AgentPoolUpgradeProfile::default());
        assert_eq!(KubernetesVersions::read(&document), KubernetesVersions::default());
    }
}

/// Turns one member somewhere in `document` into `replacement`.
fn spoil(document: &mut Value, which: usize, replacement: &Value) {
    let mut pointers = Vec::new();
    collect(document, String::new(), &mut pointers);
    let pointer = &pointers[which % pointers.len()];
    if let Some(member) = document.pointer_mut(pointer) {
        *member = replacement.clone();
    }
}

fn collect(value: &Value, at: String, pointers: &mut Vec<String>) {
    for (name, member) in value.as_object().into_iter().flatten() {
        collect(member, format!("{at}/{name}"), pointers);
    }
    pointers.push(at);
}

proptest! {
    #[test]
    fn one_odd_field_hides_no_other(which in 0..64_usize, kind in 0..4_usize) {
        let replacement = [json!(null), json!([{}]), json!({"code": 1}), json!(-7.5)][kind].clone();
        let mut document = json!({"name": "win", "properties": pool()});
        let before = AgentPool::read(&document);
        spoil(&mut document, which, &replacement);
        let after = AgentPool::read(&document);
        let kept = [
            before.name == after.name,
            before.node_image_version == after.node_image_version,
            before.upgrade_settings == after.upgrade_settings,
        ];
        // Spoiling the whole document or all properties leaves at most the name.
        let whole = document["properties"]["name"] != "win" && !document["properties"]["mode"].is_string();
        prop_assert!(whole || kept.iter().filter(|kept| **kept).count() >= 2);
        prop_assert_eq!(Document::<AgentPool>::from_value(document.clone()).into_value(), document);
    }
}
