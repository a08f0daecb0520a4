//! What makes two answers alike: status, headers that matter, keys, and values that carry meaning.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// Headers that clients go by. Of the URLs only the presence is compared.
const HEADERS: [(&str, bool); 5] = [
    ("azure-asyncoperation", false),
    ("location", false),
    ("retry-after", true),
    ("content-type", true),
    ("x-ms-failure-cause", true),
];

/// Objects whose keys are names that somebody gave.
const MAPS: [&str; 6] =
    ["tags", "nodeLabels", "patchVersions", "addonProfiles", "controlPlanePluginProfiles", "config"];

/// Fields whose values are the same in both worlds.
const MEANINGFUL: &[&str] = &[
    "id",
    "name",
    "type",
    "provisioningState",
    "code",
    "subcode",
    "kubernetesVersion",
    "currentKubernetesVersion",
    "orchestratorVersion",
    "currentOrchestratorVersion",
    "nodeImageVersion",
    "latestNodeImageVersion",
    "count",
    "vmSize",
    "maxPods",
    "osDiskSizeGB",
    "osDiskType",
    "osSKU",
    "mode",
    "maxSurge",
    "maxUnavailable",
    "undrainableNodeBehavior",
    "upgradeStrategy",
    "upgradeChannel",
    "nodeOSUpgradeChannel",
    "supportPlan",
    "tier",
    "nodeResourceGroup",
    "restrictionLevel",
    "networkPlugin",
    "networkPluginMode",
    "networkPolicy",
    "networkDataplane",
    "outboundType",
    "location",
    "durationHours",
    "startDate",
    "startTime",
    "utcOffset",
    "dayOfWeek",
    "weekIndex",
];

/// Objects whose names and ids are drawn by chance.
const DRAWN_ANEW: [&str; 1] = ["effectiveOutboundIPs"];

/// Words that end an operation; any other is progress.
pub(crate) const FINAL: [&str; 3] = ["Succeeded", "Failed", "Canceled"];

/// A difference: what was recorded, and what was answered instead.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Difference {
    /// A key of the body is missing.
    Key(String),
    /// A value that carries meaning: its path, the recorded one, and ours.
    Value(String, String, String),
    /// A header: its name, the recorded one, and ours.
    Header(String, String, String),
    /// The status, and our body.
    Status(u16, u16, String),
}

/// An answer of either world.
pub(crate) struct Answer<'a> {
    pub(crate) status: u16,
    pub(crate) headers: &'a BTreeMap<String, String>,
    pub(crate) body: &'a Value,
}

/// What a comparison found.
#[derive(Default)]
pub(crate) struct Comparison {
    /// Keys that were recorded.
    pub(crate) keys: usize,
    /// Values and headers that were compared.
    pub(crate) values: usize,
    pub(crate) differences: Vec<Difference>,
    /// Keys that only our answer has.
    pub(crate) extra: BTreeSet<String>,
}

/// Compares our answer with the recorded one.
pub(crate) fn compare(recorded: &Answer<'_>, ours: &Answer<'_>) -> Comparison {
    let mut comparison = Comparison { values: 1, ..Comparison::default() };
    if recorded.status != ours.status {
        comparison.differences.push(Difference::Status(recorded.status, ours.status, ours.body.to_string()));
    }
    compare_headers(recorded, ours, &mut comparison);
    let (theirs, mine) = (keys(recorded.body), keys(ours.body));
    comparison.keys = theirs.len();
    comparison.differences.extend(theirs.difference(&mine).cloned().map(Difference::Key));
    comparison.extra = mine.difference(&theirs).cloned().collect();
    let mine = values(ours.body);
    for (path, theirs) in values(recorded.body) {
        let Some(ours) = mine.get(&path) else { continue };
        comparison.values += 1;
        if *ours != theirs {
            comparison.differences.push(Difference::Value(path, theirs, ours.clone()));
        }
    }
    comparison
}

fn compare_headers(recorded: &Answer<'_>, ours: &Answer<'_>, comparison: &mut Comparison) {
    for (name, by_value) in HEADERS {
        let show = |answer: &Answer<'_>| {
            let value = answer.headers.get(name).map(String::as_str);
            value.map_or("none", |value| if by_value { value } else { "a URL" }).to_owned()
        };
        let (theirs, mine) = (show(recorded), show(ours));
        // Recordings without content-type were written down by hand.
        if name == "content-type" && theirs == "none" && !recorded.body.is_null() {
            continue;
        }
        comparison.values += 1;
        if theirs != mine {
            comparison.differences.push(Difference::Header(name.to_owned(), theirs, mine));
        }
    }
}

/// The paths of all keys: `properties.agentPoolProfiles[].name`, `tags.*`.
pub(crate) fn keys(value: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    walk(value, "", "", &mut |path, _| {
        found.insert(path.to_owned());
    });
    found
}

fn walk(value: &Value, path: &str, field: &str, see: &mut impl FnMut(&str, &Value)) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                let shown = if MAPS.contains(&field) { "*" } else { key };
                let path = if path.is_empty() { shown.to_owned() } else { format!("{path}.{shown}") };
                see(&path, value);
                walk(value, &path, key, see);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| walk(item, &format!("{path}[]"), "", see)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The values that carry meaning, by path; items of lists by their names.
fn values(value: &Value) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    collect(value, "", &mut found);
    // Ids of operations are drawn anew; words of progress are free text.
    if let Some(status) = value.get("status").and_then(Value::as_str) {
        found.remove("name");
        found.remove("startTime");
        let word = if FINAL.contains(&status) { status } else { "in progress" };
        found.insert("status".to_owned(), word.to_owned());
    }
    found
}

fn collect(value: &Value, path: &str, found: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(object) => {
            for (key, value) in object.iter().filter(|(key, _)| !DRAWN_ANEW.contains(&key.as_str())) {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                let number = value.as_number().map(ToString::to_string);
                match value.as_str().map(str::to_owned).or(number) {
                    Some(word) if MEANINGFUL.contains(&key.as_str()) => {
                        found.insert(path, word);
                    }
                    Some(_) => {}
                    None => collect(value, &path, found),
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                let name = item.get("name").and_then(Value::as_str).unwrap_or_default();
                collect(item, &format!("{path}[{name}]"), found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn differences(ours: &Value) -> Vec<Difference> {
        let recorded = json!({
            "name": "a",
            "tags": { "one": "1" },
            "properties": { "provisioningState": "Succeeded", "pools": [{ "name": "p", "count": 2 }] },
        });
        let headers = BTreeMap::from([("content-type".to_owned(), "application/json".to_owned())]);
        let answer = |body| Answer { status: 200, headers: &headers, body };
        let none = BTreeMap::new();
        let ours = Answer { status: 201, headers: &none, body: ours };
        compare(&answer(&recorded), &ours).differences
    }

    #[test]
    fn keys_values_headers_and_statuses_are_told_apart() {
        let ours = json!({
            "name": "a",
            "tags": { "two": "2" },
            "extra": true,
            "properties": { "provisioningState": "Updating", "pools": [{ "name": "p" }] },
        });
        let found = differences(&ours);
        let text = |text: &str| text.to_owned();
        assert_eq!(
            found,
            [
                Difference::Status(200, 201, ours.to_string()),
                Difference::Header(text("content-type"), text("application/json"), text("none")),
                Difference::Key(text("properties.pools[].count")),
                Difference::Value(text("properties.provisioningState"), text("Succeeded"), text("Updating")),
            ]
        );
    }
}
