//! New clusters and pools: a PUT of something that is not there yet.

use std::collections::VecDeque;

use jiff::Timestamp;
use semver::Version;
use serde_json::{Map, Value, json};

use crate::{
    effects::ClusterKey,
    scenario::{DurationSpec, Durations, RegionSpec},
    world::{
        World,
        call::{Answer, PoolKey, Refusal},
        operations::work::{CREATE_CLUSTER, CREATE_POOL, Task},
        region::catalog::Catalog,
        resources::{
            cluster::Cluster,
            cluster_defaults, document,
            place::Place,
            pool::{Home, Pool},
            pool_defaults,
        },
        rules,
    },
};

/// The longest names of pools.
const LONGEST_NAME: usize = 12;
const LONGEST_NAME_ON_WINDOWS: usize = 6;

impl World {
    /// PUT of a cluster: a new one, or a change.
    pub(in crate::world) fn put_or_create_cluster(
        &mut self,
        now: Timestamp,
        key: &ClusterKey,
        body: &Value,
        if_match: Option<&str>,
    ) -> Result<Answer, Refusal> {
        if self.clusters.contains_key(key) {
            return self.put_cluster(now, key, body, if_match);
        }
        rules::check_etag(if_match, "")?;
        let Some(location) = body.get("location").and_then(Value::as_str).filter(|text| !text.is_empty())
        else {
            let message = "The location property is required for this definition.";
            return Err(Refusal::arm(400, "LocationRequired", message));
        };
        let location = location.to_lowercase().replace(' ', "");
        let place = self.place(key, body, &location);
        let catalog = self.catalogs.entry(location).or_insert_with(|| Catalog::new(&RegionSpec::default()));
        let durations = DurationSpec::default().resolve(&self.durations);
        let cluster = NewCluster { place, catalog, durations, sent: body }.plan()?;
        rules::check_planned(&cluster, self.context(now, &cluster).quota.as_ref())?;
        let mut tasks = VecDeque::from([Task::Reconcile(durations.control_plane)]);
        for name in cluster.pools.keys() {
            tasks.push_back(Task::Scale { pool: name.clone() });
        }
        tasks.push_back(Task::Settle);
        self.manager.add_cluster(&cluster);
        self.clusters.insert(key.clone(), cluster);
        let started = self.start(now, key, None, tasks, ("Creating", CREATE_CLUSTER), false);
        self.involve_all(key);
        let cluster = self.clusters.get_mut(key).expect("it was inserted above");
        cluster.show_as_new();
        let mut body = cluster.render();
        // The accepting answer alone shows that there are no labels.
        for pool in body["properties"]["agentPoolProfiles"].as_array_mut().into_iter().flatten() {
            if pool.get("nodeLabels").is_none() {
                pool["nodeLabels"] = json!({});
            }
        }
        Ok(Answer { started: Some(started), ..Answer::new(201, body) })
    }

    /// A new pool, which is not there yet.
    pub(in crate::world) fn create_pool(
        &mut self,
        now: Timestamp,
        key: &PoolKey,
        body: &Value,
    ) -> Result<Answer, Refusal> {
        let cluster = self.cluster(&key.cluster)?;
        let busy = rules::check_idle(now, cluster, Some(&key.name))?;
        rules::check_running(cluster)?;
        let sent = document::object(body, "properties");
        let context = self.context(now, cluster);
        let pool = NewPool { cluster, catalog: context.catalog, name: &key.name, sent }.plan()?;
        let count = pool.properties.get("count").and_then(Value::as_u64).unwrap_or_default();
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        rules::check_node_count(cluster, &pool, count, context.quota.as_ref())?;
        self.make_way(now, &key.cluster, busy);
        let cluster = self.clusters.get_mut(&key.cluster).expect("the cluster was found above");
        cluster.pools.insert(key.name.clone(), pool);
        let tasks = VecDeque::from([Task::Scale { pool: key.name.clone() }]);
        let words = ("Creating", CREATE_POOL);
        let started = self.start(now, &key.cluster, Some(&key.name), tasks, words, false);
        self.answer_pool(key, 201, started)
    }

    /// Where a new cluster is: names as the URL writes them, which the body's id repeats.
    fn place(&self, key: &ClusterKey, body: &Value, location: &str) -> Place {
        let id = body.get("id").and_then(Value::as_str).filter(|id| id.eq_ignore_ascii_case(&key.0));
        let parts = id.unwrap_or(&key.0).split('/').collect::<Vec<_>>();
        let part = |index: usize| parts.get(index).copied().unwrap_or_default().to_owned();
        Place {
            subscription: part(2),
            resource_group: part(4),
            name: part(8),
            location: location.to_owned(),
            tenant: self.tenant.clone(),
        }
    }
}

impl Cluster {
    /// A cluster that is being made has no eTags yet, nor have its pools (recorded).
    fn show_as_new(&mut self) {
        self.document.remove("eTag");
        for pool in self.pools.values_mut() {
            pool.properties.remove("eTag");
        }
    }
}

/// What a new cluster is made of.
pub(crate) struct NewCluster<'a> {
    pub(crate) place: Place,
    pub(crate) catalog: &'a Catalog,
    pub(crate) durations: Durations,
    pub(crate) sent: &'a Value,
}

impl NewCluster<'_> {
    /// The cluster before anything of it has been made, or why it cannot be.
    pub(crate) fn plan(self) -> Result<Cluster, Refusal> {
        let Self { place, catalog, durations, sent } = self;
        let mut properties = document::object(sent, "properties");
        properties.retain(|_, value| !value.is_null() && *value != json!({}));
        let automatic = sent["sku"]["name"] == "Automatic";
        let (shown, version) = version(catalog, properties.get("kubernetesVersion"))?;
        let profiles = properties.remove("agentPoolProfiles");
        for field in document::CLUSTER_READ_ONLY {
            // A client may choose the name of the group for the nodes, once.
            if *field != "nodeResourceGroup" {
                properties.remove(*field);
            }
        }
        cluster_defaults::fill(&place, automatic, &mut properties);
        properties.insert("kubernetesVersion".to_owned(), json!(shown));
        properties.insert("currentKubernetesVersion".to_owned(), json!(version.to_string()));
        properties.insert("powerState".to_owned(), json!({ "code": "Running" }));
        let mut sku = document::object(sent, "sku");
        document::fill(&mut sku, &document::object(&json!({ "d": { "name": "Base", "tier": "Free" } }), "d"));
        let hosted = properties["hostedSystemProfile"]["enabled"] == true;
        let mut whole = cluster_defaults::document(&place, properties, &sku.into(), sent.get("identity"));
        if let Some(tags) = sent.get("tags").filter(|tags| tags.is_object()) {
            whole.insert("tags".to_owned(), tags.clone());
        }
        let mut cluster = Cluster::empty(&place, whole, version, durations);
        for profile in profiles.as_ref().and_then(Value::as_array).into_iter().flatten() {
            let name = profile.get("name").and_then(Value::as_str).unwrap_or_default().to_lowercase();
            let sent = profile.as_object().cloned().unwrap_or_default();
            let pool = NewPool { cluster: &cluster, catalog, name: &name, sent }.plan()?;
            if cluster.pools.insert(name.clone(), pool).is_some() {
                return Err(invalid("agentPoolProfiles.name", format!("{name} is there twice")));
            }
        }
        if !hosted && !cluster.pools.values().any(|pool| pool.text("mode") == "System") {
            return Err(invalid("agentPoolProfiles", "at least one pool of mode System is needed"));
        }
        Ok(cluster)
    }
}

/// What a new pool is made of.
pub(crate) struct NewPool<'a> {
    pub(crate) cluster: &'a Cluster,
    pub(crate) catalog: &'a Catalog,
    pub(crate) name: &'a str,
    pub(crate) sent: Map<String, Value>,
}

impl NewPool<'_> {
    /// The pool before any of its nodes has been made, or why it cannot be.
    pub(crate) fn plan(self) -> Result<Pool, Refusal> {
        let Self { cluster, catalog, name, sent } = self;
        rules::check_pool_number(cluster)?;
        rules::check_upgrade_settings(&sent)?;
        let mut properties = sent;
        properties.remove("name");
        for field in document::POOL_READ_ONLY.iter().filter(|field| **field != "powerState") {
            properties.remove(*field);
        }
        pool_defaults::fill(cluster.property("networkProfile"), &mut properties);
        check_name(name, properties.get("osType"))?;
        let version = match properties.get("orchestratorVersion").and_then(Value::as_str) {
            None => cluster.shown_version(),
            Some(text) => catalog
                .resolve(text)
                .filter(|version| catalog.offers(version) || *version == cluster.shown_version())
                .ok_or_else(|| rules::not_supported("AgentPoolK8sVersionNotSupported", text))?,
        };
        rules::check_skew(&version, &cluster.version)?;
        let sku = properties.get("osSKU").and_then(Value::as_str).unwrap_or_default();
        let image = catalog.latest_image(sku, &version);
        properties.insert("nodeImageVersion".to_owned(), json!(image));
        for field in ["orchestratorVersion", "currentOrchestratorVersion"] {
            properties.insert(field.to_owned(), json!(version.to_string()));
        }
        properties.insert("powerState".to_owned(), json!({ "code": "Running" }));
        let pool = Pool::empty(name, Home::of(&cluster.place()), properties);
        rules::check_sku(name, pool.os_sku(), &version)?;
        Ok(pool)
    }
}

/// The version as the document shows it, and the full one: clients that do not care get the region's
/// default and follow its minor.
fn version(catalog: &Catalog, sent: Option<&Value>) -> Result<(String, Version), Refusal> {
    match sent.and_then(Value::as_str).filter(|text| !text.is_empty()) {
        None => {
            let version = catalog.default_version();
            Ok((format!("{}.{}", version.major, version.minor), version))
        }
        Some(text) => {
            let version = catalog.resolve(text).filter(|version| catalog.offers(version));
            let version = version.ok_or_else(|| rules::not_supported("K8sVersionNotSupported", text))?;
            Ok((text.to_owned(), version))
        }
    }
}

fn invalid(parameter: &str, details: impl std::fmt::Display) -> Refusal {
    let message = format!("The value of parameter {parameter} is invalid. Error details: {details}.");
    Refusal::bad_request("InvalidParameter", message)
}

fn check_name(name: &str, os_type: Option<&Value>) -> Result<(), Refusal> {
    let windows = os_type.is_some_and(|os_type| os_type == "Windows");
    let longest = if windows { LONGEST_NAME_ON_WINDOWS } else { LONGEST_NAME };
    let starts_well = name.starts_with(|c: char| c.is_ascii_lowercase());
    let letters = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    if starts_well && letters && name.len() <= longest {
        return Ok(());
    }
    Err(invalid(
        "agentPoolProfile.name",
        format!("{name:?} is not a letter followed by up to {} lower-case letters and digits", longest - 1),
    ))
}
