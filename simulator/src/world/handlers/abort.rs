//! Aborting: what runs is stopped, nothing is undone ("Abort a long-running operation").
//!
//! The abort is an operation of its own, which succeeds; the one that it stops is Canceling until
//! then, and Canceled for ever; so is the resource.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::{
    effects::ClusterKey,
    scenario::AbortOfNothing,
    world::{
        World,
        call::{Answer, PoolKey, Refusal},
        operations::work::Task,
    },
};

/// How long an abort takes (recorded: 5 to 10 seconds).
const ABORT: SignedDuration = SignedDuration::from_secs(10);

/// What the operation that is stopped, and its resource, show meanwhile.
const CANCELING: &str = "Canceling";

impl World {
    /// Stops what runs on the cluster itself, or on the pool.
    pub(in crate::world) fn abort(
        &mut self,
        now: Timestamp,
        key: &ClusterKey,
        pool: Option<&str>,
    ) -> Result<Answer, Refusal> {
        // The answer shows the resource as it was before the abort (recorded).
        let cluster = self.cluster(key)?;
        let body = match pool {
            None => cluster.render(),
            Some(name) => {
                let (cluster, pool) = self.pool(&PoolKey { cluster: key.clone(), name: name.to_owned() })?;
                cluster.render_pool(pool)
            }
        };
        let running = cluster.work.as_ref().filter(|work| work.pool.as_deref() == pool);
        match running {
            Some(work) if work.aborts.is_none() => {}
            Some(_) => return Err(too_late("it is being canceled already")),
            None => {
                return match cluster.constraints.abort_of_nothing {
                    AbortOfNothing::Conflict => Err(too_late("the latest operation has finished")),
                    AbortOfNothing::NoContent => Ok(Answer::new(204, Value::Null)),
                };
            }
        }
        let Some(stopped) = self.stop_work(now, key) else {
            return Err(too_late("the latest operation has finished"));
        };
        self.operations.report(&stopped.operation, CANCELING.to_owned(), None);
        let tasks = VecDeque::from([Task::Pause(ABORT), Task::Cancel]);
        let started = self.start(now, key, pool, tasks, (CANCELING, "abort"), true);
        let cluster = self.clusters.get_mut(key).expect("the cluster was found above");
        if let Some(work) = &mut cluster.work {
            work.aborts = Some(stopped.operation);
            // Pools that are done already have no more part in it.
            let followers = std::mem::replace(&mut work.followers, stopped.followers);
            let done = followers.into_iter().filter(|(name, _)| !work.followers.contains_key(name));
            let done = done.collect();
            cluster.release(&done, "Succeeded", &mut self.ids);
        }
        Ok(Answer { started: Some(started), ..Answer::new(202, body) })
    }
}

fn too_late(reason: &str) -> Refusal {
    Refusal::aks(
        409,
        "OperationNotAllowed",
        "",
        format!("Abort is not allowed: there is no operation in progress that could be aborted; {reason}."),
    )
}
