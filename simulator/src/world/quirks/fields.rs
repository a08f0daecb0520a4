//! Fields of a document by their path; arrays are gone through entry by entry.

use serde_json::{Map, Value};

/// Does something with each object that may hold the field at `path`.
pub(super) fn at(document: &mut Value, path: &str, act: &mut impl FnMut(&mut Map<String, Value>, &str)) {
    if let Value::Array(entries) = document {
        for entry in entries {
            at(entry, path, act);
        }
        return;
    }
    let Value::Object(object) = document else {
        return;
    };
    match path.split_once('.') {
        None => act(object, path),
        Some((first, rest)) => {
            if let Some(inner) = object.get_mut(first) {
                at(inner, rest, act);
            }
        }
    }
}

/// Takes the fields away.
pub(super) fn remove<'a>(document: &mut Value, paths: impl IntoIterator<Item = &'a str>) {
    for path in paths {
        at(document, path, &mut |object, field| {
            object.remove(field);
        });
    }
}

/// Does something with each value at these paths.
pub(super) fn change<'a>(
    document: &mut Value,
    paths: impl IntoIterator<Item = &'a str>,
    act: &mut impl FnMut(&mut Value),
) {
    for path in paths {
        at(document, path, &mut |object, field| {
            if let Some(value) = object.get_mut(field) {
                act(value);
            }
        });
    }
}

/// Does something with each string of the document whose field `wanted` picks.
pub(super) fn texts(value: &mut Value, wanted: &impl Fn(&str) -> bool, act: &mut impl FnMut(&mut String)) {
    match value {
        Value::Object(object) => {
            for (field, value) in object {
                if let Value::String(text) = value {
                    if wanted(field) {
                        act(text);
                    }
                } else {
                    texts(value, wanted, act);
                }
            }
        }
        Value::Array(entries) => entries.iter_mut().for_each(|entry| texts(entry, wanted, act)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_lead_through_objects_and_arrays() {
        let mut document = json!({ "a": [{ "b": 1, "c": 2 }, { "b": 3 }], "b": 4 });
        remove(&mut document, ["a.b", "no.such"]);
        change(&mut document, ["b"], &mut |value| *value = json!(5));
        assert_eq!(document, json!({ "a": [{ "c": 2 }, {}], "b": 5 }));
    }
}
