//! One operation at a time: who has to wait, and who takes over.
//!
//! AKS says so in several ways: `OperationNotAllowed` when it sees the other operation before it
//! begins, `EtagMismatch` when both wrote at once; and some writes to a busy resource are taken,
//! and end the operation before them.

use jiff::Timestamp;
use serde_json::json;

use crate::{
    scenario::WhenBusy,
    world::{call::Refusal, operations::work::Work, resources::cluster::Cluster},
};

/// What a write finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Busy {
    Idle,
    /// The operation under way ends, and the new one takes over.
    Preempts,
}

/// AKS's word for the end of a resource.
pub(crate) const DELETE: &str = "delete";

/// Whether a write to the cluster, or to one of its pools, may begin.
pub(crate) fn check_idle(now: Timestamp, cluster: &Cluster, pool: Option<&str>) -> Result<Busy, Refusal> {
    let Some(work) = &cluster.work else {
        return Ok(Busy::Idle);
    };
    let same = work.pool.as_deref() == pool;
    if work.verb == DELETE && (same || work.pool.is_none()) {
        return Err(deletion_issued(now, cluster, work, pool));
    }
    match cluster.constraints.when_busy {
        WhenBusy::Preempt if same && work.aborts.is_none() => Ok(Busy::Preempts),
        WhenBusy::Refuse if !same => Err(etag_mismatch(cluster)),
        WhenBusy::EtagMismatch => Err(etag_mismatch(cluster)),
        WhenBusy::Refuse | WhenBusy::OperationNotAllowed | WhenBusy::Preempt => {
            Err(not_allowed(now, cluster, work, pool))
        }
    }
}

/// "Troubleshoot the OperationNotAllowed error code".
fn deletion_issued(now: Timestamp, cluster: &Cluster, work: &Work, pool: Option<&str>) -> Refusal {
    let message = format!(
        "Unable to perform 'Updating' operation on '{}' since deletion was issued on '{}'. The only allowed operation \
         is deletion once deletion has started. The delete operation started at '{}' and elapsed time is: '{}' \
         (RFC3339 format)",
        pool.unwrap_or(&cluster.name),
        work.pool.as_deref().unwrap_or(&cluster.name),
        work.started,
        elapsed(now, work.started)
    );
    Refusal::aks(409, "OperationNotAllowed", "", message)
}

fn not_allowed(now: Timestamp, cluster: &Cluster, work: &Work, pool: Option<&str>) -> Refusal {
    const WAIT: &str = "please wait for it to finish before starting a new operation. See \
                        https://aka.ms/aks-pending-operation for more details";
    let state = |pool: &str| cluster.pools.get(pool).map_or("Updating", |pool| pool.state()).to_owned();
    let message = match (work.pool.as_deref(), pool) {
        (Some(busy), Some(asked)) if busy != asked => format!(
            "Operation is not allowed: Another agentpool operation ({busy} - {}) is in progress, {WAIT}",
            state(busy)
        ),
        (Some(busy), None) => format!(
            "Managed Cluster operation is not allowed: Another operation ({}) is in progress on agent pool \
             ({busy}), {WAIT}",
            state(busy)
        ),
        (None, Some(_)) => {
            format!(
                "Operation is not allowed: Another operation ({}) is in progress, {WAIT}",
                cluster.state()
            )
        }
        (None, None) | (Some(_), Some(_)) => format!(
            "Operation is not allowed because there's an in progress {} operation on the resource started at {} \
             and elapsed time is: '{}' (RFC3339 format). Please wait for it to finish before starting a new \
             operation. See https://aka.ms/aks-pending-operation for more details.",
            work.verb,
            work.started,
            elapsed(now, work.started)
        ),
    };
    Refusal::aks(409, "OperationNotAllowed", "", message)
}

fn etag_mismatch(cluster: &Cluster) -> Refusal {
    let mut refusal = Refusal::aks(
        409,
        "EtagMismatch",
        "PutManagedClusterAndComponents_FailedPrecondition",
        format!(
            "Failed to save managed cluster {} in subscription {}, resource group {}. Operation is not allowed: \
             Another operation is in progress",
            cluster.name, cluster.subscription, cluster.resource_group
        ),
    );
    refusal.body["details"] = json!([
        { "code": "Unspecified", "message": "rpc error: code = FailedPrecondition desc = Etag mismatched" }
    ]);
    refusal
}

/// Hours, minutes and seconds, as AKS writes how long something has been going on.
fn elapsed(now: Timestamp, since: Timestamp) -> String {
    let seconds = now.duration_since(since).as_secs().max(0);
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}
