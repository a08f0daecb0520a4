//! Logs on standard error: text for people, JSON for collectors.

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

/// The client logs every refused connection as an error, although a target's API server is
/// expected to be away while it is upgraded; whoever called says what it means.
const DEFAULT_FILTER: &str = "info,kube_runtime=warn,kube_client=off";

/// How log lines look.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Starts logging. `RUST_LOG` selects what is logged; `info` without it.
pub(crate) fn init_logs(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(DEFAULT_FILTER));
    let logs =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false);
    match format {
        LogFormat::Text => logs.init(),
        LogFormat::Json => logs.json().flatten_event(true).init(),
    }
}
