//! What comes back when Azure refuses, or does not answer: data, after exactly one request.

use std::{net::TcpListener, sync::Arc, time::Duration};

use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};
use azure_mgmt_containerservice::{Client, ClientOptions, Error, OperationUrl};
use serde_json::json;

use crate::support::{Arm, Reply, cluster, json as reply};

#[tokio::test]
async fn refusals_are_data_and_never_repeated() {
    let throttled: Reply = (
        429,
        vec![("retry-after", "3600".to_owned()), ("x-ms-request-id", "r-1".to_owned())],
        json!({"code": "Throttled", "message": "slow down"}).to_string(),
    );
    let table = [
        (
            reply(409, &json!({"code": "EtagMismatch", "subcode": "S", "message": "m"})),
            "409 EtagMismatch/S: m",
        ),
        (
            reply(412, &json!({"error": {"code": "PreconditionFailed", "message": "m"}})),
            "412 PreconditionFailed: m",
        ),
        (throttled, "429 Throttled: slow down"),
        (reply(503, &json!({"error": {"code": "ServerTimeout", "message": "m"}})), "503 ServerTimeout: m"),
        ((502, vec![], "<html><body>Bad Gateway</body></html>".to_owned()), "502 HTML body"),
        ((302, vec![("location", "https://evil.example/".to_owned())], String::new()), "302 empty body"),
    ];
    for (answer, text) in table {
        let arm = Arm::answering(answer).await;
        let error = arm.client().managed_clusters().put(&cluster(), &json!({}), None).await.unwrap_err();
        assert_eq!(error.to_string(), text);
        assert_eq!(error.is_outcome_unknown(), text.starts_with('5'), "{text}");
        if let Error::Api { error, retry_after, request_id } = error {
            let expected =
                (error.status == Some(429)).then_some((Duration::from_secs(3600), "r-1".to_owned()));
            assert_eq!(retry_after.zip(request_id), expected);
        } else {
            panic!("{text}");
        }
        arm.only();
    }
}

#[tokio::test]
async fn successes_that_are_none_are_not_believed() {
    for body in ["", "<html></html>", "[]", "{"] {
        let arm = Arm::answering((200, vec![], body.to_owned())).await;
        let client = arm.client();
        let error = client.managed_clusters().get(&cluster()).await.unwrap_err();
        assert!(matches!(error, Error::Decode { .. }), "{body:?}: {error}");
        let error = client.locations().kubernetes_versions("s-1", "westeurope").await.unwrap_err();
        assert!(matches!(error, Error::Decode { .. }), "{body:?}: {error}");
    }
    let arm = Arm::answering(reply(200, &json!({"value": ["no object"]}))).await;
    let error = arm.client().managed_clusters().list("s-1").await.unwrap_err();
    assert!(matches!(error, Error::Decode { .. }), "{error}");
}

#[tokio::test]
async fn silence_ends_with_a_timeout() {
    let arm = Arm::start(|_| None).await;
    let client = arm.client_with(|options| options.timeout = Duration::from_millis(300));
    let error = client.managed_clusters().get(&cluster()).await.unwrap_err();
    assert!(matches!(error, Error::Timeout { .. }) && error.is_outcome_unknown(), "{error}");
    arm.only();
}

#[tokio::test]
async fn a_connection_that_fails_does_not_print_the_signed_url() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("https://{}/", listener.local_addr().unwrap());
    drop(listener);
    let arm = Arm::answering(reply(200, &json!({}))).await;
    let client = arm.client_with(|options| options.endpoint = endpoint.parse().unwrap());
    let url = OperationUrl::new(format!("{endpoint}operations/1?s=signature"));
    let error = client.operations().status(&url).await.unwrap_err();
    assert!(matches!(error, Error::Transport { .. }) && !error.is_outcome_unknown(), "{error}");
    assert!(!format!("{error} {error:?}").contains("signature"), "{error:?}");
}

#[tokio::test]
async fn an_unknown_authority_is_not_trusted() {
    let arm = Arm::answering(reply(200, &json!({}))).await;
    let other = Arm::answering(reply(200, &json!({}))).await;
    let client = arm.client_with(|options| options.extra_ca_pem = Some(other.ca_pem.clone()));
    let error = client.managed_clusters().get(&cluster()).await.unwrap_err();
    assert!(matches!(error, Error::Transport { .. }), "{error}");
    assert!(arm.seen().is_empty());
}

#[derive(Debug)]
struct NoToken;

#[async_trait::async_trait]
impl TokenCredential for NoToken {
    async fn get_token(
        &self,
        _: &[&str],
        _: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        Err(azure_core::Error::with_message(azure_core::error::ErrorKind::Credential, "no identity here"))
    }
}

#[tokio::test]
async fn without_a_token_nothing_is_sent() {
    let arm = Arm::answering(reply(200, &json!({}))).await;
    let options = ClientOptions {
        endpoint: arm.url.clone(),
        extra_ca_pem: Some(arm.ca_pem.clone()),
        ..ClientOptions::default()
    };
    let client = Client::new(options, Arc::new(NoToken)).unwrap();
    let error = client.managed_clusters().get(&cluster()).await.unwrap_err();
    assert!(matches!(error, Error::Authentication { .. }), "{error}");
    assert!(error.to_string().contains("no identity here"));
    assert!(arm.seen().is_empty());
}

type Change = fn(&mut ClientOptions);

#[test]
fn a_client_needs_sane_options() {
    let table: [(&str, Change); 5] = [
        ("audience is empty", |options| options.audience = Some(" ".to_owned())),
        ("https", |options| options.endpoint = "http://management.azure.com/".parse().unwrap()),
        ("24 characters", |options| options.application_id = Some("x".repeat(25))),
        ("PEM", |options| {
            options.extra_ca_pem =
                Some(b"-----BEGIN CERTIFICATE-----\n%%%\n-----END CERTIFICATE-----".to_vec())
        }),
        ("no certificate", |options| options.extra_ca_pem = Some(Vec::new())),
    ];
    for (problem, change) in table {
        let mut options = ClientOptions::default();
        change(&mut options);
        let error = Client::new(options, Arc::new(NoToken)).unwrap_err();
        assert!(matches!(&error, Error::Configuration(text) if text.contains(problem)), "{error}");
    }
}
