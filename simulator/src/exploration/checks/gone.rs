//! Clusters that somebody has deleted: their upgrades never come to their end, and say so; of a plan, those that have
//! not begun are stopped by it.

use super::{Checks, patience::GONE, rules};
use crate::exploration::sim::State;

impl Checks {
    /// Whether an upgrade comes to no end any more, because of a cluster that is gone: its own, or one of its plan
    /// before it was let start.
    pub(super) fn has_lost(state: &State, index: usize) -> bool {
        let is_gone = |index: usize| {
            let key = &state.checks.keys[index];
            let is_deleted = state.checks.deleted.contains(key) && state.world.document(key).is_none();
            is_deleted && !state.hub.upgrades[index].is_over()
        };
        let upgrade = &state.hub.upgrades[index];
        if state.checks.deleted.is_empty() {
            return false;
        }
        let waits = state.hub.plan.is_some() && !upgrade.place.is_some_and(|place| place.admitted);
        if waits {
            (0..state.hub.upgrades.len()).any(is_gone)
        } else {
            is_gone(index) && says(state, index, GONE)
        }
    }

    /// 8: what has lost its cluster says so, and what is stopped by that waits for its wave.
    pub(super) fn says_what_it_has_lost(state: &mut State, index: usize) {
        let upgrade = &state.hub.upgrades[index];
        // Before a plan has made it, it says nothing.
        if upgrade.record.standing.is_none()
            || says(state, index, GONE)
            || says(state, index, "WaitingForWave")
        {
            return;
        }
        let (reason, words) = upgrade.record.standing.clone().unwrap_or_default();
        let what = format!("a cluster is gone, and {} waits on {reason}: {words}", upgrade.name);
        Self::violated(state, rules::REASON, what);
    }
}

fn says(state: &State, index: usize, wanted: &str) -> bool {
    let standing = state.hub.upgrades[index].record.standing.as_ref();
    standing.is_some_and(|(reason, _)| reason == wanted)
}
