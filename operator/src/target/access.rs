//! How a target cluster is reached: with an Entra token, or with a kubeconfig from a Secret.
//!
//! From Azure's kubeconfig only server and certificate authority are used; the token is ours.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use azure_core::credentials::TokenCredential;
use azure_mgmt_containerservice::{
    AKS_SERVER_SCOPE, Client as AzureClient, ClusterId, Error as AzureError, Kubeconfig,
};
use crds::{AKSCluster, ClusterAccess, KubeconfigAccess};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Client, Config, Resource as _, ResourceExt,
    config::{AuthInfo, KubeConfigOptions},
};

use super::kubeconfig::{RefusedKubeconfig, sanitise};
use crate::clock::real_now;

/// A client is built anew this long before its token expires.
const TOKEN_MARGIN: Duration = Duration::from_secs(300);
/// A client from a Secret is built anew after this time, so that a changed Secret counts.
const SECRET_TTL: Duration = Duration::from_secs(300);
/// Where a cluster's API is changes when it is made anew or its certificate authority is rotated.
const ENDPOINT_TTL: Duration = Duration::from_secs(24 * 3600);
/// Azure is asked for it no more often than this, however often the cluster cannot be reached.
const ENDPOINT_MIN_AGE: Duration = Duration::from_secs(3600);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// Why a target cluster cannot be reached.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TargetError {
    /// Azure does not tell where it is.
    #[error("Azure does not tell where the cluster's API is")]
    Credential(#[source] AzureError),
    /// Entra gives no token.
    #[error("Entra gives no token for the cluster's API")]
    Token(#[source] azure_core::Error),
    /// The Secret cannot be read.
    #[error("spec.access.kubeconfig.secretRef: Secret {name} cannot be read")]
    Secret {
        /// Its name.
        name: String,
        /// Why.
        source: Box<kube::Error>,
    },
    /// The Secret has no such key.
    #[error("spec.access.kubeconfig.secretRef: Secret {name} has no key {key}")]
    SecretKey {
        /// Its name.
        name: String,
        /// The key.
        key: String,
    },
    /// The kubeconfig is refused.
    #[error("spec.access.kubeconfig: Secret {name}, {refused}")]
    Kubeconfig {
        /// Name of the Secret.
        name: String,
        /// What is wrong with it.
        refused: RefusedKubeconfig,
    },
    /// The client cannot be set up.
    #[error("the client for the cluster's API cannot be set up: {0}")]
    Client(String),
}

impl TargetError {
    /// Whether the specification is at fault, rather than the way there.
    #[must_use]
    pub(crate) fn is_invalid_spec(&self) -> bool {
        match self {
            Self::SecretKey { .. } | Self::Kubeconfig { .. } => true,
            Self::Credential(_) | Self::Token(_) | Self::Secret { .. } | Self::Client(_) => false,
        }
    }
}

/// Makes clients for target clusters, and keeps each until its credential is about to expire.
pub(crate) struct TargetAccess {
    hub: Client,
    credential: Arc<dyn TokenCredential>,
    clients: Mutex<BTreeMap<String, (Timestamp, Client)>>,
    /// Where clusters' APIs are, as Azure says, by the clusters' ids in lower case.
    endpoints: Mutex<BTreeMap<String, (Timestamp, Kubeconfig)>>,
}

impl TargetAccess {
    /// Access by way of these.
    #[must_use]
    pub(crate) fn new(hub: Client, credential: Arc<dyn TokenCredential>) -> Self {
        Self { hub, credential, clients: Mutex::default(), endpoints: Mutex::default() }
    }

    /// A client for the cluster's API. Where that is, `azure` is asked.
    ///
    /// # Errors
    /// When the cluster cannot be reached as its specification says.
    pub(crate) async fn client(
        &self,
        azure: &AzureClient,
        cluster: &AKSCluster,
        id: &ClusterId,
    ) -> Result<Client, TargetError> {
        // The generation is part of the key: changed access means another client.
        let key = format!(
            "{} {}/{}",
            id.as_str().to_lowercase(),
            cluster.uid().unwrap_or_default(),
            cluster.meta().generation.unwrap_or_default()
        );
        let known = self.clients.lock().ok().and_then(|clients| clients.get(&key).cloned());
        if let Some((expires, client)) = known
            && real_now() < expires
        {
            return Ok(client);
        }
        let (expires, config) = match &cluster.spec.access {
            ClusterAccess::Entra(_) => self.entra(azure, id).await?,
            ClusterAccess::Kubeconfig(access) => {
                self.kubeconfig(&cluster.namespace().unwrap_or_default(), access).await?
            }
        };
        let client =
            Client::try_from(bounded(config)).map_err(|error| TargetError::Client(error.to_string()))?;
        if let Ok(mut clients) = self.clients.lock() {
            clients.retain(|_, (expires, _)| real_now() < *expires);
            clients.insert(key, (expires, client.clone()));
        }
        Ok(client)
    }

    /// Asks Azure again where a cluster is that cannot be reached, next time; not more often than once
    /// in a while.
    pub(crate) fn forget(&self, id: &ClusterId) {
        let id = id.as_str().to_lowercase();
        let Ok(mut endpoints) = self.endpoints.lock() else { return };
        if endpoints.get(&id).is_none_or(|(read, _)| real_now() < *read + ENDPOINT_MIN_AGE) {
            return;
        }
        endpoints.remove(&id);
        if let Ok(mut clients) = self.clients.lock() {
            clients.retain(|key, _| key.split(' ').next() != Some(id.as_str()));
        }
    }

    async fn endpoint(&self, azure: &AzureClient, id: &ClusterId) -> Result<Kubeconfig, TargetError> {
        let key = id.as_str().to_lowercase();
        let known = self.endpoints.lock().ok().and_then(|endpoints| endpoints.get(&key).cloned());
        if let Some((read, endpoint)) = known
            && real_now() < read + ENDPOINT_TTL
        {
            return Ok(endpoint);
        }
        let answer = azure.managed_clusters().user_credential(id).await;
        let endpoint = answer.map_err(TargetError::Credential)?;
        if let Ok(mut endpoints) = self.endpoints.lock() {
            endpoints.retain(|_, (read, _)| real_now() < *read + ENDPOINT_TTL);
            endpoints.insert(key, (real_now(), endpoint.clone()));
        }
        Ok(endpoint)
    }

    async fn entra(&self, azure: &AzureClient, id: &ClusterId) -> Result<(Timestamp, Config), TargetError> {
        let answer = self.endpoint(azure, id).await?;
        let token = self.credential.get_token(&[AKS_SERVER_SCOPE], None).await.map_err(TargetError::Token)?;
        let server = answer
            .server
            .as_str()
            .parse()
            .map_err(|_| TargetError::Client("Azure names no server".to_owned()))?;
        let mut config = Config::new(server);
        if let Some(pem) = answer.ca_pem {
            let pem = pem_certificates(&pem).map_err(TargetError::Client)?;
            config.root_cert = Some(pem);
        }
        config.auth_info =
            AuthInfo { token: Some(token.token.secret().to_owned().into()), ..AuthInfo::default() };
        Ok((used_until(token.expires_on.unix_timestamp(), real_now()), config))
    }

    async fn kubeconfig(
        &self,
        namespace: &str,
        access: &KubeconfigAccess,
    ) -> Result<(Timestamp, Config), TargetError> {
        let (name, key) = (access.secret_ref.name.clone(), access.secret_ref.key.clone());
        let secrets: Api<Secret> = Api::namespaced(self.hub.clone(), namespace);
        let secret = secrets
            .get(&name)
            .await
            .map_err(|source| TargetError::Secret { name: name.clone(), source: Box::new(source) })?;
        let Some(data) = secret.data.as_ref().and_then(|data| data.get(&key)) else {
            return Err(TargetError::SecretKey { name, key });
        };
        let config = sanitise(&String::from_utf8_lossy(&data.0))
            .map_err(|refused| TargetError::Kubeconfig { name, refused })?;
        let config = Config::from_custom_kubeconfig(config, &KubeConfigOptions::default())
            .await
            .map_err(|error| TargetError::Client(error.to_string()))?;
        Ok((real_now() + SECRET_TTL, config))
    }
}

/// Until when a client with a token is used, from the second in which the token expires. One that
/// says nonsense is used once.
fn used_until(expires: i64, now: Timestamp) -> Timestamp {
    Timestamp::from_second(expires)
        .and_then(|expires| expires.checked_sub(jiff::SignedDuration::try_from(TOKEN_MARGIN)?))
        .unwrap_or(now)
}

/// kube has no read timeout by default, and would retry inside the call.
fn bounded(mut config: Config) -> Config {
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    config.read_timeout = Some(READ_TIMEOUT);
    config.write_timeout = Some(READ_TIMEOUT);
    // Else the time that a connection lay idle between two looks would count.
    config.reset_reader_on_write = true;
    config.default_retry = false;
    config
}

fn pem_certificates(pem: &[u8]) -> Result<Vec<Vec<u8>>, String> {
    use rustls::pki_types::{CertificateDer, pem::PemObject};
    CertificateDer::pem_slice_iter(pem)
        .map(|certificate| certificate.map(|der| der.to_vec()))
        .collect::<Result<_, _>>()
        .map_err(|error| format!("the cluster's certificate authority is not PEM: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_given_up_before_its_token_expires() {
        let now: Timestamp = "2026-12-05T22:00:00Z".parse().unwrap();
        let after = |seconds: i64| used_until(now.as_second() + seconds, now).duration_since(now).as_secs();
        assert_eq!(after(3600), 3300);
        assert!(after(60) < 0, "too short a life to be kept");
        assert_eq!(used_until(i64::MAX, now), now);
        assert_eq!(used_until(i64::MIN, now), now);
    }

    #[test]
    fn each_call_has_its_time_and_is_not_retried_inside() {
        let config = bounded(Config::new("https://example.test".parse().unwrap()));
        assert_eq!(
            (config.read_timeout, config.connect_timeout),
            (Some(READ_TIMEOUT), Some(CONNECT_TIMEOUT))
        );
        assert!(!config.default_retry && config.reset_reader_on_write);
    }

    #[test]
    fn an_authority_is_pem_or_refused_without_being_quoted() {
        assert_eq!(pem_certificates(b"").unwrap(), Vec::<Vec<u8>>::new());
        let error =
            pem_certificates(b"-----BEGIN CERTIFICATE-----\nhush!\n-----END CERTIFICATE-----\n").unwrap_err();
        assert!(error.contains("not PEM") && !error.contains("hush"), "{error}");
    }

    #[test]
    fn only_what_a_user_wrote_is_an_invalid_specification() {
        let (name, key) = ("s".to_owned(), "k".to_owned());
        assert!(TargetError::SecretKey { name, key }.is_invalid_spec());
        assert!(!TargetError::Client("no way".to_owned()).is_invalid_spec());
    }
}
