//! What must always hold, checked from outside: against what is really so, not against what the operator says.
//!
//! The numbers are those of the invariants of the architecture. The first violation ends the run.

mod conduct;
mod deeds;
mod ending;
mod plans;
mod records;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use engine::Step;
use jiff::Timestamp;
use serde_json::Value;

use super::{case::Case, hub::Upgrade, sim::State};
use crate::effects::ClusterKey;

pub(super) use deeds::{Before, describe};

/// For how long nothing may be written when all is done.
const QUIET: Duration = Duration::from_secs(24 * 3600);

/// Something that must never happen has happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which rule.
    pub invariant: &'static str,
    /// What happened.
    pub what: String,
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.invariant, self.what)
    }
}

/// What was seen so far.
#[derive(Debug)]
pub(super) struct Checks {
    pub(super) violation: Option<Violation>,
    clusters: BTreeMap<ClusterKey, usize>,
    watched: Vec<Watched>,
    /// Changes that were asked of Azure by the operator.
    pub(super) mutations: u64,
    /// What somebody else has moved: pools, and control planes under no name.
    pub(super) moved: BTreeSet<(ClusterKey, Option<String>)>,
    /// Pools that somebody has taken back to an older version, or switched off: it may have been after the end.
    pub(super) excused: BTreeSet<(ClusterKey, String)>,
    /// When all was done, and how much had been written by then.
    done: Option<(Timestamp, u64)>,
}

/// What was seen of one upgrade.
#[derive(Debug, Default)]
struct Watched {
    /// The operation that was accepted last.
    operation: Option<String>,
    /// Whether that was still under way when last looked at.
    is_running: bool,
    /// Submissions of each step.
    sent: BTreeMap<String, usize>,
    /// How many claims there were of each step.
    claimed: BTreeMap<String, usize>,
    in_flight: Option<Step>,
    /// Whether the step in flight was really done when that was last looked at, and until when it was so.
    really: (bool, Option<Timestamp>),
    /// Until when the step in flight was under way in Azure, or done.
    under_way: Option<Timestamp>,
    /// Since when it is suspended.
    suspended: Option<Timestamp>,
    /// When somebody else has moved a version that this upgrade accounts for, since the last `retry`.
    moved: Option<Timestamp>,
    /// How often each step has failed since the last `retry`.
    failures: BTreeMap<String, u32>,
    /// When the baseline was really recorded, whatever the operator's clock said.
    baseline_at: Option<Timestamp>,
    /// When the last step was recorded as done.
    last_success: Option<Timestamp>,
    /// The settings of its upgrades, as they were in the beginning.
    settings: BTreeMap<String, Value>,
}

impl Checks {
    pub(super) fn new(case: &Case) -> Self {
        let clusters = case.upgrades.iter().enumerate().map(|(index, upgrade)| (upgrade.key.clone(), index));
        Self {
            violation: None,
            clusters: clusters.collect(),
            watched: case.upgrades.iter().map(|_| Watched::default()).collect(),
            mutations: 0,
            moved: BTreeSet::new(),
            excused: BTreeSet::new(),
            done: None,
        }
    }

    /// Whether every upgrade has come to its end.
    pub(super) fn all_done(state: &State) -> bool {
        state.hub.upgrades.iter().all(Upgrade::is_over)
    }

    /// The cluster of an upgrade.
    pub(super) fn key_of(&self, index: usize) -> Option<ClusterKey> {
        self.clusters.iter().find(|(_, number)| **number == index).map(|(key, _)| key.clone())
    }

    /// Remembers what is to be so again in the end.
    pub(super) fn begin(state: &mut State) {
        for (key, index) in state.checks.clusters.clone() {
            let document = state.world.document(&key).unwrap_or_default();
            state.checks.watched[index].settings = ending::settings_of(&document);
        }
    }

    /// From when on nothing is left to be seen: all has been done for a day.
    pub(super) fn is_over(state: &mut State) -> bool {
        if !Self::all_done(state) || state.now < state.calm_from {
            return false;
        }
        let written = state.written();
        let (since, _) = *state.checks.done.get_or_insert((state.now, written));
        state.now > since + QUIET
    }

    /// Notes the first violation.
    fn violated(state: &mut State, invariant: &'static str, what: String) {
        if state.checks.violation.is_none() {
            state.tell("VIOLATION", &format!("{invariant}: {what}"));
            state.checks.violation = Some(Violation { invariant, what });
        }
    }

    /// Something has happened in Azure.
    pub(super) fn after_event(state: &mut State) {
        for (key, index) in state.checks.clusters.clone() {
            Self::tell_of_end(state, &key, index);
            let Some(step) = state.checks.watched[index].in_flight.clone() else { continue };
            let (now, done) = (state.now, is_really_done(state, &key, &step));
            let (was, until) = &mut state.checks.watched[index].really;
            if done || *was {
                *until = Some(now);
            }
            *was = done;
            if conduct::is_under_way(state, &key, &step) {
                state.checks.watched[index].under_way = Some(now);
            }
        }
    }
}

impl Checks {
    fn tell_of_end(state: &mut State, key: &ClusterKey, index: usize) {
        let watched = &state.checks.watched[index];
        let Some(operation) = watched.operation.clone().filter(|_| watched.is_running) else { return };
        if !state.world.is_running(&operation) {
            state.checks.watched[index].is_running = false;
            let name = key.0.rsplit('/').next().unwrap_or_default().to_owned();
            if state.timeline.is_story() {
                return super::script::ended(state, &name, &operation);
            }
            state.tell(
                "azure",
                &format!("{name} operation {} has ended", &operation[..8.min(operation.len())]),
            );
        }
    }
}

/// Whether control plane, or every node of the pool, really is where the step leads.
fn is_really_done(state: &State, key: &ClusterKey, step: &Step) -> bool {
    let Some(view) = state.world.cluster_view(key) else { return false };
    let Some(name) = &step.pool else {
        return view.kubernetes_version == step.to && view.provisioning_state == "Succeeded";
    };
    let Some(pool) = view.pools.iter().find(|pool| pool.name == *name) else { return false };
    pool.provisioning_state == "Succeeded"
        && !state.workloads.is_blemished(key, step, state.now, state.now)
        && pool.nodes.iter().all(|node| {
            let there = match step.kind {
                engine::StepKind::NodePoolImage => {
                    node.node_image == pool.node_image_version && node.node_image != step.from
                }
                engine::StepKind::ControlPlane | engine::StepKind::NodePoolVersion => {
                    node.kubernetes_version == step.to
                }
            };
            there && node.ready && !node.cordoned && !node.quarantined && !node.surge
        })
}
