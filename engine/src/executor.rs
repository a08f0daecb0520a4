//! Turns decisions into reads and writes through the ports. Makes no choices of its own.
//!
//! The order is the safety: intent is saved before Azure is called, what the step changes is
//! read again after it was saved, and one call of [`advance`] submits at most once. Waiting is
//! cheap: it needs no more than a glance at a listing that all clusters share.

use std::{borrow::Cow, collections::BTreeMap, mem, time::Duration};

use jiff::Timestamp;

use crate::{
    action::Action,
    decide::{Decision, Request, View, answered, decide, is_asked, offers_needed, underway},
    failure::{Blocker, FailureClass},
    ledger::{Ledger, Phase},
    mend::mended,
    observation::{Inside, Look, Observation, Reading, Unreadable},
    planted::{PlantedBug, planted},
    ports::{Clock, Fleet, Glance, Journal, Workloads},
    schedule::learned,
    settings::subject,
    waiting::WaitingOn,
};

/// For how long a claim is good: longer than the calls between it and the submission take, all of them slow.
const CLAIM_HOLDS: Duration = Duration::from_secs(240);
/// For how long what was read of freezes is good enough to send something.
const FREEZES_HOLD: Duration = Duration::from_secs(30);
/// More decisions in a row than any way through the state machine takes.
const DECISIONS: usize = 64;

/// How far an advance came.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// The record, as saved.
    pub ledger: Ledger,
    /// What it waits on; `None` when all is done.
    pub waiting: Option<WaitingOn>,
}

/// Decides and acts until there is something to wait for, and saves what came of it.
///
/// # Errors
/// When the record could not be saved: nothing was done that it does not tell of.
pub async fn advance<F: Fleet, W: Workloads, J: Journal, C: Clock>(
    request: &Request,
    ledger: Ledger,
    fleet: &F,
    workloads: &W,
    journal: &mut J,
    clock: &C,
) -> Result<Progress, J::Error> {
    let seen = Observation::default();
    let ledger = mended(request, ledger, clock.now());
    let mut run = Run {
        request: Cow::Borrowed(request),
        ledger,
        claimed: None,
        freezes_at: None,
        glanced: false,
        seen,
        budgets_of: None,
        fleet,
        workloads,
        clock,
    };
    let mut decisions = 0..DECISIONS;
    let waiting = loop {
        if decisions.next().is_none() {
            break Some(WaitingOn::Undecided);
        }
        if let Some(waiting) = run.observe().await {
            break Some(waiting);
        }
        let decision = decide(&run.view());
        if run.glanced && !glance_suffices(&decision, &run.ledger) && !run.is_told_since(&decision).await {
            run.read_live().await;
            continue;
        }
        match decision {
            Decision::Record(ledger) => run.record(*ledger),
            Decision::Submit(_) if !clock.may_act() && !planted(PlantedBug::IgnoreLease) => {
                break run.underway();
            }
            Decision::Submit(action) if !run.has_claimed(&action) && planted(PlantedBug::SubmitUnclaimed) => {
                run.recheck(&action).await;
                run.claimed = Some((action, clock.now()));
            }
            Decision::Submit(action) if !run.has_claimed(&action) => {
                // Claim by a guarded write, then read live, then act: whoever decided the same
                // from the same record loses the write, also when the intent is an old one. What is
                // read may ask for something else than was claimed: then that is claimed, and read.
                let claimed_at = clock.now();
                run.claim(&action);
                let is_unrecorded =
                    matches!(action, Action::Abort { .. }) && planted(PlantedBug::AbortUnrecorded);
                match journal.save(&run.ledger, run.underway_with(&action).as_ref()).await {
                    Err(_) if planted(PlantedBug::IgnoreConflict) || is_unrecorded => {}
                    saved => saved?,
                }
                run.recheck(&action).await;
                run.claimed = Some((action, claimed_at));
            }
            Decision::Submit(_) if run.is_overtaken() => break run.underway(),
            Decision::Submit(action) if run.may_be_frozen(&action) => {
                // The last look: whoever freezes a cluster sees no step start some seconds later.
                let began = clock.now();
                run.seen.freezes = Some(journal.freezes().await?);
                run.freezes_at = Some(began);
            }
            Decision::Submit(action) => {
                let answer = fleet.submit(&action).await;
                let view = run.view();
                run.ledger = answered(view.ledger, &action, answer, &view);
                break run.underway();
            }
            Decision::ReadOperation(name) => match fleet.operation(&name).await {
                Ok(report) => run.seen.operation = Some(report),
                Err(why) => break Some(WaitingOn::unreadable(&why)),
            },
            Decision::ReadMaintenance => run.seen.maintenance = run.fleet.maintenance().await,
            Decision::ReadWorkloads => run.seen.workloads = run.workloads.workloads().await,
            Decision::ReadRecentlyUsed(pool) => {
                run.seen.recently_used = match fleet.recently_used(&pool).await {
                    Err(Unreadable::NotAsked) => {
                        Err(Unreadable::failed("what the pool had before was not read"))
                    }
                    read => read,
                };
            }
            Decision::Look(look) => run.seen.inside = run.look_inside(look).await,
            Decision::Wait(_) if planted(PlantedBug::WaitWithoutReason) => break None,
            Decision::Wait(waiting) => break Some(waiting),
            Decision::Done => break None,
        }
    };
    run.rest(journal, waiting).await
}

/// Whether a decision that was made from a glance holds without a live read. It does for going on
/// waiting, for planning (what is planned is read again before it is sent), and for a step of which
/// Azure's end has been read live before.
fn glance_suffices(decision: &Decision, ledger: &Ledger) -> bool {
    let phase = |ledger: &Ledger| ledger.operation.as_ref().map(|operation| operation.phase);
    match decision {
        Decision::Wait(
            WaitingOn::ExternalChange(_)
            | WaitingOn::Refused(_)
            | WaitingOn::WindowTooShort { .. }
            | WaitingOn::OwnWindowMisread { .. },
        )
        | Decision::ReadOperation(_)
        | Decision::ReadRecentlyUsed(_) => false,
        // Azure was done with the step: a listing from before that would say that it is at it again
        // (`is_told_since`).
        Decision::Wait(WaitingOn::Operation(_) | WaitingOn::ClusterBusy(_)) => {
            phase(ledger) != Some(Phase::Verifying)
        }
        // Versions are accepted as they are, not as they were.
        Decision::Record(_) if ledger.expected.is_none() && ledger.baseline.is_some() => false,
        Decision::Record(next) if next.finished_at.is_some() => false,
        // What was changed counts as put back only when that was read live.
        Decision::Record(next) if next.restore.len() < ledger.restore.len() => false,
        Decision::Record(next) => match phase(ledger) {
            None => true,
            Some(Phase::Intent | Phase::Submitted) => false,
            Some(Phase::Verifying | Phase::Gating | Phase::Soaking) => phase(next) != Some(Phase::Intent),
        },
        Decision::Look(_)
        | Decision::ReadMaintenance
        | Decision::ReadWorkloads
        | Decision::Wait(_)
        | Decision::Submit(_)
        | Decision::Done => true,
    }
}

struct Run<'a, F, W, C> {
    /// What is wanted; estimates are learned on the way.
    request: Cow<'a, Request>,
    ledger: Ledger,
    /// What was claimed by this run since its record changed last, and when: nothing else is sent.
    claimed: Option<(Action, Timestamp)>,
    /// When freezes were read last.
    freezes_at: Option<Timestamp>,
    /// What is seen of the cluster comes from a glance, not from a live read.
    glanced: bool,
    seen: Observation,
    /// Whose disruption budgets were asked last: once in a run, however often it decides.
    budgets_of: Option<Vec<Blocker>>,
    fleet: &'a F,
    workloads: &'a W,
    clock: &'a C,
}

impl<F: Fleet, W: Workloads, C: Clock> Run<'_, F, W, C> {
    fn view(&self) -> View<'_> {
        View { request: &self.request, ledger: &self.ledger, seen: &self.seen, now: self.clock.now() }
    }

    /// Readings of one step say nothing about the next.
    fn record(&mut self, ledger: Ledger) {
        let step_of = |ledger: &Ledger| ledger.operation.as_ref().map(|operation| operation.step_id.clone());
        if step_of(&ledger) != step_of(&self.ledger) {
            let Observation { cluster, offers, workloads, .. } = mem::take(&mut self.seen);
            self.seen = Observation { cluster, offers, workloads, ..Observation::default() };
            self.budgets_of = None;
        }
        if ledger.target_version != self.ledger.target_version {
            // With the target, other offers matter.
            self.seen.offers = Err(Unreadable::NotAsked);
        }
        self.learn(&ledger);
        self.claimed = None;
        self.ledger = ledger;
    }

    /// The next step may be decided at once: whether it fits is told with what the last one took.
    fn learn(&mut self, next: &Ledger) {
        if let (Some((step, took)), Ok(cluster)) = (learned(&self.ledger, next), &self.seen.cluster) {
            let mut estimates = self.request.schedule.estimates.clone();
            estimates.learn(step, took, cluster, &self.request.policy);
            self.request.to_mut().schedule.estimates = estimates;
        }
    }

    /// Counts, so that the write is never one that changes nothing, whatever the clock shows.
    fn claim(&mut self, action: &Action) {
        let counted = |claims: i32| claims.saturating_add(1).min(1_000_000);
        match (action, &mut self.ledger.operation) {
            (Action::Restore { pool, .. }, _) => {
                for record in self.ledger.restore.iter_mut().filter(|record| record.pool == *pool) {
                    record.attempts = counted(record.attempts);
                }
            }
            (Action::Abort { .. }, _) => {
                if let Some(abort) = &mut self.ledger.control.abort {
                    abort.intent_at = self.clock.now();
                    abort.claims = counted(abort.claims);
                }
            }
            (Action::Step { .. } | Action::Override { .. }, Some(operation)) => {
                operation.intent_at = self.clock.now();
                operation.claims = counted(operation.claims);
            }
            (Action::Step { .. } | Action::Override { .. }, None) => {}
        }
    }

    fn has_claimed(&self, action: &Action) -> bool {
        self.claimed.as_ref().is_some_and(|(claimed, _)| claimed == action)
    }

    /// Whether the process was stopped for a while since it has claimed: what is wanted may be another thing
    /// by now, so it is asked for again.
    fn is_overtaken(&self) -> bool {
        let now = self.clock.now();
        self.claimed.as_ref().is_some_and(|(_, at)| now > *at + CLAIM_HOLDS)
    }

    /// Whether somebody may have frozen the cluster since that was looked at. Putting settings back starts
    /// nothing.
    fn may_be_frozen(&self, action: &Action) -> bool {
        let now = self.clock.now();
        let is_known = self.freezes_at.is_some_and(|at| at <= now && now <= at + FREEZES_HOLD);
        !is_known && !matches!(action, Action::Restore { .. }) && !planted(PlantedBug::OldFreezes)
    }

    /// Reads what is to be changed, after it was claimed. The rest of the cluster must have been read
    /// live, too: nothing is started beside somebody else's operation.
    async fn recheck(&mut self, action: &Action) {
        if self.glanced && action.pool_document().is_some() {
            self.read_live().await;
        }
        if let (Ok(known), false) = (&self.seen.cluster, planted(PlantedBug::SkipRecheck)) {
            self.seen.cluster = self.fleet.recheck(action, known).await;
            self.glanced = false;
        }
        if matches!(action, Action::Abort { .. }) {
            // Whatever runs is aborted: whether it is ours is asked last of all.
            self.seen.operation = None;
        }
    }

    async fn read_live(&mut self) {
        self.seen.cluster = self.fleet.cluster().await;
        self.glanced = false;
        // Other pools may matter than those that the glance showed.
        self.seen.offers = Err(Unreadable::NotAsked);
    }

    /// Whether it is a wait for an operation that a listing shows which was begun after Azure was done with the
    /// step: somebody else's, which may take hours and is not read live each time.
    async fn is_told_since(&self, decision: &Decision) -> bool {
        let (Decision::Wait(WaitingOn::Operation(_) | WaitingOn::ClusterBusy(_)), Some(operation)) =
            (decision, &self.ledger.operation)
        else {
            return false;
        };
        let newer = self.fleet.glance(Some(operation.since)).await;
        matches!(newer, Glance::Seen(cluster) if self.seen.cluster.as_ref() == Ok(&*cluster))
    }

    /// Glances at the cluster, and reads it live where no listing shows it. `Some` when there is only
    /// to wait.
    async fn look(&mut self) -> Option<WaitingOn> {
        let now = self.clock.now();
        let aborts = self.ledger.control.abort.as_ref().is_some_and(|abort| !abort.is_tried_later(now));
        if aborts || is_asked(&self.request, &self.ledger) {
            // Whoever asks for something waits for it, and what runs may end meanwhile.
            self.read_live().await;
            return None;
        }
        let settings = self.ledger.restore.iter().filter_map(|record| record.sent_at).max();
        let (since, waits) = match &self.ledger.operation {
            Some(operation) if operation.phase == Phase::Submitted => (operation.submitted_at, true),
            // Between two steps: listings from before the last one's end show the past.
            None => {
                let ended = self.ledger.steps.iter().filter_map(|record| record.finished_at).max();
                (ended.max(settings), settings.is_some())
            }
            // What was sent has been shown, and the nodes tell the rest: any recent listing will do, and none
            // is waited for.
            Some(operation) if operation.phase == Phase::Verifying => (None, false),
            // While gates fail, only what is read tells what is waited for.
            Some(_) => (settings, settings.is_some() && self.ledger.gates_failing_since.is_none()),
        };
        match self.fleet.glance(since).await {
            Glance::Seen(cluster) => {
                self.seen.cluster = Ok(*cluster);
                self.glanced = true;
            }
            Glance::Pending if waits => return self.underway(),
            Glance::Pending | Glance::Unavailable => self.read_live().await,
        }
        None
    }

    /// Reads what the cluster shows of itself: at most one call for its API server, and one for each pool.
    async fn look_inside(&self, look: Look) -> Reading<Inside> {
        let server = if look.server { Some(self.workloads.server().await?) } else { None };
        let mut nodes = BTreeMap::new();
        for pool in look.pools {
            let found = self.workloads.nodes(&pool).await?;
            nodes.insert(pool, found);
        }
        Ok(Inside { server, nodes })
    }

    async fn rest<J: Journal>(
        mut self,
        journal: &mut J,
        waiting: Option<WaitingOn>,
    ) -> Result<Progress, J::Error> {
        if let Some(operation) =
            self.ledger.operation.as_mut().filter(|_| planted(PlantedBug::WriteEveryLook))
        {
            operation.intent_at = self.clock.now();
        }
        journal.save(&self.ledger, waiting.as_ref()).await?;
        Ok(Progress { ledger: self.ledger, waiting })
    }

    /// What the step in flight waits on, told from the record alone.
    fn underway(&self) -> Option<WaitingOn> {
        underway(&self.request, &self.ledger, self.clock.now())
    }

    /// What is about to be sent, as what it will be waited for.
    fn underway_with(&self, action: &Action) -> Option<WaitingOn> {
        match action {
            Action::Override { pool, .. } => Some(WaitingOn::ChangingSettings(subject(pool.as_deref()))),
            // What was the matter before stays so until there is an answer.
            Action::Step { .. } | Action::Restore { .. } | Action::Abort { .. } => self.underway(),
        }
    }

    /// Reads what the next decision needs and is not known yet. `Some` when there is only to wait.
    async fn observe(&mut self) -> Option<WaitingOn> {
        let needs = Needs::of(&self.request, &self.ledger, self.clock.now());
        if needs.cluster && not_asked(&self.seen.cluster) {
            let waiting = self.look().await;
            if waiting.is_some() {
                return waiting;
            }
        }
        if matches!(self.seen.cluster, Err(Unreadable::Gone(_))) {
            // Whoever asks it of its workloads asks in vain.
            return None;
        }
        if let (true, true, Ok(cluster)) = (needs.offers, not_asked(&self.seen.offers), &self.seen.cluster) {
            let needed = offers_needed(&self.request, &self.ledger, cluster);
            self.seen.offers = self.fleet.offers(cluster, &needed).await;
        }
        if needs.workloads && not_asked(&self.seen.workloads) {
            self.seen.workloads = self.workloads.workloads().await;
        }
        if needs.server && not_asked(&self.seen.server) {
            self.seen.server = self.workloads.server().await;
        }
        if let (Some(pool), true) = (&needs.nodes, not_asked(&self.seen.nodes)) {
            self.seen.nodes = self.workloads.nodes(pool).await;
        }
        if let Some(blockers) = needs.budgets.filter(|found| self.budgets_of.as_ref() != Some(found)) {
            self.seen.budgets_allow = self.workloads.budgets_allow(&blockers).await;
            self.budgets_of = Some(blockers);
        }
        None
    }
}

fn not_asked<T>(reading: &Reading<T>) -> bool {
    matches!(reading, Err(Unreadable::NotAsked))
}

/// What the next decision looks at.
#[derive(Default)]
struct Needs {
    cluster: bool,
    offers: bool,
    workloads: bool,
    server: bool,
    nodes: Option<String>,
    budgets: Option<Vec<Blocker>>,
}

impl Needs {
    fn of(request: &Request, ledger: &Ledger, now: Timestamp) -> Self {
        if request.abandoned && !planted(PlantedBug::IgnoreDeletion) {
            return Self { cluster: !ledger.restore.is_empty(), ..Self::default() };
        }
        if ledger.finished_at.is_some() {
            return Self::default();
        }
        let Some((operation, record)) = ledger.current() else {
            let is_asked = is_asked(request, ledger);
            if !ledger.restore.is_empty() || is_asked {
                return Self { cluster: true, ..Self::default() };
            }
            if ledger.control.skipped || ledger.control.halt.is_some() && !planted(PlantedBug::IgnoreHalt) {
                return Self::default();
            }
            let suspended = request.suspend && !ledger.has_done_all() && !planted(PlantedBug::IgnoreSuspend);
            let idle = request.waits_for_wave.is_none() && !suspended && request.other_upgrade.is_none();
            // Clusters wait for their windows for days.
            let workloads = idle && !request.schedule.is_closed(now);
            return Self { cluster: idle, offers: idle, workloads, ..Self::default() };
        };
        let pool = record.step.pool.clone();
        let blocked = operation.failure.as_ref().filter(|failure| failure.class() == FailureClass::Blocked);
        match operation.phase {
            Phase::Intent => Self {
                cluster: true,
                // Which image a step brings is told right before it is sent.
                offers: pool.is_some() && !request.images.is_empty(),
                workloads: !request.schedule.is_closed(now),
                budgets: blocked.map(|failure| failure.blockers()),
                server: operation.repair && pool.is_none(),
                nodes: pool.filter(|_| operation.repair),
            },
            Phase::Submitted => {
                let judges = request.judges_meanwhile() && ledger.control.abort.is_none();
                Self { cluster: true, workloads: judges, ..Self::default() }
            }
            Phase::Verifying => {
                Self { cluster: true, server: pool.is_none(), nodes: pool, ..Self::default() }
            }
            Phase::Gating | Phase::Soaking => Self { cluster: true, workloads: true, ..Self::default() },
        }
    }
}

#[cfg(test)]
mod tests;
