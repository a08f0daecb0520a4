//! The view of a node pool, which Azure shows in two places: as a resource of its own, with its
//! fields under `properties`, and inline in its cluster, flat.

use serde_json::Value;

use super::{boolean, error, integer, text, text_or_number};
use crate::{ApiError, View};

/// A node pool: what is read of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AgentPool {
    /// The resource id; absent inline.
    pub id: Option<String>,
    /// The name.
    pub name: Option<String>,
    /// `System`, `User` or `Gateway`.
    pub mode: Option<String>,
    /// `Linux` or `Windows`.
    pub os_type: Option<String>,
    /// For example `Ubuntu`, `AzureLinux`, `Windows2022`.
    pub os_sku: Option<String>,
    /// The version that was asked for: a minor or a patch.
    pub orchestrator_version: Option<String>,
    /// The version of the pool; the target from acceptance on, also after a failure.
    pub current_orchestrator_version: Option<String>,
    /// The node image; stays the old one until an upgrade is done.
    pub node_image_version: Option<String>,
    /// How many nodes the pool should have. Pools of the type `VirtualMachines` have no number of their own:
    /// theirs is the sum over their sizes, as asked for, or else as it is.
    pub count: Option<i64>,
    /// The size of its virtual machines.
    pub vm_size: Option<String>,
    /// `Succeeded` when nothing is going on.
    pub provisioning_state: Option<String>,
    /// `Running` or `Stopped`.
    pub power_state: Option<String>,
    /// How its nodes are replaced.
    pub upgrade_settings: UpgradeSettings,
    /// Whether the cluster autoscaler changes its count.
    pub enable_auto_scaling: Option<bool>,
    /// The eTag.
    pub etag: Option<String>,
    /// `VirtualMachineScaleSets`, `AvailabilitySet` or `VirtualMachines`.
    pub type_: Option<String>,
    /// The snapshot that pins its image, by its id: a normal upgrade takes the pool off it.
    pub snapshot_id: Option<String>,
    /// Why the last operation failed, while the pool is in that state.
    pub provisioning_error: Option<ApiError>,
}

/// How a pool's nodes are replaced. Absent fields mean the service's defaults.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UpgradeSettings {
    /// Nodes added during an upgrade: a number or a percentage.
    pub max_surge: Option<String>,
    /// Nodes that may be away during an upgrade: a number or a percentage.
    pub max_unavailable: Option<String>,
    /// Minutes that a drain may take; 30 when absent.
    pub drain_timeout_in_minutes: Option<i64>,
    /// Minutes to wait after each node; 0 when absent.
    pub node_soak_duration_in_minutes: Option<i64>,
    /// `Schedule` (the upgrade fails) or `Cordon` (the node is left aside).
    pub undrainable_node_behavior: Option<String>,
    /// With `Cordon`, how many nodes may be left aside: a number or a percentage. Shown by previews only.
    pub max_blocked_nodes: Option<String>,
}

impl AgentPool {
    /// Reads a pool as it stands inline in a cluster.
    pub(super) fn inline(profile: &Value) -> Self {
        Self {
            id: None,
            name: text(profile, "/name"),
            mode: text(profile, "/mode"),
            os_type: text(profile, "/osType"),
            os_sku: text(profile, "/osSKU"),
            orchestrator_version: text(profile, "/orchestratorVersion"),
            current_orchestrator_version: text(profile, "/currentOrchestratorVersion"),
            node_image_version: text(profile, "/nodeImageVersion"),
            count: integer(profile, "/count").or_else(|| count_of_machines(profile)),
            vm_size: text(profile, "/vmSize"),
            provisioning_state: text(profile, "/provisioningState"),
            power_state: text(profile, "/powerState/code"),
            upgrade_settings: UpgradeSettings {
                max_surge: text_or_number(profile, "/upgradeSettings/maxSurge"),
                max_unavailable: text_or_number(profile, "/upgradeSettings/maxUnavailable"),
                drain_timeout_in_minutes: integer(profile, "/upgradeSettings/drainTimeoutInMinutes"),
                node_soak_duration_in_minutes: integer(profile, "/upgradeSettings/nodeSoakDurationInMinutes"),
                undrainable_node_behavior: text(profile, "/upgradeSettings/undrainableNodeBehavior"),
                max_blocked_nodes: text_or_number(profile, "/upgradeSettings/maxBlockedNodes"),
            },
            enable_auto_scaling: boolean(profile, "/enableAutoScaling"),
            etag: text(profile, "/eTag"),
            type_: text(profile, "/type"),
            snapshot_id: text(profile, "/creationData/sourceResourceId"),
            provisioning_error: error(profile, "/status/provisioningError"),
        }
    }

    /// Whether the pool is stopped; it is upgraded when it is started.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.power_state.as_deref().is_some_and(|state| state.eq_ignore_ascii_case("Stopped"))
    }
}

/// The nodes of a pool of the type `VirtualMachines`, as asked for; where the autoscaler decides, as they are.
fn count_of_machines(profile: &Value) -> Option<i64> {
    let sum = |path: &str| {
        let sizes = profile.pointer(path)?.as_array().filter(|sizes| !sizes.is_empty())?;
        sizes.iter().map(|size| integer(size, "/count")).try_fold(0_i64, |sum, count| sum.checked_add(count?))
    };
    sum("/virtualMachinesProfile/scale/manual").or_else(|| sum("/virtualMachineNodesStatus"))
}

impl View for AgentPool {
    fn read(document: &Value) -> Self {
        let properties = document.get("properties").unwrap_or(&Value::Null);
        Self { id: text(document, "/id"), name: text(document, "/name"), ..Self::inline(properties) }
    }
}
