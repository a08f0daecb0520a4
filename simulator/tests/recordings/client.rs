//! A simulator in this process, and a client that has signed in.

use std::{collections::BTreeMap, time::Duration};

use reqwest::Method;
use serde_json::{Value, json};
use simulator::{Scenario, Simulator, StartOptions};

/// Who asks.
pub(crate) const CLIENT: &str = "app";
const SECRET: &str = "s3cret";

/// An answer of the simulator.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    /// Null for none; a text when it is no JSON.
    pub(crate) body: Value,
}

/// Speaks to a simulator over HTTPS.
pub(crate) struct Client {
    simulator: Simulator,
    http: reqwest::Client,
    token: String,
}

/// The identity that a scenario needs for this client.
pub(crate) fn identity() -> Value {
    json!({ "clientId": CLIENT, "objectId": "30000000-0000-4000-8000-000000000001", "secret": SECRET })
}

impl Client {
    pub(crate) async fn start(scenario: Scenario, options: StartOptions) -> Self {
        let simulator = Simulator::start(scenario, options).await.unwrap();
        let ca = reqwest::Certificate::from_pem(simulator.ready().ca_pem.as_bytes()).unwrap();
        let http = reqwest::Client::builder().tls_certs_only([ca]).timeout(Duration::from_secs(10));
        let mut client = Self { simulator, http: http.build().unwrap(), token: String::new() };
        client.token = client.sign_in().await;
        client
    }

    async fn sign_in(&self) -> String {
        let ready = self.simulator.ready();
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs([
                ("grant_type", "client_credentials"),
                ("client_id", CLIENT),
                ("client_secret", SECRET),
                ("scope", "https://management.azure.com/.default"),
            ])
            .finish();
        let url = format!("{}/{}/oauth2/v2.0/token", ready.authority, ready.tenant);
        let answer: Value = self.http.post(url).body(body).send().await.unwrap().json().await.unwrap();
        answer["access_token"].as_str().unwrap().to_owned()
    }

    /// The URL of a path, with a stable api-version.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}?api-version=2026-05-01", self.simulator.ready().endpoint)
    }

    pub(crate) fn endpoint(&self) -> &str {
        &self.simulator.ready().endpoint
    }

    /// Switches a quirk on.
    pub(crate) async fn quirk(&self, rule: &Value) {
        let url = format!("{}/quirks", self.simulator.ready().control);
        let added = reqwest::Client::new().post(url).json(rule).send().await.unwrap();
        assert_eq!(added.status(), 201, "{rule}");
    }

    pub(crate) async fn send(&self, method: Method, url: &str, body: Option<&Value>) -> Reply {
        let mut request = self.http.request(method, url).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.unwrap();
        let headers = response.headers().iter();
        let headers = headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
        let headers = headers.collect();
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        let body = if text.is_empty() {
            Value::Null
        } else {
            serde_json::from_str(&text).unwrap_or(Value::String(text))
        };
        Reply { status, headers, body }
    }

    pub(crate) async fn stop(self) {
        self.simulator.stop().await;
    }
}
