//! Azure Resource Manager's front: checks the caller, understands the URL, asks the world,
//! and puts the answer into ARM's headers. Decides nothing about clusters.

mod path;
mod respond;
mod sign;

use std::sync::Arc;

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method, Uri, header},
    response::Response,
};
use serde_json::Value;

use crate::{
    hold::Hold,
    log::LogEntry,
    server::Shared,
    world::{Answer, Call, Refusal},
};

pub(crate) use sign::Signer;

/// What a request comes to: the answer, and what the log says about it.
struct Handled {
    answer: Answer,
    mutation: bool,
    caller: Option<String>,
    simulated: Option<jiff::Timestamp>,
}

/// Everything that is not an endpoint of the tenant.
pub(crate) fn routes() -> Router<Arc<Shared>> {
    Router::new().fallback(handle)
}

async fn handle(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Handled { answer, mutation, caller, simulated } =
        answer(&shared, &method, &uri, &headers, &body).await;
    let entry = LogEntry {
        simulated: simulated.unwrap_or_else(|| shared.clock.now()),
        real: (shared.clock.real_now)(),
        method: method.to_string(),
        path: uri.path().to_owned(),
        status: answer.status,
        mutation,
        accepted: answer.is_success(),
        operation: answer.started.as_ref().map(|started| started.id.clone()),
        caller,
        lost: answer.delivery.lost,
        quirks: answer.delivery.quirks.clone(),
    };
    tracing::debug!(method = entry.method, path = entry.path, status = entry.status, "request");
    let mutation = entry.mutation;
    shared.log.add(entry);
    if mutation {
        shared.holds.pass(Hold::Answers).await;
    }
    respond::deliver(&shared, &uri, answer).await
}

async fn answer(shared: &Shared, method: &Method, uri: &Uri, headers: &HeaderMap, body: &Bytes) -> Handled {
    let refused = |refusal: Refusal, caller: Option<String>| Handled {
        answer: refusal.into(),
        mutation: *method != Method::GET,
        caller,
        simulated: None,
    };
    let caller = match check_token(shared, headers) {
        Ok(caller) => caller,
        Err(refusal) => return refused(refusal, None),
    };
    let call = match understand(shared, method, uri, headers, body) {
        Ok(call) => call,
        Err(refusal) => return refused(refusal, Some(caller)),
    };
    let mutation = call.is_mutation();
    if mutation {
        shared.holds.pass(Hold::Requests).await;
    }
    match shared.world.call(call).await {
        Ok((simulated, answer)) => {
            Handled { answer, mutation, caller: Some(caller), simulated: Some(simulated) }
        }
        Err(stopped) => refused(arm_error(503, "ServiceUnavailable", &stopped.to_string()), Some(caller)),
    }
}

/// The object id of the caller.
fn check_token(shared: &Shared, headers: &HeaderMap) -> Result<String, Refusal> {
    let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = value.and_then(|value| value.strip_prefix("Bearer ")).ok_or_else(|| {
        arm_error(
            401,
            "AuthenticationFailed",
            "Authentication failed. The 'Authorization' header is missing.",
        )
    })?;
    let claims = shared.tenant.arm_caller(token).map_err(|error| {
        use jsonwebtoken::errors::ErrorKind;
        let (code, message) = if matches!(error.kind(), ErrorKind::ExpiredSignature) {
            (
                "ExpiredAuthenticationToken",
                "The access token expiry UTC time is earlier than current UTC time.",
            )
        } else if matches!(error.kind(), ErrorKind::InvalidAudience) {
            (
                "InvalidAuthenticationTokenAudience",
                "The access token has been obtained for wrong audience or resource.",
            )
        } else {
            ("InvalidAuthenticationToken", "The access token is invalid.")
        };
        arm_error(401, code, message)
    })?;
    Ok(claims.oid)
}

fn understand(
    shared: &Shared,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    body: &Bytes,
) -> Result<Call, Refusal> {
    let query = uri.query().unwrap_or_default();
    let version = path::parameter(query, "api-version").ok_or_else(|| {
        arm_error(
            400,
            "MissingApiVersionParameter",
            "The api-version query parameter (?api-version=) is required for all requests.",
        )
    })?;
    if version.len() < 10 || version.get(..10).is_none_or(|day| day.parse::<jiff::civil::Date>().is_err()) {
        let message = format!("The api-version '{version}' is invalid.");
        return Err(arm_error(400, "InvalidApiVersionParameter", &message));
    }
    let body = if body.is_empty() {
        Value::Null
    } else {
        serde_json::from_slice(body).map_err(|error| {
            let message =
                format!("The request content was invalid and could not be deserialized: '{error}'.");
            arm_error(400, "InvalidRequestContent", &message)
        })?
    };
    let text = |name| headers.get(name).and_then(|value: &header::HeaderValue| value.to_str().ok());
    let if_match = text(header::IF_MATCH).map(str::to_owned);
    let call = path::parse(method, uri.path(), query, body, if_match).ok_or_else(|| {
        tracing::warn!(%method, path = uri.path(), "a call that is not modelled");
        let message = format!("No HTTP resource was found that matches the request URI '{}'.", uri.path());
        arm_error(404, "InvalidResourceType", &message)
    })?;
    if let Call::Operation { .. } | Call::OperationResult { .. } = &call
        && !shared.signer.is_signed(uri.path(), query)
    {
        let message = "The operation URL must be used exactly as it was returned.";
        return Err(arm_error(403, "AuthorizationFailed", message));
    }
    Ok(call)
}

/// An error in the shape of Azure Resource Manager.
fn arm_error(status: u16, code: &str, message: &str) -> Refusal {
    Refusal::arm(status, code, message)
}
