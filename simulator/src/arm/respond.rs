//! An answer of the world as an HTTP response of Azure Resource Manager.

use std::io;

use axum::{
    body::Body,
    http::{HeaderValue, Method, Response, StatusCode, header},
};
use serde_json::Value;

use super::{headers, request::Incoming};
use crate::{
    server::Shared,
    world::{Answer, Started},
};

const ASYNC_OPERATION: &str = "azure-asyncoperation";

/// Sends an answer on its way, which may take its time or end early.
pub(super) async fn deliver(shared: &Shared, incoming: &Incoming, mut answer: Answer) -> Response<Body> {
    let late = shared.clock.real_duration(answer.delivery.delay);
    if !late.is_zero() {
        tokio::time::sleep(late).await;
    }
    if answer.delivery.lost {
        return cut();
    }
    let answer = answer.delivery.instead.take().map_or(answer, |instead| *instead);
    build(shared, incoming, answer)
}

/// A response that ends the connection before anything of it is sent.
pub(super) fn cut() -> Response<Body> {
    Response::new(Body::from_stream(futures::stream::iter([Err::<&[u8], _>(io::Error::from(
        io::ErrorKind::ConnectionAborted,
    ))])))
}

fn build(shared: &Shared, incoming: &Incoming, answer: Answer) -> Response<Body> {
    let Answer { status, mut body, started, next, retry_after, remaining, delivery } = answer;
    if let Some(next) = next {
        body["nextLink"] = Value::from(next_link(&shared.endpoint, (&incoming.path, &incoming.query), next));
    }
    let (kind, content) = match delivery.html {
        Some(html) => (Some("text/html"), Body::from(html)),
        None if body.is_null() || incoming.method == Method::HEAD => (None, Body::empty()),
        // Resource Manager itself says which characters it writes, the AKS resource provider does not (recorded).
        None if speaks_itself(incoming, &body) => {
            (Some("application/json; charset=utf-8"), Body::from(body.to_string()))
        }
        None => (Some("application/json"), Body::from(body.to_string())),
    };
    let mut response = Response::new(content);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let map = response.headers_mut();
    headers::add(map, shared, incoming);
    if let Some(kind) = kind {
        map.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    }
    headers::add_cause(map, status, &body);
    if status == 401 {
        headers::add_challenge(map, shared, &body);
    }
    if let Some(remaining) = remaining {
        headers::add_remaining(map, incoming, remaining);
    }
    if let Some(seconds) = retry_after {
        map.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    let is_result = incoming.path.to_lowercase().contains("/operationresults/");
    if is_result && (status == 202 || status == 204) {
        // An operation's result names its own place, also when there is nothing there (recorded).
        if let Ok(own) =
            HeaderValue::from_str(&format!("{}{}?{}", shared.endpoint, incoming.path, incoming.query))
        {
            map.insert(header::LOCATION, own);
        }
        map.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    if let Some(started) = started {
        let url = |kind| HeaderValue::from_str(&operation_url(shared, incoming, &started, kind)).ok();
        if let Some(url) = url("operations") {
            map.insert(ASYNC_OPERATION, url);
        }
        if let Some(url) = url("operationresults").filter(|_| started.with_result) {
            map.insert(header::LOCATION, url);
        }
    }
    response
}

/// Whether Resource Manager itself answers, and not the AKS resource provider behind it.
fn speaks_itself(incoming: &Incoming, body: &Value) -> bool {
    let path = incoming.path.to_lowercase();
    let provider = path.rsplit_once("/providers/").map_or("", |(_, rest)| rest);
    body.get("error").is_some_and(Value::is_object) && body.get("status").is_none()
        || !provider.starts_with("microsoft.containerservice/")
}

/// The same list from another place on; filters stay. An empty page leads to the place that was asked for,
/// and by another link: one that leads to itself would never end.
pub(crate) fn next_link(endpoint: &str, (path, query): (&str, &str), next: usize) -> String {
    let is_token = |name: &str| name.eq_ignore_ascii_case("$skiptoken");
    let pairs = || url::form_urlencoded::parse(query.as_bytes());
    let asked = pairs().find(|(name, _)| is_token(name)).map(|(_, token)| token);
    let token = match asked.filter(|asked| asked.parse() == Ok(next)) {
        Some(asked) => format!("0{asked}"),
        None => next.to_string(),
    };
    let pairs = pairs().filter(|(name, _)| !is_token(name));
    let mut serializer = url::form_urlencoded::Serializer::new(String::new());
    let query = serializer.extend_pairs(pairs).append_pair("$skipToken", &token).finish();
    format!("{endpoint}{path}?{query}")
}

fn operation_url(shared: &Shared, incoming: &Incoming, started: &Started, kind: &str) -> String {
    let subscription = incoming.path.split('/').nth(2).unwrap_or_default();
    let Started { id, location, with_result: _ } = started;
    let path = format!(
        "/subscriptions/{subscription}/providers/Microsoft.ContainerService/locations/{location}/{kind}/{id}"
    );
    format!("{}{path}?{}", shared.endpoint, shared.signer.query(&path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_never_leads_to_itself() {
        let link = |query: &str| next_link("https://arm", ("/clusters", query), 2);
        let next = link("api-version=1&%24skipToken=1");
        assert_eq!(next, "https://arm/clusters?api-version=1&%24skipToken=2");
        let query = next.split_once('?').unwrap().1;
        let again = link(query);
        assert_ne!(again, next, "an empty page leads to the place that was asked for");
        assert_eq!(link("api-version=1"), next);
        assert!(again.ends_with("skipToken=02"), "{again}");
    }
}
