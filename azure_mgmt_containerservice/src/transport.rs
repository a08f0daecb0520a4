//! The HTTP client below the client and the credentials.

use std::{sync::Arc, time::Duration};

use azure_core::{
    error::ErrorKind,
    http::{AsyncRawResponse, HttpClient, Request},
};

use crate::Error;

/// Long enough for a slow network, short enough to leave time within one request's timeout.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// An HTTP client that trusts the system's certificates and those in `extra_ca_pem`.
///
/// Redirects are not followed: ARM does not use them, and a token must not travel along.
pub(crate) fn build(extra_ca_pem: Option<&[u8]>) -> Result<Arc<dyn HttpClient>, Error> {
    let mut builder = reqwest::Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none());
    if let Some(pem) = extra_ca_pem {
        let certificates = reqwest::Certificate::from_pem_bundle(pem).map_err(|error| {
            Error::Configuration(format!("the extra certificate authority is not PEM: {error}"))
        })?;
        if certificates.is_empty() {
            return Err(Error::Configuration(
                "the extra certificate authority contains no certificate".to_owned(),
            ));
        }
        builder = builder.tls_certs_merge(certificates);
    }
    let client = builder
        .build()
        .map_err(|error| Error::Configuration(format!("no HTTP client: {}", chain(&error))))?;
    Ok(Arc::new(WithoutUrls(client)))
}

/// An error with its causes in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// Takes URLs out of errors: those of operations are signed, and errors end up in logs.
#[derive(Debug)]
struct WithoutUrls(reqwest::Client);

#[async_trait::async_trait]
impl HttpClient for WithoutUrls {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        self.0.execute_request(request).await.map_err(|error| {
            let is_connection = matches!(error.kind(), ErrorKind::Connection);
            let kind = if is_connection { ErrorKind::Connection } else { ErrorKind::Io };
            match error.into_downcast::<reqwest::Error>() {
                Ok(inner) => {
                    let inner = inner.without_url();
                    let message = chain(&inner);
                    azure_core::Error::with_error(kind, inner, message)
                }
                Err(other) => other,
            }
        })
    }
}
