//! What must hold for every failure, whatever Azure says: it has a class, and its blockers fit into an
//! object's status.
//!
//! Shared by the property test and the fuzz target of the Azure client, so that both check the same; not
//! part of the crate otherwise.

use serde_json::Value;

use super::{Blocker, CODE_LIMIT, Failure, FailureClass, MESSAGE_LIMIT};

/// Classifies a failure and looks at its blockers.
///
/// # Panics
/// When something does not hold.
pub fn check(failure: &Failure) {
    assert!(failure.message.chars().count() <= MESSAGE_LIMIT);
    let codes = [&failure.code, &failure.subcode].into_iter().flatten();
    assert!(codes.into_iter().all(|code| !code.is_empty() && code.chars().count() <= CODE_LIMIT));
    let class = failure.class();
    assert_eq!(failure.class(), class, "the same failure is always of the same class");
    if matches!(failure.status, Some(408 | 429)) {
        assert_eq!(class, FailureClass::Transient);
    }
    let blockers = failure.blockers();
    assert!(blockers.len() <= 16);
    assert!(class != FailureClass::Blocked || !blockers.is_empty(), "blocked by nothing");
    blockers.iter().for_each(check_blocker);
}

fn check_blocker(blocker: &Blocker) {
    let stored = serde_json::to_value(blocker).expect("a blocker is JSON");
    for (name, length) in texts(&stored) {
        let limit = match name {
            "namespace" | "removedIn" | "lastSeen" => 63,
            "message" | "scope" => 1024,
            _ => 253,
        };
        assert!(length <= limit, "{name} has {length} characters");
    }
    assert_eq!(serde_json::from_value::<Blocker>(stored).as_ref().ok(), Some(blocker));
    assert!(!blocker.remedy().is_empty() && !blocker.remedy().ends_with('.'));
    let _ = blocker.to_string();
}

/// Every text in a stored blocker: its name and length in characters.
fn texts(stored: &Value) -> Vec<(&str, usize)> {
    let fields = stored.as_object().into_iter().flatten().filter_map(|(_, inner)| inner.as_object());
    fields
        .flatten()
        .filter_map(|(name, value)| Some((name.as_str(), value.as_str()?.chars().count())))
        .collect()
}
