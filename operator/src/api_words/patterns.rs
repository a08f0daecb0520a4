//! What would be right where the API server says only which pattern a value does not match.

/// The patterns of Tidegate's resources that people meet, each with what matches it.
const PATTERNS: [(&str, &str); 17] = [
    (
        r"^[1-9][0-9]*\.(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))?$",
        "should be a minor such as \"1.35\" or a patch such as \"1.35.3\"",
    ),
    (
        "^([0-9]{1,6}d)?([0-9]{1,6}h)?([0-9]{1,6}m)?([0-9]{1,6}s)?$",
        "should be a length of time such as 45m, 1h30m or 30d",
    ),
    ("^([1-9][0-9]?|100)%$", "should be a number such as 2 or a share such as 25%"),
    ("^([0-9]|[1-9][0-9]|100)%$", "should be a number such as 0 or 2, or a share such as 10%"),
    (
        r"^/[sS]ubscriptions/[0-9a-fA-F-]{36}/[rR]esource[gG]roups/[^/]+/[pP]roviders/[mM]icrosoft\.[cC]ontainer[sS]ervice/[mM]anaged[cC]lusters/[a-zA-Z0-9][a-zA-Z0-9_-]*$",
        "should be the cluster's id in Azure, as az aks show --query id prints it",
    ),
    ("^([0-9]{1,2}h)?([0-9]{1,4}m)?$", "should be hours and minutes such as 45m or 1h30m"),
    ("^([0-9]{1,3}h)?([0-9]{1,4}m)?$", "should be hours and minutes such as 6h or 1h30m"),
    ("^(Schedule|Cordon)$", "should be Schedule or Cordon"),
    ("^(System|User|Gateway)$", "should be System, User or Gateway"),
    ("^(Linux|Windows)$", "should be Linux or Windows"),
    (
        "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
        "should be lower-case letters, digits and dashes, with a letter or digit at both ends",
    ),
    (
        "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$",
        "should be the name of an object: lower-case letters, digits, dashes and dots",
    ),
    ("^([01][0-9]|2[0-3]):[0-5][0-9]$", "should be a time such as \"22:00\""),
    ("^[0-9]{4}-[0-9]{2}-[0-9]{2}$", "should be a date such as \"2026-12-20\""),
    (
        "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2}(Z|[+-][0-9]{2}:[0-9]{2})?)?$",
        "should be a local time such as 2026-12-05T22:00, or an instant such as 2026-12-05T21:00:00Z",
    ),
    ("^[A-Za-z][A-Za-z0-9_+/-]*$", "should be a time zone such as Europe/Berlin or UTC"),
    ("^[-._a-zA-Z0-9]+$", "should be a key of a Secret: letters, digits, dashes, dots and underscores"),
];

/// The API server's message, with what would be right in place of patterns.
pub(super) fn explained(message: &str) -> String {
    PATTERNS.iter().fold(message.to_owned(), |message, (pattern, words)| {
        message.replace(&format!("in body should match '{pattern}'"), words)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    use serde_json::Value;

    fn collect(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(fields) => {
                found.extend(fields.get("pattern").and_then(Value::as_str).map(str::to_owned));
                fields.values().for_each(|value| collect(value, found));
            }
            Value::Array(values) => values.iter().for_each(|value| collect(value, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    #[test]
    fn every_pattern_of_a_specification_has_its_words() {
        let mut found = BTreeSet::new();
        for definition in crds::definitions() {
            let definition = serde_json::to_value(&definition).unwrap();
            let schema = "/spec/versions/0/schema/openAPIV3Schema/properties/spec";
            collect(definition.pointer(schema).unwrap(), &mut found);
        }
        assert!(found.len() > 5, "{found:?}");
        for (pattern, _) in PATTERNS {
            found.remove(pattern);
        }
        assert!(found.is_empty(), "PATTERNS has no words for {found:?}");
    }

    #[test]
    fn says_what_would_be_right() {
        let said = explained(
            r#"UpgradePlan "a" is invalid: [spec.target.kubernetes.version: Invalid value: "v1.35": spec.target.kubernetes.version in body should match '^[1-9][0-9]*\.(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))?$', spec.waves[0].soak: Invalid value: "banana": spec.waves[0].soak in body should match '^([0-9]{1,6}d)?([0-9]{1,6}h)?([0-9]{1,6}m)?([0-9]{1,6}s)?$']"#,
        );
        assert!(said.contains(r#""v1.35": spec.target.kubernetes.version should be a minor such as "1.35""#));
        assert!(said.ends_with("spec.waves[0].soak should be a length of time such as 45m, 1h30m or 30d]"));
        assert_eq!(explained("is forbidden"), "is forbidden");
    }
}
