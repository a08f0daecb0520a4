//! The control port, for tests and demo: what was asked, what is really there, what goes wrong.
//!
//! Plain HTTP on a loopback address. No part of Azure.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{delete, get, post},
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    effects::ClusterKey,
    identity,
    scenario::{Fault, QuirkRule},
    server::Shared,
};

pub(crate) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/healthz", get(async || "ok"))
        .route("/log", get(log))
        .route("/clusters", get(clusters))
        .route("/faults", post(add_fault))
        .route("/autoscaler", post(autoscale))
        .route("/quirks", get(quirks).post(add_quirk))
        .route("/quirks/{id}", delete(remove_quirk))
        .route("/issuers", post(trust_issuer))
        .route("/metadata/identity/oauth2/token", get(identity::machine))
        .route("/msi/token", get(identity::app_service))
}

async fn log(State(shared): State<Arc<Shared>>) -> Response {
    Json(shared.log.entries()).into_response()
}

async fn clusters(State(shared): State<Arc<Shared>>) -> Response {
    match shared.world.with(|world, _| world.view()).await {
        Ok(view) => Json(view).into_response(),
        Err(stopped) => (StatusCode::SERVICE_UNAVAILABLE, stopped.to_string()).into_response(),
    }
}

/// A fault for a cluster; its `upgrade` counts from now on.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct AddFault {
    cluster: String,
    fault: Fault,
}

async fn add_fault(State(shared): State<Arc<Shared>>, Json(request): Json<AddFault>) -> Response {
    let AddFault { cluster, fault } = request;
    let key = ClusterKey(cluster.to_lowercase());
    match shared.world.with(move |world, _| world.add_fault(&key, fault)).await {
        Ok(true) => StatusCode::NO_CONTENT.into_response(),
        Ok(false) => problem(StatusCode::NOT_FOUND, "no such cluster; give its ARM id"),
        Err(stopped) => problem(StatusCode::SERVICE_UNAVAILABLE, &stopped.to_string()),
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

async fn autoscale(State(shared): State<Arc<Shared>>, Json(request): Json<Autoscale>) -> Response {
    let Autoscale { cluster, pool, count } = request;
    let key = ClusterKey(cluster.to_lowercase());
    match shared.world.with(move |world, now| world.autoscale(now, &key, &pool, count)).await {
        Ok(Ok(())) => StatusCode::NO_CONTENT.into_response(),
        Ok(Err(wrong)) => problem(StatusCode::BAD_REQUEST, &wrong.to_string()),
        Err(stopped) => problem(StatusCode::SERVICE_UNAVAILABLE, &stopped.to_string()),
    }
}

async fn quirks(State(shared): State<Arc<Shared>>) -> Response {
    match shared.world.with(|world, _| world.quirks()).await {
        Ok(quirks) => Json(quirks).into_response(),
        Err(stopped) => problem(StatusCode::SERVICE_UNAVAILABLE, &stopped.to_string()),
    }
}

async fn add_quirk(State(shared): State<Arc<Shared>>, Json(rule): Json<QuirkRule>) -> Response {
    match shared.world.with(move |world, _| world.add_quirk(rule)).await {
        Ok(Ok(id)) => (StatusCode::CREATED, Json(json!({ "id": id }))).into_response(),
        Ok(Err(wrong)) => problem(StatusCode::BAD_REQUEST, &wrong.to_string()),
        Err(stopped) => problem(StatusCode::SERVICE_UNAVAILABLE, &stopped.to_string()),
    }
}

async fn remove_quirk(State(shared): State<Arc<Shared>>, Path(id): Path<u64>) -> Response {
    match shared.world.with(move |world, _| world.remove_quirk(id)).await {
        Ok(true) => StatusCode::NO_CONTENT.into_response(),
        Ok(false) => problem(StatusCode::NOT_FOUND, "no rule of that number; GET /quirks lists them"),
        Err(stopped) => problem(StatusCode::SERVICE_UNAVAILABLE, &stopped.to_string()),
    }
}

/// The keys of an issuer of federated tokens.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TrustIssuer {
    issuer: String,
    jwks: Value,
}

async fn trust_issuer(State(shared): State<Arc<Shared>>, Json(request): Json<TrustIssuer>) -> Response {
    match shared.tenant.trust(&request.issuer, request.jwks) {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => problem(StatusCode::BAD_REQUEST, &error.to_string()),
    }
}

fn problem(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({ "error": message }))).into_response()
}
