//! How documents change: what a client may write, what the service keeps to itself.
//!
//! A PUT replaces the document: what a client leaves out is gone. Kept are the fields that
//! AKS does not let a client write, and those that it fills in when they are missing.

use serde_json::{Map, Value};

/// Fields of a cluster's `properties` that clients cannot write.
pub(crate) const CLUSTER_READ_ONLY: &[&str] = &[
    "provisioningState",
    "powerState",
    "currentKubernetesVersion",
    "maxAgentPools",
    "fqdn",
    "privateFQDN",
    "azurePortalFQDN",
    "nodeResourceGroup",
    "resourceUID",
    "identityProfile",
    "controlPlanePluginProfiles",
    "status",
];

/// Fields of a cluster's `properties` that stay when a client sends none.
pub(crate) const CLUSTER_STICKY: &[&str] = &[
    "kubernetesVersion",
    "dnsPrefix",
    "servicePrincipalProfile",
    "windowsProfile",
    "linuxProfile",
    "supportPlan",
    "enableRBAC",
    "networkProfile",
    "securityProfile",
    "storageProfile",
    "oidcIssuerProfile",
    "workloadAutoScalerProfile",
    "metricsProfile",
    "nodeProvisioningProfile",
    "nodeResourceGroupProfile",
    "bootstrapProfile",
    "hostedSystemProfile",
];

/// Fields below a cluster's `properties` that only the service writes; they stay in profiles that clients send.
pub(crate) const CLUSTER_COMPUTED: &[&[&str]] = &[
    &["networkProfile", "loadBalancerProfile", "effectiveOutboundIPs"],
    &["networkProfile", "loadBalancerProfile", "backendPoolType"],
    &["networkProfile", "natGatewayProfile", "effectiveOutboundIPs"],
    &["networkProfile", "podCidrs"],
    &["networkProfile", "serviceCidrs"],
    &["networkProfile", "ipFamilies"],
    &["oidcIssuerProfile", "issuerURL"],
    &["aadProfile", "tenantID"],
    &["aadProfile", "adminGroupObjectIDs"],
    &["aadProfile", "adminUsers"],
    &["ingressProfile", "webAppRouting", "identity"],
    &["ingressProfile", "webAppRouting", "dnsZoneResourceIds"],
    &["addonProfiles", "azurepolicy", "config"],
];

/// Fields of a cluster's document that only the service writes, below what clients send.
pub(crate) const DOCUMENT_COMPUTED: &[&[&str]] = &[&["identity", "principalId"], &["identity", "tenantId"]];

/// Fields of a pool's `properties` that clients cannot write.
pub(crate) const POOL_READ_ONLY: &[&str] =
    &["provisioningState", "powerState", "currentOrchestratorVersion", "eTag", "status"];

/// Fields of a pool's `properties` that stay when a client sends none.
pub(crate) const POOL_STICKY: &[&str] = &[
    "count",
    "vmSize",
    "osDiskSizeGB",
    "osDiskType",
    "kubeletDiskType",
    "maxPods",
    "type",
    "mode",
    "osType",
    "osSKU",
    "orchestratorVersion",
    "nodeImageVersion",
    "scaleDownMode",
    "upgradeStrategy",
    "upgradeSettingsBlueGreen",
    "securityProfile",
];

/// Inline pool fields that some API versions return with a cluster and others refuse in its PUT.
pub(crate) const INLINE_UNKNOWN: &[&[&str]] =
    &[&["securityProfile", "sshAccess"], &["artifactStreamingProfile"]];

/// Inline pool fields that a PUT of the cluster leaves as they are.
pub(crate) const INLINE_KEPT: &[&str] = &["securityProfile", "artifactStreamingProfile"];

/// `sent`, with what only the service writes taken from `current`.
pub(crate) fn replace(
    current: &Map<String, Value>,
    sent: &Map<String, Value>,
    read_only: &[&str],
    sticky: &[&str],
) -> Map<String, Value> {
    let mut result = sent.clone();
    for &field in read_only {
        result.remove(field);
    }
    for &field in sticky {
        if result.get(field).is_some_and(Value::is_null) {
            result.remove(field);
        }
    }
    for &field in read_only.iter().chain(sticky) {
        if let Some(value) = current.get(field) {
            result.entry(field).or_insert_with(|| value.clone());
        }
    }
    result
}

/// Takes from `current` what a client leaves out of the profiles that it sends, and cannot write.
pub(crate) fn keep(new: &mut Map<String, Value>, current: &Map<String, Value>, paths: &[&[&str]]) {
    for path in paths {
        let Some((last, parents)) = path.split_last() else { continue };
        let below = |mut object: &Map<String, Value>| {
            for parent in parents.iter() {
                object = object.get(*parent)?.as_object()?;
            }
            object.get(*last).cloned()
        };
        let Some(value) = below(current) else { continue };
        let parent =
            parents.iter().try_fold(&mut *new, |object, parent| object.get_mut(*parent)?.as_object_mut());
        if let Some(parent) = parent {
            parent.insert((*last).to_owned(), value);
        }
    }
}

/// Merges `extra` into `target`, nested objects included.
pub(crate) fn merge(target: &mut Map<String, Value>, extra: &Map<String, Value>) {
    for (field, value) in extra {
        match (target.get_mut(field), value) {
            (Some(Value::Object(target)), Value::Object(extra)) => merge(target, extra),
            _ => {
                target.insert(field.clone(), value.clone());
            }
        }
    }
}

/// Adds what `defaults` has and `target` has not, nested objects included; null counts as absent.
pub(crate) fn fill(target: &mut Map<String, Value>, defaults: &Map<String, Value>) {
    for (field, value) in defaults {
        match (target.get_mut(field), value) {
            (Some(Value::Object(target)), Value::Object(defaults)) => fill(target, defaults),
            (None | Some(Value::Null), _) => {
                target.insert(field.clone(), value.clone());
            }
            _ => {}
        }
    }
}

/// The object below `field`, or an empty one.
pub(crate) fn object_in(object: &Map<String, Value>, field: &str) -> Map<String, Value> {
    object.get(field).and_then(Value::as_object).cloned().unwrap_or_default()
}

/// The object below `field`, or an empty one.
pub(crate) fn object(value: &Value, field: &str) -> Map<String, Value> {
    value.get(field).and_then(Value::as_object).cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn map(value: Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap()
    }

    #[test]
    fn a_put_keeps_unknown_fields_as_sent_and_read_only_ones_as_they_were() {
        let current = map(json!({ "provisioningState": "Succeeded", "vmSize": "a", "old": 1 }));
        let sent = map(json!({ "provisioningState": "Mine", "vmSize": null, "future": { "a": [null] } }));
        let result = replace(&current, &sent, &["provisioningState"], &["vmSize"]);
        let expected = json!({ "provisioningState": "Succeeded", "vmSize": "a", "future": { "a": [null] } });
        assert_eq!(Value::Object(result), expected);
    }

    #[test]
    fn defaults_fill_gaps_and_change_nothing() {
        let mut target = map(json!({ "a": { "b": 1, "n": null }, "c": [] }));
        fill(&mut target, &map(json!({ "a": { "b": 2, "n": 3 }, "c": [2], "d": 4 })));
        assert_eq!(Value::Object(target), json!({ "a": { "b": 1, "n": 3 }, "c": [], "d": 4 }));
    }

    #[test]
    fn extra_fields_merge_into_nested_objects() {
        let mut target = map(json!({ "a": { "b": 1 }, "c": [1] }));
        merge(&mut target, &map(json!({ "a": { "d": 2 }, "c": [2] })));
        assert_eq!(Value::Object(target), json!({ "a": { "b": 1, "d": 2 }, "c": [2] }));
    }
}
