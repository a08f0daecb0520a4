//! Random fleets under random misfortune, in virtual time: does what must hold always hold?
//!
//! The engine, its executor and the client for Azure run as they do in the operator; the world is the
//! model of AKS; hub, lease, API servers and people are played here. One thread, one clock, and draws
//! from one seed: the same seed gives the same run, to the letter.

mod azure;
mod case;
mod checks;
mod fleet;
mod happening;
mod hours;
mod hub;
mod inventory;
mod lease;
mod people;
mod plan;
mod replica;
mod script;
mod sim;
mod tally;
mod timeline;
mod timing;
mod workloads;
mod year;

use std::{
    collections::BTreeMap,
    sync::Arc,
    task::{Context, Waker},
    time::Duration,
};

use azure_mgmt_containerservice::ClusterId;

pub use checks::Violation;
pub use script::{Script, ScriptError, with_timeline};
pub use tally::{Kind, Tally};
pub use year::{Year, year};

use case::Case;
use checks::Checks;
use people::People;
use replica::Task;
use sim::{Event, Here, Sim, State, TaskId};

use crate::effects::ClusterKey;

/// What came of a seed.
#[derive(Clone, Debug)]
pub struct Run {
    /// The seed.
    pub seed: u64,
    /// What must not have happened.
    pub violation: Option<Violation>,
    /// The lines, if they were to be kept.
    pub timeline: Vec<String>,
    /// Tells two runs apart.
    pub hash: String,
    /// How much time has passed in it.
    pub simulated: Duration,
    /// How many events there were.
    pub events: u64,
    /// Changes that were asked of Azure.
    pub mutations: u64,
    /// What it has met.
    pub met: Tally,
    /// The changes that Azure was asked for in a script, in words.
    asked: Vec<String>,
    /// Events of a script that never happened.
    never: Vec<usize>,
}

/// What is told of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// Nothing; only the hash is wanted.
    Silent,
    /// Every line, to the millisecond.
    Exact,
    /// What matters to a reader.
    Story,
}

/// Runs a seed to its end or its first violation: first a fleet whose upgrades are only played, then a few
/// clusters with all that Azure does.
///
/// # Panics
/// When no timer can be made: the machine is out of everything.
#[must_use]
pub fn run(seed: u64, keep_timeline: bool) -> Run {
    let fleet::Outcome { violation, mut timeline, met } = fleet::run(seed, keep_timeline);
    if violation.is_some() {
        let hash = String::new();
        let (simulated, asked, never) = (Duration::ZERO, Vec::new(), Vec::new());
        return Run {
            seed,
            violation,
            timeline,
            hash,
            simulated,
            events: 0,
            mutations: 0,
            met,
            asked,
            never,
        };
    }
    let mut run = run_case(&Case::draw(seed), if keep_timeline { Mode::Exact } else { Mode::Silent });
    run.met.add_seed(&met);
    timeline.append(&mut run.timeline);
    Run { timeline, ..run }
}

fn run_case(case: &Case, mode: Mode) -> Run {
    // Nothing ever waits on it: the client for Azure wants to be able to set timeouts.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("timers");
    let _guard = runtime.enter();
    let mut stage = Stage::new(case, mode);
    let events = stage.play(case);
    let Stage { sim, tasks, .. } = stage;
    drop(tasks);
    let state = sim.into_state().expect("nobody is left who holds on to it");
    let State { now, checks, timeline, triggers, asked, tally: met, .. } = state;
    let never = triggers.iter().map(|trigger| trigger.event).collect();
    let (timeline, hash) = timeline.finish();
    let simulated = Duration::try_from(now.duration_since(case.start)).unwrap_or_default();
    let Checks { violation, mutations, .. } = checks;
    Run { seed: case.seed, violation, timeline, hash, simulated, events, mutations, met, asked, never }
}

/// The processes, and what they are at.
struct Stage {
    sim: Arc<Sim>,
    clusters: Vec<(ClusterKey, ClusterId)>,
    waves: Option<plan::Waves>,
    tasks: BTreeMap<TaskId, (usize, Task)>,
}

impl Stage {
    fn new(case: &Case, mode: Mode) -> Self {
        let clusters =
            case.upgrades.iter().map(|upgrade| (upgrade.key.clone(), upgrade.id.clone())).collect();
        let (sim, waves) = (Sim::new(State::new(case, mode)), case.waves.clone());
        Self { sim, clusters, waves, tasks: BTreeMap::new() }
    }

    /// Lets everything happen; gives the number of events.
    fn play(&mut self, case: &Case) -> u64 {
        let mut events = 0;
        Checks::begin(&mut self.sim.state());
        loop {
            let event = {
                let mut state = self.sim.state();
                if state.checks.violation.is_some() {
                    return events;
                }
                state.next_event(case.end)
            };
            let Some(event) = event else { break };
            events += 1;
            match event {
                Event::Wake(task) => self.go_on(task),
                Event::Happens(happening) => {
                    let effects = happening.happen(&mut self.sim.state());
                    if let Some(replica) = effects.ends {
                        self.end(replica);
                    }
                    for replica in [effects.leads, effects.deluded].into_iter().flatten() {
                        self.lead(replica);
                    }
                }
                Event::PersonLooks => People::look(&mut self.sim.state()),
            }
            self.exit_without_lease();
            Checks::after_each_event(&mut self.sim.state());
            if Checks::is_over(&mut self.sim.state()) {
                break;
            }
        }
        let mut state = self.sim.state();
        if case.quiet {
            script::stands(&mut state);
        }
        // A story may end before its upgrades do.
        if !case.quiet || Checks::all_done(&state) {
            Checks::at_the_end(&mut state, case);
        }
        drop(state);
        events
    }

    fn go_on(&mut self, task: TaskId) {
        let Some((replica, future)) = self.tasks.get_mut(&task) else { return };
        {
            let mut state = self.sim.state();
            if state.lease.health(*replica) == lease::Health::Paused {
                // It goes on where it was when its process does.
                state.schedule_in(Duration::from_secs(1), Event::Wake(task));
                return;
            }
            state.set_running(task);
        }
        let ended = future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready();
        if ended {
            self.tasks.remove(&task);
        }
    }

    /// A replica's process ends.
    fn end(&mut self, replica: usize) {
        self.sim.state().lease.set_notices_at(replica, None);
        let gone: Vec<_> =
            self.tasks.iter().filter(|(_, (of, _))| *of == replica).map(|(id, _)| *id).collect();
        for task in gone {
            self.tasks.remove(&task);
            self.sim.state().hub.forget(task);
        }
    }

    /// A replica begins to lead.
    fn lead(&mut self, replica: usize) {
        if self.tasks.values().any(|(of, _)| *of == replica) {
            return;
        }
        self.sim.state().tell(&happening::name(replica), "leads");
        let here = Here { sim: self.sim.clone(), replica };
        for (id, task) in replica::tasks(&here, &self.clusters, self.waves.as_ref()) {
            self.tasks.insert(id, (replica, task));
            self.go_on(id);
        }
    }

    /// A replica that knows that it leads no more exits.
    fn exit_without_lease(&mut self) {
        let leaders: Vec<usize> = self.tasks.values().map(|(replica, _)| *replica).collect();
        for replica in leaders {
            let lost = {
                let mut state = self.sim.state();
                let paused = state.lease.health(replica) == lease::Health::Paused;
                let lost = !paused && !state.lease.believes(state.now, replica);
                lost && notices(&mut state, replica)
            };
            if lost && self.tasks.values().any(|(of, _)| *of == replica) {
                self.sim.state().tell(&happening::name(replica), "has lost the lease and exits");
                self.end(replica);
            }
        }
    }
}

/// Whether a replica that has lost the lease knows by now: until it looks the next time it goes on, and
/// only asking before each deed keeps it from harm.
fn notices(state: &mut State, replica: usize) -> bool {
    let Some(at) = state.lease.notices_at(replica) else {
        let pause = state.between(Duration::ZERO, lease::ROUND);
        let at = state.now + pause;
        state.lease.set_notices_at(replica, Some(at));
        state.schedule(at, Event::Happens(happening::Happening::LeaseFree));
        return false;
    };
    state.now >= at
}
