//! What is going on in a cluster: the tasks of its one operation, and their progress.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};
use semver::Version;

use super::{
    job::{Goal, Job, Waiting},
    rollout::Rollout,
};
use crate::effects::{EffectId, Outcome};

/// The one operation of a cluster that is under way.
#[derive(Clone, Debug)]
pub(crate) struct Work {
    /// Id of the operation.
    pub(crate) operation: String,
    /// The pool that it is about; the cluster itself when none.
    pub(crate) pool: Option<String>,
    pub(crate) tasks: VecDeque<Task>,
    pub(crate) current: Current,
    pub(crate) started: Timestamp,
    /// AKS's word for it, for the answer to whoever comes next.
    pub(crate) verb: &'static str,
}

/// One part of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    ControlPlane(Version),
    Pool {
        pool: String,
        version: Version,
        image: String,
    },
    Scale {
        pool: String,
    },
    Pause(SignedDuration),
    /// The end of an abort: what it is about becomes Canceled.
    Cancel,
}

/// The part that is under way.
#[derive(Clone, Debug)]
pub(crate) enum Current {
    Nothing,
    Pause { until: Timestamp },
    ControlPlane { version: Version, waiting: Waiting, failure: Option<String> },
    Pool(Box<Rollout>),
    Scale { pool: String, goal: Goal, jobs: Vec<Job> },
}

impl Work {
    pub(crate) fn settle(&mut self, id: EffectId, outcome: &Outcome) {
        match &mut self.current {
            Current::ControlPlane { waiting, failure, version: _ } if *waiting == Waiting::Effect(id) => {
                *waiting = Waiting::Nothing;
                if let Outcome::Failed(message) = outcome {
                    *failure = Some(message.clone());
                }
            }
            Current::Pool(rollout) => rollout.settle(id, outcome),
            Current::Scale { jobs, .. } => {
                let _taken = jobs.iter_mut().any(|job| job.settle(id, outcome));
            }
            Current::Nothing | Current::Pause { .. } | Current::ControlPlane { .. } => {}
        }
    }

    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        match &self.current {
            Current::Nothing => None,
            Current::Pause { until } => Some(*until),
            Current::ControlPlane { waiting, .. } => match waiting {
                Waiting::Until(at) => Some(*at),
                Waiting::Nothing | Waiting::Effect(_) => None,
            },
            Current::Pool(rollout) => rollout.deadline(),
            Current::Scale { jobs, .. } => jobs.iter().filter_map(Job::deadline).min(),
        }
    }

    pub(crate) fn status(&self) -> String {
        match &self.current {
            Current::Pool(rollout) => rollout.status(),
            Current::Nothing
            | Current::Pause { .. }
            | Current::ControlPlane { .. }
            | Current::Scale { .. } => "InProgress".to_owned(),
        }
    }
}
