//! A small world behind the ports: one cluster whose operations take time, a journal that
//! remembers every write, and a clock that moves when it is told to. A call of a port can be
//! the last thing that its caller does.

use std::{
    collections::{BTreeMap, VecDeque},
    future::pending,
    pin::pin,
    sync::{Mutex, MutexGuard},
    task::{Context, Poll, Waker},
    time::Duration,
};

use jiff::Timestamp;

use super::{NEW_LINUX, NEW_WINDOWS, cluster, offers, version};
use crate::{
    Action, Blocker, Changes, Clock, Cluster, Failure, Fleet, Glance, HeldBack, Journal, KubernetesVersion,
    Ledger, Node, Offers, OffersNeeded, OperationReport, Progress, ProvisioningState, Reading, Rejection,
    Request, ServerVersion, Settings, Step, StepKind, Unreadable, WaitingOn, Workload, Workloads, advance,
    allowed_skew,
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
    /// Accepts it; somebody aborts it.
    Abort,
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
    /// What the shared listing shows, and when it was made; `None` while there is none.
    pub(crate) listing: Option<(Timestamp, Cluster)>,
    /// How old a listing becomes before the next one is made.
    pub(crate) listing_every: Duration,
    /// How often the cluster was read by itself.
    pub(crate) reads: usize,
    /// Which offers were asked for.
    pub(crate) asked: Vec<OffersNeeded>,
    pub(crate) budgets_allow: Option<bool>,
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
    /// Number of port calls, and names of those of the present run.
    pub(crate) calls: usize,
    pub(crate) log: Vec<&'static str>,
    pub(crate) crash: Option<Crash>,
    /// What somebody else does right after a write.
    pub(crate) after_write: Option<fn(&mut State)>,
    running: Option<Running>,
    lagging: Vec<(Timestamp, Step)>,
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
            listing: Some((start(), cluster.clone())),
            listing_every: Duration::from_secs(15),
            reads: 0,
            asked: Vec::new(),
            budgets_allow: None,
            answers: VecDeque::new(),
            conflicts: 0,
            stored: Ledger::default(),
            standing: None,
            writes: Vec::new(),
            done: Vec::new(),
            sent: Vec::new(),
            settings_sent: Vec::new(),
            settings_answers: VecDeque::new(),
            calls: 0,
            log: Vec::new(),
            crash: None,
            after_write: None,
            running: None,
            lagging: Vec::new(),
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
            let waiting = progress.waiting?;
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
    assert!(!words.contains("2026-11-2"), "a clock in: {words}");
}

impl State {
    fn go_on(&mut self) {
        if let Some(running) = self.running.take_if(|running| running.ends <= self.now) {
            self.end(running);
        }
        let (due, later) = self.lagging.drain(..).partition(|(at, _)| *at <= self.now);
        self.lagging = later;
        for (_, step) in due {
            self.show(&step);
        }
    }

    fn end(&mut self, running: Running) {
        let Running { work, answer, address, ends } = running;
        let step = match work {
            Work::Step(step) => step,
            Work::Settings(pool) => return self.set_state(pool.as_deref(), ProvisioningState::Succeeded),
        };
        if let (Answer::FailLater(_) | Answer::Abort, Some(pool)) = (&answer, &step.pool) {
            self.half_done.insert(pool.clone(), step.clone());
        }
        let (state, failure) = match answer {
            Answer::FailLater(failure) => (ProvisioningState::Failed, Some(failure)),
            Answer::Abort => (ProvisioningState::Canceled, None),
            Answer::Preempt => {
                self.set_version(&step, &step.from);
                (ProvisioningState::Succeeded, None)
            }
            Answer::Pretend => (ProvisioningState::Succeeded, None),
            Answer::Accept | Answer::LostAfterEffect => {
                self.done.push(step.id());
                if let (StepKind::NodePoolVersion | StepKind::NodePoolImage, Some(name)) =
                    (step.kind, &step.pool)
                {
                    let image = self.images[name].clone();
                    self.pool(name).node_image = image;
                }
                self.lagging.push((ends + self.lag, step.clone()));
                (ProvisioningState::Succeeded, None)
            }
            Answer::LostBefore | Answer::Refuse(..) | Answer::HoldBack(_) => unreachable!("never ran"),
        };
        self.failures.insert(address, failure);
        self.set_provisioning(&step, state);
    }

    /// What the nodes, or the API server, show from now on.
    fn show(&mut self, step: &Step) {
        match &step.pool {
            None => self.server = version(&step.to),
            Some(name) => {
                let nodes = nodes_of(&self.cluster, name);
                self.nodes.insert(name.clone(), nodes);
            }
        }
    }

    pub(crate) fn pool(&mut self, name: &str) -> &mut crate::NodePool {
        self.cluster.pools.iter_mut().find(|pool| pool.name == name).unwrap()
    }

    pub(crate) fn assert_nothing_twice(&self) {
        assert_eq!(self.sent, self.done);
    }

    fn read(&mut self) -> Reading<Cluster> {
        self.reads += 1;
        self.azure.clone().map(|()| self.cluster.clone())
    }

    fn set_provisioning(&mut self, step: &Step, state: ProvisioningState) {
        self.set_state(step.pool.as_deref(), state);
    }

    fn set_state(&mut self, pool: Option<&str>, state: ProvisioningState) {
        match pool {
            None => self.cluster.provisioning_state = state,
            Some(name) => self.pool(name).provisioning_state = state,
        }
    }

    /// The settings of a pool, or of the cluster.
    pub(crate) fn settings(&mut self, pool: Option<&str>) -> &mut Settings {
        match pool {
            None => &mut self.cluster.override_settings,
            Some(name) => &mut self.pool(name).upgrade_settings,
        }
    }

    fn change(&mut self, pool: Option<&str>, changes: &Changes) {
        let settings = self.settings(pool);
        for (setting, value) in changes {
            match value {
                Some(value) => drop(settings.0.insert(*setting, value.clone())),
                None => drop(settings.0.remove(setting)),
            }
        }
    }

    fn write(&mut self, action: &Action) -> Result<Option<String>, Rejection> {
        match action {
            Action::Step { step, settings } => {
                let pool = step.pool.as_deref();
                self.check_recorded(pool, settings);
                let sent = self.submit(step, settings);
                if sent.is_ok() {
                    self.half_done.retain(|name, _| Some(name.as_str()) != pool);
                }
                sent
            }
            Action::Override { pool, settings } => {
                self.check_recorded(pool.as_deref(), settings);
                self.write_settings("override", pool.as_deref(), settings)
            }
            Action::Restore { pool, settings } => {
                let known = self.stored.restore.iter().find(|known| known.pool == *pool).cloned().unwrap();
                let shown = self.settings(pool.as_deref()).clone();
                assert!(!settings.is_empty());
                for (setting, value) in settings {
                    assert_eq!(shown.0.get(setting), known.ours.0.get(setting), "what is not ours is left");
                    assert_eq!(value.as_ref(), known.before.0.get(setting));
                }
                self.write_settings("restore", pool.as_deref(), settings)
            }
        }
    }

    /// What a write changes is recorded as it is right before.
    fn check_recorded(&mut self, pool: Option<&str>, changes: &Changes) {
        let known = self.stored.restore.iter().find(|known| known.pool.as_deref() == pool).cloned();
        let shown = self.settings(pool).clone();
        for (setting, value) in changes {
            let known = known.as_ref().expect("what is overridden is recorded");
            assert_eq!(known.ours.0.get(setting), value.as_ref());
            if shown.0.get(setting) != value.as_ref() {
                assert_eq!(known.before.0.get(setting), shown.0.get(setting), "{setting:?}");
            }
        }
    }

    fn write_settings(
        &mut self,
        verb: &str,
        pool: Option<&str>,
        changes: &Changes,
    ) -> Result<Option<String>, Rejection> {
        assert_eq!(self.cluster.busy_with(), None, "one mutation in flight per cluster: {changes:?}");
        assert!(self.may_act, "only a leader sends");
        self.settings_sent.push(format!("{verb} {}", pool.unwrap_or("cluster")));
        let lost = || Rejection::Refused {
            failure: Failure::new(None, None, None, "connection reset"),
            retry_after: None,
        };
        let answer = self.settings_answers.pop_front().unwrap_or(Answer::Accept);
        match &answer {
            Answer::LostBefore => return Err(lost()),
            Answer::HoldBack(pause) => {
                self.settings_sent.pop();
                let why = "the share of Azure's limit of the test is used up".to_owned();
                return Err(Rejection::HeldBack(HeldBack { why, until: self.now + *pause }));
            }
            Answer::Refuse(failure, retry_after) => {
                return Err(Rejection::Refused { failure: failure.clone(), retry_after: *retry_after });
            }
            Answer::Pretend => {}
            Answer::Accept
            | Answer::LostAfterEffect
            | Answer::FailLater(_)
            | Answer::Preempt
            | Answer::Abort => self.change(pool, changes),
        }
        let resumed = pool.and_then(|pool| self.half_done.remove(pool));
        let (work, takes, word) = match resumed {
            Some(step) => (Work::Step(step), self.takes, "Upgrading"),
            None => (Work::Settings(pool.map(str::to_owned)), SETTINGS, "Updating"),
        };
        self.set_state(pool, ProvisioningState::Busy(word.to_owned()));
        let address = format!("https://management.azure.com/operations/{}", self.calls);
        let is_lost = matches!(answer, Answer::LostAfterEffect);
        self.running =
            Some(Running { work, ends: self.now + takes, answer: Answer::Accept, address: address.clone() });
        if is_lost { Err(lost()) } else { Ok(Some(address)) }
    }

    fn set_version(&mut self, step: &Step, to: &str) {
        match (step.kind, &step.pool) {
            (StepKind::ControlPlane, _) => self.cluster.version = version(to),
            (StepKind::NodePoolVersion, Some(name)) => self.pool(name).version = version(to),
            (StepKind::NodePoolImage | StepKind::NodePoolVersion, _) => {}
        }
    }

    fn submit(&mut self, step: &Step, settings: &Changes) -> Result<Option<String>, Rejection> {
        self.check_submission(step);
        self.sent.push(step.id());
        let lost = || Rejection::Refused {
            failure: Failure::new(None, None, None, "connection reset"),
            retry_after: None,
        };
        let answer = self.answers.pop_front().unwrap_or(Answer::Accept);
        match answer {
            Answer::LostBefore => return Err(lost()),
            Answer::HoldBack(pause) => {
                self.sent.pop();
                let why = "the share of Azure's limit of the test is used up".to_owned();
                return Err(Rejection::HeldBack(HeldBack { why, until: self.now + pause }));
            }
            Answer::Refuse(failure, retry_after) => return Err(Rejection::Refused { failure, retry_after }),
            Answer::Accept
            | Answer::LostAfterEffect
            | Answer::FailLater(_)
            | Answer::Preempt
            | Answer::Abort
            | Answer::Pretend => {}
        }
        self.set_version(step, &step.to);
        self.change(step.pool.as_deref(), settings);
        let word =
            if step.kind == StepKind::NodePoolImage { "UpgradingNodeImageVersion" } else { "Upgrading" };
        self.set_provisioning(step, ProvisioningState::Busy(word.to_owned()));
        // As long as Azure's: they carry a signature.
        let address =
            format!("https://management.azure.com/operations/{}?s={}", self.calls, "x".repeat(3500));
        let is_lost = matches!(answer, Answer::LostAfterEffect);
        let running = Running {
            work: Work::Step(step.clone()),
            ends: self.now + self.takes,
            answer,
            address: address.clone(),
        };
        self.running = Some(running);
        if is_lost { Err(lost()) } else { Ok(Some(address)) }
    }

    /// The invariants that hold whenever anything is sent.
    fn check_submission(&self, step: &Step) {
        assert_eq!(self.cluster.busy_with(), None, "one mutation in flight per cluster: {step:?}");
        let (operation, record) = self.stored.current().expect("its intent is recorded");
        assert_eq!(
            (&record.step, operation.phase),
            (step, crate::Phase::Intent),
            "the intent is this step's"
        );
        assert!(self.may_act, "only a leader sends");
        let minor = |text: &str| version(text).minor();
        match (step.kind, &step.pool) {
            (StepKind::ControlPlane, _) => {
                assert!(minor(&step.to).ahead_of(self.cluster.version.minor()) <= 1, "{step:?}");
                for pool in &self.cluster.pools {
                    let behind = minor(&step.to).ahead_of(pool.version.minor());
                    assert!(behind <= allowed_skew(minor(&step.to)), "{step:?} {pool:?}");
                }
            }
            (StepKind::NodePoolVersion, _) => assert!(version(&step.to) <= self.cluster.version, "{step:?}"),
            (StepKind::NodePoolImage, _) => {}
        }
    }
}

impl Fleet for World {
    async fn glance(&self, since: Option<Timestamp>) -> Glance {
        self.port("glance", |state| match &state.listing {
            _ if state.azure.is_err() => Glance::Unavailable,
            None => Glance::Unavailable,
            Some((made, _)) if since.is_some_and(|since| *made <= since) => Glance::Pending,
            Some((_, cluster)) => Glance::Seen(Box::new(cluster.clone())),
        })
        .await
    }

    async fn cluster(&self) -> Reading<Cluster> {
        self.port("cluster", State::read).await
    }

    async fn recheck(&self, action: &Action, known: &Cluster) -> Reading<Cluster> {
        self.port("recheck", |state| {
            let live = state.read()?;
            let Some(name) = action.pool_document() else { return Ok(live) };
            let mut known = known.clone();
            known.pools.retain(|other| other.name != *name);
            known.pools.extend(live.pool(name).cloned());
            Ok(known)
        })
        .await
    }

    async fn offers(&self, cluster: &Cluster, needed: &OffersNeeded) -> Reading<Offers> {
        let from = cluster.version.to_string();
        self.port("offers", |state| {
            state.asked.push(needed.clone());
            let mut all = Offers { images: state.images.clone(), ..offers(&from) };
            all.images.retain(|pool, _| needed.images.contains(pool));
            all.control_plane.retain(|_| needed.control_plane);
            Ok(all)
        })
        .await
    }

    async fn submit(&self, action: &Action) -> Result<Option<String>, Rejection> {
        self.port("submit", |state| state.write(action)).await
    }

    async fn operation(&self, address: &str) -> Reading<OperationReport> {
        self.port("operation", |state| match state.failures.get(address) {
            Some(failure) => Ok(OperationReport { running: false, failure: failure.clone() }),
            None => Err(Unreadable::failed("the operation still runs")),
        })
        .await
    }
}

impl Workloads for World {
    async fn server(&self) -> Reading<ServerVersion> {
        let shown = |state: &mut State| ServerVersion {
            minor: state.server.minor(),
            build: Some(state.server.clone()),
        };
        self.port("server", |state| Ok(shown(state))).await
    }

    async fn nodes(&self, pool: &str) -> Reading<Vec<Node>> {
        self.port("nodes", |state| Ok(state.nodes[pool].clone())).await
    }

    async fn workloads(&self) -> Reading<Vec<Workload>> {
        self.port("workloads", |state| state.workloads.clone()).await
    }

    async fn budgets_allow(&self, _: &[Blocker]) -> Option<bool> {
        self.port("budgets", |state| state.budgets_allow).await
    }
}

impl Clock for World {
    fn now(&self) -> Timestamp {
        self.state().now
    }

    fn may_act(&self) -> bool {
        self.state().may_act
    }
}

struct Store<'a>(&'a World);

#[derive(Debug)]
struct Conflict;

impl Journal for Store<'_> {
    type Error = Conflict;

    async fn save(&mut self, ledger: &Ledger, waiting: Option<&WaitingOn>) -> Result<(), Conflict> {
        self.0
            .port("save", |state| {
                let standing = waiting.map(|waiting| (waiting.reason().to_owned(), waiting.to_string()));
                if state.stored == *ledger && state.standing == standing {
                    return Ok(());
                }
                if state.conflicts > 0 {
                    state.conflicts -= 1;
                    return Err(Conflict);
                }
                state.standing.clone_from(&standing);
                state.stored = ledger.clone();
                state.writes.push((ledger.clone(), standing.map(|(reason, _)| reason)));
                if let Some(others) = state.after_write {
                    others(state);
                }
                Ok(())
            })
            .await
    }
}
