use axum::{body::Body, extract::Request, handler::Handler as _, http::header};
use futures::FutureExt as _;
use serde_json::Value;

use super::*;

const SCENARIO: &str = "
identities: [{ clientId: app, objectId: 30000000-0000-4000-8000-000000000001, managed: true }]
clusters:
- subscription: 20000000-0000-4000-8000-000000000001
  resourceGroup: shop
  name: weu
  kubernetesVersion: 1.34.4
  pools: [{ name: system, mode: System }]
";

const CLUSTER: &str = "/subscriptions/20000000-0000-4000-8000-000000000001/resourceGroups/shop/providers/\
                       Microsoft.ContainerService/managedClusters/weu";

async fn token(simulator: &Simulator) -> String {
    let url = format!(
        "{}?resource=https://management.azure.com&api-version=2018-02-01",
        simulator.ready().managed_identity
    );
    let answer = reqwest::Client::new().get(url).header("Metadata", "true").send().await.unwrap();
    let answer: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    answer["access_token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn what_has_arrived_is_carried_out_and_logged_although_its_caller_goes_away() {
    let scenario = Scenario::parse(SCENARIO).unwrap();
    let simulator = Simulator::start(scenario, StartOptions::default()).await.unwrap();
    let token = token(&simulator).await;
    let request = |verb: &str| {
        Request::builder()
            .method("POST")
            .uri(format!("{CLUSTER}/{verb}?api-version=2026-05-01"))
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .body(Body::empty())
            .unwrap()
    };
    let call = |request| arm::handle.call(request, Arc::clone(&simulator.shared));

    assert!(call(request("stop")).now_or_never().is_none(), "the world has a task of its own");
    let second = call(request("start")).await;

    let log: Vec<_> = simulator.log().into_iter().map(|entry| (entry.path, entry.status)).collect();
    assert_eq!(
        log,
        [(format!("{CLUSTER}/stop"), 202), (format!("{CLUSTER}/start"), second.status().as_u16())],
        "{second:?}"
    );
    simulator.stop().await;
}
