//! Rules about how it all ends: everything wanted is so, and nothing is done any more.

use std::{collections::BTreeMap, time::Duration};

use serde_json::Value;

use super::{Checks, rules};
use crate::{
    effects::ClusterKey,
    exploration::{
        case::{Case, UpgradeCase, is_old_image},
        sim::State,
    },
};

/// A soak is over by then, and so is any step.
const RECENT: Duration = Duration::from_secs(6 * 3600);

/// The settings of upgrades: of each pool, and of the cluster under no name.
pub(in crate::exploration) fn settings_of(document: &Value) -> BTreeMap<String, Value> {
    let properties = &document["properties"];
    let pools = properties["agentPoolProfiles"].as_array().into_iter().flatten();
    let pools = pools
        .map(|pool| (pool["name"].as_str().unwrap_or_default().to_owned(), pool["upgradeSettings"].clone()));
    pools.chain([(String::new(), properties["upgradeSettings"].clone())]).collect()
}

impl Checks {
    /// The time is over.
    pub(in crate::exploration) fn at_the_end(state: &mut State, case: &Case) {
        for (index, upgrade) in case.upgrades.iter().enumerate() {
            Self::has_arrived(state, index, upgrade);
            let of = &state.hub.upgrades[index];
            if !of.gone && !of.record.ledger.is_skipped() {
                Self::has_all_nodes(state, upgrade);
            }
        }
        Self::is_converged(state);
        let written = state.written();
        if let Some((_, by_then)) = state.checks.done.filter(|(_, by_then)| *by_then != written) {
            let what = format!("{} writes after everything was done", written - by_then);
            Self::violated(state, rules::FINISHED, what);
        }
    }

    /// Somebody else has set a setting: so it stays.
    pub(in crate::exploration) fn set_by_somebody(
        state: &mut State,
        cluster: &ClusterKey,
        pool: &str,
        (setting, value): (&str, Value),
    ) {
        let Some(index) = state.checks.index_of(cluster) else { return };
        if let Some(settings) = state.checks.watched[index].settings.get_mut(pool) {
            settings[setting] = value;
        }
    }

    /// Whether a rollout of a continuous plan, which is looked at for some days only, is under way: one of its clusters
    /// waits for its time, or has come to something else not long ago. That nothing stands still is told by another rule.
    fn is_at_it(state: &mut State) -> bool {
        let now = state.now;
        (0..state.hub.upgrades.len()).any(|index| {
            let stands = state.checks.watched[index].stands.as_ref();
            let is_recent = stands.is_some_and(|(_, since)| now < *since + RECENT);
            let upgrade = &state.hub.upgrades[index];
            let goes_on = upgrade.place.is_some() && !upgrade.is_over();
            goes_on && (is_recent || Self::waits_rightly(state, index))
        })
    }

    fn has_arrived(state: &mut State, index: usize, wanted: &UpgradeCase) {
        let name = &wanted.name;
        let upgrade = &state.hub.upgrades[index];
        // A cluster that needed nothing was in no rollout.
        let is_idle = upgrade.place.is_none() && Self::is_continuous(state);
        if !upgrade.is_over() && Self::has_lost(state, index) {
            return Self::says_what_it_has_lost(state, index);
        }
        if (!upgrade.is_over() || is_idle) && Self::is_continuous(state) && Self::is_at_it(state) {
            return;
        }
        let upgrade = &state.hub.upgrades[index];
        if !upgrade.is_over() && !is_idle {
            let (reason, words) = upgrade.record.standing.clone().unwrap_or_default();
            let what = format!("{name} is not done; it waits on {reason}: {words}");
            return Self::violated(state, rules::END, what);
        }
        if let Some(document) = state.world.document(&wanted.key) {
            let (mut before, mut after) =
                (state.checks.watched[index].settings.clone(), settings_of(&document));
            // Pools come and go.
            before.retain(|pool, _| after.contains_key(pool));
            after.retain(|pool, _| before.contains_key(pool));
            if before.iter().any(|(name, was)| !super::settings::is_same(was, &after[name])) {
                let what = format!("{name} is done, its settings were {before:?} and are {after:?}");
                return Self::violated(state, rules::SETTINGS, what);
            }
        }
        // What was left out is where it was.
        if state.hub.upgrades[index].gone || state.hub.upgrades[index].record.ledger.is_skipped() {
            return;
        }
        let Some(view) = state.world.cluster_view(&wanted.key) else { return };
        let is_excused = |pool: &str| {
            // It goes back, or is switched off, whenever somebody wants.
            state.checks.excused.contains(&(wanted.key.clone(), pool.to_owned()))
        };
        let renewed = view.pools.iter().filter(|pool| wanted.arrival.renewed.contains(&pool.name));
        let mut nodes = renewed.filter(|pool| !is_excused(&pool.name)).flat_map(|pool| &pool.nodes);
        if let Some(node) = nodes.find(|node| is_old_image(&node.node_image)) {
            let what = format!("{name} is done, and node {} has image {}", node.name, node.node_image);
            return Self::violated(state, rules::END, what);
        }
        let arrives = wanted.arrival.control_plane.as_ref();
        let is_ours = wanted.request.scope.has_control_plane()
            || !state.checks.moved.contains(&(wanted.key.clone(), None));
        if is_ours && arrives.is_some_and(|target| view.kubernetes_version != *target) {
            let what = format!("{name} is done, and its control plane is at {}", view.kubernetes_version);
            return Self::violated(state, rules::END, what);
        }
        for pool in &view.pools {
            let Some(target) = wanted.arrival.pools.get(&pool.name) else { continue };
            // What is left out goes where others bring it.
            let moved = (wanted.key.clone(), Some(pool.name.clone()));
            let is_left =
                wanted.arrival.target.as_ref() != Some(target) && state.checks.moved.contains(&moved);
            if is_left || is_excused(&pool.name) {
                continue;
            }
            if let Some(node) = pool.nodes.iter().find(|node| node.kubernetes_version != *target) {
                let what =
                    format!("{name} is done, and node {} is at {}", node.name, node.kubernetes_version);
                return Self::violated(state, rules::END, what);
            }
        }
    }
}
