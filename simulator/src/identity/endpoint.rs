//! The tenant's HTTP endpoints: tokens, discovery, keys.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::json;

use super::tenant::{Credential, Denied};
use crate::server::Shared;

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

pub(crate) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/{tenant}/oauth2/v2.0/token", post(token))
        .route("/{tenant}/v2.0/.well-known/openid-configuration", get(discovery))
        .route("/{tenant}/discovery/v2.0/keys", get(keys))
}

async fn discovery(State(shared): State<Arc<Shared>>) -> Response {
    Json(shared.tenant.discovery()).into_response()
}

async fn keys(State(shared): State<Arc<Shared>>) -> Response {
    Json(shared.tenant.keys()).into_response()
}

async fn token(State(shared): State<Arc<Shared>>, Path(tenant): Path<String>, body: Bytes) -> Response {
    match issue(&shared, &tenant, &body) {
        Ok((token, lifetime)) => Json(json!({
            "token_type": "Bearer",
            "expires_in": lifetime,
            "ext_expires_in": lifetime,
            "access_token": token,
        }))
        .into_response(),
        Err(denied) => refuse(&denied),
    }
}

fn issue(shared: &Shared, tenant: &str, body: &[u8]) -> Result<(String, i64), Denied> {
    if !tenant.eq_ignore_ascii_case(&shared.tenant.id) {
        return Err(Denied {
            error: "invalid_request",
            number: 90_002,
            message: format!("Tenant '{tenant}' not found."),
        });
    }
    let form: BTreeMap<String, String> = url::form_urlencoded::parse(body).into_owned().collect();
    let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    if field("grant_type") != "client_credentials" {
        return Err(Denied {
            error: "unsupported_grant_type",
            number: 70_003,
            message: format!(
                "The grant type '{}' is not supported; use client_credentials.",
                field("grant_type")
            ),
        });
    }
    let credential = if field("client_assertion_type") == ASSERTION_TYPE {
        Credential::Assertion(field("client_assertion"))
    } else {
        Credential::Secret(field("client_secret"))
    };
    shared.tenant.issue((shared.clock.real_now)(), field("client_id"), &credential, field("scope"))
}

fn refuse(denied: &Denied) -> Response {
    let Denied { error, number, message } = denied;
    tracing::info!(number, message, "a token was refused");
    let status = if *error == "invalid_client" { StatusCode::UNAUTHORIZED } else { StatusCode::BAD_REQUEST };
    let body = json!({
        "error": error,
        "error_description": format!("AADSTS{number}: {message}"),
        "error_codes": [number],
    });
    (status, Json(body)).into_response()
}
