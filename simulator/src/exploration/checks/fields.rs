//! Rule 5: fields that are not ours come back from a write as they were read.

use serde_json::Value;

use super::{
    Checks,
    asked::{Asked, describe},
    deeds::Before,
    rules,
};
use crate::{exploration::sim::State, world::Call};

/// What Azure changes by itself with every write.
const OF_AZURE: [&str; 4] = [
    "eTag",
    "properties.provisioningState",
    "properties.agentPoolProfiles.*.eTag",
    "properties.agentPoolProfiles.*.provisioningState",
];
/// What changes with the upgrade of a control plane.
const OF_CONTROL_PLANE: [&str; 2] = ["properties.kubernetesVersion", "properties.currentKubernetesVersion"];
/// What changes with the upgrade of a pool, in that pool.
const OF_POOL: [&str; 3] = ["orchestratorVersion", "currentOrchestratorVersion", "nodeImageVersion"];

impl Checks {
    /// What a write has changed.
    pub(super) fn keeps_fields(state: &mut State, call: &Call, before: &Before) {
        let Some(after) = state.world.document(&before.cluster) else { return };
        let mut changed = Vec::new();
        differences(&before.document, &after, "", &mut changed);
        let place = Asked::of(call).and_then(|asked| {
            let name = asked.pool()?;
            super::asked::pools(&before.document).position(|pool| pool["name"] == name)
        });
        changed.retain(|path| !may_change(path, place));
        if !changed.is_empty() {
            let what = format!("{} changed {}", describe(call), changed.join(", "));
            Self::violated(state, rules::FIELDS, what);
        }
    }
}

/// Whether a write of a pool, told by its place, or of the control plane may change what is at a path.
/// Settings of upgrades are judged by a rule of their own.
fn may_change(path: &str, pool: Option<usize>) -> bool {
    let Some(place) = pool else {
        let settings = is_below(path, "properties.upgradeSettings");
        return settings || OF_AZURE.iter().chain(&OF_CONTROL_PLANE).any(|field| is_at(path, field));
    };
    let of_pool = path.strip_prefix(&format!("properties.agentPoolProfiles.{place}."));
    let is_of_pool = |field: &str| OF_POOL.contains(&field) || is_below(field, "upgradeSettings");
    of_pool.is_some_and(is_of_pool) || OF_AZURE.iter().any(|field| is_at(path, field))
}

/// Whether a path is this one; `*` stands for any one part.
fn is_at(path: &str, pattern: &str) -> bool {
    let (mut parts, mut wanted) = (path.split('.'), pattern.split('.'));
    wanted.by_ref().zip(parts.by_ref()).all(|(wanted, part)| wanted == "*" || wanted == part)
        && path.split('.').count() == pattern.split('.').count()
}

fn is_below(path: &str, top: &str) -> bool {
    path.strip_prefix(top).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// The paths at which two documents differ.
fn differences(before: &Value, after: &Value, path: &str, found: &mut Vec<String>) {
    let below = |part: &str| if path.is_empty() { part.to_owned() } else { format!("{path}.{part}") };
    match (before, after) {
        (Value::Object(old), Value::Object(new)) => {
            for key in old.keys().chain(new.keys().filter(|key| !old.contains_key(*key))) {
                let (old, new) = (old.get(key).unwrap_or(&Value::Null), new.get(key).unwrap_or(&Value::Null));
                differences(old, new, &below(key), found);
            }
        }
        (Value::Array(old), Value::Array(new)) if old.len() == new.len() => {
            for (index, (old, new)) in old.iter().zip(new).enumerate() {
                differences(old, new, &below(&index.to_string()), found);
            }
        }
        (old, new) if old == new => {}
        // Azure gives ids now in this case, now in that one.
        (Value::String(old), Value::String(new))
            if old.starts_with("/subscriptions/") && old.eq_ignore_ascii_case(new) => {}
        _ => found.push(path.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_whole_paths_are_ours() {
        let pools = "properties.agentPoolProfiles";
        for (path, pool, may) in [
            ("eTag", None, true),
            ("properties.kubernetesVersion", None, true),
            ("properties.kubernetesVersion", Some(0), false),
            ("properties.addonProfiles.x.kubernetesVersion", None, false),
            ("tags.eTag", None, false),
            ("properties.agentPoolProfiles.1.orchestratorVersion", Some(1), true),
            ("properties.agentPoolProfiles.0.orchestratorVersion", Some(1), false),
            ("properties.agentPoolProfiles.1.orchestratorVersion", None, false),
            ("properties.agentPoolProfiles.1.upgradeSettings.maxSurge", Some(1), true),
            ("properties.agentPoolProfiles.0.upgradeSettings.maxSurge", Some(1), false),
            ("properties.agentPoolProfiles.1.upgradeSettingsOfOthers", Some(1), false),
            ("properties.agentPoolProfiles.1.powerState.code", Some(1), false),
            ("properties.agentPoolProfiles.0.provisioningState", Some(1), true),
            ("properties.upgradeSettings.overrideSettings.until", None, true),
            ("properties.upgradeSettings.overrideSettings.until", Some(1), false),
            ("properties.provisioningState.x", None, false),
        ] {
            assert_eq!(may_change(path, pool), may, "{path} by {pool:?} of {pools}");
        }
    }

    #[test]
    fn differences_are_named_by_their_paths() {
        let mut found = Vec::new();
        let (before, after) = (json!({"a": {"b": [1, 2]}, "c": 1}), json!({"a": {"b": [1, 3]}, "d": 1}));
        differences(&before, &after, "", &mut found);
        assert_eq!(found, ["a.b.1", "c", "d"]);
    }
}
