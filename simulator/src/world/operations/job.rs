//! What happens to one node, step by step: added, renewed in place, or removed.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};
use semver::Version;

use crate::{
    effects::{BlockedPod, ClusterKey, Effect, EffectId, Outcome},
    world::{
        outbox::{Driver, Outbox},
        resources::pool::Pool,
    },
};

/// One step of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Pause(SignedDuration),
    Create,
    Cordon,
    Drain,
    Reimage,
    Uncordon,
    Quarantine,
    Delete,
}

/// Why a node's steps ended early.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    Blocked(Vec<BlockedPod>),
    Broken(String),
}

/// What a step is waiting for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waiting {
    Nothing,
    Until(Timestamp),
    Effect(EffectId),
}

/// The steps that one node has before it.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) node: String,
    steps: VecDeque<Step>,
    waiting: Waiting,
    pub(crate) failure: Option<Failure>,
    /// Pods that block the drain in a cluster without a driver.
    pub(crate) blocked_by: Vec<BlockedPod>,
    /// The drain that it is waiting for.
    draining: Option<EffectId>,
}

/// Where and when a step happens.
pub(crate) struct Site<'a> {
    pub(crate) now: Timestamp,
    pub(crate) cluster: &'a ClusterKey,
    pub(crate) driver: Driver,
    pub(crate) outbox: &'a mut Outbox,
}

/// What a renewed node becomes, and how long its drain may take.
#[derive(Clone, Debug)]
pub(crate) struct Goal {
    pub(crate) version: Version,
    pub(crate) image: String,
    pub(crate) drain_timeout: SignedDuration,
    /// Disruption budgets do not count.
    pub(crate) force: bool,
}

impl Job {
    pub(crate) fn new(node: impl Into<String>, steps: impl IntoIterator<Item = Step>) -> Self {
        Self {
            node: node.into(),
            steps: steps.into_iter().collect(),
            waiting: Waiting::Nothing,
            failure: None,
            blocked_by: Vec::new(),
            draining: None,
        }
    }

    /// Goes on as far as it can now; true when nothing is left to do.
    pub(crate) fn advance(&mut self, pool: &Pool, goal: &Goal, site: &mut Site<'_>) -> bool {
        loop {
            match self.waiting {
                Waiting::Until(at) if at > site.now => return false,
                Waiting::Effect(_) => return false,
                Waiting::Until(_) | Waiting::Nothing => self.waiting = Waiting::Nothing,
            }
            let Some(step) = self.steps.pop_front() else {
                return true;
            };
            self.waiting = match self.effect(step, pool, goal, site.now) {
                Err(length) => Waiting::Until(later(site.now, length)),
                Ok(effect) => {
                    let blocked_by = self.still_blocked_by(goal);
                    let id = site.outbox.emit(site.now, site.cluster, site.driver, effect, &blocked_by);
                    self.draining = (step == Step::Drain).then_some(id);
                    Waiting::Effect(id)
                }
            };
        }
    }

    /// A forced drain is blocked only by pods that no budget protects.
    fn still_blocked_by(&self, goal: &Goal) -> Vec<BlockedPod> {
        let blocked = self.blocked_by.iter().filter(|pod| !goal.force || pod.budget.is_none());
        blocked.cloned().collect()
    }

    /// Whether its node is still to be created.
    pub(crate) fn is_yet_to_create(&self) -> bool {
        self.steps.contains(&Step::Create)
    }

    /// Ends it where it is; a drain that is still trying gives up.
    pub(crate) fn stop(self, site: &mut Site<'_>) {
        let Some(drain) = self.draining else {
            return;
        };
        site.outbox.cancel(drain);
        let effect = Effect::StopDrain { node: self.node };
        site.outbox.emit(site.now, site.cluster, site.driver, effect, &[]);
    }

    /// The effect of a step, or how long it pauses.
    fn effect(&self, step: Step, pool: &Pool, goal: &Goal, now: Timestamp) -> Result<Effect, SignedDuration> {
        let node = self.node.clone();
        let rendered = || pool.render_node(&self.node, &goal.version.to_string(), &goal.image);
        Ok(match step {
            Step::Pause(length) => return Err(length),
            Step::Create => Effect::CreateNode(rendered()),
            Step::Cordon => Effect::CordonNode { node },
            Step::Drain => {
                Effect::DrainNode { node, deadline: later(now, goal.drain_timeout), force: goal.force }
            }
            Step::Reimage => Effect::ReimageNode(rendered()),
            Step::Uncordon => Effect::UncordonNode { node },
            Step::Quarantine => Effect::QuarantineNode { node },
            Step::Delete => Effect::DeleteNode { node },
        })
    }

    /// Takes the outcome if it is this job's; true then.
    pub(crate) fn settle(&mut self, id: EffectId, outcome: &Outcome) -> bool {
        if self.waiting != Waiting::Effect(id) {
            return false;
        }
        self.waiting = Waiting::Nothing;
        self.draining = None;
        self.failure = match outcome {
            Outcome::Done => return true,
            Outcome::DrainBlocked(pods) => Some(Failure::Blocked(pods.clone())),
            Outcome::Failed(message) => Some(Failure::Broken(message.clone())),
        };
        self.steps.clear();
        true
    }

    pub(crate) const fn deadline(&self) -> Option<Timestamp> {
        match self.waiting {
            Waiting::Until(at) => Some(at),
            Waiting::Nothing | Waiting::Effect(_) => None,
        }
    }
}

/// `length` after `now`, at most the end of time.
pub(crate) fn later(now: Timestamp, length: SignedDuration) -> Timestamp {
    now.checked_add(length).unwrap_or(Timestamp::MAX)
}
