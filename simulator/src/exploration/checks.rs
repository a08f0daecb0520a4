//! What must always hold, checked from outside: against what is really so, not against what the operator says.
//!
//! Each rule is looked at when something happens that may break it: the operator asks for a change, writes
//! a record or comes to rest, somebody else changes a cluster, time passes. [`rules`] are their names, and
//! docs/simulation.md the list. The first violation ends the run.

mod asked;
mod conduct;
mod continuous;
mod control;
mod deeds;
mod effort;
mod ending;
mod fields;
mod gates;
mod gone;
mod known;
mod nodes;
mod patience;
mod plans;
mod records;
pub(super) mod rules;
mod settings;
mod skew;
mod timing;
mod words;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use engine::Step;
use jiff::Timestamp;
use serde_json::Value;

use super::{
    case::{Arrival, Case},
    lease::Health,
    sim::State,
};
use crate::effects::ClusterKey;

pub(super) use asked::describe;
pub(super) use control::is_abort;
pub(super) use deeds::Before;
pub(super) use patience::{GONE, needs_a_person};

use deeds::Credit;
use effort::Effort;
use known::Known;
use nodes::Stretch;

/// For how long nothing may be written when all is done.
const QUIET: Duration = Duration::from_secs(24 * 3600);
/// How long it may take until what was done to finished upgrades right before the calm is written down, and what
/// somebody asks for in vain later on: also of those that wait behind a cluster that is gone.
const SETTLES: Duration = Duration::from_secs(600);

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
    /// The cluster of each upgrade.
    keys: Arc<[ClusterKey]>,
    watched: Vec<Watched>,
    /// What is to be so in the end.
    arrivals: Vec<Arrival>,
    /// The version that a long run is to come to at this time.
    pub(super) long_target: Option<String>,
    /// What each process has read of each cluster.
    known: BTreeMap<(usize, ClusterKey), Known>,
    /// What each process's clock said when it last sent a change of a cluster.
    sent_by_clock: BTreeMap<(usize, ClusterKey), Timestamp>,
    /// Reads of clusters that were not answered well.
    failed_reads: u32,
    /// When a process was last stopped for a while, and until when: what it knew is so much older.
    stopped: Option<(Timestamp, Timestamp)>,
    /// Changes that were asked of Azure by the operator.
    pub(super) mutations: u64,
    /// Clusters that somebody else has done something to.
    pub(super) touched: BTreeSet<ClusterKey>,
    /// What somebody else has moved: pools, and control planes under no name.
    pub(super) moved: BTreeSet<(ClusterKey, Option<String>)>,
    /// Pools that somebody has taken back to an older version, or switched off: it may have been after the end.
    pub(super) excused: BTreeSet<(ClusterKey, String)>,
    /// Clusters that somebody has begun to delete.
    pub(super) deleted: BTreeSet<ClusterKey>,
    /// How often a pool, and how often a control plane, was upgraded by the operator.
    pub(super) rolled: u64,
    pub(super) hops: u64,
    /// When all was done, and how much had been written by then.
    done: Option<(Timestamp, u64)>,
    /// When somebody asked an upgrade for something last.
    asked_at: Timestamp,
}

/// What was seen of one upgrade.
#[derive(Debug, Default)]
struct Watched {
    /// The operation that was accepted last.
    operation: Option<String>,
    /// Whether that was still under way when last looked at.
    is_running: bool,
    /// The claim of each replica that nothing was sent for yet.
    credits: BTreeMap<usize, Credit>,
    /// Steps that Azure has accepted at least once.
    accepted: BTreeSet<String>,
    /// Whether a person has asked for another try since the last step was done.
    asked_to_repair: bool,
    in_flight: Option<Step>,
    /// When the step in flight was really done.
    really: Stretch,
    /// When the step in flight was under way in Azure, or done.
    under_way: Stretch,
    /// The step whose nodes were last recorded as done, and since when they had been so at most.
    verified: Option<(String, Timestamp)>,
    /// Since when it is suspended.
    suspended: Option<Timestamp>,
    /// When somebody else has moved a version that this upgrade accounts for, since the last `retry`: which, and
    /// to what.
    moved: Option<(Timestamp, (Option<String>, String))>,
    /// How often each step has failed since the last `retry`.
    failures: BTreeMap<String, u32>,
    /// When the baseline was really recorded, whatever the operator's clock said.
    baseline_at: Option<Timestamp>,
    /// When the last step was recorded as done.
    last_success: Option<Timestamp>,
    /// The settings of its upgrades as they are to be when no step has changed them.
    settings: BTreeMap<String, Value>,
    /// The settings that Azure shows.
    shown: BTreeMap<String, Value>,
    /// What has other settings than it is to have.
    overridden: Vec<String>,
    /// Since when something has, and nothing needs it.
    idle_overridden: Option<Timestamp>,
    /// Whether it had good reason to wait for its time, and when that was looked at.
    waits_rightly: Option<(Timestamp, bool)>,
    /// Why it waits, and since when.
    stands: Option<(String, Timestamp)>,
    /// Since when Azure does nothing in its cluster.
    idle_since: Option<Timestamp>,
    /// What it said last for each reason.
    said: BTreeMap<String, String>,
    /// When its cluster was last seen to need something.
    needed_at: Option<Timestamp>,
    /// Since when it has needed something without a break, and a rollout should have started.
    due_since: Option<Timestamp>,
    /// When the last of its upgrades has found nothing to do, in a continuous plan.
    found_nothing_at: Option<Timestamp>,
    effort: Effort,
    /// Nothing may go on until `retry`.
    halted: bool,
    /// Since when something that was asked for is not answered.
    unanswered: Option<Timestamp>,
    /// What each pool had before this upgrade has upgraded it last.
    left: BTreeMap<String, (String, String)>,
}

impl Checks {
    pub(super) fn new(case: &Case) -> Self {
        Self {
            violation: None,
            keys: case.upgrades.iter().map(|upgrade| upgrade.key.clone()).collect(),
            watched: case.upgrades.iter().map(|_| Watched::default()).collect(),
            arrivals: case.upgrades.iter().map(|upgrade| upgrade.arrival.clone()).collect(),
            long_target: None,
            known: BTreeMap::new(),
            sent_by_clock: BTreeMap::new(),
            failed_reads: 0,
            stopped: None,
            mutations: 0,
            touched: BTreeSet::new(),
            moved: BTreeSet::new(),
            excused: BTreeSet::new(),
            deleted: BTreeSet::new(),
            rolled: 0,
            hops: 0,
            done: None,
            asked_at: Timestamp::MIN,
        }
    }

    /// Whether every upgrade has come to its end.
    pub(super) fn all_done(state: &State) -> bool {
        (0..state.hub.upgrades.len())
            .all(|index| state.hub.upgrades[index].is_over() || Self::has_lost(state, index))
    }

    /// The cluster of an upgrade.
    pub(super) fn key_of(&self, index: usize) -> Option<ClusterKey> {
        self.keys.get(index).cloned()
    }

    /// The upgrade of a cluster.
    fn index_of(&self, cluster: &ClusterKey) -> Option<usize> {
        self.keys.iter().position(|key| key == cluster)
    }

    /// Remembers what is to be so again in the end.
    pub(super) fn begin(state: &mut State) {
        let keys = state.checks.keys.clone();
        for (index, key) in keys.iter().enumerate() {
            let document = state.world.document(key).unwrap_or_default();
            let settings = ending::settings_of(&document);
            let watched = &mut state.checks.watched[index];
            (watched.shown, watched.settings) = (settings.clone(), settings);
        }
    }

    /// Another upgrade of the same cluster is there now.
    pub(super) fn begins_anew(state: &mut State, index: usize) {
        let old = std::mem::take(&mut state.checks.watched[index]);
        let Watched {
            operation, is_running, settings, shown, needed_at, due_since, found_nothing_at, ..
        } = old;
        state.checks.watched[index] = Watched {
            operation,
            is_running,
            settings,
            shown,
            needed_at,
            due_since,
            found_nothing_at,
            ..Watched::default()
        };
    }

    /// From when on nothing is left to be seen: all has been done for a day.
    pub(super) fn is_over(state: &mut State) -> bool {
        let owes = (0..state.checks.keys.len()).any(|index| Self::owes_an_answer(state, index));
        let is_early = owes || state.now < state.calm_from.max(state.checks.asked_at) + SETTLES;
        if !Self::all_done(state) || is_early || Self::is_continuous(state) {
            state.checks.done = None;
            return false;
        }
        let written = state.written();
        let (since, _) = *state.checks.done.get_or_insert((state.now, written));
        state.now > since + QUIET
    }

    /// Whoever asks for something is answered, also after everything was done.
    pub(in crate::exploration) const fn somebody_asks(&mut self, now: Timestamp) {
        self.asked_at = now;
    }

    /// Notes the first violation.
    fn violated(state: &mut State, invariant: &'static str, what: String) {
        if state.checks.violation.is_none() {
            state.tell("VIOLATION", &format!("{invariant}: {what}"));
            state.checks.violation = Some(Violation { invariant, what });
        }
    }

    /// Somebody else has changed something in Azure.
    pub(super) fn after_event(state: &mut State) {
        for index in 0..state.checks.keys.len() {
            Self::settings_may_have_changed(state, index, false);
        }
        Self::after_each_event(state);
    }

    /// Something has happened, or time has passed: what is looked at every time.
    pub(super) fn after_each_event(state: &mut State) {
        Self::note_stops(state);
        let keys = state.checks.keys.clone();
        for (index, key) in keys.iter().enumerate() {
            Self::tell_of_end(state, key, index);
            Self::look_at_nodes(state, index, key);
            Self::settings_come_back(state, index, key);
            Self::keeps_its_promise(state, index, key);
            Self::answers(state, index);
        }
    }

    /// Processes that are stopped go on later with what they knew.
    fn note_stops(state: &mut State) {
        let is_stopped = |replica| state.lease.health(replica) == Health::Paused;
        if !(0..state.clock_errors.len()).any(is_stopped) {
            return;
        }
        // As long as there is always one that is stopped, that is one stop.
        let (now, last) = (state.now, state.checks.stopped);
        let from =
            last.filter(|(_, until)| now <= *until + Duration::from_secs(60)).map_or(now, |(from, _)| from);
        state.checks.stopped = Some((from, now));
    }

    /// Whether no process of the operator is there at all.
    fn nobody_runs(state: &State) -> bool {
        (0..state.clock_errors.len()).all(|replica| state.lease.health(replica) == Health::Gone)
    }

    /// How far back what is recorded or sent now may have been seen, when that takes so long at most.
    fn earliest(&self, now: Timestamp, takes: Duration) -> Timestamp {
        let began = now - takes;
        match self.stopped {
            Some((from, until)) if until + Duration::from_secs(60) >= began => from - takes,
            Some(_) | None => began,
        }
    }

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
