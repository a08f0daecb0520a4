//! What Azure Resource Manager itself shows and decides: subscriptions, groups, locks, roles.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{Azure, SCENARIO, SUBSCRIPTION, VERSION, WEU, code, in_subscription};

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
