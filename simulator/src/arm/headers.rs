//! The headers that Azure Resource Manager puts on every answer ("Request and response headers" of its
//! resource provider contract, and recorded traffic).

use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::request::Incoming;
use crate::{server::Shared, world::Remaining};

/// Principals that the limits of a whole subscription have room for.
const PRINCIPALS: u32 = 15;

/// The headers that never change.
const CONSTANT: [(&str, &str); 6] = [
    ("cache-control", "no-cache"),
    ("pragma", "no-cache"),
    ("expires", "-1"),
    ("strict-transport-security", "max-age=31536000; includeSubDomains"),
    ("x-content-type-options", "nosniff"),
    ("x-cache", "CONFIG_NOCACHE"),
];

/// Numbers the requests of this start.
#[derive(Debug, Default)]
pub(crate) struct RequestIds(AtomicU64);

impl RequestIds {
    /// The next id: looks random, and follows from the number.
    pub(crate) fn next(&self) -> String {
        let number = self.0.fetch_add(1, Ordering::Relaxed);
        let hash = Sha256::digest(format!("request {number}"));
        let text = hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect::<String>();
        format!("{}-{}-4{}-8{}-{}", &text[..8], &text[8..12], &text[13..16], &text[17..20], &text[20..])
    }
}

/// Adds what every answer has.
pub(super) fn add(headers: &mut HeaderMap, shared: &Shared, incoming: &Incoming) {
    for (name, value) in CONSTANT {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    let id = shared.request_ids.next();
    let theirs = incoming.header(HeaderName::from_static("x-ms-correlation-request-id"));
    let correlation = theirs.filter(|theirs| theirs.len() == 36).unwrap_or(&id).to_owned();
    let when = shared.clock.now().strftime("%Y%m%dT%H%M%SZ").to_string();
    insert(headers, "x-ms-routing-request-id", &format!("WESTEUROPE:{when}:{id}"));
    insert(headers, "x-ms-correlation-request-id", &correlation);
    insert(headers, "x-ms-request-id", &id);
    // Asked for with True by some libraries.
    let wanted = incoming.header(HeaderName::from_static("x-ms-return-client-request-id"));
    let theirs = incoming.header(HeaderName::from_static("x-ms-client-request-id"));
    if let (Some("true" | "True"), Some(theirs)) = (wanted, theirs) {
        let theirs = theirs.to_owned();
        insert(headers, "x-ms-client-request-id", &theirs);
    }
}

/// Says how many calls the caller has left.
pub(super) fn add_remaining(headers: &mut HeaderMap, incoming: &Incoming, remaining: Remaining) {
    let Remaining { reads, writes } = remaining;
    let (left, most, kind) = match incoming.method {
        Method::GET | Method::HEAD => (reads, 250, "reads"),
        Method::DELETE => (writes, 200, "deletes"),
        _ => (writes, 200, "writes"),
    };
    insert(headers, &format!("x-ms-ratelimit-remaining-subscription-{kind}"), &left.to_string());
    // What others have used of the whole subscription's is not counted.
    let whole = u32::from(left) + (PRINCIPALS - 1) * most;
    insert(headers, &format!("x-ms-ratelimit-remaining-subscription-global-{kind}"), &whole.to_string());
}

/// Says whose failure an error is: Azure Resource Manager's own, or that of a service behind it.
pub(super) fn add_cause(headers: &mut HeaderMap, status: u16, body: &Value) {
    let cause = match status {
        500.. => "service",
        400.. if body.get("error").is_some() => "gateway",
        _ => return,
    };
    headers.insert(HeaderName::from_static("x-ms-failure-cause"), HeaderValue::from_static(cause));
}

/// Says where a caller without a good token gets one, which is how tools find a subscription's tenant.
pub(super) fn add_challenge(headers: &mut HeaderMap, shared: &Shared, body: &Value) {
    let why = body["error"]["message"].as_str().unwrap_or_default();
    let value = format!(
        "Bearer authorization_uri=\"{}/{}\", error=\"invalid_token\", error_description=\"{why}\"",
        shared.endpoint, shared.tenant.id
    );
    insert(headers, "www-authenticate", &value);
}

/// Leaves out what is no text of a header.
fn insert(headers: &mut HeaderMap, name: &str, value: &str) {
    if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_str(value)) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_ids_are_uuids_and_differ() {
        let ids = RequestIds::default();
        let (one, two) = (ids.next(), ids.next());
        assert_ne!(one, two);
        assert_eq!(one.len(), 36);
        assert_eq!((one.as_bytes()[8], one.as_bytes()[14], one.as_bytes()[23]), (b'-', b'4', b'-'));
        assert_eq!(RequestIds::default().next(), one);
    }
}
