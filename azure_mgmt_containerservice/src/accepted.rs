//! What Azure says when it accepts work that goes on after the answer.

use std::{fmt, time::Duration};

use azure_core::http::headers::Headers;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{ETag, document, headers};

/// An accepted write: where its progress can be read.
#[derive(Clone, Debug)]
pub struct Accepted {
    /// The resource as Azure shows it now, when the answer had a body.
    pub document: Option<Value>,
    /// The resource's new eTag, when there is one.
    pub etag: Option<ETag>,
    /// Where the operation's status is (`Azure-AsyncOperation`); absent when nothing is left to do.
    pub async_operation: Option<OperationUrl>,
    /// Where the operation's result will be (`Location`).
    pub location: Option<OperationUrl>,
    /// How long to wait before looking; AKS does not send it on operations.
    pub retry_after: Option<Duration>,
}

impl Accepted {
    pub(crate) fn new(headers: &Headers, document: Option<Value>) -> Self {
        let url = |name| headers::text(headers, name).map(OperationUrl::new);
        Self {
            etag: document::etag(document.as_ref(), headers),
            async_operation: url("azure-asyncoperation"),
            location: url("location"),
            retry_after: headers::retry_after(headers),
            document,
        }
    }
}

/// The URL of a running operation: about 3.6 kB long, signed, with its own api-version.
///
/// Whoever has it can read the operation, so it is never printed: `Debug` and `Display` say only
/// that there is one. Serde keeps the text, to store it in a ledger.
#[derive(Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(transparent)]
pub struct OperationUrl(String);

impl OperationUrl {
    /// An operation URL as it came in a header, or out of a ledger.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self(url.into())
    }

    /// The URL itself: a capability, not for logs, events or status.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for OperationUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OperationUrl(redacted)")
    }
}

impl fmt::Display for OperationUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(operation URL, redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operation_urls_are_stored_but_not_printed() {
        let url = OperationUrl::new("https://management.azure.com/operations/1?s=secret");
        assert!(!format!("{url:?} {url}").contains("secret"));
        let text = serde_json::to_string(&url).unwrap();
        assert_eq!(serde_json::from_str::<OperationUrl>(&text).unwrap(), url);
    }
}
