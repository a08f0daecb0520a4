//! Before AKS: tools get to know the cloud, and sign in.

use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256};
use reqwest::{Method, StatusCode};
use serde_json::json;
use simulator::clock;

use crate::{ARM, Azure, WEU, code, in_subscription, read, secret};

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
