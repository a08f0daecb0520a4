//! Rule 3: no step starts outside its windows, under a freeze, or where it does not fit. Told from what was drawn:
//! the operator's own reckoning of windows is not asked.

use std::time::Duration;

use azure_mgmt_containerservice::{ManagedCluster, View as _};
use engine::{Cluster, Policy, Step, StepKind};
use jiff::Timestamp;

use super::{Checks, deeds::Before, rules};
use crate::{
    effects::ClusterKey,
    exploration::{replica::clock, sim::State},
    world::Call,
};

/// Who looks at an opening has to read first: so much less may remain.
const SEEN_WITHIN: Duration = Duration::from_secs(60);
/// Settings that are changed first, inside the window, have taken so much of it at most.
const SETTINGS_TAKE: Duration = Duration::from_secs(900);
/// How long it may take from a freeze until nothing starts any more: one look at the hub, and the way to Azure.
const SECONDS: Duration = Duration::from_secs(45);
/// An estimate may have been made from another number of nodes: only what is far too long is told.
const FAR_TOO_LONG: u32 = 2;
/// How often it is looked at whether an upgrade waits rightly.
const LOOKED_AT_EVERY: Duration = Duration::from_secs(900);
/// What must remain of a window so that somebody has to begin something.
const ENOUGH: Duration = Duration::from_secs(4 * 3600);

impl Checks {
    /// A replica sends a change: what counts is what its own clock says then.
    pub(in crate::exploration) fn note_clock(state: &mut State, replica: usize, call: &Call) {
        if let Some(cluster) = call.cluster() {
            let now = clock(state, replica);
            state.checks.sent_by_clock.insert((replica, cluster.clone()), now);
        }
    }

    /// The operator starts a step, or changes settings for one.
    pub(super) fn starts_in_time(state: &mut State, call: &str, before: &Before, sent_at: Timestamp) {
        let key = (before.replica, before.cluster.clone());
        let Some(at) = state.checks.sent_by_clock.get(&key).copied() else { return };
        // What takes a pool back ends a disruption: that may be at any time.
        let Some(step) = before.of_step.clone().filter(|step| !step.is_rollback()) else { return };
        let index = before.upgrade;
        // Also a process that was stopped looks once more before it sends anything.
        let seen_by = sent_at - SECONDS;
        let frozen = state.hub.freezes.iter().find(|known| {
            known.selects(index)
                && known.made_at < seen_by
                && known.freeze.holds(at)
                && known.freeze.holds(at - SECONDS)
        });
        if let Some(known) = frozen {
            let what = format!("{call} although {} was made at {}", known.freeze.name, known.made_at);
            return Self::violated(state, rules::FREEZES, what);
        }
        let upgrade = &state.hub.upgrades[index];
        let Some(until) = upgrade.timing.open_until(at, step.kind == StepKind::NodePoolImage) else {
            let what = format!("{call} at {at} by its clock, when no window is open");
            return Self::violated(state, rules::WINDOWS, what);
        };
        // Known freezes end what is open.
        let known = state.hub.freezes.iter().filter(|known| known.selects(index) && known.made_at < seen_by);
        let begins = known.map(|known| known.freeze.from).filter(|from| *from > at).min();
        let until = begins.map_or(until, |from| until.min(from));
        let remains = Duration::try_from(until.duration_since(at)).unwrap_or_default();
        let needs = match upgrade.timing.minimum_remaining {
            Some(asked) => asked,
            None => expected(state, index, &before.cluster, &step) / FAR_TOO_LONG,
        };
        let settings = &upgrade.record.ledger.restore;
        let changed_first = settings.iter().any(|known| known.sent_at.is_some());
        let late = if changed_first { SEEN_WITHIN + SETTINGS_TAKE } else { SEEN_WITHIN };
        if remains + late < needs {
            let what = format!("{call} at {at} by its clock, which needs {needs:?}, and {until} is the end");
            Self::violated(state, rules::FIT, what);
        }
    }

    /// Whether an upgrade that waits for its time has good reason to.
    pub(super) fn waits_rightly(state: &mut State, index: usize) -> bool {
        let watched = &state.checks.watched[index];
        let reason = watched.stands.as_ref().map(|(reason, _)| reason.as_str());
        if !reason.is_some_and(|reason| ["WaitingForWindow", "Frozen", "NotBefore"].contains(&reason)) {
            return false;
        }
        // Windows are told day by day, which takes its time.
        if let Some((_, known)) = watched.waits_rightly.filter(|(at, _)| state.now < *at + LOOKED_AT_EVERY) {
            return known;
        }
        let waits = Self::may_not_start(state, index);
        state.checks.watched[index].waits_rightly = Some((state.now, waits));
        waits
    }

    fn may_not_start(state: &State, index: usize) -> bool {
        let timing = &state.hub.upgrades[index].timing;
        let is_open =
            |images| timing.open_until(state.now, images).is_some_and(|until| state.now + ENOUGH <= until);
        let is_frozen =
            state.hub.freezes.iter().any(|known| known.selects(index) && !known.freeze.is_over(state.now));
        is_frozen || !is_open(true) || !is_open(false)
    }
}

/// What a step is expected to take.
fn expected(state: &State, index: usize, key: &ClusterKey, step: &Step) -> Duration {
    let upgrade = &state.hub.upgrades[index];
    let policy: &Policy = &upgrade.request.policy;
    let cluster: Option<Cluster> = state
        .world
        .document(key)
        .and_then(|document| azure_fleet::cluster(&ManagedCluster::read(&document)).ok());
    cluster.map_or(Duration::ZERO, |cluster| upgrade.estimates.of_step(step, &cluster, policy))
}
