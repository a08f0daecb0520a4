//! The Kubernetes API that the simulator serves for clusters without an API server, as kube's own
//! client sees it.
#![expect(clippy::unwrap_used, reason = "helpers of a test end it")]

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use engine::TimeScale;
use k8s_openapi::api::{apps::v1::Deployment, core::v1::Node, policy::v1::PodDisruptionBudget};
use kube::{
    Api, Config, ResourceExt,
    api::{DeleteParams, ListParams},
    config::AuthInfo,
    core::Status,
};
use serde_json::{Value, json};
use simulator::{Scenario, Simulator, StartOptions, clock, identity::API_SERVER_AUDIENCE};

const SCENARIO: &str = "
identities:
- {clientId: app, objectId: 30000000-0000-4000-8000-000000000001, secret: s3cret}
durations: {controlPlane: 1m, surgeCreate: 1m, reimageLinux: 1m, delete: 1m}
clusters:
- subscription: 20000000-0000-4000-8000-000000000001
  resourceGroup: Shop
  name: weu
  kubernetesVersion: 1.34.4
  pools:
  - {name: system, mode: System, count: 2, taints: ['CriticalAddonsOnly=true:NoSchedule'], autoscale: {min: 1, max: 4}}
  - {name: apps, count: 3, nodeImage: old, drainTimeoutInMinutes: 5, undrainableNodeBehavior: Cordon, maxBlockedNodes: '1'}
  faults: [{pool: apps, blockedBy: [{namespace: shop, pod: db-0, budget: db}]}]
- subscription: 20000000-0000-4000-8000-000000000001
  resourceGroup: Shop
  name: off
  kubernetesVersion: 1.34.4
  powerState: Stopped
  pools: [{name: system}]
";
const GROUP: &str = "/subscriptions/20000000-0000-4000-8000-000000000001/resourceGroups/Shop/providers/\
                     Microsoft.ContainerService/managedClusters";

struct Bench {
    simulator: Simulator,
    http: reqwest::Client,
}

impl Bench {
    /// Simulated time runs at a minute in 10 ms.
    async fn start() -> Self {
        // Another test of this process may have been first.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let scale = TimeScale::new("2026-12-05T22:00:00Z".parse().unwrap(), clock::now(), 6000.0).unwrap();
        let options = StartOptions { clock: scale, ..StartOptions::default() };
        let simulator = Simulator::start(Scenario::parse(SCENARIO).unwrap(), options).await.unwrap();
        let ca = reqwest::Certificate::from_pem(simulator.ready().ca_pem.as_bytes()).unwrap();
        let http = reqwest::Client::builder().tls_certs_only([ca]).build().unwrap();
        Self { simulator, http }
    }

    async fn token(&self, scope: &str) -> String {
        let ready = self.simulator.ready();
        let url = format!("{}/{}/oauth2/v2.0/token", ready.authority, ready.tenant);
        let form = format!(
            "grant_type=client_credentials&client_id=app&client_secret=s3cret&scope={scope}/.default"
        );
        let answer: Value = self.http.post(url).body(form).send().await.unwrap().json().await.unwrap();
        answer["access_token"].as_str().unwrap().to_owned()
    }

    async fn arm(&self, method: reqwest::Method, path: &str, body: Value) -> Value {
        let token = self.token("https://management.azure.com").await;
        let url = format!("{}{GROUP}/{path}?api-version=2026-05-01", self.simulator.ready().endpoint);
        let response = self.http.request(method, url).bearer_auth(token).json(&body).send().await.unwrap();
        assert!(response.status().is_success(), "{}", response.text().await.unwrap());
        response.json().await.unwrap()
    }

    /// A client from Azure's kubeconfig, with our own token.
    async fn client(&self, cluster: &str) -> (kube::Client, String) {
        let path = format!("{cluster}/listClusterUserCredential");
        let answer = self.arm(reqwest::Method::POST, &path, Value::Null).await;
        let kubeconfig = answer["kubeconfigs"][0]["value"].as_str().map(|text| STANDARD.decode(text));
        let kubeconfig: Value = serde_json::from_slice(&kubeconfig.unwrap().unwrap()).unwrap();
        let server = kubeconfig["clusters"][0]["cluster"]["server"].as_str().unwrap().to_owned();
        let ca = reqwest::Certificate::from_pem_bundle(self.simulator.ready().ca_pem.as_bytes()).unwrap();
        assert_eq!(ca.len(), 1);
        let mut config = Config::new(server.parse().unwrap());
        let pem = rustls::pki_types::pem::PemObject::from_pem_slice(self.simulator.ready().ca_pem.as_bytes());
        let der: rustls::pki_types::CertificateDer<'static> = pem.unwrap();
        config.root_cert = Some(vec![der.to_vec()]);
        let token = self.token(API_SERVER_AUDIENCE).await;
        config.auth_info = AuthInfo { token: Some(token.into()), ..AuthInfo::default() };
        config.default_retry = false;
        (kube::Client::try_from(config).unwrap(), server)
    }

    /// Waits until the operation of the cluster has ended.
    async fn settled(&self) {
        for _ in 0..500 {
            let clusters = self.simulator.clusters().await.unwrap();
            if clusters.iter().all(|cluster| cluster.operation.is_none()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the operation did not end");
    }
}

fn refusal<T: std::fmt::Debug>(answer: Result<T, kube::Error>) -> Status {
    match answer {
        Err(kube::Error::Api(status)) => *status,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn nodes_are_those_of_the_world_and_change_with_it() {
    let bench = Bench::start().await;
    let (client, server) = bench.client("weu").await;
    assert!(server.ends_with("/kube/20000000-0000-4000-8000-000000000001/Shop/weu"), "{server}");
    assert_eq!(client.apiserver_version().await.unwrap().minor, "34");
    let nodes: Api<Node> = Api::all(client.clone());
    let of = |pool: &str| ListParams::default().labels(&format!("kubernetes.azure.com/agentpool={pool}"));
    let system = nodes.list(&of("system")).await.unwrap();
    assert_eq!(system.items.len(), 2);
    let node = &system.items[0];
    assert_eq!(node.spec.as_ref().unwrap().taints.as_ref().unwrap()[0].key, "CriticalAddonsOnly");
    let info = node.status.as_ref().unwrap().node_info.as_ref().unwrap();
    assert_eq!(info.kubelet_version, "v1.34.4");

    let first = nodes.list(&ListParams::default().limit(4)).await.unwrap();
    assert_eq!((first.items.len(), first.metadata.remaining_item_count), (4, Some(1)));
    let token = first.metadata.continue_.unwrap();
    let rest = nodes.list(&ListParams::default().limit(4).continue_token(&token)).await.unwrap();
    assert_eq!((rest.items.len(), rest.metadata.continue_), (1, None));

    let mut cluster = bench.arm(reqwest::Method::GET, "weu", Value::Null).await;
    cluster["properties"]["kubernetesVersion"] = json!("1.35.3");
    for pool in cluster["properties"]["agentPoolProfiles"].as_array_mut().unwrap() {
        pool.as_object_mut().unwrap().remove("securityProfile");
    }
    bench.arm(reqwest::Method::PUT, "weu", cluster).await;
    bench.settled().await;
    assert_eq!(client.apiserver_version().await.unwrap().minor, "35");
    let versions = nodes.list(&of("apps")).await.unwrap();
    assert!(
        versions.iter().all(
            |node| node.status.as_ref().unwrap().node_info.as_ref().unwrap().kubelet_version == "v1.34.4"
        )
    );
}

#[tokio::test]
async fn a_node_that_drained_in_vain_stays_cordoned_and_the_surge_node_is_there() {
    let bench = Bench::start().await;
    let (client, _) = bench.client("weu").await;
    bench.arm(reqwest::Method::POST, "weu/agentPools/apps/upgradeNodeImageVersion", Value::Null).await;
    bench.settled().await;
    let nodes: Api<Node> = Api::all(client);
    let quarantined = ListParams::default().labels("kubernetes.azure.com/upgrade-status=Quarantined");
    let held = nodes.list(&quarantined).await.unwrap();
    let view = bench.simulator.clusters().await.unwrap();
    let pool = view[1].pools.iter().find(|pool| pool.name == "apps").unwrap();
    let wanted = pool.nodes.iter().filter(|node| node.quarantined).map(|node| node.name.clone());
    let wanted = wanted.collect::<Vec<_>>();
    assert_eq!(wanted.len(), 1, "{pool:?}");
    assert_eq!(held.iter().map(ResourceExt::name_any).collect::<Vec<_>>(), wanted);
    let spec = held.items[0].spec.as_ref().unwrap();
    assert_eq!(spec.unschedulable, Some(true));
    let taints = spec.taints.iter().flatten().map(|taint| taint.key.as_str()).collect::<Vec<_>>();
    assert_eq!(taints, ["node.kubernetes.io/unschedulable"]);
}

#[tokio::test]
async fn metadata_alone_empty_lists_and_refusals_are_those_of_a_kube_apiserver() {
    let bench = Bench::start().await;
    let (client, server) = bench.client("weu").await;
    let nodes: Api<Node> = Api::all(client.clone());
    let named = nodes.list_metadata(&ListParams::default().limit(1)).await.unwrap();
    assert_eq!(named.items.len(), 1);
    assert_eq!(nodes.get(&named.items[0].name_any()).await.unwrap().name_any(), named.items[0].name_any());
    let deployments: Api<Deployment> = Api::all(client.clone());
    assert!(deployments.list(&ListParams::default()).await.unwrap().items.is_empty());
    let budgets: Api<PodDisruptionBudget> = Api::namespaced(client.clone(), "shop");
    let missing = refusal(budgets.get("db").await);
    assert_eq!((missing.code, missing.reason.as_str()), (404, "NotFound"));
    assert_eq!(missing.message, "poddisruptionbudgets.policy \"db\" not found");
    let forbidden = refusal(nodes.delete("a", &DeleteParams::default()).await);
    assert_eq!((forbidden.code, forbidden.reason.as_str()), (403, "Forbidden"));
    assert!(forbidden.message.contains("30000000-0000-4000-8000-000000000001"), "{}", forbidden.message);

    let (off, _) = bench.client("off").await;
    let away = refusal(Api::<Node>::all(off).list(&ListParams::default()).await);
    assert_eq!(away.code, 503, "the API server of a stopped cluster is away");

    let status = async |method: reqwest::Method, url: String, token: Option<String>| {
        let request = bench.http.request(method, url);
        let request = token.into_iter().fold(request, |request, token| request.bearer_auth(token));
        request.send().await.unwrap().status().as_u16()
    };
    let arm = bench.token("https://management.azure.com").await;
    let aks = bench.token(API_SERVER_AUDIENCE).await;
    let version = format!("{server}/version");
    assert_eq!(status(reqwest::Method::GET, version.clone(), None).await, 401);
    assert_eq!(status(reqwest::Method::GET, version.clone(), Some(arm)).await, 401, "of the wrong audience");
    assert_eq!(status(reqwest::Method::GET, version.clone(), Some(aks.clone())).await, 200);
    assert_eq!(status(reqwest::Method::POST, version, Some(aks.clone())).await, 405);
    let other = format!("{}/kube/s/g/nobody/version", bench.simulator.ready().endpoint);
    assert_eq!(status(reqwest::Method::GET, other, Some(aks)).await, 404);

    let log = bench.simulator.kube_log();
    assert!(log.iter().any(|call| call.status == 403 && call.method == "DELETE"), "{log:?}");
    assert!(bench.simulator.log().iter().all(|call| !call.path.starts_with("/kube/")));
}

#[tokio::test]
async fn the_autoscaler_can_be_played_through_the_control_port() {
    let bench = Bench::start().await;
    let (client, _) = bench.client("weu").await;
    let scale = async |count: u64| {
        let body = json!({ "cluster": format!("{GROUP}/weu"), "pool": "system", "count": count });
        let url = format!("{}/autoscaler", bench.simulator.ready().control);
        bench.http.post(url).json(&body).send().await.unwrap()
    };
    assert_eq!(scale(4).await.status().as_u16(), 204);
    let system = ListParams::default().labels("kubernetes.azure.com/agentpool=system");
    let nodes = Api::<Node>::all(client);
    let four = async {
        while nodes.list(&system).await.unwrap().items.len() < 4 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), four)
        .await
        .expect("two nodes more take a simulated minute");
    let refused = scale(5).await;
    assert_eq!(refused.status().as_u16(), 409);
    assert_eq!(
        refused.json::<Value>().await.unwrap()["error"],
        "pool system has between 1 and 4 nodes, not 5"
    );
}
