//! What the types of a script cannot say: fields that nobody knows, names that nobody has.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{ScriptError, invalid};

/// Reads a part whose type, like the API server, lets unknown fields pass; here they are errors.
pub(super) fn read<T: DeserializeOwned + Serialize>(field: &str, part: Value) -> Result<T, ScriptError> {
    let read: T = serde_json::from_value(part.clone()).map_err(|error| invalid(field, error.to_string()))?;
    let known = serde_json::to_value(&read).map_err(|error| invalid(field, error.to_string()))?;
    match unknown(&part, &known, field) {
        Some(path) => Err(invalid(path, "is not a field of a ClusterUpgrade, or says nothing; leave it out")),
        None => Ok(read),
    }
}

/// The first path that is written and was not understood.
fn unknown(written: &Value, known: &Value, path: &str) -> Option<String> {
    match (written, known) {
        (Value::Object(written), Value::Object(known)) => written.iter().find_map(|(key, value)| {
            let path = format!("{path}.{key}");
            known.get(key).map_or(Some(path.clone()), |known| unknown(value, known, &path))
        }),
        (Value::Array(written), Value::Array(known)) => {
            let pairs = written.iter().zip(known).enumerate();
            pairs
                .into_iter()
                .find_map(|(index, (written, known))| unknown(written, known, &format!("{path}[{index}]")))
        }
        _ => None,
    }
}

/// The place of a name in a list; an error that lists what there is otherwise.
pub(super) fn place_of(field: &str, name: &str, names: &[String]) -> Result<usize, ScriptError> {
    names.iter().position(|known| known == name).ok_or_else(|| {
        let problem = format!("{name:?} is not there; there is {}", names.join(", "));
        invalid(field, problem)
    })
}
