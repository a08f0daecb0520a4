//! The federated token: a file that the kubelet rotates.

use std::path::PathBuf;

use azure_core::{error::ErrorKind, http::ClientMethodOptions};
use azure_identity::ClientAssertion;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Value;

/// The federated token, read at each exchange.
#[derive(Debug)]
pub(super) struct TokenFile(PathBuf);

impl TokenFile {
    pub(super) fn new(path: PathBuf) -> Self {
        Self(path)
    }
}

#[async_trait::async_trait]
impl ClientAssertion for TokenFile {
    async fn secret(&self, _: Option<ClientMethodOptions<'_>>) -> azure_core::Result<String> {
        let path = &self.0;
        let text = tokio::fs::read_to_string(path).await.map_err(|error| {
            let message = format!("the federated token file {} cannot be read: {error}", path.display());
            azure_core::Error::with_error(ErrorKind::Credential, error, message)
        })?;
        let token = text.trim();
        if token.is_empty() {
            let message = format!("the federated token file {} is empty", path.display());
            return Err(azure_core::Error::with_message(ErrorKind::Credential, message));
        }
        Ok(token.to_owned())
    }
}

/// What Entra compares with a federated credential; none of it is secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Claims {
    /// Who signed it: the cluster's issuer.
    pub(super) issuer: String,
    /// For whom: `system:serviceaccount:NAMESPACE:NAME`.
    pub(super) subject: String,
    /// To whom it may be shown.
    pub(super) audience: String,
}

impl Claims {
    /// The claims of a token, unverified; `None` when it is no token.
    pub(super) fn of(token: &str) -> Option<Self> {
        let payload = URL_SAFE_NO_PAD.decode(token.trim().split('.').nth(1)?).ok()?;
        let payload: Value = serde_json::from_slice(&payload).ok()?;
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let audience = payload.get("aud")?;
        Some(Self {
            issuer: text(payload.get("iss")?)?,
            subject: text(payload.get("sub")?)?,
            audience: text(audience).or_else(|| text(audience.get(0)?))?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_are_read_from_tokens_only() {
        let token = |payload: &str| format!("head.{}.signature", URL_SAFE_NO_PAD.encode(payload));
        let claims = Claims {
            issuer: "https://issuer".to_owned(),
            subject: "system:serviceaccount:a:b".to_owned(),
            audience: "api://AzureADTokenExchange".to_owned(),
        };
        let one = r#"{"iss":"https://issuer","sub":"system:serviceaccount:a:b","aud":"api://AzureADTokenExchange"}"#;
        let list = one.replace("\"api://AzureADTokenExchange\"", "[\"api://AzureADTokenExchange\"]");
        assert_eq!(Claims::of(&token(one)), Some(claims.clone()));
        assert_eq!(Claims::of(&token(&list)), Some(claims));
        for text in ["", "a.b.c", "no token", &token("[]"), &token("{}"), &token(&one.replace("sub", "x"))] {
            assert_eq!(Claims::of(text), None, "{text}");
        }
    }
}
