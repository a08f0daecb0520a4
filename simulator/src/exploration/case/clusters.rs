//! What a seed draws of a cluster and its pools.

use std::collections::BTreeSet;

use engine::{KubernetesRequest, Scope};
use serde_json::{Value, json};

use super::{
    Draw, OLD_IMAGES, SUBSCRIPTION, UpgradeCase,
    arrival::{Arrival, Going},
    request::Scoped,
    way::{Way, minor},
};
use crate::{
    effects::ClusterKey,
    exploration::happening::{AzureChange, Deed, Edit, Happening},
};

const HALF_HOUR: u64 = 1800;

/// What is peculiar about a pool.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Peculiar {
    Nothing,
    /// Stopped before the upgrade begins.
    Stopped,
    /// A snapshot pins it.
    Pinned,
    /// Its last operation has failed.
    Failed,
}

/// A pool, as drawn.
pub(super) struct DrawnPool {
    pub(super) name: String,
    pub(super) windows: bool,
    pub(super) version: &'static str,
    pub(super) peculiar: Peculiar,
    document: Value,
}

impl DrawnPool {
    /// Whether there is nothing peculiar about it.
    pub(super) fn is_whole(&self) -> bool {
        self.peculiar == Peculiar::Nothing
    }
}

impl Draw {
    pub(super) fn cluster(&mut self, index: usize) -> (Value, UpgradeCase) {
        let name = format!("c{index}");
        let id = format!(
            "/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.ContainerService/managedClusters/{name}"
        );
        let key = ClusterKey(id.to_lowercase());
        let way = self.way();
        let scoped = self.scope(way);
        let mut pools: Vec<DrawnPool> =
            (0..self.dice.usize(1..=3)).map(|number| self.pool(number, scoped.way)).collect();
        self.peculiarities(&key, scoped.way, &mut pools);
        self.pushed_aside(&key, &scoped, &pools);
        let (mut request, left_out) = self.request(&scoped, &pools);
        if let Some(right) = request.kubernetes.clone()
            && self.is_drawn("a version that Azure does not have", 0.06)
        {
            let wrong = "1.39.0".parse().expect("a version");
            request.kubernetes = Some(KubernetesRequest::Version(wrong));
            let at = self.when();
            self.happens(at, Happening::Edit { upgrade: index, edit: Edit::Target(right) });
        }
        let left_out = self.mends(&key, index, &scoped, (&pools, left_out));
        let goes = |pool: &DrawnPool| match pool.peculiar {
            _ if left_out.contains(&pool.name) => false,
            Peculiar::Stopped => false,
            // It stands in the way until somebody takes it off its snapshot.
            Peculiar::Pinned => scoped.scope.has_pool_versions() && pool.version != scoped.way.target(),
            Peculiar::Nothing | Peculiar::Failed => true,
        };
        let going: Vec<Going> = pools
            .iter()
            .map(|pool| Going {
                name: pool.name.clone(),
                goes: goes(pool),
                stays: left_out.contains(&pool.name),
                version: pool.version,
            })
            .collect();
        let skips_images = request.node_image == engine::NodeImagePolicy::Skip;
        let arrival =
            Arrival::of(request.scope, (scoped.way.start(), scoped.way.target()), &going, skips_images);
        let names: Vec<String> = pools.iter().map(|pool| pool.name.clone()).collect();
        let (mut faults, budgets_allow_from) = self.faults(&names);
        if way.too_old {
            // Not solved, as where somebody aborts it: see `Draw::is_off`.
            faults.clear();
        }
        let timing = self.timing();
        let surroundings = self.surroundings(&names, budgets_allow_from);
        let mut cluster = json!({
            "subscription": SUBSCRIPTION, "resourceGroup": "rg", "name": name, "location": way.location,
            "kubernetesVersion": scoped.way.start(), "faults": faults, "tags": {"owner": "platform"},
            "pools": pools.into_iter().map(|pool| pool.document).collect::<Vec<_>>(),
        });
        if way.long_term {
            cluster["supportPlan"] = "AKSLongTermSupport".into();
            cluster["sku"] = json!({ "tier": "Premium" });
        }
        self.in_the_way(&key, &mut cluster);
        self.autoscaling(&mut cluster);
        cluster["maintenanceConfigurations"] = super::timing::configurations(&timing);
        let id = id.parse().expect("a cluster's id");
        (cluster, UpgradeCase { name, key, id, request, arrival, surroundings, timing })
    }

    fn pool(&mut self, number: usize, way: Way) -> DrawnPool {
        let windows = number > 0 && self.chance(0.25);
        let os_sku = match (windows, way.newest) {
            (true, true) => "Windows2025",
            (true, false) => "Windows2022",
            (false, true) => "Ubuntu2404",
            (false, false) => self.one_of(&["Ubuntu2204", "AzureLinux3"]),
        };
        let mut behind = way.from;
        if self.chance(0.3) {
            behind = self.dice.usize(0..=way.from);
        }
        let version = way.versions[behind];
        let name = format!("{}{number}", if windows { "win" } else { "linux" });
        let mut document = json!({
            "name": name,
            "mode": if number == 0 { "System" } else { "User" },
            "osType": if windows { "Windows" } else { "Linux" },
            "osSku": os_sku,
            "count": self.dice.u32(1..=4),
            "kubernetesVersion": version,
            "labels": {"team": "shop"},
        });
        if self.chance(0.65) {
            let old = OLD_IMAGES.iter().find(|(sku, _)| *sku == os_sku);
            document["nodeImage"] = old.map(|(_, image)| *image).into();
        }
        if self.chance(0.4) {
            document["maxSurge"] = (*self.one_of(&["1", "2", "33%", "100%"])).into();
        }
        DrawnPool { name, windows, version, peculiar: Peculiar::Nothing, document }
    }

    /// What is the matter with pools from the start.
    fn peculiarities(&mut self, key: &ClusterKey, way: Way, pools: &mut [DrawnPool]) {
        for (number, pool) in pools.iter_mut().enumerate() {
            let name = pool.name.clone();
            if number > 0 && !way.too_old && self.is_drawn("a stopped pool", 0.08) {
                pool.peculiar = Peculiar::Stopped;
                let deed = Deed::SwitchPool { pool: name.clone(), on: false };
                self.happens(self.start, Happening::Somebody { cluster: key.clone(), deed });
                // Too far behind it must be started; otherwise somebody may.
                if minor(way.target()) > minor(pool.version) + 3 || self.chance(0.3) {
                    let (at, deed) = (self.when(), Deed::SwitchPool { pool: name, on: true });
                    self.happens(at, Happening::Insistent { cluster: key.clone(), deed });
                }
            } else if number > 0 && !way.too_old && self.is_drawn("a pool with a snapshot", 0.06) {
                pool.peculiar = Peculiar::Pinned;
                let snapshot = format!(
                    "/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.ContainerService/snapshots/gold"
                );
                pool.document["extra"] = json!({ "creationData": { "sourceResourceId": snapshot } });
            } else if !way.too_old && self.is_drawn("a pool in state Failed", 0.06) {
                pool.peculiar = Peculiar::Failed;
                pool.document["provisioningState"] = "Failed".into();
            }
        }
    }

    /// What cannot be upgraded as it is, and what somebody does about it before it is calm; gives the
    /// pools that are still left out then.
    fn mends(
        &mut self,
        key: &ClusterKey,
        index: usize,
        scoped: &Scoped,
        (pools, left_out): (&[DrawnPool], BTreeSet<String>),
    ) -> BTreeSet<String> {
        let way = scoped.way;
        for pool in pools.iter().filter(|pool| pool.peculiar == Peculiar::Pinned) {
            let (at, deed) = (self.when(), Deed::Unpin { pool: pool.name.clone() });
            self.happens(at, Happening::Insistent { cluster: key.clone(), deed });
        }
        if way.too_old && scoped.scope == Scope::Full {
            let (at, deed) = (self.when(), Deed::UpgradeAll { to: way.versions[1].to_owned() });
            self.happens(at, Happening::Insistent { cluster: key.clone(), deed });
        }
        let too_far = |pool: &&DrawnPool| {
            left_out.contains(&pool.name) && minor(way.target()) > minor(pool.version) + 3
        };
        if scoped.scope == Scope::Full && pools.iter().any(|pool| too_far(&pool)) {
            let at = self.when();
            self.happens(at, Happening::Edit { upgrade: index, edit: Edit::IncludeAll });
            return BTreeSet::new();
        }
        left_out
    }

    /// What stands in the way of every change of the cluster, until somebody removes it.
    fn in_the_way(&mut self, key: &ClusterKey, cluster: &mut Value) {
        if self.is_drawn("an abort that comes too late is no content", 0.5) {
            cluster["abortOfNothing"] = "noContent".into();
        }
        if self.is_drawn("an auto-upgrade channel", 0.06) {
            cluster["autoUpgradeChannel"] = (*self.one_of(&["patch", "stable", "node-image"])).into();
            let (at, deed) = (self.when(), Deed::TurnOffChannel);
            self.happens(at, Happening::Insistent { cluster: key.clone(), deed });
        }
        if self.is_drawn("a lock", 0.08) {
            let (from, until) = self.span(HALF_HOUR, 6 * super::HOUR);
            for (at, locked) in [(from, true), (until, false)] {
                self.happens(at, Happening::Azure(AzureChange::Lock { cluster: key.clone(), locked }));
            }
        }
        if self.is_drawn("a policy that denies", 0.08) {
            let (from, until) = self.span(HALF_HOUR, 6 * super::HOUR);
            for (at, denies) in [(from, true), (until, false)] {
                self.happens(at, Happening::Azure(AzureChange::Policy { cluster: key.clone(), denies }));
            }
        }
        if self.is_drawn("a deprecated API in use", 0.08) {
            let seen = self.start - self.seconds(0, 11 * super::HOUR);
            cluster["deprecatedApis"] = json!([{
                "api": "flowcontrol.apiserver.k8s.io.prioritylevelconfigurations.v1beta3",
                "removedIn": *self.one_of(&["1.34", "1.35", "1.36"]), "lastSeen": seen,
            }]);
        }
    }

    /// A pool that changes its size by itself.
    fn autoscaling(&mut self, cluster: &mut Value) {
        if !self.is_drawn("a pool with the autoscaler", 0.15) {
            return;
        }
        let Some(pools) = cluster["pools"].as_array_mut() else { return };
        let number = self.dice.usize(0..pools.len());
        pools[number]["autoscale"] = json!({ "min": 1, "max": 5 });
        let name = pools[number]["name"].clone();
        // With some peace between: a pool that changes all the time is never seen to be done.
        let hours = usize::try_from(self.chaos.as_secs() / super::HOUR).unwrap_or(1).max(1);
        let sizes: Vec<Value> = (0..self.dice.usize(1..=hours))
            .map(|_| json!({ "at": self.when(), "pool": name, "count": self.dice.u32(1..=5) }))
            .collect();
        cluster["autoscaler"] = json!({ "at": sizes });
    }
}
