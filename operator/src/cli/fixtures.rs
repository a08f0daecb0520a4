//! A small fleet in November 2026, for the tests of what is printed.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::hub::Found;

pub(super) fn now() -> Timestamp {
    "2026-11-22T21:00:00Z".parse().unwrap()
}

/// Since when the clusters stand as they do.
pub(super) fn since() -> Timestamp {
    "2026-11-20T08:00:00Z".parse().unwrap()
}

/// When Azure showed the clusters.
pub(super) fn seen_at() -> Timestamp {
    "2026-11-22T20:50:00Z".parse().unwrap()
}

/// When what Azure offers was read.
pub(super) fn read_at() -> Timestamp {
    "2026-11-22T20:30:00Z".parse().unwrap()
}

/// A cluster that is well and behind, one on long-term support, one that is stopped, one that
/// could not be read lately, one that never could, and an object that makes no sense.
pub(super) fn fleet() -> Vec<Found> {
    let old = [
        pool("system", "Ubuntu2204", "1.34.4", "AKSUbuntu-2204gen2containerd-202610.01.0"),
        pool("win1", "Windows2022", "1.33.5", "AKSWindows-2022-containerd-20348.4297.261008"),
    ];
    let new = [pool("az", "AzureLinux", "1.37.1", "AKSAzureLinux-V3gen2-202611.10.0")];
    let long = [pool("system", "Ubuntu2404", "1.33.100", "custom")];
    let mut long_term = status("1.33.100", &long, &["1.33.101", "1.34.4"]);
    long_term["cluster"]["supportPlan"] = json!("AKSLongTermSupport");
    long_term["cluster"]["tier"] = json!("Premium");
    let mut stopped = status("1.36.2", &[], &["1.37.1"]);
    stopped["cluster"]["power"] = json!("Stopped");
    let mut stale = status("1.37.1", &new, &[]);
    stale["conditions"] = not_ready("AzureUnreachable", "403 AuthorizationFailed: may not read it");
    vec![
        found("lts-1", long_term),
        found("neu-1", stale),
        found(
            "new-1",
            json!({"conditions": not_ready("AzureUnreachable", "404 ResourceNotFound: no such cluster")}),
        ),
        found("odd-1", json!({"conditions": "none"})),
        found("sto-1", stopped),
        found("weu-1", status("1.34.4", &old, &["1.35.1", "1.35.3", "1.36.0"])),
    ]
}

fn found(name: &str, status: Value) -> Found {
    let object = json!({
        "apiVersion": "tidegate.dev/v1alpha1", "kind": "AKSCluster",
        "metadata": {"namespace": "fleet", "name": name, "labels": {"ring": "canary"}},
        "spec": {"resourceId": format!("/subscriptions/20000000-0000-4000-8000-000000000001/resourceGroups/shop/providers/Microsoft.ContainerService/managedClusters/{name}")},
        "status": status,
    });
    let cluster = serde_json::from_value(object).map_err(|error| error.to_string());
    Found { namespace: "fleet".to_owned(), name: name.to_owned(), cluster }
}

fn pool(name: &str, os_sku: &str, version: &str, image: &str) -> Value {
    let os_type = if os_sku.starts_with("Windows") { "Windows" } else { "Linux" };
    json!({"name": name, "mode": "System", "osType": os_type, "osSku": os_sku, "version": version,
        "nodeImage": image, "count": 3, "provisioningState": "Succeeded", "power": "Running"})
}

/// A region with 1.32 to 1.37, of which the first two are there for long-term support only.
fn status(version: &str, pools: &[Value], offered: &[&str]) -> Value {
    let region = [
        ("1.33.100", "AKSLongTermSupport"),
        ("1.33.101", "AKSLongTermSupport"),
        ("1.34.2", "Both"),
        ("1.34.4", "Both"),
        ("1.35.1", "Both"),
        ("1.35.3", "Both"),
        ("1.36.0", "Both"),
        ("1.36.2", "Both"),
        ("1.37.1", "Both"),
    ]
    .map(|(version, plans)| json!({"version": version, "supportPlans": plans}));
    let control_plane: Vec<Value> = offered.iter().map(|version| json!({"version": version})).collect();
    json!({
        "cluster": {"name": "azure-name", "location": "westeurope", "version": version, "tier": "Standard",
            "supportPlan": "KubernetesOfficial", "nodeOsUpgradeChannel": "NodeImage",
            "provisioningState": "Succeeded", "power": "Running", "pools": pools},
        "offers": {"controlPlane": control_plane, "region": region, "images": {
            "az": "AKSAzureLinux-V3gen2-202611.10.0",
            "system": "AKSUbuntu-2204gen2containerd-202611.10.0",
            "win1": "AKSWindows-2022-containerd-20348.4405.261112"}},
        "clusterReadAt": seen_at(),
        "offersReadAt": read_at(),
        "conditions": [condition("True", "Observed", "Azure and the cluster's API can be read")],
    })
}

fn not_ready(reason: &str, message: &str) -> Value {
    json!([condition("False", reason, message)])
}

fn condition(status: &str, reason: &str, message: &str) -> Value {
    json!({"type": "Ready", "status": status, "reason": reason, "message": message,
        "lastTransitionTime": since()})
}
