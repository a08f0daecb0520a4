//! Operation URLs are followed as they came, and only to where they may lead.

use azure_mgmt_containerservice::{Error, OperationState, OperationUrl};
use serde_json::json;

use crate::support::{Arm, json as reply};

#[tokio::test]
async fn an_operation_url_is_used_verbatim() {
    let arm = Arm::answering(reply(200, &json!({"status": "Draining: 1/3 nodes"}))).await;
    let query = "api-version=2025-03-01&t=639166230591683907&c=A%2Bb&s=x-y_z%3D&h=~";
    let url = OperationUrl::new(format!("{}subscriptions/s-1/operations/o-1?{query}", arm.url));
    let status = arm.client().operations().status(&url).await.unwrap();
    assert_eq!(status.state, OperationState::InProgress("Draining: 1/3 nodes".to_owned()));
    let request = arm.only();
    assert_eq!((request.path.as_str(), request.query.as_str()), ("/subscriptions/s-1/operations/o-1", query));
    assert_eq!(request.header("authorization"), Some("Bearer secret-token"));
}

#[tokio::test]
async fn the_token_never_goes_to_another_origin() {
    let arm = Arm::answering(reply(200, &json!({"status": "Succeeded"}))).await;
    let other = Arm::answering(reply(200, &json!({"status": "Succeeded"}))).await;
    let plain = arm.url.as_str().replace("https", "http");
    for origin in [other.url.as_str(), &plain, "https://evil.example/", "https://127.0.0.1:1/"] {
        let url = OperationUrl::new(format!("{origin}operations/1?s=signature"));
        let error = arm.client().operations().status(&url).await.unwrap_err();
        assert!(matches!(error, Error::ForeignOrigin { .. }), "{error}");
        assert!(!error.to_string().contains("signature"), "{error}");
    }
    let error = arm.client().operations().status(&OperationUrl::new("nonsense")).await.unwrap_err();
    assert!(matches!(error, Error::Decode { .. }), "{error}");
    assert!(arm.seen().is_empty() && other.seen().is_empty());
}

#[tokio::test]
async fn a_failed_operation_says_why() {
    let body = json!({"status": "Failed", "error": {"code": "UpgradeFailed", "message": "a drain",
        "details": [{"code": "PodDrainFailure", "message": "shop/cart-0 blocked by pdb cart"}]}});
    let arm = Arm::answering(reply(200, &body)).await;
    let url = OperationUrl::new(format!("{}operations/1", arm.url));
    let status = arm.client().operations().status(&url).await.unwrap();
    assert_eq!(status.state, OperationState::Failed);
    let summary = status.error.unwrap().summary();
    assert_eq!(summary, "a drain; PodDrainFailure: shop/cart-0 blocked by pdb cart");
}
