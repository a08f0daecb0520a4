//! Calls that start an operation.

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;
use serde_json::Value;

use super::{put_cluster, put_pool};
use crate::{
    effects::ClusterKey,
    world::{
        World,
        call::{Answer, PoolKey, Refusal, Started},
        operations::{
            job::Site,
            operation::{Operation, OperationState},
            work::{Current, Follower, Task, Work},
        },
        quirks::operations::OperationQuirks,
        resources::{
            cluster::Cluster,
            pool::{Pool, Recent},
        },
        rules::{self, Busy, Context, QuotaLeft},
    },
};

/// How many earlier pairs of versions a pool remembers.
const RECENT: usize = 1;

impl World {
    pub(in crate::world) fn put_cluster(
        &mut self,
        now: Timestamp,
        key: &ClusterKey,
        body: &Value,
        if_match: Option<&str>,
    ) -> Result<Answer, Refusal> {
        let cluster = self.cluster(key)?;
        rules::check_etag(if_match, cluster.e_tag())?;
        let busy = rules::check_idle(now, cluster, None)?;
        self.check_scripted(key, None)?;
        let cluster = self.cluster(key)?;
        let context = self.context(now, cluster);
        let accepted = put_cluster::plan(cluster, &context, body)?;
        let tasks = accepted.tasks(cluster, context.catalog);
        self.make_way(now, key, busy);
        let put_cluster::Accepted { document, pools, version, upgraded_pools } = accepted;

        let cluster = self.clusters.get_mut(key).expect("the cluster was found above");
        let channels = cluster.property("autoUpgradeProfile").clone();
        cluster.document = document;
        if *cluster.property("autoUpgradeProfile") != channels {
            self.wake_for_settings(now, key);
        }
        let cluster = self.clusters.get_mut(key).expect("the cluster was found above");
        for (name, properties) in pools {
            if let Some(pool) = cluster.pools.get_mut(&name) {
                // An operation that has just made way may have left another state.
                let state = pool.state().to_owned();
                pool.properties = properties;
                pool.set("provisioningState", state);
            }
        }
        if let Some(version) = &version {
            cluster.set("currentKubernetesVersion", version.to_string());
            cluster.upgrades += 1;
        }
        for (name, upgrade) in &upgraded_pools {
            if let Some(pool) = cluster.pools.get_mut(name) {
                pool.start_upgrade(now, &upgrade.version.to_string());
            }
        }
        let words = if version.is_some() || !upgraded_pools.is_empty() {
            ("Upgrading", "upgrade managed cluster")
        } else {
            ("Updating", "update managed cluster")
        };
        let started = self.start(now, key, None, tasks, words, false);
        self.involve(key, upgraded_pools.into_keys());
        self.answer_cluster(key, started)
    }

    pub(in crate::world) fn put_pool(
        &mut self,
        now: Timestamp,
        key: &PoolKey,
        body: &Value,
        if_match: Option<&str>,
    ) -> Result<Answer, Refusal> {
        let (cluster, pool) = self.pool(key)?;
        rules::check_etag(if_match, pool.text("eTag"))?;
        let busy = rules::check_idle(now, cluster, Some(&key.name))?;
        self.check_scripted(&key.cluster, Some(&key.name))?;
        let (cluster, pool) = self.pool(key)?;
        let accepted = put_pool::plan(cluster, pool, &self.context(now, cluster), body)?;
        self.make_way(now, &key.cluster, busy);
        let put_pool::Accepted { properties, task, state, is_rollback } = accepted;
        self.change_pool(key, |pool| {
            let upgrades = matches!(task, Task::Pool { .. });
            let before = std::mem::replace(&mut pool.properties, properties);
            if upgrades {
                pool.upgrades += 1;
                pool.remember(now, &before, is_rollback);
            }
        });
        let verb = match state {
            "Upgrading" => "upgrade agent pool",
            "UpgradingNodeImageVersion" => "upgrade node image version",
            "Scaling" => "scale agent pool",
            _ => "update agent pool",
        };
        let tasks = VecDeque::from([task]);
        let started = self.start(now, &key.cluster, Some(&key.name), tasks, (state, verb), false);
        self.answer_pool(key, 200, started)
    }

    pub(in crate::world) fn upgrade_node_image(
        &mut self,
        now: Timestamp,
        key: &PoolKey,
    ) -> Result<Answer, Refusal> {
        self.renew_image(now, key, None)
    }

    /// Brings a pool to an image: the newest when none is named.
    pub(in crate::world) fn renew_image(
        &mut self,
        now: Timestamp,
        key: &PoolKey,
        image: Option<&str>,
    ) -> Result<Answer, Refusal> {
        let (cluster, _) = self.pool(key)?;
        let busy = rules::check_idle(now, cluster, Some(&key.name))?;
        self.check_scripted(&key.cluster, Some(&key.name))?;
        let (cluster, pool) = self.pool(key)?;
        rules::check_running(cluster)?;
        rules::check_pool_running(pool)?;
        let version = pool.version();
        rules::check_sku(&pool.name, pool.os_sku(), &version)?;
        let context = self.context(now, cluster);
        let latest = || context.catalog.latest_image(pool.os_sku(), &version);
        let image = image.map_or_else(latest, str::to_owned);
        let surge_at_most = rules::surge_within_quota(pool, &version, context.quota.as_ref())?;
        self.make_way(now, &key.cluster, busy);
        self.change_pool(key, |pool| {
            pool.upgrades += 1;
            if pool.image() != image {
                let before = pool.properties.clone();
                pool.remember(now, &before, false);
            }
        });
        let (cluster, pool) = self.pool(key)?;
        let is_there = !pool.lags() && pool.image() == image;
        let pause = Task::Pause(cluster.durations.update);
        let task = Task::Pool { pool: key.name.clone(), version, image, surge_at_most };
        let mut tasks = VecDeque::from([task]);
        if is_there {
            tasks.push_front(pause);
        }
        let words = ("UpgradingNodeImageVersion", "upgrade node image version");
        let started = self.start(now, &key.cluster, Some(&key.name), tasks, words, true);
        self.answer_pool(key, 202, started)
    }

    /// What a write to the cluster is judged by.
    pub(in crate::world) fn context(&self, now: Timestamp, cluster: &Cluster) -> Context<'_> {
        Context { now, catalog: self.catalog(cluster), quota: self.quota_left(cluster) }
    }

    fn quota_left(&self, cluster: &Cluster) -> Option<QuotaLeft> {
        let same = |subscription: &str, location: &str| {
            subscription.eq_ignore_ascii_case(&cluster.subscription)
                && location.eq_ignore_ascii_case(&cluster.location)
        };
        let quota = self.quotas.iter().find(|quota| same(&quota.subscription, &quota.location))?;
        let clusters = self.clusters.values().filter(|other| same(&other.subscription, &other.location));
        let used = clusters.flat_map(|cluster| cluster.pools.values()).map(|pool| {
            let nodes = u32::try_from(pool.nodes.len()).unwrap_or(u32::MAX);
            rules::vcpus(pool.text("vmSize")).saturating_mul(nodes)
        });
        let used = used.fold(0, u32::saturating_add);
        Some(QuotaLeft { vcpus: quota.vcpus.saturating_sub(used), location: cluster.location.clone() })
    }

    /// Refuses the upgrade that the scenario wants refused; the next one is the next.
    fn check_scripted(&mut self, key: &ClusterKey, pool: Option<&str>) -> Result<(), Refusal> {
        let Some(cluster) = self.clusters.get_mut(key) else {
            return Ok(());
        };
        let so_far = match pool {
            None => &mut cluster.upgrades,
            Some(name) => match cluster.pools.get_mut(name) {
                Some(pool) => &mut pool.upgrades,
                None => return Ok(()),
            },
        };
        let next = *so_far + 1;
        let fault = cluster
            .faults
            .iter()
            .find(|fault| fault.pool.as_deref() == pool && fault.upgrade == next && fault.refuse.is_some());
        let Some(refuse) = fault.and_then(|fault| fault.refuse.as_ref()) else {
            return Ok(());
        };
        *so_far = next;
        Err(Refusal::scripted(refuse))
    }

    pub(in crate::world) fn change_pool(&mut self, key: &PoolKey, change: impl FnOnce(&mut Pool)) {
        let cluster = self.clusters.get_mut(&key.cluster);
        if let Some(pool) = cluster.and_then(|cluster| cluster.pools.get_mut(&key.name)) {
            change(pool);
        }
    }

    /// Ends the operation that a new one takes over from.
    pub(in crate::world) fn make_way(&mut self, now: Timestamp, key: &ClusterKey, busy: Busy) {
        if busy == Busy::Idle {
            return;
        }
        if let Some(work) = self.stop_work(now, key) {
            self.operations.preempt(now, &work.operation);
            if let Some(cluster) = self.clusters.get_mut(key) {
                cluster.release(&work.followers, "Succeeded", &mut self.ids);
            }
        }
    }

    /// Takes the work away from a cluster; running drains stop, nothing is undone.
    pub(in crate::world) fn stop_work(&mut self, now: Timestamp, key: &ClusterKey) -> Option<Work> {
        let cluster = self.clusters.get_mut(key)?;
        let mut work = cluster.work.take()?;
        let driver = cluster.driver;
        let mut site = Site { now, cluster: key, driver, outbox: &mut self.outbox };
        work.stop(&mut cluster.pools, &mut site);
        Some(work)
    }

    /// Begins an operation; `state` is what the pool shows meanwhile, or the cluster and all pools.
    pub(in crate::world) fn start(
        &mut self,
        now: Timestamp,
        key: &ClusterKey,
        pool: Option<&str>,
        tasks: VecDeque<Task>,
        (state, verb): (&str, &'static str),
        with_result: bool,
    ) -> Started {
        let id = self.ids.next();
        // An abort comes to its end whatever happens.
        let quirks = if verb == "abort" {
            OperationQuirks::default()
        } else {
            OperationQuirks::draw(now, &mut self.quirks, key)
        };
        let cluster = self.clusters.get_mut(key).expect("callers have looked the cluster up");
        cluster.set_state(pool, state);
        cluster.touch(pool, &mut self.ids);
        let mut followers = BTreeMap::new();
        if pool.is_none() {
            for pool in cluster.pools.values_mut() {
                followers.insert(pool.name.clone(), Follower::Bystander(pool.state().to_owned()));
                pool.set("provisioningState", state);
                pool.set("eTag", self.ids.next());
            }
        }
        let (subscription, location) = (cluster.subscription.clone(), cluster.location.clone());
        self.busy.insert(key.clone());
        let (afterthought, forgotten_at) = (quirks.afterthought.clone(), quirks.forgotten_at);
        cluster.work = Some(Work {
            operation: id.clone(),
            pool: pool.map(str::to_owned),
            tasks,
            current: Current::Nothing,
            started: now,
            verb,
            followers,
            force: rules::is_forced(&cluster.document, now),
            hitch: None,
            aborts: None,
            text: "InProgress".to_owned(),
            quirks,
        });
        self.operations.add(Operation {
            id: id.clone(),
            subscription,
            location: location.clone(),
            started: now,
            ended: None,
            state: OperationState::Running("InProgress".to_owned()),
            hitch: None,
            afterthought,
            forgotten_at,
        });
        Started { id, location, with_result }
    }

    /// These pools become what the operation that has just begun becomes.
    pub(in crate::world) fn involve(&mut self, key: &ClusterKey, pools: impl IntoIterator<Item = String>) {
        let cluster = self.clusters.get_mut(key);
        if let Some(work) = cluster.and_then(|cluster| cluster.work.as_mut()) {
            work.followers.extend(pools.into_iter().map(|name| (name, Follower::Involved)));
        }
    }

    pub(in crate::world) fn answer_cluster(
        &self,
        key: &ClusterKey,
        started: Started,
    ) -> Result<Answer, Refusal> {
        let body = self.cluster(key).map(Cluster::render)?;
        Ok(Answer { started: Some(started), ..Answer::new(200, body) })
    }

    pub(in crate::world) fn answer_pool(
        &self,
        key: &PoolKey,
        status: u16,
        started: Started,
    ) -> Result<Answer, Refusal> {
        let (cluster, pool) = self.pool(key)?;
        Ok(Answer { started: Some(started), ..Answer::new(status, cluster.render_pool(pool)) })
    }
}

impl Pool {
    /// Shows the target of an upgrade from its acceptance on.
    pub(in crate::world) fn start_upgrade(&mut self, now: Timestamp, version: &str) {
        let before = self.properties.clone();
        self.set("currentOrchestratorVersion", version);
        self.set("orchestratorVersion", version);
        self.upgrades += 1;
        if self.text("currentOrchestratorVersion") != version_in(&before) {
            self.remember(now, &before, false);
        }
    }

    /// Keeps what the pool ran before; after a rollback there is nothing to go back to.
    fn remember(&mut self, now: Timestamp, before: &serde_json::Map<String, Value>, is_rollback: bool) {
        self.recent.clear();
        let version = version_in(before).parse();
        let image = before.get("nodeImageVersion").and_then(Value::as_str);
        if let (Ok(version), Some(image), false) = (version, image, is_rollback) {
            self.recent.insert(0, Recent { version, image: image.to_owned(), until: now });
            self.recent.truncate(RECENT);
        }
    }
}

fn version_in(properties: &serde_json::Map<String, Value>) -> &str {
    properties.get("currentOrchestratorVersion").and_then(Value::as_str).unwrap_or_default()
}
