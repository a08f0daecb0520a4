//! Credentials against a token endpoint on a loopback address.

use std::{path::Path, sync::Arc};

use azure_core::credentials::Secret;
use azure_mgmt_containerservice::{AKS_SERVER_SCOPE, Client, ClientOptions, CredentialConfig, Error};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::json;
use url::form_urlencoded;

use crate::support::{Arm, Reply, cluster, json as reply};

const TENANT: &str = "00000000-0000-0000-0000-00000000000a";

fn secret(arm: &Arm) -> CredentialConfig {
    CredentialConfig::ClientSecret {
        tenant_id: TENANT.to_owned(),
        client_id: "app".to_owned(),
        secret: Secret::new("hush"),
        authority: arm.url.clone(),
    }
}

fn workload(arm: &Arm, token_file: &Path) -> CredentialConfig {
    CredentialConfig::WorkloadIdentity {
        tenant_id: TENANT.to_owned(),
        client_id: "app".to_owned(),
        token_file: token_file.to_owned(),
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
    let credential = workload(&arm, &token_file).build(Some(&arm.ca_pem)).unwrap();
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

/// Entra's refusal with that number.
fn refused(number: u32) -> Reply {
    let description = format!("AADSTS{number}: refused.\r\nTrace ID: t-1\r\nTimestamp: 2026-11-22 18:00:00Z");
    let body = json!({"error": "invalid_client", "error_description": description,
        "error_codes": [number], "timestamp": "", "trace_id": "t-1", "correlation_id": ""});
    reply(401, &body)
}

#[tokio::test]
async fn a_refused_secret_says_whose_it_is_and_what_would_be_right() {
    for (number, hint) in
        [(7_000_215, "the secret's value, not its id"), (7_000_222, "has expired: make a new")]
    {
        let arm = Arm::answering(refused(number)).await;
        let credential = secret(&arm).build(Some(&arm.ca_pem)).unwrap();
        let options = ClientOptions {
            endpoint: arm.url.clone(),
            extra_ca_pem: Some(arm.ca_pem.clone()),
            ..ClientOptions::default()
        };
        let error =
            Client::new(options, credential).unwrap().managed_clusters().get(&cluster()).await.unwrap_err();
        assert!(matches!(error, Error::Authentication { .. }), "{error:?}");
        let expected = format!(
            "no token for Azure: client secret (client id app, tenant {TENANT}): AADSTS{number}: refused. Trace"
        );
        assert!(error.to_string().starts_with(&expected), "{error}");
        assert!(error.to_string().contains(hint), "{error}");
        assert!(!error.to_string().contains(['\r', '\n']), "{error}");
        assert!(!format!("{error} {error:?}").contains("hush"));
    }
}

#[tokio::test]
async fn a_refused_federated_token_says_what_entra_must_know_and_never_the_token() {
    let arm = Arm::answering(refused(700_213)).await;
    let folder = tempfile::tempdir().unwrap();
    let token_file = folder.path().join("token");
    let claims = json!({"iss": "https://issuer.example/", "sub": "system:serviceaccount:ops:tidegate",
        "aud": ["api://AzureADTokenExchange"]});
    std::fs::write(&token_file, format!("head.{}.signature", URL_SAFE_NO_PAD.encode(claims.to_string())))
        .unwrap();
    let credential = workload(&arm, &token_file).build(Some(&arm.ca_pem)).unwrap();
    let error = credential.get_token(&[AKS_SERVER_SCOPE], None).await.unwrap_err().to_string();
    let tried = format!(
        "workload identity (client id app, tenant {TENANT}, token file {}): AADSTS700213",
        token_file.display()
    );
    assert!(error.starts_with(&tried), "{error}");
    let needed = "exactly: issuer https://issuer.example/, subject system:serviceaccount:ops:tidegate, audience \
        api://AzureADTokenExchange";
    assert!(error.contains(needed), "{error}");
    assert!(!error.contains("signature"), "{error}");
}

#[tokio::test]
async fn a_missing_or_empty_token_file_says_what_mounts_it() {
    let arm = authority().await;
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty");
    std::fs::write(&empty, " \n").unwrap();
    for (path, problem) in [(folder.path().join("none"), "cannot be read"), (empty, "is empty")] {
        let credential = workload(&arm, &path).build(Some(&arm.ca_pem)).unwrap();
        let error = credential.get_token(&[AKS_SERVER_SCOPE], None).await.unwrap_err().to_string();
        assert!(error.contains(problem) && error.contains("azure.workload.identity/use=true"), "{error}");
    }
    assert!(arm.seen().is_empty());
}

#[tokio::test]
async fn an_authority_that_is_not_there_is_named() {
    let arm = authority().await;
    let nowhere = CredentialConfig::ClientSecret {
        tenant_id: TENANT.to_owned(),
        client_id: "app".to_owned(),
        secret: Secret::new("hush"),
        authority: "https://127.0.0.1:1/".parse().unwrap(),
    };
    let credential = nowhere.build(Some(&arm.ca_pem)).unwrap();
    let error = credential.get_token(&[AKS_SERVER_SCOPE], None).await.unwrap_err().to_string();
    assert!(error.starts_with("client secret (client id app"), "{error}");
    assert!(error.contains("the authority does not answer"), "{error}");
}

/// Managed identities have no address to configure: the SDK takes that of App Service from the
/// environment, so a process of its own is asked.
#[tokio::test]
async fn a_managed_identity_is_asked_for_by_its_client_id() {
    let arm = Arm::start(|request| {
        let ours = request.query.contains("client_id=known");
        Some(if ours {
            reply(
                200,
                &json!({"access_token": "for us", "expires_on": "4102444800", "token_type": "Bearer",
                "resource": "r"}),
            )
        } else {
            reply(400, &json!({"error": "invalid_request", "error_description": "Identity not found"}))
        })
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, &arm.ca_pem).unwrap();
    let ask = async |client_id: &str| {
        let output = tokio::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "credentials::child_with_a_managed_identity", "--ignored", "--nocapture"])
            .env("IDENTITY_ENDPOINT", format!("{}msi/token", arm.url))
            .env("IDENTITY_HEADER", "header")
            .env("TEST_CLIENT_ID", client_id)
            .env("TEST_CA", &ca)
            .output();
        String::from_utf8(output.await.unwrap().stdout).unwrap()
    };
    let answer = ask("known").await;
    assert!(answer.contains("token: for us"), "{answer}");
    let request = arm.only();
    assert_eq!((request.path.as_str(), request.header("x-identity-header")), ("/msi/token", Some("header")));
    assert!(request.query.contains("resource=6dae42f8-4368-4678-94ff-3960e28e3630"), "{}", request.query);
    let answer = ask("other").await;
    assert!(answer.contains("error: managed identity (client id other): "), "{answer}");
    assert!(answer.contains("assign the identity"), "{answer}");
}

#[tokio::test]
#[ignore = "a process that the test above starts"]
async fn child_with_a_managed_identity() {
    let ca = std::fs::read(std::env::var_os("TEST_CA").unwrap()).unwrap();
    let client_id = Some(std::env::var("TEST_CLIENT_ID").unwrap());
    // The provider is what the server of the other tests installs.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let credential = CredentialConfig::ManagedIdentity { client_id }.build(Some(&ca)).unwrap();
    match credential.get_token(&[AKS_SERVER_SCOPE], None).await {
        Ok(token) => println!("token: {}", token.token.secret()),
        Err(error) => println!("error: {error}"),
    }
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
    for (config, problem) in
        [(plain, "http://login.example/ is not an https URL"), (no_tenant, "tenant a b)")]
    {
        let error = config.build(None).map(|_: Arc<_>| ()).unwrap_err();
        assert!(matches!(&error, Error::Configuration(text) if text.contains(problem)), "{error}");
    }
    for config in [
        CredentialConfig::ManagedIdentity { client_id: Some("id".to_owned()) },
        CredentialConfig::DeveloperTools,
    ] {
        config.build(Some(&arm.ca_pem)).unwrap();
    }
}
