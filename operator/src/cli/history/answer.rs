//! What is remembered, for programs: the field names stay.

use crds::{AKSCluster, UpgradePlan};
use engine::{RolloutRecord, UpgradeRecord};
use kube::ResourceExt as _;
use serde::Serialize;

/// The rollouts of one plan.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PlanAnswer {
    pub(super) namespace: String,
    pub(super) plan: String,
    /// Newest first.
    pub(super) rollouts: Vec<RolloutRecord>,
    /// The rollout that has stopped: its outcome is `Running` still, and nothing goes on until somebody does something.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) stopped: Option<String>,
}

/// The upgrades of one cluster.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ClusterAnswer {
    pub(super) namespace: String,
    pub(super) cluster: String,
    /// Newest first.
    pub(super) upgrades: Vec<UpgradeAnswer>,
}

/// One upgrade of a cluster.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UpgradeAnswer {
    /// `Succeeded`, `Skipped` when a person has left the cluster out, `Unfinished`, or `Deleted` when its
    /// ClusterUpgrade has gone before it was done.
    pub(super) outcome: &'static str,
    #[serde(flatten)]
    pub(super) record: UpgradeRecord,
}

impl PlanAnswer {
    pub(super) fn of(plan: &UpgradePlan) -> Self {
        let rollouts = plan.status.as_ref().map(|status| status.history.clone()).unwrap_or_default();
        let stopped = plan.status.as_ref().and_then(|status| {
            let is_stopped = status.summary.as_ref().is_some_and(|summary| summary.phase == "Stopped");
            status.rollout.as_ref().filter(|_| is_stopped).map(|rollout| rollout.id.clone())
        });
        Self { namespace: plan.namespace().unwrap_or_default(), plan: plan.name_any(), rollouts, stopped }
    }
}

impl ClusterAnswer {
    /// `there`: the ClusterUpgrades that exist.
    pub(super) fn of(cluster: &AKSCluster, there: &[String]) -> Self {
        let history = cluster.status.as_ref().map(|status| status.history.clone()).unwrap_or_default();
        let answer = |record: UpgradeRecord| {
            let outcome = match record.finished_at {
                Some(_) if record.skipped => "Skipped",
                Some(_) => "Succeeded",
                None if there.contains(&record.upgrade) => "Unfinished",
                None => "Deleted",
            };
            UpgradeAnswer { outcome, record }
        };
        Self {
            namespace: cluster.namespace().unwrap_or_default(),
            cluster: cluster.name_any(),
            upgrades: history.into_iter().map(answer).collect(),
        }
    }
}
