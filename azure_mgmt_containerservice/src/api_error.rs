//! Reads what Azure says when it refuses: two JSON shapes, and bodies that are no JSON at all.
//!
//! AKS answers `{code, message, subcode, details}`, Resource Manager `{"error": {code, message}}`,
//! gateways in front of both answer with HTML. Pure.

use std::fmt;

use serde_json::Value;

/// How much of a message is kept, in characters: enough for a list of pods, not for a page.
const MESSAGE_LIMIT: usize = 4096;
/// How much the one-line summary of an error may say, in characters.
const SUMMARY_LIMIT: usize = 1024;
/// How deep, and how many, nested details are kept.
const DEPTH_LIMIT: usize = 4;
const DETAILS_LIMIT: usize = 16;
/// How long the name of a policy may be, in characters; Azure allows 128.
const NAME_LIMIT: usize = 256;

/// An error as Azure described it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApiError {
    /// The HTTP status; absent for errors inside operation bodies and details.
    pub status: Option<u16>,
    /// The error code, for example `OperationNotAllowed`.
    pub code: Option<String>,
    /// AKS's finer code, for example `UpgradeBlockedOnDeprecatedAPIUsage`.
    pub subcode: Option<String>,
    /// What Azure says to a person; bounded, and never an HTML page.
    pub message: String,
    /// What the error is about, when Azure says so.
    pub target: Option<String>,
    /// Causes below this error; bounded in depth and number.
    pub details: Vec<ApiError>,
    /// The policies that refused, which newer answers name only beside the message; bounded in number.
    pub policies: Vec<PolicyViolation>,
}

/// A policy that refuses a request: its names, out of an error's `additionalInfo`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyViolation {
    /// The assignment.
    pub assignment: String,
    /// The definition that is assigned; empty when Azure does not name it.
    pub definition: String,
}

impl ApiError {
    /// Reads the body of an HTTP answer with an error status.
    #[must_use]
    pub fn from_body(status: u16, body: &[u8]) -> Self {
        let mut error = match serde_json::from_slice::<Value>(body) {
            Ok(value) => Self::from_value(&value),
            Err(_) => Self { message: describe(body).to_owned(), ..Self::default() },
        };
        if error.message.is_empty() {
            error.message = "no message".to_owned();
        }
        error.status = Some(status);
        error
    }

    /// Reads either JSON shape; whatever is missing stays empty.
    #[must_use]
    pub fn from_value(value: &Value) -> Self {
        Self::read(value, 0)
    }

    fn read(value: &Value, depth: usize) -> Self {
        let body = match value.get("error") {
            Some(inner @ Value::Object(_)) => inner,
            Some(Value::String(code)) => {
                let message = value.get("error_description").and_then(Value::as_str).unwrap_or_default();
                return Self {
                    code: Some(code.clone()),
                    message: bound(message, MESSAGE_LIMIT),
                    ..Self::default()
                };
            }
            _ => value,
        };
        let text = |name| body.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let details = body.get("details").and_then(Value::as_array).filter(|_| depth < DEPTH_LIMIT);
        Self {
            status: None,
            code: text("code").map(str::to_owned),
            subcode: text("subcode").map(str::to_owned),
            message: bound(text("message").unwrap_or_default(), MESSAGE_LIMIT),
            target: text("target").map(str::to_owned),
            details: details
                .into_iter()
                .flatten()
                .take(DETAILS_LIMIT)
                .filter(|detail| detail.is_object())
                .map(|detail| Self::read(detail, depth + 1))
                .collect(),
            policies: violations(body),
        }
    }

    /// The message with the policies and the messages of all details, in one text of at most 1,024
    /// characters.
    ///
    /// A cause often stands only in the details ("preempted by"), so classify by this text.
    #[must_use]
    pub fn summary(&self) -> String {
        let mut text = self.message.clone();
        self.append_policies(&mut text);
        self.append_details(&mut text);
        bound(&text, SUMMARY_LIMIT)
    }

    fn append_policies(&self, text: &mut String) {
        for PolicyViolation { assignment, definition } in &self.policies {
            let mut words = format!("policy assignment '{assignment}'");
            if !definition.is_empty() {
                words.push_str(&format!(", definition '{definition}'"));
            }
            if !text.contains(&words) {
                text.push_str(if text.is_empty() { "" } else { "; " });
                text.push_str(&words);
            }
        }
    }

    fn append_details(&self, text: &mut String) {
        for detail in &self.details {
            if !detail.message.is_empty() && !text.contains(&detail.message) {
                text.push_str(if text.is_empty() { "" } else { "; " });
                if let Some(code) = detail.code.as_deref().filter(|code| !text.contains(*code)) {
                    text.push_str(code);
                    text.push_str(": ");
                }
                text.push_str(&detail.message);
            }
            detail.append_policies(text);
            detail.append_details(text);
        }
    }
}

/// The policies in `additionalInfo`: the names if there are some, else the ends of the ids.
///
/// Source: Microsoft Learn, "RequestDisallowedByPolicy error with Azure resource policy".
fn violations(error: &Value) -> Vec<PolicyViolation> {
    let name = |info: &Value, names: [&str; 3]| {
        let text =
            names.into_iter().find_map(|name| info.get(name)?.as_str().filter(|text| !text.is_empty()));
        let text = text.map_or("", |text| text.rsplit('/').next().unwrap_or(text));
        bound(text, NAME_LIMIT).replace('\'', "")
    };
    let infos = error.get("additionalInfo").and_then(Value::as_array).into_iter().flatten();
    infos
        .filter(|info| info.get("type").and_then(Value::as_str) == Some("PolicyViolation"))
        .filter_map(|info| info.get("info"))
        .map(|info| PolicyViolation {
            assignment: name(
                info,
                ["policyAssignmentDisplayName", "policyAssignmentName", "policyAssignmentId"],
            ),
            definition: name(
                info,
                ["policyDefinitionDisplayName", "policyDefinitionName", "policyDefinitionId"],
            ),
        })
        .filter(|policy| !policy.assignment.is_empty())
        .take(DETAILS_LIMIT)
        .collect()
}

/// What a body is that is not JSON, without its contents.
fn describe(body: &[u8]) -> &'static str {
    match body.trim_ascii_start() {
        [] => "empty body",
        [b'<', ..] => "HTML body",
        _ => "body that is not JSON",
    }
}

fn bound(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    text.chars().take(limit - 1).chain(['…']).collect()
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(status) = self.status {
            write!(f, "{status} ")?;
        }
        match (&self.code, &self.subcode) {
            (Some(code), Some(subcode)) if subcode != code => write!(f, "{code}/{subcode}: ")?,
            (Some(code), _) | (None, Some(code)) => write!(f, "{code}: ")?,
            (None, None) => {}
        }
        let summary = self.summary();
        f.write_str(if summary.is_empty() { "no message" } else { &summary })
    }
}

impl std::error::Error for ApiError {}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_shapes_and_details() {
        let bare = json!({"code": "C", "subcode": "S", "message": "m", "target": "t",
            "details": [{"code": "D", "message": "below", "details": [{"message": "deeper"}]}, null]});
        let error = ApiError::from_body(409, bare.to_string().as_bytes());
        assert_eq!(error.to_string(), "409 C/S: m; D: below; deeper");
        assert_eq!(error.target.as_deref(), Some("t"));
        let wrapped = json!({"error": {"code": "C", "message": "m", "subcode": "", "details": null}});
        let error = ApiError::from_body(404, wrapped.to_string().as_bytes());
        assert_eq!((error.code.as_deref(), error.subcode, error.message.as_str()), (Some("C"), None, "m"));
        let entra = json!({"error": "invalid_client", "error_description": "wrong secret"});
        assert_eq!(ApiError::from_value(&entra).to_string(), "invalid_client: wrong secret");
    }

    #[test]
    fn an_error_without_words_still_says_something() {
        let table = [
            (
                json!({"code": "OverlaymgrReconcileError", "message": ""}),
                "OverlaymgrReconcileError: no message",
            ),
            (json!({"subcode": "S"}), "S: no message"),
            (json!({"target": "t"}), "no message"),
            (json!(null), "no message"),
        ];
        for (value, text) in table {
            assert_eq!(ApiError::from_value(&value).to_string(), text);
        }
    }

    #[test]
    fn policies_beside_the_message_become_part_of_the_summary() {
        let body = json!({"error": {"code": "InvalidTemplateDeployment", "message": "refused", "details": [{
        "code": "RequestDisallowedByPolicy", "message": "disallowed by policy. Reasons: 'no tag'.",
        "additionalInfo": [
            {"type": "PolicyViolation", "info": {
                "policyAssignmentDisplayName": "Tags of ours", "policyAssignmentName": "0a1b",
                "policyDefinitionId": "/providers/Microsoft.Authorization/policyDefinitions/tags"}},
            {"type": "PolicyViolation", "info": {"policyAssignmentName": "it's"}},
            {"type": "PolicyViolation", "info": {}},
            {"type": "SomethingElse", "info": {"policyAssignmentName": "no"}},
            null,
        ]}]}});
        let summary = ApiError::from_value(&body).summary();
        let expected = "refused; RequestDisallowedByPolicy: disallowed by policy. Reasons: 'no tag'.; \
            policy assignment 'Tags of ours', definition 'tags'; policy assignment 'its'";
        assert_eq!(summary, expected);
    }

    #[test]
    fn bodies_that_are_no_json_are_named_not_dumped() {
        let table: [(&[u8], &str); 5] = [
            (b"<html><body>Bad Gateway</body></html>", "502 HTML body"),
            (b"\r\n <!DOCTYPE html>", "502 HTML body"),
            (b"upstream connect error", "502 body that is not JSON"),
            (b"", "502 empty body"),
            (b"{}", "502 no message"),
        ];
        for (body, text) in table {
            assert_eq!(ApiError::from_body(502, body).to_string(), text);
        }
    }

    #[test]
    fn everything_is_bounded() {
        let mut body = json!({"message": "x"});
        for _ in 0..40 {
            let details: Vec<Value> = std::iter::repeat_n(body, 2).collect();
            body = json!({"code": "C", "message": "é".repeat(5000), "details": [details[0], null]});
        }
        let error = ApiError::from_value(&body);
        assert_eq!(error.message.chars().count(), MESSAGE_LIMIT);
        assert!(error.summary().chars().count() <= SUMMARY_LIMIT);
    }
}
