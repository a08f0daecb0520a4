//! The decision about one cluster: at most one action, or what it waits on.
//!
//! Pure and total: the same record, observation and instant give the same decision.
//! Recomputed from observation every time; recorded steps are history, not a script.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::{
    action::Action,
    control::Asked,
    ledger::{Baseline, Ledger},
    observation::{Look, Observation, Unreadable},
    planted::{PlantedBug, planted},
    policy::{OnGateFailure, Policy},
    schedule::Schedule,
    target::{KubernetesRequest, NodeImagePolicy, Scope},
    waiting::WaitingOn,
};

mod answer;
mod control;
mod external;
mod idle;
mod inquiry;
mod inside;
mod judging;
mod operation;
mod overrides;
mod pause;
mod reopen;
mod standing;
mod steps;
mod timing;

pub use answer::{accepted, answered, not_sent, refused};
pub(crate) use control::is_asked;
pub use control::{left_out, refused_at_end};
use external::EXTERNAL_ADVICE;
pub use inquiry::offers_needed;
use judging::{failing_gate, gate};
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
    /// The image of each family that the whole rollout takes, with [`NodeImagePolicy::Consistent`].
    pub images: BTreeMap<String, String>,
    /// Images younger than this are left alone.
    pub max_image_age: Option<std::time::Duration>,
    /// How it is done.
    pub policy: Policy,
    /// Finish the step in flight, start nothing new.
    pub suspend: bool,
    /// When its steps may start.
    pub schedule: Schedule,
    /// The wave that has not started this cluster yet, if any.
    pub waits_for_wave: Option<String>,
    /// The ClusterUpgrade that works on the same cluster, if any.
    pub other_upgrade: Option<String>,
    /// Value of the annotation `tidegate.dev/retry`.
    pub retry: Option<String>,
    /// What people ask for besides to go on.
    pub asked: Asked,
    /// The baseline of an earlier upgrade of the cluster that did not come to its end.
    pub baseline: Option<Baseline>,
    /// The upgrade is being deleted: what was changed for a step is put back, nothing else is done.
    pub abandoned: bool,
}

impl Request {
    /// Whether gates are judged while Azure works on a step, too.
    pub(crate) fn judges_meanwhile(&self) -> bool {
        self.policy.on_gate_failure == OnGateFailure::AbortOperation
    }

    /// What is wanted, and all else as it is where nothing is said.
    #[must_use]
    pub fn new(scope: Scope, kubernetes: Option<KubernetesRequest>) -> Self {
        Self {
            scope,
            kubernetes,
            node_image: NodeImagePolicy::Latest,
            images: BTreeMap::new(),
            max_image_age: None,
            policy: Policy::default(),
            suspend: false,
            schedule: Schedule::default(),
            waits_for_wave: None,
            other_upgrade: None,
            retry: None,
            asked: Asked::default(),
            baseline: None,
            abandoned: false,
        }
    }
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
    /// Read the cluster's own maintenance windows; then decide again.
    ReadMaintenance,
    /// Read the cluster's workloads; then decide again.
    ReadWorkloads,
    /// Read what the pool of that name may go back to; then decide again.
    ReadRecentlyUsed(String),
    /// Nothing until then.
    Wait(WaitingOn),
    /// All done, nothing ever again.
    Done,
}

/// Decides about one cluster.
#[must_use]
pub fn decide(view: &View<'_>) -> Decision {
    judging::while_judged(view, decided(view))
}

fn decided(view: &View<'_>) -> Decision {
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
        let answer = control::refused_at_end(ledger, &view.request.asked, retry.as_ref());
        return answer.map_or(Decision::Done, record);
    }
    if is_retried {
        return record(reopen::reopened(view));
    }
    if let Err(Unreadable::Gone(_)) = &view.seen.cluster {
        // With the cluster went its settings, and whatever ran in it.
        return overrides::restoring(view).unwrap_or(Decision::Wait(WaitingOn::ClusterGone));
    }
    if let Some(ledger) = reopen::accepting_versions(view) {
        return record(ledger);
    }
    if let Some(decision) = control::decide(view) {
        return decision;
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

fn record(ledger: Ledger) -> Decision {
    Decision::Record(Box::new(ledger))
}
