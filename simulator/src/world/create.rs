//! New clusters and pools: what a PUT of something that is not there yet leads to.

use semver::Version;
use serde_json::{Map, Value, json};

use super::{
    call::Refusal,
    catalog::Catalog,
    cluster::Cluster,
    cluster_defaults, document,
    place::Place,
    pool::{Home, Pool},
    pool_defaults, rules,
};
use crate::scenario::Durations;

/// The longest names of pools.
const LONGEST_NAME: usize = 12;
const LONGEST_NAME_ON_WINDOWS: usize = 6;

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
