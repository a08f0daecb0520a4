//! The decision about one cluster: at most one action, or what it waits on.
//!
//! Pure and total: the same record, observation and instant give the same decision.
//! Recomputed from observation every time; recorded steps are history, not a script.

use jiff::Timestamp;

use crate::{
    action::Action,
    gates::{Verdict, judge_workloads},
    ledger::{Baseline, Ledger},
    observation::{Look, Observation, Unreadable},
    planted::{PlantedBug, planted},
    policy::Policy,
    target::{KubernetesRequest, NodeImagePolicy, Scope},
    waiting::WaitingOn,
};

mod answer;
mod external;
mod idle;
mod inquiry;
mod inside;
mod operation;
mod overrides;
mod pause;
mod reopen;
mod standing;
mod steps;

pub use answer::{accepted, answered, not_sent, refused};
use external::EXTERNAL_ADVICE;
pub use inquiry::offers_needed;
pub(crate) use standing::underway;

/// What is wanted of one cluster, validated.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// What is changed.
    pub scope: Scope,
    /// The version wanted; `None` for [`Scope::NodeImage`].
    pub kubernetes: Option<KubernetesRequest>,
    /// What happens to images.
    pub node_image: NodeImagePolicy,
    /// Images younger than this are left alone.
    pub max_image_age: Option<std::time::Duration>,
    /// How it is done.
    pub policy: Policy,
    /// Finish the step in flight, start nothing new.
    pub suspend: bool,
    /// The wave that has not started this cluster yet, if any.
    pub waits_for_wave: Option<String>,
    /// The ClusterUpgrade that works on the same cluster, if any.
    pub other_upgrade: Option<String>,
    /// Value of the annotation `tidegate.dev/retry`.
    pub retry: Option<String>,
    /// The baseline of an earlier upgrade of the cluster that did not come to its end.
    pub baseline: Option<Baseline>,
    /// The upgrade is being deleted: what was changed for a step is put back, nothing else is done.
    pub abandoned: bool,
}

/// Everything that a decision looks at.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// What is wanted.
    pub request: &'a Request,
    /// What is recorded.
    pub ledger: &'a Ledger,
    /// What was seen.
    pub seen: &'a Observation,
    /// The present.
    pub now: Timestamp,
}

/// The one thing to do now.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    /// The record changes to this; then decide again.
    Record(Box<Ledger>),
    /// Send this to Azure; what it is for is recorded.
    Submit(Action),
    /// Read the error of the operation of that name, once; then decide again.
    ReadOperation(String),
    /// Read what the cluster shows of itself; then decide again.
    Look(Look),
    /// Nothing until then.
    Wait(WaitingOn),
    /// All done, nothing ever again.
    Done,
}

/// Decides about one cluster.
#[must_use]
pub fn decide(view: &View<'_>) -> Decision {
    let Request { retry, suspend, waits_for_wave, other_upgrade, .. } = view.request;
    let ledger = view.ledger;
    let is_retried = retry.is_some() && *retry != ledger.retry_token && !planted(PlantedBug::IgnoreRetry);
    if view.request.abandoned && !planted(PlantedBug::IgnoreDeletion) {
        if is_retried && !ledger.restore.is_empty() {
            return record(reopen::reopened(view));
        }
        let left = overrides::restoring(view).filter(|_| !planted(PlantedBug::ForgetRestoreOnDeletion));
        return left.unwrap_or(Decision::Done);
    }
    if ledger.finished_at.is_some() && !planted(PlantedBug::WorkAfterDone) {
        return Decision::Done;
    }
    if is_retried {
        return record(reopen::reopened(view));
    }
    if let Some(ledger) = reopen::accepting_versions(view) {
        return record(ledger);
    }
    if let Some((operation, step)) = ledger.current() {
        return operation::decide(view, operation, step);
    }
    // Whatever else there is to wait for: nothing stays changed meanwhile.
    if let Some(decision) = overrides::restoring(view) {
        return decision;
    }
    if let Some(wave) = waits_for_wave {
        return Decision::Wait(WaitingOn::Wave(wave.clone()));
    }
    if *suspend && !ledger.has_done_all() && !planted(PlantedBug::IgnoreSuspend) {
        return Decision::Wait(WaitingOn::Suspended);
    }
    if let Some(other) = other_upgrade {
        return Decision::Wait(WaitingOn::OtherUpgrade(other.clone()));
    }
    idle::idle(view).unwrap_or_else(|stop| *stop)
}

/// An early decision, so that `?` reads as "stop here with this".
type Stop = Box<Decision>;

fn wait(waiting: WaitingOn) -> Stop {
    Box::new(Decision::Wait(waiting))
}

/// The gate between steps and during soaks. `Err` is the decision to stop with.
fn gate(view: &View<'_>) -> Result<(), Stop> {
    let Some(baseline) = &view.ledger.baseline else { return Ok(()) };
    if let Err(why @ Unreadable::HeldBack(_)) = &view.seen.workloads {
        return Err(wait(WaitingOn::inconclusive(why)));
    }
    let policy = &view.request.policy;
    let failing_since = view.ledger.gates_failing_since;
    match judge_workloads(baseline, &view.seen.workloads, policy) {
        Verdict::Pass if failing_since.is_some() && planted(PlantedBug::GateStaysFailed) => {
            Err(wait(WaitingOn::GateFailed(Vec::new())))
        }
        Verdict::Pass if failing_since.is_some() => {
            Err(Box::new(record(Ledger { gates_failing_since: None, ..view.ledger.clone() })))
        }
        Verdict::Pass => Ok(()),
        Verdict::Inconclusive(why) => Err(wait(WaitingOn::GateInconclusive(why))),
        Verdict::Fail(broken) => Err(match failing_since {
            None => Box::new(record(Ledger { gates_failing_since: Some(view.now), ..view.ledger.clone() })),
            Some(since) if view.now < since + policy.progress_deadline => {
                wait(WaitingOn::GateSettling(broken))
            }
            Some(_) => wait(WaitingOn::GateFailed(broken)),
        }),
    }
}

fn record(ledger: Ledger) -> Decision {
    Decision::Record(Box::new(ledger))
}
