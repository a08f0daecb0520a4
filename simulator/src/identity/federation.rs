//! Federated credentials: a token of another issuer in place of a secret.
//!
//! Once the issuer's keys are known ([`crate::Simulator::trust_issuer`]) the token's
//! signature and times are checked against them. Before that only its claims are compared
//! with the identity's credential: enough for a demo, and said so in the log.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use jsonwebtoken::{DecodingKey, Validation, jwk::JwkSet};
use serde::Deserialize;

use super::tenant::Denied;
use crate::scenario::{Federated, Identity};

#[derive(Debug, Deserialize)]
struct Assertion {
    iss: String,
    sub: String,
    aud: Audience,
    /// Some libraries write fractions of a second.
    exp: f64,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Audience {
    fn holds(&self, wanted: &str) -> bool {
        match self {
            Self::One(audience) => audience == wanted,
            Self::Several(audiences) => audiences.iter().any(|audience| audience == wanted),
        }
    }
}

/// Whether `token` matches the federated credential of `identity`.
pub(super) fn check(
    now: Timestamp,
    identity: &Identity,
    token: &str,
    trusted: &BTreeMap<String, JwkSet>,
) -> Result<(), Denied> {
    let Some(Federated { issuer, subject, audience }) = &identity.federated else {
        return Err(denied(
            70_025,
            format!("The client '{}' has no configured federated identity credentials.", identity.client_id),
        ));
    };
    let assertion = read_claims(token).ok_or_else(|| denied(50_027, "JWT token is invalid or malformed."))?;
    if assertion.iss != *issuer || assertion.sub != *subject {
        return Err(denied(
            700_213,
            format!(
                "No matching federated identity record found for presented assertion issuer '{}' and subject '{}'.",
                assertion.iss, assertion.sub
            ),
        ));
    }
    if !assertion.aud.holds(audience) {
        return Err(denied(
            700_212,
            format!(
                "No matching federated identity record found: the assertion's audience is not '{audience}'."
            ),
        ));
    }
    if assertion.exp <= now.as_duration().as_secs_f64() {
        return Err(denied(700_024, "Client assertion is not within its valid time range."));
    }
    match trusted.get(issuer) {
        Some(keys) => check_signature(token, keys, audience),
        None => {
            tracing::warn!(issuer, "no keys of this issuer are known: its token is believed unchecked");
            Ok(())
        }
    }
}

/// Who issued an assertion, by its own word.
pub(super) fn issuer(token: &str) -> Option<String> {
    read_claims(token).map(|assertion| assertion.iss)
}

fn read_claims(token: &str) -> Option<Assertion> {
    let payload = token.split('.').nth(1)?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
}

fn check_signature(token: &str, keys: &JwkSet, audience: &str) -> Result<(), Denied> {
    let invalid = |why: String| denied(50_013, format!("Assertion failed signature validation: {why}."));
    let header = jsonwebtoken::decode_header(token).map_err(|error| invalid(error.to_string()))?;
    let key = match &header.kid {
        Some(id) => keys.find(id),
        None => keys.keys.first(),
    };
    let key = key.ok_or_else(|| invalid("the key was not found".to_owned()))?;
    let key = DecodingKey::from_jwk(key).map_err(|error| invalid(error.to_string()))?;
    let mut validation = Validation::new(header.alg);
    validation.set_audience(&[audience]);
    let checked = jsonwebtoken::decode::<serde_json::Value>(token, &key, &validation);
    checked.map(drop).map_err(|error| invalid(error.to_string()))
}

fn denied(number: u32, message: impl Into<String>) -> Denied {
    Denied { error: "invalid_client", number, message: message.into() }
}
