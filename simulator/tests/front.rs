//! What tools do before and beside AKS: get to know the cloud, sign in, look around, and be told no.
#![expect(clippy::unwrap_used, reason = "helpers of a test end it")]

use std::time::Duration;

use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use simulator::{Scenario, Simulator, StartOptions, clock};

const SUBSCRIPTION: &str = "20000000-0000-4000-8000-000000000001";
const ARM: &str = "https://management.azure.com/.default";
const VERSION: &str = "api-version=2026-05-01";

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

const WEU: &str = "/resourceGroups/shop/providers/Microsoft.ContainerService/managedClusters/weu";

#[tokio::test]
async fn a_cloud_describes_itself_in_both_forms_without_a_token() {
    let azure = Azure::start().await;
    let endpoint = azure.simulator.ready().endpoint.clone();
    let new = azure.json("/metadata/endpoints?api-version=2022-09-01").await;
    assert_eq!(new["resourceManager"], format!("{endpoint}/"));
    assert_eq!(new["authentication"]["loginEndpoint"], format!("{endpoint}/"));
    assert_eq!(new["authentication"]["audiences"][0], "https://management.azure.com/");
    assert!(new["suffixes"]["storage"].is_string());
    assert_eq!(azure.json("/metadata/endpoints?api-version=2019-05-01").await, json!([new]));
    let wrong = azure.request(Method::GET, "/metadata/endpoints?api-version=1").send().await.unwrap();
    let (status, body) = read(wrong).await;
    assert_eq!((status, code(&body)), (400, "InvalidApiVersionParameter"));
    assert!(body["error"]["message"].as_str().unwrap().contains("2022-09-01"));
}

#[tokio::test]
async fn discovery_leads_to_the_token_endpoint_of_either_generation() {
    let azure = Azure::start().await;
    let ready = azure.simulator.ready().clone();
    let authority = format!("{}/common/oauth2/v2.0/authorize", ready.authority);
    let instance = azure
        .json(&format!("/common/discovery/instance?api-version=1.1&authorization_endpoint={authority}"))
        .await;
    assert_eq!(instance["metadata"][0]["aliases"][0], ready.authority.trim_start_matches("https://"));
    let any = azure.json(instance["tenant_discovery_endpoint"].as_str().unwrap()).await;
    assert!(any["issuer"].as_str().unwrap().contains("{tenantid}"));
    let foreign =
        "/common/discovery/instance?api-version=1.1&authorization_endpoint=https://login.example/common";
    assert_eq!(azure.request(Method::GET, foreign).send().await.unwrap().status(), StatusCode::BAD_REQUEST);

    for (generation, resource) in
        [("", ("resource", "https://management.azure.com/")), ("/v2.0", ("scope", ARM))]
    {
        let path = format!("/{}{generation}/.well-known/openid-configuration", ready.tenant);
        let document = azure.json(&path).await;
        assert_eq!(document["issuer"], ready.issuer);
        assert!(azure.json(document["jwks_uri"].as_str().unwrap()).await["keys"][0]["x"].is_string());
        let endpoint = document["token_endpoint"].as_str().unwrap();
        let path = endpoint.split_once(&format!("{}/", ready.tenant)).unwrap().1;
        let issued = azure.token(path, &secret("app", "s3cret", resource)).await.unwrap();
        assert_eq!(issued["token_type"], "Bearer");
        assert_eq!(issued["expires_in"].is_string(), generation.is_empty(), "{issued}");
        let (status, _) = azure
            .call(issued["access_token"].as_str().unwrap(), Method::GET, &in_subscription(WEU), None)
            .await;
        assert_eq!(status, 200);
    }
    let path = "/99999999-0000-4000-8000-000000000001/v2.0/.well-known/openid-configuration";
    let (status, body) = read(azure.request(Method::GET, path).send().await.unwrap()).await;
    assert_eq!((status, &body["error_codes"]), (400, &json!([90_002])));
}

#[tokio::test]
async fn entra_says_by_number_why_there_is_no_token() {
    let azure = Azure::start().await;
    let scope = ("scope", ARM);
    for (fields, number) in [
        (secret("app", "guessed", scope), 7_000_215),
        (secret("who", "s3cret", scope), 700_016),
        (secret("app", "s3cret", ("scope", "https://management.azure.com")), 1_002_012),
        (secret("app", "s3cret", ("other", "x")), 900_144),
        (secret("app", "", scope), 7_000_216),
        (vec![("grant_type", "password"), scope], 70_003),
        (vec![scope], 900_144),
        (
            vec![
                ("grant_type", "client_credentials"),
                ("client_id", "app"),
                ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
                ("client_assertion", "no.jwt.atall"),
                scope,
            ],
            70_025,
        ),
    ] {
        let denied = azure.token("oauth2/v2.0/token", &fields).await.unwrap_err();
        assert_eq!(denied["error_codes"], json!([number]), "{fields:?}: {denied}");
        let description = denied["error_description"].as_str().unwrap();
        assert!(description.starts_with(&format!("AADSTS{number}: ")), "{description}");
        assert!(description.contains("Trace ID: ") && denied["correlation_id"].is_string());
    }
}

#[tokio::test]
async fn an_assertion_is_good_when_a_registered_certificate_signed_it() {
    let certificate = || {
        let key = KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap();
        let certificate = CertificateParams::new(Vec::new()).unwrap().self_signed(&key).unwrap();
        (key, certificate.pem())
    };
    let ((key, pem), (stranger, _)) = (certificate(), certificate());
    let scenario = json!({ "identities": [{ "clientId": "app", "objectId": "oid", "certificates": [pem] }] });
    let azure = Azure::with(&scenario.to_string()).await;
    let ready = azure.simulator.ready().clone();
    // With a fraction of a second, as MSAL for Python writes it.
    let assertion = |key: &KeyPair, audience: &str, seconds: f64| {
        let claims = json!({
            "iss": "app", "sub": "app", "aud": audience, "jti": "1", "exp": clock::now().as_duration().as_secs_f64() + seconds,
        });
        let key = jsonwebtoken::EncodingKey::from_rsa_pem(key.serialize_pem().as_bytes()).unwrap();
        jsonwebtoken::encode(&jsonwebtoken::Header::new(jsonwebtoken::Algorithm::PS256), &claims, &key)
            .unwrap()
    };
    let exchange = async |assertion: String| {
        let fields = [
            ("grant_type", "client_credentials"),
            ("client_id", "app"),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", assertion.as_str()),
            ("scope", ARM),
        ];
        azure.token("oauth2/v2.0/token", &fields).await.map_err(|denied| denied["error_codes"][0].clone())
    };
    let audience = format!("{}/{}/oauth2/v2.0/token", ready.authority, ready.tenant);
    assert!(exchange(assertion(&key, &audience, 600.0)).await.is_ok());
    assert_eq!(exchange(assertion(&stranger, &audience, 600.0)).await.unwrap_err(), 700_027);
    assert_eq!(exchange(assertion(&key, "https://elsewhere", 600.0)).await.unwrap_err(), 700_023);
    assert_eq!(exchange(assertion(&key, &audience, -600.0)).await.unwrap_err(), 700_024);
}

#[tokio::test]
async fn machines_get_tokens_of_the_identities_assigned_to_them() {
    let azure = Azure::start().await;
    let ready = azure.simulator.ready().clone();
    let query = "api-version=2018-02-01&resource=https%3A%2F%2Fmanagement.azure.com%2F";
    let get = async |url: String, header: Option<(&str, &str)>| {
        let mut request = azure.http.get(url);
        if let Some((name, value)) = header {
            request = request.header(name, value);
        }
        read(request.send().await.unwrap()).await
    };
    let metadata = Some(("Metadata", "true"));
    let url = format!("{}?{query}", ready.managed_identity);
    let (status, issued) = get(url.clone(), metadata).await;
    assert_eq!((status, &issued["client_id"]), (200, &json!("machine")));
    assert!(issued["expires_on"].is_string(), "{issued}");
    let token = issued["access_token"].as_str().unwrap();
    assert_eq!(azure.call(token, Method::GET, &in_subscription(WEU), None).await.0, 200);
    assert_eq!(get(url.clone(), None).await.0, 400, "without the header that browsers cannot send");
    assert_eq!(get(format!("{url}&client_id=machine"), metadata).await.0, 200);
    let (status, refused) = get(format!("{url}&client_id=app"), metadata).await;
    assert_eq!((status, &refused["error_description"]), (400, &json!("Identity not found")), "not assigned");

    let app_service = format!("{}/msi/token?{query}", ready.control);
    assert_eq!(get(app_service.clone(), Some(("X-IDENTITY-HEADER", "any"))).await.0, 200);
    assert_eq!(get(app_service, None).await.0, 401);
}

#[tokio::test]
async fn a_signed_in_tool_can_look_around() {
    let azure = Azure::start().await;
    let token = azure.sign_in("app").await;
    let get = async |path: String| {
        let (status, body) = azure.call(&token, Method::GET, &path, None).await;
        assert_eq!(status, 200, "{path}: {body}");
        body
    };
    let count = |body: &Value| body["value"].as_array().unwrap().len();
    assert_eq!(count(&get("/tenants?api-version=2022-12-01".into()).await), 1);
    assert_eq!(count(&get("/subscriptions?api-version=2022-12-01".into()).await), 2);
    assert_eq!(get(in_subscription("")).await["displayName"], "Shop");
    assert!(count(&get(in_subscription("/locations")).await) > 30);
    let groups = get(in_subscription("/resourcegroups")).await;
    let names =
        groups["value"].as_array().unwrap().iter().map(|group| group["name"].clone()).collect::<Vec<_>>();
    assert_eq!(names, ["empty", "MC_other_neu_westeurope", "MC_shop_weu_westeurope", "other", "shop"]);
    let provider = get(in_subscription("/providers/Microsoft.ContainerService")).await;
    assert_eq!(provider["namespace"], "Microsoft.ContainerService");
    assert_eq!(count(&get(in_subscription("/providers")).await), 3);
    assert_eq!(count(&get(in_subscription("/resources?$filter=name%20eq%20'weu'")).await), 1);
    assert_eq!(count(&get(in_subscription("/resourceGroups/empty/resources")).await), 0);
    let permissions =
        format!("/subscriptions/{SUBSCRIPTION}{WEU}/providers/Microsoft.Authorization/permissions");
    let permissions = get(format!("{permissions}?api-version=2022-04-01")).await;
    assert_eq!(permissions["value"][0]["actions"], json!(["*"]));
    let register = in_subscription("/providers/Microsoft.ContainerService/register");
    let register = register.replace(VERSION, "api-version=2021-04-01");
    let (status, body) = azure.call(&token, Method::POST, &register, None).await;
    assert_eq!((status, &body["registrationState"]), (200, &json!("Registered")));
}

#[tokio::test]
async fn groups_come_and_go_and_head_says_whether_they_are_there() {
    let azure = Azure::start().await;
    let token = azure.sign_in("app").await;
    let group = in_subscription("/resourcegroups/Fresh");
    let call = async |method: Method, body| azure.call(&token, method, &group, body).await;
    assert_eq!(call(Method::HEAD, None).await.0, 404);
    let (status, made) = call(Method::PUT, Some(json!({ "location": "westeurope" }))).await;
    assert_eq!((status, &made["name"]), (201, &json!("Fresh")));
    assert_eq!(call(Method::HEAD, None).await, (204, Value::Null));
    assert_eq!(call(Method::DELETE, None).await.0, 200);
    assert_eq!(call(Method::GET, None).await.0, 404);
    let (status, body) =
        azure.call(&token, Method::DELETE, &in_subscription("/resourcegroups/shop"), None).await;
    assert_eq!((status, code(&body)), (409, "ResourceGroupDeletionBlocked"));
}

#[tokio::test]
async fn a_lock_that_is_set_holds_until_it_is_taken_away() {
    let azure = Azure::start().await;
    let token = azure.sign_in("app").await;
    let lock = format!(
        "/subscriptions/{SUBSCRIPTION}{WEU}/providers/Microsoft.Authorization/locks/keep?api-version=2020-05-01"
    );
    let level = json!({ "properties": { "level": "ReadOnly" } });
    assert_eq!(azure.call(&token, Method::PUT, &lock, Some(level)).await.0, 201);
    let image = in_subscription(&format!("{WEU}/agentPools/apps/upgradeNodeImageVersion"));
    let (status, body) = azure.call(&token, Method::POST, &image, None).await;
    assert_eq!((status, code(&body)), (409, "ScopeLocked"));
    assert_eq!(azure.call(&token, Method::DELETE, &lock, None).await.0, 200);
    assert_eq!(azure.call(&token, Method::POST, &image, None).await.0, 202);
}

#[tokio::test]
async fn roles_decide_what_is_allowed_and_what_is_seen() {
    let azure = Azure::start().await;
    let (reader, nobody) = (azure.sign_in("reader").await, azure.sign_in("nobody").await);
    let clusters = in_subscription("/providers/Microsoft.ContainerService/managedClusters");
    let (status, seen) = azure.call(&reader, Method::GET, &clusters, None).await;
    assert_eq!(status, 200);
    assert_eq!((seen["value"].as_array().unwrap().len(), &seen["value"][0]["name"]), (1, &json!("weu")));
    assert_eq!(azure.call(&reader, Method::GET, &in_subscription(WEU), None).await.0, 200);

    let image = in_subscription(&format!("{WEU}/agentPools/apps/upgradeNodeImageVersion"));
    let (status, refused) = azure.call(&reader, Method::POST, &image, None).await;
    assert_eq!((status, code(&refused)), (403, "AuthorizationFailed"));
    let message = refused["error"]["message"].as_str().unwrap();
    for part in [
        "The client 'reader' with object id 'reader-oid'",
        "'Microsoft.ContainerService/managedClusters/agentPools/upgradeNodeImageVersion/action'",
        "/managedClusters/weu/agentPools/apps'",
    ] {
        assert!(message.contains(part), "{part}: {message}");
    }
    let other = WEU.replace("shop", "other").replace("weu", "neu");
    assert_eq!(azure.call(&reader, Method::GET, &in_subscription(&other), None).await.0, 403);
    assert_eq!(azure.call(&nobody, Method::GET, &clusters, None).await.0, 403);

    let subscriptions = "/subscriptions?api-version=2022-12-01";
    let count = async |token: &str| {
        let (_, body) = azure.call(token, Method::GET, subscriptions, None).await;
        body["value"].as_array().unwrap().len()
    };
    assert_eq!((count(&reader).await, count(&nobody).await), (1, 0));
    let permissions =
        format!("/subscriptions/{SUBSCRIPTION}{WEU}/providers/Microsoft.Authorization/permissions");
    let (_, granted) =
        azure.call(&reader, Method::GET, &format!("{permissions}?api-version=2022-04-01"), None).await;
    assert_eq!(granted["value"][0]["actions"][0], "Microsoft.ContainerService/*/read");
}

#[tokio::test]
async fn what_is_not_modelled_is_refused_as_by_azure_and_said_in_the_log() {
    let azure = Azure::start().await;
    let token = azure.sign_in("app").await;
    let deployments = format!(
        "/subscriptions/{SUBSCRIPTION}/resourceGroups/shop/providers/Microsoft.Resources/deployments/d"
    );
    for (method, path, status, expected, missing) in [
        (
            Method::GET,
            in_subscription(&format!("{WEU}/privateLinkResources")),
            404,
            "InvalidResourceType",
            true,
        ),
        (Method::PUT, format!("{deployments}?api-version=2021-04-01"), 404, "InvalidResourceType", true),
        (
            Method::GET,
            format!("/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Nothing/x?{VERSION}"),
            404,
            "InvalidResourceNamespace",
            true,
        ),
        (Method::PATCH, in_subscription(&format!("{WEU}/agentPools/apps")), 405, "MethodNotAllowed", true),
        (Method::GET, format!("/nonsense?{VERSION}"), 404, "MissingSubscription", true),
        (
            Method::GET,
            format!("/subscriptions/{SUBSCRIPTION}{WEU}"),
            400,
            "MissingApiVersionParameter",
            false,
        ),
        (
            Method::GET,
            format!("/subscriptions/{SUBSCRIPTION}{WEU}?api-version=newest"),
            400,
            "InvalidApiVersionParameter",
            false,
        ),
        (
            Method::GET,
            format!("/subscriptions/{SUBSCRIPTION}{WEU}?api-version=2016-01-01"),
            400,
            "NoRegisteredProviderFound",
            false,
        ),
        (
            Method::GET,
            "/subscriptions?api-version=1999-01-01".to_owned(),
            400,
            "InvalidApiVersionParameter",
            false,
        ),
        (
            Method::GET,
            format!("/subscriptions/20000000-0000-4000-8000-00000000ffff?{}", "api-version=2022-12-01"),
            404,
            "SubscriptionNotFound",
            false,
        ),
    ] {
        let (found, body) = azure.call(&token, method.clone(), &path, None).await;
        assert_eq!((found, code(&body)), (status, expected), "{method} {path}: {body}");
        let log = azure.simulator.log();
        assert_eq!(log.last().unwrap().missing.is_some(), missing, "{path}: {log:?}");
    }
    let (_, body) =
        azure.call(&token, Method::GET, &in_subscription(WEU).replace("2026-05", "2016-01"), None).await;
    assert!(body["error"]["message"].as_str().unwrap().contains("2026-05-01"), "the supported list: {body}");
}

#[tokio::test]
async fn bodies_are_json_and_of_a_size() {
    let azure = Azure::start().await;
    let token = azure.sign_in("app").await;
    let put = async |body: Vec<u8>| {
        let request = azure.request(Method::PUT, &in_subscription(WEU)).bearer_auth(&token);
        read(request.header("expect", "100-continue").body(body).send().await.unwrap()).await
    };
    let (status, body) = put(b"{ not json".to_vec()).await;
    assert_eq!((status, code(&body)), (400, "InvalidRequestContent"));
    let (status, body) = put(vec![b' '; 4 * 1024 * 1024 + 1]).await;
    assert_eq!((status, code(&body)), (413, "RequestContentTooLarge"));
}

#[tokio::test]
async fn every_answer_has_the_headers_of_azure_resource_manager() {
    let azure = Azure::start().await;
    let token = azure.sign_in("app").await;
    let correlation = "12345678-1234-4123-8123-123456789012";
    let get = |path: String| azure.request(Method::GET, &path).bearer_auth(&token);
    let response = get(in_subscription(WEU))
        .header("x-ms-correlation-request-id", correlation)
        .header("x-ms-client-request-id", "mine")
        .header("x-ms-return-client-request-id", "true")
        .send()
        .await
        .unwrap();
    assert_eq!(header(&response, "x-ms-correlation-request-id"), correlation);
    assert_eq!(header(&response, "x-ms-client-request-id"), "mine");
    assert_eq!(header(&response, "x-ms-request-id").len(), 36);
    assert!(header(&response, "x-ms-routing-request-id").ends_with(header(&response, "x-ms-request-id")));
    assert!(header(&response, "strict-transport-security").starts_with("max-age="));
    assert_eq!(header(&response, "x-content-type-options"), "nosniff");
    assert_eq!(header(&response, "pragma"), "no-cache");
    assert_eq!(header(&response, "x-ms-ratelimit-remaining-subscription-reads"), "249");
    assert!(response.headers().contains_key("date"));
    assert_eq!(header(&response, "content-type"), "application/json");
    assert!(response.headers().get("x-ms-failure-cause").is_none());

    let missing = get(in_subscription(&WEU.replace("weu", "nope"))).send().await.unwrap();
    assert_eq!(header(&missing, "x-ms-failure-cause"), "gateway");
    assert_eq!(header(&missing, "content-type"), "application/json; charset=utf-8");
    assert!(missing.headers().get("x-ms-client-request-id").is_none());
    let unknown = azure.request(Method::GET, &in_subscription("")).send().await.unwrap();
    assert_eq!(unknown.status(), StatusCode::UNAUTHORIZED);
    let challenge = header(&unknown, "www-authenticate");
    assert!(
        challenge.contains(&azure.simulator.ready().tenant) && challenge.starts_with("Bearer "),
        "{challenge}"
    );
}

#[tokio::test]
async fn pages_of_a_filtered_list_keep_the_filter() {
    let azure = Azure::with(&format!("pageSize: 1\n{SCENARIO}")).await;
    let token = azure.sign_in("app").await;
    let filter = "/resources?$filter=resourceType%20eq%20'Microsoft.ContainerService%2FmanagedClusters'";
    let (mut next, mut names) = (Some(in_subscription(filter)), Vec::new());
    while let Some(path) = next {
        let (status, body) = azure.call(&token, Method::GET, &path, None).await;
        assert_eq!(status, 200, "{path}: {body}");
        names.extend(body["value"].as_array().unwrap().iter().map(|item| item["name"].clone()));
        next = body["nextLink"].as_str().map(str::to_owned);
        assert!(next.as_ref().is_none_or(|next| next.contains("filter")));
    }
    assert_eq!(names, ["neu", "weu"]);
}
