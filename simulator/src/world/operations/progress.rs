//! How the operation of a cluster goes on, and how it ends.

use jiff::Timestamp;
use semver::Version;
use serde_json::Value;

use super::{
    control_plane::ControlPlaneUpgrade,
    failure,
    job::{Goal, Job, Site, Step, later},
    operation::{OperationState, Operations},
    rollout::{Progress, Rollout, Terms},
    work::{Current, Follower, Task, Work},
};
use crate::{
    scenario::Durations,
    world::{ids::Ids, outbox::Outbox, resources::cluster::Cluster},
};

/// How an operation ended.
#[derive(Debug, PartialEq)]
enum End {
    Succeeded,
    Canceled,
    Failed(Value),
}

impl Cluster {
    /// Goes on with what is under way as far as it can now.
    pub(in crate::world) fn progress(
        &mut self,
        now: Timestamp,
        outbox: &mut Outbox,
        operations: &mut Operations,
        ids: &mut Ids,
    ) {
        let Some(mut work) = self.work.take() else {
            return;
        };
        let preempted = work.quirks.preempted && work.is_done_in_part(now);
        let end = if preempted {
            let mut site = Site { now, cluster: &self.key, driver: self.driver, outbox };
            work.stop(&mut self.pools, &mut site);
            Some(End::Succeeded)
        } else {
            self.work_on(&mut work, now, outbox, ids)
        };
        if preempted || (work.quirks.preempted && end == Some(End::Succeeded)) {
            operations.preempt(now, &work.operation);
        }
        work.text = work.status(now);
        operations.report(&work.operation, work.text.clone(), work.hitch());
        let Some(end) = end else {
            self.work = Some(work);
            return;
        };
        let state = match &end {
            End::Succeeded | End::Canceled => OperationState::Succeeded,
            End::Failed(error) => OperationState::Failed(error.clone()),
        };
        operations.end(now, &work.operation, state);
        if let Some(aborted) = &work.aborts {
            operations.end(now, aborted, OperationState::Canceled);
        }
        self.finish(&work, &end, ids);
    }

    fn work_on(
        &mut self,
        work: &mut Work,
        now: Timestamp,
        outbox: &mut Outbox,
        ids: &mut Ids,
    ) -> Option<End> {
        loop {
            let current = std::mem::replace(&mut work.current, Current::Nothing);
            let (current, progress) = self.continue_current(current, now, outbox);
            match progress {
                Progress::Running => {
                    work.current = current;
                    return None;
                }
                Progress::Failed(error) => {
                    work.current = current;
                    return Some(End::Failed(error));
                }
                Progress::Done => self.complete_task(work, current, ids),
            }
            match work.tasks.pop_front() {
                None => return Some(End::Succeeded),
                Some(Task::Cancel) => return Some(End::Canceled),
                Some(task) => work.current = self.begin(task, work, now),
            }
        }
    }

    fn begin(&mut self, task: Task, work: &mut Work, now: Timestamp) -> Current {
        let durations = work.quirks.slow_all(&self.durations);
        match task {
            Task::Pause(length) => Current::Pause { until: later(now, work.quirks.slow(length)) },
            Task::Reconcile(length) => {
                Current::Reconcile { began: now, until: later(now, work.quirks.slow(length)) }
            }
            Task::ControlPlane(version) => {
                let fault = self.fault(None, self.upgrades);
                let upgrade = ControlPlaneUpgrade::new(now, version, durations.control_plane, fault);
                work.hitch = upgrade.hitch();
                Current::ControlPlane(Box::new(upgrade))
            }
            Task::Pool { pool: name, version, image, surge_at_most } => {
                let Some(pool) = self.pools.get(&name) else {
                    return Current::Nothing;
                };
                let terms = Terms {
                    durations,
                    fault: self.fault(Some(&name), pool.upgrades),
                    force: work.force,
                    subnet: self.constraints.subnet.clone(),
                    surge_at_most,
                };
                Current::Pool(Box::new(Rollout::new(pool, version, image, terms)))
            }
            Task::Scale { pool } => self.begin_scale(pool, durations),
            Task::Empty { pool } => self.begin_emptying(pool, durations),
            Task::Settle => {
                self.settle();
                Current::Nothing
            }
            Task::Remove { pool } => {
                self.remove(pool.as_deref());
                Current::Nothing
            }
            Task::Cancel => Current::Nothing,
        }
    }

    fn begin_scale(&mut self, name: String, durations: Durations) -> Current {
        let Some(pool) = self.pools.get_mut(&name) else {
            return Current::Nothing;
        };
        let count = pool.properties.get("count").and_then(Value::as_u64).unwrap_or(0);
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let (version, image): (Version, String) = (pool.version(), pool.image().to_owned());
        let members = pool.members();
        let surplus = members.iter().skip(count).map(|node| {
            Job::new(&node.name, [Step::Cordon, Step::Drain, Step::Pause(durations.delete), Step::Delete])
        });
        let mut jobs = surplus.collect::<Vec<_>>();
        for _ in members.len()..count {
            let node = pool.add_node(&version, &image, false);
            jobs.push(Job::new(node, [Step::Pause(durations.surge_create), Step::Create]));
        }
        let drain_timeout = jiff::SignedDuration::from_mins(pool.minutes("drainTimeoutInMinutes", 30));
        Current::Scale { pool: name, goal: Goal { version, image, drain_timeout, force: false }, jobs }
    }

    fn continue_current(
        &mut self,
        current: Current,
        now: Timestamp,
        outbox: &mut Outbox,
    ) -> (Current, Progress) {
        let key = self.key.clone();
        let mut site = Site { now, cluster: &key, driver: self.driver, outbox };
        match current {
            Current::Nothing => (Current::Nothing, Progress::Done),
            Current::Pause { until } => {
                let progress = if until <= now { Progress::Done } else { Progress::Running };
                (Current::Pause { until }, progress)
            }
            Current::Reconcile { began, until } => {
                let progress = if until <= now { Progress::Done } else { Progress::Running };
                (Current::Reconcile { began, until }, progress)
            }
            Current::ControlPlane(mut upgrade) => {
                let progress = upgrade.advance(&mut site);
                (Current::ControlPlane(upgrade), progress)
            }
            Current::Pool(mut rollout) => {
                let progress = match self.pools.get_mut(&rollout.pool) {
                    Some(pool) => rollout.advance(pool, &mut site),
                    None => Progress::Done,
                };
                (Current::Pool(rollout), progress)
            }
            Current::Scale { pool: name, goal, mut jobs } => {
                let progress = match self.pools.get(&name) {
                    Some(pool) => advance_all(&mut jobs, |job| job.advance(pool, &goal, &mut site)),
                    None => Progress::Done,
                };
                (Current::Scale { pool: name, goal, jobs }, progress)
            }
        }
    }

    /// What a task leaves behind when it is done.
    fn complete_task(&mut self, work: &mut Work, current: Current, ids: &mut Ids) {
        let Current::Pool(rollout) = current else {
            return;
        };
        if work.hitch.is_none() {
            work.hitch = rollout.hitch().cloned();
        }
        if let Some(pool) = self.pools.get_mut(&rollout.pool) {
            pool.set("nodeImageVersion", rollout.image());
        }
        if work.followers.remove(&rollout.pool).is_some() {
            self.set_state(Some(&rollout.pool), "Succeeded");
        }
        self.touch(Some(&rollout.pool), ids);
    }

    fn finish(&mut self, work: &Work, end: &End, ids: &mut Ids) {
        let scope = work.pool.as_deref();
        let state = match end {
            End::Succeeded => "Succeeded",
            End::Canceled => "Canceled",
            End::Failed(_) => "Failed",
        };
        self.set_state(scope, state);
        self.release(&work.followers, state, ids);
        if state == "Canceled" {
            self.resume_what_did_not_stop(scope);
        }
        self.touch(scope, ids);
    }

    /// Pools no longer show the state of the cluster's operation, which has ended so.
    pub(in crate::world) fn release(
        &mut self,
        followers: &std::collections::BTreeMap<String, Follower>,
        state: &str,
        ids: &mut Ids,
    ) {
        for (name, follower) in followers {
            let state = match follower {
                Follower::Involved => state,
                Follower::Bystander(before) => before,
            };
            self.set_state(Some(name), state);
            self.touch(Some(name), ids);
        }
    }
}

/// All jobs side by side; the first failure counts once all have ended.
fn advance_all(jobs: &mut [Job], mut advance: impl FnMut(&mut Job) -> bool) -> Progress {
    let mut finished = true;
    for job in jobs.iter_mut() {
        finished &= advance(job);
    }
    if !finished {
        return Progress::Running;
    }
    match jobs.iter().find(|job| job.failure.is_some()) {
        None => Progress::Done,
        Some(job) => Progress::Failed(failure::broken(&format!("node {} could not be drained", job.node))),
    }
}
