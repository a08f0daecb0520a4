//! The control port, for tests and demo: what was asked, what is really there, what goes wrong.
//!
//! Plain HTTP on a loopback address. No part of Azure.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{effects::ClusterKey, scenario::Fault, server::Shared};

pub(crate) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/healthz", get(async || "ok"))
        .route("/log", get(log))
        .route("/clusters", get(clusters))
        .route("/faults", post(add_fault))
        .route("/issuers", post(trust_issuer))
}

async fn log(State(shared): State<Arc<Shared>>) -> Response {
    Json(shared.log.entries()).into_response()
}

async fn clusters(State(shared): State<Arc<Shared>>) -> Response {
    match shared.world.view().await {
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
    match shared.world.add_fault(ClusterKey(cluster.to_lowercase()), fault).await {
        Ok(true) => StatusCode::NO_CONTENT.into_response(),
        Ok(false) => problem(StatusCode::NOT_FOUND, "no such cluster; give its ARM id"),
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
