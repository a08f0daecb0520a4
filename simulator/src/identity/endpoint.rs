//! The tenant's token endpoints, of both generations: `scope` and `resource`.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::{any, get, post},
};
use serde_json::{Value, json};

use super::{
    discovery,
    tenant::{Credential, Denied, Issued},
};
use crate::server::Shared;

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

pub(crate) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/{tenant}/oauth2/token", post(first))
        .route("/{tenant}/oauth2/v2.0/token", post(second))
        .route("/{tenant}/oauth2/authorize", any(interactive))
        .route("/{tenant}/oauth2/v2.0/authorize", any(interactive))
        .route("/{tenant}/oauth2/devicecode", any(interactive))
        .route("/{tenant}/oauth2/v2.0/devicecode", any(interactive))
        .route("/{tenant}/.well-known/openid-configuration", get(discovery::first))
        .route("/{tenant}/v2.0/.well-known/openid-configuration", get(discovery::second))
        .route("/{tenant}/discovery/keys", get(discovery::keys))
        .route("/{tenant}/discovery/v2.0/keys", get(discovery::keys))
        .route("/{tenant}/discovery/instance", get(discovery::instance))
}

/// `resource`, and numbers as strings.
async fn first(State(shared): State<Arc<Shared>>, Path(tenant): Path<String>, body: Bytes) -> Response {
    let form = Form::new(&body);
    let audience = || form.required("resource").map(str::to_owned);
    match issue(&shared, &tenant, &form, audience) {
        Ok(issued) => {
            let Issued { token, lifetime, at, .. } = issued;
            tokens(json!({
                "token_type": "Bearer",
                "expires_in": lifetime.to_string(),
                "ext_expires_in": lifetime.to_string(),
                "expires_on": (at + lifetime).to_string(),
                "not_before": at.to_string(),
                "resource": form.get("resource"),
                "access_token": token,
            }))
        }
        Err(denied) => refuse(&shared, &denied),
    }
}

/// `scope`, which names everything that a resource has to give.
async fn second(State(shared): State<Arc<Shared>>, Path(tenant): Path<String>, body: Bytes) -> Response {
    let form = Form::new(&body);
    let audience = || {
        let scope = form.required("scope")?;
        // Others, such as openid, may stand beside it.
        let resource = scope.split(' ').find_map(|scope| scope.strip_suffix("/.default"));
        resource.map(str::to_owned).ok_or_else(|| {
            let message = format!(
                "The provided value for scope {scope} is not valid. Client credential flows must have a scope value with \
                 /.default suffixed to the resource identifier (application ID URI)."
            );
            Denied { error: "invalid_scope", number: 1_002_012, message }
        })
    };
    match issue(&shared, &tenant, &form, audience) {
        Ok(Issued { token, lifetime, .. }) => tokens(json!({
            "token_type": "Bearer",
            "expires_in": lifetime,
            "ext_expires_in": lifetime,
            "access_token": token,
        })),
        Err(denied) => refuse(&shared, &denied),
    }
}

/// Nobody sits in front of a simulator.
async fn interactive(State(shared): State<Arc<Shared>>) -> Response {
    let message = "The simulator has no users to sign in; use a service principal, a federated token or a managed \
                   identity.";
    refuse(&shared, &Denied { error: "interaction_required", number: 50_058, message: message.to_owned() })
}

/// The fields of a form.
struct Form(BTreeMap<String, String>);

impl Form {
    fn new(body: &[u8]) -> Self {
        Self(url::form_urlencoded::parse(body).into_owned().collect())
    }

    fn get(&self, name: &str) -> &str {
        self.0.get(name).map(String::as_str).unwrap_or_default()
    }

    fn required(&self, name: &str) -> Result<&str, Denied> {
        let value = self.get(name);
        if value.is_empty() {
            let message = format!("The request body must contain the following parameter: '{name}'.");
            return Err(Denied { error: "invalid_request", number: 900_144, message });
        }
        Ok(value)
    }
}

fn issue(
    shared: &Shared,
    tenant: &str,
    form: &Form,
    audience: impl FnOnce() -> Result<String, Denied>,
) -> Result<Issued, Denied> {
    shared.tenant.find(tenant)?;
    let grant = form.required("grant_type")?;
    if grant != "client_credentials" {
        let message = format!(
            "The app requested an unsupported grant type '{grant}'; here there is client_credentials."
        );
        return Err(Denied { error: "unsupported_grant_type", number: 70_003, message });
    }
    let client_id = form.required("client_id")?;
    let credential = if form.get("client_assertion_type") == ASSERTION_TYPE {
        Credential::Assertion(form.required("client_assertion")?)
    } else if form.get("client_secret").is_empty() {
        let message = "'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' grant \
                       type.";
        return Err(Denied { error: "invalid_client", number: 7_000_216, message: message.to_owned() });
    } else {
        Credential::Secret(form.get("client_secret"))
    };
    shared.tenant.issue((shared.clock.real_now)(), client_id, &credential, &audience()?)
}

/// Answers with tokens are nobody's to keep.
fn tokens(body: Value) -> Response {
    ([(header::CACHE_CONTROL, "no-store, no-cache"), (header::PRAGMA, "no-cache")], Json(body))
        .into_response()
}

pub(super) fn refuse(shared: &Shared, denied: &Denied) -> Response {
    let Denied { error, number, message } = denied;
    tracing::info!(number, message, "a token was refused");
    let status = if *error == "invalid_client" { StatusCode::UNAUTHORIZED } else { StatusCode::BAD_REQUEST };
    let id = shared.request_ids.next();
    let when = (shared.clock.real_now)().strftime("%Y-%m-%d %H:%M:%SZ").to_string();
    let body = json!({
        "error": error,
        "error_description": format!(
            "AADSTS{number}: {message} Trace ID: {id} Correlation ID: {id} Timestamp: {when}"
        ),
        "error_codes": [number],
        "timestamp": when,
        "trace_id": id,
        "correlation_id": id,
    });
    (status, Json(body)).into_response()
}
