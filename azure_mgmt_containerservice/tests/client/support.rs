//! A management endpoint on a loopback address: one handler per test, every request kept.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::Request,
    http::{HeaderMap, Response},
};
use axum_server::tls_rustls::{RustlsConfig, from_tcp_rustls};
use azure_core::{
    credentials::{AccessToken, TokenCredential, TokenRequestOptions},
    time::{Duration as TokenLife, OffsetDateTime},
};
use azure_mgmt_containerservice::{Answered, Call, Client, ClientOptions, ClusterId, Governor, HeldBack};
use serde_json::Value;
use url::Url;

/// The cluster that the tests talk about.
pub(crate) const CLUSTER: &str =
    "/subscriptions/s-1/resourceGroups/shop/providers/Microsoft.ContainerService/managedClusters/shop-eu";

/// The same as an id.
pub(crate) fn cluster() -> ClusterId {
    CLUSTER.parse().expect("the constant is an id")
}

/// A request as the server saw it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// An answer: status, headers, body.
pub(crate) type Reply = (u16, Vec<(&'static str, String)>, String);

/// An answer with a JSON body and nothing else to say.
pub(crate) fn json(status: u16, body: &Value) -> Reply {
    (status, Vec::new(), body.to_string())
}

/// The running endpoint.
pub(crate) struct Arm {
    pub(crate) url: Url,
    pub(crate) ca_pem: Vec<u8>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Arm {
    /// Starts an endpoint that answers with `handler`; `None` means never.
    pub(crate) async fn start<H>(handler: H) -> Self
    where
        H: Fn(&Seen) -> Option<Reply> + Clone + Send + Sync + 'static,
    {
        // The second test to get here finds it installed.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let pair = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
        let (certificate, key) = (pair.cert.pem(), pair.signing_key.serialize_pem());
        let config =
            RustlsConfig::from_pem(certificate.clone().into(), key.into()).await.expect("a TLS config");
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let requests = Arc::clone(&seen);
        let answer = move |request: Request| {
            let (handler, requests) = (handler.clone(), Arc::clone(&requests));
            async move {
                let request = read(request).await;
                requests.lock().expect("no panic").push(request.clone());
                let Some((status, headers, body)) = handler(&request) else {
                    return std::future::pending::<Response<Body>>().await;
                };
                let response = Response::builder().status(status);
                headers
                    .into_iter()
                    .fold(response, |response, (name, value)| response.header(name, value))
                    .body(Body::from(body))
                    .expect("a response")
            }
        };
        let server = from_tcp_rustls(listener, config).expect("a server");
        #[expect(clippy::disallowed_methods, reason = "ends with the test")]
        tokio::spawn(server.serve(Router::new().fallback(answer).into_make_service()));
        let url = format!("https://127.0.0.1:{port}/").parse().expect("a URL");
        Self { url, ca_pem: certificate.into_bytes(), seen }
    }

    /// An endpoint that answers everything in the same way.
    pub(crate) async fn answering(reply: Reply) -> Self {
        Self::start(move |_| Some(reply.clone())).await
    }

    /// A client of it, with a token that is `secret-token`.
    pub(crate) fn client(&self) -> Client {
        self.client_with(|_| {})
    }

    /// The same, with changed options.
    pub(crate) fn client_with(&self, change: impl FnOnce(&mut ClientOptions)) -> Client {
        let mut options = ClientOptions {
            endpoint: self.url.clone(),
            extra_ca_pem: Some(self.ca_pem.clone()),
            timeout: Duration::from_secs(20),
            application_id: Some("tidegate".to_owned()),
            ..ClientOptions::default()
        };
        change(&mut options);
        Client::new(options, Arc::new(Token)).expect("a client")
    }

    /// What was asked so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().expect("no panic").clone()
    }

    /// The only request so far.
    pub(crate) fn only(&self) -> Seen {
        let mut seen = self.seen();
        assert_eq!(seen.len(), 1, "{seen:?}");
        seen.remove(0)
    }
}

async fn read(request: Request) -> Seen {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.expect("a body");
    Seen {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers,
        body: String::from_utf8(body.to_vec()).expect("text"),
    }
}

#[derive(Debug)]
struct Token;

#[async_trait::async_trait]
impl TokenCredential for Token {
    async fn get_token(
        &self,
        _: &[&str],
        _: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        Ok(AccessToken::new("secret-token", OffsetDateTime::now_utc() + TokenLife::hours(1)))
    }
}

/// Notes which calls passed; clones share the notes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notes(Arc<Mutex<Vec<Call>>>);

impl Notes {
    /// A governor that lets everything pass.
    pub(crate) fn governor(&self) -> Arc<dyn Governor> {
        Arc::new(self.clone())
    }

    /// The calls so far.
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.0.lock().expect("no panic").clone()
    }
}

#[async_trait::async_trait]
impl Governor for Notes {
    async fn admit(&self, call: &Call) -> Result<(), HeldBack> {
        self.0.lock().expect("no panic").push(call.clone());
        Ok(())
    }

    fn answered(&self, _: &Call, _: &Answered) {}
}
