//! Where a cluster's API server is: the only two things that are kept of a kubeconfig.

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use crate::Error;

const WHAT: &str = "reading a kubeconfig";

/// A cluster's API server and its certificate authority. Holds no credentials.
#[derive(Clone, PartialEq, Eq)]
pub struct Kubeconfig {
    /// The API server.
    pub server: Url,
    /// Its certificate authority, PEM; absent when it is publicly trusted.
    pub ca_pem: Option<Vec<u8>>,
}

impl fmt::Debug for Kubeconfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kubeconfig").field("server", &self.server.as_str()).finish_non_exhaustive()
    }
}

/// The part of a kubeconfig that is read; users and their secrets are skipped.
#[derive(Deserialize)]
struct File {
    #[serde(default)]
    clusters: Vec<Named>,
    #[serde(default)]
    contexts: Vec<NamedContext>,
    #[serde(default, rename = "current-context")]
    current_context: Option<String>,
}

#[derive(Deserialize)]
struct Named {
    name: String,
    cluster: Cluster,
}

#[derive(Deserialize)]
struct Cluster {
    server: String,
    #[serde(default, rename = "certificate-authority-data")]
    certificate_authority_data: Option<String>,
}

#[derive(Deserialize)]
struct NamedContext {
    name: String,
    context: ContextOf,
}

#[derive(Deserialize)]
struct ContextOf {
    cluster: String,
}

impl Kubeconfig {
    /// Reads the answer of `listClusterUserCredential`: base64 of YAML under `kubeconfigs[0].value`.
    pub(crate) fn from_answer(answer: &Value) -> Result<Self, Error> {
        let text = answer
            .pointer("/kubeconfigs/0/value")
            .and_then(Value::as_str)
            .ok_or_else(|| broken("it has no kubeconfig"))?;
        let yaml = STANDARD.decode(text).map_err(|_| broken("the kubeconfig is not base64"))?;
        let yaml = String::from_utf8(yaml).map_err(|_| broken("the kubeconfig is not text"))?;
        Self::from_yaml(&yaml)
    }

    /// Reads server and certificate authority of the current context.
    ///
    /// # Errors
    /// [`Error::Decode`] when there is no cluster or its server is not https. Messages never quote
    /// the file.
    pub fn from_yaml(yaml: &str) -> Result<Self, Error> {
        let file: File =
            serde_saphyr::from_str(yaml).map_err(|_| broken("the kubeconfig is not the expected YAML"))?;
        let wanted = file
            .current_context
            .and_then(|current| file.contexts.into_iter().find(|context| context.name == current))
            .map(|context| context.context.cluster);
        let mut clusters = file.clusters;
        let position =
            wanted.and_then(|name| clusters.iter().position(|cluster| cluster.name == name)).unwrap_or(0);
        if clusters.is_empty() {
            return Err(broken("the kubeconfig has no cluster"));
        }
        let cluster = clusters.swap_remove(position).cluster;
        let server = Url::parse(&cluster.server).map_err(|_| broken("the server is not a URL"))?;
        if server.scheme() != "https" {
            return Err(broken("the server is not https"));
        }
        let decode = |data: String| STANDARD.decode(data.trim());
        let ca_pem = cluster.certificate_authority_data.map(decode).transpose();
        Ok(Self { server, ca_pem: ca_pem.map_err(|_| broken("the certificate authority is not base64"))? })
    }
}

fn broken(problem: &str) -> Error {
    Error::Decode { what: WHAT, problem: problem.to_owned() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const YAML: &str = "
apiVersion: v1
kind: Config
clusters:
- name: other
  cluster: {server: 'https://other:443'}
- name: shop-eu
  cluster:
    certificate-authority-data: UEVN
    server: https://shop-eu.example.azmk8s.io:443
contexts:
- name: shop-eu
  context: {cluster: shop-eu, user: me}
current-context: shop-eu
users:
- name: me
  user: {token: top-secret}
";

    fn answer(yaml: &str) -> Value {
        json!({"kubeconfigs": [{"name": "clusterUser", "value": STANDARD.encode(yaml)}]})
    }

    #[test]
    fn server_and_authority_of_the_current_context() {
        let config = Kubeconfig::from_answer(&answer(YAML)).unwrap();
        assert_eq!(config.server.as_str(), "https://shop-eu.example.azmk8s.io/");
        assert_eq!(config.ca_pem.as_deref(), Some(b"PEM".as_slice()));
        assert!(!format!("{config:?}").contains("secret"));
    }

    #[test]
    fn broken_files_are_refused_without_quoting_them() {
        let table = [
            json!({}),
            json!({"kubeconfigs": []}),
            json!({"kubeconfigs": [{"value": "%%%"}]}),
            answer("users: [{name: x, user: {token: top-secret}}]"),
            answer("clusters: top-secret"),
            answer(&YAML.replace("https://shop", "http://shop")),
            answer(&YAML.replace("UEVN", "%%%")),
        ];
        for answer in table {
            let error = Kubeconfig::from_answer(&answer).unwrap_err().to_string();
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
