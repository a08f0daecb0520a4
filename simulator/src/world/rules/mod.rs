//! What AKS refuses, and in which words.
//!
//! Codes follow recordings, "Troubleshoot Azure Kubernetes Service clusters" and issue threads;
//! the sentences are ours, with the phrases kept that clients tell errors apart by.

mod busy;
mod limits;
mod policies;
mod settings;
mod versions;

use jiff::Timestamp;

use super::{call::Refusal, region::catalog::Catalog, resources::cluster::Cluster};

pub(crate) use busy::{Busy, DELETE, check_idle};
pub(crate) use limits::{
    QuotaLeft, check_node_count, check_planned, check_pool_number, surge_within_quota, vcpus,
};
pub(crate) use policies::check_policies;
pub(crate) use settings::{check_inline_fields, check_sku, check_upgrade_settings};
pub(crate) use versions::{
    Plan, check_control_plane, check_deprecated_apis, check_plan, check_pool, check_skew, is_forced,
    mixed_versions, not_supported,
};

/// What a write is judged by besides the cluster itself.
pub(crate) struct Context<'a> {
    pub(crate) now: Timestamp,
    pub(crate) catalog: &'a Catalog,
    /// What the quota of subscription and region has left.
    pub(crate) quota: Option<QuotaLeft>,
}

/// Whether the condition of a write still holds.
pub(crate) fn check_etag(sent: Option<&str>, current: &str) -> Result<(), Refusal> {
    match sent {
        None | Some("*") => Ok(()),
        Some(sent) if sent.trim_matches('"') == current => Ok(()),
        Some(sent) => Err(Refusal::aks(
            412,
            "PreconditionFailed",
            "",
            format!(
                "The eTag {sent} of the request does not match the current eTag {current} of the resource."
            ),
        )),
    }
}

/// Stopped clusters take no changes.
pub(crate) fn check_running(cluster: &Cluster) -> Result<(), Refusal> {
    if cluster.is_stopped() {
        return Err(Refusal::bad_request(
            "OperationNotAllowed",
            "Managed cluster is in stopped state, no operations except for start and delete are allowed.",
        ));
    }
    Ok(())
}

/// Stopped pools have no nodes to upgrade; they follow when they are started.
pub(crate) fn check_pool_running(pool: &super::resources::pool::Pool) -> Result<(), Refusal> {
    let power = pool.properties.get("powerState").and_then(|state| state.get("code"));
    if power.and_then(serde_json::Value::as_str) != Some("Stopped") {
        return Ok(());
    }
    Err(Refusal::bad_request(
        "OperationNotAllowed",
        format!(
            "Agent pool {} is in stopped state, upgrading cannot be performed. Please start it before.",
            pool.name
        ),
    ))
}

/// The value of a parameter that AKS does not take.
pub(crate) fn invalid_parameter(parameter: &str, details: &str) -> Refusal {
    let mut refusal = Refusal::bad_request(
        "InvalidParameter",
        format!(
            "The value of parameter {parameter} is invalid. Error details: {details}. Please see \
             https://aka.ms/aks-naming-rules for more details."
        ),
    );
    refusal.body["target"] = serde_json::json!(parameter);
    refusal
}
