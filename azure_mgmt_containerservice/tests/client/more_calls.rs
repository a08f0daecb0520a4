//! What the reads beside clusters and pools send, and what they make of the answer.

use azure_mgmt_containerservice::{
    Call, CallKind, Error, OperationResult, OperationState, OperationUrl, Permission, Schedule, Scope,
};
use serde_json::{Value, json};

use crate::support::{Arm, CLUSTER, Notes, Seen, cluster, json as reply};

const GROUP: Scope<'_> = Scope::ResourceGroup { subscription: "s-1", name: "shop" };

/// An endpoint that answers `body`, the client of it, and what the governor saw.
async fn endpoint(status: u16, body: &Value) -> (Arm, azure_mgmt_containerservice::Client, Notes) {
    let arm = Arm::answering(reply(status, body)).await;
    let notes = Notes::default();
    let client = arm.client().with_governor(notes.governor());
    (arm, client, notes)
}

/// Method, path and query of the only request.
fn line(seen: &Seen) -> String {
    format!("{} {}?{}", seen.method, seen.path, seen.query)
}

#[tokio::test]
async fn clusters_of_a_resource_group() {
    let (arm, client, notes) = endpoint(200, &json!({"value": [{"name": "a"}]})).await;
    let clusters = client.managed_clusters().list_by_resource_group("s-1", "Shop").await.unwrap();
    assert_eq!(clusters[0].view().name.as_deref(), Some("a"));
    let path = "/subscriptions/s-1/resourceGroups/Shop/providers/Microsoft.ContainerService/managedClusters";
    assert_eq!(line(&arm.only()), format!("GET {path}?api-version=2026-05-01"));
    let scope = "/subscriptions/s-1/resourcegroups/shop".to_owned();
    assert_eq!(notes.calls(), [Call { kind: CallKind::ListClusters, scope }]);
}

#[tokio::test]
async fn maintenance_configurations() {
    let one = json!({"name": "default", "properties": {"maintenanceWindow": {
        "schedule": {"daily": {"intervalDays": 1}}, "durationHours": 4, "startTime": "22:00"}}});
    let (arm, client, notes) = endpoint(200, &json!({"value": [one]})).await;
    let windows = client.maintenance_configurations().list(&cluster()).await.unwrap();
    let window = windows[0].view().maintenance_window.as_ref().unwrap();
    assert_eq!(window.schedule, Some(Schedule::Daily { interval_days: Some(1) }));
    assert_eq!(windows[0].value(), &one);
    let path = format!("{CLUSTER}/maintenanceConfigurations");
    assert_eq!(line(&arm.only()), format!("GET {path}?api-version=2026-05-01"));
    assert_eq!(notes.calls()[0].kind, CallKind::ListMaintenanceConfigurations);

    let (arm, client, notes) = endpoint(200, &one).await;
    let window = client.maintenance_configurations().get(&cluster(), "default").await.unwrap();
    assert_eq!(window.view().name.as_deref(), Some("default"));
    assert_eq!(arm.only().path, format!("{path}/default"));
    let scope = CLUSTER.to_lowercase();
    assert_eq!(notes.calls(), [Call { kind: CallKind::GetMaintenanceConfiguration, scope }]);
}

#[tokio::test]
async fn versions_for_new_pools() {
    let body = json!({"name": "default", "properties": {"agentPoolVersions": [
        {"default": true, "kubernetesVersion": "1.34.4"}, {"kubernetesVersion": "1.35.1", "isPreview": true}, {}]}});
    let (arm, client, notes) = endpoint(200, &body).await;
    let versions = client.managed_clusters().available_agent_pool_versions(&cluster()).await.unwrap();
    let seen: Vec<_> = versions
        .view()
        .versions
        .iter()
        .map(|version| (version.kubernetes_version.as_str(), version.is_default, version.is_preview))
        .collect();
    assert_eq!(seen, [("1.34.4", true, false), ("1.35.1", false, true)]);
    assert_eq!(arm.only().path, format!("{CLUSTER}/availableAgentPoolVersions"));
    assert_eq!(notes.calls()[0].kind, CallKind::AvailablePoolVersions);
}

#[tokio::test]
async fn machines_of_a_pool() {
    let one = json!({"name": "aks-user-1-vmss00000a", "zones": ["2"], "properties": {
        "network": {"ipAddresses": [{"ip": "10.0.0.7", "family": "IPv4"}]},
        "resourceId": "/vmss/virtualMachines/10", "nodeImageVersion": "image",
        "kubernetes": {"currentOrchestratorVersion": "1.34.4"}, "provisioningState": "Succeeded"}});
    let (arm, client, notes) = endpoint(200, &json!({"value": [one]})).await;
    let machines = client.agent_pools().machines(&cluster(), "User").await.unwrap();
    let machine = machines[0].view();
    assert_eq!(machine.resource_id.as_deref(), Some("/vmss/virtualMachines/10"));
    assert_eq!(
        (&machine.ip_addresses[..], &machine.zones[..]),
        (&["10.0.0.7".to_owned()][..], &["2".to_owned()][..])
    );
    assert_eq!(machine.current_orchestrator_version.as_deref(), Some("1.34.4"));
    assert_eq!(arm.only().path, format!("{CLUSTER}/agentPools/User/machines"));
    let scope = format!("{}/agentpools/user", CLUSTER.to_lowercase());
    assert_eq!(notes.calls(), [Call { kind: CallKind::ListMachines, scope }]);

    let (arm, client, notes) = endpoint(200, &one).await;
    let machine = client.agent_pools().machine(&cluster(), "User", "aks-user-1-vmss00000a").await.unwrap();
    assert_eq!(machine.view().name.as_deref(), Some("aks-user-1-vmss00000a"));
    assert_eq!(arm.only().path, format!("{CLUSTER}/agentPools/User/machines/aks-user-1-vmss00000a"));
    assert_eq!(notes.calls()[0].kind, CallKind::GetMachine);
}

#[tokio::test]
async fn node_images_of_a_region_under_both_names() {
    let image = json!({"fullName": "AKSUbuntu-2204gen2containerd-202610.03.1", "os": "AKSUbuntu",
        "sku": "2204gen2containerd", "version": "202610.03.1"});
    for body in [json!({"value": [image]}), json!({"values": [image]})] {
        let (arm, client, notes) = endpoint(200, &body).await;
        let images = client.locations().node_image_versions("s-1", "westeurope").await.unwrap();
        assert_eq!(images.len(), 1);
        assert_eq!(images[0].full_name.as_deref(), Some("AKSUbuntu-2204gen2containerd-202610.03.1"));
        assert_eq!(images[0].version.as_deref(), Some("202610.03.1"));
        let path =
            "/subscriptions/s-1/providers/Microsoft.ContainerService/locations/westeurope/nodeImageVersions";
        assert_eq!(line(&arm.only()), format!("GET {path}?api-version=2026-04-02-preview"));
        assert_eq!(notes.calls()[0].kind, CallKind::NodeImageVersions);
    }
}

#[tokio::test]
async fn permissions_at_each_scope() {
    let id = cluster();
    let table = [
        (Scope::Subscription("s-1"), "/subscriptions/s-1"),
        (GROUP, "/subscriptions/s-1/resourceGroups/shop"),
        (Scope::Cluster(&id), CLUSTER),
    ];
    for (scope, path) in table {
        let body = json!({"value": [{"actions": ["*/read"], "notActions": []},
            {"actions": ["Microsoft.ContainerService/managedClusters/write"], "notActions": null}]});
        let (arm, client, notes) = endpoint(200, &body).await;
        let permissions = client.authorization().permissions(&scope).await.unwrap();
        let may = |action| Permission::any_allows(&permissions, action);
        assert!(may("Microsoft.ContainerService/managedClusters/write"));
        assert!(!may("Microsoft.ContainerService/managedClusters/agentPools/write"));
        let url = format!("GET {path}/providers/Microsoft.Authorization/permissions?api-version=2022-04-01");
        assert_eq!(line(&arm.only()), url);
        assert_eq!(notes.calls(), [Call { kind: CallKind::ListPermissions, scope: path.to_lowercase() }]);
        assert_eq!(notes.calls()[0].subscription(), "s-1");
    }
}

#[tokio::test]
async fn locks_that_hold_at_a_scope() {
    let lock = json!({"id": "/subscriptions/s-1/resourceGroups/shop/providers/Microsoft.Authorization/locks/keep",
        "name": "keep", "type": "Microsoft.Authorization/locks",
        "properties": {"level": "ReadOnly", "notes": "until the audit is over"}});
    let (arm, client, notes) = endpoint(200, &json!({"value": [lock]})).await;
    let locks = client.authorization().locks(&GROUP).await.unwrap();
    assert!(locks[0].view().forbids_writes());
    assert_eq!(locks[0].view().notes.as_deref(), Some("until the audit is over"));
    let request = arm.only();
    assert_eq!(
        request.path,
        "/subscriptions/s-1/resourceGroups/shop/providers/Microsoft.Authorization/locks"
    );
    assert_eq!(request.query, "api-version=2020-05-01&%24filter=atScope%28%29");
    assert_eq!(notes.calls()[0].kind, CallKind::ListLocks);
}

#[tokio::test]
async fn an_operation_by_its_id() {
    let body = json!({"name": "o-1", "status": "Succeeded", "startTime": "2026-11-22T09:21:22.1636627Z"});
    let (arm, client, notes) = endpoint(200, &body).await;
    let status = client.operations().status_by_id("s-1", "westeurope", "o-1").await.unwrap();
    assert_eq!((status.name.as_deref(), status.state), (Some("o-1"), OperationState::Succeeded));
    let path = "/subscriptions/s-1/providers/Microsoft.ContainerService/locations/westeurope/operations/o-1";
    assert_eq!(line(&arm.only()), format!("GET {path}?api-version=2025-03-01"));
    let scope = "/subscriptions/s-1".to_owned();
    assert_eq!(notes.calls(), [Call { kind: CallKind::OperationStatus, scope }]);
}

#[tokio::test]
async fn the_result_of_an_operation() {
    let table = [
        (202, String::new(), Some(OperationResult::Running)),
        (202, "{}".to_owned(), Some(OperationResult::Running)),
        (204, String::new(), Some(OperationResult::Done(None))),
        (200, String::new(), Some(OperationResult::Done(None))),
        (200, r#"{"name": "user"}"#.to_owned(), Some(OperationResult::Done(Some(json!({"name": "user"}))))),
        (200, "<html>".to_owned(), None),
        (404, r#"{"code": "NotFound", "message": "gone"}"#.to_owned(), None),
    ];
    for (status, body, expected) in table {
        let arm = Arm::answering((status, Vec::new(), body)).await;
        let notes = Notes::default();
        let client = arm.client().with_governor(notes.governor());
        let url = OperationUrl::new(format!("{}subscriptions/S-1/operationresults/1?s=x", arm.url));
        assert_eq!(client.operations().result(&url).await.ok(), expected, "{status}");
        assert_eq!(arm.only().query, "s=x");
        let scope = "/subscriptions/s-1".to_owned();
        assert_eq!(notes.calls(), [Call { kind: CallKind::OperationResult, scope }]);
    }
}

#[tokio::test]
async fn a_page_of_something_else_is_not_believed() {
    for body in [json!({"value": {}}), json!({"values": ["no object"]}), json!({"value": 1, "values": []})] {
        let (_arm, client, _) = endpoint(200, &body).await;
        let error = client.locations().node_image_versions("s-1", "westeurope").await.unwrap_err();
        assert!(matches!(error, Error::Decode { .. }), "{body}: {error}");
    }
}
