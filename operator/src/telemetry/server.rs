//! `/healthz`, `/readyz` and `/metrics`.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use axum::{Router, extract::State, http::StatusCode, routing::get};

use super::Metrics;

/// Whether the process is ready: its clients are set up and it has asked for the lease.
#[derive(Clone, Debug, Default)]
pub(crate) struct Health(Arc<AtomicBool>);

impl Health {
    /// From now on it is ready.
    pub(crate) fn ready(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Serves until `stop`.
///
/// # Errors
/// When the listener fails.
pub(crate) async fn serve(
    listener: tokio::net::TcpListener,
    health: Health,
    metrics: Metrics,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    tracing::info!(address = %listener.local_addr()?, "serving health and metrics");
    let routes = Router::new()
        .route("/healthz", get(async || "ok"))
        .route("/readyz", get(readyz))
        .route("/metrics", get(render))
        .with_state((health, metrics));
    axum::serve(listener, routes).with_graceful_shutdown(stop).await
}

async fn readyz(State((health, _)): State<(Health, Metrics)>) -> (StatusCode, &'static str) {
    if health.0.load(Ordering::Relaxed) {
        (StatusCode::OK, "ok")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "starting")
    }
}

async fn render(
    State((_, metrics)): State<(Health, Metrics)>,
) -> ([(&'static str, &'static str); 1], String) {
    ([("content-type", "application/openmetrics-text; version=1.0.0; charset=utf-8")], metrics.render())
}
