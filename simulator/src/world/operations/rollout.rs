//! The upgrade of one pool, node by node.
//!
//! Surge nodes first (already new), then batches of as many nodes as there are surge nodes:
//! cordon, drain, reimage in place, uncordon, soak; at the end the surge nodes go. With
//! `maxSurge: 0` batches of `maxUnavailable` nodes, and nothing is added ("Upgrade options
//! for Azure Kubernetes Service clusters"). A blocked drain fails the upgrade once its batch
//! has settled, or quarantines the node where the pool asks for that.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};
use semver::Version;
use serde_json::Value;

use super::{
    failure,
    job::{Failure, Goal, Job, Site, Step},
};
use crate::{
    effects::{BlockedPod, EffectId, Outcome},
    scenario::{Durations, Fault, Subnet},
    world::resources::pool::Pool,
};

/// Minutes that a drain may take when the pool does not say.
const DRAIN_TIMEOUT_MINUTES: i64 = 30;

/// An upgrade of a pool under way.
#[derive(Clone, Debug)]
pub(crate) struct Rollout {
    pub(crate) pool: String,
    goal: Goal,
    phase: Phase,
    jobs: Vec<Job>,
    pending: VecDeque<String>,
    total: usize,
    surge: usize,
    batch: usize,
    soak: SignedDuration,
    lengths: Lengths,
    quarantine: Option<usize>,
    quarantined: Vec<(String, Vec<BlockedPod>)>,
    fault: Option<Fault>,
    hitch: Option<Value>,
    subnet: Option<Subnet>,
}

/// The surroundings of an upgrade of a pool.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    pub(crate) durations: Durations,
    pub(crate) fault: Option<Fault>,
    /// Disruption budgets do not count.
    pub(crate) force: bool,
    /// Where the surge nodes get their addresses.
    pub(crate) subnet: Option<Subnet>,
    /// Surge nodes that the quota allows.
    pub(crate) surge_at_most: Option<usize>,
}

#[derive(Clone, Copy, Debug)]
struct Lengths {
    create: SignedDuration,
    reimage: SignedDuration,
    delete: SignedDuration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Starting,
    AddingSurge,
    Rolling,
    RemovingSurge,
}

/// How far a pool's upgrade is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Progress {
    Running,
    Done,
    Failed(Value),
}

impl Rollout {
    pub(crate) fn new(pool: &Pool, version: Version, image: String, terms: Terms) -> Self {
        let Terms { durations, fault, force, subnet, surge_at_most } = terms;
        let (new_version, new_image) = (version.to_string(), image.clone());
        let done = |version: &str, image: &str| version == new_version && image == new_image;
        let members = pool.members();
        let (new, old): (Vec<_>, Vec<_>) =
            members.into_iter().partition(|node| done(&node.kubernetes_version, &node.node_image));
        let left_cordoned = new.iter().filter(|node| node.cordoned);
        let jobs = left_cordoned.map(|node| Job::new(&node.name, [Step::Uncordon])).collect();
        let surge = pool.amount("maxSurge").unwrap_or(1).min(old.len());
        let surge = surge_at_most.map_or(surge, |most| surge.min(most));
        let unavailable = pool.amount("maxUnavailable").unwrap_or(0);
        let minutes = |field, default| SignedDuration::from_mins(pool.minutes(field, default));
        Self {
            pool: pool.name.clone(),
            goal: Goal {
                version,
                image,
                drain_timeout: minutes("drainTimeoutInMinutes", DRAIN_TIMEOUT_MINUTES),
                force,
            },
            phase: Phase::Starting,
            jobs,
            total: old.len(),
            pending: old.into_iter().map(|node| node.name.clone()).collect(),
            surge,
            batch: if surge > 0 { surge } else { unavailable.max(1) },
            soak: minutes("nodeSoakDurationInMinutes", 0),
            lengths: Lengths {
                create: durations.surge_create,
                reimage: if pool.is_windows() { durations.reimage_windows } else { durations.reimage_linux },
                delete: durations.delete,
            },
            quarantine: pool
                .quarantines()
                .then(|| pool.amount("maxBlockedNodes").or(pool.amount("maxSurge")).unwrap_or(1)),
            quarantined: Vec::new(),
            fault,
            hitch: None,
            subnet,
        }
    }

    /// Goes on as far as it can now.
    pub(crate) fn advance(&mut self, pool: &mut Pool, site: &mut Site<'_>) -> Progress {
        loop {
            let mut all_finished = true;
            for job in &mut self.jobs {
                all_finished &= job.advance(pool, &self.goal, site);
            }
            if !all_finished {
                return Progress::Running;
            }
            let finished = std::mem::take(&mut self.jobs);
            if let Some(error) = self.take_failures(finished, pool) {
                return Progress::Failed(error);
            }
            if !self.jobs.is_empty() {
                continue;
            }
            if let Some(error) = self.next_jobs(pool) {
                return Progress::Failed(error);
            }
            if self.jobs.is_empty() && self.phase == Phase::RemovingSurge {
                return match self.quarantined.as_slice() {
                    [] => Progress::Done,
                    nodes => Progress::Failed(failure::quarantined(&self.pool, nodes)),
                };
            }
        }
    }

    /// Turns blocked drains into quarantines, or into the upgrade's failure.
    fn take_failures(&mut self, finished: Vec<Job>, pool: &mut Pool) -> Option<Value> {
        for job in finished {
            let Job { node, failure, .. } = job;
            let pods = match failure {
                None => continue,
                Some(Failure::Broken(message)) => {
                    return Some(failure::broken(&format!("node {node}: {message}")));
                }
                Some(Failure::Blocked(pods)) => pods,
            };
            let error = failure::blocked_drain(&self.pool, &node, &pods);
            let limit = match (self.quarantine, self.phase) {
                (Some(limit), Phase::Rolling) => limit,
                _ => return Some(error),
            };
            let replacement = pool.nodes.values_mut().find(|node| node.surge);
            let Some(replacement) = replacement.filter(|_| self.quarantined.len() < limit) else {
                return Some(error);
            };
            replacement.surge = false;
            self.jobs.push(Job::new(&node, [Step::Quarantine]));
            self.quarantined.push((node, pods));
        }
        None
    }

    /// Fills `jobs` with what comes next; none at the very end.
    fn next_jobs(&mut self, pool: &mut Pool) -> Option<Value> {
        if self.phase == Phase::RemovingSurge {
            return None;
        }
        // The autoscaler may have taken some away.
        self.pending.retain(|node| pool.nodes.contains_key(node));
        let missing = self.surge.saturating_sub(self.fresh_surge(pool));
        if self.pending.is_empty() {
            self.phase = Phase::RemovingSurge;
            let surge = pool.nodes.values().filter(|node| node.surge);
            self.jobs = surge.map(|node| Job::new(&node.name, self.removal(node.ready))).collect();
        } else if missing > 0 && self.phase != Phase::AddingSurge {
            self.phase = Phase::AddingSurge;
            if let Some(subnet) = &self.subnet
                && usize::try_from(subnet.free_addresses).is_ok_and(|free| free < missing)
            {
                return Some(failure::subnet_is_full(&self.pool, subnet));
            }
            for _ in 0..missing {
                let node = pool.add_node(&self.goal.version, &self.goal.image, true);
                self.jobs.push(Job::new(node, [Step::Pause(self.lengths.create), Step::Create]));
            }
        } else {
            self.phase = Phase::Rolling;
            return self.next_batch();
        }
        None
    }

    fn next_batch(&mut self) -> Option<Value> {
        let done = self.total.saturating_sub(self.pending.len());
        let strikes = self.fault.take_if(|fault| usize::try_from(fault.after_nodes).unwrap_or(0) <= done);
        if let Some(error) = strikes.as_ref().and_then(Fault::lasting) {
            return Some(failure::scripted(error));
        }
        if let Some(error) = strikes.as_ref().and_then(Fault::passing) {
            self.hitch = Some(failure::scripted(error));
        }
        let batch = self.pending.len().min(self.batch);
        let steps = [
            Step::Cordon,
            Step::Drain,
            Step::Pause(self.lengths.reimage),
            Step::Reimage,
            Step::Uncordon,
            Step::Pause(self.soak),
        ];
        self.jobs = self.pending.drain(..batch).map(|node| Job::new(node, steps)).collect();
        if let (Some(job), Some(fault)) = (self.jobs.first_mut(), strikes) {
            job.blocked_by = fault.blocked_by.into_iter().map(blocked_pod).collect();
        }
        None
    }

    /// Surge nodes that already run what the upgrade is for.
    fn fresh_surge(&self, pool: &Pool) -> usize {
        let version = self.goal.version.to_string();
        let fresh = pool.nodes.values().filter(|node| {
            node.surge
                && node.ready
                && node.kubernetes_version == version
                && node.node_image == self.goal.image
        });
        fresh.count()
    }

    fn removal(&self, ready: bool) -> Vec<Step> {
        if ready {
            vec![Step::Cordon, Step::Drain, Step::Pause(self.lengths.delete), Step::Delete]
        } else {
            vec![Step::Delete]
        }
    }

    /// What the operation's status says meanwhile (recorded).
    pub(crate) fn status(&self) -> String {
        let under_way = if self.phase == Phase::Rolling { self.jobs.len() } else { 0 };
        let done = self.total.saturating_sub(self.pending.len() + under_way);
        match self.phase {
            Phase::Starting => "InProgress".to_owned(),
            Phase::AddingSurge => "RollingUpgradeCreatingSurgeNodes".to_owned(),
            Phase::Rolling => format!(
                "RollingUpgradeUpgradingNodes: {done}/{} nodes completed; {} errors",
                self.total,
                self.quarantined.len()
            ),
            Phase::RemovingSurge => "RollingUpgradeRemovingSurgeNodes".to_owned(),
        }
    }

    /// Version and image that nodes have afterwards.
    pub(crate) fn goes_to(&self) -> (Version, String) {
        (self.goal.version.clone(), self.goal.image.clone())
    }

    /// The nodes that are not done yet.
    pub(crate) fn nodes(&self) -> Vec<String> {
        let under_way = self.jobs.iter().map(|job| job.node.clone());
        self.pending.iter().cloned().chain(under_way).collect()
    }

    /// Whether some nodes are done and others are not; with one node, whether its turn has come.
    pub(crate) fn is_done_in_part(&self) -> bool {
        self.phase == Phase::Rolling && (self.total == 1 || self.pending.len() + self.jobs.len() < self.total)
    }

    /// The error that AKS gets over.
    pub(crate) const fn hitch(&self) -> Option<&Value> {
        self.hitch.as_ref()
    }

    /// Where each node stood when the upgrade was stopped.
    pub(crate) fn into_jobs(self) -> Vec<Job> {
        self.jobs
    }

    pub(crate) fn settle(&mut self, id: EffectId, outcome: &Outcome) {
        let _taken = self.jobs.iter_mut().any(|job| job.settle(id, outcome));
    }

    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        self.jobs.iter().filter_map(Job::deadline).min()
    }

    pub(crate) fn image(&self) -> &str {
        &self.goal.image
    }
}

fn blocked_pod(blocked: crate::scenario::BlockedBy) -> BlockedPod {
    let crate::scenario::BlockedBy { namespace, pod, budget } = blocked;
    let message = "Cannot evict pod as it would violate the pod's disruption budget.".to_owned();
    BlockedPod { namespace, pod, budget, message }
}
