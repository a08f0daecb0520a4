//! Azure Resource Manager's front: checks the caller, understands the URL, asks the world,
//! and puts the answer into ARM's headers. Decides nothing about clusters.
//!
//! A request goes through the stages in the order of Azure: token, URL, api-version, role, body; then
//! subscription, group, locks and throttling, which the world looks after.

mod address;
mod api_version;
mod authorize;
mod check_version;
mod headers;
mod manager;
mod metadata;
mod path;
mod request;
mod respond;
mod sign;

use std::sync::Arc;

use axum::{
    Router,
    extract::{Request, State},
    http::Method,
    response::Response,
    routing::get,
};
use serde_json::Value;

use address::Address;
use authorize::Caller;
use request::Incoming;

use crate::{
    hold::Hold,
    log::LogEntry,
    server::Shared,
    world::{Answer, Call, Refusal},
};

pub(crate) use headers::RequestIds;
pub(crate) use path::parse as call_of;
pub(crate) use respond::next_link;
pub(crate) use sign::Signer;

/// What a request comes to: the answer, and what the log says about it.
struct Handled {
    answer: Answer,
    mutation: bool,
    caller: Option<String>,
    simulated: Option<jiff::Timestamp>,
    /// What a model of Azure would have and this one has not.
    missing: Option<String>,
}

/// A request that is understood and allowed.
struct Understood {
    call: Call,
    address: Address,
    caller: Caller,
}

/// A request that is not, and what is known about it.
struct Refused {
    refusal: Refusal,
    caller: Option<String>,
    missing: Option<String>,
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, caller: None, missing: None }
    }
}

/// Everything that is not an endpoint of the tenant.
pub(crate) fn routes() -> Router<Arc<Shared>> {
    Router::new().route("/metadata/endpoints", get(metadata::endpoints)).fallback(handle)
}

pub(crate) async fn handle(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (incoming, body) = Incoming::new(request);
    let understood = match request::read(body).await {
        Ok(body) => understand(&shared, &incoming, &body),
        Err(refusal) => Err(Box::new(refusal.into())),
    };
    if understood.as_ref().is_ok_and(|understood| understood.call.is_mutation()) {
        shared.holds.pass(Hold::Requests).await;
    }
    let incoming = Arc::new(incoming);
    // By itself: what has arrived is carried out and logged, also when its caller goes away before the answer.
    let arrived = carry_out(Arc::clone(&shared), Arc::clone(&incoming), understood);
    let Ok(Handled { answer, mutation, .. }) = shared.supervisor.start(arrived).await else {
        return respond::cut();
    };
    if mutation {
        shared.holds.pass(Hold::Answers).await;
    }
    respond::deliver(&shared, &incoming, answer).await
}

async fn carry_out(
    shared: Arc<Shared>,
    incoming: Arc<Incoming>,
    understood: Result<Understood, Box<Refused>>,
) -> Handled {
    let handled = match understood {
        Ok(understood) => answer(&shared, &incoming, understood).await,
        Err(refusal) => refused(&incoming, *refusal),
    };
    let answer = &handled.answer;
    let entry = LogEntry {
        simulated: handled.simulated.unwrap_or_else(|| shared.clock.now()),
        real: (shared.clock.real_now)(),
        method: incoming.method.to_string(),
        path: incoming.path.clone(),
        status: answer.status,
        mutation: handled.mutation,
        accepted: answer.is_success(),
        operation: answer.started.as_ref().map(|started| started.id.clone()),
        caller: handled.caller.clone(),
        lost: answer.delivery.lost,
        quirks: answer.delivery.quirks.clone(),
        missing: handled.missing.clone(),
    };
    tracing::debug!(method = entry.method, path = entry.path, status = entry.status, "request");
    shared.log.add(entry);
    handled
}

async fn answer(shared: &Shared, incoming: &Incoming, understood: Understood) -> Handled {
    let Understood { call, address, caller } = understood;
    let mutation = call.is_mutation();
    match shared.world.call(caller.object_id.clone(), call).await {
        Ok((simulated, mut answer)) => {
            if answer.is_success() {
                caller.filter(&address, &mut answer.body);
            }
            let version = path::parameter(&incoming.query, "api-version");
            api_version::show(&version.unwrap_or_default(), &mut answer.body);
            if incoming.method == Method::HEAD && answer.is_success() {
                answer = Answer { status: 204, body: Value::Null, ..answer };
            }
            Handled {
                answer,
                mutation,
                caller: Some(caller.object_id),
                simulated: Some(simulated),
                missing: None,
            }
        }
        Err(stopped) => {
            let refusal = Refusal::arm(503, "ServiceUnavailable", stopped.to_string());
            refused(incoming, Refused { caller: Some(caller.object_id), ..refusal.into() })
        }
    }
}

fn refused(incoming: &Incoming, refused: Refused) -> Handled {
    let Refused { refusal, caller, missing } = refused;
    let mutation = ![Method::GET, Method::HEAD].contains(&incoming.method);
    Handled { answer: refusal.into(), mutation, caller, simulated: None, missing }
}

fn understand(shared: &Shared, incoming: &Incoming, body: &[u8]) -> Result<Understood, Box<Refused>> {
    let caller = incoming.caller(shared).map_err(|refusal| Box::new(refusal.into()))?;
    let object_id = caller.object_id.clone();
    let result = understand_call(shared, incoming, body, caller);
    result.map_err(|refused| Box::new(Refused { caller: Some(object_id), ..refused }))
}

fn understand_call(
    shared: &Shared,
    incoming: &Incoming,
    body: &[u8],
    caller: Caller,
) -> Result<Understood, Refused> {
    let Incoming { method, path, query, .. } = incoming;
    // HEAD is GET without the body.
    let method = if *method == Method::HEAD { &Method::GET } else { method };
    let version = path::parameter(query, "api-version").ok_or_else(check_version::missing)?;
    let Some(address) = Address::parse(method, path) else {
        let message = "The request did not have a subscription or a valid tenant level resource provider.";
        let refusal = Refusal::arm(404, "MissingSubscription", message);
        return Err(missing(incoming, refusal, format!("{method} {path}")));
    };
    let call = path::parse(method, path, query, Value::Null, None);
    let signed = check_signature(shared, incoming, call.as_ref())?;
    if !signed {
        if let Err(refusal) = check_version::check(&address, &version, call.is_some()) {
            return Err(unknown(incoming, &address, refusal));
        }
        caller.check(&address)?;
    }
    let body = request::json(body)?;
    let call = match call {
        Some(_) => path::parse(method, path, query, body, incoming.if_match()),
        None => manager::parse(method, &address, query, &body, &caller)?.map(Call::Manager),
    };
    let Some(call) = call else {
        let what = format!("{method} {}", address.kind());
        return Err(missing(incoming, check_version::no_method(method), what));
    };
    Ok(Understood { call, address, caller })
}

/// Whether the URL is one that was signed here: it needs no role, and is good only as it is.
///
/// Without any signature it is a URL like others.
fn check_signature(shared: &Shared, incoming: &Incoming, call: Option<&Call>) -> Result<bool, Refusal> {
    let Some(Call::Operation { .. } | Call::OperationResult { .. }) = call else {
        return Ok(false);
    };
    let Incoming { path, query, .. } = incoming;
    if !["t", "c", "s", "h"].iter().any(|part| path::parameter(query, part).is_some()) {
        return Ok(false);
    }
    if shared.signer.is_signed(path, query) {
        return Ok(true);
    }
    let message = "The operation URL must be used exactly as it was returned.";
    Err(Refusal::arm(403, "AuthorizationFailed", message))
}

/// A refusal that says what the model lacks, when that is its reason.
fn unknown(incoming: &Incoming, address: &Address, refusal: Refusal) -> Refused {
    if refusal.status == 404 {
        let what = format!("{} {}", incoming.method, address.kind());
        return missing(incoming, refusal, what);
    }
    refusal.into()
}

fn missing(incoming: &Incoming, refusal: Refusal, what: String) -> Refused {
    tracing::warn!(path = incoming.path, "the simulator does not model {what}");
    Refused { refusal, caller: None, missing: Some(what) }
}
