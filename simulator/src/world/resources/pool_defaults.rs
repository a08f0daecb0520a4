//! What AKS itself writes into a pool's properties: what fills the gaps, and how it writes what was sent.

use serde_json::{Map, Value, json};

use super::document;

/// What a new pool gets without being asked, as recorded: a small size for workloads, a larger one for the system.
const SYSTEM_SIZE: &str = "Standard_D8d_v5";
const USER_SIZE: &str = "Standard_D4d_v5";

/// Gibibytes of an operating system's disk where the size has no disk of its own.
const MANAGED_DISK: u64 = 128;

/// Settings that AKS does not repeat when they say what goes without saying.
const UNSPOKEN: &[(&str, &[&str])] = &[
    ("scaleSetPriority", &["\"Regular\""]),
    ("scaleSetEvictionPolicy", &["\"Delete\""]),
    ("spotMaxPrice", &["-1.0", "-1"]),
    ("nodeTaints", &["[]"]),
    ("nodeInitializationTaints", &["[]"]),
    ("nodeLabels", &["{}"]),
    ("tags", &["{}"]),
    ("availabilityZones", &["[]"]),
    ("osDiskSizeGB", &["0"]),
    ("vmSize", &["\"\""]),
    ("osSKU", &["\"\""]),
    ("orchestratorVersion", &["\"\""]),
    ("nodeImageVersion", &["\"\""]),
];

/// What of the network decides about pods: at most so many on a node.
pub(crate) fn max_pods(network: &Value) -> u64 {
    match (network["networkPlugin"].as_str(), network["networkPluginMode"].as_str()) {
        (_, Some("overlay")) | (Some("none"), _) => 250,
        (Some("azure"), _) => 30,
        _ => 110,
    }
}

/// Fills the gaps in the properties of a new pool in a cluster with this network.
pub(crate) fn fill(network: &Value, properties: &mut Map<String, Value>) {
    drop_unspoken(properties);
    write_as_the_service_does(properties);
    let text = |field: &str| properties.get(field).and_then(Value::as_str);
    let windows = text("osType") == Some("Windows");
    let system = text("mode") == Some("System");
    let size = text("vmSize").unwrap_or(if system { SYSTEM_SIZE } else { USER_SIZE }).to_owned();
    let disk = temporary_disk(&size).filter(|_| !windows && properties.get("osDiskSizeGB").is_none());
    let defaults = json!({
        "count": 1,
        "vmSize": size,
        "osDiskSizeGB": disk.unwrap_or(MANAGED_DISK),
        "osDiskType": if disk.is_some() { "Ephemeral" } else { "Managed" },
        "kubeletDiskType": "OS",
        "maxPods": max_pods(network),
        "type": "VirtualMachineScaleSets",
        "enableAutoScaling": false,
        "scaleDownMode": "Delete",
        "powerState": { "code": "Running" },
        "enableNodePublicIP": false,
        "mode": "User",
        "enableEncryptionAtHost": false,
        "enableUltraSSD": false,
        "osType": "Linux",
        "osSKU": if windows { "Windows2022" } else { "Ubuntu" },
        "upgradeSettings": { "maxSurge": "10%", "maxUnavailable": "0" },
        "enableFIPS": false,
        "securityProfile": { "enableVTPM": false, "enableSecureBoot": false },
    });
    if let Some(defaults) = defaults.as_object() {
        document::fill(properties, defaults);
    }
}

fn drop_unspoken(properties: &mut Map<String, Value>) {
    properties.retain(|field, value| {
        let unspoken = UNSPOKEN.iter().find(|(name, _)| name == field);
        !value.is_null() && unspoken.is_none_or(|(_, values)| !values.contains(&value.to_string().as_str()))
    });
}

/// Words of clients in the case in which the service writes them.
pub(crate) fn write_as_the_service_does(properties: &mut Map<String, Value>) {
    let access = properties.get_mut("securityProfile").and_then(|profile| profile.get_mut("sshAccess"));
    let Some(access) = access else { return };
    let written = ["LocalUser", "Disabled", "EntraId"]
        .into_iter()
        .find(|known| access.as_str().is_some_and(|sent| sent.eq_ignore_ascii_case(known)));
    if let Some(written) = written {
        *access = json!(written);
    }
}

/// Gibibytes of the temporary disk of sizes such as `Standard_D4d_v5`, which then holds the system.
fn temporary_disk(size: &str) -> Option<u64> {
    let (family, generation) = size.strip_prefix("Standard_D")?.split_once("_v")?;
    let letters = family.trim_start_matches(|c: char| c.is_ascii_digit());
    let cores = family.strip_suffix(letters)?.parse::<u64>().ok()?;
    let recent = generation.parse::<u32>().is_ok_and(|generation| generation >= 4);
    (recent && letters.contains('d')).then_some(cores * 75 / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disks_and_pods_follow_from_size_and_network() {
        assert_eq!(temporary_disk("Standard_D4d_v5"), Some(150));
        assert_eq!(temporary_disk("Standard_D8ds_v4"), Some(300));
        assert_eq!(temporary_disk("Standard_D4s_v5"), None);
        assert_eq!(temporary_disk("Standard_DS2_v2"), None);
        assert_eq!(max_pods(&json!({ "networkPlugin": "kubenet" })), 110);
        assert_eq!(max_pods(&json!({ "networkPlugin": "azure", "networkPluginMode": "overlay" })), 250);
    }

    #[test]
    fn what_goes_without_saying_is_not_repeated() {
        let sent = json!({
            "count": 2, "vmSize": "", "osDiskSizeGB": 0, "scaleSetPriority": "Regular", "spotMaxPrice": -1.0,
            "nodeTaints": [], "enableCustomCATrust": false, "securityProfile": { "sshAccess": "localuser" },
        });
        let mut properties = sent.as_object().cloned().unwrap();
        fill(&json!({ "networkPlugin": "kubenet" }), &mut properties);
        assert_eq!(properties["vmSize"], USER_SIZE);
        assert_eq!(
            (&properties["osDiskSizeGB"], &properties["osDiskType"]),
            (&json!(150), &json!("Ephemeral"))
        );
        assert_eq!(properties["securityProfile"]["sshAccess"], "LocalUser");
        assert_eq!(properties["enableCustomCATrust"], false);
        for field in ["scaleSetPriority", "spotMaxPrice", "nodeTaints"] {
            assert!(!properties.contains_key(field), "{field}");
        }
    }
}
