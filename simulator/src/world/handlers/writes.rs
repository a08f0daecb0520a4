//! Upgrades and changes of clusters and pools that are there.

use std::collections::VecDeque;

use jiff::Timestamp;
use serde_json::Value;

use super::{put_cluster, put_pool};
use crate::{
    effects::ClusterKey,
    world::{
        World,
        call::{Answer, PoolKey, Refusal},
        operations::work::Task,
        resources::pool::{Pool, Recent},
        rules,
    },
};

/// How many earlier pairs of versions a pool remembers.
const RECENT: usize = 3;

impl World {
    pub(in crate::world) fn put_cluster(
        &mut self,
        now: Timestamp,
        key: &ClusterKey,
        body: &Value,
        if_match: Option<&str>,
    ) -> Result<Answer, Refusal> {
        let busy = self.admit_upgrade(now, key, None, if_match)?;
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
        let busy = self.admit_upgrade(now, &key.cluster, Some(&key.name), if_match)?;
        let (cluster, pool) = self.pool(key)?;
        let accepted = put_pool::plan(cluster, pool, &self.context(now, cluster), body)?;
        self.make_way(now, &key.cluster, busy);
        let put_pool::Accepted { properties, task, state, is_rollback } = accepted;
        self.change_pool(key, |pool| {
            let upgrades = matches!(task, Task::Pool { .. });
            let before = std::mem::replace(&mut pool.properties, properties);
            if let (Task::Pool { image, .. }, true) = (&task, is_rollback) {
                pool.going_back = Some(image.clone());
            } else if upgrades && version_in(&before) != pool.text("currentOrchestratorVersion") {
                pool.going_back = None;
            }
            pool.upgrades += u32::from(upgrades);
            // What is sent once more leads to where it has led before.
            if upgrades && (is_rollback || version_in(&before) != pool.text("currentOrchestratorVersion")) {
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
        let busy = self.admit_upgrade(now, &key.cluster, Some(&key.name), None)?;
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
            pool.going_back = None;
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

    /// Keeps what the pool ran before, the newest first; after a rollback there is nothing to go back to.
    fn remember(&mut self, now: Timestamp, before: &serde_json::Map<String, Value>, is_rollback: bool) {
        if is_rollback {
            return self.recent.clear();
        }
        let version = version_in(before).parse();
        let image = before.get("nodeImageVersion").and_then(Value::as_str);
        if let (Ok(version), Some(image)) = (version, image) {
            self.recent.insert(0, Recent { version, image: image.to_owned(), until: now });
            self.recent.truncate(RECENT);
        }
    }
}

fn version_in(properties: &serde_json::Map<String, Value>) -> &str {
    properties.get("currentOrchestratorVersion").and_then(Value::as_str).unwrap_or_default()
}
