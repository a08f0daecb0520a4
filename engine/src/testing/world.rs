//! A small world behind the ports: one cluster whose operations take time, a journal that
//! remembers every write, and a clock that moves when it is told to. A call of a port can be
//! the last thing that its caller does.

mod azure;
mod ports;
mod settings;

use std::{
    collections::{BTreeMap, VecDeque},
    future::pending,
    pin::pin,
    sync::{Mutex, MutexGuard},
    task::{Context, Poll, Waker},
    time::Duration,
};

use jiff::Timestamp;

use ports::Store;

use super::{NEW_LINUX, NEW_WINDOWS, cluster};
use crate::{
    Action, Cluster, Failure, KubernetesVersion, Ledger, Node, OffersNeeded, Progress, Reading, RecentlyUsed,
    Request, Settings, Step, Unreadable, WaitingOn, Workload, advance,
};

/// How long an operation takes unless a test says otherwise.
pub(crate) const OPERATION: Duration = Duration::from_secs(600);

/// What Azure does with a step.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// Does it.
    Accept,
    /// Does it, but the answer gets lost.
    LostAfterEffect,
    /// The request gets lost.
    LostBefore,
    /// Refuses it.
    Refuse(Failure, Option<Duration>),
    /// It is not sent: our share of a limit is used up for so long.
    HoldBack(Duration),
    /// Accepts it; it fails later.
    FailLater(Failure),
    /// Accepts it; somebody else's operation takes its place and ends well.
    Preempt,
    /// Accepts it; somebody aborts it, of which the operation says nothing.
    Abort,
    /// Accepts it; it ends canceled, and the operation says why.
    Cancel(Failure),
    /// Accepts it and calls it done; the nodes stay as they are.
    Pretend,
}

/// Where a caller dies: at which call, and whether that call still had its effect.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Crash {
    pub(crate) at: usize,
    pub(crate) after_effect: bool,
}

/// How long a change of settings takes.
pub(crate) const SETTINGS: Duration = Duration::from_secs(45);

/// What an operation does.
enum Work {
    Step(Step),
    /// Settings of a pool, or of the cluster.
    Settings(Option<String>),
}

struct Running {
    work: Work,
    ends: Timestamp,
    answer: Answer,
    address: String,
}

/// The state of the world; tests look at it and change it.
pub(crate) struct State {
    pub(crate) now: Timestamp,
    pub(crate) takes: Duration,
    pub(crate) may_act: bool,
    pub(crate) cluster: Cluster,
    pub(crate) images: BTreeMap<String, String>,
    pub(crate) server: KubernetesVersion,
    pub(crate) nodes: BTreeMap<String, Vec<Node>>,
    /// How long the nodes lag behind Azure's word.
    pub(crate) lag: Duration,
    pub(crate) workloads: Reading<Vec<Workload>>,
    pub(crate) azure: Result<(), Unreadable>,
    /// Whether the cluster's own API cannot be reached.
    pub(crate) unreachable: bool,
    /// What the shared listing shows, and when it was made; `None` while there is none.
    pub(crate) listing: Option<(Timestamp, Cluster)>,
    /// How old a listing becomes before the next one is made.
    pub(crate) listing_every: Duration,
    /// How often the cluster was read by itself.
    pub(crate) reads: usize,
    /// Which offers were asked for.
    pub(crate) asked: Vec<OffersNeeded>,
    pub(crate) budgets_allow: Option<bool>,
    /// The cluster's own maintenance windows.
    pub(crate) maintenance: Reading<crate::Maintenance>,
    /// What is frozen, when it is looked at right before something is sent.
    pub(crate) freezes: Vec<crate::Freeze>,
    /// Answers to the next submissions; then all are accepted.
    pub(crate) answers: VecDeque<Answer>,
    /// Writes of the record that will find that somebody else wrote first.
    pub(crate) conflicts: usize,
    pub(crate) stored: Ledger,
    standing: Option<(String, String)>,
    /// Every record written, with what it said it waits on.
    pub(crate) writes: Vec<(Ledger, Option<String>)>,
    /// Every step that had an effect.
    pub(crate) done: Vec<String>,
    /// Every step that was sent.
    pub(crate) sent: Vec<String>,
    /// Every write of settings alone, in words.
    pub(crate) settings_sent: Vec<String>,
    /// Answers to the next writes of settings alone; then all are accepted.
    pub(crate) settings_answers: VecDeque<Answer>,
    /// What Azure fills in by itself where settings are taken away.
    pub(crate) defaults: Settings,
    /// What was read last right before a write, in the present run.
    rechecked: Option<Action>,
    /// Number of port calls, and names of those of the present run.
    pub(crate) calls: usize,
    pub(crate) log: Vec<&'static str>,
    pub(crate) crash: Option<Crash>,
    /// What somebody else does right after a write.
    pub(crate) after_write: Option<fn(&mut State)>,
    running: Option<Running>,
    lagging: Vec<(Timestamp, Step)>,
    /// What each pool ran before.
    pub(crate) recent: BTreeMap<String, Vec<RecentlyUsed>>,
    /// Aborts that were sent, by what they were to stop.
    pub(crate) aborts: Vec<String>,
    /// Answers to the next aborts; then all are accepted.
    pub(crate) abort_answers: VecDeque<Answer>,
    failures: BTreeMap<String, Option<Failure>>,
    /// Steps that failed or were aborted: any write of their pool goes on with them.
    half_done: BTreeMap<String, Step>,
}

/// One cluster and its surroundings.
pub(crate) struct World(Mutex<State>);

pub(crate) fn start() -> Timestamp {
    "2026-11-20T22:00:00Z".parse().unwrap()
}

pub(crate) fn workload(name: &str, problem: Option<&str>) -> Workload {
    Workload {
        kind: "Deployment",
        namespace: "shop".to_owned(),
        name: name.to_owned(),
        created_at: Some("2026-01-01T00:00:00Z".parse().unwrap()),
        problem: problem.map(str::to_owned),
    }
}

fn nodes_of(cluster: &Cluster, pool: &str) -> Vec<Node> {
    let pool = cluster.pool(pool).unwrap();
    (0..pool.count.unwrap())
        .map(|number| Node {
            name: format!("aks-{}-{number}", pool.name),
            kubelet: Some(pool.version.clone()),
            image: pool.node_image.clone(),
            ready: true,
            schedulable: true,
            quarantined: false,
            leaving: false,
        })
        .collect()
}

impl World {
    /// The cluster of [`cluster`] at a version, with one healthy workload.
    pub(crate) fn at(from: &str) -> Self {
        Self::of(cluster(from))
    }

    pub(crate) fn of(cluster: Cluster) -> Self {
        let nodes = cluster.pools.iter().map(|pool| (pool.name.clone(), nodes_of(&cluster, &pool.name)));
        let image = |os_type: &str| if os_type == "Windows" { NEW_WINDOWS } else { NEW_LINUX }.to_owned();
        Self(Mutex::new(State {
            now: start(),
            takes: OPERATION,
            may_act: true,
            images: cluster.pools.iter().map(|pool| (pool.name.clone(), image(&pool.os_type))).collect(),
            server: cluster.version.clone(),
            nodes: nodes.collect(),
            lag: Duration::ZERO,
            workloads: Ok(vec![workload("checkout", None)]),
            azure: Ok(()),
            unreachable: false,
            listing: Some((start(), cluster.clone())),
            listing_every: Duration::from_secs(15),
            reads: 0,
            asked: Vec::new(),
            budgets_allow: None,
            maintenance: Ok(crate::Maintenance::default()),
            freezes: Vec::new(),
            answers: VecDeque::new(),
            conflicts: 0,
            stored: Ledger::default(),
            standing: None,
            writes: Vec::new(),
            done: Vec::new(),
            sent: Vec::new(),
            settings_sent: Vec::new(),
            settings_answers: VecDeque::new(),
            defaults: Settings::default(),
            rechecked: None,
            calls: 0,
            log: Vec::new(),
            crash: None,
            after_write: None,
            running: None,
            lagging: Vec::new(),
            recent: BTreeMap::new(),
            aborts: Vec::new(),
            abort_answers: VecDeque::new(),
            failures: BTreeMap::new(),
            half_done: BTreeMap::new(),
            cluster,
        }))
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.try_lock().expect("looked at twice in one expression")
    }

    pub(crate) fn answers(self, answers: impl IntoIterator<Item = Answer>) -> Self {
        self.state().answers.extend(answers);
        self
    }

    /// One run from the stored record. `None` when the caller died or lost a write.
    pub(crate) fn advance(&self, request: &Request) -> Option<Progress> {
        self.state().log.clear();
        self.state().rechecked = None;
        let ledger = self.state().stored.clone();
        // As from the API server: what is stored is all that is known.
        let ledger = serde_json::from_value(serde_json::to_value(ledger).unwrap()).unwrap();
        let mut store = Store(self);
        let run = pin!(advance(request, ledger, self, self, &mut store, self));
        match run.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(progress) => progress.ok(),
            Poll::Pending => None,
        }
    }

    /// Runs on until it waits on something of which `stop` says so, or all is done (`None`).
    pub(crate) fn until(&self, request: &Request, stop: impl Fn(&WaitingOn) -> bool) -> Option<WaitingOn> {
        for _ in 0..5000 {
            let Some(progress) = self.advance(request) else { continue };
            assert_eq!(progress.ledger, self.state().stored, "what is reported is what is saved");
            let Some(waiting) = progress.waiting else {
                let is_over = progress.ledger.finished_at.is_some() || request.abandoned;
                assert!(is_over, "it waits for nothing, and is not done: {:?}", progress.ledger);
                return None;
            };
            check_words(&waiting);
            if stop(&waiting) {
                return Some(waiting);
            }
            let pause = waiting.look_again(self.state().now);
            assert!(!pause.is_zero(), "every wait is looked at again: {waiting:?}");
            self.pass(pause);
        }
        panic!("it does not end: {:?}", self.state().standing);
    }

    /// Runs on until all is done; fails when it stops for a person.
    pub(crate) fn finish(&self, request: &Request) -> Ledger {
        let stopped = self.until(request, |waiting| waiting.stance() == crate::Stance::Stopped);
        assert_eq!(stopped, None);
        self.state().stored.clone()
    }

    pub(crate) fn until_reason(&self, request: &Request, reason: &str) -> WaitingOn {
        self.until(request, |waiting| waiting.reason() == reason)
            .unwrap_or_else(|| panic!("it ended without {reason}"))
    }

    /// Lets time pass, and with it what runs.
    pub(crate) fn pass(&self, time: Duration) {
        let mut state = self.state();
        let end = state.now + time;
        // The last listing that falls into this time: made before the rest of it passes.
        let made = state.listing.as_ref().map(|(made, _)| *made);
        let every = state.listing_every;
        if let Some(mut made) = made.filter(|made| *made + every <= end) {
            while made + every <= end {
                made += every;
            }
            state.now = made;
            state.go_on();
            state.listing = Some((made, state.cluster.clone()));
        }
        state.now = end;
        state.go_on();
    }

    /// A call of a port begins: counts it, and tells whether its caller dies before or after it.
    fn call(&self, name: &'static str) -> (bool, bool) {
        let mut state = self.state();
        state.calls += 1;
        state.log.push(name);
        let Some(crash) = state.crash.filter(|crash| crash.at == state.calls) else { return (false, false) };
        state.crash = None;
        (!crash.after_effect, crash.after_effect)
    }

    async fn port<T>(&self, name: &'static str, effect: impl FnOnce(&mut State) -> T) -> T {
        let (dies_before, dies_after) = self.call(name);
        if dies_before {
            pending::<()>().await;
        }
        let answer = effect(&mut self.state());
        if dies_after {
            pending::<()>().await;
        }
        answer
    }
}

/// No clock, and no doubt about what to do next.
fn check_words(waiting: &WaitingOn) {
    let words = waiting.to_string();
    assert!(!words.is_empty() && !waiting.reason().is_empty());
    assert!(words.len() <= 200 || !waits_for_an_instant(waiting), "{} bytes: {words}", words.len());
    // When a window opens, or a freeze ends, is what is waited for, and stays the same.
    assert!(waits_for_an_instant(waiting) || !words.contains("2026-11-2"), "a clock in: {words}");
}

fn waits_for_an_instant(waiting: &WaitingOn) -> bool {
    matches!(waiting, WaitingOn::Window { .. } | WaitingOn::Frozen(_) | WaitingOn::NotBefore(_))
}
