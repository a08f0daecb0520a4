//! Builds the bodies of writes from documents as they were read. Pure.
//!
//! Azure has no PATCH for upgrades: a write is the document that was read with one thing changed.
//! So every field goes back exactly as it came, known here or not, but for
//! - what the caller asked to change,
//! - what Azure marks as read-only (API version 2026-05-01; the SDKs leave the same fields out),
//! - `nodeImageVersion`, which has been writable since 2026-04-01 and asks for a rollback,
//! - and the few fields that Azure shows in a cluster but refuses to take back there.
//!
//! A pool's `powerState` is none of them: on pools it is how they are stopped and started.

use serde_json::{Map, Value};

/// A path into a document; `*` stands for every member of an object or list.
pub(crate) type Path = &'static [&'static str];

/// Read-only on a cluster, and the identity fields that Azure fills in.
pub(crate) const CLUSTER_READ_ONLY: &[Path] = &[
    &["id"],
    &["name"],
    &["type"],
    &["systemData"],
    &["eTag"],
    &["identity", "principalId"],
    &["identity", "tenantId"],
    &["identity", "userAssignedIdentities", "*", "clientId"],
    &["identity", "userAssignedIdentities", "*", "principalId"],
    &["properties", "provisioningState"],
    &["properties", "powerState"],
    &["properties", "status"],
    &["properties", "currentKubernetesVersion"],
    &["properties", "maxAgentPools"],
    &["properties", "fqdn"],
    &["properties", "privateFQDN"],
    &["properties", "azurePortalFQDN"],
    &["properties", "resourceUID"],
    &["properties", "addonProfiles", "*", "identity"],
    &["properties", "ingressProfile", "webAppRouting", "identity"],
    &["properties", "networkProfile", "loadBalancerProfile", "effectiveOutboundIPs"],
    &["properties", "networkProfile", "natGatewayProfile", "effectiveOutboundIPs"],
    &["properties", "oidcIssuerProfile", "issuerURL"],
    &["properties", "podIdentityProfile", "userAssignedIdentities", "*", "provisioningState"],
    &["properties", "podIdentityProfile", "userAssignedIdentities", "*", "provisioningInfo"],
    &["properties", "privateLinkResources", "*", "privateLinkServiceID"],
    &["properties", "agentPoolProfiles", "*", "provisioningState"],
    &["properties", "agentPoolProfiles", "*", "status"],
    &["properties", "agentPoolProfiles", "*", "currentOrchestratorVersion"],
    &["properties", "agentPoolProfiles", "*", "eTag"],
    &["properties", "agentPoolProfiles", "*", "localDNSProfile", "state"],
];

/// Shown inline in a cluster, and not to be sent there.
pub(crate) const CLUSTER_POOL_REFUSED: &[Path] = &[
    &["properties", "agentPoolProfiles", "*", "nodeImageVersion"],
    &["properties", "agentPoolProfiles", "*", "securityProfile"],
    &["properties", "agentPoolProfiles", "*", "artifactStreamingProfile"],
];

/// Read-only on a node pool as a resource of its own, and the image that would ask for a rollback.
pub(crate) const POOL_LEFT_OUT: &[Path] = &[
    &["id"],
    &["name"],
    &["type"],
    &["systemData"],
    &["properties", "provisioningState"],
    &["properties", "status"],
    &["properties", "currentOrchestratorVersion"],
    &["properties", "eTag"],
    &["properties", "localDNSProfile", "state"],
    &["properties", "nodeImageVersion"],
];

/// The body that upgrades a control plane to `version`, a full patch, and leaves the pools alone.
///
/// Every pool's `orchestratorVersion` stays as read: changing it is refused, leaving it out as well.
#[must_use]
pub fn control_plane_upgrade(document: &Value, version: &str) -> Value {
    let mut body = managed_cluster(document);
    set(&mut body, "kubernetesVersion", Value::from(version));
    body
}

/// The body that changes nothing of a cluster but what forces its upgrades
/// (`upgradeSettings.overrideSettings`: `forceUpgrade`, `until`).
///
/// Members of `settings` replace those of the same name; null takes a member away. Other members stay
/// as read.
#[must_use]
pub fn cluster_override_settings(document: &Value, settings: &Map<String, Value>) -> Value {
    let mut body = managed_cluster(document);
    merge_override_settings(&mut body, settings);
    body
}

/// Adds changed settings that force upgrades to a body made by this module, so that one write does both.
pub fn merge_override_settings(body: &mut Value, settings: &Map<String, Value>) {
    merge(body, &["upgradeSettings", "overrideSettings"], settings);
}

/// The body that upgrades a node pool, as read by itself, to `version`, a full patch.
#[must_use]
pub fn agent_pool_upgrade(document: &Value, version: &str) -> Value {
    let mut body = agent_pool(document);
    set(&mut body, "orchestratorVersion", Value::from(version));
    body
}

/// The body that takes a node pool back to a version and image out of its `recentlyUsedVersions`.
///
/// Azure allows it within seven days, one step, and only with auto-upgrade off.
#[must_use]
pub fn agent_pool_rollback(document: &Value, version: &str, node_image_version: &str) -> Value {
    let mut body = agent_pool_upgrade(document, version);
    set(&mut body, "nodeImageVersion", Value::from(node_image_version));
    body
}

/// The body that changes nothing of a node pool but its upgrade settings.
///
/// Members of `settings` replace those of the same name; null takes a member away, which puts back
/// the service's default. Other members stay as read.
#[must_use]
pub fn agent_pool_upgrade_settings(document: &Value, settings: &Map<String, Value>) -> Value {
    let mut body = agent_pool(document);
    merge_upgrade_settings(&mut body, settings);
    body
}

/// Adds changed upgrade settings to a body made by this module, so that one write does both.
pub fn merge_upgrade_settings(body: &mut Value, settings: &Map<String, Value>) {
    merge(body, &["upgradeSettings"], settings);
}

/// Changes members of the object at a path below `properties`. Objects on the way are made where they
/// are missing, and those that are left without a member are taken away.
fn merge(body: &mut Value, path: &[&str], settings: &Map<String, Value>) {
    if let Some(properties) = body.get_mut("properties").and_then(Value::as_object_mut) {
        merge_into(properties, path, settings);
    }
}

fn merge_into(object: &mut Map<String, Value>, path: &[&str], settings: &Map<String, Value>) {
    let Some((first, rest)) = path.split_first() else {
        for (name, value) in settings {
            if value.is_null() {
                object.remove(name);
            } else {
                object.insert(name.clone(), value.clone());
            }
        }
        return;
    };
    let mut member = object.get(*first).and_then(Value::as_object).cloned().unwrap_or_default();
    merge_into(&mut member, rest, settings);
    if member.is_empty() {
        object.remove(*first);
    } else {
        object.insert((*first).to_owned(), Value::from(member));
    }
}

/// A cluster's document without what must not be sent.
///
/// With a managed identity, `servicePrincipalProfile` is null: Azure shows a placeholder there that
/// it does not take back. Source: the upgrade command of the Azure CLI.
fn managed_cluster(document: &Value) -> Value {
    let mut body = document.clone();
    for path in CLUSTER_READ_ONLY.iter().chain(CLUSTER_POOL_REFUSED) {
        remove(&mut body, path);
    }
    if has_managed_identity(document)
        && let Some(profile) = body.pointer_mut("/properties/servicePrincipalProfile")
    {
        *profile = Value::Null;
    }
    body
}

/// A pool's document without what must not be sent.
fn agent_pool(document: &Value) -> Value {
    let mut body = document.clone();
    for path in POOL_LEFT_OUT {
        remove(&mut body, path);
    }
    body
}

fn has_managed_identity(document: &Value) -> bool {
    let kind = document.pointer("/identity/type").and_then(Value::as_str);
    kind.is_some_and(|kind| !kind.eq_ignore_ascii_case("None"))
}

/// Sets a member of `properties`; a document without an object there is none that Azure sent.
fn set(body: &mut Value, name: &str, value: Value) {
    if let Some(properties) = body.get_mut("properties").and_then(Value::as_object_mut) {
        properties.insert(name.to_owned(), value);
    }
}

fn remove(value: &mut Value, path: &[&str]) {
    match (path, value) {
        ([last], Value::Object(members)) => {
            members.remove(*last);
        }
        (["*", rest @ ..], Value::Object(members)) => members.values_mut().for_each(|v| remove(v, rest)),
        (["*", rest @ ..], Value::Array(items)) => items.iter_mut().for_each(|v| remove(v, rest)),
        ([first, rest @ ..], Value::Object(members)) => {
            if let Some(member) = members.get_mut(*first) {
                remove(member, rest);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests;
