//! What must always hold, checked from outside: against what is really so, not against what the operator says.
//!
//! The numbers are those of the invariants of the architecture. The first violation ends the run.

mod deeds;
mod ending;
mod records;

use std::collections::BTreeMap;

use engine::Step;
use jiff::Timestamp;
use serde_json::Value;

use super::{case::Case, sim::State};
use crate::effects::ClusterKey;

pub(super) use deeds::describe;

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
}

/// What was seen of one upgrade.
#[derive(Debug, Default)]
struct Watched {
    /// The operation that was accepted last.
    operation: Option<String>,
    /// Submissions of each step.
    sent: BTreeMap<String, usize>,
    /// How many claims there were of each step.
    claimed: BTreeMap<String, usize>,
    /// The step in flight, and when it was last really so.
    in_flight: Option<Step>,
    really_done: Option<Timestamp>,
    /// When somebody else changed the cluster last.
    meddled: Option<Timestamp>,
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
        }
    }

    /// Remembers what is to be so again in the end.
    pub(super) fn begin(state: &mut State) {
        for (key, index) in state.checks.clusters.clone() {
            let document = state.world.document(&key).unwrap_or_default();
            state.checks.watched[index].settings = ending::settings_of(&document);
        }
    }

    /// Somebody else has changed a cluster.
    pub(super) fn meddled(&mut self, cluster: &ClusterKey, now: Timestamp) {
        if let Some(index) = self.clusters.get(cluster) {
            self.watched[*index].meddled = Some(now);
        }
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
            let Some(step) = state.checks.watched[index].in_flight.clone() else { continue };
            if is_really_done(state, &key, &step) {
                state.checks.watched[index].really_done = Some(state.now);
            }
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
