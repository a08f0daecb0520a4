//! Recorded refusals: those that can be provoked here are, and are compared in status, code and keys.

use std::{collections::BTreeSet, fs, path::Path};

use reqwest::Method;
use serde_json::{Value, json};
use simulator::{Scenario, StartOptions};

use crate::{
    client::{self, Client, Reply},
    compare,
};

/// A recorded refusal.
pub(crate) struct Recorded {
    status: Option<u16>,
    /// The body; a text when it is no JSON.
    body: Value,
}

/// How a refusal is provoked.
#[derive(Clone, Copy, Debug)]
enum Provocation {
    MissingCluster,
    MissingMachine,
    Quirk(&'static str, u16, bool),
    Busy,
    Deleting,
    DeprecatedApi,
    UnknownPool,
    UnknownVersion,
    SkippedMinor,
}

/// Refusals that can be provoked, by code and a part of their words.
const PROVOKED: &[(&str, &str, Provocation)] = &[
    ("ResourceNotFound", "managedClusters/c", Provocation::MissingCluster),
    ("ResourceNotFound", "managedClusters/akssafeguards", Provocation::MissingCluster),
    ("NotFound", "The entity was not found", Provocation::MissingMachine),
    ("BadGatewayConnection", "", Provocation::Quirk("failingPolls", 502, false)),
    ("", "502 Bad Gateway", Provocation::Quirk("failingPolls", 502, true)),
    ("GatewayTimeout", "", Provocation::Quirk("gatewayTimeouts", 504, false)),
    ("InternalServerError", "", Provocation::Quirk("failingWrites", 500, false)),
    ("EtagMismatch", "", Provocation::Busy),
    ("OperationNotAllowed", "since deletion was issued", Provocation::Deleting),
    ("ValidationError", "deprecated", Provocation::DeprecatedApi),
    ("BadRequest", "A new agent pool was introduced", Provocation::UnknownPool),
    ("AgentPoolK8sVersionNotSupported", "", Provocation::UnknownVersion),
    ("OperationNotAllowed", "Available upgrades", Provocation::SkippedMinor),
];

/// Refusals that are left out, by code and a part of their words, each with its reason.
const LEFT_OUT: &[(&str, &str, &str)] = &[
    ("ServicePrincipalNotFound", "", "clusters with a service principal of their own are not modelled"),
    ("AuthorizationFailed", "roleAssignments", "another service"),
    ("RoleAssignmentExists", "", "another service"),
    ("PrincipalNotFound", "", "another service"),
    ("CreatesNotAllowed", "openshift", "another service"),
    (
        "NotFound",
        "Could not find managed cluster resource",
        "the service's own words, which Resource Manager hides here",
    ),
    ("NotFound", "trusted access role binding", "trusted access is not modelled"),
    ("NotFound", "JWT authenticator", "JWT authenticators are not modelled"),
    ("NotFound", "Could not find the namespace", "managed namespaces are not modelled"),
    ("ResourceNotFound", "managedNamespaces", "managed namespaces are not modelled"),
    ("InvalidParameter", "localDNSProfile", "the settings of the DNS on nodes are not modelled"),
    ("BadRequest", "Gateway API", "the service mesh is not modelled"),
    (
        "EntityStoreOperationError",
        "",
        "a failure of the service's own database; polls fail with 500 here, too",
    ),
    (
        "ResourceOperationFailure",
        "preempted by Deleting",
        "what one client makes of a failed operation, not an answer",
    ),
];

/// What was found: a line for each refusal, and what is wrong.
#[derive(Default)]
pub(crate) struct Findings {
    pub(crate) lines: Vec<String>,
    pub(crate) problems: Vec<String>,
}

/// Every recorded refusal of the folder.
pub(crate) fn read(folder: &Path) -> Vec<Recorded> {
    let lines = fs::read_to_string(folder.join("unique_error_responses.jsonl")).unwrap();
    let responses = lines.lines().map(|line| {
        let value: Value = serde_json::from_str(line).unwrap();
        let text = value["body"].as_str().unwrap();
        let body = serde_json::from_str(text).unwrap_or_else(|_| json!(text));
        Recorded { status: value["status"].as_u64().and_then(|status| status.try_into().ok()), body }
    });
    let documented = fs::read(folder.join("error_bodies_from_docs_and_issues.json")).unwrap();
    let documented: Vec<Value> = serde_json::from_slice(&documented).unwrap();
    let documented = documented.into_iter().map(|value| Recorded {
        status: value["status"].as_u64().and_then(|status| status.try_into().ok()),
        body: value["body"].clone(),
    });
    responses.chain(documented).collect()
}

/// Provokes every refusal that can be, and compares.
pub(crate) async fn replay(recorded: &[Recorded]) -> Findings {
    let mut findings = Findings::default();
    let (mut provoked, mut left_out) = (BTreeSet::new(), BTreeSet::new());
    for refusal in recorded {
        let (code, words) = (code(&refusal.body), refusal.body.to_string());
        let is = |known: &str, part: &str| known == code && words.contains(part);
        let name = format!("{} {code}", refusal.status.unwrap_or_default());
        if let Some(index) = LEFT_OUT.iter().position(|(known, part, _)| is(known, part)) {
            left_out.insert(index);
            findings.lines.push(format!("{:10} {name}: {}", "left out", LEFT_OUT[index].2));
        } else if let Some(index) = PROVOKED.iter().position(|(known, part, _)| is(known, part)) {
            provoked.insert(index);
            let reply = provoke(PROVOKED[index].2).await;
            let problems = differences(refusal, &reply);
            let verdict = if problems.is_empty() { "equal" } else { "DIFFERENT" };
            findings.lines.push(format!("{verdict:10} {name} by {:?}", PROVOKED[index].2));
            findings.problems.extend(problems.into_iter().map(|problem| format!("{name}: {problem}")));
        } else {
            findings.problems.push(format!("{name} is neither provoked nor left out: {words}"));
        }
    }
    let unused = PROVOKED.iter().enumerate().filter(|(index, _)| !provoked.contains(index));
    let unused = unused.map(|(_, (code, part, _))| (code, part));
    let idle = LEFT_OUT.iter().enumerate().filter(|(index, _)| !left_out.contains(index));
    for (code, part) in unused.chain(idle.map(|(_, (code, part, _))| (code, part))) {
        findings.problems.push(format!("nothing recorded is {code} {part:?} any more"));
    }
    findings
}

fn code(body: &Value) -> &str {
    body["error"]["code"].as_str().or(body["code"].as_str()).unwrap_or_default()
}

fn differences(recorded: &Recorded, ours: &Reply) -> Vec<String> {
    let mut found = Vec::new();
    if recorded.status.is_some_and(|status| status != ours.status) {
        found.push(format!("status {}: {}", ours.status, ours.body));
    }
    if code(&recorded.body) != code(&ours.body) {
        found.push(format!("code {:?}", code(&ours.body)));
    }
    let subcode = |body: &Value| body["subcode"].as_str().unwrap_or_default().to_owned();
    if subcode(&recorded.body) != subcode(&ours.body) {
        found.push(format!("subcode {:?}", subcode(&ours.body)));
    }
    let (theirs, mine) = (compare::keys(&recorded.body), compare::keys(&ours.body));
    found.extend(theirs.difference(&mine).map(|key| format!("no {key}")));
    found
}

const GROUP: &str = "/subscriptions/20000000-0000-4000-8000-000000000001/resourceGroups/shop";

fn cluster(name: &str) -> String {
    format!("{GROUP}/providers/Microsoft.ContainerService/managedClusters/{name}")
}

/// Two clusters: one with a pool behind it, one whose workloads call an API that 1.35 no longer has.
async fn start() -> Client {
    let cluster = |name: &str, rest: Value| {
        let mut cluster = json!({
            "subscription": "20000000-0000-4000-8000-000000000001",
            "resourceGroup": "shop",
            "name": name,
            "kubernetesVersion": "1.34.4",
            "pools": [{ "name": "system", "mode": "System" }, { "name": "apps", "kubernetesVersion": "1.34.2" }],
        });
        cluster.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        cluster
    };
    let scenario = json!({
        "identities": [client::identity()],
        "clusters": [
            cluster("weu", json!({})),
            cluster("old", json!({ "deprecatedApis": [{ "api": "flowcontrol.apiserver.k8s.io.prioritylevelconfigurations.v1beta3", "removedIn": "1.35" }] })),
        ],
    });
    Client::start(Scenario::parse(&scenario.to_string()).unwrap(), StartOptions::default()).await
}

async fn provoke(how: Provocation) -> Reply {
    let client = start().await;
    let reply = match how {
        Provocation::MissingCluster => get(&client, &cluster("none")).await,
        Provocation::MissingMachine => {
            get(&client, &format!("{}/agentPools/apps/machines/none", cluster("weu"))).await
        }
        Provocation::Quirk(quirk, status, html) => fail(&client, quirk, status, html).await,
        Provocation::Busy => {
            client.quirk(&json!({ "quirk": "busy", "code": "EtagMismatch", "times": 1 })).await;
            put(&client, &cluster("weu"), |_| ()).await
        }
        Provocation::Deleting => {
            let pool = format!("{}/agentPools/apps", cluster("weu"));
            client.send(Method::DELETE, &client.url(&pool), None).await;
            put(&client, &pool, |pool| pool["properties"]["count"] = json!(5)).await
        }
        Provocation::DeprecatedApi => upgrade(&client, "old", "1.35.3").await,
        Provocation::SkippedMinor => upgrade(&client, "weu", "1.36.2").await,
        Provocation::UnknownPool => {
            let rename = |cluster: &mut Value| {
                cluster["properties"]["agentPoolProfiles"][0]["name"] = json!("other");
            };
            put(&client, &cluster("weu"), rename).await
        }
        Provocation::UnknownVersion => {
            let pool = format!("{}/agentPools/apps", cluster("weu"));
            put(&client, &pool, |pool| pool["properties"]["orchestratorVersion"] = json!("1.34.3")).await
        }
    };
    client.stop().await;
    reply
}

async fn get(client: &Client, path: &str) -> Reply {
    client.send(Method::GET, &client.url(path), None).await
}

/// GET, change, PUT.
async fn put(client: &Client, path: &str, change: impl FnOnce(&mut Value)) -> Reply {
    let mut body = get(client, path).await.body;
    change(&mut body);
    client.send(Method::PUT, &client.url(path), Some(&body)).await
}

async fn upgrade(client: &Client, name: &str, version: &str) -> Reply {
    put(client, &cluster(name), |cluster| cluster["properties"]["kubernetesVersion"] = json!(version)).await
}

/// A failure in front of the service: of a look at an operation, or of a deletion.
async fn fail(client: &Client, quirk: &str, status: u16, html: bool) -> Reply {
    let delete = client.url(&format!("{}/agentPools/apps", cluster("weu")));
    let polls = quirk == "failingPolls";
    let deletion = if polls { Some(client.send(Method::DELETE, &delete, None).await) } else { None };
    client.quirk(&json!({ "quirk": quirk, "status": status, "html": html, "times": 1 })).await;
    match deletion {
        Some(deletion) => client.send(Method::GET, &deletion.headers["azure-asyncoperation"], None).await,
        None => client.send(Method::DELETE, &delete, None).await,
    }
}
