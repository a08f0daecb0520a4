//! What all writes share: who is admitted, what makes way, and how an operation begins.

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;

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
        resources::{cluster::Cluster, pool::Pool},
        rules::{self, Busy, Context, QuotaLeft},
    },
};

impl World {
    /// Whether a write to a cluster, or to one of its pools, may begin: it is there, it is as the caller saw
    /// it, and nothing is in the way that does not make way.
    pub(in crate::world) fn admit_write(
        &self,
        now: Timestamp,
        key: &ClusterKey,
        pool: Option<&str>,
        if_match: Option<&str>,
    ) -> Result<Busy, Refusal> {
        let cluster = self.cluster(key)?;
        let e_tag = match pool {
            None => cluster.e_tag(),
            Some(name) => cluster.find_pool(name)?.text("eTag"),
        };
        rules::check_etag(if_match, e_tag)?;
        rules::check_idle(now, cluster, pool)
    }

    /// The same for what counts as an upgrade, which the scenario may want refused.
    pub(in crate::world) fn admit_upgrade(
        &mut self,
        now: Timestamp,
        key: &ClusterKey,
        pool: Option<&str>,
        if_match: Option<&str>,
    ) -> Result<Busy, Refusal> {
        let busy = self.admit_write(now, key, pool, if_match)?;
        self.check_scripted(key, pool)?;
        Ok(busy)
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
