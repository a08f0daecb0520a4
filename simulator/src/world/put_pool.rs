//! PUT of a pool: an upgrade, a rollback, a change of size or of settings.

use jiff::{SignedDuration, Timestamp};
use semver::Version;
use serde_json::{Map, Value, json};

use super::{call::Refusal, catalog::Catalog, cluster::Cluster, document, pool::Pool, rules, work::Task};

/// How long a pool can go back to what it ran before.
const ROLLBACK_WITHIN: SignedDuration = SignedDuration::from_hours(7 * 24);

/// What a PUT of a pool leads to.
#[derive(Debug)]
pub(crate) struct Accepted {
    /// The pool's new properties.
    pub(crate) properties: Map<String, Value>,
    /// What is to be done.
    pub(crate) task: Task,
    /// What `provisioningState` says meanwhile.
    pub(crate) state: &'static str,
}

/// Checks a PUT against the rules; changes nothing.
pub(crate) fn plan(
    now: Timestamp,
    cluster: &Cluster,
    pool: &Pool,
    catalog: &Catalog,
    body: &Value,
) -> Result<Accepted, Refusal> {
    rules::check_running(cluster)?;
    let sent = document::object(body, "properties");
    rules::check_upgrade_settings(&pool.name, &sent)?;
    for field in ["osType", "osSKU", "vmSize"] {
        check_unchanged(pool, &sent, field)?;
    }
    let mut properties =
        document::replace(&pool.properties, &sent, document::POOL_READ_ONLY, document::POOL_STICKY);
    properties.insert("nodeImageVersion".to_owned(), Value::from(pool.image()));
    fill_upgrade_settings(&mut properties);

    let target = target_version(pool, catalog, &sent)?;
    let image = sent.get("nodeImageVersion").and_then(Value::as_str);
    let count = sent.get("count").and_then(Value::as_u64);
    let resized =
        count.is_some_and(|count| Some(count) != pool.properties.get("count").and_then(Value::as_u64));
    let upgrade = |image: String| Task::Pool { pool: pool.name.clone(), version: target.clone(), image };
    let (task, state) = match image {
        Some(image) if asks_for_rollback(pool, &target, image) => {
            check_rollback(now, cluster, pool, &target, image)?;
            (upgrade(image.to_owned()), "Upgrading")
        }
        _ if target != pool.version() || pool.lags() => {
            rules::check_pool(cluster, pool, catalog, &target)?;
            (upgrade(catalog.latest_image(pool.os_sku(), &target)), "Upgrading")
        }
        _ if resized => (Task::Scale { pool: pool.name.clone() }, "Scaling"),
        _ => (Task::Pause(cluster.durations.update), "Updating"),
    };
    properties.insert("currentOrchestratorVersion".to_owned(), Value::from(target.to_string()));
    Ok(Accepted { properties, task, state })
}

fn check_unchanged(pool: &Pool, sent: &Map<String, Value>, field: &str) -> Result<(), Refusal> {
    let sent = sent.get(field).and_then(Value::as_str).filter(|sent| !sent.is_empty());
    if sent.is_none_or(|sent| sent.eq_ignore_ascii_case(pool.text(field))) {
        return Ok(());
    }
    Err(Refusal::bad_request(
        "PropertyChangeNotAllowed",
        format!("Changing property 'properties.{field}' is not allowed."),
    ))
}

fn target_version(pool: &Pool, catalog: &Catalog, sent: &Map<String, Value>) -> Result<Version, Refusal> {
    match sent.get("orchestratorVersion").and_then(Value::as_str) {
        None | Some("") => Ok(pool.version()),
        Some(text) if text == pool.text("orchestratorVersion") => Ok(pool.version()),
        Some(text) => {
            catalog.resolve(text).ok_or_else(|| rules::not_supported("AgentPoolK8sVersionNotSupported", text))
        }
    }
}

/// AKS writes its defaults into settings that a client leaves out.
fn fill_upgrade_settings(properties: &mut Map<String, Value>) {
    let settings = properties.entry("upgradeSettings").or_insert_with(|| json!({}));
    if !settings.is_object() {
        *settings = json!({});
    }
    for (field, default) in [("maxSurge", "10%"), ("maxUnavailable", "0")] {
        if settings.get(field).is_none_or(Value::is_null) {
            settings[field] = json!(default);
        }
    }
}

/// Whether a PUT that names an image wants exactly this pair, and not the newest.
///
/// The present image is only what the client read and sends along
/// (Azure/azure-cli, recording of `test_aks_nodepool_rollback`).
fn asks_for_rollback(pool: &Pool, version: &Version, image: &str) -> bool {
    let known = || pool.recent.iter().any(|recent| recent.version == *version && recent.image == image);
    image != pool.image() || (*version < pool.version() && known())
}

/// One step back, within a week, with automatic upgrades off ("Roll back node pool versions").
fn check_rollback(
    now: Timestamp,
    cluster: &Cluster,
    pool: &Pool,
    version: &Version,
    image: &str,
) -> Result<(), Refusal> {
    let known = pool.recent.iter().any(|recent| {
        recent.version == *version
            && recent.image == image
            && now.duration_since(recent.until) <= ROLLBACK_WITHIN
    });
    let problem = if !known {
        format!("{version} with {image} is not among the recently used versions of the last 7 days")
    } else if let Some(channel) = cluster.channel() {
        format!("the auto-upgrade channel {channel} of the cluster must be turned off first")
    } else {
        return Ok(());
    };
    Err(Refusal::bad_request(
        "InvalidParameter",
        format!(
            "The value of parameter nodeImageVersion of agent pool {} is invalid. Error details: {problem}.",
            pool.name
        ),
    ))
}
