//! A small read-only Kubernetes API for clusters that no real API server plays: what the world
//! has of their nodes, in the words of a kube-apiserver.
//!
//! It answers `/version`, discovery, and get and list of the kinds that Tidegate reads, to
//! whoever has a token for the API servers of AKS: like a cluster whose role for everybody is to
//! read those kinds. Decides nothing about clusters, changes nothing.

mod list;
mod nodes;
mod request;
mod resource;
mod selector;
mod status;

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Path, State},
    http::{HeaderMap, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
    routing::any,
};
use serde_json::{Value, json};

use crate::{effects::ClusterKey, log::LogEntry, server::Shared};
use request::{Asked, Request};
use resource::Resource;
use status::Failure;

/// Where the API of a cluster begins, below the simulator's own address.
pub(crate) const PREFIX: &str = "/kube";

pub(crate) fn routes() -> Router<Arc<Shared>> {
    Router::new().route("/kube/{subscription}/{group}/{name}/{*rest}", any(handle))
}

/// The URL of a cluster's API server: subscription, resource group and name tell clusters apart.
pub(crate) fn server_url(base: &str, subscription: &str, group: &str, name: &str) -> String {
    format!("{base}{PREFIX}/{subscription}/{group}/{name}")
}

type Parts = (String, String, String, String);

async fn handle(
    State(shared): State<Arc<Shared>>,
    Path((subscription, group, name, rest)): Path<Parts>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let key = ClusterKey(
        format!(
            "/subscriptions/{subscription}/resourcegroups/{group}/providers/microsoft.containerservice/\
             managedclusters/{name}"
        )
        .to_lowercase(),
    );
    let caller = caller(&shared, &headers);
    let request = caller.clone().and_then(|caller| Request::read(&method, &rest, &uri, &headers, &caller));
    let answer = match request {
        Ok(request) => answer(&shared, &key, request).await,
        Err(failure) => Err(failure),
    };
    let (status, body) = answer.map_or_else(|failure| (failure.code(), failure.body()), |body| (200, body));
    shared.kube_log.add(LogEntry {
        simulated: shared.clock.now(),
        real: (shared.clock.real_now)(),
        method: method.to_string(),
        path: uri.path().to_owned(),
        status,
        mutation: false,
        accepted: status < 300,
        operation: None,
        caller: caller.ok(),
        lost: false,
        quirks: Vec::new(),
        missing: None,
    });
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    match body.as_str() {
        Some(text) => (status, text.to_owned()).into_response(),
        None => (status, Json(body)).into_response(),
    }
}

/// The object id of whoever presents a token for the API servers of AKS.
fn caller(shared: &Shared, headers: &HeaderMap) -> Result<String, Failure> {
    let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = value.and_then(|value| value.strip_prefix("Bearer ")).ok_or(Failure::Unauthorized)?;
    let claims = shared.tenant.api_server_caller(token).map_err(|error| {
        tracing::info!(%error, "a token was refused by a cluster's API");
        Failure::Unauthorized
    })?;
    Ok(claims.oid)
}

async fn answer(shared: &Shared, key: &ClusterKey, request: Request) -> Result<Value, Failure> {
    let key = key.clone();
    let view = shared.world.with(move |world, _| world.api_server(&key)).await;
    let view = view.map_err(|_| Failure::Unavailable)?;
    let view = view.ok_or(Failure::NoPage)?;
    if view.stopped {
        return Err(Failure::Unavailable);
    }
    let Request { asked, form } = request;
    let nodes = |resource: &Resource| match resource.is_nodes() {
        true => nodes::build_all(&view, shared.started, (shared.clock.real_now)()),
        false => Vec::new(),
    };
    match asked {
        Asked::Text(text) => Ok(Value::from(text)),
        Asked::Version => Ok(version(&view.version)),
        Asked::Document(document) => Ok(document),
        Asked::List { resource, namespace, page } => {
            let version = shared.clock.now().as_millisecond().to_string();
            Ok(page.of(resource, namespace.as_deref(), nodes(resource), form, &version))
        }
        Asked::Get { resource, name } => {
            let found = nodes(resource).into_iter().find(|node| node["metadata"]["name"] == name);
            let found = found.ok_or_else(|| Failure::not_found(resource, &name))?;
            Ok(form.one(resource, found))
        }
    }
}

/// What `/version` says of an API server at this full version.
fn version(version: &semver::Version) -> Value {
    json!({
        "major": version.major.to_string(),
        "minor": version.minor.to_string(),
        "gitVersion": format!("v{version}"),
        "gitTreeState": "clean",
        "compiler": "gc",
        "platform": "linux/amd64",
    })
}
