//! Carries a call to its peer and the answer back, streams included.

use std::{convert::Infallible, sync::Arc};

use anyhow::{Context as _, Result};
use axum::{
    body::{Body, Bytes, to_bytes},
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header},
};
use futures::stream;

use super::{Peer, Wire, call, wire::Then};

/// More than any request of the operator.
const LARGEST_REQUEST: usize = 16 << 20;
/// Headers that belong to one connection, or that the server writes itself.
const OF_THE_CONNECTION: [HeaderName; 4] =
    [header::HOST, header::CONNECTION, header::CONTENT_LENGTH, header::TRANSFER_ENCODING];

/// Whom a proxy stands for.
pub(super) struct Upstream {
    peer: Peer,
    url: String,
    own: String,
    namespace: String,
    client: reqwest::Client,
}

impl Upstream {
    pub(super) fn new(peer: Peer, url: &str, ca: &str, namespace: &str, own: String) -> Result<Self> {
        let ca = reqwest::Certificate::from_pem(ca.as_bytes()).context("the authority of a peer")?;
        let client = reqwest::Client::builder()
            .tls_certs_only([ca])
            .no_proxy()
            .http1_only()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .context("a client for a proxy")?;
        Ok(Self { peer, url: url.to_owned(), own, namespace: namespace.to_owned(), client })
    }

    fn target(&self, request: &Request) -> String {
        let path = request.uri().path();
        let narrowed = (self.peer == Peer::Hub).then(|| call::narrowed(path, &self.namespace)).flatten();
        let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
        format!("{}{}{query}", self.url, narrowed.as_deref().unwrap_or(path))
    }

    async fn send(&self, request: Request) -> Result<reqwest::Response> {
        let target = self.target(&request);
        let (parts, body) = request.into_parts();
        let body = to_bytes(body, LARGEST_REQUEST).await.context("the body of a request")?;
        let call = self.client.request(parts.method, target).headers(passed(&parts.headers)).body(body);
        Ok(call.send().await?)
    }

    /// Links to the peer lead to this proxy.
    fn head(&self, answer: &reqwest::Response) -> Response<Body> {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = answer.status();
        let mut headers = passed(answer.headers());
        for value in headers.values_mut() {
            let moved = value.to_str().ok().and_then(|text| text.strip_prefix(&self.url));
            if let Some(Ok(moved)) = moved.map(|rest| HeaderValue::try_from(format!("{}{rest}", self.own))) {
                *value = moved;
            }
        }
        *response.headers_mut() = headers;
        response
    }
}

fn passed(headers: &HeaderMap) -> HeaderMap {
    let mut passed = headers.clone();
    for name in OF_THE_CONNECTION {
        passed.remove(name);
    }
    passed
}

/// Passes a call on, as far as the wire lets it.
pub(super) async fn pass(
    upstream: &Upstream,
    wire: &Arc<Wire>,
    request: Request,
) -> Result<Response<Body>, Infallible> {
    let peer = upstream.peer;
    let (then, change) = wire.arrives(peer, request.method().as_str(), request.uri().path()).await;
    let answer = match upstream.send(request).await {
        Ok(answer) => answer,
        Err(error) => return Ok(bad_gateway(&error)),
    };
    if let Some(change) = change.filter(|_| answer.status().is_success()) {
        wire.accept(change);
    }
    let mut response = upstream.head(&answer);
    if then == Then::Deliver {
        wire.answered(peer, then).await;
        *response.body_mut() = streamed(answer, Arc::clone(wire), peer);
        return Ok(response);
    }
    // Whole, so that the effect is complete when everything stops.
    match answer.bytes().await {
        Ok(body) => *response.body_mut() = Body::from(body),
        Err(error) => return Ok(bad_gateway(&error.into())),
    }
    wire.answered(peer, then).await;
    Ok(response)
}

/// The body as it comes: watches never end by themselves.
fn streamed(answer: reqwest::Response, wire: Arc<Wire>, peer: Peer) -> Body {
    let chunks = stream::unfold(Some((answer, wire)), move |state| async move {
        let (mut answer, wire) = state?;
        match answer.chunk().await {
            Ok(None) => None,
            Ok(Some(chunk)) => {
                wire.answered(peer, Then::Deliver).await;
                Some((Ok::<Bytes, reqwest::Error>(chunk), Some((answer, wire))))
            }
            Err(error) => Some((Err(error), None)),
        }
    });
    Body::from_stream(chunks)
}

fn bad_gateway(error: &anyhow::Error) -> Response<Body> {
    let mut response = Response::new(Body::from(format!("{error:#}")));
    *response.status_mut() = StatusCode::BAD_GATEWAY;
    response
}
