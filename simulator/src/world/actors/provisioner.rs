//! Node auto-provisioning: nodes outside of all pools that follow the control plane by themselves
//! ("Node auto-provisioning in AKS"). Nobody commands them; they can only be watched.
//!
//! Some time after the control plane has another version they drift: one after the other gets a
//! successor with the new version and the newest image, is drained with regard to budgets, and
//! goes. What cannot be drained stays and is tried again later. New images alone move nothing.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::side_jobs::{SideJob, SideJobs};
use crate::{
    effects::ClusterKey,
    scenario::{NodeProvisioning, Scenario},
    world::{
        World,
        operations::job::{Goal, later},
        region::catalog::Catalog,
        resources::{cluster::Cluster, pool::Pool},
    },
};

/// How long a node may be drained before it is left for later.
const DRAIN_TIMEOUT: SignedDuration = SignedDuration::from_mins(30);

/// Before a node that could not be drained is tried again.
const AGAIN: SignedDuration = SignedDuration::from_hours(1);

/// Karpenter in one cluster.
#[derive(Clone, Debug)]
pub(crate) struct Provisioner {
    spec: NodeProvisioning,
    drift: Drift,
}

/// How its nodes follow the control plane.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Drift {
    /// All run what the control plane runs.
    Level,
    /// The next one follows then; its successor may be there from an earlier try.
    Waiting { at: Timestamp, successor: bool },
    /// The successor of this node comes.
    Coming { old: String },
    /// This node goes.
    Going { old: String },
}

/// The provisioners of the clusters that have one.
pub(crate) fn provisioners(scenario: &Scenario) -> BTreeMap<ClusterKey, Provisioner> {
    let clusters = scenario.clusters.iter().filter_map(|cluster| {
        let spec = cluster.node_provisioning.clone()?;
        Some((cluster.key(), Provisioner { spec, drift: Drift::Level }))
    });
    clusters.collect()
}

impl World {
    pub(in crate::world) fn next_drift(&self) -> Option<Timestamp> {
        let waiting = self.provisioners.values().filter_map(|provisioner| match &provisioner.drift {
            Drift::Waiting { at, .. } => Some(*at),
            // Their nodes have deadlines of their own.
            Drift::Level | Drift::Coming { .. } | Drift::Going { .. } => None,
        });
        waiting.min()
    }

    /// Lets provisioned nodes follow their control planes.
    pub(in crate::world) fn provision(&mut self, now: Timestamp) {
        let Self { provisioners, clusters, side_jobs, catalogs, .. } = self;
        for (key, provisioner) in provisioners {
            let Some(cluster) = clusters.get_mut(key).filter(|cluster| cluster.is_alive()) else {
                // It finds out anew when the cluster runs again.
                provisioner.drift = Drift::Level;
                continue;
            };
            let Some(catalog) = catalogs.get(&cluster.location.to_lowercase()) else { continue };
            let jobs = side_jobs.entry(key.clone()).or_default();
            provisioner.advance(now, cluster, catalog, jobs);
        }
    }
}

impl Provisioner {
    /// Goes on as far as it can now: one node at a time.
    fn advance(&mut self, now: Timestamp, cluster: &mut Cluster, catalog: &Catalog, jobs: &mut SideJobs) {
        let (version, durations) = (cluster.version.clone(), cluster.durations);
        let Some(nodes) = &mut cluster.provisioned else { return };
        let behind = oldest_behind(nodes, &version.to_string());
        let goal = || {
            let image = catalog.latest_image(&self.spec.os_sku, &version);
            Goal { version: version.clone(), image, drain_timeout: DRAIN_TIMEOUT, force: false }
        };
        let is_busy = jobs.is_busy("");
        let mut go = |old: String| {
            jobs.push(SideJob::going("", old.clone(), goal(), durations.delete));
            Drift::Going { old }
        };
        let next = match (&self.drift, behind) {
            (Drift::Level, None) => return,
            (Drift::Level, Some(_)) => {
                Drift::Waiting { at: later(now, self.spec.drift_after), successor: false }
            }
            (Drift::Waiting { at, .. }, Some(_)) if *at > now => return,
            (Drift::Waiting { successor: true, .. }, Some(old)) => go(old),
            (Drift::Waiting { successor: false, .. }, Some(old)) => {
                let goal = goal();
                let node = nodes.add_node(&goal.version, &goal.image, false);
                jobs.push(SideJob::coming("", node, goal, durations.surge_create));
                Drift::Coming { old }
            }
            (Drift::Waiting { .. }, None) => Drift::Level,
            (Drift::Coming { .. } | Drift::Going { .. }, _) if is_busy => return,
            (Drift::Coming { old }, _) => go(old.clone()),
            (Drift::Going { old }, _) if nodes.nodes.contains_key(old) => {
                Drift::Waiting { at: later(now, AGAIN), successor: true }
            }
            (Drift::Going { .. }, Some(_)) => Drift::Waiting { at: now, successor: false },
            (Drift::Going { .. }, None) => Drift::Level,
        };
        self.drift = next;
    }
}

fn oldest_behind(nodes: &Pool, version: &str) -> Option<String> {
    let behind = nodes.members().into_iter().find(|node| node.kubernetes_version != version);
    behind.map(|node| node.name.clone())
}
