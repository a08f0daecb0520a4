//! How far one cluster of a rollout is, as its ClusterUpgrade tells. Pure.

use crds::ClusterUpgrade;
use engine::{Member, MemberState};
use kube::ResourceExt;

/// How far the cluster of a ClusterUpgrade is.
pub(super) fn member(upgrade: &ClusterUpgrade) -> Member {
    let status = upgrade.status.as_ref();
    let summary = status.and_then(|status| status.summary.as_ref());
    let admitted = upgrade.spec.plan.as_ref().is_none_or(|plan| plan.admitted);
    let in_flight = status.is_some_and(|status| status.ledger.in_flight());
    let state = if is_finished(upgrade) {
        MemberState::Succeeded
    } else if is_stopped(upgrade) {
        MemberState::Stopped
    } else if !admitted {
        MemberState::Waiting
    } else if !in_flight && summary.is_some_and(|summary| summary.reason == "Soaking") {
        MemberState::Soaking
    } else {
        MemberState::Running
    };
    Member { name: upgrade.name_any(), state }
}

pub(super) fn is_stopped(upgrade: &ClusterUpgrade) -> bool {
    let summary = upgrade.status.as_ref().and_then(|status| status.summary.as_ref());
    summary.is_some_and(|summary| summary.phase == "Stopped")
}

pub(super) fn is_finished(upgrade: &ClusterUpgrade) -> bool {
    upgrade.status.as_ref().is_some_and(|status| status.ledger.finished_at.is_some())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use serde_json::{Value, json};

    pub(in super::super) fn upgrade(name: &str, admitted: bool, status: &Value) -> ClusterUpgrade {
        serde_json::from_value(json!({
            "apiVersion": "tidegate.dev/v1alpha1", "kind": "ClusterUpgrade", "metadata": {"name": name},
            "spec": {"clusterRef": {"name": name}, "target": {"scope": "NodeImage"},
                "plan": {"name": "p", "rollout": "p-1", "wave": "w", "admitted": admitted}},
            "status": status
        }))
        .unwrap()
    }

    pub(in super::super) fn stands(phase: &str, reason: &str) -> Value {
        json!({"summary": {"phase": phase, "reason": reason, "message": "because", "progress": "0/1",
            "since": "2026-12-05T22:00:00Z"}})
    }

    /// The same, with a step in flight.
    pub(in super::super) fn in_flight(phase: &str, reason: &str) -> Value {
        let mut status = stands(phase, reason);
        status["operation"] = json!({"stepId": "image-a", "phase": "Soaking", "attempt": 1,
            "intentAt": "2026-12-05T22:00:00Z", "deadline": "2026-12-06T04:00:00Z",
            "since": "2026-12-05T22:00:00Z"});
        status
    }

    #[test]
    fn how_far_a_cluster_is() {
        let mut finished = stands("Stopped", "GateFailed");
        finished["finishedAt"] = json!("2026-12-05T23:00:00Z");
        let table = [
            (false, json!({}), MemberState::Waiting),
            (false, stands("Parked", "WaitingForWave"), MemberState::Waiting),
            (true, stands("Parked", "WaitingForWave"), MemberState::Running),
            (true, json!({}), MemberState::Running),
            (true, stands("Parked", "Soaking"), MemberState::Soaking),
            (true, in_flight("Parked", "Soaking"), MemberState::Running),
            (true, stands("Working", "GateInconclusive"), MemberState::Running),
            (true, stands("Stopped", "GateFailed"), MemberState::Stopped),
            (false, stands("Stopped", "InvalidSpec"), MemberState::Stopped),
            (true, finished, MemberState::Succeeded),
        ];
        for (admitted, status, state) in table {
            assert_eq!(member(&upgrade("a", admitted, &status)).state, state, "{status}");
        }
    }
}
