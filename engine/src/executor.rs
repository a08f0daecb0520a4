//! Turns decisions into reads and writes through the ports. Makes no choices of its own.
//!
//! The order is the safety: intent is saved before Azure is called, the cluster is read
//! again after it was saved, and one call of [`advance`] submits at most once.

use std::mem;

use crate::{
    decide::{Decision, Request, View, accepted, decide, refused},
    failure::FailureClass,
    ledger::{Ledger, Phase},
    observation::{Observation, Reading, Unreadable},
    ports::{Clock, Fleet, Journal, Workloads},
    waiting::WaitingOn,
};

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
    let mut run = Run { request, ledger, claimed: false, seen, fleet, workloads, clock };
    for _ in 0..DECISIONS {
        run.observe().await;
        let decision = decide(&run.view());
        match decision {
            Decision::Record(ledger) => run.record(*ledger),
            Decision::Submit(_) if !clock.may_act() => break,
            Decision::Submit(_) if !run.claimed => {
                // Claim by a guarded write, then read live, then act: whoever decided the same
                // from the same record loses the write, also when the intent is an old one.
                run.claim();
                journal.save(&run.ledger, run.underway().as_ref()).await?;
            }
            Decision::Submit(step) => {
                let answer = fleet.submit(&step).await;
                let view = run.view();
                run.ledger = match answer {
                    Ok(address) => accepted(view.ledger, address, &view),
                    Err(rejection) => refused(view.ledger, &rejection.failure, rejection.retry_after, &view),
                };
                let waiting = run.underway();
                journal.save(&run.ledger, waiting.as_ref()).await?;
                return Ok(Progress { ledger: run.ledger, waiting });
            }
            Decision::ReadOperation(address) => match fleet.operation(&address).await {
                Ok(report) => run.seen.operation = Some(report),
                Err(why) => {
                    return run.rest(journal, Some(WaitingOn::AzureUnreadable(why.to_string()))).await;
                }
            },
            Decision::Wait(waiting) => return run.rest(journal, Some(waiting)).await,
            Decision::Done => return run.rest(journal, None).await,
        }
    }
    let waiting = run.underway();
    run.rest(journal, waiting).await
}

struct Run<'a, F, W, C> {
    request: &'a Request,
    ledger: Ledger,
    /// The intent was saved by this run.
    claimed: bool,
    seen: Observation,
    fleet: &'a F,
    workloads: &'a W,
    clock: &'a C,
}

impl<F: Fleet, W: Workloads, C: Clock> Run<'_, F, W, C> {
    fn view(&self) -> View<'_> {
        View { request: self.request, ledger: &self.ledger, seen: &self.seen, now: self.clock.now() }
    }

    /// Readings of one step say nothing about the next.
    fn record(&mut self, ledger: Ledger) {
        let step_of = |ledger: &Ledger| ledger.operation.as_ref().map(|operation| operation.step_id.clone());
        if step_of(&ledger) != step_of(&self.ledger) {
            let Observation { cluster, offers, workloads, .. } = mem::take(&mut self.seen);
            self.seen = Observation { cluster, offers, workloads, ..Observation::default() };
        }
        self.claimed = false;
        self.ledger = ledger;
    }

    fn claim(&mut self) {
        if let Some(operation) = &mut self.ledger.operation {
            operation.intent_at = self.clock.now();
            // So that the write is never one that changes nothing, whatever the clock shows.
            operation.claims = operation.claims.saturating_add(1).min(1_000_000);
        }
        self.claimed = true;
        self.seen.cluster = Err(Unreadable::not_asked());
    }

    async fn rest<J: Journal>(
        self,
        journal: &mut J,
        waiting: Option<WaitingOn>,
    ) -> Result<Progress, J::Error> {
        journal.save(&self.ledger, waiting.as_ref()).await?;
        Ok(Progress { ledger: self.ledger, waiting })
    }

    /// What the step in flight waits on, told from the record alone.
    fn underway(&self) -> Option<WaitingOn> {
        let (operation, record) = self.ledger.current()?;
        let step = record.step.clone();
        Some(match (&operation.failure, operation.not_before) {
            (Some(failure), _) if operation.held => {
                WaitingOn::OperationFailed { step, failure: failure.clone() }
            }
            (Some(failure), _) if failure.class() == FailureClass::Blocked => {
                WaitingOn::Blocked { step, failure: failure.clone(), blockers: failure.blockers() }
            }
            (Some(failure), Some(at)) => WaitingOn::Retry { step, failure: failure.clone(), at },
            _ => WaitingOn::Operation(step),
        })
    }

    /// Reads what the next decision needs and is not known yet.
    async fn observe(&mut self) {
        let needs = Needs::of(self.request, &self.ledger);
        if needs.cluster && not_asked(&self.seen.cluster) {
            self.seen.cluster = self.fleet.cluster().await;
        }
        if let (true, true, Ok(cluster)) = (needs.offers, not_asked(&self.seen.offers), &self.seen.cluster) {
            self.seen.offers = self.fleet.offers(cluster).await;
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
        if let Some(blockers) = &needs.budgets {
            self.seen.budgets_allow = self.workloads.budgets_allow(blockers).await;
        }
    }
}

fn not_asked<T>(reading: &Reading<T>) -> bool {
    matches!(reading, Err(why) if *why == Unreadable::not_asked())
}

/// What the next decision looks at.
#[derive(Default)]
struct Needs {
    cluster: bool,
    offers: bool,
    workloads: bool,
    server: bool,
    nodes: Option<String>,
    budgets: Option<Vec<crate::Blocker>>,
}

impl Needs {
    fn of(request: &Request, ledger: &Ledger) -> Self {
        if ledger.finished_at.is_some() {
            return Self::default();
        }
        let Some((operation, record)) = ledger.current() else {
            let suspended = request.suspend && !ledger.has_done_all();
            let idle = request.waits_for_wave.is_none() && !suspended && request.other_upgrade.is_none();
            return Self { cluster: idle, offers: idle, workloads: idle, ..Self::default() };
        };
        let pool = record.step.pool.clone();
        let blocked = operation.failure.as_ref().filter(|failure| failure.class() == FailureClass::Blocked);
        match operation.phase {
            Phase::Intent => {
                let budgets = blocked.map(|failure| failure.blockers());
                Self { cluster: true, workloads: budgets.is_none(), budgets, ..Self::default() }
            }
            Phase::Submitted => Self { cluster: true, ..Self::default() },
            Phase::Verifying => {
                Self { cluster: true, server: pool.is_none(), nodes: pool, ..Self::default() }
            }
            Phase::Gating | Phase::Soaking => Self { cluster: true, workloads: true, ..Self::default() },
        }
    }
}

#[cfg(test)]
mod tests;
