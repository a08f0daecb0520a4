//! The views of what Azure offers a cluster and a pool.

use jiff::Timestamp;
use serde_json::Value;

use super::{boolean, objects, parsed, text};
use crate::View;

/// What Azure offers a control plane. The offer is the authority on what can be asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClusterUpgradeProfile {
    /// The version now.
    pub kubernetes_version: Option<String>,
    /// The versions on offer, unsorted as Azure gave them; empty when there are none.
    pub upgrades: Vec<OfferedUpgrade>,
    /// What Azure offers its node pools; empty when Azure says nothing about them, as it often does.
    pub agent_pools: Vec<PoolUpgrades>,
}

/// What a cluster's upgrade profile says of one node pool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PoolUpgrades {
    /// The pool's name.
    pub name: Option<String>,
    /// `Linux` or `Windows`.
    pub os_type: Option<String>,
    /// The version now.
    pub kubernetes_version: Option<String>,
    /// The versions on offer, unsorted; often missing, so its absence means nothing.
    pub upgrades: Vec<OfferedUpgrade>,
}

/// A version on offer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OfferedUpgrade {
    /// The version, a patch.
    pub kubernetes_version: String,
    /// Whether it is a preview.
    pub is_preview: bool,
}

/// What Azure offers a node pool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AgentPoolUpgradeProfile {
    /// The version now.
    pub kubernetes_version: Option<String>,
    /// `Linux` or `Windows`.
    pub os_type: Option<String>,
    /// The versions on offer, unsorted; often missing, so its absence means nothing.
    pub upgrades: Vec<OfferedUpgrade>,
    /// The newest image for the pool's SKU and version: compare by equality.
    pub latest_node_image_version: Option<String>,
    /// What the pool can go back to, within seven days.
    pub recently_used_versions: Vec<RecentlyUsedVersion>,
}

/// A version and image that a pool had before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecentlyUsedVersion {
    /// The Kubernetes version.
    pub orchestrator_version: Option<String>,
    /// The node image.
    pub node_image_version: Option<String>,
    /// When the pool left it.
    pub timestamp: Option<Timestamp>,
}

impl View for ClusterUpgradeProfile {
    fn read(document: &Value) -> Self {
        Self {
            kubernetes_version: text(document, "/properties/controlPlaneProfile/kubernetesVersion"),
            upgrades: upgrades(document, "/properties/controlPlaneProfile/upgrades"),
            agent_pools: objects(document, "/properties/agentPoolProfiles").map(pool).collect(),
        }
    }
}

impl View for AgentPoolUpgradeProfile {
    fn read(document: &Value) -> Self {
        let recent = |item: &Value| RecentlyUsedVersion {
            orchestrator_version: text(item, "/orchestratorVersion"),
            node_image_version: text(item, "/nodeImageVersion"),
            timestamp: parsed(item, "/timestamp"),
        };
        Self {
            kubernetes_version: text(document, "/properties/kubernetesVersion"),
            os_type: text(document, "/properties/osType"),
            upgrades: upgrades(document, "/properties/upgrades"),
            latest_node_image_version: text(document, "/properties/latestNodeImageVersion"),
            recently_used_versions: objects(document, "/properties/recentlyUsedVersions")
                .map(recent)
                .collect(),
        }
    }
}

fn pool(item: &Value) -> PoolUpgrades {
    PoolUpgrades {
        name: text(item, "/name"),
        os_type: text(item, "/osType"),
        kubernetes_version: text(item, "/kubernetesVersion"),
        upgrades: upgrades(item, "/upgrades"),
    }
}

fn upgrades(document: &Value, pointer: &str) -> Vec<OfferedUpgrade> {
    let offered = |item: &Value| {
        let kubernetes_version = text(item, "/kubernetesVersion")?;
        Some(OfferedUpgrade { kubernetes_version, is_preview: boolean(item, "/isPreview").unwrap_or(false) })
    };
    objects(document, pointer).filter_map(offered).collect()
}
