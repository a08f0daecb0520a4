//! What a recording says about the time before it: which cluster and pools there were, and what the region offered.

use std::collections::{BTreeMap, BTreeSet};

use semver::Version;
use serde_json::{Value, json};

use crate::load::Interaction;

/// What the recording says about the time before it.
#[derive(Default)]
pub(crate) struct Known {
    pub(crate) cluster_is_there: bool,
    /// The cluster as it is first seen, before anything was asked of it.
    pub(crate) cluster: Option<Value>,
    /// Pools as they are first seen, by name; those that the recording makes are not among them.
    pub(crate) pools: BTreeMap<String, Value>,
    /// What a pool ran before it is first seen.
    pub(crate) recent: BTreeMap<String, (String, String)>,
    /// The newest version that a pool of the recording gets: the control plane is there already.
    pub(crate) newest: Option<Version>,
    /// The region of a scenario.
    pub(crate) region: Value,
}

impl Known {
    pub(crate) fn read(ours: &[&Interaction]) -> Self {
        let mut known = Self { cluster_is_there: true, region: region(ours), ..Self::default() };
        let mut made = BTreeSet::new();
        for interaction in ours {
            let Some(below) = interaction.below_cluster() else { continue };
            match below.as_slice() {
                // Nothing was there at first.
                [] if interaction.status == 201 => known.cluster_is_there = false,
                [] if interaction.status == 404 => known.cluster_is_there = false,
                [] if interaction.status == 200 && known.cluster.is_none() => {
                    known.cluster = Some(interaction.answer.clone());
                }
                ["agentPools", name] if interaction.status == 201 => {
                    made.insert((*name).to_owned());
                    known.see_version(&interaction.answer["properties"]);
                }
                ["agentPools", name] if interaction.status == 200 => {
                    known.see_pool(name, &interaction.answer["properties"], &made);
                }
                ["agentPools"] => {
                    for pool in interaction.answer["value"].as_array().into_iter().flatten() {
                        known.see_pool(pool["name"].as_str().unwrap(), &pool["properties"], &made);
                    }
                }
                ["agentPools", name, "machines"] => known.see_machines(name, &interaction.answer),
                ["agentPools", name, "upgradeProfiles", "default"] => {
                    known.see_profile(name, &interaction.answer["properties"]);
                }
                _ => {}
            }
        }
        known
    }

    fn see_version(&mut self, pool: &Value) {
        let version = pool["currentOrchestratorVersion"].as_str().and_then(|version| version.parse().ok());
        self.newest = self.newest.take().max(version);
    }

    fn see_pool(&mut self, name: &str, properties: &Value, made: &BTreeSet<String>) {
        self.see_version(properties);
        if !made.contains(name) {
            self.pools.entry(name.to_owned()).or_insert_with(|| properties.clone());
        }
    }

    fn see_machines(&mut self, name: &str, list: &Value) {
        let machines = list["value"].as_array().map_or(1, Vec::len);
        self.pools.entry(name.to_owned()).or_insert_with(|| json!({ "count": machines, "mode": "User" }));
    }

    fn see_profile(&mut self, name: &str, profile: &Value) {
        let version = &profile["kubernetesVersion"];
        self.newest = self.newest.take().max(version.as_str().and_then(|version| version.parse().ok()));
        let seen = json!({
            "orchestratorVersion": version,
            "currentOrchestratorVersion": version,
            "nodeImageVersion": profile["latestNodeImageVersion"],
            "osSKU": "Ubuntu",
        });
        self.pools.entry(name.to_owned()).or_insert(seen);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        if let Some(recent) = profile["recentlyUsedVersions"].get(0) {
            let pair = (text(&recent["orchestratorVersion"]), text(&recent["nodeImageVersion"]));
            self.recent.insert(name.to_owned(), pair);
        }
    }
}

/// What the region offers: every version and image that the recording names.
fn region(ours: &[&Interaction]) -> Value {
    let mut versions = BTreeMap::new();
    let mut images = BTreeMap::new();
    let mut default = None;
    for interaction in ours {
        let created = interaction.status == 201 && interaction.below_cluster().is_some_and(|b| b.is_empty());
        if created {
            default = interaction.answer["properties"]["currentKubernetesVersion"].as_str();
        }
        for minor in interaction.answer["values"].as_array().into_iter().flatten() {
            for (version, patch) in minor["patchVersions"].as_object().into_iter().flatten() {
                versions.insert(version.parse::<Version>().unwrap(), Some(patch["upgrades"].clone()));
            }
        }
        find(&interaction.answer, &mut |key, text| {
            if key.ends_with("ernetesVersion") || key.ends_with("rchestratorVersion") {
                if let Ok(version) = text.parse::<Version>() {
                    versions.entry(version).or_insert(None);
                }
            } else if key.ends_with("odeImageVersion") {
                images.insert("Ubuntu2204", text.to_owned());
                images.insert("Ubuntu2404", text.to_owned());
            }
        });
    }
    let versions = versions.into_iter().map(|(version, upgrades)| {
        let mut spec = json!({ "version": version.to_string() });
        spec["default"] = json!(default == Some(version.to_string().as_str()));
        if let Some(upgrades) = upgrades {
            spec["upgrades"] = upgrades;
        }
        spec
    });
    json!({ "kubernetesVersions": versions.collect::<Vec<_>>(), "nodeImages": images })
}

/// Shows every text below `value` with its key.
fn find(value: &Value, see: &mut impl FnMut(&str, &str)) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                if let Some(text) = value.as_str() {
                    see(key, text);
                }
                find(value, see);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| find(item, see)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
