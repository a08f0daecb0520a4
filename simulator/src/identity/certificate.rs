//! Whether an assertion is signed with the key of a certificate that the identity has registered
//! ("Microsoft identity platform application authentication certificate credentials").

use jiff::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::Value;

use super::tenant::Denied;

/// Checks the assertion of `client_id` against these certificates, PEM.
///
/// `audiences` are the token endpoints and the issuer of the tenant.
pub(super) fn check(
    now: Timestamp,
    client_id: &str,
    certificates: &[String],
    token: &str,
    audiences: &[String],
) -> Result<(), Denied> {
    let header = jsonwebtoken::decode_header(token)
        .map_err(|_| denied(50_027, "JWT token is invalid or malformed."))?;
    if ![Algorithm::RS256, Algorithm::PS256].contains(&header.alg) {
        return Err(denied(
            5_002_738,
            format!(
                "Invalid JWT token. '{:?}' is not a supported signature algorithm; use PS256 or RS256.",
                header.alg
            ),
        ));
    }
    let mut validation = Validation::new(header.alg);
    validation.set_audience(audiences);
    // Time is an argument here; the library would look at the clock.
    validation.validate_exp = false;
    let claims = certificates.iter().find_map(|certificate| {
        let key = DecodingKey::from_rsa_pem(certificate.as_bytes()).ok()?;
        Some(jsonwebtoken::decode::<Value>(token, &key, &validation)).filter(|read| !is_signature_wrong(read))
    });
    let claims = claims.ok_or_else(|| {
        denied(
            700_027,
            format!(
                "The certificate with identifier used to sign the client assertion is not registered on application \
                 '{client_id}'."
            ),
        )
    })?;
    let claims = claims.map_err(|error| {
        denied(700_023, format!("Client assertion audience claim does not match Realm issuer: {error}."))
    })?;
    // Some libraries write fractions of a second.
    let expires = claims.claims["exp"].as_f64().unwrap_or_default();
    if expires <= now.as_duration().as_secs_f64() {
        return Err(denied(700_024, "Client assertion is not within its valid time range."));
    }
    Ok(())
}

fn is_signature_wrong<T>(read: &jsonwebtoken::errors::Result<T>) -> bool {
    use jsonwebtoken::errors::ErrorKind;
    read.as_ref().is_err_and(|error| matches!(error.kind(), ErrorKind::InvalidSignature))
}

fn denied(number: u32, message: impl Into<String>) -> Denied {
    Denied { error: "invalid_client", number, message: message.into() }
}
