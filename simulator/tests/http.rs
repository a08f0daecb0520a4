//! The simulator over HTTPS, as a client of Azure sees it.
#![expect(clippy::unwrap_used, reason = "helpers of a test end it")]

use std::time::Duration;

use engine::TimeScale;
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use simulator::{
    Scenario, Simulator, StartOptions, clock,
    scenario::{CallName, QuirkName, QuirkRule},
};

const SCENARIO: &str = "
tenant: 10000000-0000-4000-8000-000000000001
pageSize: 1
identities:
  - { clientId: app, objectId: 30000000-0000-4000-8000-000000000001, secret: s3cret, groups: [g1] }
  - clientId: workload
    objectId: 30000000-0000-4000-8000-000000000002
    federated: { issuer: 'https://hub', subject: 'system:serviceaccount:tidegate:tidegate' }
clusters:
  - subscription: 20000000-0000-4000-8000-000000000001
    resourceGroup: shop
    name: weu
    kubernetesVersion: 1.34.4
    pools: [{ name: system, mode: System }, { name: apps, kubernetesVersion: 1.34.2, nodeImage: old }]
  - { subscription: 20000000-0000-4000-8000-000000000001, resourceGroup: shop, name: neu, kubernetesVersion: 1.34.4, pools: [{ name: a }] }
";

const SUBSCRIPTION: &str = "/subscriptions/20000000-0000-4000-8000-000000000001";
const ARM: &str = "https://management.azure.com/.default";

struct Client {
    simulator: Simulator,
    http: reqwest::Client,
    token: String,
}

impl Client {
    /// Simulated time runs at a minute in 100 ms: an operation takes long enough to be looked at.
    async fn start() -> Self {
        let scale = TimeScale::new("2026-12-05T22:00:00Z".parse().unwrap(), clock::now(), 600.0).unwrap();
        let options = StartOptions { clock: scale, ..StartOptions::default() };
        let simulator = Simulator::start(Scenario::parse(SCENARIO).unwrap(), options).await.unwrap();
        let ca = reqwest::Certificate::from_pem(simulator.ready().ca_pem.as_bytes()).unwrap();
        let http =
            reqwest::Client::builder().tls_certs_only([ca]).timeout(Duration::from_secs(10)).build().unwrap();
        let mut client = Self { simulator, http, token: String::new() };
        client.token =
            client.token(&[("client_id", "app"), ("client_secret", "s3cret"), ("scope", ARM)]).await.unwrap();
        client
    }

    async fn token(&self, fields: &[(&str, &str)]) -> Result<String, Value> {
        let ready = self.simulator.ready();
        let body = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "client_credentials")
            .extend_pairs(fields)
            .finish();
        let url = format!("{}/{}/oauth2/v2.0/token", ready.authority, ready.tenant);
        let response = self.http.post(url).body(body).send().await.unwrap();
        let answer: Value = response.json().await.unwrap();
        answer["access_token"].as_str().map(str::to_owned).ok_or(answer)
    }

    async fn send(&self, method: Method, url: &str, body: Option<&Value>) -> Response {
        let url = if url.starts_with("https:") {
            url.to_owned()
        } else {
            format!("{}{SUBSCRIPTION}{url}?api-version=2026-05-01", self.simulator.ready().endpoint)
        };
        let mut request = self.http.request(method, url).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(body);
        }
        request.send().await.unwrap()
    }

    async fn get(&self, url: &str) -> Value {
        let response = self.send(Method::GET, url, None).await;
        assert_eq!(response.status(), StatusCode::OK, "{url}");
        response.json().await.unwrap()
    }

    async fn finish(&self, operation: &str) -> Value {
        for _ in 0..500 {
            let status = self.get(operation).await;
            if ["Succeeded", "Failed", "Canceled"].contains(&status["status"].as_str().unwrap()) {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the operation did not end");
    }
}

fn header(response: &Response, name: &str) -> String {
    response.headers().get(name).unwrap().to_str().unwrap().to_owned()
}

const WEU: &str = "/resourceGroups/shop/providers/Microsoft.ContainerService/managedClusters/weu";

#[tokio::test]
async fn an_upgrade_from_the_list_to_the_end_of_its_operation() {
    let client = Client::start().await;
    let first = client.get("/providers/Microsoft.ContainerService/managedClusters").await;
    assert_eq!(first["value"].as_array().unwrap().len(), 1);
    let second = client.get(first["nextLink"].as_str().unwrap()).await;
    assert_eq!(second["value"][0]["name"], "weu");
    assert!(second.get("nextLink").is_none());

    let mut cluster = client.get(&WEU.to_uppercase()).await;
    cluster["properties"]["kubernetesVersion"] = json!("1.35.3");
    let response = client.send(Method::PUT, WEU, Some(&cluster)).await;
    assert_eq!(response.status(), StatusCode::OK);
    let operation = header(&response, "azure-asyncoperation");
    assert!(response.headers().get("location").is_none());
    assert!(operation.len() > 3_000, "{}", operation.len());
    let answer: Value = response.json().await.unwrap();
    assert_eq!(answer["properties"]["provisioningState"], "Upgrading");
    assert_eq!(client.send(Method::PUT, WEU, Some(&cluster)).await.status(), StatusCode::CONFLICT);

    assert_eq!(client.finish(&operation).await["status"], "Succeeded");
    assert_eq!(client.get(WEU).await["properties"]["provisioningState"], "Succeeded");

    let tampered = operation.replace("&h=", "&h=x");
    assert_eq!(client.send(Method::GET, &tampered, None).await.status(), StatusCode::FORBIDDEN);

    let log = client.simulator.log();
    let writes = log.iter().filter(|entry| entry.mutation).map(|entry| entry.accepted).collect::<Vec<_>>();
    assert_eq!(writes, [true, false]);
    assert!(log.iter().all(|entry| !entry.path.contains('?')));
    let views = client.simulator.clusters().await.unwrap();
    assert_eq!(views[1].kubernetes_version, "1.35.3");
    client.simulator.stop().await;
}

#[tokio::test]
async fn a_node_image_upgrade_names_its_operation_and_its_result() {
    let client = Client::start().await;
    let response =
        client.send(Method::POST, &format!("{WEU}/agentPools/apps/upgradeNodeImageVersion"), None).await;
    assert_eq!(response.status(), StatusCode::ACCEPTED);
    let (operation, result) = (header(&response, "azure-asyncoperation"), header(&response, "location"));
    assert!(result.contains("/operationresults/"));
    assert_eq!(client.send(Method::GET, &result, None).await.status(), StatusCode::ACCEPTED);
    assert_eq!(client.finish(&operation).await["status"], "Succeeded");
    assert_eq!(client.send(Method::GET, &result, None).await.status(), StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn a_deleted_pool_is_gone_when_its_operation_says_so() {
    let client = Client::start().await;
    let url = format!("{WEU}/agentPools/apps");
    let deletion = client.send(Method::DELETE, &url, None).await;
    assert_eq!(deletion.status(), StatusCode::ACCEPTED);
    let (operation, result) = (header(&deletion, "azure-asyncoperation"), header(&deletion, "location"));
    assert!(deletion.headers().get("content-type").is_none() && deletion.bytes().await.unwrap().is_empty());
    assert_eq!(client.finish(&operation).await["status"], "Succeeded");
    let nothing = client.send(Method::GET, &result, None).await;
    assert_eq!((nothing.status(), header(&nothing, "location")), (StatusCode::NO_CONTENT, result));
    let gone = client.send(Method::GET, &url, None).await;
    assert_eq!(
        (gone.status(), header(&gone, "content-type")),
        (StatusCode::NOT_FOUND, "application/json".into())
    );
    let missing = client.send(Method::GET, &WEU.replace("weu", "none"), None).await;
    assert_eq!(header(&missing, "content-type"), "application/json; charset=utf-8");
}

#[tokio::test]
async fn a_preview_shows_what_a_stable_version_does_not_know() {
    let client = Client::start().await;
    let stable = client.get(&format!("{WEU}/agentPools/apps")).await;
    assert!(stable["properties"].get("upgradeStrategy").is_none());
    let url = format!("{}{SUBSCRIPTION}{WEU}/agentPools/apps", client.simulator.ready().endpoint);
    let preview = client.get(&format!("{url}?api-version=2026-05-02-preview")).await;
    assert_eq!(preview["properties"]["upgradeStrategy"], "Rolling");
}

#[tokio::test]
async fn every_read_of_the_table_is_served() {
    let client = Client::start().await;
    let profile = client.get(&format!("{WEU}/upgradeProfiles/default")).await;
    assert!(profile["properties"]["agentPoolProfiles"].is_null());
    assert_eq!(profile["properties"]["controlPlaneProfile"]["upgrades"][0]["kubernetesVersion"], "1.35.3");
    let pool = client.get(&format!("{WEU}/agentPools/apps/upgradeProfiles/default")).await;
    assert_eq!(pool["properties"]["upgrades"], json!([{ "kubernetesVersion": "1.34.4" }]));
    assert_eq!(client.get(&format!("{WEU}/agentPools")).await["value"][0]["name"], "apps");
    assert_eq!(client.get(&format!("{WEU}/agentPools/system")).await["properties"]["mode"], "System");
    assert_eq!(client.get(&format!("{WEU}/maintenanceConfigurations")).await, json!({ "value": [] }));
    let versions = "/providers/Microsoft.ContainerService/locations/westeurope/kubernetesVersions";
    assert_eq!(client.get(versions).await["values"][0]["version"], "1.37");
    let credential = client.send(Method::POST, &format!("{WEU}/listClusterUserCredential"), None).await;
    let credential: Value = credential.json().await.unwrap();
    assert_eq!(credential["kubeconfigs"][0]["name"], "clusterUser");
}

#[tokio::test]
async fn callers_without_a_good_token_or_version_are_turned_away() {
    let mut client = Client::start().await;
    let url = format!("{}{SUBSCRIPTION}{WEU}", client.simulator.ready().endpoint);
    let no_version = client.send(Method::GET, &url, None).await;
    assert_eq!(no_version.status(), StatusCode::BAD_REQUEST);
    assert_eq!(no_version.json::<Value>().await.unwrap()["error"]["code"], "MissingApiVersionParameter");
    let unknown = client.send(Method::DELETE, &format!("{WEU}/upgradeProfiles/default"), None).await;
    assert_eq!(unknown.status(), StatusCode::METHOD_NOT_ALLOWED);

    let cluster_scope = "6dae42f8-4368-4678-94ff-3960e28e3630/.default";
    let fields = [("client_id", "app"), ("client_secret", "s3cret"), ("scope", cluster_scope)];
    client.token = client.token(&fields).await.unwrap();
    let wrong = client.send(Method::GET, WEU, None).await;
    assert_eq!(wrong.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(wrong.json::<Value>().await.unwrap()["error"]["code"], "InvalidAuthenticationTokenAudience");
    client.token = "nonsense".to_owned();
    assert_eq!(client.send(Method::GET, WEU, None).await.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn the_tenant_publishes_its_keys_and_knows_its_identities() {
    let client = Client::start().await;
    let ready = client.simulator.ready();
    let discovery = client.get(&format!("{}/.well-known/openid-configuration", ready.issuer)).await;
    assert_eq!(discovery["issuer"], ready.issuer);
    let keys = client.get(discovery["jwks_uri"].as_str().unwrap()).await;
    let keys: jsonwebtoken::jwk::JwkSet = serde_json::from_value(keys).unwrap();
    let key = jsonwebtoken::DecodingKey::from_jwk(&keys.keys[0]).unwrap();
    let mut validation = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::ES256);
    validation.set_audience(&["https://management.azure.com"]);
    let claims = jsonwebtoken::decode::<Value>(&client.token, &key, &validation).unwrap().claims;
    assert_eq!(
        (&claims["oid"], &claims["groups"]),
        (&json!("30000000-0000-4000-8000-000000000001"), &json!(["g1"]))
    );

    let wrong =
        client.token(&[("client_id", "app"), ("client_secret", "no"), ("scope", ARM)]).await.unwrap_err();
    assert!(wrong["error_description"].as_str().unwrap().starts_with("AADSTS7000215"));
    let unknown =
        client.token(&[("client_id", "who"), ("client_secret", "no"), ("scope", ARM)]).await.unwrap_err();
    assert_eq!(unknown["error"], "unauthorized_client");
}

#[tokio::test]
async fn a_federated_token_is_good_when_its_claims_and_then_its_signature_match() {
    let client = Client::start().await;
    let key = jsonwebtoken::EncodingKey::from_secret(b"hub");
    let header = jsonwebtoken::Header { kid: Some("1".into()), ..jsonwebtoken::Header::default() };
    let assertion = |subject: &str| {
        let claims = json!({
            "iss": "https://hub",
            "sub": subject,
            "aud": ["api://AzureADTokenExchange"],
            "exp": clock::now().as_second() + 600,
        });
        jsonwebtoken::encode(&header, &claims, &key).unwrap()
    };
    let exchange = async |assertion: String| {
        let fields = [
            ("client_id", "workload"),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", &assertion),
            ("scope", ARM),
        ];
        client.token(&fields).await
    };
    let good = "system:serviceaccount:tidegate:tidegate";
    assert!(exchange(assertion(good)).await.is_ok());
    let other = exchange(assertion("system:serviceaccount:default:default")).await.unwrap_err();
    assert!(other["error_description"].as_str().unwrap().starts_with("AADSTS700213"));

    let keys = |secret: &str| json!({ "keys": [{ "kty": "oct", "kid": "1", "alg": "HS256", "k": secret }] });
    client.simulator.trust_issuer("https://hub", keys("aHVi")).unwrap();
    assert!(exchange(assertion(good)).await.is_ok());
    client.simulator.trust_issuer("https://hub", keys("b3RoZXI")).unwrap();
    assert!(exchange(assertion(good)).await.is_err());
}

#[tokio::test]
async fn the_control_port_tells_the_truth_and_takes_faults() {
    let client = Client::start().await;
    let control = client.simulator.ready().control.clone();
    let http = reqwest::Client::new();
    assert_eq!(http.get(format!("{control}/healthz")).send().await.unwrap().text().await.unwrap(), "ok");
    let fault = json!({
        "cluster": format!("{SUBSCRIPTION}{WEU}"),
        "fault": { "pool": "apps", "error": { "code": "QuotaExceeded", "message": "none left" } },
    });
    let added = http.post(format!("{control}/faults")).json(&fault).send().await.unwrap();
    assert_eq!(added.status(), StatusCode::NO_CONTENT);
    for (change, field) in
        [(("cluster", json!("weu")), "cluster"), (("fault", json!({ "pool": "x" })), "fault: does nothing")]
    {
        let mut wrong = fault.clone();
        wrong[change.0] = change.1;
        let refused = http.post(format!("{control}/faults")).json(&wrong).send().await.unwrap();
        assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
        assert!(refused.text().await.unwrap().contains(field), "{field}");
    }
    let url = format!("{WEU}/agentPools/apps");
    let mut pool = client.get(&url).await;
    pool["properties"].as_object_mut().unwrap().remove("nodeImageVersion");
    pool["properties"]["orchestratorVersion"] = json!("1.34.4");
    let response = client.send(Method::PUT, &url, Some(&pool)).await;
    let status = client.finish(&header(&response, "azure-asyncoperation")).await;
    assert_eq!(status["error"]["code"], "QuotaExceeded");
    let clusters: Value = http.get(format!("{control}/clusters")).send().await.unwrap().json().await.unwrap();
    assert_eq!(clusters[1]["pools"][0]["provisioningState"], "Failed");
    let log: Value = http.get(format!("{control}/log")).send().await.unwrap().json().await.unwrap();
    assert!(
        log.as_array().unwrap().iter().any(|entry| entry["mutation"] == true && entry["accepted"] == true)
    );
}

#[tokio::test]
async fn quirks_are_switched_on_and_off_while_it_runs() {
    let client = Client::start().await;
    let control = format!("{}/quirks", client.simulator.ready().control);
    let http = reqwest::Client::new();
    let add = async |rule: Value| {
        let response = http.post(&control).json(&rule).send().await.unwrap();
        (response.status(), response.json::<Value>().await.unwrap())
    };
    let (status, wrong) = add(json!({ "quirk": "delays", "clusters": ["nope"] })).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(wrong["error"].as_str().unwrap().contains("quirk.clusters[0]"), "{wrong}");

    let (status, html) = add(json!({ "quirk": "failingReads", "html": true, "times": 1 })).await;
    assert_eq!(status, StatusCode::CREATED);
    let failed = client.send(Method::GET, WEU, None).await;
    assert_eq!((failed.status().as_u16(), header(&failed, "content-type").as_str()), (503, "text/html"));
    assert!(failed.text().await.unwrap().contains("<html>"));
    assert_eq!(client.get(WEU).await["name"], "weu");

    let listed: Value = http.get(&control).send().await.unwrap().json().await.unwrap();
    assert_eq!((&listed[0]["id"], &listed[0]["struck"]), (&html["id"], &json!(1)));
    let url = format!("{control}/{}", html["id"]);
    assert_eq!(http.delete(&url).send().await.unwrap().status(), StatusCode::NO_CONTENT);
    assert_eq!(http.delete(&url).send().await.unwrap().status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_cut_connection_is_no_answer_whether_there_was_an_effect_or_not() {
    let client = Client::start().await;
    for (quirk, effect) in [(QuirkName::CutRequests, false), (QuirkName::LostAnswers, true)] {
        let rule = QuirkRule { calls: vec![CallName::UpgradeNodeImage], ..QuirkRule::new(quirk) };
        let id = client.simulator.add_quirk(rule).await.unwrap();
        let ready = client.simulator.ready();
        let url = format!(
            "{}{SUBSCRIPTION}{WEU}/agentPools/apps/upgradeNodeImageVersion?api-version=2026-05-01",
            ready.endpoint
        );
        let sent = client.http.post(url).bearer_auth(&client.token).send().await;
        assert!(sent.is_err(), "{quirk:?}: {sent:?}");
        let log = client.simulator.log();
        let last = log.last().unwrap();
        assert_eq!((last.lost, last.accepted, last.operation.is_some()), (true, effect, effect), "{quirk:?}");
        assert_eq!(last.quirks, [quirk]);
        assert!(client.simulator.remove_quirk(id).await.unwrap());
    }
}

#[tokio::test]
async fn a_gateway_timeout_hides_what_was_done() {
    let client = Client::start().await;
    let delays = QuirkRule { seconds: Some(600), ..QuirkRule::new(QuirkName::Delays) };
    client.simulator.add_quirk(QuirkRule::new(QuirkName::GatewayTimeouts)).await.unwrap();
    client.simulator.add_quirk(delays).await.unwrap();
    let before = client.simulator.now();
    let sent =
        client.send(Method::POST, &format!("{WEU}/agentPools/apps/upgradeNodeImageVersion"), None).await;
    assert_eq!(sent.status(), StatusCode::GATEWAY_TIMEOUT);
    assert!(sent.headers().get("azure-asyncoperation").is_none());
    assert!(client.simulator.now().duration_since(before).as_secs() >= 600);
    let log = client.simulator.log();
    assert!(log[0].accepted && log[0].operation.is_some() && !log[0].lost);
}

#[tokio::test]
async fn the_control_port_lists_what_it_serves_and_says_what_is_wrong() {
    let client = Client::start().await;
    let control = client.simulator.ready().control.clone();
    let http = reqwest::Client::new();
    let listing: Value = http.get(format!("{control}/")).send().await.unwrap().json().await.unwrap();
    for route in listing.as_object().unwrap().keys() {
        let (method, path) = route.split_once(' ').unwrap();
        let url = format!("{control}{}", path.replace("{id}", "7"));
        let sent = http.request(method.parse().unwrap(), url).body("{}").send().await.unwrap();
        let status = sent.status();
        let text = sent.text().await.unwrap();
        assert!(status != StatusCode::METHOD_NOT_ALLOWED && !text.contains("there is no"), "{route}: {text}");
    }
    let nothing = http.get(format!("{control}/nothing")).send().await.unwrap();
    assert_eq!(nothing.status(), StatusCode::NOT_FOUND);
    assert!(nothing.text().await.unwrap().contains("GET / lists"));

    let clock: Value = http.get(format!("{control}/clock")).send().await.unwrap().json().await.unwrap();
    assert!(clock["scale"].as_str().unwrap().ends_with(",600"), "{clock}");
}
