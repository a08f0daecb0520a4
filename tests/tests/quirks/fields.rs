//! What an upgrade may change of a document, and what it has lost of it.

use serde_json::Value;

/// Ends of the paths of fields that an upgrade changes.
const MOVED: &[&str] = &[
    "/eTag",
    "/kubernetesVersion",
    "/currentKubernetesVersion",
    "/orchestratorVersion",
    "/currentOrchestratorVersion",
    "/nodeImageVersion",
];

/// Paths of fields that were there before and are not now, or are different, although neither an
/// upgrade nor the quirk (`touched`) changes them. What has been added is not lost.
pub(crate) fn lost(before: &Value, after: &Value, touched: &[&str]) -> Vec<String> {
    let mut paths = Vec::new();
    compare("", before, after, &mut paths);
    let may_change = |path: &str| MOVED.iter().chain(touched).any(|end| path.ends_with(end));
    paths.retain(|path| !may_change(path));
    paths
}

fn compare(path: &str, before: &Value, after: &Value, lost: &mut Vec<String>) {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            for (field, value) in before {
                let path = format!("{path}/{field}");
                match after.get(field) {
                    Some(after) => compare(&path, value, after, lost),
                    None => lost.push(path),
                }
            }
        }
        (Value::Array(before), Value::Array(after)) if before.len() == after.len() => {
            for (index, (before, after)) in before.iter().zip(after).enumerate() {
                compare(&format!("{path}/{index}"), before, after, lost);
            }
        }
        _ if text(before) == text(after) => {}
        _ => lost.push(path.to_owned()),
    }
}

/// The same whether Azure writes `"1"` or `1`, and whatever the case of an id.
fn text(value: &Value) -> String {
    match value.as_str() {
        Some(text) if text.starts_with("/subscriptions/") => text.to_lowercase(),
        Some(text) => text.to_owned(),
        None => value.to_string(),
    }
}

#[test]
fn what_is_lost_or_changed_is_found_and_what_is_added_is_not() {
    use serde_json::json;
    let before = json!({"a": [{"b": "1"}, null], "c": true, "eTag": "x", "d": {"e": 1}});
    let after = json!({"a": [{"b": 1, "new": 2}, null], "eTag": "y", "d": {"e": 2}});
    assert_eq!(lost(&before, &after, &[]), ["/c", "/d/e"]);
    assert_eq!(lost(&before, &after, &["/e"]), ["/c"]);
}
