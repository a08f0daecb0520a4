//! The cluster autoscaler: nodes come and go without an operation of AKS, also while one runs.
//!
//! It asks the scale set, which already makes nodes of the new version and image while its pool is
//! upgraded. It takes no node away that an operation works on.

use jiff::Timestamp;
use semver::Version;
use serde_json::Value;

use super::{
    World,
    cluster::Cluster,
    pool::Pool,
    work::{Current, Work},
};
use crate::effects::{ClusterKey, Effect};

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

impl World {
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
        for effect in cluster.rescale(pool, usize::try_from(count).unwrap_or(usize::MAX)) {
            self.outbox.emit(now, key, cluster.driver, effect, &[]);
        }
        self.advance(now);
        Ok(())
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
    /// Changes the number of nodes of a pool; what has to happen to them.
    fn rescale(&mut self, name: &str, count: usize) -> Vec<Effect> {
        let Self { pools, work, .. } = self;
        let Some(pool) = pools.get_mut(name) else {
            return Vec::new();
        };
        let goal = work.as_ref().and_then(|work| work.goal_of(name));
        let (version, image) = goal.unwrap_or_else(|| (pool.version(), pool.image().to_owned()));
        let mut effects = Vec::new();
        for _ in pool.members().len()..count {
            let node = pool.add_node(&version, &image, false);
            effects.push(Effect::CreateNode(pool.render_node(&node, &version.to_string(), &image)));
        }
        let is_free = |node: &str| work.as_ref().is_none_or(|work| !work.is_at(node));
        let members = pool.members();
        let surplus = members.len().saturating_sub(count);
        let free = members.iter().rev().filter(|node| node.ready && is_free(&node.name));
        let gone = free.take(surplus).map(|node| node.name.clone()).collect::<Vec<_>>();
        let left = members.len() - gone.len();
        effects.extend(gone.into_iter().map(|node| Effect::DeleteNode { node }));
        pool.set("count", left);
        effects
    }
}

impl Work {
    /// What an upgrade under way makes of a pool's nodes.
    fn goal_of(&self, pool: &str) -> Option<(Version, String)> {
        match &self.current {
            Current::Pool(rollout) => (rollout.pool == pool).then(|| rollout.goal()),
            Current::Nothing
            | Current::Pause { .. }
            | Current::Reconcile { .. }
            | Current::ControlPlane(_)
            | Current::Scale { .. } => None,
        }
    }

    /// Whether something is being done to this node right now.
    fn is_at(&self, node: &str) -> bool {
        match &self.current {
            Current::Pool(rollout) => rollout.is_at(node),
            Current::Scale { jobs, .. } => jobs.iter().any(|job| job.node == node),
            Current::Nothing
            | Current::Pause { .. }
            | Current::Reconcile { .. }
            | Current::ControlPlane(_) => false,
        }
    }
}
