//! PUT of a cluster: the control plane's upgrade, alone or with its pools, or a change of settings.

use std::collections::{BTreeMap, VecDeque};

use semver::Version;
use serde_json::{Map, Value};

use super::{call::Refusal, catalog::Catalog, cluster::Cluster, document, rules, work::Task};

/// What a PUT of a cluster leads to.
#[derive(Debug)]
pub(crate) struct Accepted {
    /// The document, without its pools.
    pub(crate) document: Map<String, Value>,
    /// The properties of each pool.
    pub(crate) pools: BTreeMap<String, Map<String, Value>>,
    /// The control plane's new version.
    pub(crate) version: Option<Version>,
    /// Pools that are upgraded with it.
    pub(crate) upgraded_pools: Vec<String>,
}

/// Checks a PUT against the rules; changes nothing.
pub(crate) fn plan(cluster: &Cluster, catalog: &Catalog, body: &Value) -> Result<Accepted, Refusal> {
    rules::check_running(cluster)?;
    let Some(sent) = body.as_object() else {
        return Err(Refusal::bad_request(
            "InvalidRequestContent",
            "The request content is not a JSON object.",
        ));
    };
    let sent_properties = document::object(body, "properties");
    let target = target_version(cluster, catalog, &sent_properties)?;
    let pools = plan_pools(cluster, &sent_properties)?;
    let upgrading = target != cluster.shown_version() || target != cluster.version;
    let sent_versions = sent_pool_versions(&sent_properties);
    let changed = |pool: &&super::pool::Pool| {
        sent_versions.get(&pool.name).is_some_and(|version| *version != pool.version().to_string())
    };
    let moved = cluster.pools.values().filter(changed).collect::<Vec<_>>();
    let with_pools = !moved.is_empty();
    if with_pools {
        let together = cluster.pools.keys().all(|name| sent_versions.get(name) == Some(&target.to_string()));
        if !together {
            return Err(rules::mixed_versions());
        }
    }
    if upgrading {
        rules::check_control_plane(cluster, catalog, &target)?;
        if !with_pools && cluster.channel().is_some() {
            return Err(rules::mixed_versions());
        }
    }
    for pool in cluster.pools.values() {
        if with_pools {
            rules::check_sku(pool, &target)?;
        } else {
            rules::check_skew(&pool.version(), &target)?;
        }
    }
    Ok(Accepted {
        document: new_document(cluster, sent, &sent_properties),
        pools,
        version: upgrading.then_some(target),
        upgraded_pools: moved.into_iter().map(|pool| pool.name.clone()).collect(),
    })
}

fn target_version(
    cluster: &Cluster,
    catalog: &Catalog,
    sent: &Map<String, Value>,
) -> Result<Version, Refusal> {
    let Some(text) = sent.get("kubernetesVersion").and_then(Value::as_str) else {
        return Ok(cluster.shown_version());
    };
    if text == cluster.text("kubernetesVersion") {
        return Ok(cluster.shown_version());
    }
    catalog.resolve(text).ok_or_else(|| rules::not_supported("K8sVersionNotSupported", text))
}

fn sent_pool_versions(sent: &Map<String, Value>) -> BTreeMap<String, String> {
    let profiles = sent.get("agentPoolProfiles").and_then(Value::as_array);
    let versions = profiles.into_iter().flatten().filter_map(|profile| {
        let name = profile.get("name")?.as_str()?.to_lowercase();
        Some((name, profile.get("orchestratorVersion")?.as_str()?.to_owned()))
    });
    versions.collect()
}

/// The pools as they are after the PUT; as they were when none are sent.
fn plan_pools(
    cluster: &Cluster,
    sent: &Map<String, Value>,
) -> Result<BTreeMap<String, Map<String, Value>>, Refusal> {
    let Some(profiles) = sent.get("agentPoolProfiles").and_then(Value::as_array) else {
        return Ok(BTreeMap::new());
    };
    let mut pools = BTreeMap::new();
    for profile in profiles.iter().filter_map(Value::as_object) {
        let name = profile.get("name").and_then(Value::as_str).unwrap_or_default().to_lowercase();
        let Some(pool) = cluster.pools.get(&name) else {
            return Err(Refusal::bad_request(
                "BadRequest",
                "A new agent pool was introduced. Adding agent pools to an existing cluster is not allowed through \
                 managed cluster operations. For agent pool specific change, please use per agent pool operations: \
                 https://aka.ms/agent-pool-rest-api",
            ));
        };
        rules::check_inline_fields(profile)?;
        rules::check_upgrade_settings(&name, profile)?;
        let mut read_only = document::POOL_READ_ONLY.to_vec();
        read_only.extend_from_slice(document::INLINE_KEPT);
        read_only.push("nodeImageVersion");
        let mut properties = document::replace(&pool.properties, profile, &read_only, document::POOL_STICKY);
        properties.remove("name");
        pools.insert(name, properties);
    }
    if pools.len() < cluster.pools.len() {
        return Err(Refusal::bad_request(
            "BadRequest",
            "An agent pool of the cluster is missing. Removing agent pools is not allowed through managed cluster \
             operations. For agent pool specific change, please use per agent pool operations: \
             https://aka.ms/agent-pool-rest-api",
        ));
    }
    Ok(pools)
}

fn new_document(
    cluster: &Cluster,
    sent: &Map<String, Value>,
    sent_properties: &Map<String, Value>,
) -> Map<String, Value> {
    let current = document::object(&Value::Object(cluster.document.clone()), "properties");
    let mut properties =
        document::replace(&current, sent_properties, document::CLUSTER_READ_ONLY, document::CLUSTER_STICKY);
    properties.remove("agentPoolProfiles");
    let mut new = document::replace(
        &cluster.document,
        sent,
        &["id", "name", "type", "location", "eTag", "systemData"],
        &["sku", "identity"],
    );
    new.insert("properties".to_owned(), Value::Object(properties));
    new
}

impl Accepted {
    /// The tasks, in the order in which AKS works on them.
    pub(crate) fn tasks(&self, cluster: &Cluster, catalog: &Catalog) -> VecDeque<Task> {
        let mut tasks = VecDeque::new();
        if let Some(version) = &self.version {
            tasks.push_back(Task::ControlPlane(version.clone()));
        }
        let version = self.version.clone().unwrap_or_else(|| cluster.shown_version());
        for pool in self.upgraded_pools.iter().filter_map(|name| cluster.pools.get(name)) {
            let image = catalog.latest_image(pool.os_sku(), &version);
            tasks.push_back(Task::Pool { pool: pool.name.clone(), version: version.clone(), image });
        }
        if tasks.is_empty() {
            tasks.push_back(Task::Pause(cluster.durations.update));
        }
        tasks
    }
}
