//! Credentials, chosen explicitly: no chain guesses, so that a mistake shows where it was made.
//!
//! May touch: the identity endpoint, the federated token file, and for developers their CLI.

use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

use azure_core::{
    cloud::{CloudConfiguration, CustomConfiguration},
    credentials::{AccessToken, Secret, TokenCredential, TokenRequestOptions},
    error::ErrorKind,
    http::{ClientMethodOptions, ClientOptions, ExponentialRetryOptions, RetryOptions},
};
use azure_identity::{
    ClientAssertion, ClientAssertionCredential, ClientAssertionCredentialOptions, ClientSecretCredential,
    ClientSecretCredentialOptions, DeveloperToolsCredential, ManagedIdentityCredential,
    ManagedIdentityCredentialOptions, UserAssignedId,
};
use url::Url;

use crate::{Error, transport};

/// The token scope of the API server of every AKS cluster, in every cloud.
pub const AKS_SERVER_SCOPE: &str = "6dae42f8-4368-4678-94ff-3960e28e3630/.default";

/// How long acquiring one token may take, retries included; less than one call's timeout, so that
/// the call's error says that it was the token.
const TOKEN_TIMEOUT: Duration = Duration::from_secs(30);

/// Which identity to use, and where to get its tokens.
#[derive(Clone, PartialEq, Eq)]
pub enum CredentialConfig {
    /// Entra Workload ID: a projected service account token is exchanged.
    WorkloadIdentity {
        /// The tenant.
        tenant_id: String,
        /// The application or managed identity.
        client_id: String,
        /// The projected token; read again at each exchange, since the kubelet rotates it.
        token_file: PathBuf,
        /// The authority, for example [`crate::Cloud::authority`].
        authority: Url,
    },
    /// The managed identity of the machine.
    ManagedIdentity {
        /// Which user-assigned identity; the system-assigned one when absent.
        client_id: Option<String>,
    },
    /// An application with a secret.
    ClientSecret {
        /// The tenant.
        tenant_id: String,
        /// The application.
        client_id: String,
        /// Its secret; never printed.
        secret: Secret,
        /// The authority, for example [`crate::Cloud::authority`].
        authority: Url,
    },
    /// Whoever is signed in to the Azure CLI or the Azure Developer CLI.
    DeveloperTools,
}

impl CredentialConfig {
    /// Builds the credential; `extra_ca_pem` is trusted in addition to the system's certificates.
    ///
    /// Does not ask for a token yet.
    ///
    /// # Errors
    /// [`Error::Configuration`] when the authority is not https, an id is malformed, or the
    /// certificates cannot be read.
    pub fn build(&self, extra_ca_pem: Option<&[u8]>) -> Result<Arc<dyn TokenCredential>, Error> {
        let inner: Arc<dyn TokenCredential> = match self {
            Self::WorkloadIdentity { tenant_id, client_id, token_file, authority } => {
                let options = client_options(Some(authority), extra_ca_pem)?;
                ClientAssertionCredential::new(
                    tenant_id.clone(),
                    client_id.clone(),
                    TokenFile(token_file.clone()),
                    Some(ClientAssertionCredentialOptions { client_options: options }),
                )
                .map_err(configuration)?
            }
            Self::ManagedIdentity { client_id } => {
                ManagedIdentityCredential::new(Some(ManagedIdentityCredentialOptions {
                    user_assigned_id: client_id.clone().map(UserAssignedId::ClientId),
                    client_options: client_options(None, extra_ca_pem)?,
                }))
                .map_err(configuration)?
            }
            Self::ClientSecret { tenant_id, client_id, secret, authority } => {
                let options = client_options(Some(authority), extra_ca_pem)?;
                let options = ClientSecretCredentialOptions { client_options: options };
                ClientSecretCredential::new(tenant_id, client_id.clone(), secret.clone(), Some(options))
                    .map_err(configuration)?
            }
            Self::DeveloperTools => DeveloperToolsCredential::new(None).map_err(configuration)?,
        };
        Ok(Arc::new(Timed(inner)))
    }
}

impl fmt::Debug for CredentialConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WorkloadIdentity { tenant_id, client_id, token_file, authority } => f
                .debug_struct("WorkloadIdentity")
                .field("tenant_id", tenant_id)
                .field("client_id", client_id)
                .field("token_file", token_file)
                .field("authority", &authority.as_str())
                .finish(),
            Self::ManagedIdentity { client_id } => {
                f.debug_struct("ManagedIdentity").field("client_id", client_id).finish()
            }
            Self::ClientSecret { tenant_id, client_id, secret: _, authority } => f
                .debug_struct("ClientSecret")
                .field("tenant_id", tenant_id)
                .field("client_id", client_id)
                .field("authority", &authority.as_str())
                .finish_non_exhaustive(),
            Self::DeveloperTools => f.write_str("DeveloperTools"),
        }
    }
}

/// Two more tries within seconds: the identity endpoints drop a request now and then, and a longer
/// wait belongs to whoever asked.
fn client_options(authority: Option<&Url>, extra_ca_pem: Option<&[u8]>) -> Result<ClientOptions, Error> {
    let cloud = authority.map(custom_cloud).transpose()?;
    Ok(ClientOptions {
        retry: RetryOptions::exponential(ExponentialRetryOptions {
            max_retries: 2,
            max_total_elapsed: azure_core::time::Duration::seconds(10),
            max_delay: azure_core::time::Duration::seconds(2),
            ..ExponentialRetryOptions::default()
        }),
        transport: Some(transport::build(extra_ca_pem)?),
        cloud: cloud.map(Arc::new),
        ..ClientOptions::default()
    })
}

fn custom_cloud(authority: &Url) -> Result<CloudConfiguration, Error> {
    if authority.scheme() != "https" {
        return Err(Error::Configuration(format!("the authority {authority} is not an https URL")));
    }
    let mut cloud = CustomConfiguration::default();
    cloud.authority_host = authority.to_string();
    Ok(cloud.into())
}

fn configuration(error: azure_core::Error) -> Error {
    Error::Configuration(format!("no credential: {}", transport::chain(&error)))
}

/// The federated token, read at each exchange.
#[derive(Debug)]
struct TokenFile(PathBuf);

#[async_trait::async_trait]
impl ClientAssertion for TokenFile {
    async fn secret(&self, _: Option<ClientMethodOptions<'_>>) -> azure_core::Result<String> {
        let path = &self.0;
        let text = tokio::fs::read_to_string(path).await.map_err(|error| {
            let message = format!("the federated token file {} cannot be read: {error}", path.display());
            azure_core::Error::with_error(ErrorKind::Credential, error, message)
        })?;
        Ok(text.trim().to_owned())
    }
}

/// Bounds the time for a token: the SDK would sleep as long as a Retry-After says.
#[derive(Debug)]
struct Timed(Arc<dyn TokenCredential>);

#[async_trait::async_trait]
impl TokenCredential for Timed {
    async fn get_token(
        &self,
        scopes: &[&str],
        options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        match tokio::time::timeout(TOKEN_TIMEOUT, self.0.get_token(scopes, options)).await {
            Ok(answer) => answer,
            Err(_) => Err(azure_core::Error::with_message(
                ErrorKind::Credential,
                format!("no token within {TOKEN_TIMEOUT:?}"),
            )),
        }
    }
}
