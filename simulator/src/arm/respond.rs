//! An answer of the world as an HTTP response with ARM's headers.

use std::io;

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

/// Sends an answer on its way, which may take its time or end early.
pub(super) async fn deliver(shared: &Shared, uri: &Uri, answer: Answer) -> Response<Body> {
    let late = shared.clock.real_duration(answer.delivery.delay);
    if !late.is_zero() {
        tokio::time::sleep(late).await;
    }
    if answer.delivery.lost {
        return cut();
    }
    let mut answer = answer;
    let answer = answer.delivery.instead.take().map_or(answer, |instead| *instead);
    build(shared, uri, answer)
}

/// A response that ends the connection before anything of it is sent.
fn cut() -> Response<Body> {
    Response::new(Body::from_stream(futures::stream::iter([Err::<&[u8], _>(io::Error::from(
        io::ErrorKind::ConnectionAborted,
    ))])))
}

fn build(shared: &Shared, uri: &Uri, answer: Answer) -> Response<Body> {
    let Answer { status, mut body, started, next, retry_after, delivery } = answer;
    if let Some(next) = next {
        body["nextLink"] = Value::from(next_link(shared, uri, next));
    }
    let (kind, content) = match delivery.html {
        Some(html) => (Some("text/html"), Body::from(html)),
        None if body.is_null() => (None, Body::empty()),
        None => (Some("application/json; charset=utf-8"), Body::from(body.to_string())),
    };
    let mut response = Response::new(content);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    if let Some(kind) = kind {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
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
