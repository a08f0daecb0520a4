//! A cluster of the scenario, its node pools, and what goes wrong in it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    AbortOfNothing, Autoscale, AutoscalerSpec, DenyPolicy, DeprecatedApi, DurationSpec, Fault,
    NodeProvisioning, QuirkRule, ScenarioError, Subnet, WhenBusy, invalid, region::check_version,
    workloads::WorkloadRule,
};
use crate::{effects::ClusterKey, world::maintenance};

/// One cluster at the start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClusterSpec {
    /// Id of its subscription.
    pub subscription: String,
    /// Its resource group.
    pub resource_group: String,
    /// Its name.
    pub name: String,
    /// Its region.
    #[serde(default = "default_location")]
    pub location: String,
    /// The control plane's version, for example `1.34.4`.
    pub kubernetes_version: String,
    /// Pricing tier.
    #[serde(default)]
    pub sku: Sku,
    /// `none`, `patch`, `stable`, `rapid` or `node-image`.
    #[serde(default = "default_channel")]
    pub auto_upgrade_channel: String,
    /// `None`, `Unmanaged`, `SecurityPatch` or `NodeImage`.
    #[serde(default = "default_node_os_channel")]
    pub node_os_upgrade_channel: String,
    /// `KubernetesOfficial` or `AKSLongTermSupport`.
    #[serde(default = "default_support_plan")]
    pub support_plan: String,
    /// `Running` or `Stopped`.
    #[serde(default = "default_power_state")]
    pub power_state: String,
    /// Its tags.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// Its node pools.
    pub pools: Vec<PoolSpec>,
    /// Maintenance configurations, each as AKS returns it: `name` and `properties`.
    #[serde(default)]
    pub maintenance_configurations: Vec<Value>,
    /// JSON that is merged into the cluster's document, nested objects included.
    #[serde(default)]
    pub extra: Map<String, Value>,
    /// How long things take here.
    #[serde(default)]
    pub durations: DurationSpec,
    /// What goes wrong.
    #[serde(default)]
    pub faults: Vec<Fault>,
    /// Quirks of this cluster; a rule here names no clusters.
    #[serde(default)]
    pub quirks: Vec<QuirkRule>,
    /// What becomes of its pods; the first rule that matches decides.
    #[serde(default)]
    pub workloads: Vec<WorkloadRule>,
    /// What the cluster autoscaler does.
    #[serde(default)]
    pub autoscaler: Option<AutoscalerSpec>,
    /// Nodes outside of all pools; node auto-provisioning is off when absent.
    #[serde(default)]
    pub node_provisioning: Option<NodeProvisioning>,
    /// What becomes of a write while an operation runs.
    #[serde(default)]
    pub when_busy: WhenBusy,
    /// The answer to an abort when nothing runs.
    #[serde(default)]
    pub abort_of_nothing: AbortOfNothing,
    /// Use of deprecated APIs that AKS has seen.
    #[serde(default)]
    pub deprecated_apis: Vec<DeprecatedApi>,
    /// A policy that denies every write.
    #[serde(default)]
    pub policy: Option<DenyPolicy>,
    /// The subnet of its nodes; one that is never full when absent.
    #[serde(default)]
    pub subnet: Option<Subnet>,
}

/// Pricing tier of a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Sku {
    /// `Base` or `Automatic`.
    #[serde(default = "default_sku_name")]
    pub name: String,
    /// `Free`, `Standard` or `Premium`.
    #[serde(default = "default_sku_tier")]
    pub tier: String,
}

impl Default for Sku {
    fn default() -> Self {
        Self { name: default_sku_name(), tier: default_sku_tier() }
    }
}

/// One node pool at the start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PoolSpec {
    /// Its name: lower case, at most 12 characters, 6 on Windows.
    pub name: String,
    /// `System` or `User`.
    #[serde(default = "default_mode")]
    pub mode: String,
    /// `Linux` or `Windows`.
    #[serde(default = "default_os_type")]
    pub os_type: String,
    /// For example `Ubuntu2204`, `AzureLinux3` or `Windows2022`.
    #[serde(default = "default_os_sku")]
    pub os_sku: String,
    /// Number of nodes.
    #[serde(default = "default_count")]
    pub count: u32,
    /// Bounds for the cluster autoscaler, which leaves the pool alone when absent.
    #[serde(default)]
    pub autoscale: Option<Autoscale>,
    /// For example `Standard_D4s_v5`.
    #[serde(default = "default_vm_size")]
    pub vm_size: String,
    /// The nodes' version; the control plane's when absent.
    #[serde(default)]
    pub kubernetes_version: Option<String>,
    /// The nodes' image; the region's newest when absent.
    #[serde(default)]
    pub node_image: Option<String>,
    /// `1` or `33%`; AKS's own default when absent.
    #[serde(default)]
    pub max_surge: Option<String>,
    /// `1` or `5%`.
    #[serde(default)]
    pub max_unavailable: Option<String>,
    /// How long a drain may take; 30 when absent.
    #[serde(default)]
    pub drain_timeout_in_minutes: Option<u32>,
    /// How long to wait after each batch; 0 when absent.
    #[serde(default)]
    pub node_soak_duration_in_minutes: Option<u32>,
    /// `Schedule` or `Cordon`.
    #[serde(default)]
    pub undrainable_node_behavior: Option<String>,
    /// `1` or `5%`: how many nodes may be quarantined.
    #[serde(default)]
    pub max_blocked_nodes: Option<String>,
    /// Labels of its nodes.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Taints of its nodes: `key=value:Effect`.
    #[serde(default)]
    pub taints: Vec<String>,
    /// `Succeeded`, `Failed` or `Canceled` at the start.
    #[serde(default = "default_provisioning_state")]
    pub provisioning_state: String,
    /// JSON that is merged into the pool's properties, nested objects included.
    #[serde(default)]
    pub extra: Map<String, Value>,
}

impl ClusterSpec {
    /// The cluster's ARM id as AKS writes it.
    #[must_use]
    pub fn id(&self) -> String {
        format!(
            "/subscriptions/{}/resourcegroups/{}/providers/Microsoft.ContainerService/managedClusters/{}",
            self.subscription, self.resource_group, self.name
        )
    }

    /// The cluster's ARM id in lower case.
    #[must_use]
    pub fn key(&self) -> ClusterKey {
        ClusterKey(self.id().to_lowercase())
    }

    pub(super) fn check(&self, field: &str) -> Result<(), ScenarioError> {
        check_version(&format!("{field}.kubernetesVersion"), &self.kubernetes_version)?;
        one_of(&format!("{field}.sku.name"), &self.sku.name, &["Base", "Automatic"])?;
        one_of(&format!("{field}.sku.tier"), &self.sku.tier, &["Free", "Standard", "Premium"])?;
        one_of(&format!("{field}.powerState"), &self.power_state, &["Running", "Stopped"])?;
        one_of(
            &format!("{field}.autoUpgradeChannel"),
            &self.auto_upgrade_channel,
            &["none", "patch", "stable", "rapid", "node-image"],
        )?;
        one_of(
            &format!("{field}.nodeOsUpgradeChannel"),
            &self.node_os_upgrade_channel,
            &["None", "Unmanaged", "SecurityPatch", "NodeImage"],
        )?;
        one_of(
            &format!("{field}.supportPlan"),
            &self.support_plan,
            &["KubernetesOfficial", "AKSLongTermSupport"],
        )?;
        self.check_maintenance(field)?;
        if self.pools.is_empty() {
            return Err(invalid(
                format!("{field}.pools"),
                "is empty; a cluster has at least one system pool",
            ));
        }
        let mut names = BTreeSet::new();
        for (index, pool) in self.pools.iter().enumerate() {
            let field = format!("{field}.pools[{index}]");
            pool.check(&field)?;
            if !names.insert(&pool.name) {
                return Err(invalid(format!("{field}.name"), format!("{:?} is there twice", pool.name)));
            }
        }
        self.check_actors(field)?;
        for (index, api) in self.deprecated_apis.iter().enumerate() {
            api.check(&format!("{field}.deprecatedApis[{index}]"))?;
        }
        for (index, fault) in self.faults.iter().enumerate() {
            let field = format!("{field}.faults[{index}]");
            if let Some(pool) = &fault.pool
                && !names.contains(pool)
            {
                return Err(invalid(
                    format!("{field}.pool"),
                    format!("{pool:?} is not a pool of this cluster"),
                ));
            }
            fault.check(&field)?;
        }
        self.check_quirks(field)
    }
}

impl ClusterSpec {
    fn check_quirks(&self, field: &str) -> Result<(), ScenarioError> {
        for (index, rule) in self.quirks.iter().enumerate() {
            let field = format!("{field}.quirks[{index}]");
            if !rule.clusters.is_empty() {
                return Err(invalid(
                    format!("{field}.clusters"),
                    "is not for a rule of one cluster; leave it out, or move the rule to the scenario's quirks",
                ));
            }
            rule.check(&field, std::iter::empty())?;
        }
        Ok(())
    }
}

impl ClusterSpec {
    fn check_maintenance(&self, field: &str) -> Result<(), ScenarioError> {
        let mut names = BTreeSet::new();
        for (index, configuration) in self.maintenance_configurations.iter().enumerate() {
            let field = format!("{field}.maintenanceConfigurations[{index}]");
            let Some(name) = configuration.get("name").and_then(Value::as_str) else {
                return Err(invalid(format!("{field}.name"), "is missing; give a name such as default"));
            };
            if !names.insert(name.to_lowercase()) {
                return Err(invalid(format!("{field}.name"), format!("{name:?} is there twice")));
            }
            maintenance::check(name, &configuration["properties"]).map_err(|(place, problem)| {
                let place = if place == "name" { place } else { format!("properties.{place}") };
                invalid(format!("{field}.{place}"), problem)
            })?;
        }
        Ok(())
    }
}

impl PoolSpec {
    fn check(&self, field: &str) -> Result<(), ScenarioError> {
        one_of(&format!("{field}.mode"), &self.mode, &["System", "User"])?;
        one_of(&format!("{field}.osType"), &self.os_type, &["Linux", "Windows"])?;
        one_of(
            &format!("{field}.provisioningState"),
            &self.provisioning_state,
            &["Succeeded", "Failed", "Canceled"],
        )?;
        let longest = if self.os_type == "Windows" { 6 } else { 12 };
        let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        if self.name.is_empty() || self.name.len() > longest || !self.name.chars().all(letters) {
            return Err(invalid(
                format!("{field}.name"),
                format!(
                    "{:?} is not a name for a {} pool: lower-case letters and digits, at most {longest}",
                    self.name, self.os_type
                ),
            ));
        }
        if let Some(version) = &self.kubernetes_version {
            check_version(&format!("{field}.kubernetesVersion"), version)?;
        }
        if (self.os_type == "Windows") != self.os_sku.starts_with("Windows") {
            return Err(invalid(
                format!("{field}.osSku"),
                format!("{:?} is no SKU of {}; try Ubuntu2204 or Windows2022", self.os_sku, self.os_type),
            ));
        }
        for (name, amount) in [
            ("maxSurge", &self.max_surge),
            ("maxUnavailable", &self.max_unavailable),
            ("maxBlockedNodes", &self.max_blocked_nodes),
        ] {
            if let Some(amount) = amount
                && amount.trim_end_matches('%').parse::<u32>().is_err()
            {
                return Err(invalid(format!("{field}.{name}"), format!("{amount:?} is neither 2 nor 33%")));
            }
        }
        if let Some(behavior) = &self.undrainable_node_behavior {
            one_of(&format!("{field}.undrainableNodeBehavior"), behavior, &["Schedule", "Cordon"])?;
        }
        Ok(())
    }
}

fn one_of(field: &str, value: &str, known: &[&str]) -> Result<(), ScenarioError> {
    if known.contains(&value) {
        return Ok(());
    }
    Err(invalid(field, format!("{value:?} is not one of {}", known.join(", "))))
}

fn default_location() -> String {
    "westeurope".to_owned()
}
fn default_channel() -> String {
    "none".to_owned()
}
fn default_node_os_channel() -> String {
    "None".to_owned()
}
fn default_support_plan() -> String {
    "KubernetesOfficial".to_owned()
}
fn default_power_state() -> String {
    "Running".to_owned()
}
fn default_sku_name() -> String {
    "Base".to_owned()
}
fn default_sku_tier() -> String {
    "Standard".to_owned()
}
fn default_mode() -> String {
    "User".to_owned()
}
fn default_os_type() -> String {
    "Linux".to_owned()
}
fn default_os_sku() -> String {
    "Ubuntu2204".to_owned()
}
const fn default_count() -> u32 {
    1
}
fn default_vm_size() -> String {
    "Standard_D4s_v5".to_owned()
}
fn default_provisioning_state() -> String {
    "Succeeded".to_owned()
}
