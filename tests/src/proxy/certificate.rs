//! One certificate for all proxies of a process, which is its own authority.

use std::sync::{Arc, LazyLock};

use anyhow::{Context as _, Result, anyhow};
use rcgen::{CertifiedKey, KeyPair};
use rustls::{
    ServerConfig,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};

struct Identity {
    ca_pem: String,
    server: Arc<ServerConfig>,
}

static IDENTITY: LazyLock<Result<Identity>> = LazyLock::new(create);

fn create() -> Result<Identity> {
    let CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(["127.0.0.1".to_owned(), "localhost".to_owned()])
            .context("a certificate for proxies")?;
    let key: &KeyPair = &signing_key;
    let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], private)?;
    // One call at a time on a connection, which ends with the call if its caller dies.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Identity { ca_pem: cert.pem(), server: Arc::new(config) })
}

fn identity() -> Result<&'static Identity> {
    IDENTITY.as_ref().map_err(|error| anyhow!("{error:#}"))
}

/// What clients of a proxy trust, PEM.
///
/// # Errors
/// When no certificate could be made.
pub fn ca_pem() -> Result<&'static str> {
    Ok(&identity()?.ca_pem)
}

pub(super) fn server() -> Result<Arc<ServerConfig>> {
    Ok(Arc::clone(&identity()?.server))
}
