//! The metadata endpoint of machines, which hands out tokens of the identities assigned to them.
//!
//! Two shapes: that of virtual machines ("How to use managed identities for Azure resources on an Azure VM
//! to acquire an access token") and that of App Service, whose address clients take from `IDENTITY_ENDPOINT`.
//! Both are on the control port: plain HTTP, as there.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode, Uri},
    response::{IntoResponse as _, Response},
};
use serde_json::json;

use super::tenant::Issued;
use crate::{scenario::Identity, server::Shared};

/// As on a virtual machine: header `Metadata: true`.
pub(crate) async fn machine(State(shared): State<Arc<Shared>>, headers: HeaderMap, uri: Uri) -> Response {
    if headers.get("metadata").is_none_or(|value| !value.as_bytes().eq_ignore_ascii_case(b"true")) {
        return problem(StatusCode::BAD_REQUEST, "Required metadata header not specified");
    }
    answer(&shared, &uri)
}

/// As in App Service: header `X-IDENTITY-HEADER` with a secret of the machine's, which is any here.
pub(crate) async fn app_service(State(shared): State<Arc<Shared>>, headers: HeaderMap, uri: Uri) -> Response {
    if headers.get("x-identity-header").is_none_or(|value| value.is_empty()) {
        return problem(StatusCode::UNAUTHORIZED, "The header X-IDENTITY-HEADER is missing");
    }
    answer(&shared, &uri)
}

fn answer(shared: &Shared, uri: &Uri) -> Response {
    let query = uri.query().unwrap_or_default();
    let value = |names: &[&str]| {
        let mut pairs = url::form_urlencoded::parse(query.as_bytes());
        pairs.find(|(name, _)| names.contains(&name.as_ref())).map(|(_, value)| value.into_owned())
    };
    if value(&["api-version"]).is_none() {
        return problem(StatusCode::BAD_REQUEST, "The api-version parameter is missing");
    }
    let Some(resource) = value(&["resource"]).filter(|resource| !resource.is_empty()) else {
        return problem(StatusCode::BAD_REQUEST, "The resource parameter is missing");
    };
    if value(&["msi_res_id", "mi_res_id"]).is_some() {
        return problem(StatusCode::BAD_REQUEST, "Identities have no resource ids here; use client_id");
    }
    let wanted = value(&["client_id", "clientid", "object_id", "principal_id"]);
    let identity = match choose(&shared.tenant.managed(), wanted.as_deref()) {
        Ok(identity) => identity.clone(),
        Err(why) => return problem(StatusCode::BAD_REQUEST, why),
    };
    match shared.tenant.issue_managed((shared.clock.real_now)(), &identity, &resource) {
        Ok(Issued { token, lifetime, at }) => Json(json!({
            "access_token": token,
            "client_id": identity.client_id,
            "expires_in": lifetime.to_string(),
            "expires_on": (at + lifetime).to_string(),
            "ext_expires_in": lifetime.to_string(),
            "not_before": at.to_string(),
            "resource": resource,
            "token_type": "Bearer",
        }))
        .into_response(),
        Err(denied) => problem(StatusCode::BAD_REQUEST, &denied.message),
    }
}

/// The identity that is asked for; without a name there must be one only.
fn choose<'a>(assigned: &[&'a Identity], wanted: Option<&str>) -> Result<&'a Identity, &'static str> {
    match (wanted, assigned) {
        (Some(wanted), _) => {
            let mut found = assigned.iter().filter(|identity| {
                let ids = [&identity.client_id, &identity.object_id];
                ids.iter().any(|id| id.eq_ignore_ascii_case(wanted))
            });
            found.next().copied().ok_or("Identity not found")
        }
        (None, [only]) => Ok(only),
        (None, []) => Err("Identity not found"),
        (None, _) => {
            Err("Multiple user assigned identities exist, please specify the clientId / resourceId of the \
                          identity in the token request")
        }
    }
}

fn problem(status: StatusCode, description: &str) -> Response {
    (status, Json(json!({ "error": "invalid_request", "error_description": description }))).into_response()
}
