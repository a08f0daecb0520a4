//! The form of every call and answer: addresses, versions, bodies, headers.

use reqwest::{Method, StatusCode};

use crate::{Azure, SUBSCRIPTION, VERSION, WEU, code, header, in_subscription, read};

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
