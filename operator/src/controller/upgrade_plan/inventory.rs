//! Wakes continuous plans when what their decisions go by has changed in the inventory: a cluster is registered
//! or gets other labels, or Azure shows or offers something else. That it was looked at again wakes nobody.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use crds::{AKSCluster, UpgradePlan};
use engine::Mode;
use futures::{Stream, StreamExt as _};
use kube::{
    Api, ResourceExt as _,
    core::DeserializeGuard,
    runtime::{
        WatchStreamExt as _, predicates,
        reflector::{ObjectRef, Store},
        utils::{Predicate as _, PredicateConfig},
        watcher,
    },
};

use crate::context::Context;

type Guarded<K> = DeserializeGuard<K>;

/// The plans that may have something to do since a cluster has changed.
pub(super) fn plans_of_changed_clusters(
    context: &Context,
    plans: Store<Guarded<UpgradePlan>>,
) -> impl Stream<Item = ObjectRef<Guarded<UpgradePlan>>> + Send + use<> {
    let clusters: Api<Guarded<AKSCluster>> = Api::all(context.watches.clone());
    watcher(clusters, watcher::Config::default())
        .default_backoff()
        .applied_objects()
        .predicate_filter(predicates::labels.combine(matters), PredicateConfig::default())
        // What goes wrong with the watch is told and tried again by its backoff.
        .filter_map(|cluster| std::future::ready(cluster.ok()))
        .flat_map(move |cluster| {
            let namespace = cluster.namespace();
            let there = plans.state().into_iter().filter(move |plan| plan.namespace() == namespace);
            let waiting = there.filter(|plan| plan.0.as_ref().is_ok_and(is_interested));
            futures::stream::iter(waiting.map(|plan| ObjectRef::from_obj(&*plan)).collect::<Vec<_>>())
        })
}

/// A plan that looks for something to do, or has not begun yet.
fn is_interested(plan: &UpgradePlan) -> bool {
    let has_begun = plan.status.as_ref().is_some_and(|status| status.rollout.is_some());
    plan.spec.mode == Mode::Continuous || !has_begun
}

/// A value that changes with what decisions go by.
fn matters(cluster: &Guarded<AKSCluster>) -> Option<u64> {
    let mut hasher = DefaultHasher::new();
    if let Some(status) = cluster.0.as_ref().ok().and_then(|cluster| cluster.status.as_ref()) {
        let ready = status.conditions.first().map(|ready| &ready.status);
        let upgraded = status.history.first().map(engine::UpgradeRecord::last_change);
        let words = serde_json::to_string(&(&status.cluster, &status.offers, ready)).unwrap_or_default();
        words.hash(&mut hasher);
        // What was read after an upgrade says more than what was read before it, also where it is the same.
        let is_newer = |read_at: Option<jiff::Timestamp>| {
            read_at.zip(upgraded).is_none_or(|(read_at, at)| read_at >= at)
        };
        (is_newer(status.cluster_read_at), is_newer(status.offers_read_at)).hash(&mut hasher);
    }
    Some(hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn value(status: Value) -> Option<u64> {
        let cluster = json!({"apiVersion": "tidegate.dev/v1alpha1", "kind": "AKSCluster",
            "metadata": {"name": "a"}, "spec": {"resourceId": "unused"}, "status": status});
        matters(&serde_json::from_value(cluster).unwrap())
    }

    #[test]
    fn a_look_that_finds_the_same_wakes_nobody() {
        let status = |version: &str, read_at: &str| {
            json!({"cluster": {"name": "a", "location": "westeurope", "version": version,
                "provisioningState": "Succeeded", "power": "Running", "pools": []}, "clusterReadAt": read_at})
        };
        let before = value(status("1.34.4", "2026-12-05T22:00:00Z"));
        assert_eq!(before, value(status("1.34.4", "2026-12-05T23:00:00Z")));
        assert_ne!(before, value(status("1.35.3", "2026-12-05T22:00:00Z")));
        assert_ne!(before, value(json!({})));
        let upgraded = |read_at: &str| {
            let mut status = status("1.34.4", read_at);
            status["history"] = json!([{"upgrade": "u", "startedAt": "2026-12-05T22:30:00Z"}]);
            value(status)
        };
        assert_ne!(upgraded("2026-12-05T22:00:00Z"), upgraded("2026-12-05T23:00:00Z"));
    }
}
