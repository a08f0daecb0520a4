//! A request's parts: who sends it, under which conditions, and its body.

use axum::{
    body::{Body, Bytes},
    extract::Request,
    http::{HeaderMap, HeaderName, Method, header},
};
use jsonwebtoken::errors::ErrorKind;
use serde_json::Value;

use super::authorize::Caller;
use crate::{server::Shared, world::Refusal};

/// Azure Resource Manager's limit, in bytes ("Azure subscription and service limits").
const LARGEST_BODY: usize = 4 * 1024 * 1024;

/// A request without its body.
#[derive(Debug)]
pub(super) struct Incoming {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) query: String,
    pub(super) headers: HeaderMap,
}

impl Incoming {
    pub(super) fn new(request: Request) -> (Self, Body) {
        let (parts, body) = request.into_parts();
        let incoming = Self {
            method: parts.method,
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            headers: parts.headers,
        };
        (incoming, body)
    }

    /// A header, when it is text.
    pub(super) fn header(&self, name: impl Into<HeaderName>) -> Option<&str> {
        self.headers.get(name.into()).and_then(|value| value.to_str().ok())
    }

    pub(super) fn if_match(&self) -> Option<String> {
        self.header(header::IF_MATCH).map(str::to_owned)
    }

    /// Whoever presents a token that is good for Azure Resource Manager.
    pub(super) fn caller(&self, shared: &Shared) -> Result<Caller, Refusal> {
        let refusal = |code: &str, message: &str| Refusal::arm(401, code, message);
        let value = self.header(header::AUTHORIZATION);
        let token = value.and_then(|value| value.split_once(' '));
        let token = token.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).map(|(_, token)| token);
        let token = token.ok_or_else(|| {
            refusal(
                "AuthenticationFailed",
                "Authentication failed. The 'Authorization' header is missing, or is no bearer token.",
            )
        })?;
        let claims = shared.tenant.arm_caller(token.trim()).map_err(|error| {
            if matches!(error.kind(), ErrorKind::ExpiredSignature) {
                refusal(
                    "ExpiredAuthenticationToken",
                    "The access token expiry UTC time is earlier than current UTC time.",
                )
            } else if matches!(error.kind(), ErrorKind::InvalidAudience) {
                refusal(
                    "InvalidAuthenticationTokenAudience",
                    "The access token has been obtained for wrong audience or resource.",
                )
            } else {
                refusal("InvalidAuthenticationToken", "The access token is invalid.")
            }
        })?;
        let roles = shared.tenant.roles(&claims);
        Ok(Caller { object_id: claims.oid, client_id: claims.appid, roles })
    }
}

/// The body, as far as it is not too large.
pub(super) async fn read(body: Body) -> Result<Bytes, Refusal> {
    axum::body::to_bytes(body, LARGEST_BODY).await.map_err(|_too_large_or_cut| {
        Refusal::arm(
            413,
            "RequestContentTooLarge",
            "The request content size exceeds the maximum size of 4 MB.",
        )
    })
}

/// The body as JSON; null when there is none.
pub(super) fn json(body: &[u8]) -> Result<Value, Refusal> {
    if body.is_empty() {
        return Ok(Value::Null);
    }
    // Some clients begin with a byte order mark.
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    serde_json::from_slice(body).map_err(|error| {
        let message = format!("The request content was invalid and could not be deserialized: '{error}'.");
        Refusal::arm(400, "InvalidRequestContent", message)
    })
}
