//! What AKS itself writes into a cluster's document: what nobody else can write, and what fills the gaps.
//!
//! As recorded in June 2026 with a stable api-version; what only previews show is in `arm/api_version.rs`.

use serde_json::{Map, Value, json};

use super::{document, place::Place};
use crate::world::ids::object_id_of;

/// Fills the gaps in the properties of a new cluster.
pub(crate) fn fill(place: &Place, automatic: bool, properties: &mut Map<String, Value>) {
    if automatic {
        document::fill(properties, &object(of_automatic(place)));
    }
    let network = network(automatic, &document::object_in(properties, "networkProfile"));
    let issuer = format!(
        "https://{}.oic.prod-aks.azure.com/{}/{}/",
        place.location,
        place.tenant,
        place.uuid("issuer")
    );
    let defaults = json!({
        "servicePrincipalProfile": { "clientId": "msi" },
        "nodeResourceGroup": place.node_resource_group(),
        "enableRBAC": true,
        "supportPlan": "KubernetesOfficial",
        "networkProfile": network,
        "autoUpgradeProfile": { "nodeOSUpgradeChannel": "NodeImage" },
        "disableLocalAccounts": false,
        "securityProfile": {},
        "storageProfile": {
            "diskCSIDriver": { "enabled": true },
            "fileCSIDriver": { "enabled": true },
            "snapshotController": { "enabled": true },
        },
        "oidcIssuerProfile": { "enabled": true },
        "workloadAutoScalerProfile": {},
        "metricsProfile": { "costAnalysis": { "enabled": false } },
        "nodeProvisioningProfile": { "mode": "Manual", "defaultNodePools": "Auto" },
        "bootstrapProfile": { "artifactSource": "Direct" },
        "hostedSystemProfile": { "enabled": false },
        "dnsPrefix": format!("{}-dns", place.name),
    });
    document::fill(properties, &object(defaults));
    if properties["oidcIssuerProfile"]["enabled"] == true {
        properties["oidcIssuerProfile"]["issuerURL"] = json!(issuer);
    }
    if properties.get("aadProfile").is_some_and(Value::is_object) {
        properties["aadProfile"]["tenantID"] = json!(place.tenant);
    }
    let dns = properties["dnsPrefix"].as_str().unwrap_or_default().to_owned();
    let host = format!("{dns}-{:08}", place.digits());
    for (field, domain) in [("fqdn", "hcp"), ("azurePortalFQDN", "portal.hcp")] {
        properties.insert(field.to_owned(), json!(format!("{host}.{domain}.{}.azmk8s.io", place.location)));
    }
    properties.insert("maxAgentPools".to_owned(), json!(100));
    properties.insert("resourceUID".to_owned(), json!(object_id_of(&place.key().0)));
}

/// What the document shows once the cluster has been made: its addresses and the identities of its parts.
pub(crate) fn fill_when_made(place: &Place, properties: &mut Map<String, Value>) {
    let identity = |name: &str| {
        json!({
            "resourceId": place.in_node_resource_group(
                "resourcegroups",
                &format!("Microsoft.ManagedIdentity/userAssignedIdentities/{name}"),
            ),
            "clientId": place.uuid(&format!("client {name}")),
            "objectId": place.uuid(&format!("object {name}")),
        })
    };
    let kubelet = identity(&format!("{}-agentpool", place.name));
    properties.insert("identityProfile".to_owned(), json!({ "kubeletidentity": kubelet }));
    let address = place.in_node_resource_group(
        "resourceGroups",
        &format!("Microsoft.Network/publicIPAddresses/{}", place.uuid("address")),
    );
    let managed =
        [("loadBalancerProfile", "managedOutboundIPs"), ("natGatewayProfile", "managedOutboundIPProfile")];
    for (profile, count) in managed {
        let network = properties.get_mut("networkProfile").and_then(|network| network.get_mut(profile));
        if let Some(profile) = network.filter(|profile| profile.get(count).is_some()) {
            profile["effectiveOutboundIPs"] = json!([{ "id": address }]);
        }
    }
    let routing = properties.get_mut("ingressProfile").and_then(|ingress| ingress.get_mut("webAppRouting"));
    if let Some(routing) = routing.filter(|routing| routing["enabled"] == true) {
        routing["identity"] = identity(&format!("webapprouting-{}", place.name));
    }
}

/// The whole document around these properties.
pub(crate) fn document(
    place: &Place,
    properties: Map<String, Value>,
    sku: &Value,
    sent_identity: Option<&Value>,
) -> Map<String, Value> {
    let document = json!({
        "id": place.id(),
        "location": place.location,
        "name": place.name,
        "type": "Microsoft.ContainerService/ManagedClusters",
        "kind": sku["name"],
        "properties": properties,
        "identity": identity(place, sent_identity),
        "sku": sku,
    });
    object(document)
}

/// The identity of the control plane.
fn identity(place: &Place, sent: Option<&Value>) -> Value {
    let mut identity = sent.filter(|sent| sent.is_object()).cloned().unwrap_or_else(|| json!({}));
    if identity.get("type").is_none_or(Value::is_null) {
        identity["type"] = json!("SystemAssigned");
    }
    if identity["type"].as_str().is_some_and(|kind| kind.contains("SystemAssigned")) {
        identity["principalId"] = json!(place.uuid("principal"));
        identity["tenantId"] = json!(place.tenant);
    }
    identity
}

fn network(automatic: bool, sent: &Map<String, Value>) -> Value {
    let text = |field: &str| sent.get(field).and_then(Value::as_str);
    let plugin = text("networkPlugin").unwrap_or("azure");
    let outbound = text("outboundType").unwrap_or("loadBalancer");
    let pods = text("podCidr").unwrap_or("10.244.0.0/16");
    let services = text("serviceCidr").unwrap_or("10.0.0.0/16");
    let mut network = json!({
        "networkPlugin": plugin,
        "networkPolicy": if automatic { "cilium" } else { "none" },
        "loadBalancerSku": "standard",
        "podCidr": pods,
        "serviceCidr": services,
        "dnsServiceIP": "10.0.0.10",
        "outboundType": outbound,
        "podCidrs": [pods],
        "serviceCidrs": [services],
        "ipFamilies": ["IPv4"],
        "loadBalancerProfile": { "backendPoolType": "nodeIPConfiguration" },
    });
    if plugin == "azure" {
        network["networkDataplane"] = json!(if automatic { "cilium" } else { "azure" });
        // A client that chooses the plug-in itself chooses its mode, too.
        if text("networkPlugin").is_none() {
            network["networkPluginMode"] = json!("overlay");
        }
    }
    match outbound {
        "loadBalancer" => network["loadBalancerProfile"]["managedOutboundIPs"] = json!({ "count": 1 }),
        "managedNATGateway" => {
            network["natGatewayProfile"] =
                json!({ "managedOutboundIPProfile": { "count": 1 }, "idleTimeoutInMinutes": 4 });
        }
        _ => {}
    }
    network
}

/// What AKS Automatic decides by itself.
fn of_automatic(place: &Place) -> Value {
    json!({
        "addonProfiles": {
            "azureKeyvaultSecretsProvider": { "enabled": true, "config": { "enableSecretRotation": "true" } },
            "azurepolicy": { "enabled": true, "config": null },
        },
        "aadProfile": {
            "managed": true,
            "adminGroupObjectIDs": null,
            "adminUsers": null,
            "enableAzureRBAC": true,
            "tenantID": place.tenant,
        },
        "apiServerAccessProfile": {
            "enablePrivateCluster": false,
            "enableVnetIntegration": true,
            "subnetId": "",
        },
        "autoUpgradeProfile": { "upgradeChannel": "stable", "nodeOSUpgradeChannel": "NodeImage" },
        "disableLocalAccounts": true,
        "securityProfile": {
            "imageCleaner": { "enabled": true, "intervalHours": 168 },
            "workloadIdentity": { "enabled": true },
        },
        "nodeResourceGroupProfile": { "restrictionLevel": "ReadOnly" },
        "ingressProfile": { "webAppRouting": {
            "enabled": true,
            "dnsZoneResourceIds": null,
            "identity": {},
            "nginx": { "defaultIngressControllerType": "AnnotationControlled" },
        } },
        "workloadAutoScalerProfile": {
            "keda": { "enabled": true },
            "verticalPodAutoscaler": { "enabled": true },
        },
        "azureMonitorProfile": { "metrics": {
            "enabled": true,
            "kubeStateMetrics": { "metricLabelsAllowlist": "", "metricAnnotationsAllowList": "" },
        } },
        "nodeProvisioningProfile": { "mode": "Auto", "defaultNodePools": "Auto" },
    })
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Map::new(),
    }
}
