//! What differs between the clusters that the waves select now and those of the rollout. Pure.
//!
//! The members of a rollout are fixed when it starts. What is registered or labelled later joins the next one;
//! what is labelled otherwise stays; what is not registered any more is left out if nothing was begun on it.

use std::collections::{BTreeMap, BTreeSet};

use crds::{AKSCluster, MembershipStatus, UpgradePlan};
use engine::RolloutMember;
use kube::{
    ResourceExt,
    core::{Selector, SelectorExt as _},
};

/// Of each list so many names are told.
const SHOWN: usize = 10;

/// `None` when nothing differs.
pub(super) fn membership(
    plan: &UpgradePlan,
    clusters: &[AKSCluster],
    members: &[&RolloutMember],
) -> Option<MembershipStatus> {
    let mut selected: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for wave in &plan.spec.waves {
        for cluster in clusters.iter().filter(|cluster| selects(&wave.clusters, cluster)) {
            selected.entry(cluster.name_any()).or_default().push(&wave.name);
        }
    }
    let of_rollout: BTreeSet<&str> = members.iter().map(|member| member.cluster.as_str()).collect();
    let late = selected.keys().filter(|name| !of_rollout.contains(name.as_str()));
    let mut unselected: Vec<String> = members
        .iter()
        .filter(|member| member.registered && !selected.contains_key(&member.cluster))
        .map(|member| member.cluster.clone())
        .collect();
    let mut deregistered: Vec<String> =
        members.iter().filter(|member| !member.registered).map(|member| member.cluster.clone()).collect();
    unselected.sort();
    deregistered.sort();
    let overlapping = selected.iter().filter_map(|(name, waves)| match waves.as_slice() {
        [first, also @ ..] if !also.is_empty() => Some(format!("{name}: {first}, also {}", also.join(", "))),
        _ => None,
    });
    let empty = plan.spec.waves.iter().map(|wave| &wave.name);
    let empty = empty.filter(|name| !members.iter().any(|member| member.wave == **name));
    let found = MembershipStatus {
        late: late.take(SHOWN).cloned().collect(),
        unselected: unselected.into_iter().take(SHOWN).collect(),
        deregistered: deregistered.into_iter().take(SHOWN).collect(),
        overlapping: overlapping.take(SHOWN).collect(),
        empty_waves: empty.take(SHOWN).cloned().collect(),
    };
    Some(found).filter(|found| *found != MembershipStatus::default())
}

fn selects(selection: &crds::ClusterSelection, cluster: &AKSCluster) -> bool {
    match (&selection.names, &selection.selector) {
        (Some(names), None) => names.contains(&cluster.name_any()),
        (None, Some(selector)) => {
            Selector::try_from(selector.clone()).is_ok_and(|selector| selector.matches(cluster.labels()))
        }
        (Some(_), Some(_)) | (None, None) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{super::member::tests::upgrade, *};
    use serde_json::json;

    fn cluster(name: &str, ring: &str) -> AKSCluster {
        serde_json::from_value(json!({
            "apiVersion": "tidegate.dev/v1alpha1", "kind": "AKSCluster",
            "metadata": {"name": name, "labels": {"ring": ring}}, "spec": {"resourceId": "unused"}
        }))
        .unwrap()
    }

    fn plan() -> UpgradePlan {
        serde_json::from_value(json!({
            "apiVersion": "tidegate.dev/v1alpha1", "kind": "UpgradePlan", "metadata": {"name": "p"},
            "spec": {"target": {"scope": "NodeImage"}, "waves": [
                {"name": "w", "clusters": {"names": ["a"]}},
                {"name": "prod", "clusters": {"selector": {"matchLabels": {"ring": "prod"}}}},
            ]}
        }))
        .unwrap()
    }

    #[test]
    fn tells_who_came_late_who_was_relabelled_and_who_is_gone() {
        let clusters =
            [cluster("a", "prod"), cluster("b", "dev"), cluster("c", "prod"), cluster("new", "prod")];
        let mut members = ["a", "b", "c", "gone"].map(|name| upgrade(name, false, &json!({})));
        members[2].wave = "prod".to_owned();
        members[3].registered = false;
        let all: Vec<&RolloutMember> = members.iter().collect();
        let found = membership(&plan(), &clusters, &all).unwrap();
        let words = |names: &[String]| names.join("; ");
        assert_eq!(words(&found.late), "new");
        assert_eq!(words(&found.unselected), "b");
        assert_eq!(words(&found.deregistered), "gone");
        assert_eq!(words(&found.overlapping), "a: w, also prod");
        assert!(found.empty_waves.is_empty());
        let found = membership(&plan(), &clusters, &all[..2]).unwrap();
        assert_eq!(words(&found.empty_waves), "prod");
    }

    #[test]
    fn nothing_is_told_where_nothing_differs() {
        let members = [upgrade("a", false, &json!({})), upgrade("c", false, &json!({}))];
        let mut members: Vec<RolloutMember> = members.into();
        members[1].wave = "prod".to_owned();
        let all: Vec<&RolloutMember> = members.iter().collect();
        assert_eq!(membership(&plan(), &[cluster("a", "dev"), cluster("c", "prod")], &all), None);
    }
}
