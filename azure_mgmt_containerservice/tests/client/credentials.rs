//! Credentials against a token endpoint on a loopback address.

use std::sync::Arc;

use azure_core::credentials::Secret;
use azure_mgmt_containerservice::{AKS_SERVER_SCOPE, Client, ClientOptions, CredentialConfig, Error};
use serde_json::json;
use url::form_urlencoded;

use crate::support::{Arm, cluster, json as reply};

const TENANT: &str = "00000000-0000-0000-0000-00000000000a";

fn secret(arm: &Arm) -> CredentialConfig {
    CredentialConfig::ClientSecret {
        tenant_id: TENANT.to_owned(),
        client_id: "app".to_owned(),
        secret: Secret::new("hush"),
        authority: arm.url.clone(),
    }
}

/// Hands out the tokens `token-1`, `token-2`, ..., each good for an hour.
async fn authority() -> Arm {
    Arm::start(|request| {
        Some(if request.path == format!("/{TENANT}/oauth2/v2.0/token") {
            let scope = field(&request.body, "scope").unwrap_or_default();
            reply(
                200,
                &json!({"token_type": "Bearer", "expires_in": 3600, "access_token": format!("for {scope}")}),
            )
        } else {
            reply(200, &json!({"properties": {}}))
        })
    })
    .await
}

fn field(body: &str, name: &str) -> Option<String> {
    form_urlencoded::parse(body.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

#[tokio::test]
async fn a_client_secret_gets_a_token_for_the_endpoint() {
    let arm = authority().await;
    let credential = secret(&arm).build(Some(&arm.ca_pem)).unwrap();
    let options = ClientOptions {
        endpoint: arm.url.clone(),
        extra_ca_pem: Some(arm.ca_pem.clone()),
        ..ClientOptions::default()
    };
    let client = Client::new(options, credential).unwrap();
    client.managed_clusters().get(&cluster()).await.unwrap();
    client.managed_clusters().get(&cluster()).await.unwrap();
    let [token, first, second] = arm.seen().try_into().unwrap();
    assert_eq!(field(&token.body, "client_secret").as_deref(), Some("hush"));
    let scope = format!("{}.default", arm.url);
    assert_eq!(field(&token.body, "scope"), Some(scope.clone()));
    for request in [first, second] {
        assert_eq!(request.header("authorization"), Some(format!("Bearer for {scope}").as_str()));
    }
}

#[tokio::test]
async fn a_configured_audience_is_asked_for_instead() {
    let arm = authority().await;
    let credential = secret(&arm).build(Some(&arm.ca_pem)).unwrap();
    let options = ClientOptions {
        endpoint: arm.url.clone(),
        audience: Some("https://management.azure.com".to_owned()),
        extra_ca_pem: Some(arm.ca_pem.clone()),
        ..ClientOptions::default()
    };
    Client::new(options, credential).unwrap().managed_clusters().get(&cluster()).await.unwrap();
    let scope = field(&arm.seen()[0].body, "scope");
    assert_eq!(scope.as_deref(), Some("https://management.azure.com/.default"));
}

#[tokio::test]
async fn a_federated_token_is_read_at_each_exchange() {
    let arm = authority().await;
    let folder = tempfile::tempdir().unwrap();
    let token_file = folder.path().join("token");
    std::fs::write(&token_file, "first\n").unwrap();
    let config = CredentialConfig::WorkloadIdentity {
        tenant_id: TENANT.to_owned(),
        client_id: "app".to_owned(),
        token_file: token_file.clone(),
        authority: arm.url.clone(),
    };
    let credential = config.build(Some(&arm.ca_pem)).unwrap();
    let token = credential.get_token(&[AKS_SERVER_SCOPE], None).await.unwrap();
    assert_eq!(token.token.secret(), format!("for {AKS_SERVER_SCOPE}"));
    std::fs::write(&token_file, "second").unwrap();
    credential.get_token(&["https://other/.default"], None).await.unwrap();
    let assertions: Vec<_> =
        arm.seen().iter().map(|request| field(&request.body, "client_assertion")).collect();
    assert_eq!(assertions, [Some("first".to_owned()), Some("second".to_owned())]);
    std::fs::remove_file(&token_file).unwrap();
    let error = credential.get_token(&["https://third/.default"], None).await.unwrap_err();
    assert!(error.to_string().contains(token_file.to_str().unwrap()), "{error}");
}

#[tokio::test]
async fn a_refused_secret_is_an_authentication_error() {
    let body = json!({"error": "invalid_client", "error_description": "AADSTS7000215: wrong secret",
        "error_codes": [7000215], "timestamp": "", "trace_id": "", "correlation_id": ""});
    let arm = Arm::answering(reply(401, &body)).await;
    let credential = secret(&arm).build(Some(&arm.ca_pem)).unwrap();
    let options = ClientOptions {
        endpoint: arm.url.clone(),
        extra_ca_pem: Some(arm.ca_pem.clone()),
        ..ClientOptions::default()
    };
    let error =
        Client::new(options, credential).unwrap().managed_clusters().get(&cluster()).await.unwrap_err();
    assert!(matches!(error, Error::Authentication { .. }), "{error:?}");
    assert!(error.to_string().contains("AADSTS7000215"), "{error}");
    assert!(!format!("{error} {error:?}").contains("hush"));
}

#[tokio::test]
async fn configurations_do_not_print_secrets_and_mistakes_show_at_once() {
    let arm = authority().await;
    assert!(!format!("{:?}", secret(&arm)).contains("hush"));
    let plain = CredentialConfig::WorkloadIdentity {
        tenant_id: TENANT.to_owned(),
        client_id: "app".to_owned(),
        token_file: "token".into(),
        authority: "http://login.example/".parse().unwrap(),
    };
    let no_tenant = CredentialConfig::ClientSecret {
        tenant_id: "a b".to_owned(),
        client_id: "app".to_owned(),
        secret: Secret::new("hush"),
        authority: arm.url.clone(),
    };
    for config in [plain, no_tenant] {
        let error = config.build(None).map(|_: Arc<_>| ()).unwrap_err();
        assert!(matches!(error, Error::Configuration(_)), "{error}");
    }
    for config in [
        CredentialConfig::ManagedIdentity { client_id: Some("id".to_owned()) },
        CredentialConfig::DeveloperTools,
    ] {
        config.build(Some(&arm.ca_pem)).unwrap();
    }
}
