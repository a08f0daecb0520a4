//! From Azure's documents and errors to the engine's words.

mod maintenance;

use std::time::Duration;

use azure_mgmt_containerservice::{
    AgentPool, AgentPoolUpgradeProfile, ClusterUpgradeProfile, Error, HeldBack, KubernetesVersions,
    ManagedCluster, OperationState, OperationStatus,
};
use engine::{
    Cluster, Failure, KubernetesVersion, NodePool, OfferedVersion, OperationReport, PoolType, Power,
    ProvisioningState, RecentlyUsed, RegionVersion, SupportPlans, Unreadable,
};
use jiff::Timestamp;

pub use maintenance::maintenance;

use crate::settings;

/// How much of a snapshot's name is kept, in characters; Azure's are at most 63.
const SNAPSHOT_NAME: usize = 128;

/// The engine's cluster.
///
/// # Errors
/// When a field without which nothing can be decided is missing or no version.
pub fn cluster(view: &ManagedCluster) -> Result<Cluster, Unreadable> {
    let name = view.name.clone().unwrap_or_default();
    let version = version(
        "properties.currentKubernetesVersion",
        view.current_kubernetes_version.as_ref().or(view.kubernetes_version.as_ref()),
    )?;
    let mut pools = view.agent_pool_profiles.iter().map(pool).collect::<Result<Vec<_>, _>>()?;
    pools.sort_by(|a, b| a.name.cmp(&b.name));
    let on = |channel: &Option<String>| channel.clone().filter(|name| !name.eq_ignore_ascii_case("none"));
    Ok(Cluster {
        name,
        location: view.location.clone().unwrap_or_default().replace(' ', "").to_lowercase(),
        version,
        provisioning_state: state(view.provisioning_state.as_deref()),
        power: power(view.is_stopped()),
        automatic: view.is_automatic(),
        node_provisioning: view
            .node_provisioning_mode
            .as_deref()
            .is_some_and(|m| m.eq_ignore_ascii_case("Auto")),
        auto_upgrade_channel: on(&view.auto_upgrade_profile.upgrade_channel),
        node_os_upgrade_channel: on(&view.auto_upgrade_profile.node_os_upgrade_channel),
        support_plan: view.support_plan.clone(),
        tier: view.sku.tier.clone(),
        override_settings: settings::of_cluster(view),
        pools,
    })
}

/// The engine's pool, from either of its two places.
///
/// # Errors
/// When its version is missing or none.
pub(super) fn pool(view: &AgentPool) -> Result<NodePool, Unreadable> {
    let version = version(
        "properties.agentPoolProfiles[].currentOrchestratorVersion",
        view.current_orchestrator_version.as_ref().or(view.orchestrator_version.as_ref()),
    )?;
    Ok(NodePool {
        name: view.name.clone().unwrap_or_default(),
        mode: view.mode.clone().unwrap_or_else(|| "User".to_owned()),
        os_type: view.os_type.clone().unwrap_or_else(|| "Linux".to_owned()),
        os_sku: view.os_sku.clone().unwrap_or_default(),
        pool_type: view.type_.as_deref().map(PoolType::named).unwrap_or_default(),
        snapshot: view.snapshot_id.as_deref().map(name_in),
        version,
        node_image: view.node_image_version.clone().unwrap_or_default(),
        count: view.count.and_then(|count| i32::try_from(count).ok()),
        provisioning_state: state(view.provisioning_state.as_deref()),
        power: power(view.is_stopped()),
        upgrade_settings: settings::of_pool(view),
    })
}

/// The name at the end of a resource id.
fn name_in(id: &str) -> String {
    let name = id.rsplit('/').find(|part| !part.is_empty()).unwrap_or(id);
    name.chars().take(SNAPSHOT_NAME).collect()
}

fn power(stopped: bool) -> Power {
    if stopped { Power::Stopped } else { Power::Running }
}

/// A state that is not told may be any: nothing is begun in it.
fn state(told: Option<&str>) -> ProvisioningState {
    const NOT_TOLD: &str = "in a state that Azure does not tell";
    told.filter(|word| !word.is_empty()).unwrap_or(NOT_TOLD).to_owned().into()
}

fn version(field: &str, text: Option<&String>) -> Result<KubernetesVersion, Unreadable> {
    let text = text.ok_or_else(|| Unreadable::Failed(format!("Azure's answer has no {field}")))?;
    text.parse().map_err(|error| Unreadable::Failed(format!("{field}: {error}")))
}

/// What the upgrade profile offers the control plane, oldest first; what is no version is left out.
pub(super) fn offered(profile: &ClusterUpgradeProfile) -> Vec<OfferedVersion> {
    let mut offered: Vec<OfferedVersion> = profile
        .upgrades
        .iter()
        .filter_map(|offer| {
            Some(OfferedVersion {
                version: offer.kubernetes_version.parse().ok()?,
                preview: offer.is_preview,
            })
        })
        .collect();
    offered.sort_by(|a, b| a.version.cmp(&b.version));
    offered
}

/// What a pool may go back to; what has no version or image is left out.
pub(super) fn recently_used(profile: &AgentPoolUpgradeProfile) -> Vec<RecentlyUsed> {
    let used = profile.recently_used_versions.iter().filter_map(|recent| {
        Some(RecentlyUsed {
            version: recent.orchestrator_version.as_ref()?.parse().ok()?,
            image: recent.node_image_version.clone()?,
            left_at: recent.timestamp,
        })
    });
    used.collect()
}

/// The versions of a region, oldest first.
pub(super) fn region(versions: &KubernetesVersions) -> Vec<RegionVersion> {
    let mut region: Vec<RegionVersion> = versions
        .minors
        .iter()
        .flat_map(|minor| minor.patch_versions.iter().map(move |(version, patch)| (minor, version, patch)))
        .filter_map(|(minor, version, patch)| {
            Some(RegionVersion {
                version: version.parse().ok()?,
                preview: minor.is_preview,
                support_plans: SupportPlans::named(&minor.support_plans),
                upgrades: patch.upgrades.iter().filter_map(|upgrade| upgrade.parse().ok()).collect(),
            })
        })
        .collect();
    region.sort_by(|a, b| a.version.cmp(&b.version));
    region
}

/// What Azure, or the way to it, answered.
#[must_use]
pub fn failure(error: &Error) -> Failure {
    match error.api() {
        Some(api) => {
            Failure::new(error.status(), api.code.as_deref(), api.subcode.as_deref(), &api.summary())
        }
        None => Failure::new(error.status(), None, None, &with_causes(error)),
    }
}

/// What became of an operation.
pub(super) fn report(status: &OperationStatus) -> OperationReport {
    let failed = match &status.state {
        OperationState::InProgress(_) => return OperationReport { running: true, failure: None },
        OperationState::Succeeded => false,
        OperationState::Failed | OperationState::Canceled => true,
    };
    let failure = status.error.as_ref().filter(|_| failed).map(|error| {
        Failure::new(error.status, error.code.as_deref(), error.subcode.as_deref(), &error.summary())
    });
    OperationReport { running: false, failure }
}

/// Why a call was not sent, and when it may be: in whole seconds, as the engine counts, and not too early.
#[must_use]
pub fn held_back(held: &HeldBack, now: Timestamp) -> engine::HeldBack {
    let HeldBack { retry_after, .. } = held;
    let seconds = retry_after.as_secs().saturating_add(u64::from(retry_after.subsec_nanos() > 0));
    let until = now.saturating_add(Duration::from_secs(seconds)).unwrap_or(Timestamp::MAX);
    engine::HeldBack { why: held.to_string(), until }
}

/// An error with its causes, in one line.
#[must_use]
pub fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod plans;

#[cfg(test)]
mod tests {
    use super::*;
    use azure_mgmt_containerservice::View as _;
    use serde_json::{Value, json};

    fn read(properties: &Value, sku: &Value) -> Cluster {
        let document =
            json!({"name": "weu-1", "location": "West Europe", "sku": sku, "properties": properties});
        cluster(&ManagedCluster::read(&document)).unwrap()
    }

    #[test]
    fn keeps_what_the_inventory_tells() {
        let channels = json!({"upgradeChannel": "none", "nodeOSUpgradeChannel": "NodeImage"});
        let properties = json!({"currentKubernetesVersion": "1.34.4", "supportPlan": "AKSLongTermSupport",
            "autoUpgradeProfile": channels});
        let cluster = read(&properties, &json!({"name": "Base", "tier": "Premium"}));
        assert!(cluster.is_long_term());
        assert_eq!(cluster.tier.as_deref(), Some("Premium"));
        assert_eq!(cluster.auto_upgrade_channel, None, "none counts as off");
        assert_eq!(cluster.node_os_upgrade_channel.as_deref(), Some("NodeImage"));
        let bare = read(&json!({"kubernetesVersion": "1.34.4"}), &Value::Null);
        assert!(!bare.is_long_term() && bare.tier.is_none() && bare.node_os_upgrade_channel.is_none());
    }

    #[test]
    fn a_state_that_is_not_told_is_none_to_begin_anything_in() {
        for told in [json!(null), json!("")] {
            let properties = json!({"kubernetesVersion": "1.34.4", "provisioningState": told});
            let busy = read(&properties, &Value::Null).busy_with();
            assert_eq!(busy.as_deref(), Some("the cluster is in a state that Azure does not tell"));
        }
        let pools = json!([{"name": "a", "orchestratorVersion": "1.34.4"}]);
        let properties = json!({"kubernetesVersion": "1.34.4", "provisioningState": "Succeeded",
            "agentPoolProfiles": pools});
        let busy = read(&properties, &Value::Null).busy_with();
        assert_eq!(busy.as_deref(), Some("pool a is in a state that Azure does not tell"));
    }

    #[test]
    fn a_number_of_nodes_that_is_not_said_is_not_known() {
        let properties = json!({"kubernetesVersion": "1.34.4", "agentPoolProfiles": [
            {"name": "a", "orchestratorVersion": "1.34.4", "count": 0},
            {"name": "b", "orchestratorVersion": "1.34.4", "count": null},
            {"name": "c", "orchestratorVersion": "1.34.4", "type": "VirtualMachines",
                "virtualMachineNodesStatus": [{"size": "Standard_D4s_v5", "count": 2}]},
        ]});
        let counts: Vec<_> = read(&properties, &Value::Null).pools.iter().map(|pool| pool.count).collect();
        assert_eq!(counts, [Some(0), None, Some(2)]);
    }

    #[test]
    fn each_patch_of_a_region_has_the_support_plans_of_its_minor() {
        let answer = json!({"values": [
            {"version": "1.37", "isPreview": true, "patchVersions": {"1.37.0": {"upgrades": null}}},
            {"version": "1.34", "capabilities": {"supportPlan": ["KubernetesOfficial", "AKSLongTermSupport"]},
                "patchVersions": {"1.34.4": {"upgrades": ["1.35.1"]}, "1.34.2": {}}},
            {"version": "1.33", "capabilities": {"supportPlan": ["AKSLongTermSupport"]},
                "patchVersions": {"1.33.100": {}}},
        ]});
        let region = region(&KubernetesVersions::read(&answer));
        let told: Vec<String> = region
            .iter()
            .map(|entry| format!("{} {:?} {}", entry.version, entry.support_plans, entry.preview))
            .collect();
        let expected = [
            "1.33.100 Some(AKSLongTermSupport) false",
            "1.34.2 Some(Both) false",
            "1.34.4 Some(Both) false",
            "1.37.0 None true",
        ];
        assert_eq!(told, expected);
    }
}
