//! What the tenant publishes about itself: OpenID discovery, instance discovery, keys.
//!
//! One set of keys and one issuer stand behind both generations of the endpoints: a token is the same
//! wherever it was asked for.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
    http::{StatusCode, Uri},
    response::{IntoResponse as _, Response},
};
use serde_json::{Value, json};

use super::{endpoint::refuse, tenant::Tenant};
use crate::server::Shared;

/// `/{tenant}/.well-known/openid-configuration`
pub(super) async fn first(State(shared): State<Arc<Shared>>, Path(tenant): Path<String>) -> Response {
    document(&shared, &tenant, "oauth2", "discovery")
}

/// `/{tenant}/v2.0/.well-known/openid-configuration`
pub(super) async fn second(State(shared): State<Arc<Shared>>, Path(tenant): Path<String>) -> Response {
    document(&shared, &tenant, "oauth2/v2.0", "discovery/v2.0")
}

fn document(shared: &Shared, alias: &str, oauth: &str, discovery: &str) -> Response {
    let Tenant { id, endpoint, issuer, .. } = &shared.tenant;
    if let Err(denied) = shared.tenant.find(alias) {
        return refuse(shared, &denied);
    }
    // What is not for one tenant says where its id goes.
    let issuer = if super::tenant::is_any(alias) { issuer.replace(id, "{tenantid}") } else { issuer.clone() };
    let at = |path: &str| format!("{endpoint}/{alias}/{path}");
    Json(json!({
        "issuer": issuer,
        "token_endpoint": at(&format!("{oauth}/token")),
        "authorization_endpoint": at(&format!("{oauth}/authorize")),
        "device_authorization_endpoint": at(&format!("{oauth}/devicecode")),
        "end_session_endpoint": at(&format!("{oauth}/logout")),
        "jwks_uri": at(&format!("{discovery}/keys")),
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
        "response_modes_supported": ["query", "fragment", "form_post"],
        "response_types_supported": ["id_token", "token"],
        "scopes_supported": ["openid"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "request_uri_parameter_supported": false,
        "http_logout_supported": false,
        "frontchannel_logout_supported": false,
        "claims_supported": ["iss", "aud", "sub", "oid", "tid", "appid", "groups", "exp", "iat", "nbf"],
        "tenant_region_scope": "EU",
        "cloud_instance_name": host(endpoint),
        "cloud_graph_host_name": "graph.simulator.invalid",
        "msgraph_host": "graph.simulator.invalid",
        "rbac_url": "https://rbac.simulator.invalid",
    }))
    .into_response()
}

/// `/common/discovery/instance`: which hosts are one authority.
pub(super) async fn instance(State(shared): State<Arc<Shared>>, uri: Uri) -> Response {
    let query = uri.query().unwrap_or_default();
    let wanted = url::form_urlencoded::parse(query.as_bytes());
    let wanted = wanted.into_owned().find(|(name, _)| name == "authorization_endpoint").map(|(_, url)| url);
    let endpoint = &shared.tenant.endpoint;
    let Some(tenant) = wanted.as_ref().and_then(|wanted| wanted.strip_prefix(endpoint.as_str())) else {
        let body = json!({
            "error": "invalid_instance",
            "error_description": format!(
                "AADSTS50049: Unknown or invalid instance. The parameter authorization_endpoint is '{}'; here it begins \
                 with {endpoint}/.",
                wanted.unwrap_or_default()
            ),
            "error_codes": [50049],
        });
        return (StatusCode::BAD_REQUEST, Json(body)).into_response();
    };
    let tenant = tenant.trim_start_matches('/').split('/').next().unwrap_or("common");
    let host = host(endpoint);
    Json(json!({
        "tenant_discovery_endpoint": format!("{endpoint}/{tenant}/v2.0/.well-known/openid-configuration"),
        "api-version": "1.1",
        "metadata": [{ "preferred_network": host, "preferred_cache": host, "aliases": [host] }],
    }))
    .into_response()
}

/// `/{tenant}/discovery/keys`, `/{tenant}/discovery/v2.0/keys`
pub(super) async fn keys(State(shared): State<Arc<Shared>>) -> Json<Value> {
    Json(shared.tenant.keys())
}

fn host(endpoint: &str) -> &str {
    endpoint.trim_start_matches("https://")
}
