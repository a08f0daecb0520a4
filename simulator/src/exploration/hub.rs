//! The hub: where the records of upgrades are kept, each guarded by its version.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use azure_mgmt_containerservice::{ManagedCluster, View as _};
use engine::{Estimates, Freeze, Journal, Ledger, Place, Request, WaitingOn, learned};
use jiff::Timestamp;

use super::{
    case::Case,
    checks::Checks,
    plan::Plan,
    sim::{Here, State, TaskId},
    tally::Kind,
    timing::{HubFreeze, Timing},
};

/// Older versions that a stale read may show.
const REMEMBERED: usize = 4;
/// How late a watch may show what was made.
const LAG: Duration = Duration::from_secs(30);

/// All ClusterUpgrades.
#[derive(Debug)]
pub(super) struct Hub {
    pub(super) upgrades: Vec<Upgrade>,
    /// The plan that makes them; without one they are there from the start.
    pub(super) plan: Option<Plan>,
    /// The freezes that were made.
    pub(super) freezes: Vec<HubFreeze>,
    /// Upgrades of earlier rollouts that are still there.
    pub(super) past: Vec<Upgrade>,
    plan_watchers: BTreeSet<TaskId>,
    inventory_watchers: BTreeMap<TaskId, usize>,
    watchers: BTreeMap<usize, BTreeSet<TaskId>>,
}

/// One ClusterUpgrade, as stored.
#[derive(Clone, Debug)]
pub(super) struct Upgrade {
    pub(super) name: String,
    /// The cluster.
    pub(super) cluster: String,
    /// What the plan says of it; before it has made it, or without a plan, nothing.
    pub(super) place: Option<Place>,
    pub(super) rollout: String,
    pub(super) wave: String,
    /// Counts the changes of its specification.
    pub(super) generation: u64,
    /// Since when a person has to do something.
    pub(super) stopped_since: Option<Timestamp>,
    /// Until when that last was so.
    pub(super) stopped_until: Option<Timestamp>,
    /// What its specification and annotations say.
    pub(super) request: Request,
    /// What the plan says of its cluster, before anything is resolved.
    pub(super) template: Request,
    /// Its resourceVersion.
    pub(super) version: u64,
    pub(super) record: Record,
    /// Versions before this one, newest last.
    past: Vec<(u64, Record)>,
    /// How often its status was written.
    pub(super) writes: u64,
    /// When its steps may start.
    pub(super) timing: Timing,
    /// How long steps of its cluster took.
    pub(super) estimates: Estimates,
    /// When the upgrades of its cluster that were before this one last did something: its history tells, also
    /// when they are gone.
    pub(super) upgraded_at: Option<Timestamp>,
    /// It was deleted, and the operator has let it go.
    pub(super) gone: bool,
}

/// The status of a ClusterUpgrade.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Record {
    pub(super) ledger: Ledger,
    /// How it stands: reason and words.
    pub(super) standing: Option<(String, String)>,
    /// Whether a person has to do something.
    pub(super) stopped: bool,
    /// The generation of the specification that this tells of.
    pub(super) observed: u64,
}

/// A write that did not happen, or of which it is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotSaved {
    /// Somebody else wrote first.
    Conflict,
    /// The hub did not answer.
    NoAnswer,
}

impl Hub {
    pub(super) fn new(case: &Case) -> Self {
        let upgrades = case.upgrades.iter().map(|upgrade| Upgrade {
            name: upgrade.name.clone(),
            cluster: upgrade.name.clone(),
            place: None,
            rollout: String::new(),
            wave: String::new(),
            generation: 1,
            stopped_since: None,
            stopped_until: None,
            request: upgrade.request.clone(),
            template: upgrade.request.clone(),
            version: 1,
            record: Record::default(),
            past: Vec::new(),
            writes: 0,
            timing: upgrade.timing.clone(),
            estimates: Estimates::default(),
            upgraded_at: None,
            gone: false,
        });
        Self {
            upgrades: upgrades.collect(),
            plan: Plan::of(case),
            freezes: Vec::new(),
            past: Vec::new(),
            inventory_watchers: BTreeMap::new(),
            plan_watchers: BTreeSet::new(),
            watchers: BTreeMap::new(),
        }
    }

    /// A task wants to know of changes of an upgrade's specification.
    pub(super) fn watch(&mut self, upgrade: usize, task: TaskId) {
        self.watchers.entry(upgrade).or_default().insert(task);
    }

    /// A task wants to know of changes of the plan and its upgrades.
    pub(super) fn watch_plan(&mut self, task: TaskId) {
        self.plan_watchers.insert(task);
    }

    /// A task wants to know when an upgrade has done something.
    pub(super) fn watch_inventory(&mut self, upgrade: usize, task: TaskId) {
        self.inventory_watchers.insert(task, upgrade);
    }

    /// Makes room for another upgrade of the same cluster; the one that was there is one of the past.
    pub(super) fn renew(&mut self, index: usize) {
        let old = self.upgrades[index].clone();
        let upgraded_at = super::inventory::upgraded_at(&old);
        let Upgrade { cluster, template, version, generation, writes, timing, estimates, .. } = old.clone();
        self.past.push(old);
        self.upgrades[index] = Upgrade {
            name: cluster.clone(),
            cluster,
            place: None,
            rollout: String::new(),
            wave: String::new(),
            generation: generation + 1,
            stopped_since: None,
            stopped_until: None,
            request: template.clone(),
            template,
            version: version + 1,
            record: Record::default(),
            past: Vec::new(),
            writes,
            timing,
            estimates,
            upgraded_at,
            gone: false,
        };
    }

    /// The tasks that watch an upgrade's specification.
    pub(super) fn watchers(&self, upgrade: usize) -> Vec<TaskId> {
        self.watchers.get(&upgrade).into_iter().flatten().copied().collect()
    }

    /// The tasks that watch the plan.
    pub(super) fn plan_watchers(&self) -> Vec<TaskId> {
        self.plan_watchers.iter().copied().collect()
    }

    /// A task is gone.
    pub(super) fn forget(&mut self, task: TaskId) {
        for tasks in self.watchers.values_mut() {
            tasks.remove(&task);
        }
        self.plan_watchers.remove(&task);
        self.inventory_watchers.remove(&task);
    }

    /// The freezes of an upgrade's cluster that were made before an instant.
    fn freezes_of(&self, upgrade: usize, before: Timestamp) -> Vec<Freeze> {
        let known = self.freezes.iter().filter(|known| known.selects(upgrade) && known.made_at <= before);
        known.map(|known| known.freeze.clone()).collect()
    }

    /// Changes a specification; gives the tasks to wake.
    pub(super) fn edit(&mut self, upgrade: usize, edit: impl FnOnce(&mut Request)) -> Vec<TaskId> {
        if let Some(upgrade) = self.upgrades.get_mut(upgrade) {
            edit(&mut upgrade.request);
            upgrade.edited();
        }
        self.watchers(upgrade)
    }
}

impl Upgrade {
    /// Nothing is to be done for it any more.
    pub(super) fn is_over(&self) -> bool {
        self.gone || self.record.ledger.finished_at.is_some()
    }

    /// Its specification has changed.
    pub(super) fn edited(&mut self) {
        self.generation += 1;
        self.version += 1;
    }

    /// What is wanted of its cluster, the plan's say included.
    fn wanted(&self) -> Request {
        let mut request = self.request.clone();
        if let Some(place) = self.place {
            request.suspend |= place.suspended;
            request.waits_for_wave = (!place.admitted).then(|| self.wave.clone());
        }
        request
    }

    fn put(&mut self, record: Record) {
        let before = (self.version, std::mem::replace(&mut self.record, record));
        self.past.push(before);
        if self.past.len() > REMEMBERED {
            self.past.remove(0);
        }
        self.version += 1;
        self.writes += 1;
    }
}

/// What a reconciliation has read of an upgrade.
pub(super) struct Read {
    pub(super) request: Request,
    pub(super) ledger: Ledger,
    pub(super) journal: StatusJournal,
}

/// Reads an upgrade; `None` when the hub does not answer.
pub(super) async fn read(here: &Here, index: usize) -> Option<Read> {
    here.latency(2, 40).await;
    let (request, generation, version, record) = {
        let mut state = here.state();
        if state.lease.health(here.replica) == super::lease::Health::CutOff || state.mishap(0.01) {
            return None;
        }
        let (stale, late, now) = (state.mishap(0.05), state.mishap(0.1), state.now);
        let back = state.dice.usize(0..REMEMBERED);
        let planned = state.hub.plan.is_some();
        let upgrade = state.hub.upgrades.get(index).filter(|upgrade| !planned || upgrade.place.is_some())?;
        // A specification is read with its status: an older one is shown as a whole only when nobody has
        // edited it since, which is what a reader cannot tell anyway.
        let past = upgrade.past.iter().rev().nth(back).filter(|_| stale);
        let (version, record) = past.cloned().unwrap_or_else(|| (upgrade.version, upgrade.record.clone()));
        let mut request = upgrade.wanted();
        // A watch may lag.
        let seen = if late { now - LAG } else { now };
        let freezes = state.hub.freezes_of(index, seen);
        request.schedule = upgrade.timing.schedule(freezes, upgrade.estimates.clone());
        (request, upgrade.generation, version, record)
    };
    here.latency(2, 40).await;
    // As from the API server: what is stored is all that is known.
    let ledger = serde_json::to_value(&record.ledger).and_then(serde_json::from_value).ok()?;
    let journal = StatusJournal { here: here.clone(), index, generation, version, stored: record };
    Some(Read { request, ledger, journal })
}

/// Lets go of an upgrade that was deleted and has nothing left to put back.
pub(super) async fn let_go(here: &Here, index: usize) {
    here.latency(2, 40).await;
    let mut state = here.state();
    let cut_off = state.lease.health(here.replica) == super::lease::Health::CutOff;
    if let Some(upgrade) = state.hub.upgrades.get_mut(index).filter(|_| !cut_off) {
        upgrade.gone = true;
        let name = upgrade.name.clone();
        state.tell(&name, "is gone");
    }
}

/// Keeps the ledger of one upgrade.
pub(super) struct StatusJournal {
    here: Here,
    index: usize,
    generation: u64,
    version: u64,
    stored: Record,
}

impl Journal for StatusJournal {
    type Error = NotSaved;

    async fn save(&mut self, ledger: &Ledger, waiting: Option<&WaitingOn>) -> Result<(), NotSaved> {
        let standing = waiting.map(|waiting| (waiting.reason().to_owned(), waiting.to_string()));
        let stopped = waiting.is_some_and(|waiting| waiting.stance() == engine::Stance::Stopped);
        let record = Record { ledger: ledger.clone(), standing, stopped, observed: self.generation };
        if record == self.stored {
            return Ok(());
        }
        self.here.latency(2, 40).await;
        let answered = {
            let mut state = self.here.state();
            let now = state.now;
            let cut_off = state.lease.health(self.here.replica) == super::lease::Health::CutOff;
            if cut_off || state.mishap(0.005) {
                return Err(NotSaved::NoAnswer);
            }
            let Some(upgrade) = state.hub.upgrades.get(self.index) else {
                return Err(NotSaved::Conflict);
            };
            if upgrade.version != self.version {
                return Err(NotSaved::Conflict);
            }
            if let Some(waiting) = waiting {
                state.tally.add(Kind::Reason, waiting.reason());
            }
            let Some(upgrade) = state.hub.upgrades.get_mut(self.index) else {
                return Err(NotSaved::Conflict);
            };
            let before = upgrade.record.clone();
            upgrade.put(record.clone());
            if upgrade.stopped_since.is_some() {
                upgrade.stopped_until = Some(now);
            }
            upgrade.stopped_since = record.stopped.then(|| upgrade.stopped_since.unwrap_or(now));
            self.version = upgrade.version;
            state.hub.plan_watchers().into_iter().for_each(|task| state.wake(task));
            // As the operator's controller of AKSClusters: it is told of upgrades that did something.
            let did_something = engine::UpgradeRecord::of("u", "", None, &record.ledger).is_some();
            if record.ledger.finished_at.is_some() && did_something {
                let of: Vec<TaskId> = state
                    .hub
                    .inventory_watchers
                    .iter()
                    .filter(|(_, index)| **index == self.index)
                    .map(|(task, _)| *task)
                    .collect();
                of.into_iter().for_each(|task| state.wake(task));
            }
            let who = (self.here.replica, self.index);
            learn(&mut state, self.index, (&before.ledger, &record.ledger));
            Checks::after_save(&mut state, who, &before, &record);
            super::happening::after_write(&mut state, self.here.replica, Checks::is_claim(&before, &record));
            !state.mishap(0.005)
        };
        self.stored = record;
        self.here.latency(2, 40).await;
        if answered { Ok(()) } else { Err(NotSaved::NoAnswer) }
    }

    async fn freezes(&mut self) -> Result<Vec<Freeze>, NotSaved> {
        self.here.latency(2, 40).await;
        let freezes = {
            let mut state = self.here.state();
            let cut_off = state.lease.health(self.here.replica) == super::lease::Health::CutOff;
            if cut_off || state.mishap(0.005) {
                return Err(NotSaved::NoAnswer);
            }
            state.hub.freezes_of(self.index, state.now)
        };
        self.here.latency(2, 40).await;
        Ok(freezes)
    }
}

/// Keeps with a cluster how long its steps take.
fn learn(state: &mut State, index: usize, (before, after): (&Ledger, &Ledger)) {
    let Some((step, took)) = learned(before, after) else { return };
    let Some(document) = state.checks.key_of(index).and_then(|key| state.world.document(&key)) else {
        return;
    };
    let Ok(cluster) = azure_fleet::cluster(&ManagedCluster::read(&document)) else { return };
    let upgrade = &mut state.hub.upgrades[index];
    upgrade.estimates.learn(step, took, &cluster, &upgrade.request.policy);
}

/// How long a reconciliation waits after the hub has failed it, for the `failures`-th time in a row.
pub(super) fn backoff(failures: u32) -> Duration {
    Duration::from_secs(1 << failures.min(6))
}
