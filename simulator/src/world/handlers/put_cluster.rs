//! PUT of a cluster: the control plane's upgrade, alone or with its pools, or a change of settings.

use std::collections::{BTreeMap, VecDeque};

use semver::Version;
use serde_json::{Map, Value};

use crate::world::{
    call::Refusal,
    operations::work::Task,
    region::catalog::{Catalog, Support},
    resources::{cluster::Cluster, document, pool::Pool},
    rules::{self, Context, Plan},
};

/// What a PUT of a cluster leads to.
#[derive(Debug)]
pub(crate) struct Accepted {
    /// The document, without its pools.
    pub(crate) document: Map<String, Value>,
    /// The properties of each pool.
    pub(crate) pools: BTreeMap<String, Map<String, Value>>,
    /// The control plane's new version.
    pub(crate) version: Option<Version>,
    /// Pools that are upgraded with it, or whose upgrade goes on.
    pub(crate) upgraded_pools: BTreeMap<String, PoolUpgrade>,
}

/// Where a pool goes.
#[derive(Debug)]
pub(crate) struct PoolUpgrade {
    pub(crate) version: Version,
    /// Surge nodes that the quota allows.
    pub(crate) surge_at_most: Option<usize>,
}

/// Checks a PUT against the rules; changes nothing.
pub(crate) fn plan(cluster: &Cluster, context: &Context<'_>, body: &Value) -> Result<Accepted, Refusal> {
    rules::check_running(cluster)?;
    let Some(sent) = body.as_object() else {
        return Err(Refusal::bad_request(
            "InvalidRequestContent",
            "The request content is not a JSON object.",
        ));
    };
    let sent_properties = document::object(body, "properties");
    let target = target_version(cluster, context.catalog, &sent_properties)?;
    let pools = plan_pools(cluster, &sent_properties)?;
    let document = new_document(cluster, sent, &sent_properties);
    let upgrading = target != cluster.shown_version() || target != cluster.version;
    let moved = moved_pools(cluster, &target, &sent_properties)?;
    check_versions(cluster, context, &document, &target, (upgrading, &moved))?;

    let mut upgraded_pools = BTreeMap::new();
    for pool in cluster.pools.values() {
        let version = if moved.contains(&pool.name.as_str()) {
            target.clone()
        } else if pool.lags() {
            // "Any subsequent PUT operation resumes the stopped upgrade."
            pool.version()
        } else {
            continue;
        };
        let surge_at_most = rules::surge_within_quota(pool, &version, context.quota.as_ref())?;
        upgraded_pools.insert(pool.name.clone(), PoolUpgrade { version, surge_at_most });
    }
    Ok(Accepted { document, pools, version: upgrading.then_some(target), upgraded_pools })
}

fn check_versions(
    cluster: &Cluster,
    context: &Context<'_>,
    document: &Map<String, Value>,
    target: &Version,
    (upgrading, moved): (bool, &[&str]),
) -> Result<(), Refusal> {
    let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
    let support_plan = text(document.get("properties").and_then(|properties| properties.get("supportPlan")));
    let tier = text(document.get("sku").and_then(|sku| sku.get("tier")));
    let plan = Plan { support_plan: &support_plan, tier: &tier };
    if upgrading {
        rules::check_control_plane(cluster, context, plan, target)?;
        let recovery = context.catalog.support(&cluster.version) != Support::Community
            && target.minor > cluster.version.minor + 1
            && !plan.is_long_term();
        if moved.is_empty() && (cluster.channel().is_some() || recovery) {
            return Err(rules::mixed_versions());
        }
    } else {
        rules::check_plan(cluster, context, plan, target)?;
    }
    for pool in cluster.pools.values() {
        if moved.is_empty() {
            rules::check_skew(&pool.version(), target)?;
        } else {
            rules::check_sku(&pool.name, pool.os_sku(), target)?;
        }
    }
    if upgrading { rules::check_deprecated_apis(cluster, document, context.now, target) } else { Ok(()) }
}

/// The pools that are sent with another version than theirs: none, or all with the control plane's.
fn moved_pools<'a>(
    cluster: &'a Cluster,
    target: &Version,
    sent: &Map<String, Value>,
) -> Result<Vec<&'a str>, Refusal> {
    let sent_versions = sent_pool_versions(sent);
    let changed = |pool: &&Pool| {
        sent_versions.get(&pool.name).is_some_and(|version| *version != pool.version().to_string())
    };
    let moved = cluster.pools.values().filter(changed).map(|pool| pool.name.as_str()).collect::<Vec<_>>();
    let target = target.to_string();
    let together = || cluster.pools.keys().all(|name| sent_versions.get(name) == Some(&target));
    if moved.is_empty() || together() { Ok(moved) } else { Err(rules::mixed_versions()) }
}

fn target_version(
    cluster: &Cluster,
    catalog: &Catalog,
    sent: &Map<String, Value>,
) -> Result<Version, Refusal> {
    let Some(text) = sent.get("kubernetesVersion").and_then(Value::as_str).filter(|text| !text.is_empty())
    else {
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
        rules::check_upgrade_settings(profile)?;
        let mut read_only = document::POOL_READ_ONLY.to_vec();
        read_only.extend_from_slice(document::INLINE_KEPT);
        read_only.push("nodeImageVersion");
        let mut properties = document::replace(&pool.properties, profile, &read_only, document::POOL_STICKY);
        properties.remove("name");
        // The autoscaler has the say on the size of its pools: what was read before it acted changes nothing.
        if properties.get("enableAutoScaling") == Some(&Value::Bool(true)) {
            document::keep(&mut properties, &pool.properties, &[&["count"]]);
        }
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
    document::keep(&mut properties, &current, document::CLUSTER_COMPUTED);
    properties.remove("agentPoolProfiles");
    let mut new = document::replace(
        &cluster.document,
        sent,
        &["id", "name", "type", "kind", "location", "eTag", "systemData"],
        &["sku", "identity"],
    );
    new.insert("properties".to_owned(), Value::Object(properties));
    // Whatever case it is sent in, the tier is returned in AKS's own (recorded).
    if let Some(tier) = new.get_mut("sku").and_then(|sku| sku.get_mut("tier")) {
        let known = ["Free", "Standard", "Premium"];
        let found =
            known.into_iter().find(|name| tier.as_str().is_some_and(|t| t.eq_ignore_ascii_case(name)));
        *tier = found.map_or_else(|| tier.clone(), Value::from);
    }
    document::keep(&mut new, &cluster.document, document::DOCUMENT_COMPUTED);
    new
}

impl Accepted {
    /// The tasks, in the order in which AKS works on them.
    pub(crate) fn tasks(&self, cluster: &Cluster, catalog: &Catalog) -> VecDeque<Task> {
        let mut tasks = VecDeque::new();
        if let Some(version) = &self.version {
            tasks.push_back(Task::ControlPlane(version.clone()));
        }
        for (name, upgrade) in &self.upgraded_pools {
            let Some(pool) = cluster.pools.get(name) else { continue };
            let PoolUpgrade { version, surge_at_most } = upgrade;
            tasks.push_back(Task::Pool {
                pool: name.clone(),
                version: version.clone(),
                image: catalog.latest_image(pool.os_sku(), version),
                surge_at_most: *surge_at_most,
            });
        }
        if tasks.is_empty() {
            tasks.push_back(Task::Reconcile(cluster.durations.update));
        }
        tasks
    }
}
