//! The whole simulator in front of a real API server: an upgrade asked for over HTTPS is to be
//! seen on real nodes, and a real disruption budget fails it.
#![expect(clippy::unwrap_used, reason = "helpers of a test end it")]

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use control_plane::{ControlPlane, EntraIssuer, Environment, Options};
use engine::TimeScale;
use k8s_openapi::api::{apps::v1::Deployment, core::v1::Node, policy::v1::PodDisruptionBudget};
use kube::{
    Api,
    api::{DeleteParams, ListParams, PostParams},
};
use reqwest::Method;
use serde_json::{Value, json};
use simulator::{
    ControlPlaneHost, Scenario, Simulator, StartOptions, Target, clock, identity::API_SERVER_AUDIENCE,
};

const SCENARIO: &str = "
identities: [{ clientId: app, objectId: operator, secret: s3cret, groups: ['system:masters'] }]
clusters:
  - subscription: s
    resourceGroup: shop
    name: weu
    kubernetesVersion: 1.34.4
    pools: [{ name: system, mode: System, count: 2, kubernetesVersion: 1.34.2, drainTimeoutInMinutes: 5 }]
";

const CLUSTER: &str =
    "/subscriptions/s/resourceGroups/shop/providers/Microsoft.ContainerService/managedClusters/weu";

/// A simulated minute in a tenth of a second.
const RATE: f64 = 600.0;

struct Host(Arc<ControlPlane>);

#[async_trait]
impl ControlPlaneHost for Host {
    async fn upgrade_to(&self, version: &str) -> Result<(), String> {
        let minor = version.split('.').nth(1).and_then(|minor| minor.parse().ok()).ok_or("no minor")?;
        self.0.set_emulated_minor(minor).await.map_err(|error| format!("{error:#}"))
    }
}

struct Client {
    simulator: Simulator,
    http: reqwest::Client,
}

impl Client {
    async fn token(&self, scope: &str) -> String {
        let ready = self.simulator.ready();
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs([
                ("grant_type", "client_credentials"),
                ("client_id", "app"),
                ("client_secret", "s3cret"),
            ])
            .append_pair("scope", scope)
            .finish();
        let url = format!("{}/{}/oauth2/v2.0/token", ready.authority, ready.tenant);
        let answer: Value = self.http.post(url).body(body).send().await.unwrap().json().await.unwrap();
        answer["access_token"].as_str().unwrap().to_owned()
    }

    async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> (Option<String>, Value) {
        let token = self.token("https://management.azure.com/.default").await;
        let url = if path.starts_with("https:") {
            path.to_owned()
        } else {
            format!("{}{path}?api-version=2026-05-01", self.simulator.ready().endpoint)
        };
        let mut request = self.http.request(method, url).bearer_auth(token);
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.unwrap();
        let operation = response.headers().get("azure-asyncoperation");
        let operation = operation.map(|url| url.to_str().unwrap().to_owned());
        (operation, response.json().await.unwrap())
    }

    async fn finish(&self, operation: &str) -> Value {
        for _ in 0..600 {
            let (_, status) = self.send(Method::GET, operation, None).await;
            if ["Succeeded", "Failed"].contains(&status["status"].as_str().unwrap()) {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("the operation did not end");
    }
}

/// Kubelet version and image of each node, as the real API server has them.
async fn nodes(client: &kube::Client) -> Vec<(String, String)> {
    let nodes = Api::<Node>::all(client.clone()).list(&ListParams::default()).await.unwrap();
    let versions = nodes.items.into_iter().map(|node| {
        let version = node.status.unwrap().node_info.unwrap().kubelet_version;
        let image = node.metadata.labels.unwrap()["kubernetes.azure.com/node-image-version"].clone();
        (version.trim_start_matches('v').to_owned(), image)
    });
    versions.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_asked_of_arm_is_seen_on_real_nodes() {
    let scale = TimeScale::new("2026-12-05T22:00:00Z".parse().unwrap(), clock::now(), RATE).unwrap();
    let scenario = Scenario::parse(SCENARIO).unwrap();
    let key = scenario.clusters[0].key();
    let simulator =
        Simulator::start(scenario, StartOptions { clock: scale, ..StartOptions::default() }).await.unwrap();
    let ready = simulator.ready().clone();
    let ca = reqwest::Certificate::from_pem(ready.ca_pem.as_bytes()).unwrap();
    let http = reqwest::Client::builder().tls_certs_only([ca]).build().unwrap();

    let environment = Environment::start("attached").await.unwrap();
    let issuer = EntraIssuer {
        issuer_url: ready.issuer.clone(),
        ca_pem: ready.ca_pem.clone(),
        audience: API_SERVER_AUDIENCE.to_owned(),
    };
    let plane =
        environment.control_plane(Options::new("weu").workloads().emulating(34).entra(issuer)).await.unwrap();
    let plane = Arc::new(plane);
    let kube = plane.client().unwrap();
    let target = Target {
        client: kube.clone(),
        server: plane.url(),
        ca_pem: plane.ca_pem(),
        host: Arc::new(Host(Arc::clone(&plane))),
    };
    simulator.attach(key, target).await.unwrap();
    let client = Client { simulator, http };

    a_token_of_the_tenant_opens_the_api_server(&client).await;
    a_budget_fails_an_upgrade_which_then_goes_on(&client, &kube).await;
    a_control_plane_upgrade_restarts_the_api_server(&client, &plane).await;
    client.simulator.stop().await;
}

async fn a_token_of_the_tenant_opens_the_api_server(client: &Client) {
    let (_, credential) =
        client.send(Method::POST, &format!("{CLUSTER}/listClusterUserCredential"), None).await;
    let encoded = credential["kubeconfigs"][0]["value"].as_str().unwrap();
    let decoded = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, encoded).unwrap();
    let kubeconfig: kube::config::Kubeconfig =
        serde_saphyr::from_str(&String::from_utf8(decoded).unwrap()).unwrap();
    let cluster = kubeconfig.clusters[0].cluster.clone().unwrap();
    let mut config = kube::Config::new(cluster.server.unwrap().parse().unwrap());
    let ca = cluster.certificate_authority_data.unwrap();
    let ca = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, ca).unwrap();
    let ca = rustls::pki_types::pem::PemObject::pem_slice_iter(&ca);
    config.root_cert =
        Some(ca.map(|der: Result<rustls::pki_types::CertificateDer<'_>, _>| der.unwrap().to_vec()).collect());
    let token = client.token(&format!("{API_SERVER_AUDIENCE}/.default")).await;
    config.auth_info.token = Some(token.into());
    let kube = kube::Client::try_from(config).unwrap();
    for _ in 0..300 {
        if nodes(&kube).await.len() == 2 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the nodes of the scenario did not appear");
}

/// A workload of one replica that a budget lets nobody evict.
async fn protect_a_workload(kube: &kube::Client) -> Api<PodDisruptionBudget> {
    let labels = json!({ "app": "db" });
    let deployment = json!({
        "metadata": { "name": "db" },
        "spec": {
            "replicas": 1,
            "selector": { "matchLabels": labels },
            "template": {
                "metadata": { "labels": labels },
                "spec": { "containers": [{ "name": "db", "image": "registry.example/db:1" }] },
            },
        },
    });
    let budget = json!({
        "metadata": { "name": "db" },
        "spec": { "minAvailable": 1, "selector": { "matchLabels": labels } },
    });
    let deployments = Api::<Deployment>::default_namespaced(kube.clone());
    let budgets = Api::<PodDisruptionBudget>::default_namespaced(kube.clone());
    let parameters = PostParams::default();
    budgets.create(&parameters, &serde_json::from_value(budget).unwrap()).await.unwrap();
    deployments.create(&parameters, &serde_json::from_value(deployment).unwrap()).await.unwrap();
    for _ in 0..300 {
        let status = deployments.get("db").await.unwrap().status;
        if status.and_then(|status| status.available_replicas) == Some(1) {
            return budgets;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the workload did not become available");
}

async fn upgrade_the_pool(client: &Client) -> Value {
    let path = format!("{CLUSTER}/agentPools/system");
    let (_, mut pool) = client.send(Method::GET, &path, None).await;
    pool["properties"].as_object_mut().unwrap().remove("nodeImageVersion");
    pool["properties"]["orchestratorVersion"] = json!("1.34.4");
    let (operation, answer) = client.send(Method::PUT, &path, Some(&pool)).await;
    client.finish(&operation.unwrap_or_else(|| panic!("{answer}"))).await
}

async fn a_budget_fails_an_upgrade_which_then_goes_on(client: &Client, kube: &kube::Client) {
    let budgets = protect_a_workload(kube).await;
    let status = upgrade_the_pool(client).await;
    assert_eq!(
        (&status["status"], &status["error"]["subcode"]),
        (&json!("Failed"), &json!("UnsatisfiablePDB"))
    );
    let message = status["error"]["message"].as_str().unwrap();
    assert!(
        message.contains("blocked by pdb db") && message.contains("PDB debug info: default/"),
        "{message}"
    );
    assert!(nodes(kube).await.len() > 2, "the surge node stays");

    budgets.delete("db", &DeleteParams::default()).await.unwrap();
    let status = upgrade_the_pool(client).await;
    assert_eq!(status["status"], "Succeeded", "{status}");
    let found = nodes(kube).await;
    assert_eq!(found.len(), 2);
    assert!(found.iter().all(|(version, _)| version == "1.34.4"), "{found:?}");
}

async fn a_control_plane_upgrade_restarts_the_api_server(client: &Client, plane: &ControlPlane) {
    let (_, mut cluster) = client.send(Method::GET, CLUSTER, None).await;
    cluster["properties"]["kubernetesVersion"] = json!("1.35.3");
    let (operation, answer) = client.send(Method::PUT, CLUSTER, Some(&cluster)).await;
    let status = client.finish(&operation.unwrap_or_else(|| panic!("{answer}"))).await;
    assert_eq!(status["status"], "Succeeded", "{status}");
    assert_eq!(plane.emulated_minor().await, Some(35));
}
