//! Virtual time: what is due next, and who waits for it. Single-threaded; the same draws give the same run.
//!
//! Everything that an operator does outside of its own memory passes through [`Here::pause`]. Between
//! two pauses nothing else happens; at a pause anything may: other replicas, Azure, people, the end
//! of the process.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};

use super::{
    Mode,
    case::Case,
    checks::Checks,
    happening::{Deed, Happening},
    hub::Hub,
    inventory::Known,
    lease::Lease,
    people::People,
    script::Trigger,
    tally::{Kind, Tally},
    timeline::Timeline,
    workloads::Workloads,
};
use crate::{effects::ClusterKey, world::World};

/// One thing that a replica is at.
pub(super) type TaskId = u64;

/// Something that is due.
#[derive(Clone, Debug)]
pub(super) enum Event {
    /// A task goes on.
    Wake(TaskId),
    /// Something happens that nobody here decides.
    Happens(Happening),
    /// A person looks at what has stopped.
    PersonLooks,
}

/// Everything that there is.
pub(super) struct State {
    pub(super) now: Timestamp,
    pub(super) dice: fastrand::Rng,
    pub(super) world: World,
    pub(super) hub: Hub,
    pub(super) lease: Lease,
    pub(super) workloads: Workloads,
    /// What is known of the clusters of a continuous plan.
    pub(super) inventory: Vec<Known>,
    /// A long run, in which nobody but the operator changes clusters, and of which not everything is checked.
    pub(super) is_long: bool,
    pub(super) people: People,
    pub(super) checks: Checks,
    pub(super) timeline: Timeline,
    /// What somebody does to a cluster right after it was read.
    pub(super) ambushes: Vec<(ClusterKey, Deed)>,
    /// What somebody does to a cluster while a change of it is on its way.
    pub(super) overtakes: Vec<(ClusterKey, Deed)>,
    /// What happens right after Azure has taken a change of a replica's.
    pub(super) after_change: Vec<(usize, Happening)>,
    /// How likely our own limiter holds a call to Azure back.
    pub(super) held_back: f64,
    /// What was met so far.
    pub(super) tally: Tally,
    /// What happens right after a replica has written a record.
    pub(super) after_write: Vec<(usize, Happening)>,
    /// What happens so long after a replica has claimed a change.
    pub(super) after_claim: Vec<(usize, Duration, Happening)>,
    /// How far each replica's clock is off.
    pub(super) clock_errors: Vec<SignedDuration>,
    /// Whether one of them has ever jumped.
    pub(super) clocks_jumped: bool,
    /// Nothing goes wrong by itself any more from this instant on.
    pub(super) calm_from: Timestamp,
    /// Nothing is left to chance: a script.
    quiet: bool,
    /// What of a script happens when Azure does something.
    pub(super) triggers: Vec<Trigger>,
    /// What Azure was asked for in a script.
    pub(super) asked: Vec<String>,
    queue: BTreeMap<(Timestamp, u64), Event>,
    next: u64,
    running: TaskId,
    woken: BTreeSet<TaskId>,
}

impl State {
    /// The state at the start of a case.
    pub(super) fn new(case: &Case, mode: Mode) -> Self {
        let mut state = Self {
            now: case.start,
            dice: fastrand::Rng::with_seed(case.seed ^ 0x7469_6465),
            world: World::new(&case.scenario),
            hub: Hub::new(case),
            lease: Lease::new(case.replicas),
            workloads: Workloads::new(case),
            inventory: case.inventory.clone(),
            is_long: case.is_long,
            people: People::new(case),
            checks: Checks::new(case),
            timeline: Timeline::new(case.start, mode),
            clocks_jumped: false,
            clock_errors: vec![SignedDuration::ZERO; case.replicas],
            ambushes: Vec::new(),
            overtakes: Vec::new(),
            after_change: Vec::new(),
            held_back: case.held_back,
            tally: Tally::default(),
            after_write: Vec::new(),
            after_claim: Vec::new(),
            calm_from: case.calm_from,
            quiet: case.quiet,
            triggers: case.triggers.clone(),
            asked: Vec::new(),
            queue: BTreeMap::new(),
            next: 0,
            running: 0,
            woken: BTreeSet::new(),
        };
        case.drawn.iter().for_each(|name| state.tally.add(Kind::Draw, name));
        for (at, happening) in &case.happenings {
            state.schedule(*at, Event::Happens(happening.clone()));
        }
        if !case.quiet {
            state.schedule(case.calm_from, Event::PersonLooks);
        }
        state
    }

    /// Whether nothing is left to chance, and nobody mends anything of their own accord.
    pub(super) const fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// How far a replica's clock is off.
    pub(super) fn clock_error(&self, replica: usize) -> SignedDuration {
        self.clock_errors.get(replica).copied().unwrap_or_default()
    }

    /// How much the operator has written: records, and changes asked of Azure.
    pub(super) fn written(&self) -> u64 {
        self.checks.mutations + self.hub.upgrades.iter().map(|upgrade| upgrade.writes).sum::<u64>()
    }

    /// Puts something on the list of what is due.
    pub(super) fn schedule(&mut self, at: Timestamp, event: Event) {
        self.next += 1;
        self.queue.insert((at.max(self.now), self.next), event);
    }

    /// Puts something on the list, so long from now.
    pub(super) fn schedule_in(&mut self, pause: Duration, event: Event) {
        self.schedule(self.now + pause, event);
    }

    /// What is due next, time moved to it; none after `end`.
    pub(super) fn next_event(&mut self, end: Timestamp) -> Option<Event> {
        loop {
            let queued = self.queue.first_key_value().map(|((at, _), _)| *at);
            let by_itself = self.world.next_deadline();
            let at = [queued, by_itself].into_iter().flatten().min().filter(|at| *at <= end)?;
            self.now = self.now.max(at);
            if by_itself.is_some_and(|due| due <= at) {
                self.world.advance(self.now);
                Checks::after_each_event(self);
            }
            if queued == Some(at) {
                return self.queue.pop_first().map(|(_, event)| event);
            }
        }
    }

    /// Whether what was to go wrong at some occasion still may. A script says itself what does.
    pub(super) fn goes_wrong(&self) -> bool {
        self.quiet || self.now < self.calm_from
    }

    /// Whether something goes wrong that is this likely, while things go wrong at all.
    pub(super) fn mishap(&mut self, probability: f64) -> bool {
        self.now < self.calm_from && self.dice.f64() < probability
    }

    /// A length between two, the shorter ones more likely.
    pub(super) fn between(&mut self, least: Duration, most: Duration) -> Duration {
        if self.quiet {
            return least;
        }
        let share = self.dice.f64();
        least + (most - least).mul_f64(share * share)
    }

    /// A new number for a task.
    pub(super) fn new_task(&mut self) -> TaskId {
        self.next += 1;
        self.next
    }

    /// Says which task goes on now.
    pub(super) fn set_running(&mut self, task: TaskId) {
        self.running = task;
    }

    /// Lets a task that has nothing to do look again at once.
    pub(super) fn wake(&mut self, task: TaskId) {
        self.woken.insert(task);
        self.schedule(self.now, Event::Wake(task));
    }

    /// Adds a line to the timeline.
    pub(super) fn tell(&mut self, who: &str, what: &str) {
        self.timeline.add(self.now, who, what);
    }
}

/// The simulation, as everybody in it sees it.
pub(super) struct Sim(Mutex<State>);

impl Sim {
    /// A simulation in this state.
    pub(super) fn new(state: State) -> Arc<Self> {
        Arc::new(Self(Mutex::new(state)))
    }

    /// The state. Never held across a pause.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state, when nobody holds on to it any more.
    pub(super) fn into_state(self: Arc<Self>) -> Option<State> {
        Arc::into_inner(self)?.0.into_inner().ok()
    }
}

/// A place in the simulation: one replica of the operator.
#[derive(Clone)]
pub(super) struct Here {
    pub(super) sim: Arc<Sim>,
    pub(super) replica: usize,
}

impl Here {
    /// The state. Never held across a pause.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.sim.state()
    }

    /// Lets so much time pass.
    pub(super) async fn pause(&self, length: Duration) {
        Pause { here: self, length: Some(length), due: None, wakes: false }.await;
    }

    /// Lets time pass as a call over the network does: mostly little of it.
    pub(super) async fn latency(&self, least_millis: u64, most_millis: u64) {
        let length = {
            let mut state = self.state();
            let slow = state.mishap(0.02);
            let most = if slow { 20 * most_millis } else { most_millis };
            state.between(Duration::from_millis(least_millis), Duration::from_millis(most))
        };
        self.pause(length).await;
    }

    /// Lets time pass until there is something new, at most so much.
    pub(super) async fn idle(&self, longest: Duration) {
        Pause { here: self, length: Some(longest), due: None, wakes: true }.await;
    }
}

/// A wait until an instant.
struct Pause<'a> {
    here: &'a Here,
    length: Option<Duration>,
    due: Option<Timestamp>,
    /// Whether news end it.
    wakes: bool,
}

impl Future for Pause<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        let here = self.here;
        let mut state = here.state();
        let task = state.running;
        // There may have been news before it rested.
        let news = self.wakes && state.woken.remove(&task);
        if news {
            return Poll::Ready(());
        }
        if let Some(length) = self.length.take() {
            let due = state.now + length;
            state.schedule(due, Event::Wake(task));
            self.due = Some(due);
            return Poll::Pending;
        }
        if self.due.is_some_and(|due| state.now >= due) { Poll::Ready(()) } else { Poll::Pending }
    }
}
