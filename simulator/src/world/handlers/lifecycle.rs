//! Clusters and pools come, stop, start and go.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::{
    effects::ClusterKey,
    scenario::{Durations, WhenBusy},
    world::{
        World,
        call::{Answer, PoolKey, Refusal, Started},
        operations::{
            job::{Goal, Job, Step},
            work::{Current, Task},
        },
        resources::{cluster::Cluster, cluster_defaults},
        rules::{self, Busy, DELETE},
    },
};

impl World {
    /// PUT of a pool: a new one, a stop or start, or a change.
    pub(in crate::world) fn put_or_create_pool(
        &mut self,
        now: Timestamp,
        key: &PoolKey,
        body: &Value,
        if_match: Option<&str>,
    ) -> Result<Answer, Refusal> {
        let cluster = self.cluster(&key.cluster)?;
        let Some(pool) = cluster.pools.get(&key.name) else {
            rules::check_etag(if_match, "")?;
            return self.create_pool(now, key, body);
        };
        let power = |properties: &Value| properties["powerState"]["code"].as_str().map(str::to_owned);
        let shown = power(&Value::Object(pool.properties.clone()));
        match power(&body["properties"]) {
            Some(asked) if shown.as_ref().is_some_and(|shown| *shown != asked) => {
                self.switch_pool(now, key, asked == "Stopped", if_match)
            }
            _ => self.put_pool(now, key, body, if_match),
        }
    }

    /// Stops or starts a pool; the accepting answer shows a pool that stops without nodes.
    fn switch_pool(
        &mut self,
        now: Timestamp,
        key: &PoolKey,
        stop: bool,
        if_match: Option<&str>,
    ) -> Result<Answer, Refusal> {
        let busy = self.admit_write(now, &key.cluster, Some(&key.name), if_match)?;
        let (cluster, pool) = self.pool(key)?;
        rules::check_running(cluster)?;
        if stop && pool.text("mode") == "System" {
            return Err(Refusal::bad_request(
                "OperationNotAllowed",
                format!(
                    "Stopping agent pool {} is not allowed: system node pools can't be stopped.",
                    key.name
                ),
            ));
        }
        let (state, verb, task) = if stop {
            ("Stopping", "stop agent pool", Task::Empty { pool: key.name.clone() })
        } else {
            ("Starting", "start agent pool", Task::Scale { pool: key.name.clone() })
        };
        self.make_way(now, &key.cluster, busy);
        self.show_power(&key.cluster, Some(&key.name), stop);
        let tasks = VecDeque::from([task]);
        let started = self.start(now, &key.cluster, Some(&key.name), tasks, (state, verb), false);
        let mut answer = self.answer_pool(key, 200, started)?;
        if stop {
            answer.body["properties"]["count"] = json!(0);
        }
        Ok(answer)
    }

    /// Stops or starts a cluster with all its pools; 204 when there is nothing to do.
    pub(in crate::world) fn switch_cluster(
        &mut self,
        now: Timestamp,
        key: &ClusterKey,
        stop: bool,
    ) -> Result<Answer, Refusal> {
        let busy = self.admit_write(now, key, None, None)?;
        let cluster = self.cluster(key)?;
        if cluster.is_stopped() == stop {
            return Ok(Answer::new(204, Value::Null));
        }
        let pools = cluster.pools.keys().cloned();
        let task = |pool| if stop { Task::Empty { pool } } else { Task::Scale { pool } };
        let mut tasks = pools.map(task).collect::<VecDeque<_>>();
        tasks.push_front(Task::Pause(cluster.durations.update));
        let words =
            if stop { ("Stopping", "stop managed cluster") } else { ("Starting", "start managed cluster") };
        self.make_way(now, key, busy);
        self.show_power(key, None, stop);
        let started = self.start(now, key, None, tasks, words, true);
        self.involve_all(key);
        Ok(Answer { started: Some(started), ..Answer::new(202, Value::Null) })
    }

    /// Deletes a cluster, whatever goes on in it; 204 when it is not there.
    pub(in crate::world) fn delete_cluster(
        &mut self,
        now: Timestamp,
        key: &ClusterKey,
        if_match: Option<&str>,
    ) -> Result<Answer, Refusal> {
        let Some(cluster) = self.clusters.get(key) else {
            return Ok(Answer::new(204, Value::Null));
        };
        rules::check_etag(if_match, cluster.e_tag())?;
        if let Some(started) = already_deleting(cluster, None) {
            return Ok(accepted(started));
        }
        let busy = may_delete(now, cluster, None)?;
        let pools = cluster.pools.keys().map(|pool| Task::Empty { pool: pool.clone() });
        let mut tasks = pools.collect::<VecDeque<_>>();
        tasks.push_back(Task::Pause(cluster.durations.delete));
        tasks.push_back(Task::Remove { pool: None });
        self.make_way(now, key, busy);
        let started = self.start(now, key, None, tasks, ("Deleting", DELETE), true);
        self.involve_all(key);
        Ok(accepted(started))
    }

    /// Deletes a pool; 204 when it is not there.
    pub(in crate::world) fn delete_pool(
        &mut self,
        now: Timestamp,
        key: &PoolKey,
        if_match: Option<&str>,
    ) -> Result<Answer, Refusal> {
        let cluster = self.cluster(&key.cluster)?;
        let Some(pool) = cluster.pools.get(&key.name) else {
            return Ok(Answer::new(204, Value::Null));
        };
        rules::check_etag(if_match, pool.text("eTag"))?;
        if let Some(started) = already_deleting(cluster, Some(&key.name)) {
            return Ok(accepted(started));
        }
        let mut others = cluster.pools.values().filter(|other| other.name != key.name);
        if pool.text("mode") == "System" && !others.any(|other| other.text("mode") == "System") {
            return Err(Refusal::bad_request(
                "OperationNotAllowed",
                format!(
                    "Deleting agent pool {} is not allowed: there has to be at least one system agent pool in the \
                     managed cluster.",
                    key.name
                ),
            ));
        }
        let busy = may_delete(now, cluster, Some(&key.name))?;
        self.make_way(now, &key.cluster, busy);
        let tasks = VecDeque::from([
            Task::Empty { pool: key.name.clone() },
            Task::Remove { pool: Some(key.name.clone()) },
        ]);
        let words = ("Deleting", DELETE);
        let started = self.start(now, &key.cluster, Some(&key.name), tasks, words, true);
        Ok(accepted(started))
    }

    /// PATCH of a cluster: its tags are replaced.
    pub(in crate::world) fn patch_cluster(
        &mut self,
        now: Timestamp,
        key: &ClusterKey,
        body: &Value,
        if_match: Option<&str>,
    ) -> Result<Answer, Refusal> {
        let busy = self.admit_write(now, key, None, if_match)?;
        let cluster = self.cluster(key)?;
        rules::check_running(cluster)?;
        let tags = body.get("tags").and_then(Value::as_object);
        let Some(tags) = tags.filter(|tags| tags.values().all(Value::is_string)) else {
            return Err(Refusal::bad_request(
                "InvalidRequestContent",
                "The request content has no tags: it has to be an object of texts, such as {\"tags\": {\"stage\": \
                 \"test\"}}.",
            ));
        };
        let tags = tags.clone();
        let tasks = VecDeque::from([Task::Pause(cluster.durations.update)]);
        self.make_way(now, key, busy);
        let cluster = self.clusters.get_mut(key).expect("the cluster was found above");
        cluster.document.insert("tags".to_owned(), Value::Object(tags));
        let started = self.start(now, key, None, tasks, ("Updating", "update managed cluster"), false);
        self.answer_cluster(key, started)
    }

    /// The documents of a cluster and its pools, or of one pool, show that they stop or run.
    fn show_power(&mut self, key: &ClusterKey, pool: Option<&str>, stopped: bool) {
        let state = json!({ "code": if stopped { "Stopped" } else { "Running" } });
        let Some(cluster) = self.clusters.get_mut(key) else { return };
        if pool.is_none() {
            cluster.set("powerState", state.clone());
        }
        for other in cluster.pools.values_mut().filter(|other| pool.is_none_or(|pool| other.name == pool)) {
            other.set("powerState", state.clone());
        }
    }

    /// All pools become what the operation of their cluster becomes.
    pub(in crate::world) fn involve_all(&mut self, key: &ClusterKey) {
        let pools = self.clusters.get(key).map(|cluster| cluster.pools.keys().cloned().collect::<Vec<_>>());
        self.involve(key, pools.unwrap_or_default());
    }
}

/// Whether a deletion may begin: unless the scenario has it otherwise, it takes over from what is under way.
fn may_delete(now: Timestamp, cluster: &Cluster, pool: Option<&str>) -> Result<Busy, Refusal> {
    let about = cluster.work.as_ref().map(|work| work.pool.as_deref());
    let within = about.is_some_and(|about| pool.is_none() || about == pool);
    match cluster.constraints.when_busy {
        WhenBusy::Refuse | WhenBusy::Preempt if within => Ok(Busy::Preempts),
        WhenBusy::Refuse | WhenBusy::Preempt | WhenBusy::EtagMismatch | WhenBusy::OperationNotAllowed => {
            rules::check_idle(now, cluster, pool)
        }
    }
}

fn already_deleting(cluster: &Cluster, pool: Option<&str>) -> Option<Started> {
    let work = cluster.work.as_ref()?;
    let same = work.verb == DELETE && work.pool.as_deref() == pool;
    let location = cluster.location.clone();
    same.then(|| Started { id: work.operation.clone(), location, with_result: true })
}

fn accepted(started: Started) -> Answer {
    Answer { started: Some(started), ..Answer::new(202, Value::Null) }
}

impl Cluster {
    /// All nodes of a pool go at once.
    pub(in crate::world) fn begin_emptying(&mut self, name: String, durations: Durations) -> Current {
        let delete = durations.delete;
        let Some(pool) = self.pools.get(&name) else {
            return Current::Nothing;
        };
        let nodes = pool.nodes.keys();
        let jobs = nodes.map(|node| Job::new(node, [Step::Pause(delete), Step::Delete])).collect();
        let goal = Goal {
            version: pool.version(),
            image: pool.image().to_owned(),
            drain_timeout: SignedDuration::ZERO,
            force: true,
        };
        Current::Scale { pool: name, goal, jobs }
    }

    /// What a new cluster got shows in its document.
    pub(in crate::world) fn settle(&mut self) {
        let place = self.place();
        if let Some(properties) = self.document.get_mut("properties").and_then(Value::as_object_mut) {
            cluster_defaults::fill_when_made(&place, properties);
        }
    }

    pub(in crate::world) fn remove(&mut self, pool: Option<&str>) {
        match pool {
            Some(pool) => {
                self.pools.remove(pool);
            }
            None => self.gone = true,
        }
    }

    /// Pools that were to stop when they were held up are running as long as they have nodes (recorded).
    pub(in crate::world) fn resume_what_did_not_stop(&mut self, scope: Option<&str>) {
        let running = json!({ "code": "Running" });
        let mut any = false;
        for pool in self.pools.values_mut().filter(|pool| scope.is_none_or(|scope| pool.name == scope)) {
            if !pool.nodes.is_empty() {
                pool.set("powerState", running.clone());
                any = true;
            }
        }
        if scope.is_none() && any {
            self.set("powerState", running);
        }
    }
}
