//! What stands between an operator and its two peers, the hub's API server and Azure: passes everything
//! on, notes what changes something, and can stop at one of these calls or cut a peer off.
//!
//! One [`Wire`] belongs to one operator and both of its [`Proxy`]s. Nothing here knows what an operator
//! is: whoever holds the wire kills or pauses it while a call is held up.

mod call;
mod certificate;
mod forward;
mod point;
mod wire;

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::Arc,
};

use anyhow::{Context as _, Result};
use axum::{Router, extract::Request};
use axum_server::{Handle, tls_rustls::RustlsConfig};

pub use call::Peer;
pub use certificate::ca_pem;
pub use point::{Moment, Point};
pub use wire::Wire;

use forward::Upstream;

/// An HTTPS server on this machine that passes calls on to a peer. It ends when it is dropped.
pub struct Proxy {
    url: String,
    handle: Handle<SocketAddr>,
}

impl Proxy {
    /// Starts one. `namespace` is all that the operator gets to see of Tidegate's objects on the hub:
    /// its lists and watches of all namespaces become those of this one.
    ///
    /// # Errors
    /// When no port or certificate can be had.
    #[expect(clippy::disallowed_methods, reason = "ends with the proxy")]
    pub fn start(peer: Peer, url: &str, ca: &str, namespace: &str, wire: &Arc<Wire>) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("a port for a proxy")?;
        listener.set_nonblocking(true)?;
        let own = format!("https://{}", listener.local_addr()?);
        let upstream = Arc::new(Upstream::new(peer, url, ca, namespace, own.clone())?);
        let wire = Arc::clone(wire);
        let service = Router::new()
            .fallback(async move |request: Request| forward::pass(&upstream, &wire, request).await);
        let handle = Handle::new();
        let server =
            axum_server::from_tcp_rustls(listener, RustlsConfig::from_config(certificate::server()?))
                .context("a server for a proxy")?
                .handle(handle.clone())
                .serve(service.into_make_service());
        tokio::spawn(async move {
            if let Err(error) = server.await {
                eprintln!("a proxy ended: {error}");
            }
        });
        Ok(Self { url: own, handle })
    }

    /// `https://127.0.0.1:PORT`
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.handle.shutdown();
    }
}
