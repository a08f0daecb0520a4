//! A certificate authority of the simulator's own, made anew at each start.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::{
    ServerConfig,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};

/// The names that the server's certificate is for.
const NAMES: [&str; 3] = ["127.0.0.1", "::1", "localhost"];

/// What a server needs, and what its clients trust.
pub(crate) struct ServerIdentity {
    pub(crate) config: Arc<ServerConfig>,
    pub(crate) ca_pem: String,
    /// A secret of this start, for signing operation URLs.
    pub(crate) secret: Vec<u8>,
}

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// It could not be made.
    #[error("the simulator's certificate cannot be made: {0}")]
    Certificate(#[from] rcgen::Error),
    /// The TLS library refuses it.
    #[error("the simulator's certificate cannot be used: {0}")]
    Config(#[from] rustls::Error),
}

/// Makes a certificate authority and a certificate for the loopback addresses.
pub(crate) fn create() -> Result<ServerIdentity, TlsError> {
    let ca_key = KeyPair::generate()?;
    let mut ca = CertificateParams::default();
    ca.distinguished_name.push(DnType::CommonName, "Tidegate simulator CA");
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let ca_certificate = ca.self_signed(&ca_key)?;
    let issuer = Issuer::new(ca, ca_key);

    let key = KeyPair::generate()?;
    let mut server = CertificateParams::new(NAMES.map(str::to_owned))?;
    server.distinguished_name.push(DnType::CommonName, "Tidegate simulator");
    let certificate = server.signed_by(&key, &issuer)?;

    let secret = key.serialize_der();
    let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(secret.clone()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(ServerIdentity { config: Arc::new(config), ca_pem: ca_certificate.pem(), secret })
}
