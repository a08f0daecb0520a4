//! How the operation of a cluster goes on, and how it ends.

use std::collections::BTreeMap;

use jiff::Timestamp;
use semver::Version;
use serde_json::Value;

use super::{
    cluster::Cluster,
    failure,
    ids::Ids,
    job::{Goal, Job, Site, Step, Waiting, later},
    operation::{Operation, OperationState},
    outbox::Outbox,
    rollout::{Progress, Rollout},
    work::{Current, Task, Work},
};
use crate::effects::Effect;

/// How an operation ended.
enum End {
    Succeeded,
    Canceled,
    Failed { pool: Option<String>, error: Value },
}

impl Cluster {
    /// Goes on with what is under way as far as it can now.
    pub(super) fn progress(
        &mut self,
        now: Timestamp,
        outbox: &mut Outbox,
        operations: &mut BTreeMap<String, Operation>,
        ids: &mut Ids,
    ) {
        let Some(mut work) = self.work.take() else {
            return;
        };
        let end = self.work_on(&mut work, now, outbox, ids);
        let operation = operations.get_mut(&work.operation);
        let Some(end) = end else {
            if let Some(operation) = operation {
                operation.state = OperationState::Running(work.status());
            }
            self.work = Some(work);
            return;
        };
        if let Some(operation) = operation {
            operation.ended = Some(now);
            operation.state = match &end {
                End::Succeeded | End::Canceled => OperationState::Succeeded,
                End::Failed { error, .. } => OperationState::Failed(error.clone()),
            };
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
            let about = current.pool();
            match progress {
                Progress::Running => {
                    work.current = current;
                    return None;
                }
                Progress::Failed(error) => return Some(End::Failed { pool: about, error }),
                Progress::Done => self.complete_task(work, current, ids),
            }
            match work.tasks.pop_front() {
                None => return Some(End::Succeeded),
                Some(Task::Cancel) => return Some(End::Canceled),
                Some(task) => work.current = self.begin(task, now),
            }
        }
    }

    fn begin(&mut self, task: Task, now: Timestamp) -> Current {
        match task {
            Task::Pause(length) => Current::Pause { until: later(now, length) },
            Task::ControlPlane(version) => {
                let until = later(now, self.durations.control_plane);
                Current::ControlPlane { version, waiting: Waiting::Until(until), failure: None }
            }
            Task::Pool { pool: name, version, image } => {
                let Some(pool) = self.pools.get(&name) else {
                    return Current::Nothing;
                };
                let fault = self.fault(Some(&name), pool.upgrades);
                Current::Pool(Box::new(Rollout::new(pool, version, image, &self.durations, fault)))
            }
            Task::Scale { pool } => self.begin_scale(pool),
            Task::Cancel => Current::Nothing,
        }
    }

    fn begin_scale(&mut self, name: String) -> Current {
        let durations = self.durations;
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
        Current::Scale { pool: name, goal: Goal { version, image, drain_timeout }, jobs }
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
            Current::ControlPlane { version, waiting, failure } => {
                self.continue_control_plane(version, waiting, failure, &mut site)
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

    fn continue_control_plane(
        &self,
        version: Version,
        waiting: Waiting,
        failure: Option<String>,
        site: &mut Site<'_>,
    ) -> (Current, Progress) {
        let (waiting, progress) = match waiting {
            Waiting::Until(at) if at > site.now => (waiting, Progress::Running),
            Waiting::Effect(_) => (waiting, Progress::Running),
            Waiting::Until(_) => match self.fault(None, self.upgrades).and_then(|fault| fault.error) {
                Some(error) => (Waiting::Nothing, Progress::Failed(failure::scripted(&error))),
                None => {
                    let effect = Effect::UpgradeControlPlane { version: version.to_string() };
                    let id = site.outbox.emit(site.now, site.cluster, site.driver, effect, &[]);
                    (Waiting::Effect(id), Progress::Running)
                }
            },
            Waiting::Nothing => match &failure {
                Some(message) => (waiting, Progress::Failed(failure::broken(message))),
                None => (waiting, Progress::Done),
            },
        };
        (Current::ControlPlane { version, waiting, failure }, progress)
    }

    /// What a task leaves behind when it is done.
    fn complete_task(&mut self, work: &Work, current: Current, ids: &mut Ids) {
        let Current::Pool(rollout) = current else {
            return;
        };
        if let Some(pool) = self.pools.get_mut(&rollout.pool) {
            pool.set("nodeImageVersion", rollout.image());
        }
        if work.pool.is_none() {
            self.set_state(Some(&rollout.pool), "Succeeded");
        }
        self.touch(Some(&rollout.pool), ids);
    }

    fn finish(&mut self, work: &Work, end: &End, ids: &mut Ids) {
        let scope = work.pool.as_deref();
        let (state, failed_pool) = match end {
            End::Succeeded => ("Succeeded", None),
            End::Canceled => ("Canceled", None),
            End::Failed { pool, error: _ } => ("Failed", pool.as_deref()),
        };
        self.set_state(scope, state);
        if scope.is_none() {
            let upgrading = self.pools.values().filter(|pool| pool.state() == "Upgrading");
            let upgrading = upgrading.map(|pool| pool.name.clone()).collect::<Vec<_>>();
            for name in upgrading {
                let state = if failed_pool == Some(&name) { "Failed" } else { state };
                self.set_state(Some(&name), state);
                self.touch(Some(&name), ids);
            }
        }
        self.touch(scope, ids);
    }
}

impl Current {
    fn pool(&self) -> Option<String> {
        match self {
            Self::Pool(rollout) => Some(rollout.pool.clone()),
            Self::Scale { pool, .. } => Some(pool.clone()),
            Self::Nothing | Self::Pause { .. } | Self::ControlPlane { .. } => None,
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
