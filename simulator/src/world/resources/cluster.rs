//! One cluster: its documents, and what is going on in it.

use std::collections::BTreeMap;

use semver::Version;
use serde_json::{Map, Value, json};

use super::{
    cluster_defaults, document,
    place::Place,
    pool::{Home, Pool},
};
use crate::{
    effects::{ClusterKey, Effect, Node, Outcome},
    scenario::{ClusterSpec, Constraints, DurationSpec, Durations, Fault},
    world::{
        ids::Ids, maintenance::Maintenance, operations::work::Work, outbox::Driver, region::catalog::Catalog,
    },
};

/// How clients reach a cluster's API server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// URL of the API server.
    pub server: String,
    /// Its certificate authority, PEM.
    pub ca_pem: String,
}

/// A cluster of the world.
#[derive(Clone, Debug)]
pub(crate) struct Cluster {
    pub(crate) key: ClusterKey,
    pub(crate) id: String,
    pub(crate) subscription: String,
    pub(crate) resource_group: String,
    pub(crate) name: String,
    pub(crate) location: String,
    pub(crate) tenant: String,
    /// The document without its pools.
    pub(crate) document: Map<String, Value>,
    pub(crate) pools: BTreeMap<String, Pool>,
    /// Nodes that Karpenter provides, outside of all pools.
    pub(crate) provisioned: Option<Pool>,
    /// What the control plane really runs.
    pub(crate) version: Version,
    pub(crate) work: Option<Work>,
    pub(crate) driver: Driver,
    pub(crate) endpoint: Option<Endpoint>,
    pub(crate) durations: Durations,
    pub(crate) faults: Vec<Fault>,
    /// Upgrades of the control plane accepted so far.
    pub(crate) upgrades: u32,
    pub(crate) maintenance: Maintenance,
    /// What stands in the way of operations.
    pub(crate) constraints: Constraints,
    /// Whether it has been deleted.
    pub(crate) gone: bool,
}

impl Cluster {
    /// A cluster of the scenario, which has been there for a while.
    pub(crate) fn new(
        spec: &ClusterSpec,
        tenant: &str,
        general: &DurationSpec,
        catalog: &Catalog,
        ids: &mut Ids,
    ) -> Self {
        let version = Version::parse(&spec.kubernetes_version).unwrap_or(Version::new(0, 0, 0));
        let place = Place {
            subscription: spec.subscription.clone(),
            resource_group: spec.resource_group.clone(),
            name: spec.name.clone(),
            location: spec.location.clone(),
            tenant: tenant.to_owned(),
        };
        let mut cluster =
            Self::empty(&place, document_of_spec(spec, &place), version, spec.durations.resolve(general));
        for pool in &spec.pools {
            let pool_version = pool.kubernetes_version.as_deref().and_then(|text| Version::parse(text).ok());
            let pool_version = pool_version.unwrap_or_else(|| cluster.version.clone());
            let image = pool.node_image.clone();
            let image = image.unwrap_or_else(|| catalog.latest_image(&pool.os_sku, &pool_version));
            let pool =
                Pool::new(pool, Home::of(&place), cluster.property("networkProfile"), &pool_version, image);
            cluster.pools.insert(pool.name.clone(), pool);
        }
        cluster.provisioned = spec.node_provisioning.as_ref().map(|provisioning| {
            let pool = provisioning.pool();
            let image = catalog.latest_image(&pool.os_sku, &cluster.version);
            Pool::new(&pool, Home::of(&place), cluster.property("networkProfile"), &cluster.version, image)
        });
        cluster.faults.clone_from(&spec.faults);
        cluster.maintenance = Maintenance::new(&spec.maintenance_configurations);
        cluster.constraints = spec.constraints();
        let names = cluster.pools.keys().cloned().collect::<Vec<_>>();
        for name in names {
            cluster.touch(Some(&name), ids);
        }
        cluster
    }

    /// A cluster with this document and no pools.
    pub(crate) fn empty(
        place: &Place,
        document: Map<String, Value>,
        version: Version,
        durations: Durations,
    ) -> Self {
        let Place { subscription, resource_group, name, location, tenant } = place.clone();
        Self {
            key: place.key(),
            id: place.id(),
            subscription,
            resource_group,
            name,
            location,
            tenant,
            document,
            pools: BTreeMap::new(),
            provisioned: None,
            version,
            work: None,
            driver: Driver::Model,
            endpoint: None,
            durations,
            faults: Vec::new(),
            upgrades: 0,
            maintenance: Maintenance::default(),
            constraints: Constraints::default(),
            gone: false,
        }
    }

    pub(crate) fn place(&self) -> Place {
        Place {
            subscription: self.subscription.clone(),
            resource_group: self.resource_group.clone(),
            name: self.name.clone(),
            location: self.location.clone(),
            tenant: self.tenant.clone(),
        }
    }

    /// New eTags for a pool and the cluster that shows it, or for the cluster alone.
    pub(crate) fn touch(&mut self, pool: Option<&str>, ids: &mut Ids) {
        if let Some(pool) = pool.and_then(|name| self.pools.get_mut(name)) {
            pool.set("eTag", ids.next());
        }
        self.document.insert("eTag".to_owned(), Value::from(ids.next()));
    }

    pub(crate) fn property(&self, field: &str) -> &Value {
        self.document.get("properties").and_then(|properties| properties.get(field)).unwrap_or(&Value::Null)
    }

    pub(crate) fn text(&self, field: &str) -> &str {
        self.property(field).as_str().unwrap_or_default()
    }

    pub(crate) fn set(&mut self, field: &str, value: impl Into<Value>) {
        let properties = self.document.entry("properties").or_insert_with(|| json!({}));
        properties[field] = value.into();
    }

    pub(crate) fn state(&self) -> &str {
        self.text("provisioningState")
    }

    pub(crate) fn set_state(&mut self, pool: Option<&str>, state: &str) {
        match pool {
            None => self.set("provisioningState", state),
            Some(name) => {
                if let Some(pool) = self.pools.get_mut(name) {
                    pool.set("provisioningState", state);
                }
            }
        }
    }

    /// The version that the document shows.
    pub(crate) fn shown_version(&self) -> Version {
        Version::parse(self.text("currentKubernetesVersion")).unwrap_or_else(|_| self.version.clone())
    }

    pub(crate) fn e_tag(&self) -> &str {
        self.document.get("eTag").and_then(Value::as_str).unwrap_or_default()
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.property("powerState").get("code").and_then(Value::as_str) == Some("Stopped")
    }

    pub(crate) fn is_long_term(&self) -> bool {
        self.text("supportPlan") == "AKSLongTermSupport"
    }

    /// The auto-upgrade channel, when one is on.
    pub(crate) fn channel(&self) -> Option<&str> {
        let channel = self.property("autoUpgradeProfile").get("upgradeChannel")?.as_str()?;
        (channel != "none").then_some(channel)
    }

    /// The cluster as a GET returns it, pools inline.
    pub(crate) fn render(&self) -> Value {
        let mut document = Value::Object(self.document.clone());
        let pools = self.pools.values().map(|pool| {
            let mut profile = pool.properties.clone();
            profile.insert("name".to_owned(), Value::from(pool.name.clone()));
            Value::Object(profile)
        });
        document["properties"]["agentPoolProfiles"] = pools.collect();
        document
    }

    /// A pool as a GET returns it.
    pub(crate) fn render_pool(&self, pool: &Pool) -> Value {
        json!({
            "id": format!("{}/agentPools/{}", self.id, pool.name),
            "name": pool.name,
            "type": "Microsoft.ContainerService/managedClusters/agentPools",
            "properties": pool.properties,
        })
    }

    /// The fault that the `upgrade`-th upgrade of a pool, or of the control plane, has.
    pub(crate) fn fault(&self, pool: Option<&str>, upgrade: u32) -> Option<Fault> {
        let fault =
            self.faults.iter().find(|fault| fault.pool.as_deref() == pool && fault.upgrade == upgrade);
        fault.cloned()
    }

    /// Every node, as a driver is to create it.
    pub(crate) fn render_nodes(&self) -> Vec<Node> {
        let nodes = self.pools.values().chain(&self.provisioned).flat_map(|pool| {
            let nodes = pool.nodes.values();
            nodes.map(|node| pool.render_node(&node.name, &node.kubernetes_version, &node.node_image))
        });
        nodes.collect()
    }

    /// Changes the world's own truth after an effect.
    pub(crate) fn apply(&mut self, effect: &Effect, outcome: &Outcome) {
        if *outcome != Outcome::Done {
            return;
        }
        match effect {
            Effect::UpgradeControlPlane { version } => {
                self.version = Version::parse(version).unwrap_or_else(|_| self.version.clone());
            }
            Effect::DeleteNode { node } => {
                for pool in self.pools.values_mut().chain(&mut self.provisioned) {
                    pool.nodes.remove(node);
                }
            }
            Effect::CreateNode(Node { name, .. })
            | Effect::ReimageNode(Node { name, .. })
            | Effect::CordonNode { node: name }
            | Effect::UncordonNode { node: name }
            | Effect::QuarantineNode { node: name }
            | Effect::DrainNode { node: name, .. }
            | Effect::StopDrain { node: name } => self.apply_to_node(name, effect),
        }
    }

    fn apply_to_node(&mut self, name: &str, effect: &Effect) {
        let mut pools = self.pools.values_mut().chain(&mut self.provisioned);
        let Some(node) = pools.find_map(|pool| pool.nodes.get_mut(name)) else {
            return;
        };
        match effect {
            Effect::CreateNode(_) => node.ready = true,
            Effect::CordonNode { .. } => node.cordoned = true,
            Effect::UncordonNode { .. } => node.cordoned = false,
            Effect::QuarantineNode { .. } => node.quarantined = true,
            Effect::ReimageNode(new) => {
                node.kubernetes_version.clone_from(&new.kubernetes_version);
                node.node_image.clone_from(&new.node_image);
                node.quarantined = false;
            }
            Effect::DrainNode { .. }
            | Effect::StopDrain { .. }
            | Effect::DeleteNode { .. }
            | Effect::UpgradeControlPlane { .. } => {}
        }
    }
}

/// The document of a cluster of the scenario: managed by somebody who leaves upgrades to Tidegate.
fn document_of_spec(spec: &ClusterSpec, place: &Place) -> Map<String, Value> {
    let channel = &spec.auto_upgrade_channel;
    let mut properties = json!({
        "provisioningState": "Succeeded",
        "powerState": { "code": spec.power_state },
        "kubernetesVersion": spec.kubernetes_version,
        "currentKubernetesVersion": spec.kubernetes_version,
        "supportPlan": spec.support_plan,
        "aadProfile": { "managed": true, "adminGroupObjectIDs": null, "adminUsers": null, "enableAzureRBAC": false },
        "autoUpgradeProfile": {
            "upgradeChannel": channel,
            "nodeOSUpgradeChannel": spec.node_os_upgrade_channel,
        },
        "disableLocalAccounts": true,
    });
    if spec.node_provisioning.is_some() {
        properties["nodeProvisioningProfile"] = json!({ "mode": "Auto" });
    }
    if spec.pools.iter().any(|pool| pool.os_type == "Windows") {
        properties["windowsProfile"] = json!({ "adminUsername": "azureuser", "enableCSIProxy": true });
    }
    let extra = spec.extra.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
    let mut properties = properties.as_object().cloned().unwrap_or_default();
    document::merge(&mut properties, &extra);
    cluster_defaults::fill(place, spec.sku.name == "Automatic", &mut properties);
    cluster_defaults::fill_when_made(place, &mut properties);
    let sku = json!({ "name": spec.sku.name, "tier": spec.sku.tier });
    let mut document = cluster_defaults::document(place, properties, &sku, None);
    if !spec.tags.is_empty() {
        document.insert("tags".to_owned(), json!(spec.tags));
    }
    // Once more, so that the scenario has the last word on what the service computes.
    document::merge(&mut document, &spec.extra);
    document
}
