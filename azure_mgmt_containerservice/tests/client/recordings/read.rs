//! Every recorded call that is one of ours goes through the client: same method and path, the recorded
//! status, headers and body as the answer.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use azure_mgmt_containerservice::{
    Accepted, AgentPool, Client, ClusterId, Document, Error, ManagedCluster, OperationResult, OperationUrl,
    View,
};
use serde_json::{Value, json};

use super::{Call, recordings};
use crate::support::{Arm, Reply};

/// What a call of the client came to: what kind it is, and the documents as the client hands them out.
type Outcome = (&'static str, Result<Vec<Value>, Error>);

#[tokio::test]
async fn the_client_reads_every_recorded_answer_and_loses_nothing() {
    let Some(recordings) = recordings() else { return };
    let pages: Vec<Call> = recordings.values().flatten().filter(|call| is_next_page(call)).cloned().collect();
    let next: Arc<Mutex<Reply>> = Arc::default();
    let answers = Arc::clone(&next);
    let arm = Arm::start(move |request| {
        // Links in the answers lead here instead of to Azure.
        let here = format!("https://{}/", request.header("host")?);
        let page = pages.iter().find(|page| is_asked_for(page, &request.query));
        let (status, headers, body) = page.map_or_else(|| answers.lock().expect("no panic").clone(), reply);
        Some((status, headers, body.replace("https://management.azure.com/", &here)))
    })
    .await;
    let client = arm.client();
    let (mut seen, mut left_out) = (BTreeMap::<&str, usize>::new(), BTreeMap::<String, usize>::new());
    let mut at = 0;
    for (file, calls) in &recordings {
        for call in calls.iter().filter(|call| !is_next_page(call)) {
            *next.lock().expect("no panic") = reply(call);
            let Some((kind, answer)) = ask(&client, call).await else {
                *left_out.entry(what(call)).or_default() += 1;
                continue;
            };
            let (request, followed) = (arm.seen().remove(at), arm.seen().len() - at - 1);
            at = arm.seen().len();
            assert_eq!(followed > 0, call.body.get("nextLink").is_some(), "{file}");
            *seen.entry("next page").or_default() += followed;
            // Recorded paths differ in case, as Azure's own ids do.
            let path = call.path.to_lowercase();
            assert_eq!((&request.method, request.path.to_lowercase()), (&call.method, path), "{file}");
            *seen.entry(kind).or_default() += 1;
            check(&format!("{file}: {} {}", call.method, call.path), call, answer);
        }
    }
    eprintln!("read: {seen:?}; {} not ours", left_out.values().sum::<usize>());
    let ours: usize = seen.values().sum();
    assert!(ours >= 230, "only {ours} calls: {seen:?}");
    for kind in KINDS {
        assert!(seen.contains_key(kind), "no {kind} in {seen:?}");
    }
    let others: Vec<_> =
        left_out.keys().filter(|what| !NOT_OURS.iter().any(|ours| what.contains(ours))).collect();
    assert!(others.is_empty(), "calls that nobody reads: {others:?}");
}

/// All kinds of calls that the recordings have.
const KINDS: [&str; 18] = [
    "cluster",
    "put cluster",
    "abort cluster",
    "cluster profile",
    "pools",
    "pool",
    "put pool",
    "upgrade image",
    "abort pool",
    "pool profile",
    "machines",
    "machine",
    "windows",
    "window",
    "versions",
    "operation",
    "operation result",
    "next page",
];

/// A page behind the first one, which the client asks for by itself.
fn is_next_page(call: &Call) -> bool {
    call.query.contains("skipToken")
}

/// Whether the query asks for that page, however its characters are escaped.
fn is_asked_for(page: &Call, query: &str) -> bool {
    let token = |query: &str| Some(query.rsplit_once("&skipToken=")?.1.to_owned());
    token(query).is_some_and(|wanted| token(&page.query) == Some(wanted))
}

/// What the recordings have and Tidegate never asks for.
const NOT_OURS: [&str; 8] = [
    "DELETE ",
    "HEAD ",
    "PUT /subscriptions/resourcegroups/defaultresourcegroup-",
    "PUT window",
    "microsoft.insights",
    "microsoft.monitor",
    "microsoft.alertsmanagement",
    "/fleets/",
];

fn what(call: &Call) -> String {
    if call.is_one_of("maintenanceConfigurations") {
        return format!("{} window", call.method);
    }
    format!(
        "{} {}",
        call.method,
        call.path.to_lowercase().replace("/00000000-0000-0000-0000-000000000000", "")
    )
}

fn reply(call: &Call) -> Reply {
    let body = match call.body.as_str() {
        Some(text) => text.to_owned(),
        None if call.body.is_null() => String::new(),
        None => call.body.to_string(),
    };
    // The tests' server wants names that live forever.
    let headers = call.headers.iter().map(|(name, value)| (&*name.clone().leak(), value.clone()));
    (call.status, headers.collect(), body)
}

/// Sends a recorded request by the method of the client that is meant for it; `None` if there is none.
async fn ask(client: &Client, call: &Call) -> Option<Outcome> {
    let segments = call.segments();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    if let ["subscriptions", _, "providers", "microsoft.containerservice", "locations", rest @ ..] =
        &segments[..]
    {
        return region(client, call, segments[1], rest).await;
    }
    let [
        "subscriptions",
        subscription,
        "resourcegroups",
        group,
        "providers",
        "microsoft.containerservice",
        "managedclusters",
        name,
        below @ ..,
    ] = &segments[..]
    else {
        return None;
    };
    let id = ClusterId::new(subscription, group, name).expect("an id");
    let clusters = client.managed_clusters();
    Some(match (call.method.as_str(), below) {
        ("GET", []) => ("cluster", clusters.get(&id).await.map(one)),
        ("PUT", []) => ("put cluster", clusters.put(&id, &call.sent, None).await.map(accepted)),
        ("POST", ["abort"]) => ("abort cluster", clusters.abort(&id).await.map(stopped)),
        ("GET", ["upgradeprofiles", "default"]) => {
            ("cluster profile", clusters.upgrade_profile(&id).await.map(one))
        }
        ("GET", ["maintenanceconfigurations"]) => {
            ("windows", client.maintenance_configurations().list(&id).await.map(all))
        }
        ("GET", ["maintenanceconfigurations", name]) => {
            ("window", client.maintenance_configurations().get(&id, name).await.map(one))
        }
        (_, ["agentpools", rest @ ..]) => pool(client, call, &id, rest).await?,
        _ => return None,
    })
}

async fn pool(client: &Client, call: &Call, id: &ClusterId, rest: &[&str]) -> Option<Outcome> {
    let pools = client.agent_pools();
    Some(match (call.method.as_str(), rest) {
        ("GET", []) => ("pools", pools.list(id).await.map(all)),
        ("GET", [pool]) => ("pool", pools.get(id, pool).await.map(one)),
        ("PUT", [pool]) => ("put pool", pools.put(id, pool, &call.sent, None).await.map(accepted)),
        ("POST", [pool, "abort"]) => ("abort pool", pools.abort(id, pool).await.map(stopped)),
        ("POST", [pool, "upgradenodeimageversion"]) => {
            ("upgrade image", pools.upgrade_node_image(id, pool).await.map(accepted))
        }
        ("GET", [pool, "upgradeprofiles", "default"]) => {
            ("pool profile", pools.upgrade_profile(id, pool).await.map(one))
        }
        ("GET", [pool, "machines"]) => ("machines", pools.machines(id, pool).await.map(all)),
        ("GET", [pool, "machines", name]) => ("machine", pools.machine(id, pool, name).await.map(one)),
        _ => return None,
    })
}

async fn region(client: &Client, call: &Call, subscription: &str, rest: &[&str]) -> Option<Outcome> {
    let mut url = client.endpoint().join(&call.path).expect("a URL");
    url.set_query(Some(&call.query));
    let url = OperationUrl::new(url);
    Some(match rest {
        [location, "kubernetesversions"] => {
            let versions = client.locations().kubernetes_versions(subscription, location).await;
            let counted =
                |listed: usize| assert_eq!(Some(listed), call.body["values"].as_array().map(Vec::len));
            (
                "versions",
                versions.map(|versions| counted(versions.minors.len())).map(|()| vec![call.body.clone()]),
            )
        }
        [_, "operations", _] => {
            let status = client.operations().status(&url).await;
            let read = status.map(|status| {
                let word = call.body["status"].as_str().expect("a status");
                assert_eq!(status.name.as_deref(), call.body["name"].as_str(), "{word}");
                assert_eq!(status.state.is_terminal(), matches!(word, "Succeeded" | "Failed" | "Canceled"));
                assert_eq!(status.error.is_some(), call.body.get("error").is_some());
                assert!(status.start_time.is_some());
                vec![call.body.clone()]
            });
            ("operation", read)
        }
        [_, "operationresults", _] => {
            ("operation result", client.operations().result(&url).await.map(result))
        }
        _ => return None,
    })
}

/// What the client made of the answer must be what was recorded, document by document.
fn check(at: &str, call: &Call, answer: Result<Vec<Value>, Error>) {
    match answer {
        Ok(documents) => {
            assert!(call.status < 400, "{at}");
            let expected = match (&call.body, call.body.get("value").and_then(Value::as_array)) {
                (Value::Null, _) => Vec::new(),
                (_, Some(items)) => items.clone(),
                (body, None) => vec![body.clone()],
            };
            assert_eq!(documents, expected, "{at}");
            documents.iter().for_each(|document| check_view(at, document));
        }
        Err(error) => {
            assert!(call.status >= 400, "{at}: {error}");
            let api = error.api().unwrap_or_else(|| panic!("{at}: {error}"));
            assert_eq!(api.status, Some(call.status), "{at}");
            assert_eq!(api.code.is_some(), call.body.is_object(), "{at}: {error}");
            assert!(!api.message.is_empty(), "{at}");
        }
    }
}

/// Fields without which nothing can be decided are known on every recorded cluster and pool.
fn check_view(at: &str, document: &Value) {
    match document["type"].as_str().unwrap_or_default().to_ascii_lowercase().as_str() {
        "microsoft.containerservice/managedclusters" => {
            let cluster = ManagedCluster::read(document);
            let ManagedCluster { id, name, location, provisioning_state, power_state, .. } = &cluster;
            let known = [id, name, location, provisioning_state, power_state, &cluster.kubernetes_version];
            assert!(known.into_iter().all(Option::is_some), "{at}: {cluster:?}");
            let pools = document["properties"]["agentPoolProfiles"].as_array().map_or(0, Vec::len);
            assert_eq!(cluster.agent_pool_profiles.len(), pools, "{at}");
            cluster.agent_pool_profiles.iter().for_each(|pool| check_pool(at, pool));
        }
        "microsoft.containerservice/managedclusters/agentpools" => check_pool(at, &AgentPool::read(document)),
        _ => {}
    }
}

fn check_pool(at: &str, pool: &AgentPool) {
    let known =
        [&pool.name, &pool.mode, &pool.os_type, &pool.os_sku, &pool.orchestrator_version, &pool.vm_size];
    assert!(known.into_iter().all(Option::is_some), "{at}: {pool:?}");
    assert!(pool.count.is_some() && pool.provisioning_state.is_some(), "{at}: {pool:?}");
}

fn one<V>(document: Document<V>) -> Vec<Value> {
    vec![document.into_value()]
}

fn all<V>(documents: Vec<Document<V>>) -> Vec<Value> {
    documents.into_iter().map(Document::into_value).collect()
}

fn accepted(accepted: Accepted) -> Vec<Value> {
    accepted.document.into_iter().collect()
}

fn stopped(stopped: Option<Accepted>) -> Vec<Value> {
    let stopped = stopped.expect("something was running");
    assert!(stopped.async_operation.is_some() && stopped.location.is_some());
    accepted(stopped)
}

fn result(result: OperationResult) -> Vec<Value> {
    match result {
        OperationResult::Running => vec![json!("running")],
        OperationResult::Done(document) => document.into_iter().collect(),
    }
}
