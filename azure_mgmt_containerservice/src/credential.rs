//! Credentials, chosen explicitly: no chain guesses, so that a mistake shows where it was made.
//!
//! May touch: the identity endpoint, the federated token file, and for developers their CLI.
//!
//! Certificates of applications are missing on purpose: the SDK signs with OpenSSL only, which would
//! be a second TLS library that decides what is trusted. A federated credential needs no secret at all.

mod explained;
mod federated_token;
mod hints;

use std::{fmt, path::PathBuf, sync::Arc};

use azure_core::{
    cloud::{CloudConfiguration, CustomConfiguration},
    credentials::{Secret, TokenCredential},
    http::{ClientOptions, ExponentialRetryOptions, RetryOptions, Transport},
};
use azure_identity::{
    ClientAssertionCredential, ClientAssertionCredentialOptions, ClientSecretCredential,
    ClientSecretCredentialOptions, DeveloperToolsCredential, ManagedIdentityCredential,
    ManagedIdentityCredentialOptions, UserAssignedId,
};
use url::Url;

use self::{explained::Explained, federated_token::TokenFile};
use crate::{Error, transport};

/// The token scope of the API server of every AKS cluster, in every cloud.
pub const AKS_SERVER_SCOPE: &str = "6dae42f8-4368-4678-94ff-3960e28e3630/.default";

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
    /// Does not ask for a token yet. Errors of the credential say which one was tried, why it failed and
    /// what would be right, and never a secret.
    ///
    /// # Errors
    /// [`Error::Configuration`] when the authority is not https, an id is malformed, or the
    /// certificates cannot be read.
    pub fn build(&self, extra_ca_pem: Option<&[u8]>) -> Result<Arc<dyn TokenCredential>, Error> {
        let configuration = |error| Error::Configuration(format!("{self}: {}", transport::chain(&error)));
        let inner: Arc<dyn TokenCredential> = match self {
            Self::WorkloadIdentity { tenant_id, client_id, token_file, authority } => {
                let options = client_options(Some(authority), extra_ca_pem)?;
                ClientAssertionCredential::new(
                    tenant_id.clone(),
                    client_id.clone(),
                    TokenFile::new(token_file.clone()),
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
        Ok(Arc::new(Explained::new(inner, self.clone())))
    }
}

/// The kind with its ids, for people: never a secret.
impl fmt::Display for CredentialConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WorkloadIdentity { tenant_id, client_id, token_file, .. } => {
                let file = token_file.display();
                write!(f, "workload identity (client id {client_id}, tenant {tenant_id}, token file {file})")
            }
            Self::ManagedIdentity { client_id: Some(id) } => write!(f, "managed identity (client id {id})"),
            Self::ManagedIdentity { client_id: None } => f.write_str("managed identity (system-assigned)"),
            Self::ClientSecret { tenant_id, client_id, .. } => {
                write!(f, "client secret (client id {client_id}, tenant {tenant_id})")
            }
            Self::DeveloperTools => f.write_str("developer tools (az or azd)"),
        }
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
        transport: Some(Transport::new(transport::build(extra_ca_pem)?)),
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

/// See [`crate::checks`].
#[cfg(any(test, fuzzing))]
pub(crate) fn check(text: &str) {
    explained::check(text);
    if let Some(claims) = federated_token::Claims::of(text) {
        let config = CredentialConfig::DeveloperTools;
        assert!(hints::hint(&config, text, Some(&claims)).is_some());
    }
}
