//! A resource as Azure sent it, and a typed view of it.
//!
//! The document is the truth: a write is made from it, never from the view.

use std::fmt;

use azure_core::http::headers::Headers;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::headers;

/// What a typed view must be able to do: read itself out of a document.
///
/// Reading never fails: what is absent, null or of another type is not known (`None`, empty),
/// so that one odd field of one cluster does not hide a whole fleet. Decisions that need a field
/// must treat `None` as "not known", never as a value.
pub trait View {
    /// Reads the view out of `document`.
    fn read(document: &Value) -> Self;
}

/// A resource: the whole document, losslessly, and the view `V` of it.
#[derive(Clone)]
pub struct Document<V> {
    value: Value,
    view: V,
    etag: Option<ETag>,
}

impl<V: View> Document<V> {
    /// A document from its JSON; its eTag is the body's, if it has one.
    #[must_use]
    pub fn from_value(value: Value) -> Self {
        Self { view: V::read(&value), etag: etag(Some(&value), &Headers::new()), value }
    }

    pub(crate) fn from_response(value: Value, headers: &Headers) -> Self {
        Self { view: V::read(&value), etag: etag(Some(&value), headers), value }
    }
}

impl<V> Document<V> {
    /// The typed view.
    #[must_use]
    pub fn view(&self) -> &V {
        &self.view
    }

    /// The version of the document for `If-Match`; may be absent.
    #[must_use]
    pub fn etag(&self) -> Option<&ETag> {
        self.etag.as_ref()
    }

    /// The document as Azure sent it.
    #[must_use]
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// The document as Azure sent it, without the view.
    #[must_use]
    pub fn into_value(self) -> Value {
        self.value
    }

    /// The view, without the document.
    #[must_use]
    pub fn into_view(self) -> V {
        self.view
    }
}

impl<V: fmt::Debug> fmt::Debug for Document<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Document").field("view", &self.view).field("etag", &self.etag).finish_non_exhaustive()
    }
}

/// The version of a resource, for `If-Match`. Opaque.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(transparent)]
pub struct ETag(String);

impl ETag {
    /// An eTag as read from a document.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text to send.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The eTag of a resource: on the root (clusters), in the properties (pools), or in the header.
pub(crate) fn etag(document: Option<&Value>, headers: &Headers) -> Option<ETag> {
    let body = ["/eTag", "/properties/eTag", "/etag"]
        .into_iter()
        .find_map(|pointer| document?.pointer(pointer)?.as_str().filter(|text| !text.is_empty()));
    body.or_else(|| headers::text(headers, "etag")).map(ETag::new)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_body_wins_over_the_header_and_both_may_be_absent() {
        let mut headers = Headers::new();
        assert_eq!(etag(Some(&json!({})), &headers), None);
        assert_eq!(etag(None, &headers), None);
        headers.insert("etag", "from-header");
        assert_eq!(etag(Some(&json!({"eTag": null})), &headers), Some(ETag::new("from-header")));
        assert_eq!(etag(Some(&json!({"properties": {"eTag": "p"}})), &headers), Some(ETag::new("p")));
        assert_eq!(etag(Some(&json!({"eTag": "root"})), &headers), Some(ETag::new("root")));
        let empty_first = json!({"eTag": "", "properties": {"eTag": "p"}});
        assert_eq!(etag(Some(&empty_first), &headers), Some(ETag::new("p")));
    }
}
