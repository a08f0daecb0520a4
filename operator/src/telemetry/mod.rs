//! Metrics, health endpoints and logs.

mod azure;
mod logs;
mod metrics;
mod server;

pub(crate) use azure::{AzureBudget, AzureMetrics};
pub(crate) use logs::{LogFormat, init_logs};
pub(crate) use metrics::Metrics;
pub(crate) use server::{Health, serve};
