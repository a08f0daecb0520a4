//! What is going on in a cluster: the tasks of its one operation, and their progress.

use std::collections::{BTreeMap, VecDeque};

use jiff::{SignedDuration, Timestamp};
use semver::Version;
use serde_json::Value;

use super::{
    control_plane::ControlPlaneUpgrade,
    job::{Goal, Job, Site},
    rollout::Rollout,
};
use crate::{
    effects::{EffectId, Outcome},
    world::{quirks::operations::OperationQuirks, resources::pool::Pool},
};

/// How long the status of an operation says nothing but this (recorded: half a minute or more).
const SILENT: SignedDuration = SignedDuration::from_secs(30);

/// What the status of an operation says when there is nothing more to say.
const IN_PROGRESS: &str = "InProgress";

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
    /// Pools that show the cluster's own state while this runs.
    pub(crate) followers: BTreeMap<String, Follower>,
    /// Disruption budgets do not count: `forceUpgrade` was in effect at the start.
    pub(crate) force: bool,
    /// An error that AKS gets over.
    pub(crate) hitch: Option<Value>,
    /// The operation that this one aborts.
    pub(crate) aborts: Option<String>,
    /// What the operation's status said last.
    pub(crate) text: String,
    pub(crate) quirks: OperationQuirks,
}

/// A pool of a cluster as a whole of which an operation is about (recorded: the pools show the
/// cluster's own state).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Follower {
    /// The operation changes the pool, which becomes what the operation becomes.
    Involved,
    /// It only looks so; afterwards the pool is again what it was.
    Bystander(String),
}

/// One part of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    ControlPlane(Version),
    Pool {
        pool: String,
        version: Version,
        image: String,
        /// Surge nodes that the quota allows.
        surge_at_most: Option<usize>,
    },
    Scale {
        pool: String,
    },
    /// New settings of the cluster, brought to everything that runs for it.
    Reconcile(SignedDuration),
    /// All nodes go, without being drained.
    Empty {
        pool: String,
    },
    /// What has been made shows what it got.
    Settle,
    /// The pool is gone, or the cluster itself.
    Remove {
        pool: Option<String>,
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
    Reconcile { began: Timestamp, until: Timestamp },
    ControlPlane(Box<ControlPlaneUpgrade>),
    Pool(Box<Rollout>),
    Scale { pool: String, goal: Goal, jobs: Vec<Job> },
}

impl Work {
    pub(crate) fn settle(&mut self, id: EffectId, outcome: &Outcome) {
        match &mut self.current {
            Current::ControlPlane(upgrade) => upgrade.settle(id, outcome),
            Current::Pool(rollout) => rollout.settle(id, outcome),
            Current::Scale { jobs, .. } => {
                let _taken = jobs.iter_mut().any(|job| job.settle(id, outcome));
            }
            Current::Nothing | Current::Pause { .. } | Current::Reconcile { .. } => {}
        }
    }

    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        if let Some(until) = self.quirks.stuck_until() {
            return until;
        }
        match &self.current {
            Current::Nothing => None,
            Current::Pause { until } | Current::Reconcile { until, .. } => Some(*until),
            Current::ControlPlane(upgrade) => upgrade.deadline(),
            Current::Pool(rollout) => rollout.deadline(),
            Current::Scale { jobs, .. } => jobs.iter().filter_map(Job::deadline).min(),
        }
    }

    /// What the operation's status says.
    pub(crate) fn status(&self, now: Timestamp) -> String {
        if now.duration_since(self.started) < SILENT {
            return IN_PROGRESS.to_owned();
        }
        match &self.current {
            Current::Pool(rollout) => rollout.status(),
            Current::ControlPlane(upgrade) => upgrade.status(now).to_owned(),
            Current::Reconcile { began, until } => reconciling(*began, *until, now).to_owned(),
            Current::Scale { jobs, .. } => {
                creating(self.verb, jobs).unwrap_or_else(|| IN_PROGRESS.to_owned())
            }
            Current::Nothing | Current::Pause { .. } => IN_PROGRESS.to_owned(),
        }
    }

    /// Whether a part of it is done, and a part is not.
    pub(crate) fn is_done_in_part(&self, now: Timestamp) -> bool {
        match &self.current {
            Current::Pool(rollout) => rollout.is_done_in_part(),
            Current::ControlPlane(upgrade) => upgrade.is_about_to_restart(now),
            Current::Nothing | Current::Pause { .. } | Current::Reconcile { .. } | Current::Scale { .. } => {
                false
            }
        }
    }

    /// An error that AKS is getting over, for the body of the operation.
    pub(crate) fn hitch(&self) -> Option<&Value> {
        let rollout = match &self.current {
            Current::Pool(rollout) => rollout.hitch(),
            Current::Nothing
            | Current::Pause { .. }
            | Current::Reconcile { .. }
            | Current::ControlPlane(_)
            | Current::Scale { .. } => None,
        };
        self.hitch.as_ref().or(rollout)
    }

    /// Ends it where it is: running drains stop, nothing is undone, nothing new begins.
    pub(crate) fn stop(&mut self, pools: &mut BTreeMap<String, Pool>, site: &mut Site<'_>) {
        self.tasks.clear();
        let current = std::mem::replace(&mut self.current, Current::Nothing);
        let (pool, jobs) = match current {
            Current::Pool(rollout) => (rollout.pool.clone(), rollout.into_jobs()),
            Current::Scale { pool, jobs, .. } => (pool, jobs),
            Current::Nothing
            | Current::Pause { .. }
            | Current::Reconcile { .. }
            | Current::ControlPlane(_) => return,
        };
        for job in jobs {
            if job.is_yet_to_create()
                && let Some(pool) = pools.get_mut(&pool)
            {
                pool.nodes.remove(&job.node);
            }
            job.stop(site);
        }
    }
}

/// What AKS calls the making of a cluster.
pub(in crate::world) const CREATE_CLUSTER: &str = "create managed cluster";

/// What AKS calls the making of a pool.
pub(in crate::world) const CREATE_POOL: &str = "create agent pool";

/// What AKS says while it makes the nodes of new pools (recorded).
fn creating(verb: &str, jobs: &[Job]) -> Option<String> {
    let what = match verb {
        CREATE_CLUSTER => "CreatingAgentPools",
        CREATE_POOL => "CreatingAgentPool",
        _ => return None,
    };
    let made = jobs.iter().filter(|job| !job.is_yet_to_create()).count();
    Some(format!("{what}: {made}/{} nodes completed", jobs.len()))
}

/// What AKS says while it brings new settings of a cluster to everything (recorded).
pub(in crate::world) fn reconciling(began: Timestamp, until: Timestamp, now: Timestamp) -> &'static str {
    let length = until.duration_since(began).as_secs_f64();
    let done = now.duration_since(began).as_secs_f64();
    if done < length * 0.3 {
        "ProvisioningControlPlane"
    } else if done < length * 0.4 {
        "ReconcilingDNS"
    } else {
        "ReconcilingAddons"
    }
}
