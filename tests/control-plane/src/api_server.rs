//! kube-apiserver: its files, its flags and when it counts as ready.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::json;

use crate::options::{EntraIssuer, Options};
use crate::pki::{self, Authority};

/// The range of cluster IPs. Nothing routes them.
const SERVICE_RANGE: &str = "10.96.0.0/16";

/// The files and fixed choices of one API server; a port and a version make it flags.
#[derive(Debug)]
pub(crate) struct ApiServer {
    folder: PathBuf,
    etcd_url: String,
    name: String,
    entra: bool,
    audit: bool,
}

impl ApiServer {
    /// Writes the files that kube-apiserver reads into `folder`.
    pub(crate) fn prepare(
        folder: &Path,
        authority: &Authority,
        etcd_url: String,
        options: &Options,
    ) -> Result<Self> {
        let server = authority.issue_server(&options.name)?;
        write(folder, "ca.crt", &authority.pem())?;
        write(folder, "server.crt", &server.certificate)?;
        write(folder, "server.key", &server.key)?;
        let service_account_key = pki::generate_service_account_key()?;
        write(folder, "service-account.key", &service_account_key)?;
        if let Some(issuer) = &options.entra {
            let configuration = authentication_configuration(issuer);
            write(folder, "authentication.json", &configuration.to_string())?;
        }
        if options.audit_log {
            write(folder, "audit-policy.json", &audit_policy().to_string())?;
        }
        Ok(Self {
            folder: folder.to_owned(),
            etcd_url,
            name: options.name.clone(),
            entra: options.entra.is_some(),
            audit: options.audit_log,
        })
    }

    /// The file that audit events go to, one JSON object per line.
    pub(crate) fn audit_log(&self) -> Option<PathBuf> {
        self.audit.then(|| self.folder.join("audit.log"))
    }

    /// The command line.
    pub(crate) fn arguments(&self, port: u16, emulated_minor: Option<u32>) -> Vec<String> {
        let url = format!("https://127.0.0.1:{port}");
        let file = |name: &str| self.folder.join(name).display().to_string();
        let mut arguments = vec![
            format!("--etcd-servers={}", self.etcd_url),
            format!("--etcd-prefix=/{}", self.name),
            "--bind-address=127.0.0.1".to_owned(),
            "--advertise-address=127.0.0.1".to_owned(),
            format!("--secure-port={port}"),
            format!("--tls-cert-file={}", file("server.crt")),
            format!("--tls-private-key-file={}", file("server.key")),
            format!("--cert-dir={}", file("certificates")),
            format!("--client-ca-file={}", file("ca.crt")),
            "--authorization-mode=RBAC,Node".to_owned(),
            "--allow-privileged".to_owned(),
            format!("--service-cluster-ip-range={SERVICE_RANGE}"),
            // Loopback is refused as an endpoint.
            "--endpoint-reconciler-type=none".to_owned(),
            format!("--service-account-issuer={url}"),
            // Without it the discovery document names the machine's own address.
            format!("--service-account-jwks-uri={url}/openid/v1/jwks"),
            format!("--service-account-key-file={}", file("service-account.key")),
            format!("--service-account-signing-key-file={}", file("service-account.key")),
            "--profiling=false".to_owned(),
            "--v=0".to_owned(),
        ];
        if let Some(minor) = emulated_minor {
            arguments.push(format!("--emulated-version=kube=1.{minor}"));
        }
        if self.entra {
            let configuration = file("authentication.json");
            arguments.push(format!("--authentication-config={configuration}"));
        }
        if self.audit {
            arguments.push(format!("--audit-policy-file={}", file("audit-policy.json")));
            arguments.push(format!("--audit-log-path={}", file("audit.log")));
        }
        arguments
    }
}

/// As an AKS cluster with Entra integration: object ids are user names and group names.
fn authentication_configuration(issuer: &EntraIssuer) -> serde_json::Value {
    let EntraIssuer { issuer_url, ca_pem, audience } = issuer;
    json!({
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "AuthenticationConfiguration",
        "jwt": [{
            "issuer": {
                "url": issuer_url,
                "certificateAuthority": ca_pem,
                "audiences": [audience],
            },
            "claimMappings": {
                "username": { "claim": "oid", "prefix": "" },
                "groups": { "claim": "groups", "prefix": "" },
            },
        }],
    })
}

fn audit_policy() -> serde_json::Value {
    json!({
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [{ "level": "Metadata" }],
    })
}

fn write(folder: &Path, name: &str, content: &str) -> Result<()> {
    let path = folder.join(name);
    std::fs::write(&path, content).with_context(|| format!("writing {}", path.display()))
}
