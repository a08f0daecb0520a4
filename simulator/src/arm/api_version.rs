//! What an api-version shows of a document: previews show fields that stable ones do not know.
//!
//! The world keeps what clients wrote. Here previews get the fields that the service shows them
//! without being asked, and stable versions lose what only previews know (recorded; schemas of
//! 2026-05-01 and 2026-05-02-preview).

use serde_json::{Map, Value, json};

/// Fields below a cluster's properties that only previews know.
const OF_CLUSTERS: &[&[&str]] = &[
    &["controlPlanePluginProfiles"],
    &["networkProfile", "kubeProxyConfig"],
    &["networkProfile", "podLinkLocalAccess"],
    &["storageProfile", "diskCSIDriver", "version"],
    &["workloadAutoScalerProfile", "verticalPodAutoscaler", "addonAutoscaling"],
    &["ingressProfile", "webAppRouting", "defaultDomain"],
    &["azureMonitorProfile", "containerInsights"],
];

/// Fields of a pool that only previews know.
const OF_POOLS: &[&[&str]] = &[&["upgradeStrategy"], &["upgradeSettingsBlueGreen"]];

/// The part of an upgrade profile that only previews know.
const OF_PROFILES: &str = "componentsByReleases";

/// Turns an answer of the world into what a client of this api-version sees.
pub(super) fn show(version: &str, body: &mut Value) {
    let preview = version.ends_with("-preview");
    if let Some(items) = body.get_mut("value").and_then(Value::as_array_mut) {
        items.iter_mut().for_each(|item| show_document(preview, item));
    } else {
        show_document(preview, body);
    }
}

fn show_document(preview: bool, document: &mut Value) {
    let kind = document["type"].as_str().unwrap_or_default().to_lowercase();
    let Some(properties) = document.get_mut("properties").and_then(Value::as_object_mut) else { return };
    match kind.trim_start_matches("microsoft.containerservice/") {
        "managedclusters" => show_cluster(preview, properties),
        "managedclusters/agentpools" => show_pool(preview, properties),
        "managedclusters/upgradeprofiles" => {
            if let Some(profile) = properties.get_mut("controlPlaneProfile").and_then(Value::as_object_mut) {
                show_profile(preview, profile);
            }
        }
        "managedclusters/agentpools/upgradeprofiles" => show_profile(preview, properties),
        _ => {}
    }
}

fn show_cluster(preview: bool, properties: &mut Map<String, Value>) {
    let pools = properties.get_mut("agentPoolProfiles").and_then(Value::as_array_mut);
    for pool in pools.into_iter().flatten().filter_map(Value::as_object_mut) {
        show_pool(preview, pool);
    }
    if !preview {
        OF_CLUSTERS.iter().for_each(|path| hide(properties, path));
        return;
    }
    let plugins =
        json!({ "azure-monitor-metrics-ccp": { "enableV2": true }, "karpenter": { "enableV2": true } });
    let unrestricted = json!({ "restrictionLevel": "Unrestricted" });
    add(properties, &["controlPlanePluginProfiles"], &plugins);
    add(properties, &["nodeResourceGroupProfile"], &unrestricted);
    add(properties, &["networkProfile", "kubeProxyConfig"], &json!({}));
    add(properties, &["networkProfile", "podLinkLocalAccess"], &json!("IMDS"));
    add(properties, &["storageProfile", "diskCSIDriver", "version"], &json!("v1"));
    let scaler = ["workloadAutoScalerProfile", "verticalPodAutoscaler", "addonAutoscaling"];
    add(properties, &scaler, &json!("Unspecified"));
    add(properties, &["ingressProfile", "webAppRouting", "defaultDomain"], &json!({ "enabled": false }));
}

fn show_pool(preview: bool, properties: &mut Map<String, Value>) {
    if !preview {
        OF_POOLS.iter().for_each(|path| hide(properties, path));
        return;
    }
    add(properties, &["upgradeStrategy"], &json!("Rolling"));
    add(properties, &["upgradeSettingsBlueGreen"], &json!({}));
    add(properties, &["securityProfile", "sshAccess"], &json!("LocalUser"));
}

fn show_profile(preview: bool, profile: &mut Map<String, Value>) {
    if !preview {
        profile.remove(OF_PROFILES);
    }
}

/// Takes a field away.
fn hide(object: &mut Map<String, Value>, path: &[&str]) {
    if let Some((parent, last)) = parent(object, path) {
        parent.remove(last);
    }
}

/// Adds a field where its parent is and it is not.
fn add(object: &mut Map<String, Value>, path: &[&str], value: &Value) {
    if let Some((parent, last)) = parent(object, path) {
        parent.entry(last).or_insert_with(|| value.clone());
    }
}

fn parent<'a, 'b>(
    object: &'a mut Map<String, Value>,
    path: &[&'b str],
) -> Option<(&'a mut Map<String, Value>, &'b str)> {
    let (last, parents) = path.split_last()?;
    let parent = parents.iter().try_fold(object, |object, field| object.get_mut(*field)?.as_object_mut())?;
    Some((parent, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn previews_show_what_stable_versions_do_not_know() {
        let cluster = json!({
            "type": "Microsoft.ContainerService/ManagedClusters",
            "properties": {
                "storageProfile": { "diskCSIDriver": { "enabled": true } },
                "agentPoolProfiles": [{ "name": "a", "upgradeStrategy": "BlueGreen", "securityProfile": {} }],
            },
        });
        let mut list = json!({ "value": [cluster] });
        show("2026-05-01", &mut list);
        let stable = &list["value"][0]["properties"];
        assert!(stable["agentPoolProfiles"][0].get("upgradeStrategy").is_none());
        assert_eq!(stable["storageProfile"]["diskCSIDriver"], json!({ "enabled": true }));

        let mut one = cluster;
        show("2026-05-02-preview", &mut one);
        let preview = &one["properties"];
        assert_eq!(preview["agentPoolProfiles"][0]["upgradeStrategy"], "BlueGreen");
        assert_eq!(preview["agentPoolProfiles"][0]["securityProfile"]["sshAccess"], "LocalUser");
        assert_eq!(preview["storageProfile"]["diskCSIDriver"]["version"], "v1");
        assert!(preview.get("ingressProfile").is_none());
    }

    #[test]
    fn components_of_releases_are_for_previews() {
        let profile = json!({
            "type": "Microsoft.ContainerService/managedClusters/upgradeprofiles",
            "properties": { "controlPlaneProfile": { "componentsByReleases": [] } },
        });
        let (mut stable, mut preview) = (profile.clone(), profile.clone());
        show("2026-05-01", &mut stable);
        show("2026-05-02-preview", &mut preview);
        assert_eq!(stable["properties"]["controlPlaneProfile"], json!({}));
        assert_eq!(preview, profile);
    }
}
