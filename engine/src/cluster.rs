//! A cluster as Azure shows it at one moment, reduced to what decisions need.

use std::{borrow::Cow, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::{offers::LONG_TERM_SUPPORT, settings::Settings, version::KubernetesVersion};

/// One AKS cluster, observed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Cluster {
    /// Name of the managed cluster in Azure.
    #[schemars(length(max = 63))]
    pub name: String,
    /// Azure region.
    #[schemars(length(max = 64))]
    pub location: String,
    /// Version of the control plane. Shows the target from the moment an upgrade is
    /// accepted, and stays there after a failure.
    pub version: KubernetesVersion,
    /// State of the managed cluster resource.
    pub provisioning_state: ProvisioningState,
    /// Whether the cluster is started.
    pub power: Power,
    /// Whether this is AKS Automatic, which upgrades itself.
    #[serde(default)]
    pub automatic: bool,
    /// Whether node auto-provisioning (Karpenter) makes nodes beside those of the pools.
    #[serde(default)]
    pub node_provisioning: bool,
    /// The auto-upgrade channel, when one is on (`none` counts as off).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub auto_upgrade_channel: Option<String>,
    /// The channel on which Azure refreshes node images, when one is on (`None` counts as off).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub node_os_upgrade_channel: Option<String>,
    /// `KubernetesOfficial` or `AKSLongTermSupport`; Azure's default when absent is the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub support_plan: Option<String>,
    /// The pricing tier: `Free`, `Standard` or `Premium`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub tier: Option<String>,
    /// What forces its upgrades (`upgradeSettings.overrideSettings`), as far as it is set.
    #[serde(default, skip_serializing_if = "Settings::is_empty")]
    pub override_settings: Settings,
    /// The node pools, by name.
    #[schemars(length(max = 100))]
    pub pools: Vec<NodePool>,
}

/// One node pool, observed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodePool {
    /// Name of the pool.
    #[schemars(length(max = 12))]
    pub name: String,
    /// `System`, `User`, `Gateway` or `Machines`.
    #[schemars(length(max = 32))]
    pub mode: String,
    /// `Linux` or `Windows`.
    #[schemars(length(max = 32))]
    pub os_type: String,
    /// For example `Ubuntu2204` or `Windows2022`.
    #[serde(default)]
    #[schemars(length(max = 64))]
    pub os_sku: String,
    /// What its nodes are made of.
    #[serde(default, rename = "type", skip_serializing_if = "PoolType::is_scale_set")]
    pub pool_type: PoolType,
    /// Name of the snapshot that pins its version and image, if one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub snapshot: Option<String>,
    /// The Kubernetes version of its nodes; shows the target from the moment an upgrade is accepted.
    pub version: KubernetesVersion,
    /// The node image; stays old until an upgrade is done.
    #[serde(default)]
    #[schemars(length(max = 256))]
    pub node_image: String,
    /// How many nodes it should have, as far as Azure says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 5000))]
    pub count: Option<i32>,
    /// State of the agent pool resource.
    pub provisioning_state: ProvisioningState,
    /// Whether the pool is started.
    pub power: Power,
    /// How its nodes are replaced (`upgradeSettings`), as far as it is set.
    #[serde(default, skip_serializing_if = "Settings::is_empty")]
    pub upgrade_settings: Settings,
}

impl Cluster {
    /// The pool of that name.
    #[must_use]
    pub fn pool(&self, name: &str) -> Option<&NodePool> {
        self.pools.iter().find(|pool| pool.name == name)
    }

    /// Whether it is on the long-term-support plan.
    #[must_use]
    pub fn is_long_term(&self) -> bool {
        self.support_plan.as_deref().is_some_and(|plan| plan.eq_ignore_ascii_case(LONG_TERM_SUPPORT))
    }

    /// What the cluster is busy with: its own operation or one of a pool. The cluster's
    /// own state stays at Succeeded while a pool's node image is upgraded, so both count.
    #[must_use]
    pub fn busy_with(&self) -> Option<String> {
        if self.provisioning_state.is_busy() {
            return Some(format!("the cluster is {}", self.provisioning_state));
        }
        self.pools
            .iter()
            .find(|pool| pool.provisioning_state.is_busy())
            .map(|pool| format!("pool {} is {}", pool.name, pool.provisioning_state))
    }
}

impl NodePool {
    /// Whether it only stands for nodes that Azure makes one by one: AKS refuses every upgrade of such
    /// a pool ("on machines agent pool is not allowed", Azure/azure-cli#33693).
    #[must_use]
    pub fn is_managed_by_azure(&self) -> bool {
        self.mode.eq_ignore_ascii_case("Machines")
    }
}

/// What the nodes of a pool are made of, in Azure's words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PoolType {
    /// A scale set: the default, and whatever Azure may call by another word one day.
    #[default]
    VirtualMachineScaleSets,
    /// Single machines, of several sizes: upgraded like a scale set ("Virtual Machines node pools in AKS").
    VirtualMachines,
    /// An availability set, which AKS upgrades only as a whole together with the control plane.
    AvailabilitySet,
}

impl PoolType {
    /// Azure's word; regardless of case.
    #[must_use]
    pub fn named(word: &str) -> Self {
        match word.to_ascii_lowercase().as_str() {
            "virtualmachines" => Self::VirtualMachines,
            "availabilityset" => Self::AvailabilitySet,
            _ => Self::VirtualMachineScaleSets,
        }
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
    fn is_scale_set(&self) -> bool {
        *self == Self::VirtualMachineScaleSets
    }
}

/// Started or stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Power {
    #[expect(missing_docs, reason = "says all there is")]
    Running,
    #[expect(missing_docs, reason = "says all there is")]
    Stopped,
}

/// `provisioningState` of a resource. Only three values end an operation;
/// anything else, words not known yet included, means that one is running.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum ProvisioningState {
    /// The last operation succeeded.
    Succeeded,
    /// The last operation failed.
    Failed,
    /// The last operation was aborted; nothing is undone.
    Canceled,
    /// An operation runs; Azure's word for it.
    Busy(String),
}

impl ProvisioningState {
    /// Whether an operation runs.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        matches!(self, Self::Busy(_))
    }

    /// Whether the last operation ended badly: it failed, or somebody aborted it.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        matches!(self, Self::Failed | Self::Canceled)
    }
}

impl From<String> for ProvisioningState {
    fn from(text: String) -> Self {
        match text.as_str() {
            "Succeeded" => Self::Succeeded,
            "Failed" => Self::Failed,
            "Canceled" | "Cancelled" => Self::Canceled,
            _ => Self::Busy(text),
        }
    }
}

impl From<ProvisioningState> for String {
    fn from(state: ProvisioningState) -> Self {
        state.to_string()
    }
}

impl fmt::Display for ProvisioningState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
            Self::Canceled => "Canceled",
            Self::Busy(word) => word,
        })
    }
}

impl JsonSchema for ProvisioningState {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "ProvisioningState".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "maxLength": 128})
    }
}
