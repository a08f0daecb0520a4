//! The view of a cluster.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{AgentPool, boolean, error, objects, text};
use crate::{ApiError, View};

/// A cluster: what is read of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ManagedCluster {
    /// The resource id, in whatever case Azure gave it.
    pub id: Option<String>,
    /// The name.
    pub name: Option<String>,
    /// The region.
    pub location: Option<String>,
    /// The tags; values that are not text are left out.
    pub tags: BTreeMap<String, String>,
    /// Name (`Base`, `Automatic`) and tier (`Free`, `Standard`, `Premium`).
    pub sku: Sku,
    /// `Running` or `Stopped`.
    pub power_state: Option<String>,
    /// `Succeeded` when nothing is going on.
    pub provisioning_state: Option<String>,
    /// The version that was asked for: a minor or a patch.
    pub kubernetes_version: Option<String>,
    /// The version of the control plane; the target from acceptance on, also after a failure.
    pub current_kubernetes_version: Option<String>,
    /// What Azure upgrades by itself.
    pub auto_upgrade_profile: AutoUpgradeProfile,
    /// `KubernetesOfficial` or `AKSLongTermSupport`.
    pub support_plan: Option<String>,
    /// Which of AKS's checks an upgrade passes over.
    pub override_settings: OverrideSettings,
    /// Why the last operation failed, while the cluster is in that state.
    pub provisioning_error: Option<ApiError>,
    /// `Auto` when Karpenter makes the nodes.
    pub node_provisioning_mode: Option<String>,
    /// `Auto` or `None`: whether AKS made Karpenter's default pools.
    pub node_provisioning_default_pools: Option<String>,
    /// The resource group of the nodes.
    pub node_resource_group: Option<String>,
    /// Whether certificates and static tokens are off.
    pub disable_local_accounts: Option<bool>,
    /// Whether Entra ID authenticates users.
    pub has_aad_profile: bool,
    /// The node pools.
    pub agent_pool_profiles: Vec<AgentPool>,
}

/// A cluster's SKU.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sku {
    /// `Base` or `Automatic`.
    pub name: Option<String>,
    /// `Free`, `Standard` or `Premium`.
    pub tier: Option<String>,
}

/// What Azure upgrades by itself; absent channels count as off.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AutoUpgradeProfile {
    /// `none`, `patch`, `stable`, `rapid` or `node-image`.
    pub upgrade_channel: Option<String>,
    /// `None`, `Unmanaged`, `SecurityPatch` or `NodeImage`.
    pub node_os_upgrade_channel: Option<String>,
}

/// Which of AKS's checks an upgrade passes over: deprecated APIs, and disruption budgets too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OverrideSettings {
    /// Whether it does.
    pub force_upgrade: Option<bool>,
    /// Until when an upgrade must have begun to do so: an instant, as Azure writes it.
    pub until: Option<String>,
}

impl ManagedCluster {
    /// Whether the cluster is stopped; stopped clusters cannot be upgraded.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.power_state.as_deref().is_some_and(|state| state.eq_ignore_ascii_case("Stopped"))
    }

    /// Whether AKS Automatic runs the cluster, upgrades included.
    #[must_use]
    pub fn is_automatic(&self) -> bool {
        self.sku.name.as_deref().is_some_and(|name| name.eq_ignore_ascii_case("Automatic"))
    }

    /// The pool `name`, regardless of case.
    #[must_use]
    pub fn pool(&self, name: &str) -> Option<&AgentPool> {
        let has_name = |pool: &&AgentPool| pool.name.as_deref().is_some_and(|n| n.eq_ignore_ascii_case(name));
        self.agent_pool_profiles.iter().find(has_name)
    }
}

impl View for ManagedCluster {
    fn read(document: &Value) -> Self {
        let tags = document.get("tags").and_then(Value::as_object).into_iter().flatten();
        Self {
            id: text(document, "/id"),
            name: text(document, "/name"),
            location: text(document, "/location"),
            tags: tags.filter_map(|(k, v)| Some((k.clone(), v.as_str()?.to_owned()))).collect(),
            sku: Sku { name: text(document, "/sku/name"), tier: text(document, "/sku/tier") },
            power_state: text(document, "/properties/powerState/code"),
            provisioning_state: text(document, "/properties/provisioningState"),
            kubernetes_version: text(document, "/properties/kubernetesVersion"),
            current_kubernetes_version: text(document, "/properties/currentKubernetesVersion"),
            auto_upgrade_profile: AutoUpgradeProfile {
                upgrade_channel: text(document, "/properties/autoUpgradeProfile/upgradeChannel"),
                node_os_upgrade_channel: text(
                    document,
                    "/properties/autoUpgradeProfile/nodeOSUpgradeChannel",
                ),
            },
            support_plan: text(document, "/properties/supportPlan"),
            override_settings: OverrideSettings {
                force_upgrade: boolean(document, "/properties/upgradeSettings/overrideSettings/forceUpgrade"),
                until: text(document, "/properties/upgradeSettings/overrideSettings/until"),
            },
            provisioning_error: error(document, "/properties/status/provisioningError"),
            node_provisioning_mode: text(document, "/properties/nodeProvisioningProfile/mode"),
            node_provisioning_default_pools: text(
                document,
                "/properties/nodeProvisioningProfile/defaultNodePools",
            ),
            node_resource_group: text(document, "/properties/nodeResourceGroup"),
            disable_local_accounts: boolean(document, "/properties/disableLocalAccounts"),
            has_aad_profile: document.pointer("/properties/aadProfile").is_some_and(Value::is_object),
            agent_pool_profiles: objects(document, "/properties/agentPoolProfiles")
                .map(AgentPool::inline)
                .collect(),
        }
    }
}
