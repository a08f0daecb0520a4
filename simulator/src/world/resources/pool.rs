//! One node pool: its document, its nodes, and their names.

use std::collections::BTreeMap;

use jiff::Timestamp;
use semver::Version;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{document, place::Place, pool_defaults};
use crate::{
    effects::Node,
    scenario::{Autoscale, PoolSpec},
};

/// A node pool of a cluster.
#[derive(Clone, Debug)]
pub(crate) struct Pool {
    pub(crate) name: String,
    /// The `properties` of the pool, eTag included.
    pub(crate) properties: Map<String, Value>,
    pub(crate) nodes: BTreeMap<String, WorldNode>,
    /// Upgrades accepted so far.
    pub(crate) upgrades: u32,
    /// What the pool ran before, newest first.
    pub(crate) recent: Vec<Recent>,
    /// The image that it is on its way back to, or went back to last: what was begun may be gone on with.
    pub(crate) going_back: Option<String>,
    next_index: u64,
    home: Home,
}

/// What the names of nodes are made of.
#[derive(Clone, Debug)]
pub(crate) struct Home {
    pub(crate) subscription: String,
    pub(crate) node_resource_group: String,
    pub(crate) location: String,
    pub(crate) digits: u32,
}

impl Home {
    pub(crate) fn of(place: &Place) -> Self {
        Self {
            subscription: place.subscription.clone(),
            node_resource_group: place.node_resource_group(),
            location: place.location.clone(),
            digits: place.digits(),
        }
    }
}

/// A pair of versions that a pool ran.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Recent {
    pub(crate) version: Version,
    pub(crate) image: String,
    pub(crate) until: Timestamp,
}

/// A node as the world has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WorldNode {
    /// Its name.
    pub name: String,
    /// Its number within the scale set.
    #[serde(skip)]
    pub(crate) index: u64,
    /// The kubelet's version.
    pub kubernetes_version: String,
    /// Its image.
    pub node_image: String,
    /// Whether it has joined.
    pub ready: bool,
    /// Whether it takes no new pods.
    pub cordoned: bool,
    /// Whether it drained in vain and was left behind.
    pub quarantined: bool,
    /// Whether it was added for an upgrade and is to go afterwards.
    pub surge: bool,
}

impl Pool {
    /// A pool of the scenario in a cluster with this network, with its nodes.
    pub(crate) fn new(
        spec: &PoolSpec,
        home: Home,
        network: &Value,
        version: &Version,
        image: String,
    ) -> Self {
        let mut properties = properties_of_spec(spec, version, &image);
        document::merge(&mut properties, &spec.extra);
        pool_defaults::fill(network, &mut properties);
        let mut pool = Self::empty(&spec.name, home, properties);
        for _ in 0..spec.count {
            let node = pool.add_node(version, &image, false);
            if let Some(node) = pool.nodes.get_mut(&node) {
                node.ready = true;
            }
        }
        pool
    }

    /// A pool without nodes.
    pub(crate) fn empty(name: &str, home: Home, properties: Map<String, Value>) -> Self {
        Self {
            name: name.to_owned(),
            properties,
            nodes: BTreeMap::new(),
            upgrades: 0,
            recent: Vec::new(),
            going_back: None,
            next_index: 0,
            home,
        }
    }

    /// Reserves the next node's name; it is not Ready yet.
    pub(crate) fn add_node(&mut self, version: &Version, image: &str, surge: bool) -> String {
        // A pool that was emptied starts again with the names that it had.
        let index = if self.nodes.is_empty() { 0 } else { self.next_index };
        self.next_index = index + 1;
        let name = self.node_name(index);
        let node = WorldNode {
            name: name.clone(),
            index,
            kubernetes_version: version.to_string(),
            node_image: image.to_owned(),
            ready: false,
            cordoned: false,
            quarantined: false,
            surge,
        };
        self.nodes.insert(name.clone(), node);
        name
    }

    fn scale_set(&self) -> String {
        if self.is_windows() {
            format!("aks{}", self.name)
        } else {
            format!("aks-{}-{:08}-vmss", self.name, self.home.digits)
        }
    }

    fn node_name(&self, index: u64) -> String {
        if self.is_provisioned() {
            return provisioned_name(self.home.digits, index);
        }
        format!("{}{}", self.scale_set(), base36(index))
    }

    /// Whether these are not a pool's nodes but Karpenter's, outside of all pools.
    fn is_provisioned(&self) -> bool {
        self.name.is_empty()
    }

    /// The node as a real cluster shows it, at this version and image.
    pub(crate) fn render_node(&self, name: &str, version: &str, image: &str) -> Node {
        let index = self.nodes.get(name).map_or(0, |node| node.index);
        let Home { subscription, node_resource_group, location, digits: _ } = &self.home;
        let labels = self.properties.get("nodeLabels").and_then(Value::as_object);
        let labels = labels.into_iter().flatten();
        let taints = self.properties.get("nodeTaints").and_then(Value::as_array);
        Node {
            name: name.to_owned(),
            pool: self.name.clone(),
            mode: self.text("mode").to_owned(),
            os_type: self.text("osType").to_owned(),
            os_sku: self.os_sku().to_owned(),
            vm_size: self.text("vmSize").to_owned(),
            location: location.clone(),
            kubernetes_version: version.to_owned(),
            node_image: image.to_owned(),
            provider_id: if self.is_provisioned() {
                provisioned_id(&self.home, name)
            } else {
                format!(
                    "azure:///subscriptions/{subscription}/resourceGroups/{node_resource_group}/providers/\
                 Microsoft.Compute/virtualMachineScaleSets/{}/virtualMachines/{index}",
                    self.scale_set()
                )
            },
            labels: labels
                .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
                .collect(),
            taints: taints
                .into_iter()
                .flatten()
                .filter_map(|taint| Some(taint.as_str()?.to_owned()))
                .collect(),
        }
    }

    pub(crate) fn text(&self, field: &str) -> &str {
        self.properties.get(field).and_then(Value::as_str).unwrap_or_default()
    }

    pub(crate) fn is_windows(&self) -> bool {
        self.text("osType") == "Windows"
    }

    pub(crate) fn os_sku(&self) -> &str {
        self.text("osSKU")
    }

    pub(crate) fn state(&self) -> &str {
        self.text("provisioningState")
    }

    pub(crate) fn set(&mut self, field: &str, value: impl Into<Value>) {
        self.properties.insert(field.to_owned(), value.into());
    }

    /// The version that the document shows.
    pub(crate) fn version(&self) -> Version {
        Version::parse(self.text("currentOrchestratorVersion")).unwrap_or(Version::new(0, 0, 0))
    }

    pub(crate) fn image(&self) -> &str {
        self.text("nodeImageVersion")
    }

    /// Nodes that belong to the pool for good, by age.
    pub(crate) fn members(&self) -> Vec<&WorldNode> {
        let mut members = self.nodes.values().filter(|node| !node.surge).collect::<Vec<_>>();
        members.sort_by_key(|node| node.index);
        members
    }

    /// Whether an upgrade left something undone: nodes of another version than the document
    /// shows, or surge nodes.
    pub(crate) fn lags(&self) -> bool {
        let version = self.version().to_string();
        self.nodes.values().any(|node| node.surge || node.kubernetes_version != version)
    }

    fn upgrade_setting(&self, field: &str) -> Option<&Value> {
        self.properties.get("upgradeSettings")?.get(field)
    }

    /// A number of nodes, percentages rounded up.
    pub(crate) fn amount(&self, field: &str) -> Option<usize> {
        let value = self.upgrade_setting(field)?;
        if let Some(number) = value.as_u64() {
            return usize::try_from(number).ok();
        }
        let text = value.as_str()?;
        match text.strip_suffix('%') {
            Some(percent) => {
                let percent: usize = percent.parse().ok()?;
                Some((self.members().len() * percent).div_ceil(100))
            }
            None => text.parse().ok(),
        }
    }

    pub(crate) fn minutes(&self, field: &str, default: i64) -> i64 {
        self.upgrade_setting(field).and_then(Value::as_i64).unwrap_or(default)
    }

    pub(crate) fn quarantines(&self) -> bool {
        self.upgrade_setting("undrainableNodeBehavior").and_then(Value::as_str) == Some("Cordon")
    }
}

/// Five letters that look random, as Karpenter's claims have them.
fn provisioned_name(digits: u32, index: u64) -> String {
    let word = crate::world::ids::next_word(u64::from(digits).wrapping_add(index << 32));
    let name = base36(word);
    format!("aks-default-{}", &name[1..])
}

/// Karpenter's nodes are virtual machines of their own, in no scale set.
fn provisioned_id(home: &Home, name: &str) -> String {
    let Home { subscription, node_resource_group, location: _, digits: _ } = home;
    format!(
        "azure:///subscriptions/{subscription}/resourceGroups/{node_resource_group}/providers/Microsoft.Compute/\
         virtualMachines/{name}"
    )
}

/// Six base-36 digits, as in the computer names of scale sets.
fn base36(mut index: u64) -> String {
    let mut digits = Vec::new();
    for _ in 0..6 {
        let digit = u32::try_from(index % 36).unwrap_or(0);
        digits.push(char::from_digit(digit, 36).unwrap_or('0'));
        index /= 36;
    }
    digits.iter().rev().collect()
}

fn properties_of_spec(spec: &PoolSpec, version: &Version, image: &str) -> Map<String, Value> {
    let surge = spec.max_surge.clone().unwrap_or_else(|| "10%".to_owned());
    let unavailable = spec.max_unavailable.clone().unwrap_or_else(|| "0".to_owned());
    let mut upgrade_settings = json!({ "maxSurge": surge, "maxUnavailable": unavailable });
    for (field, value) in [
        ("drainTimeoutInMinutes", spec.drain_timeout_in_minutes.map(Value::from)),
        ("nodeSoakDurationInMinutes", spec.node_soak_duration_in_minutes.map(Value::from)),
        ("undrainableNodeBehavior", spec.undrainable_node_behavior.clone().map(Value::from)),
        ("maxBlockedNodes", spec.max_blocked_nodes.clone().map(Value::from)),
    ] {
        if let Some(value) = value {
            upgrade_settings[field] = value;
        }
    }
    let mut properties = json!({
        "count": spec.count,
        "vmSize": spec.vm_size,
        "provisioningState": spec.provisioning_state,
        "orchestratorVersion": version.to_string(),
        "currentOrchestratorVersion": version.to_string(),
        "mode": spec.mode,
        "osType": spec.os_type,
        "osSKU": spec.os_sku,
        "nodeImageVersion": image,
        "upgradeSettings": upgrade_settings,
    });
    if let Some(Autoscale { min, max }) = spec.autoscale {
        properties["enableAutoScaling"] = json!(true);
        properties["minCount"] = json!(min);
        properties["maxCount"] = json!(max);
    }
    if !spec.labels.is_empty() {
        properties["nodeLabels"] = json!(spec.labels);
    }
    if !spec.taints.is_empty() {
        properties["nodeTaints"] = json!(spec.taints);
    }
    properties.as_object().cloned().unwrap_or_default()
}
