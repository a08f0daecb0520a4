//! What Azure says when it accepts work that goes on after the answer.

use std::{fmt, str::FromStr, time::Duration};

use azure_core::http::headers::Headers;
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
/// that there is one. What may be kept is [`OperationUrl::operation`].
#[derive(Clone, PartialEq, Eq)]
pub struct OperationUrl(String);

impl OperationUrl {
    /// An operation URL as it came in a header.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self(url.into())
    }

    /// The URL itself: a capability, not for logs, events or status.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What names the operation, if the URL is one of a region's operations: enough to ask for its
    /// status with [`crate::Operations::status_by_id`].
    #[must_use]
    pub fn operation(&self) -> Option<OperationId> {
        let path = self.0.split(['?', '#']).next()?;
        let mut segments = path.rsplit('/');
        let id = segments.next()?;
        let is =
            |segment: Option<&str>, word: &str| segment.is_some_and(|text| text.eq_ignore_ascii_case(word));
        let named = is(segments.next(), "operations");
        let location = segments.next()?;
        let regional = is(segments.next(), "locations");
        format!("{location}/{id}").parse().ok().filter(|_| named && regional)
    }
}

/// Names an operation within a subscription. Holds no signature: asking by it needs the right to.
///
/// Written as `LOCATION/ID`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperationId {
    /// The region.
    pub location: String,
    /// The operation's id there.
    pub id: String,
}

impl fmt::Display for OperationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.location, self.id)
    }
}

/// A text that names no operation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} names no operation: it must be LOCATION/ID, of letters, digits and dashes")]
pub struct InvalidOperationId(String);

impl FromStr for OperationId {
    type Err = InvalidOperationId;

    fn from_str(text: &str) -> Result<Self, InvalidOperationId> {
        let plain = |part: &str| {
            let allowed = part.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
            !part.is_empty() && part.len() <= 128 && allowed
        };
        match text.split_once('/') {
            Some((location, id)) if plain(location) && plain(id) => {
                Ok(Self { location: location.to_owned(), id: id.to_owned() })
            }
            Some(_) | None => Err(InvalidOperationId(text.chars().take(256).collect())),
        }
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
    fn operation_urls_are_not_printed() {
        let url = OperationUrl::new("https://management.azure.com/operations/1?s=secret");
        assert!(!format!("{url:?} {url}").contains("secret"));
    }

    #[test]
    fn what_names_an_operation_is_kept_without_the_signature() {
        let of = |path: &str| {
            let url = format!("https://management.azure.com{path}?api-version=2025-03-01&t=1&c=MII&s=secret");
            OperationUrl::new(url).operation().map(|operation| operation.to_string())
        };
        let region = "/subscriptions/s-1/providers/Microsoft.ContainerService/locations/westeurope";
        assert_eq!(of(&format!("{region}/operations/0a-1")).as_deref(), Some("westeurope/0a-1"));
        assert_eq!(
            of(&format!("{}/operations/0a-1", region.to_uppercase())).as_deref(),
            Some("WESTEUROPE/0a-1")
        );
        for path in
            [format!("{region}/operationresults/0a-1"), format!("{region}/operations/a%2Fb"), "/1".to_owned()]
        {
            assert_eq!(of(&path), None, "{path}");
        }
        assert_eq!("westeurope/0a-1".parse::<OperationId>().unwrap().id, "0a-1");
        for text in ["", "westeurope", "/1", "a/b/c", "a/b?s=x"] {
            assert!(text.parse::<OperationId>().is_err(), "{text}");
        }
    }
}
