//! Rules about how it all ends: everything wanted is so, and nothing is done any more.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Checks, rules};
use crate::exploration::{
    case::{Case, UpgradeCase, is_old_image},
    sim::State,
};

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
            Self::has_all_nodes(state, upgrade);
        }
        let written = state.written();
        if let Some((_, by_then)) = state.checks.done.filter(|(_, by_then)| *by_then != written) {
            let what = format!("{} writes after everything was done", written - by_then);
            Self::violated(state, rules::FINISHED, what);
        }
    }

    fn has_arrived(state: &mut State, index: usize, wanted: &UpgradeCase) {
        let name = &wanted.name;
        let upgrade = &state.hub.upgrades[index];
        if upgrade.record.ledger.finished_at.is_none() {
            let (reason, words) = upgrade.record.standing.clone().unwrap_or_default();
            let what = format!("{name} is not done; it waits on {reason}: {words}");
            return Self::violated(state, rules::END, what);
        }
        if let Some(document) = state.world.document(&wanted.key) {
            let (before, after) = (&state.checks.watched[index].settings, settings_of(&document));
            if *before != after {
                let what = format!("{name} is done, its settings were {before:?} and are {after:?}");
                return Self::violated(state, rules::SETTINGS, what);
            }
        }
        let Some(view) = state.world.cluster_view(&wanted.key) else { return };
        let mut nodes = view.pools.iter().flat_map(|pool| &pool.nodes);
        if let Some(node) = nodes.find(|node| is_old_image(&node.node_image)) {
            let what = format!("{name} is done, and node {} has image {}", node.name, node.node_image);
            return Self::violated(state, rules::END, what);
        }
        let Some(target) = &wanted.target else { return };
        if view.kubernetes_version != *target {
            let what = format!("{name} is done, and its control plane is at {}", view.kubernetes_version);
            return Self::violated(state, rules::END, what);
        }
        for pool in &view.pools {
            if let Some(node) = pool.nodes.iter().find(|node| node.kubernetes_version != *target) {
                let what =
                    format!("{name} is done, and node {} is at {}", node.name, node.kubernetes_version);
                return Self::violated(state, rules::END, what);
            }
        }
    }
}
