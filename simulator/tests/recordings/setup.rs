//! The world at the start of a recording, derived from the recording itself.
//!
//! Taken from it are names, versions, SKUs, images, counts and what its client had asked for;
//! never a document as a whole, because documents are what is compared.

use jiff::Timestamp;
use reqwest::Method;
use semver::Version;
use serde_json::{Map, Value, json};
use simulator::Scenario;

use crate::{
    client,
    known::Known,
    load::{Interaction, Recording},
};

/// Settings of a pool that its client chose, as opposed to those that the service fills in.
const CHOSEN: [&str; 8] = [
    "workloadRuntime",
    "networkProfile",
    "enableCustomCATrust",
    "upgradeSettings",
    "osDiskSizeGB",
    "osDiskType",
    "maxPods",
    "enableVTPM",
];

/// Settings of a cluster that its client chose.
const CHOSEN_OF_CLUSTER: [&str; 4] =
    ["enablePodSecurityPolicy", "linuxProfile", "dnsPrefix", "disableLocalAccounts"];

/// Settings of a cluster's network that its client chose.
const CHOSEN_OF_NETWORK: [&str; 3] = ["networkPlugin", "dockerBridgeCidr", "outboundType"];

/// How a recording starts.
pub(crate) struct Setup {
    pub(crate) scenario: Scenario,
    /// When its first answer was given.
    pub(crate) began: Timestamp,
    /// Requests that lead to the start: method, path below the cluster, change of the pool.
    pub(crate) before: Vec<(Method, String, Value)>,
}

/// The start of `recording`.
pub(crate) fn setup(recording: &Recording) -> Setup {
    let ours = recording.interactions.iter().filter(|interaction| interaction.other_service().is_none());
    let ours = ours.collect::<Vec<_>>();
    let place = ours.iter().find_map(|interaction| Place::of(interaction, &location(&ours)));
    let place = place.unwrap_or_else(|| Place::somewhere(&ours));
    let known = Known::read(&ours);
    let mut clusters = vec![neighbour(&place)];
    let mut before = Vec::new();
    if known.cluster_is_there {
        let (cluster, upgrades) = cluster(&place, &known);
        clusters.push(cluster);
        before = upgrades;
    }
    let scenario = json!({
        "identities": [client::identity()],
        "subscriptions": [{ "id": place.subscription, "resourceGroups": groups(&ours, &place.location) }],
        // Longer than any recorded operation: the replay ends them when the recording does.
        "durations": { "controlPlane": "6h", "surgeCreate": "6h", "reimageLinux": "6h", "delete": "6h", "update": "6h" },
        "regions": { &place.location: known.region },
        "clusters": clusters,
    });
    let scenario = Scenario::parse(&scenario.to_string());
    let scenario = scenario.unwrap_or_else(|error| panic!("{}: {error}", recording.name));
    let date = ours.iter().find_map(|interaction| interaction.headers.get("date"));
    let began = date.map(|date| jiff::fmt::rfc2822::parse(date).unwrap().timestamp());
    Setup { scenario, began: began.unwrap_or(Timestamp::UNIX_EPOCH), before }
}

/// Where the cluster is.
struct Place {
    subscription: String,
    group: String,
    name: String,
    location: String,
}

impl Place {
    fn of(interaction: &Interaction, location: &str) -> Option<Self> {
        let parts = interaction.url.path().split('/').collect::<Vec<_>>();
        let at = parts.iter().position(|part| part.eq_ignore_ascii_case("managedClusters"))?;
        Some(Self {
            subscription: parts[2].to_owned(),
            group: parts[4].to_owned(),
            name: parts[at + 1].to_owned(),
            location: location.to_owned(),
        })
    }

    /// For recordings that are about a region alone.
    fn somewhere(ours: &[&Interaction]) -> Self {
        let subscription = ours.first().and_then(|interaction| interaction.url.path().split('/').nth(2));
        Self {
            subscription: subscription.unwrap_or_default().to_owned(),
            group: "group".to_owned(),
            name: "cluster".to_owned(),
            location: location(ours),
        }
    }
}

/// The resource groups that are there from the start: those that a look finds before anything makes them.
fn groups(ours: &[&Interaction], location: &str) -> Vec<Value> {
    let found =
        ours.iter().filter(|interaction| interaction.method == Method::HEAD && interaction.status == 204);
    let names = found.filter_map(|interaction| interaction.url.path().rsplit('/').next());
    names.map(|name| json!({ "name": name, "location": location })).collect()
}

/// The region: of a document, or of an operation.
fn location(ours: &[&Interaction]) -> String {
    let of_document = ours.iter().find_map(|interaction| interaction.answer["location"].as_str());
    let of_url = || {
        ours.iter()
            .find_map(|interaction| interaction.url.path().split("/locations/").nth(1)?.split('/').next())
    };
    of_document.or_else(of_url).unwrap_or("westus2").to_owned()
}

/// Another cluster, so that subscription and group are there before the first one is.
fn neighbour(place: &Place) -> Value {
    json!({
        "subscription": place.subscription,
        "resourceGroup": place.group,
        "name": "neighbour",
        "location": place.location,
        "kubernetesVersion": "1.34.4",
        "pools": [{ "name": "nodepool1", "mode": "System" }],
    })
}

/// The cluster, and what has to be asked of it before the recording starts.
fn cluster(place: &Place, known: &Known) -> (Value, Vec<(Method, String, Value)>) {
    let mut pools = known.pools.clone();
    let seen = known.cluster.as_ref().map(|cluster| &cluster["properties"]);
    let inline = seen.and_then(|properties| properties["agentPoolProfiles"].as_array());
    for pool in inline.into_iter().flatten() {
        pools.entry(pool["name"].as_str().unwrap().to_owned()).or_insert_with(|| pool.clone());
    }
    if !pools.values().any(|pool| pool["mode"] == "System") {
        pools.entry("nodepool1".to_owned()).or_insert_with(|| json!({ "mode": "System" }));
    }
    let version = seen.and_then(|properties| properties["currentKubernetesVersion"].as_str());
    let version = version.map_or_else(
        || known.newest.as_ref().map_or_else(|| "1.34.4".to_owned(), Version::to_string),
        str::to_owned,
    );
    let mut before = Vec::new();
    let mut specs = Vec::new();
    for (name, pool) in &pools {
        let mut spec = pool_spec(name, pool);
        if let Some((old, image)) = known.recent.get(name) {
            let now = json!({ "orchestratorVersion": pool["currentOrchestratorVersion"] });
            before.push((Method::PUT, format!("/agentPools/{name}"), now));
            spec["kubernetesVersion"] = json!(old);
            spec["nodeImage"] = json!(image);
        }
        specs.push(spec);
    }
    let mut cluster = json!({
        "subscription": place.subscription,
        "resourceGroup": place.group,
        "name": place.name,
        "location": place.location,
        "kubernetesVersion": version,
        "pools": specs,
    });
    if let Some(cluster_seen) = &known.cluster {
        cluster["sku"] = json!({ "name": "Base", "tier": cluster_seen["sku"]["tier"] });
    }
    if let Some(properties) = seen {
        let mut chosen = pick(properties, &CHOSEN_OF_CLUSTER);
        chosen.insert(
            "networkProfile".to_owned(),
            pick(&properties["networkProfile"], &CHOSEN_OF_NETWORK).into(),
        );
        cluster["extra"] = json!({ "properties": chosen });
    }
    (cluster, before)
}

fn pool_spec(name: &str, pool: &Value) -> Value {
    let mut spec = json!({ "name": name });
    for (ours, theirs) in [
        ("mode", "mode"),
        ("osType", "osType"),
        ("osSku", "osSKU"),
        ("count", "count"),
        ("vmSize", "vmSize"),
        ("kubernetesVersion", "currentOrchestratorVersion"),
        ("nodeImage", "nodeImageVersion"),
    ] {
        if let Some(value) = pool.get(theirs) {
            spec[ours] = value.clone();
        }
    }
    spec["extra"] = pick(pool, &CHOSEN).into();
    spec
}

fn pick(value: &Value, fields: &[&str]) -> Map<String, Value> {
    let object = value.as_object().into_iter().flatten();
    let picked = object.filter(|(field, _)| fields.contains(&field.as_str()));
    picked.map(|(field, value)| (field.clone(), value.clone())).collect()
}
