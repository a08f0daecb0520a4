//! What a name stands for: a plan, a cluster, whose present upgrade is meant then, or a ClusterUpgrade. Looks at what
//! was read, touches nothing.

use std::cmp::Reverse;

use crds::{ClusterUpgrade, UpgradePlan};
use kube::ResourceExt;

use super::{output::listed, status::members};
use crate::controller::cluster_upgrade::{has_begun, is_over, other_upgrade};

/// Everything of the namespace.
pub(super) struct Known {
    pub(super) plans: Vec<UpgradePlan>,
    pub(super) upgrades: Vec<ClusterUpgrade>,
}

/// What a name stands for.
#[derive(Debug)]
pub(super) enum Subject<'a> {
    Plan(&'a UpgradePlan),
    Upgrade(&'a ClusterUpgrade),
}

impl Known {
    /// Plans first, then clusters, then ClusterUpgrades by their own name.
    ///
    /// # Errors
    /// When nothing has that name; says which there are.
    pub(super) fn find(&self, name: &str, namespace: &str) -> Result<Subject<'_>, String> {
        if let Some(plan) = self.plans.iter().find(|plan| plan.name_any() == name) {
            return Ok(Subject::Plan(plan));
        }
        let by_name = || self.upgrades.iter().find(|upgrade| upgrade.name_any() == name);
        present(&self.upgrades, name).or_else(by_name).map(Subject::Upgrade).ok_or_else(|| {
            let plans = listed(self.plans.iter().map(ResourceExt::name_any));
            let clusters = listed(self.upgrades.iter().map(|upgrade| upgrade.spec.cluster_ref.name.clone()));
            format!(
                "namespace {namespace} has no UpgradePlan or ClusterUpgrade {name}, and no upgrade of an AKSCluster {name}; there are UpgradePlans: {plans}; upgrades of AKSClusters: {clusters}: tidegate status -n {namespace} shows them"
            )
        })
    }

    /// The ClusterUpgrades of a plan's present rollout, by name.
    pub(super) fn members(&self, plan: &UpgradePlan) -> Vec<ClusterUpgrade> {
        members(plan, &self.upgrades)
    }
}

/// The upgrade of a cluster that matters now. Of those that are not over the one that has the cluster: it has
/// begun, or nobody else comes first; else the newest.
pub(super) fn present<'a>(upgrades: &'a [ClusterUpgrade], cluster: &str) -> Option<&'a ClusterUpgrade> {
    let of_cluster = || upgrades.iter().filter(|upgrade| upgrade.spec.cluster_ref.name == cluster);
    let is_admitted = |upgrade: &ClusterUpgrade| upgrade.spec.plan.as_ref().is_none_or(|plan| plan.admitted);
    of_cluster()
        .filter(|upgrade| !is_over(upgrade))
        .min_by_key(|upgrade| {
            let waits = holder(upgrade, upgrades).is_some();
            (waits, Reverse(has_begun(upgrade)), Reverse(is_admitted(upgrade)), age(upgrade))
        })
        .or_else(|| of_cluster().max_by_key(|upgrade| age(upgrade)))
}

/// What commands call an upgrade: its cluster, or its own name where the cluster's stands for another one.
pub(super) fn called(upgrade: &ClusterUpgrade, upgrades: &[ClusterUpgrade]) -> String {
    let cluster = &upgrade.spec.cluster_ref.name;
    let is_other = |present: &&ClusterUpgrade| present.name_any() != upgrade.name_any();
    present(upgrades, cluster).filter(is_other).map_or_else(|| cluster.clone(), |_| upgrade.name_any())
}

/// The ClusterUpgrade that has the cluster before this one.
pub(super) fn holder<'a>(
    upgrade: &ClusterUpgrade,
    upgrades: &'a [ClusterUpgrade],
) -> Option<&'a ClusterUpgrade> {
    let name = other_upgrade(upgrade, others(upgrade, upgrades))?;
    upgrades.iter().find(|other| other.name_any() == name)
}

/// That other upgrades of the cluster wait for this one, in a few words.
pub(super) fn waiting_for(upgrade: &ClusterUpgrade, upgrades: &[ClusterUpgrade]) -> Option<String> {
    let waits =
        |other: &&ClusterUpgrade| !is_over(other) && other_upgrade(other, std::iter::once(upgrade)).is_some();
    let names: Vec<String> = others(upgrade, upgrades)
        .filter(waits)
        .map(|other| format!("ClusterUpgrade {}", other.name_any()))
        .collect();
    match names.as_slice() {
        [] => None,
        [one] => Some(format!("another upgrade of the cluster waits for this one: {one}")),
        more => Some(format!("other upgrades of the cluster wait for this one: {}", more.join(", "))),
    }
}

/// The other ClusterUpgrades of its cluster.
fn others<'a>(
    upgrade: &ClusterUpgrade,
    upgrades: &'a [ClusterUpgrade],
) -> impl Iterator<Item = &'a ClusterUpgrade> {
    let (cluster, name) = (upgrade.spec.cluster_ref.name.clone(), upgrade.name_any());
    upgrades.iter().filter(move |other| other.spec.cluster_ref.name == cluster && other.name_any() != name)
}

fn age(upgrade: &ClusterUpgrade) -> (Option<jiff::Timestamp>, String) {
    (upgrade.creation_timestamp().map(|time| time.0), upgrade.name_any())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    /// An upgrade of weu-prod by the rollout of a plan, made at that minute; `status` is its ledger.
    pub(in crate::cli) fn upgrade(rollout: &str, minute: u8, status: Value) -> ClusterUpgrade {
        serde_json::from_value(json!({
            "apiVersion": "tidegate.dev/v1alpha1", "kind": "ClusterUpgrade",
            "metadata": {"name": format!("{rollout}-weu-prod"), "namespace": "fleet",
                "creationTimestamp": format!("2026-12-05T22:{minute:02}:00Z")},
            "spec": {"clusterRef": {"name": "weu-prod"}, "target": {"kubernetes": {"version": "1.35"}},
                "plan": {"name": rollout, "rollout": rollout, "wave": "w", "admitted": true}},
            "status": status
        }))
        .unwrap()
    }

    fn in_flight() -> Value {
        let instant = "2026-12-05T22:30:00Z";
        json!({"steps": [{"from": "1.34.4", "to": "1.35.3", "state": "Running"}],
            "operation": {"stepId": "control-plane-1.35.3", "phase": "Submitted", "attempt": 1,
                "intentAt": instant, "deadline": instant, "since": instant}})
    }

    fn finished() -> Value {
        json!({"finishedAt": "2026-12-05T22:40:00Z"})
    }

    fn chosen(upgrades: &[ClusterUpgrade]) -> String {
        present(upgrades, "weu-prod").unwrap().name_any()
    }

    #[test]
    fn a_cluster_stands_for_the_upgrade_that_has_it() {
        let idle = |rollout, minute| upgrade(rollout, minute, json!({}));
        let old = upgrade("winter-1", 0, in_flight());
        assert_eq!(chosen(&[idle("spring-1", 9), old.clone()]), "winter-1-weu-prod", "it has begun");
        let young = upgrade("spring-1", 9, in_flight());
        assert_eq!(
            chosen(&[idle("winter-1", 0), young]),
            "spring-1-weu-prod",
            "it has begun, though younger"
        );
        assert_eq!(
            chosen(&[idle("spring-1", 9), idle("winter-1", 0)]),
            "winter-1-weu-prod",
            "the older rollout"
        );
        let done = upgrade("winter-1", 0, finished());
        assert_eq!(chosen(&[done.clone(), idle("spring-1", 9)]), "spring-1-weu-prod", "the other is over");
        assert_eq!(chosen(&[upgrade("spring-1", 9, finished()), done]), "spring-1-weu-prod", "the newest");
        let mut by_hand = idle("by-hand", 9);
        by_hand.spec.plan = None;
        let mut waits = idle("winter-1", 0);
        waits.spec.plan.as_mut().unwrap().admitted = false;
        assert_eq!(
            chosen(&[waits, by_hand]),
            "by-hand-weu-prod",
            "it does not wait for what has no turn yet"
        );
        assert!(present(&[old], "neu-1").is_none());
    }

    #[test]
    fn those_that_wait_for_it_are_told_of() {
        let upgrades = [
            upgrade("autumn-1", 0, finished()),
            upgrade("spring-1", 9, json!({})),
            upgrade("winter-1", 5, in_flight()),
        ];
        assert_eq!(
            waiting_for(&upgrades[2], &upgrades).as_deref(),
            Some("another upgrade of the cluster waits for this one: ClusterUpgrade spring-1-weu-prod")
        );
        assert_eq!(waiting_for(&upgrades[1], &upgrades), None);
        assert_eq!(
            holder(&upgrades[1], &upgrades).map(ResourceExt::name_any).as_deref(),
            Some("winter-1-weu-prod")
        );
        assert!(holder(&upgrades[2], &upgrades).is_none());
        let names = [1, 2].map(|number| called(&upgrades[number], &upgrades));
        assert_eq!(names, ["spring-1-weu-prod", "weu-prod"]);
    }

    #[test]
    fn a_name_that_nothing_has_is_refused_with_those_that_there_are() {
        let upgrades = vec![upgrade("winter-1", 0, json!({})), upgrade("spring-1", 9, json!({}))];
        let known = Known { plans: Vec::new(), upgrades };
        let refused = known.find("weu-prd", "fleet").unwrap_err();
        assert!(
            refused.ends_with("there are UpgradePlans: none; upgrades of AKSClusters: weu-prod: tidegate status -n fleet shows them"),
            "{refused}"
        );
        let by_name = known.find("spring-1-weu-prod", "fleet").unwrap();
        assert!(matches!(by_name, Subject::Upgrade(upgrade) if upgrade.name_any() == "spring-1-weu-prod"));
    }
}
