//! Calls that start an operation.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{
    World,
    call::{Answer, PoolKey, Refusal, Started},
    cluster::Cluster,
    operation::{Operation, OperationState},
    pool::Recent,
    put_cluster, put_pool, rules,
    work::{Current, Task, Work},
};
use crate::effects::ClusterKey;

/// How long an abort takes.
const ABORT: SignedDuration = SignedDuration::from_secs(10);

/// How many earlier pairs of versions a pool remembers.
const RECENT: usize = 1;

impl World {
    pub(super) fn put_cluster(
        &mut self,
        now: Timestamp,
        key: &ClusterKey,
        body: &Value,
        if_match: Option<&str>,
    ) -> Result<Answer, Refusal> {
        let cluster = self.cluster(key)?;
        rules::check_etag(if_match, cluster.e_tag())?;
        rules::check_idle(cluster, None)?;
        let catalog = self.catalog(cluster);
        let accepted = put_cluster::plan(cluster, catalog, body)?;
        let tasks = accepted.tasks(cluster, catalog);
        let put_cluster::Accepted { document, pools, version, upgraded_pools } = accepted;

        let cluster = self.clusters.get_mut(key).expect("the cluster was found above");
        cluster.document = document;
        for (name, properties) in pools {
            if let Some(pool) = cluster.pools.get_mut(&name) {
                pool.properties = properties;
            }
        }
        let state = if version.is_some() || !upgraded_pools.is_empty() { "Upgrading" } else { "Updating" };
        if let Some(version) = &version {
            cluster.set("currentKubernetesVersion", version.to_string());
            cluster.upgrades += 1;
        }
        let shown = cluster.shown_version().to_string();
        for name in &upgraded_pools {
            if let Some(pool) = cluster.pools.get_mut(name) {
                pool.set("currentOrchestratorVersion", shown.clone());
                pool.set("provisioningState", "Upgrading");
                pool.upgrades += 1;
            }
            cluster.touch(Some(name), &mut self.ids);
        }
        let verb = if state == "Upgrading" { "upgrade managed cluster" } else { "update managed cluster" };
        let started = self.start(now, key, None, tasks, (state, verb), false);
        self.answer_cluster(key, started)
    }

    pub(super) fn put_pool(
        &mut self,
        now: Timestamp,
        key: &PoolKey,
        body: &Value,
        if_match: Option<&str>,
    ) -> Result<Answer, Refusal> {
        let (cluster, pool) = self.pool(key)?;
        rules::check_etag(if_match, pool.text("eTag"))?;
        rules::check_idle(cluster, Some(&key.name))?;
        let accepted = put_pool::plan(now, cluster, pool, self.catalog(cluster), body)?;
        let put_pool::Accepted { properties, task, state } = accepted;
        let before = Recent { version: pool.version(), image: pool.image().to_owned(), until: now };
        self.change_pool(key, |pool| {
            pool.properties = properties;
            if matches!(task, Task::Pool { .. }) {
                pool.upgrades += 1;
                pool.remember(before);
            }
        });
        let verb = match state {
            "Upgrading" => "upgrade agent pool",
            "Scaling" => "scale agent pool",
            _ => "update agent pool",
        };
        let started =
            self.start(now, &key.cluster, Some(&key.name), VecDeque::from([task]), (state, verb), false);
        self.answer_pool(key, 200, started)
    }

    pub(super) fn upgrade_node_image(&mut self, now: Timestamp, key: &PoolKey) -> Result<Answer, Refusal> {
        let (cluster, pool) = self.pool(key)?;
        rules::check_idle(cluster, Some(&key.name))?;
        rules::check_running(cluster)?;
        let version = pool.version();
        rules::check_sku(pool, &version)?;
        let image = self.catalog(cluster).latest_image(pool.os_sku(), &version);
        let before = Recent { version: version.clone(), image: pool.image().to_owned(), until: now };
        self.change_pool(key, |pool| {
            pool.upgrades += 1;
            if before.image != image {
                pool.remember(before);
            }
        });
        let (cluster, pool) = self.pool(key)?;
        let task = Task::Pool { pool: key.name.clone(), version, image: image.clone() };
        let mut tasks = VecDeque::from([task]);
        if !pool.lags() && pool.image() == image {
            tasks.push_front(Task::Pause(cluster.durations.update));
        }
        let words = ("UpgradingNodeImageVersion", "upgrade node image version");
        let started = self.start(now, &key.cluster, Some(&key.name), tasks, words, true);
        self.answer_pool(key, 202, started)
    }

    /// Stops what runs; nothing is undone.
    pub(super) fn abort(
        &mut self,
        now: Timestamp,
        key: &ClusterKey,
        pool: Option<&str>,
    ) -> Result<Answer, Refusal> {
        let cluster = self.cluster(key)?;
        if let Some(name) = pool {
            let _found = self.pool(&PoolKey { cluster: key.clone(), name: name.to_owned() })?;
        }
        let work = cluster.work.as_ref().filter(|work| work.pool.as_deref() == pool);
        let Some(work) = work.filter(|work| !work.is_abort()) else {
            return Err(Refusal::aks(
                409,
                "OperationNotAllowed",
                "",
                "Abort is not allowed: there is no operation in progress, or it has already finished.",
            ));
        };
        let aborted = work.operation.clone();
        if let Some(operation) = self.operations.get_mut(&aborted) {
            operation.state = OperationState::Canceled;
            operation.ended = Some(now);
        }
        let tasks = VecDeque::from([Task::Pause(ABORT), Task::Cancel]);
        let started = self.start(now, key, pool, tasks, ("Canceling", "abort"), true);
        match pool {
            None => self.answer_cluster(key, started).map(|answer| Answer { status: 202, ..answer }),
            Some(name) => {
                self.answer_pool(&PoolKey { cluster: key.clone(), name: name.to_owned() }, 202, started)
            }
        }
    }

    fn change_pool(&mut self, key: &PoolKey, change: impl FnOnce(&mut super::pool::Pool)) {
        let cluster = self.clusters.get_mut(&key.cluster);
        if let Some(pool) = cluster.and_then(|cluster| cluster.pools.get_mut(&key.name)) {
            change(pool);
        }
    }

    fn start(
        &mut self,
        now: Timestamp,
        key: &ClusterKey,
        pool: Option<&str>,
        tasks: VecDeque<Task>,
        (state, verb): (&str, &'static str),
        with_result: bool,
    ) -> Started {
        let id = self.ids.next();
        let cluster = self.clusters.get_mut(key).expect("callers have looked the cluster up");
        cluster.set_state(pool, state);
        cluster.touch(pool, &mut self.ids);
        let location = cluster.location.clone();
        self.busy.insert(key.clone());
        cluster.work = Some(Work {
            operation: id.clone(),
            pool: pool.map(str::to_owned),
            tasks,
            current: Current::Nothing,
            started: now,
            verb,
        });
        let operation = Operation {
            id: id.clone(),
            location: location.clone(),
            started: now,
            ended: None,
            state: OperationState::Running("InProgress".to_owned()),
        };
        self.operations.insert(id.clone(), operation);
        Started { id, location, with_result }
    }

    fn answer_cluster(&self, key: &ClusterKey, started: Started) -> Result<Answer, Refusal> {
        let body = self.cluster(key).map(Cluster::render)?;
        Ok(Answer { started: Some(started), ..Answer::new(200, body) })
    }

    fn answer_pool(&self, key: &PoolKey, status: u16, started: Started) -> Result<Answer, Refusal> {
        let (cluster, pool) = self.pool(key)?;
        Ok(Answer { started: Some(started), ..Answer::new(status, cluster.render_pool(pool)) })
    }
}

impl super::pool::Pool {
    fn remember(&mut self, before: Recent) {
        self.recent.insert(0, before);
        self.recent.truncate(RECENT);
    }
}

impl Work {
    fn is_abort(&self) -> bool {
        self.verb == "abort"
    }
}
