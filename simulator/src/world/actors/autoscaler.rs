//! The cluster autoscaler as an outside actor: pools change their size by themselves, upgrade or no
//! upgrade.
//!
//! New nodes get what the scale set has by then, which during an upgrade is the new version. A
//! node that leaves is drained with regard to budgets, and stays when they refuse.

use std::collections::{BTreeMap, VecDeque};

use jiff::{SignedDuration, Timestamp};
use semver::Version;
use serde_json::Value;

use super::side_jobs::{SideJob, SideJobs};
use crate::{
    effects::ClusterKey,
    scenario::{Scaling, Scenario},
    world::{
        World,
        ids::{eight_digits, next_word},
        operations::{
            job::{Goal, later},
            work::Current,
        },
        resources::{cluster::Cluster, pool::Pool},
    },
};

/// How long a node may be drained for being too much ("max-graceful-termination-sec").
const DRAIN_TIMEOUT: SignedDuration = SignedDuration::from_mins(10);

/// What goes on in a cluster beside its operations.
#[derive(Clone, Debug)]
pub(crate) struct Autoscaler {
    given: VecDeque<Scaling>,
    every: Option<SignedDuration>,
    /// When it chooses next; nothing before the first instant that the world sees.
    next: Option<Timestamp>,
    word: u64,
}

/// Why the autoscaler does not do what it is asked to.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotScaled {
    /// No such pool.
    #[error("{cluster} has no pool {pool}")]
    NoPool {
        /// The cluster's ARM id.
        cluster: String,
        /// The pool.
        pool: String,
    },
    /// The pool is not the autoscaler's.
    #[error("pool {0} is not scaled by itself: its enableAutoScaling is not true")]
    Off(String),
    /// The cluster or the pool is stopped, or about to come or go.
    #[error("pool {0} has no nodes to change now: it, or its cluster, is stopped or about to come or go")]
    NotNow(String),
    /// The pool would be too small or too large.
    #[error("pool {pool} has between {least} and {most} nodes, not {count}")]
    Bounds {
        /// The pool.
        pool: String,
        /// Its `minCount`.
        least: u64,
        /// Its `maxCount`.
        most: u64,
        /// What was asked for.
        count: u64,
    },
}

/// The autoscalers of the clusters that have one.
pub(crate) fn autoscalers(scenario: &Scenario) -> BTreeMap<ClusterKey, Autoscaler> {
    let clusters = scenario.clusters.iter().filter_map(|cluster| {
        let spec = cluster.autoscaler.as_ref()?;
        let mut given = spec.at.clone();
        given.sort_by_key(|scaling| scaling.at);
        let word = scenario.seed ^ u64::from(eight_digits(&cluster.key().0));
        Some((cluster.key(), Autoscaler { given: given.into(), every: spec.every, next: None, word }))
    });
    clusters.collect()
}

impl Autoscaler {
    fn next_at(&self) -> Option<Timestamp> {
        self.given.front().map(|scaling| scaling.at).into_iter().chain(self.next).min()
    }

    /// One of three things, drawn for each pool.
    fn draw(&mut self) -> isize {
        self.word = next_word(self.word);
        match (self.word >> 33) % 3 {
            0 => -1,
            1 => 0,
            _ => 1,
        }
    }
}

impl World {
    pub(in crate::world) fn begin_autoscaling(&mut self, now: Timestamp) {
        for autoscaler in self.autoscalers.values_mut() {
            if autoscaler.next.is_none() {
                autoscaler.next = autoscaler.every.map(|every| later(now, every));
            }
        }
    }

    pub(in crate::world) fn next_scaling(&self) -> Option<Timestamp> {
        let jobs = self.side_jobs.values().filter_map(SideJobs::next_at);
        self.autoscalers.values().filter_map(Autoscaler::next_at).chain(jobs).min()
    }

    /// Lets the autoscaler of a pool add or remove nodes until there are `count`, or as near to it as
    /// the operation under way leaves it.
    ///
    /// # Errors
    /// When there is no such pool, it is not the autoscaler's, or `count` is out of its bounds.
    pub fn autoscale(
        &mut self,
        now: Timestamp,
        key: &ClusterKey,
        pool: &str,
        count: u64,
    ) -> Result<(), NotScaled> {
        self.advance(now);
        let missing = || NotScaled::NoPool { cluster: key.0.clone(), pool: pool.to_owned() };
        let cluster = self.clusters.get_mut(key).ok_or_else(missing)?;
        check(cluster.pools.get(pool).ok_or_else(missing)?, count)?;
        if !cluster.is_alive() || !cluster.autoscaled().iter().any(|(name, _)| name == pool) {
            return Err(NotScaled::NotNow(pool.to_owned()));
        }
        let jobs = self.side_jobs.entry(key.clone()).or_default();
        cluster.resize(pool, usize::try_from(count).unwrap_or(usize::MAX), jobs);
        self.advance(now);
        Ok(())
    }

    /// Chooses sizes that are due; what is due while a cluster is stopped or gone passes it by.
    pub(in crate::world) fn choose_sizes(&mut self, now: Timestamp) {
        let Self { autoscalers, clusters, side_jobs, .. } = self;
        for (key, autoscaler) in autoscalers {
            let mut cluster = clusters.get_mut(key).filter(|cluster| cluster.is_alive());
            let jobs = side_jobs.entry(key.clone()).or_default();
            while let Some(Scaling { pool, count, at: _ }) =
                autoscaler.given.pop_front_if(|scaling| scaling.at <= now)
            {
                if let Some(cluster) = &mut cluster {
                    cluster.resize(&pool, usize::try_from(count).unwrap_or(usize::MAX), jobs);
                }
            }
            if let (Some(next), Some(every)) = (autoscaler.next, autoscaler.every)
                && next <= now
            {
                autoscaler.next = Some(later(next, every).max(now));
                if let Some(cluster) = cluster {
                    cluster.resize_at_random(autoscaler, jobs);
                }
            }
        }
    }
}

fn check(pool: &Pool, count: u64) -> Result<(), NotScaled> {
    if pool.properties.get("enableAutoScaling") != Some(&Value::Bool(true)) {
        return Err(NotScaled::Off(pool.name.clone()));
    }
    let bound = |field: &str| pool.properties.get(field).and_then(Value::as_u64);
    let (least, most) = (bound("minCount").unwrap_or(0), bound("maxCount").unwrap_or(u64::MAX));
    if (least..=most).contains(&count) {
        return Ok(());
    }
    Err(NotScaled::Bounds { pool: pool.name.clone(), least, most, count })
}

impl Cluster {
    /// Pools whose size is the autoscaler's, with their bounds.
    fn autoscaled(&self) -> Vec<(String, (usize, usize))> {
        let number = |pool: &Pool, field: &str| {
            let number = pool.properties.get(field).and_then(Value::as_u64);
            number.and_then(|number| usize::try_from(number).ok())
        };
        let settled = |pool: &&Pool| {
            let stopped = pool.properties.get("powerState").is_some_and(|power| power["code"] == "Stopped");
            !stopped && !["Creating", "Deleting", "Starting", "Stopping"].contains(&pool.state())
        };
        let pools = self.pools.values().filter(settled).filter_map(|pool| {
            let on = pool.properties.get("enableAutoScaling") == Some(&Value::Bool(true));
            let bounds = (number(pool, "minCount")?, number(pool, "maxCount")?);
            on.then(|| (pool.name.clone(), bounds))
        });
        pools.collect()
    }

    fn resize_at_random(&mut self, autoscaler: &mut Autoscaler, jobs: &mut SideJobs) {
        for (pool, (least, most)) in self.autoscaled() {
            let change = autoscaler.draw();
            let count = self.pools.get(&pool).map_or(0, |pool| pool.members().len());
            let wanted = count.saturating_add_signed(change).clamp(least, most.max(least));
            self.resize(&pool, wanted, jobs);
        }
    }

    /// Brings a pool to a size, as far as there are nodes that may leave now.
    fn resize(&mut self, name: &str, count: usize, jobs: &mut SideJobs) {
        if !self.autoscaled().iter().any(|(pool, _)| pool == name) {
            return;
        }
        let durations = self.durations;
        let (goal, busy) = self.scale_set(name);
        let Some(pool) = self.pools.get_mut(name) else { return };
        let members = pool.members().iter().map(|node| node.name.clone()).collect::<Vec<_>>();
        let mut now_there = members.len().saturating_sub(jobs.leaving(name));
        while now_there < count {
            let node = pool.add_node(&goal.version, &goal.image, false);
            jobs.push(SideJob::coming(name, node, goal.clone(), durations.surge_create));
            now_there += 1;
        }
        let may_leave = members.iter().rev().filter(|node| !busy.contains(node) && !jobs.touches(node));
        let may_leave = may_leave.cloned().collect::<Vec<_>>();
        for node in may_leave.into_iter().take(now_there.saturating_sub(count)) {
            jobs.push(SideJob::going(name, node, goal.clone(), durations.delete));
            now_there -= 1;
        }
        pool.set("count", now_there);
    }

    /// A node that was to leave has stayed.
    pub(in crate::world) fn count_again(&mut self, node: &str) {
        if let Some(pool) = self.pools.values_mut().find(|pool| pool.nodes.contains_key(node)) {
            let count = pool.properties.get("count").and_then(Value::as_u64).unwrap_or(0);
            pool.set("count", count + 1);
        }
    }

    /// What new nodes of a pool run, and which nodes an upgrade is about.
    fn scale_set(&self, name: &str) -> (Goal, Vec<String>) {
        let rollout = self.work.as_ref().and_then(|work| match &work.current {
            Current::Pool(rollout) => Some(rollout).filter(|rollout| rollout.pool == name),
            Current::Nothing
            | Current::Pause { .. }
            | Current::Reconcile { .. }
            | Current::ControlPlane(_)
            | Current::Scale { .. } => None,
        });
        let pool = self.pools.get(name);
        let shown = || pool.map_or(Version::new(0, 0, 0), Pool::version);
        let image = || pool.map_or_else(String::new, |pool| pool.image().to_owned());
        let (version, image) = rollout.map_or_else(|| (shown(), image()), |rollout| rollout.goes_to());
        let busy = rollout.map_or_else(Vec::new, |rollout| rollout.nodes());
        (Goal { version, image, drain_timeout: DRAIN_TIMEOUT, force: false }, busy)
    }
}
