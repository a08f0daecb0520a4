//! What must hold for every answer, whatever is in it: reading never panics, loses nothing and is bounded,
//! and writing keeps every field that is not ours.
//!
//! Shared by the property tests and the fuzz target (`fuzz/`), so that both check the same; not part of
//! the crate otherwise.

mod lossless;
#[cfg(test)]
mod tests;

use serde_json::Value;
use url::Url;

pub(crate) use self::lossless::assert_written;
#[cfg(test)]
pub(crate) use self::tests::any_document;
use crate::{
    AgentPool, AgentPoolUpgradeProfile, ApiError, AvailableAgentPoolVersions, Cloud, ClusterId,
    ClusterUpgradeProfile, Document, Error, Kubeconfig, KubernetesVersions, Lock, Machine,
    MaintenanceConfiguration, ManagedCluster, NodeImageVersion, OperationState, OperationStatus, Permission,
    View, credential, headers, links, paging,
};

/// A day: see `headers`.
const LONGEST_WAIT: u64 = 24 * 3600;

/// Feeds an answer's body, or any other bytes, to everything that reads answers.
///
/// # Panics
/// When something does not hold.
pub fn check(bytes: &[u8]) {
    check_text(&String::from_utf8_lossy(bytes));
    check_error(&ApiError::from_body(502, bytes));
    if let Ok(value) = serde_json::from_slice::<Value>(bytes) {
        check_value(&value);
    }
}

/// Every view, the status, the error, the kubeconfig and the page of a JSON value.
fn check_value(value: &Value) {
    check_view::<ManagedCluster>(value);
    check_view::<AgentPool>(value);
    check_view::<ClusterUpgradeProfile>(value);
    check_view::<AgentPoolUpgradeProfile>(value);
    check_view::<AvailableAgentPoolVersions>(value);
    check_view::<KubernetesVersions>(value);
    check_view::<MaintenanceConfiguration>(value);
    check_view::<Machine>(value);
    check_view::<NodeImageVersion>(value);
    check_view::<Permission>(value);
    check_view::<Lock>(value);
    check_status(&OperationStatus::from_value(value), value);
    check_error(&ApiError::from_value(value));
    check_unquoted(Kubeconfig::from_answer(value).map(|config| config.server));
    check_page(value);
    assert_written(value);
}

/// A document gives back what it was made of.
fn check_view<V: View>(value: &Value) {
    let document = Document::<V>::from_value(value.clone());
    assert_eq!(document.value(), value);
    assert!(document.etag().is_none_or(|etag| !etag.as_str().is_empty()));
    assert_eq!(document.into_value(), *value);
}

/// Only three words end an operation, and what was read is what is there.
fn check_status(status: &OperationStatus, value: &Value) {
    let word = value.get("status").and_then(Value::as_str).unwrap_or_default();
    let ends = ["succeeded", "failed", "canceled", "cancelled"];
    assert_eq!(status.state.is_terminal(), ends.contains(&word.to_ascii_lowercase().as_str()), "{word}");
    if let OperationState::InProgress(text) = &status.state {
        assert!(word.starts_with(text.as_str()) && text.chars().count() <= 256);
    }
    assert_eq!(status.error.is_some(), value.get("error").is_some_and(Value::is_object));
    let _ = status.was_preempted();
}

/// Messages are bounded, in depth and number too.
fn check_error(error: &ApiError) {
    assert!(error.message.chars().count() <= 4096 && error.summary().chars().count() <= 1024);
    assert!(error.details.len() <= 16 && error.policies.len() <= 16);
    assert!(error.policies.iter().all(|policy| !policy.assignment.is_empty()));
    assert!(!error.to_string().is_empty());
    error.details.iter().for_each(check_error);
}

/// A page has all the items of its list, or is refused.
fn check_page(value: &Value) {
    let list = value.get("value").or_else(|| value.get("values"));
    match paging::items(&mut value.clone(), "checking") {
        Ok(items) => assert_eq!(items, list.and_then(Value::as_array).cloned().unwrap_or_default()),
        Err(error) => assert!(list.is_some() && matches!(error, Error::Decode { .. })),
    }
}

/// Links, ids, waits, kubeconfigs and what the identity endpoint says.
fn check_text(text: &str) {
    check_link(text);
    check_id(text);
    let (first, second) = text.split_once('\n').unwrap_or((text, ""));
    for wait in [headers::wait(text, None), headers::wait(first.trim(), Some(second.trim()))] {
        assert!(wait.is_none_or(|wait| wait.as_secs() <= LONGEST_WAIT));
    }
    check_unquoted(Kubeconfig::from_yaml(text).map(|config| config.server));
    credential::check(text);
    let permission = Permission { actions: vec![first.to_owned()], ..Permission::default() };
    assert!(first.contains('*') || Permission::any_allows(&[permission], first));
}

/// Whatever is followed stays with the Resource Manager that is talked to.
fn check_link(link: &str) {
    let own: Url = Url::parse("https://arm.corp.example/").expect("the constant is a URL");
    for endpoint in [Cloud::Public.endpoint(), Cloud::China.endpoint(), own] {
        let Ok(url) = links::follow(&endpoint, link) else { continue };
        let (host, expected) = (url.host_str().unwrap_or_default(), endpoint.host_str().unwrap_or_default());
        assert_eq!((url.scheme(), url.port(), url.username()), ("https", None, ""), "{link}");
        assert!(host == expected || host.ends_with(&format!(".{expected}")), "{link} leads to {host}");
    }
}

/// An id is its own text, and one with the same parts is the same; what is none is named shortly.
fn check_id(text: &str) {
    match text.parse::<ClusterId>() {
        Ok(id) => {
            assert_eq!(id.as_str(), text);
            let same = ClusterId::new(id.subscription(), id.resource_group(), id.name());
            assert_eq!(same.as_ref(), Ok(&id));
            assert_eq!(text.to_ascii_uppercase().parse::<ClusterId>().as_ref(), Ok(&id));
        }
        Err(error) => assert!(error.to_string().chars().count() <= 8192),
    }
}

/// Errors about kubeconfigs do not quote them: there are secrets in them.
fn check_unquoted(server: Result<Url, Error>) {
    match server {
        Ok(server) => assert_eq!(server.scheme(), "https"),
        Err(Error::Decode { problem, .. }) => assert!(problem.len() < 100, "{problem}"),
        Err(error) => panic!("{error}"),
    }
}
