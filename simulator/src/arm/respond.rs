//! An answer of the world as an HTTP response with ARM's headers.

use axum::{
    body::Body,
    http::{HeaderValue, Response, StatusCode, Uri, header},
};
use serde_json::Value;

use super::path;
use crate::{
    server::Shared,
    world::{Answer, Started},
};

const ASYNC_OPERATION: &str = "azure-asyncoperation";

pub(super) fn build(shared: &Shared, uri: &Uri, answer: Answer) -> Response<Body> {
    let Answer { status, mut body, started, next, retry_after, remaining: _ } = answer;
    if let Some(next) = next {
        body["nextLink"] = Value::from(next_link(shared, uri, next));
    }
    let content = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
    let mut response = Response::new(content);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    if !body.is_null() {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Some(seconds) = retry_after {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if let Some(started) = started {
        let url = |kind| HeaderValue::from_str(&operation_url(shared, uri, &started, kind)).ok();
        if let Some(url) = url("operations") {
            headers.insert(ASYNC_OPERATION, url);
        }
        if let Some(url) = url("operationresults").filter(|_| started.with_result) {
            headers.insert(header::LOCATION, url);
        }
    }
    response
}

fn next_link(shared: &Shared, uri: &Uri, next: usize) -> String {
    let version = path::parameter(uri.query().unwrap_or_default(), "api-version").unwrap_or_default();
    format!("{}{}?api-version={version}&%24skipToken={next}", shared.endpoint, uri.path())
}

fn operation_url(shared: &Shared, uri: &Uri, started: &Started, kind: &str) -> String {
    let subscription = uri.path().split('/').nth(2).unwrap_or_default();
    let Started { id, location, with_result: _ } = started;
    let path = format!(
        "/subscriptions/{subscription}/providers/Microsoft.ContainerService/locations/{location}/{kind}/{id}"
    );
    format!("{}{path}?{}", shared.endpoint, shared.signer.query(&path))
}
