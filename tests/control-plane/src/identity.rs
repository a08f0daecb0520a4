//! Who talks to an API server: client certificates as kubeconfig text and as client
//! configuration.

use anyhow::{Context, Result};
use base64::prelude::{BASE64_STANDARD, Engine};
use kube::config::AuthInfo;

use crate::pki::{Authority, Pair};

/// The cluster administrator that every control plane knows.
pub(crate) const ADMIN: (&str, &[&str]) = ("kubernetes-admin", &["system:masters"]);

/// A kubeconfig for `user`, YAML, with everything inline.
pub(crate) fn render_kubeconfig(
    authority: &Authority,
    url: &str,
    user: &str,
    groups: &[&str],
) -> Result<String> {
    let Pair { certificate, key } = authority.issue_client(user, groups)?;
    let encode = |pem: String| BASE64_STANDARD.encode(pem);
    Ok(format!(
        "apiVersion: v1
kind: Config
current-context: default
contexts:
- name: default
  context:
    cluster: default
    user: default
clusters:
- name: default
  cluster:
    server: {url}
    certificate-authority-data: {authority}
users:
- name: default
  user:
    client-certificate-data: {certificate}
    client-key-data: {key}
",
        authority = encode(authority.pem()),
        certificate = encode(certificate),
        key = encode(key),
    ))
}

/// A client configuration for `user`, without kube's own retries: they hide outages and
/// refused evictions for minutes.
pub(crate) fn client_config(
    authority: &Authority,
    url: &str,
    user: &str,
    groups: &[&str],
) -> Result<kube::Config> {
    let Pair { certificate, key } = authority.issue_client(user, groups)?;
    let mut config = kube::Config::new(url.parse().context("the API server's address")?);
    config.root_cert = Some(vec![authority.der()]);
    config.default_retry = false;
    config.auth_info = AuthInfo {
        client_certificate_data: Some(BASE64_STANDARD.encode(certificate)),
        client_key_data: Some(BASE64_STANDARD.encode(key).into()),
        ..AuthInfo::default()
    };
    Ok(config)
}

/// A client for `config`. Aws-lc-rs becomes the process's TLS provider, unless it has one.
pub(crate) fn build_client(config: kube::Config) -> Result<kube::Client> {
    // An error means that a provider is installed already.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    kube::Client::try_from(config).context("making a client")
}
