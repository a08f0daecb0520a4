//! A second pair of eyes on Azure: documents as any other client reads them.

use anyhow::{Context as _, Result};
use reqwest::{Method, Response};
use serde_json::{Value, json};
use simulator::{
    Ready,
    scenario::{Identity, Role},
};

use super::Stage;

const CLIENT_ID: &str = "40000000-0000-4000-8000-000000000002";
const SECRET: &str = "of-the-stage";
const API_VERSION: &str = "2026-05-01";
/// That of locks.
const LOCKS_VERSION: &str = "2020-05-01";

/// Who reads here; not the operator.
pub(super) fn identity() -> Identity {
    Identity {
        client_id: CLIENT_ID.to_owned(),
        object_id: "30000000-0000-4000-8000-000000000002".to_owned(),
        secret: Some(SECRET.to_owned()),
        federated: None,
        certificates: Vec::new(),
        managed: false,
        groups: Vec::new(),
        token_lifetime: None,
        roles: None,
    }
}

/// What the operator may do in Azure: the role that the guide publishes, and nothing else.
///
/// # Panics
/// When `docs/azure-role.json` is no role definition.
pub(super) fn role() -> Role {
    let definition: serde_json::Value = serde_json::from_str(include_str!("../../../docs/azure-role.json"))
        .expect("the guide's role is JSON");
    let actions = definition["Actions"].as_array().into_iter().flatten();
    let actions = actions.map(|action| action.as_str().expect("an action is text").to_owned());
    Role { scope: "/".to_owned(), actions: actions.collect(), not_actions: Vec::new() }
}

impl Stage {
    /// A document of a cluster as Azure has it; `below` is empty or for example `/agentPools/system`.
    ///
    /// # Errors
    /// When Azure does not answer.
    pub async fn arm(&self, cluster: &str, below: &str) -> Result<Value> {
        Ok(self.ask(Method::GET, cluster, below, None).await?.json().await?)
    }

    /// Something that somebody else asks of Azure, for example `/abort`.
    ///
    /// # Errors
    /// When Azure refuses.
    pub async fn arm_post(&self, cluster: &str, below: &str) -> Result<()> {
        self.ask(Method::POST, cluster, below, None).await.map(drop)
    }

    /// Somebody locks the cluster: whatever is to be changed is refused.
    ///
    /// # Errors
    /// When Azure refuses.
    pub async fn arm_lock(&self, cluster: &str) -> Result<()> {
        let lock = json!({ "properties": { "level": "ReadOnly" } });
        let below = "/providers/Microsoft.Authorization/locks/keep";
        self.ask(Method::PUT, cluster, below, Some(&lock)).await.map(drop)
    }

    /// Somebody deletes the cluster.
    ///
    /// # Errors
    /// When Azure refuses.
    pub async fn arm_delete(&self, cluster: &str) -> Result<()> {
        self.ask(Method::DELETE, cluster, "", None).await.map(drop)
    }

    async fn ask(
        &self,
        method: Method,
        cluster: &str,
        below: &str,
        body: Option<&Value>,
    ) -> Result<Response> {
        let address = format!("{}{below}", self.resource_id(cluster));
        ask(self.simulator.ready(), method, &address, body).await
    }
}

/// Asks something about what has this ARM id.
pub(super) async fn ask(ready: &Ready, method: Method, id: &str, body: Option<&Value>) -> Result<Response> {
    let ca = reqwest::Certificate::from_pem(ready.ca_pem.as_bytes())?;
    let client = reqwest::Client::builder().tls_certs_only([ca]).build()?;
    let form = format!(
        "grant_type=client_credentials&client_id={CLIENT_ID}&client_secret={SECRET}\
         &scope=https://management.azure.com/.default"
    );
    let token = client.post(format!("{}/{}/oauth2/v2.0/token", ready.authority, ready.tenant)).body(form);
    let token: Value = token.send().await?.error_for_status()?.json().await?;
    let token = token["access_token"].as_str().context("a token")?;
    let version = if id.contains("/locks/") { LOCKS_VERSION } else { API_VERSION };
    let url = format!("{}{id}?api-version={version}", ready.endpoint);
    let request = client.request(method, url).bearer_auth(token);
    let request = match body {
        Some(body) => request.header("content-type", "application/json").body(body.to_string()),
        None => request,
    };
    Ok(request.send().await?.error_for_status()?)
}
