//! A ClusterUpgrade as the engine sees a member of a rollout. Pure.

use crds::{
    ClusterUpgrade, ClusterUpgradeSpec, ClusterUpgradeStatus, PlanReference, RETRY_ANNOTATION, Summary,
};
use engine::{MemberStanding, Place, RolloutMember};
use kube::ResourceExt;

/// `None` for one that is not of a plan. What other objects say of it (`claimed_by`, `registered`) is as if
/// there were none.
pub(super) fn member(upgrade: ClusterUpgrade) -> Option<RolloutMember> {
    let (name, version) = (upgrade.name_any(), upgrade.resource_version().unwrap_or_default());
    let retry = upgrade.annotations().get(RETRY_ANNOTATION).cloned();
    let ClusterUpgradeSpec { cluster_ref, target: _, policy: _, suspend, plan } = upgrade.spec;
    let PlanReference { name: _, rollout, wave, admitted, admitted_at, suspended, claim, baseline } = plan?;
    let ClusterUpgradeStatus { observed_generation, summary, azure_cluster: _, ledger, conditions: _ } =
        upgrade.status.unwrap_or_default();
    let is_current = observed_generation == upgrade.metadata.generation;
    let standing =
        summary.map(|Summary { phase, reason, message, progress: _, since, next_attempt, eta }| {
            let (stopped, parked) = (phase == "Stopped", phase == "Parked");
            MemberStanding { is_current, stopped, parked, reason, message, since, next_attempt, eta }
        });
    Some(RolloutMember {
        name,
        version,
        cluster: cluster_ref.name,
        rollout,
        wave,
        place: Place { admitted, admitted_at, suspended, claim },
        suspended_by_hand: suspend,
        retry,
        claimed_by: None,
        registered: true,
        inherited_baseline: baseline,
        ledger,
        standing,
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use serde_json::{Value, json};

    pub(in super::super) fn upgrade(name: &str, admitted: bool, status: &Value) -> RolloutMember {
        let upgrade = serde_json::from_value(json!({
            "apiVersion": "tidegate.dev/v1alpha1", "kind": "ClusterUpgrade",
            "metadata": {"name": name, "generation": 2, "resourceVersion": "7"},
            "spec": {"clusterRef": {"name": name}, "target": {"scope": "NodeImage"}, "suspend": true,
                "plan": {"name": "p", "rollout": "p-1", "wave": "w", "admitted": admitted, "claim": 4}},
            "status": status
        }));
        member(upgrade.unwrap()).unwrap()
    }

    pub(in super::super) fn stands(phase: &str, reason: &str) -> Value {
        json!({"observedGeneration": 2, "summary": {"phase": phase, "reason": reason, "message": "because",
            "progress": "0/1", "since": "2026-12-05T22:00:00Z"}})
    }

    #[test]
    fn a_member_is_what_its_object_says() {
        let read = upgrade("a", true, &stands("Stopped", "GateFailed"));
        assert_eq!((read.version.as_str(), read.cluster.as_str()), ("7", "a"));
        assert_eq!(read.place, Place { admitted: true, admitted_at: None, suspended: false, claim: 4 });
        assert!(read.suspended_by_hand && read.is_stopped());
        assert!(read.standing.is_some_and(|standing| standing.is_current && standing.reason == "GateFailed"));
        let mut old = stands("Parked", "Soaking");
        old["observedGeneration"] = json!(1);
        let old = upgrade("a", true, &old);
        assert!(!old.is_stopped() && old.standing.is_some_and(|standing| !standing.is_current));
        assert_eq!(upgrade("a", true, &json!({})).standing, None, "nothing was told yet");
    }
}
