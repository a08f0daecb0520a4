//! What runs in the clusters, and what their API servers show of it: the port of the engine.

use std::{collections::BTreeMap, time::Duration};

use engine::{Blocker, Node, Reading, ServerVersion, Step, StepKind, Unreadable, Workload};
use jiff::Timestamp;

use super::{case::Case, sim::Here};
use crate::{
    effects::ClusterKey,
    world::{ApiNode, build_name},
};

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
    /// Nodes that are not as Azure says.
    pub(super) blemishes: Vec<Blemish>,
}

/// The first node of a pool is not for some time as Azure says, whichever it is then.
#[derive(Clone, Debug)]
pub(super) struct Blemish {
    pub(super) pool: String,
    pub(super) kind: BlemishKind,
    pub(super) from: Timestamp,
    pub(super) until: Timestamp,
}

/// What is the matter with a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BlemishKind {
    /// Somebody has cordoned it.
    Cordoned,
    NotReady,
    /// It runs an image of long ago.
    OldImage,
    /// It runs a kubelet of long ago.
    OldKubelet,
    /// It has not registered, or its virtual machine was taken away.
    Missing,
}

impl BlemishKind {
    fn spoil(self, nodes: &mut Vec<Node>) {
        let Some(node) = nodes.first_mut() else { return };
        match self {
            Self::Cordoned => node.schedulable = false,
            Self::NotReady => node.ready = false,
            Self::OldImage => "AKSUbuntu-1804gen2containerd-202401.01.0".clone_into(&mut node.image),
            Self::OldKubelet => node.kubelet = "1.27.1".parse().ok(),
            Self::Missing => drop(nodes.remove(0)),
        }
    }

    /// Whether a step of this kind is not done with such a node.
    fn matters_to(self, kind: StepKind) -> bool {
        self != Self::OldKubelet || kind == StepKind::NodePoolVersion
    }
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
        let passes = |at: Timestamp| {
            let broken = surroundings.workloads.iter().any(|truth| {
                let judged = truth.created_at <= since.min(taken_at);
                judged && within(&truth.broken, at) && !was_broken(truth, since)
            });
            !broken && !within(&surroundings.outages, at)
        };
        let mut at = span.0;
        while at < span.1 {
            if passes(at) {
                return true;
            }
            at += Duration::from_secs(1);
        }
        passes(span.1)
    }

    /// Whether a node of the pool is not as a step wants it, or was not since an instant.
    pub(super) fn is_blemished(
        &self,
        key: &ClusterKey,
        step: &Step,
        since: Timestamp,
        now: Timestamp,
    ) -> bool {
        let Some(surroundings) = self.clusters.get(key) else { return false };
        let of_pool =
            surroundings.blemishes.iter().filter(|blemish| Some(&blemish.pool) == step.pool.as_ref());
        of_pool
            .filter(|blemish| blemish.kind.matters_to(step.kind))
            .any(|blemish| blemish.from <= now && since < blemish.until)
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
        let shown = self.read(|_, shown| build_name(&shown.version.to_string())).await?;
        let version = shown.parse::<engine::KubernetesVersion>();
        let version = version.map_err(|error| Unreadable::failed(error.to_string()))?;
        Ok(ServerVersion { minor: version.minor(), build: Some(version) })
    }

    async fn nodes(&self, pool: &str) -> Reading<Vec<Node>> {
        let now = self.here.state().now;
        let of_pool = |node: &&ApiNode| node.node.pool == pool;
        self.read(|surroundings, shown| {
            let mut nodes: Vec<Node> = shown.nodes.iter().filter(of_pool).map(node).collect();
            let there =
                |blemish: &&Blemish| blemish.pool == pool && blemish.from <= now && now < blemish.until;
            for blemish in surroundings.blemishes.iter().filter(there) {
                blemish.kind.spoil(&mut nodes);
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
        kubelet: build_name(&shown.node.kubernetes_version).parse().ok(),
        image: shown.node.node_image.clone(),
        ready: true,
        schedulable: !shown.cordoned,
        quarantined: shown.quarantined,
        leaving: false,
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
