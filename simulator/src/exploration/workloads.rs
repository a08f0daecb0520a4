//! What runs in the clusters, and what their API servers show of it: the port of the engine.

use std::{collections::BTreeMap, time::Duration};

use engine::{Blocker, Node, Reading, ServerVersion, Unreadable, Workload};
use jiff::Timestamp;

use super::{case::Case, sim::Here};
use crate::{effects::ClusterKey, world::ApiNode};

/// How long it may take from reading the workloads to recording them as the baseline.
const BASELINE: Duration = Duration::from_secs(120);

/// The truth about the workloads of all clusters: known from the start, whoever looks.
#[derive(Debug)]
pub(super) struct Workloads {
    clusters: BTreeMap<ClusterKey, Surroundings>,
}

/// What goes on within a cluster.
#[derive(Clone, Debug, Default)]
pub(super) struct Surroundings {
    pub(super) workloads: Vec<Truth>,
    /// When its API server cannot be reached.
    pub(super) outages: Vec<(Timestamp, Timestamp)>,
    /// From when on disruption budgets allow what they refused.
    pub(super) budgets_allow_from: Option<Timestamp>,
    /// Nodes that somebody has cordoned.
    pub(super) cordons: Vec<Cordon>,
}

/// The first node of a pool takes no pods for some time, whoever it is then.
#[derive(Clone, Debug)]
pub(super) struct Cordon {
    pub(super) pool: String,
    pub(super) from: Timestamp,
    pub(super) until: Timestamp,
}

/// A workload, and when it is broken.
#[derive(Clone, Debug)]
pub(super) struct Truth {
    pub(super) name: String,
    pub(super) created_at: Timestamp,
    pub(super) broken: Vec<(Timestamp, Timestamp)>,
}

impl Workloads {
    pub(super) fn new(case: &Case) -> Self {
        let clusters =
            case.upgrades.iter().map(|upgrade| (upgrade.key.clone(), upgrade.surroundings.clone()));
        Self { clusters: clusters.collect() }
    }

    /// Whether the gate could have passed at some instant of a span: the API server answers, and nothing
    /// is broken that was well when the baseline was taken: `taken_at` by the operator's clock, `since`
    /// really.
    pub(super) fn could_pass(
        &self,
        key: &ClusterKey,
        (taken_at, since): (Timestamp, Timestamp),
        span: (Timestamp, Timestamp),
    ) -> bool {
        let Some(surroundings) = self.clusters.get(key) else { return false };
        let mut at = span.0;
        while at <= span.1 {
            let broken = surroundings.workloads.iter().any(|truth| {
                let judged = truth.created_at <= since.min(taken_at);
                judged && within(&truth.broken, at) && !was_broken(truth, since)
            });
            if !broken && !within(&surroundings.outages, at) {
                return true;
            }
            at += Duration::from_secs(1);
        }
        false
    }

    /// Whether somebody has cordoned a node of the pool.
    pub(super) fn is_cordoned(&self, key: &ClusterKey, pool: &str, now: Timestamp) -> bool {
        self.clusters.get(key).is_some_and(|surroundings| surroundings.is_cordoned(pool, now))
    }

    fn readable(&self, key: &ClusterKey, now: Timestamp) -> Reading<&Surroundings> {
        let surroundings =
            self.clusters.get(key).ok_or_else(|| Unreadable::failed("there is no such cluster"))?;
        if within(&surroundings.outages, now) {
            return Err(Unreadable::failed("the cluster's API cannot be reached: connection refused"));
        }
        Ok(surroundings)
    }
}

impl Surroundings {
    fn is_cordoned(&self, pool: &str, now: Timestamp) -> bool {
        self.cordons.iter().any(|cordon| cordon.pool == pool && cordon.from <= now && now < cordon.until)
    }
}

/// Whether a workload may have been seen broken right before an instant.
fn was_broken(truth: &Truth, at: Timestamp) -> bool {
    truth.broken.iter().any(|(from, until)| *from <= at && at - BASELINE < *until)
}

fn within(spans: &[(Timestamp, Timestamp)], at: Timestamp) -> bool {
    spans.iter().any(|(from, until)| *from <= at && at < *until)
}

/// The API of one cluster, as a replica reaches it.
pub(super) struct TargetApi {
    pub(super) here: Here,
    pub(super) key: ClusterKey,
}

impl TargetApi {
    async fn read<T>(
        &self,
        look: impl FnOnce(&Surroundings, &crate::world::ApiServerView) -> T,
    ) -> Reading<T> {
        self.here.latency(10, 300).await;
        let answer = {
            let state = self.here.state();
            let shown = state.world.api_server(&self.key);
            let shown = shown.filter(|shown| !shown.stopped);
            let shown = shown.ok_or_else(|| Unreadable::failed("the cluster is stopped"))?;
            look(state.workloads.readable(&self.key, state.now)?, &shown)
        };
        self.here.latency(10, 300).await;
        Ok(answer)
    }
}

impl engine::Workloads for TargetApi {
    async fn server(&self) -> Reading<ServerVersion> {
        let shown = self.read(|_, shown| shown.version.to_string()).await?;
        let version = shown.parse::<engine::KubernetesVersion>();
        let version = version.map_err(|error| Unreadable::failed(error.to_string()))?;
        Ok(ServerVersion { minor: version.minor(), build: Some(version) })
    }

    async fn nodes(&self, pool: &str) -> Reading<Vec<Node>> {
        let now = self.here.state().now;
        let of_pool = |node: &&ApiNode| node.node.pool == pool;
        self.read(|surroundings, shown| {
            let mut nodes: Vec<Node> = shown.nodes.iter().filter(of_pool).map(node).collect();
            if let Some(first) = nodes.first_mut().filter(|_| surroundings.is_cordoned(pool, now)) {
                first.schedulable = false;
            }
            nodes
        })
        .await
    }

    async fn workloads(&self) -> Reading<Vec<Workload>> {
        let now = self.here.state().now;
        self.read(|surroundings, _| {
            let there = surroundings.workloads.iter().filter(|truth| truth.created_at <= now);
            there.map(|truth| workload(truth, now)).collect()
        })
        .await
    }

    async fn budgets_allow(&self, blockers: &[Blocker]) -> Option<bool> {
        let now = self.here.state().now;
        let budgets = blockers.iter().any(|blocker| matches!(blocker, Blocker::DisruptionBudget { .. }));
        let from = self.read(|surroundings, _| surroundings.budgets_allow_from).await.ok()?;
        budgets.then(|| from.is_none_or(|from| from <= now))
    }
}

fn node(shown: &ApiNode) -> Node {
    Node {
        name: shown.node.name.clone(),
        kubelet: shown.node.kubernetes_version.parse().ok(),
        image: shown.node.node_image.clone(),
        ready: true,
        schedulable: !shown.cordoned,
        quarantined: shown.quarantined,
    }
}

fn workload(truth: &Truth, now: Timestamp) -> Workload {
    let broken = within(&truth.broken, now);
    Workload {
        kind: "Deployment",
        namespace: "shop".to_owned(),
        name: truth.name.clone(),
        created_at: Some(truth.created_at),
        problem: broken.then(|| "1 of 3 replicas are available".to_owned()),
    }
}
