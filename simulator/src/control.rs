//! The control port, for tests and demo: what was asked, what is really there, what goes wrong.
//!
//! Plain HTTP on a loopback address. No part of Azure, but for the metadata endpoint of machines, which is
//! plain HTTP there too.

use std::sync::Arc;

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, State},
    http::{Method, StatusCode, Uri},
    response::{IntoResponse, Response},
    routing::{delete, get, post},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::{
    effects::ClusterKey,
    identity,
    runtime::Stopped,
    scenario::{Fault, QuirkRule},
    server::Shared,
    world::NotScaled,
};

/// What there is, for whoever asks.
const LISTING: &[(&str, &str)] = &[
    ("GET /healthz", "ok"),
    ("GET /clock", "the simulated and the real instant, and the time scale"),
    ("GET /clusters", "the world's own truth: clusters, pools, nodes and what is under way"),
    ("GET /operations", "every operation so far, and how it stands"),
    ("GET /log", "every call so far, and what it asked for that is not modelled"),
    ("POST /faults", "{cluster: ARM id, fault}: something goes wrong in an upgrade from now on"),
    ("POST /autoscaler", "{cluster: ARM id, pool, count}: the cluster autoscaler wants so many nodes"),
    ("GET /quirks", "the rules of quirks, and how often each has struck"),
    ("POST /quirks", "a rule as in a scenario: switches a quirk on; answers its id"),
    ("DELETE /quirks/{id}", "switches a quirk off"),
    ("POST /issuers", "{issuer, jwks}: federated tokens of this issuer must be signed with one of the keys"),
    ("GET /metadata/identity/oauth2/token", "tokens of managed identities, as on a virtual machine"),
    ("GET /msi/token", "tokens of managed identities, as in App Service"),
];

pub(crate) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/", get(listing))
        .route("/healthz", get(async || "ok"))
        .route("/clock", get(clock))
        .route("/clusters", get(clusters))
        .route("/operations", get(operations))
        .route("/log", get(log))
        .route("/faults", post(add_fault))
        .route("/autoscaler", post(autoscale))
        .route("/quirks", get(quirks).post(add_quirk))
        .route("/quirks/{id}", delete(remove_quirk))
        .route("/issuers", post(trust_issuer))
        .route("/metadata/identity/oauth2/token", get(identity::machine))
        .route("/msi/token", get(identity::app_service))
        .fallback(nothing)
}

async fn listing() -> Response {
    let routes = LISTING.iter().map(|(route, what)| ((*route).to_owned(), json!(what)));
    Json(Value::Object(routes.collect())).into_response()
}

async fn nothing(method: Method, uri: Uri) -> Response {
    problem(StatusCode::NOT_FOUND, &format!("there is no {method} {}; GET / lists what there is", uri.path()))
}

async fn clock(State(shared): State<Arc<Shared>>) -> Response {
    let clock = &shared.clock;
    let real = (clock.real_now)();
    Json(json!({ "simulated": clock.scale.at(real), "real": real, "scale": clock.scale.to_string() }))
        .into_response()
}

async fn log(State(shared): State<Arc<Shared>>) -> Response {
    Json(shared.log.entries()).into_response()
}

async fn clusters(State(shared): State<Arc<Shared>>) -> Response {
    shared.world.with(|world, _| world.view()).await.map_or_else(stopped, |view| Json(view).into_response())
}

async fn operations(State(shared): State<Arc<Shared>>) -> Response {
    let operations = shared.world.with(|world, _| world.operations()).await;
    operations.map_or_else(stopped, |operations| Json(operations).into_response())
}

/// A fault for a cluster; its `upgrade` counts from now on.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct AddFault {
    cluster: String,
    fault: Fault,
}

async fn add_fault(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    let AddFault { cluster, fault } = match read(&body) {
        Ok(request) => request,
        Err(wrong) => return problem(StatusCode::BAD_REQUEST, &wrong.to_string()),
    };
    let key = ClusterKey(cluster.to_lowercase());
    match shared.world.with(move |world, _| world.add_fault(&key, fault)).await {
        Ok(Ok(())) => StatusCode::NO_CONTENT.into_response(),
        Ok(Err(wrong)) => problem(StatusCode::BAD_REQUEST, &wrong.to_string()),
        Err(gone) => stopped(gone),
    }
}

/// How many nodes the cluster autoscaler wants a pool to have.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Autoscale {
    cluster: String,
    pool: String,
    count: u64,
}

async fn autoscale(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    let Autoscale { cluster, pool, count } = match read(&body) {
        Ok(request) => request,
        Err(wrong) => return problem(StatusCode::BAD_REQUEST, &wrong.to_string()),
    };
    let key = ClusterKey(cluster.to_lowercase());
    match shared.world.with(move |world, now| world.autoscale(now, &key, &pool, count)).await {
        Ok(Ok(())) => StatusCode::NO_CONTENT.into_response(),
        Ok(Err(missing @ NotScaled::NoPool { .. })) => problem(StatusCode::NOT_FOUND, &missing.to_string()),
        Ok(Err(wrong)) => problem(StatusCode::CONFLICT, &wrong.to_string()),
        Err(gone) => stopped(gone),
    }
}

async fn quirks(State(shared): State<Arc<Shared>>) -> Response {
    shared
        .world
        .with(|world, _| world.quirks())
        .await
        .map_or_else(stopped, |rules| Json(rules).into_response())
}

async fn add_quirk(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    let rule: QuirkRule = match read(&body) {
        Ok(rule) => rule,
        Err(wrong) => return problem(StatusCode::BAD_REQUEST, &wrong.to_string()),
    };
    match shared.world.with(move |world, _| world.add_quirk(rule)).await {
        Ok(Ok(id)) => (StatusCode::CREATED, Json(json!({ "id": id }))).into_response(),
        Ok(Err(wrong)) => problem(StatusCode::BAD_REQUEST, &wrong.to_string()),
        Err(gone) => stopped(gone),
    }
}

async fn remove_quirk(State(shared): State<Arc<Shared>>, Path(id): Path<u64>) -> Response {
    match shared.world.with(move |world, _| world.remove_quirk(id)).await {
        Ok(true) => StatusCode::NO_CONTENT.into_response(),
        Ok(false) => problem(StatusCode::NOT_FOUND, "no rule of that number; GET /quirks lists them"),
        Err(gone) => stopped(gone),
    }
}

/// The keys of an issuer of federated tokens.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TrustIssuer {
    issuer: String,
    jwks: Value,
}

async fn trust_issuer(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    let TrustIssuer { issuer, jwks } = match read(&body) {
        Ok(request) => request,
        Err(wrong) => return problem(StatusCode::BAD_REQUEST, &wrong.to_string()),
    };
    match shared.tenant.trust(&issuer, jwks) {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => problem(StatusCode::BAD_REQUEST, &error.to_string()),
    }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> serde_json::Result<T> {
    serde_json::from_slice(body)
}

fn stopped(gone: Stopped) -> Response {
    problem(StatusCode::SERVICE_UNAVAILABLE, &gone.to_string())
}

fn problem(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({ "error": message }))).into_response()
}
