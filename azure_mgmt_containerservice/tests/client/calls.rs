//! What each call sends, and what it makes of the answer.

use std::time::Duration;

use azure_mgmt_containerservice::{ETag, Error};
use serde_json::json;

use crate::support::{Arm, CLUSTER, cluster, json as reply};

#[tokio::test]
async fn a_read_carries_token_and_api_version() {
    let body = json!({
        "id": CLUSTER.to_lowercase(), "name": "shop-eu", "location": "westeurope", "eTag": "one",
        "properties": {"provisioningState": "Succeeded", "currentKubernetesVersion": "1.33.8",
            "agentPoolProfiles": [{"name": "system", "count": 3, "upgradeSettings": {"maxSurge": "33%"}}]},
        "somethingNew": {"deep": [1, 2.5, null]},
    });
    let arm = Arm::answering(reply(200, &body)).await;
    let document = arm.client().managed_clusters().get(&cluster()).await.unwrap();
    assert_eq!(document.etag(), Some(&ETag::new("one")));
    assert_eq!(document.view().pool("SYSTEM").unwrap().upgrade_settings.max_surge.as_deref(), Some("33%"));
    assert_eq!(document.into_value(), body);
    let request = arm.only();
    assert_eq!((request.method.as_str(), request.path.as_str()), ("GET", CLUSTER));
    assert_eq!(request.query, "api-version=2026-05-01");
    assert_eq!(request.header("authorization"), Some("Bearer secret-token"));
    assert!(request.header("user-agent").unwrap().starts_with("tidegate "));
    assert!(request.header("x-ms-client-request-id").is_some());
}

#[tokio::test]
async fn names_are_escaped_into_one_segment() {
    let arm = Arm::answering(reply(200, &json!({"properties": {}}))).await;
    arm.client().agent_pools().get(&cluster(), "a/../b").await.unwrap();
    assert_eq!(arm.only().path, format!("{CLUSTER}/agentPools/a%2F..%2Fb"));
}

#[tokio::test]
async fn the_configured_api_version_is_used() {
    let arm = Arm::answering(reply(200, &json!({"properties": {}}))).await;
    let client = arm.client_with(|options| options.api_version = "2026-08-01".to_owned());
    client.agent_pools().get(&cluster(), "user").await.unwrap();
    assert_eq!(arm.only().query, "api-version=2026-08-01");
}

#[tokio::test]
async fn a_write_sends_the_body_and_the_etag_when_there_is_one() {
    let body = json!({"properties": {"orchestratorVersion": "1.34.4"}});
    let arm = Arm::start(|request| {
        let link = format!("https://{}/operations/1?s=x", request.header("host")?);
        Some((201, vec![("azure-asyncoperation", link), ("etag", "two".to_owned())], "{}".to_owned()))
    })
    .await;
    let client = arm.client();
    let accepted =
        client.agent_pools().put(&cluster(), "user", &body, Some(&ETag::new("one"))).await.unwrap();
    assert!(accepted.async_operation.unwrap().expose().ends_with("/operations/1?s=x"));
    assert_eq!(accepted.etag, Some(ETag::new("two")));
    assert_eq!((accepted.location, accepted.retry_after), (None, None));
    client.managed_clusters().put(&cluster(), &body, None).await.unwrap();
    let [pool, cluster] = arm.seen().try_into().unwrap();
    assert_eq!((pool.method.as_str(), pool.header("if-match")), ("PUT", Some("one")));
    assert_eq!(pool.path, format!("{CLUSTER}/agentPools/user"));
    assert_eq!(pool.header("content-type"), Some("application/json"));
    assert_eq!(serde_json::from_str::<serde_json::Value>(&pool.body).unwrap(), body);
    assert_eq!((cluster.path.as_str(), cluster.header("if-match")), (CLUSTER, None));
}

#[tokio::test]
async fn a_list_follows_its_pages_through_empty_ones() {
    let arm = Arm::start(|request| {
        let next = |page: u8| format!("https://{}/page?n={page}", request.header("host").unwrap());
        Some(match (request.path.as_str(), request.query.as_str()) {
            ("/page", "n=2") => reply(200, &json!({"value": [], "nextLink": next(3)})),
            ("/page", "n=3") => reply(200, &json!({"value": null, "nextLink": next(4)})),
            ("/page", _) => reply(200, &json!({"value": [{"name": "b"}], "nextLink": ""})),
            _ => reply(200, &json!({"value": [{"name": "a", "eTag": "e"}], "nextLink": next(2)})),
        })
    })
    .await;
    let clusters = arm.client().managed_clusters().list("s-1").await.unwrap();
    let names: Vec<_> = clusters.iter().map(|cluster| cluster.view().name.as_deref()).collect();
    assert_eq!(names, [Some("a"), Some("b")]);
    assert_eq!(clusters[0].etag(), Some(&ETag::new("e")));
    let paths: Vec<_> = arm.seen().into_iter().map(|request| request.path).collect();
    assert_eq!(paths[0], "/subscriptions/s-1/providers/Microsoft.ContainerService/managedClusters");
    assert_eq!(paths[1..], ["/page", "/page", "/page"]);
}

#[tokio::test]
async fn a_list_does_not_follow_links_elsewhere_or_in_circles() {
    let arm =
        Arm::answering(reply(200, &json!({"value": [], "nextLink": "https://evil.example/page"}))).await;
    let error = arm.client().managed_clusters().list("s-1").await.unwrap_err();
    assert!(
        matches!(&error, Error::ForeignOrigin { found, .. } if found == "https://evil.example"),
        "{error}"
    );
    let arm = Arm::start(|request| {
        let link = format!("https://{}/again", request.header("host")?);
        Some(reply(200, &json!({"value": [], "nextLink": link})))
    })
    .await;
    let error = arm.client().agent_pools().list(&cluster()).await.unwrap_err();
    assert!(matches!(error, Error::Decode { .. }), "{error}");
    assert_eq!(arm.seen().len(), 2);
}

#[tokio::test]
async fn upgrade_profiles_and_versions() {
    let arm = Arm::start(|request| {
        let body = if request.path.ends_with("/kubernetesVersions") {
            json!({"values": [{"version": "1.34", "isPreview": null, "capabilities": {"supportPlan": ["KubernetesOfficial"]},
                "patchVersions": {"1.34.4": {"upgrades": ["1.35.1"]}, "1.34.100": {"upgrades": null}}}]})
        } else if request.path.contains("/agentPools/") {
            json!({"properties": {"latestNodeImageVersion": "image", "recentlyUsedVersions":
                [{"orchestratorVersion": "1.33.8", "nodeImageVersion": "old", "timestamp": "2026-06-09T17:25:36.118786553Z"}]}})
        } else {
            json!({"properties": {"controlPlaneProfile": {"kubernetesVersion": "1.33.8",
                "upgrades": [{"kubernetesVersion": "1.34.4", "isPreview": true}, {"kubernetesVersion": "1.33.9"}]},
                "agentPoolProfiles": null}})
        };
        Some(reply(200, &body))
    })
    .await;
    let client = arm.client();
    let versions = client.locations().kubernetes_versions("s-1", "westeurope").await.unwrap();
    let minor = versions.minor("1.34").unwrap();
    assert_eq!(minor.support_plans, ["KubernetesOfficial"]);
    assert_eq!(minor.patch_versions["1.34.4"].upgrades, ["1.35.1"]);
    assert!(minor.patch_versions["1.34.100"].upgrades.is_empty() && !minor.is_preview);
    let profile = client.agent_pools().upgrade_profile(&cluster(), "user").await.unwrap();
    assert_eq!(profile.view().latest_node_image_version.as_deref(), Some("image"));
    assert!(profile.view().recently_used_versions[0].timestamp.is_some());
    let profile = client.managed_clusters().upgrade_profile(&cluster()).await.unwrap();
    let offered: Vec<_> = profile
        .view()
        .upgrades
        .iter()
        .map(|offer| (offer.kubernetes_version.as_str(), offer.is_preview))
        .collect();
    assert_eq!(offered, [("1.34.4", true), ("1.33.9", false)]);
}

#[tokio::test]
async fn a_node_image_upgrade_is_a_post_without_a_body() {
    let headers = vec![
        ("azure-asyncoperation", "https://a/1".to_owned()),
        ("location", "https://a/2".to_owned()),
        ("retry-after", "15".to_owned()),
    ];
    let arm = Arm::answering((202, headers, String::new())).await;
    let accepted = arm.client().agent_pools().upgrade_node_image(&cluster(), "user").await.unwrap();
    assert_eq!(accepted.document, None);
    assert_eq!(accepted.async_operation.unwrap().expose(), "https://a/1");
    assert_eq!(accepted.location.unwrap().expose(), "https://a/2");
    assert_eq!(accepted.retry_after, Some(Duration::from_secs(15)));
    let request = arm.only();
    assert_eq!((request.method.as_str(), request.header("content-length")), ("POST", Some("0")));
    assert_eq!(request.path, format!("{CLUSTER}/agentPools/user/upgradeNodeImageVersion"));
}

#[tokio::test]
async fn an_abort_says_whether_there_was_something_to_stop() {
    let conflict = |code: &str| reply(409, &json!({"code": code, "message": "m"}));
    let table = [
        (reply(202, &json!({})), Some(true)),
        (reply(204, &json!(null)), Some(false)),
        (conflict("OperationNotAllowed"), Some(false)),
        (conflict("EtagMismatch"), None),
        (conflict("ScopeLocked"), None),
        (reply(500, &json!({})), None),
    ];
    for ((status, headers, body), expected) in table {
        let body = if status == 204 { String::new() } else { body };
        let arm = Arm::answering((status, headers, body)).await;
        let aborted = arm.client().managed_clusters().abort(&cluster()).await;
        assert_eq!(aborted.ok().map(|accepted| accepted.is_some()), expected, "{status}");
        assert_eq!(arm.only().path, format!("{CLUSTER}/abort"));
    }
}

#[tokio::test]
async fn a_kubeconfig_gives_server_and_authority_only() {
    // clusters: [{name: c, cluster: {server: 'https://c:443', certificate-authority-data: UEVN}}]
    let value = "Y2x1c3RlcnM6IFt7bmFtZTogYywgY2x1c3Rlcjoge3NlcnZlcjogJ2h0dHBzOi8vYzo0NDMnLCBjZXJ0aWZpY2F0ZS1hdXRob3JpdHktZGF0YTogVUVWTn19XQ==";
    let arm = Arm::answering(reply(200, &json!({"kubeconfigs": [{"value": value}]}))).await;
    let config = arm.client().managed_clusters().user_credential(&cluster()).await.unwrap();
    assert_eq!((config.server.as_str(), config.ca_pem.as_deref()), ("https://c/", Some(b"PEM".as_slice())));
    assert_eq!(arm.only().path, format!("{CLUSTER}/listClusterUserCredential"));
}
