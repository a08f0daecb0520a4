//! Nodes that come and go beside the operations of a cluster: nobody is told, nothing is busy.

use jiff::{SignedDuration, Timestamp};

use crate::{
    effects::{EffectId, Outcome},
    world::{
        World,
        operations::job::{Goal, Job, Site, Step},
        outbox::Outbox,
        resources::{cluster::Cluster, pool::Pool},
    },
};

/// One node on its way.
#[derive(Clone, Debug)]
pub(crate) struct SideJob {
    /// The pool, or the provisioned nodes when empty.
    pub(crate) pool: String,
    pub(crate) goal: Goal,
    pub(crate) job: Job,
    /// It is to be gone at the end.
    pub(crate) leaves: bool,
}

impl SideJob {
    /// A node that comes.
    pub(crate) fn coming(pool: &str, node: String, goal: Goal, create: SignedDuration) -> Self {
        let job = Job::new(node, [Step::Pause(create), Step::Create]);
        Self { pool: pool.to_owned(), goal, job, leaves: false }
    }

    /// A node that goes, with regard to budgets.
    pub(crate) fn going(pool: &str, node: String, goal: Goal, delete: SignedDuration) -> Self {
        let job = Job::new(node, [Step::Cordon, Step::Drain, Step::Pause(delete), Step::Delete]);
        Self { pool: pool.to_owned(), goal, job, leaves: true }
    }
}

/// All of one cluster.
#[derive(Clone, Debug, Default)]
pub(crate) struct SideJobs(Vec<SideJob>);

impl SideJobs {
    pub(crate) fn push(&mut self, job: SideJob) {
        self.0.push(job);
    }

    /// Whether a node of the pool is on its way.
    pub(crate) fn is_busy(&self, pool: &str) -> bool {
        self.0.iter().any(|job| job.pool == pool)
    }

    /// Whether the node is on its way already.
    pub(crate) fn touches(&self, node: &str) -> bool {
        self.0.iter().any(|job| job.job.node == node)
    }

    /// How many nodes of the pool are on their way out.
    pub(crate) fn leaving(&self, pool: &str) -> usize {
        self.0.iter().filter(|job| job.pool == pool && job.leaves).count()
    }

    pub(crate) fn settle(&mut self, id: EffectId, outcome: &Outcome) {
        let _taken = self.0.iter_mut().any(|job| job.job.settle(id, outcome));
    }

    pub(crate) fn next_at(&self) -> Option<Timestamp> {
        self.0.iter().filter_map(|job| job.job.deadline()).min()
    }

    /// Goes on with each as far as it can now; the nodes that could not leave.
    fn advance(&mut self, now: Timestamp, cluster: &Cluster, outbox: &mut Outbox) -> Vec<String> {
        let mut site = Site { now, cluster: &cluster.key, driver: cluster.driver, outbox };
        let mut stayed = Vec::new();
        let mut going_on = Vec::new();
        for mut side in std::mem::take(&mut self.0) {
            let pool = cluster.nodes_of(&side.pool);
            // Somebody else may have taken the node away meanwhile.
            let Some(pool) = pool.filter(|pool| pool.nodes.contains_key(&side.job.node)) else { continue };
            if !side.job.advance(pool, &side.goal, &mut site) {
                going_on.push(side);
            } else if side.job.failure.take().is_some() {
                // It takes pods again; whoever wanted it away may try again later.
                stayed.push(side.job.node.clone());
                side.leaves = false;
                side.job = Job::new(side.job.node, [Step::Uncordon]);
                if !side.job.advance(pool, &side.goal, &mut site) {
                    going_on.push(side);
                }
            }
        }
        self.0.extend(going_on);
        stayed
    }
}

impl World {
    /// Goes on with the nodes that are on their way; true when one of them has arrived or stayed.
    pub(in crate::world) fn advance_side_jobs(&mut self, now: Timestamp) -> bool {
        let Self { clusters, side_jobs, outbox, .. } = self;
        let mut has_changed = false;
        side_jobs.retain(|key, jobs| {
            let Some(cluster) = clusters.get_mut(key) else {
                return false;
            };
            let before = jobs.0.len();
            let stayed = jobs.advance(now, cluster, outbox);
            has_changed |= !stayed.is_empty() || jobs.0.len() != before;
            for node in stayed {
                cluster.count_again(&node);
            }
            !jobs.0.is_empty()
        });
        has_changed
    }
}

impl Cluster {
    /// Whether anything happens in it by itself.
    pub(in crate::world) fn is_alive(&self) -> bool {
        !self.is_stopped() && self.text("provisioningState") != "Deleting"
    }

    /// The nodes of a pool, or those that are provisioned outside of all pools.
    pub(crate) fn nodes_of(&self, pool: &str) -> Option<&Pool> {
        if pool.is_empty() { self.provisioned.as_ref() } else { self.pools.get(pool) }
    }
}
