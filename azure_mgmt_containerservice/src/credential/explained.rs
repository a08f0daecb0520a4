//! Makes a credential's errors say which one was tried, why it failed, and what would be right.

use std::{sync::Arc, time::Duration};

use azure_core::{
    credentials::{AccessToken, TokenCredential, TokenRequestOptions},
    error::ErrorKind,
};

use super::{CredentialConfig, federated_token::Claims, hints};
use crate::transport;

/// How long acquiring one token may take, retries included; less than one call's timeout, so that
/// the call's error says that it was the token.
const TOKEN_TIMEOUT: Duration = Duration::from_secs(30);

/// A credential with its configuration, for its errors; and with a bound on its time, because the SDK
/// would sleep as long as a Retry-After says.
#[derive(Debug)]
pub(super) struct Explained {
    inner: Arc<dyn TokenCredential>,
    config: CredentialConfig,
}

impl Explained {
    pub(super) fn new(inner: Arc<dyn TokenCredential>, config: CredentialConfig) -> Self {
        Self { inner, config }
    }

    async fn explain(&self, error: azure_core::Error) -> azure_core::Error {
        let cause = cause(&transport::chain(&error));
        let claims = match &self.config {
            CredentialConfig::WorkloadIdentity { token_file, .. } => {
                tokio::fs::read_to_string(token_file).await.ok().and_then(|token| Claims::of(&token))
            }
            CredentialConfig::ManagedIdentity { .. }
            | CredentialConfig::ClientSecret { .. }
            | CredentialConfig::DeveloperTools => None,
        };
        let mut message = format!("{}: {cause}", self.config);
        if let Some(hint) = hints::hint(&self.config, &cause, claims.as_ref()) {
            message.push_str(&format!(" ({hint})"));
        }
        // Without its source: the message has all of it, and whoever prints causes would repeat it.
        azure_core::Error::with_message(ErrorKind::Credential, message)
    }
}

#[async_trait::async_trait]
impl TokenCredential for Explained {
    async fn get_token(
        &self,
        scopes: &[&str],
        options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let answer = match tokio::time::timeout(TOKEN_TIMEOUT, self.inner.get_token(scopes, options)).await {
            Ok(answer) => answer,
            Err(_) => Err(azure_core::Error::with_message(
                ErrorKind::Credential,
                format!("no token within {TOKEN_TIMEOUT:?}"),
            )),
        };
        match answer {
            Ok(token) => Ok(token),
            Err(error) => Err(self.explain(error).await),
        }
    }
}

/// How long a cause may be, in characters: Entra's are a few hundred.
const CAUSE_LIMIT: usize = 800;

/// The SDK's messages in one line, without its own names, its link to a page about Rust and its
/// repetitions.
fn cause(chain: &str) -> String {
    let chain = as_entra_said(chain);
    let mut said: Vec<String> = Vec::new();
    for part in chain.split(" authentication failed.") {
        // The name of the SDK's type stands at the end of what came before.
        let part = part.split("To troubleshoot, visit").next().unwrap_or_default();
        let words: Vec<&str> = part.split_whitespace().collect();
        let words = match words.split_last() {
            Some((last, before)) if last.ends_with("Credential") => before.join(" "),
            _ => words.join(" "),
        };
        let words = words.trim_matches([' ', ':']).to_owned();
        if !words.is_empty() && !said.iter().any(|known| known.contains(&words)) {
            said.push(words);
        }
    }
    said.join(": ").chars().take(CAUSE_LIMIT).collect()
}

/// What Entra said, where the SDK (azure_identity 1.0) cannot read it: descriptions with line breaks,
/// which all of Entra's have, make it complain about their type instead.
fn as_entra_said(chain: &str) -> String {
    let quoted = chain
        .split_once("invalid type: string \"")
        .and_then(|(_, rest)| Some(rest.split_once("\", expected a borrowed string")?.0));
    match quoted {
        Some(text) => text.replace("\\r", " ").replace("\\n", " ").replace("\\\"", "\"").replace("\\'", "'"),
        None => chain.to_owned(),
    }
}

/// See [`crate::checks`].
#[cfg(any(test, fuzzing))]
pub(super) fn check(text: &str) {
    let cause = cause(text);
    assert!(cause.chars().count() <= CAUSE_LIMIT && !cause.contains(['\r', '\n']));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_one_line_of_what_entra_said() {
        let table = [
            (
                "ClientSecretCredential authentication failed. AADSTS7000215: wrong.\r\nTrace ID: t\n\
                 To troubleshoot, visit https://aka.ms/x: AADSTS7000215: wrong.\r\nTrace ID: t",
                "AADSTS7000215: wrong. Trace ID: t",
            ),
            (
                "ClientSecretCredential authentication failed. invalid type: string \"AADSTS1: it\\'s \\\"x\\\".\\r\\n\
                 Trace ID: t\", expected a borrowed string at line 1 column 9",
                "AADSTS1: it's \"x\". Trace ID: t",
            ),
            (
                "ClientAssertionCredential authentication failed. retry policy expired: error sending request",
                "retry policy expired: error sending request",
            ),
            ("no token within 30s", "no token within 30s"),
            ("", ""),
        ];
        for (message, expected) in table {
            assert_eq!(cause(message), expected);
        }
        assert_eq!(cause(&"é ".repeat(2000)).chars().count(), CAUSE_LIMIT);
    }
}
