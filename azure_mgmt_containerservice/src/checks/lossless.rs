//! Whether a write keeps what was read: field by field, both ways.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::writes::{self, CLUSTER_POOL_REFUSED, CLUSTER_READ_ONLY, POOL_LEFT_OUT, Path};

const VERSION: &[Path] = &[&["properties", "kubernetesVersion"], &["properties", "servicePrincipalProfile"]];
const POOL_VERSION: &[Path] = &[&["properties", "orchestratorVersion"]];
const ROLLBACK: &[Path] = &[&["properties", "orchestratorVersion"], &["properties", "nodeImageVersion"]];
const SETTINGS: &[Path] = &[&["properties", "upgradeSettings"]];
const OVERRIDES: &[Path] = &[&["properties", "upgradeSettings"], &["properties", "servicePrincipalProfile"]];

/// Makes every kind of write from `document`, and compares.
pub(crate) fn assert_written(document: &Value) {
    let cluster = writes::control_plane_upgrade(document, "9.9.9");
    assert_set(&cluster, "kubernetesVersion", &json!("9.9.9"));
    assert_lossless(document, &cluster, &[CLUSTER_READ_ONLY, CLUSTER_POOL_REFUSED], VERSION);
    assert_eq!(writes::control_plane_upgrade(&cluster, "9.9.9"), cluster, "writing it again changes it");

    let pool = writes::agent_pool_upgrade(document, "9.9.9");
    assert_set(&pool, "orchestratorVersion", &json!("9.9.9"));
    assert_lossless(document, &pool, &[POOL_LEFT_OUT], POOL_VERSION);
    assert_eq!(writes::agent_pool_upgrade(&pool, "9.9.9"), pool, "writing it again changes it");

    let back = writes::agent_pool_rollback(document, "9.9.9", "image");
    assert_set(&back, "nodeImageVersion", &json!("image"));
    assert_lossless(document, &back, &[POOL_LEFT_OUT], ROLLBACK);

    let settings = json!({"maxSurge": "7", "maxUnavailable": null});
    let settings = settings.as_object().expect("the constant is an object");
    let changed = writes::agent_pool_upgrade_settings(document, settings);
    assert_lossless(document, &changed, &[POOL_LEFT_OUT], SETTINGS);
    let other = |value: &Value| {
        let members = value.pointer("/properties/upgradeSettings").and_then(Value::as_object).cloned();
        let mut members = members.unwrap_or_default();
        members.retain(|name, _| !settings.contains_key(name));
        members
    };
    assert_eq!(other(&changed), other(document), "settings that nobody asked to change");

    let force = json!({"forceUpgrade": true, "until": null});
    let force = force.as_object().expect("the constant is an object");
    let forced = writes::cluster_override_settings(document, force);
    assert_lossless(document, &forced, &[CLUSTER_READ_ONLY, CLUSTER_POOL_REFUSED], OVERRIDES);
    let beside = |value: &Value| {
        let members = value.pointer("/properties/upgradeSettings").and_then(Value::as_object).cloned();
        let mut members = members.unwrap_or_default();
        members.remove("overrideSettings");
        members
    };
    assert_eq!(beside(&forced), beside(document), "settings that nobody asked to change");
}

fn assert_set(body: &Value, name: &str, value: &Value) {
    if let Some(properties) = body.get("properties").and_then(Value::as_object) {
        assert_eq!(properties.get(name), Some(value));
    }
}

/// Both ways: what is not on the lists survives, and nothing else appears.
fn assert_lossless(document: &Value, body: &Value, lists: &[&[Path]], changed: &[Path]) {
    let (before, after) = (leaves(document), leaves(body));
    let owned = |path: &[String]| changed.iter().any(|pattern| is_below(path, pattern));
    let listed = |path: &[String]| lists.iter().copied().flatten().any(|pattern| is_below(path, pattern));
    // An empty object that has got a member is no leaf any more.
    let filled = |path: &[String], value: &Value| {
        let is_empty = value.as_object().is_some_and(Map::is_empty);
        is_empty && after.keys().any(|known| known.len() > path.len() && known.starts_with(path))
    };
    for (path, value) in &before {
        let kept = after.get(path) == Some(value) || filled(path, value);
        assert!(owned(path) || listed(path) || kept, "{path:?} is lost");
    }
    for (path, value) in &after {
        // An object whose only members were left out stays as an empty object.
        let emptied = value.as_object().is_some_and(Map::is_empty);
        assert!(!listed(path) || owned(path), "{path:?} should be left out");
        assert!(owned(path) || emptied || before.get(path) == Some(value), "{path:?} appeared");
    }
}

/// Every leaf (scalars and empty containers) by its path.
fn leaves(value: &Value) -> BTreeMap<Vec<String>, &Value> {
    let mut found = BTreeMap::new();
    let mut left = vec![(Vec::new(), value)];
    while let Some((path, value)) = left.pop() {
        let objects = value.as_object().into_iter().flatten().map(|(name, member)| (name.clone(), member));
        let lists = value.as_array().into_iter().flatten().enumerate().map(|(i, item)| (i.to_string(), item));
        let below: Vec<(String, &Value)> = objects.chain(lists).collect();
        if below.is_empty() {
            found.insert(path, value);
            continue;
        }
        left.extend(below.into_iter().map(|(name, member)| ([path.clone(), vec![name]].concat(), member)));
    }
    found
}

fn is_below(path: &[String], pattern: &[&str]) -> bool {
    path.len() >= pattern.len()
        && pattern.iter().zip(path).all(|(wanted, found)| *wanted == "*" || wanted == found)
}
