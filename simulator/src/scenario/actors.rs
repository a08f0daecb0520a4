//! Who else changes the number of nodes: the cluster autoscaler, and node auto-provisioning.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{ClusterSpec, PoolSpec, ScenarioError, invalid};

/// Bounds between which the cluster autoscaler chooses the size of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Autoscale {
    /// Fewest nodes.
    pub min: u32,
    /// Most nodes.
    pub max: u32,
}

/// What AKS calls the bounds in a pool's document, where [`Autoscale`] puts them.
const BOUNDS: [&str; 3] = ["enableAutoScaling", "minCount", "maxCount"];

/// What the cluster autoscaler does; nothing when absent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct AutoscalerSpec {
    /// Every so often each of its pools gets a node more, a node less, or stays; drawn from the seed.
    pub every: Option<SignedDuration>,
    /// Sizes at given instants.
    pub at: Vec<Scaling>,
}

/// A pool gets another size.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Scaling {
    /// When.
    pub at: Timestamp,
    /// Which pool.
    pub pool: String,
    /// How many nodes from then on.
    pub count: u32,
}

/// Nodes that Karpenter provides, outside of all pools (`nodeProvisioningProfile.mode: Auto`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NodeProvisioning {
    /// How many there are.
    #[serde(default)]
    pub nodes: u32,
    /// Their size.
    #[serde(default = "default_vm_size")]
    pub vm_size: String,
    /// Their OS SKU.
    #[serde(default = "default_os_sku")]
    pub os_sku: String,
    /// How long after an upgrade of the control plane they begin to follow it.
    #[serde(default = "default_drift_after")]
    pub drift_after: SignedDuration,
}

impl NodeProvisioning {
    /// Its nodes, described as those of a pool without a name.
    pub(crate) fn pool(&self) -> PoolSpec {
        let Self { nodes, vm_size, os_sku, drift_after: _ } = self;
        let pool = serde_json::json!({
            "name": "",
            "count": nodes,
            "vmSize": vm_size,
            "osSku": os_sku,
            "labels": { "karpenter.sh/nodepool": "default", "karpenter.sh/capacity-type": "on-demand" },
        });
        serde_json::from_value(pool).expect("a pool has defaults for everything else")
    }
}

impl ClusterSpec {
    pub(super) fn check_actors(&self, field: &str) -> Result<(), ScenarioError> {
        for (index, pool) in self.pools.iter().enumerate() {
            let field = format!("{field}.pools[{index}]");
            if let Some(name) = BOUNDS.iter().find(|name| pool.extra.contains_key(**name)) {
                let problem = "is not taken here; give autoscale: { min, max }";
                return Err(invalid(format!("{field}.extra.{name}"), problem));
            }
            let field = format!("{field}.autoscale");
            if let Some(Autoscale { min, max }) = pool.autoscale
                && !(min <= pool.count && pool.count <= max)
            {
                let problem = format!("count {} is not between {min} and {max}", pool.count);
                return Err(invalid(field, problem));
            }
        }
        let Some(autoscaler) = &self.autoscaler else {
            return self.check_provisioning(field);
        };
        if autoscaler.every.is_some_and(|every| every < SignedDuration::from_mins(1)) {
            return Err(invalid(format!("{field}.autoscaler.every"), "is too short; give at least 1m"));
        }
        for (index, Scaling { at: _, pool: name, count }) in autoscaler.at.iter().enumerate() {
            let field = format!("{field}.autoscaler.at[{index}]");
            let pool = self.pools.iter().find(|pool| pool.name == *name);
            let Some(Autoscale { min, max }) = pool.and_then(|pool| pool.autoscale) else {
                let problem = format!("{name:?} is not a pool with autoscale; give it min and max");
                return Err(invalid(format!("{field}.pool"), problem));
            };
            if !(min..=max).contains(count) {
                let problem = format!("{count} is not between {min} and {max}, the bounds of {name}");
                return Err(invalid(format!("{field}.count"), problem));
            }
        }
        self.check_provisioning(field)
    }

    fn check_provisioning(&self, field: &str) -> Result<(), ScenarioError> {
        let negative = |provisioning: &NodeProvisioning| provisioning.drift_after.is_negative();
        if self.node_provisioning.as_ref().is_some_and(negative) {
            let problem = "is negative; give a length such as 1h";
            return Err(invalid(format!("{field}.nodeProvisioning.driftAfter"), problem));
        }
        Ok(())
    }
}

fn default_vm_size() -> String {
    "Standard_D4s_v5".to_owned()
}

fn default_os_sku() -> String {
    "Ubuntu".to_owned()
}

const fn default_drift_after() -> SignedDuration {
    SignedDuration::from_mins(10)
}
