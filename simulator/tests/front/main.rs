//! What tools do before and beside AKS: get to know the cloud, sign in, look around, and be told no.
#![expect(clippy::unwrap_used, reason = "helpers of a test end it")]

mod manager;
mod protocol;
mod sign_in;

use std::time::Duration;

use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;
use simulator::{Scenario, Simulator, StartOptions};

const SUBSCRIPTION: &str = "20000000-0000-4000-8000-000000000001";
const ARM: &str = "https://management.azure.com/.default";
const VERSION: &str = "api-version=2026-05-01";

const WEU: &str = "/resourceGroups/shop/providers/Microsoft.ContainerService/managedClusters/weu";

const SCENARIO: &str = "
tenant: 10000000-0000-4000-8000-000000000001
subscriptions:
  - { id: 20000000-0000-4000-8000-000000000001, name: Shop, resourceGroups: [{ name: empty, location: eastus }] }
  - { id: 20000000-0000-4000-8000-000000000002 }
identities:
  - { clientId: app, objectId: app-oid, secret: s3cret }
  - { clientId: machine, objectId: machine-oid, managed: true }
  - clientId: reader
    objectId: reader-oid
    secret: s3cret
    roles:
      - { scope: /subscriptions/20000000-0000-4000-8000-000000000001/resourceGroups/shop, actions: ['Microsoft.ContainerService/*/read', 'Microsoft.Authorization/permissions/read'] }
  - { clientId: nobody, objectId: nobody-oid, secret: s3cret, roles: [] }
clusters:
  - { subscription: 20000000-0000-4000-8000-000000000001, resourceGroup: shop, name: weu, kubernetesVersion: 1.34.4, pools: [{ name: apps }] }
  - { subscription: 20000000-0000-4000-8000-000000000001, resourceGroup: other, name: neu, kubernetesVersion: 1.34.4, pools: [{ name: apps }] }
";

struct Azure {
    simulator: Simulator,
    http: reqwest::Client,
}

impl Azure {
    async fn start() -> Self {
        Self::with(SCENARIO).await
    }

    async fn with(scenario: &str) -> Self {
        let scenario = Scenario::parse(scenario).unwrap();
        let simulator = Simulator::start(scenario, StartOptions::default()).await.unwrap();
        let ca = reqwest::Certificate::from_pem(simulator.ready().ca_pem.as_bytes()).unwrap();
        let http = reqwest::Client::builder().tls_certs_only([ca]).timeout(Duration::from_secs(10));
        Self { simulator, http: http.build().unwrap() }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = match path.strip_prefix('/') {
            Some(_) => format!("{}{path}", self.simulator.ready().endpoint),
            None => path.to_owned(),
        };
        self.http.request(method, url)
    }

    async fn json(&self, path: &str) -> Value {
        let response = self.request(Method::GET, path).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        response.json().await.unwrap()
    }

    async fn token(&self, path: &str, fields: &[(&str, &str)]) -> Result<Value, Value> {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let url = format!("/{}/{path}", self.simulator.ready().tenant);
        let answer: Value =
            self.request(Method::POST, &url).body(body).send().await.unwrap().json().await.unwrap();
        if answer.get("access_token").is_some() { Ok(answer) } else { Err(answer) }
    }

    async fn sign_in(&self, client_id: &str) -> String {
        let fields = secret(client_id, "s3cret", ("scope", ARM));
        let answer = self.token("oauth2/v2.0/token", &fields).await.unwrap();
        answer["access_token"].as_str().unwrap().to_owned()
    }

    /// A call of somebody: status, body, headers.
    async fn call(&self, token: &str, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
        let mut request = self.request(method, path).bearer_auth(token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        read(request.send().await.unwrap()).await
    }
}

async fn read(response: Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let body = response.bytes().await.unwrap();
    (status, serde_json::from_slice(&body).unwrap_or_default())
}

fn secret<'a>(client: &'a str, secret: &'a str, resource: (&'a str, &'a str)) -> Vec<(&'a str, &'a str)> {
    vec![("grant_type", "client_credentials"), ("client_id", client), ("client_secret", secret), resource]
}

fn code(body: &Value) -> &str {
    body["error"]["code"].as_str().unwrap_or_default()
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers().get(name).unwrap_or_else(|| panic!("no {name}")).to_str().unwrap()
}

fn in_subscription(path: &str) -> String {
    let mark = if path.contains('?') { '&' } else { '?' };
    let version = if path.contains("ContainerService/") { VERSION } else { "api-version=2021-04-01" };
    format!("/subscriptions/{SUBSCRIPTION}{path}{mark}{version}")
}
