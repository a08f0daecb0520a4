//! PUT of a pool: an upgrade, a rollback, a change of size or of settings.

use jiff::SignedDuration;
use semver::Version;
use serde_json::{Map, Value, json};

use crate::world::{
    call::Refusal,
    operations::work::Task,
    region::catalog::Catalog,
    resources::{cluster::Cluster, document, pool::Pool},
    rules::{self, Context},
};

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
    /// The pool goes back to what it ran before, and cannot do so twice.
    pub(crate) is_rollback: bool,
}

/// What a PUT asks for.
struct Asked<'a> {
    version: Version,
    image: Option<&'a str>,
    os_sku: &'a str,
    count: Option<usize>,
}

/// Checks a PUT against the rules; changes nothing.
pub(crate) fn plan(
    cluster: &Cluster,
    pool: &Pool,
    context: &Context<'_>,
    body: &Value,
) -> Result<Accepted, Refusal> {
    rules::check_running(cluster)?;
    let sent = document::object(body, "properties");
    rules::check_upgrade_settings(&sent)?;
    for field in ["osType", "vmSize"] {
        check_unchanged(pool, &sent, field)?;
    }
    let os_sku = asked_sku(pool, &sent)?;
    let mut properties =
        document::replace(&pool.properties, &sent, document::POOL_READ_ONLY, document::POOL_STICKY);
    properties.insert("nodeImageVersion".to_owned(), Value::from(pool.image()));
    fill_upgrade_settings(&mut properties);
    let asked = Asked {
        version: target_version(pool, context.catalog, &sent)?,
        image: sent.get("nodeImageVersion").and_then(Value::as_str),
        os_sku,
        count: asked_count(pool, &properties)?,
    };
    properties.insert("currentOrchestratorVersion".to_owned(), Value::from(asked.version.to_string()));
    // What is checked is what the pool will be like: its surge is the one that is sent along.
    let mut changed = pool.clone();
    changed.properties.clone_from(&properties);
    let (task, state, is_rollback) = decide(cluster, pool, &changed, context, &asked)?;
    if !matches!(task, Task::Scale { .. }) {
        properties.insert("count".to_owned(), pool.properties.get("count").cloned().unwrap_or_default());
    }
    Ok(Accepted { properties, task, state, is_rollback })
}

/// Another number of nodes than there are. The autoscaler has the say on the size of its pools: for
/// them any number between its bounds will do.
fn asked_count(pool: &Pool, properties: &Map<String, Value>) -> Result<Option<usize>, Refusal> {
    let number = |field: &str| properties.get(field).and_then(Value::as_u64);
    let is_other = properties.get("count") != pool.properties.get("count");
    let Some(count) = number("count").filter(|count| is_other || lacks_nodes(pool, *count)) else {
        return Ok(None);
    };
    if properties.get("enableAutoScaling") != Some(&Value::Bool(true)) {
        return Ok(usize::try_from(count).ok());
    }
    let (least, most) = (number("minCount").unwrap_or(0), number("maxCount").unwrap_or(u64::MAX));
    if (least..=most).contains(&count) {
        return Ok(None);
    }
    let details = format!(
        "AgentPool '{}' has set auto scaling as enabled but count {count} is outside of min {least} and max {most}",
        pool.name
    );
    Err(rules::invalid_parameter("agentPoolProfile.count", &details))
}

/// Whether nodes are gone that it should have, as after a deletion that was aborted: they are made again.
fn lacks_nodes(pool: &Pool, count: u64) -> bool {
    let is_running = rules::check_pool_running(pool).is_ok();
    is_running && u64::try_from(pool.members().len()).is_ok_and(|there| there < count)
}

fn decide(
    cluster: &Cluster,
    pool: &Pool,
    changed: &Pool,
    context: &Context<'_>,
    asked: &Asked<'_>,
) -> Result<(Task, &'static str, bool), Refusal> {
    let Asked { version, image, os_sku, count } = asked;
    let quota = context.quota.as_ref();
    let upgrade = |image: String| -> Result<Task, Refusal> {
        rules::check_pool_running(pool)?;
        let surge_at_most = rules::surge_within_quota(changed, version, quota)?;
        Ok(Task::Pool { pool: pool.name.clone(), version: version.clone(), image, surge_at_most })
    };
    let same_sku = os_sku.eq_ignore_ascii_case(pool.os_sku());
    let newest = || context.catalog.latest_image(os_sku, version);
    Ok(match image {
        Some("latest") if *version == pool.version() && same_sku => {
            (upgrade(newest())?, "UpgradingNodeImageVersion", false)
        }
        Some(image) if *image != "latest" && asks_for_rollback(pool, version, image) => {
            check_rollback(cluster, pool, context, version, image)?;
            (upgrade((*image).to_owned())?, "Upgrading", true)
        }
        _ if *version != pool.version() || !same_sku || pool.lags() => {
            rules::check_pool(cluster, pool, context, version)?;
            rules::check_sku(&pool.name, os_sku, version)?;
            // What has begun to go back goes on going back.
            let goes_back = pool.going_back.clone().filter(|_| *version == pool.version() && same_sku);
            (upgrade(goes_back.unwrap_or_else(newest))?, "Upgrading", false)
        }
        _ => match count {
            Some(count) => {
                rules::check_node_count(cluster, pool, *count, quota)?;
                (Task::Scale { pool: pool.name.clone() }, "Scaling", false)
            }
            None => (Task::Pause(cluster.durations.update), "Updating", false),
        },
    })
}

fn check_unchanged(pool: &Pool, sent: &Map<String, Value>, field: &str) -> Result<(), Refusal> {
    let sent = sent.get(field).and_then(Value::as_str).filter(|sent| !sent.is_empty());
    if sent.is_none_or(|sent| sent.eq_ignore_ascii_case(pool.text(field))) {
        return Ok(());
    }
    let mut refusal = Refusal::bad_request(
        "PropertyChangeNotAllowed",
        format!("Changing property 'properties.{field}' is not allowed."),
    );
    refusal.body["target"] = json!(format!("properties.{field}"));
    Err(refusal)
}

/// A Linux pool may change from one Linux to another; a Windows pool stays what it is ("Upgrade
/// operating system versions in AKS").
fn asked_sku<'a>(pool: &'a Pool, sent: &'a Map<String, Value>) -> Result<&'a str, Refusal> {
    let asked = sent.get("osSKU").and_then(Value::as_str).filter(|sku| !sku.is_empty());
    let Some(asked) = asked else {
        return Ok(pool.os_sku());
    };
    if pool.is_windows() || asked.starts_with("Windows") {
        check_unchanged(pool, sent, "osSKU")?;
    }
    Ok(asked)
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
    image != pool.image()
        || (*version < pool.version() && known())
        || goes_on_going_back(pool, version, image)
}

/// Whether a PUT asks for what a rollback has begun and not brought to its end.
fn goes_on_going_back(pool: &Pool, version: &Version, image: &str) -> bool {
    let is_underway = image != pool.image() || pool.lags();
    is_underway && *version == pool.version() && pool.going_back.as_deref() == Some(image)
}

/// One step back, within a week, with automatic upgrades off ("Roll back node pool versions").
fn check_rollback(
    cluster: &Cluster,
    pool: &Pool,
    context: &Context<'_>,
    version: &Version,
    image: &str,
) -> Result<(), Refusal> {
    // Azure lists more than one: it goes one step back, and no further.
    let known = pool.recent.first().is_some_and(|recent| {
        recent.version == *version
            && recent.image == image
            && context.now.duration_since(recent.until) <= ROLLBACK_WITHIN
    });
    let problem = if !known && !goes_on_going_back(pool, version, image) {
        format!(
            "NodeImageVersion '{image}' is not accepted. NodeImageVersion can only be current version '{}' or \
             'latest', or with version {version} one of the recently used versions of the last 7 days",
            pool.image()
        )
    } else if *version != pool.version() && !context.catalog.offers(version) {
        return Err(rules::not_supported("AgentPoolK8sVersionNotSupported", version));
    } else if let Some(channel) = cluster.channel() {
        format!("the auto-upgrade channel {channel} of the cluster must be turned off first")
    } else {
        // The control plane may have gone on since, or be about to: a pool that goes back must go with it.
        rules::check_skew(version, &cluster.version)?;
        return rules::check_skew(version, &cluster.shown_version());
    };
    Err(rules::invalid_parameter("nodeImageVersion", &problem))
}
