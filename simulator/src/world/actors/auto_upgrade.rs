//! What AKS does by itself: upgrades on a channel, and new images for nodes ("Automatically upgrade
//! an AKS cluster", "Automatically patch and update AKS cluster node images").
//!
//! A cluster is woken by a release in its region or by new settings, and stays awake until it has
//! what its channels want. Without a maintenance configuration that takes some hours; with one the
//! next window decides when something begins. What has begun goes on after the window.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use semver::Version;
use serde_json::{Value, json};

use crate::{
    effects::ClusterKey,
    world::{
        World,
        call::PoolKey,
        ids::{eight_digits, next_word},
        maintenance::window::Windows,
        operations::job::later,
        region::catalog::{Catalog, Support},
        resources::{cluster::Cluster, pool::Pool},
    },
};

/// After new settings: "allow 24 hours for the changes to take effect".
const AFTER_SETTINGS: SignedDuration = SignedDuration::from_hours(24);

/// A window that begins sooner after new settings is missed.
const WINDOW_NOTICE: SignedDuration = SignedDuration::from_mins(15);

/// Before what has failed is tried again.
const AFTER_FAILURE: SignedDuration = SignedDuration::from_hours(24);

/// Minors that a cluster may be behind the oldest supported one before it is upgraded by force.
const MOST_BEHIND: u64 = 2;

/// One operation that AKS begins by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    /// Control plane and pools.
    Kubernetes(Version),
    Image {
        pool: String,
        image: String,
    },
}

/// A cluster that does not have yet what its channels want.
#[derive(Clone, Debug)]
struct Awake {
    /// Without a window nothing begins before.
    free_from: Timestamp,
    /// With one, neither.
    not_before: Timestamp,
    /// What was begun last.
    last: Option<Step>,
    due: Option<Timestamp>,
    /// Something happened since `due` was worked out.
    stale: bool,
}

/// All clusters that are awake.
#[derive(Debug)]
pub(crate) struct AutoUpgrade {
    seed: u64,
    awake: BTreeMap<ClusterKey, Awake>,
}

impl AutoUpgrade {
    pub(crate) const fn new(seed: u64) -> Self {
        Self { seed, awake: BTreeMap::new() }
    }

    /// Something happened to the cluster: what it wants and may is worked out anew.
    pub(crate) fn touch(&mut self, key: &ClusterKey) {
        if let Some(awake) = self.awake.get_mut(key) {
            awake.stale = true;
        }
    }

    pub(crate) fn next_at(&self) -> Option<Timestamp> {
        self.awake.values().filter_map(|awake| awake.due).min()
    }

    fn wake(&mut self, key: &ClusterKey, free_from: Timestamp, not_before: Timestamp) {
        let awake = self.awake.entry(key.clone()).or_insert(Awake {
            free_from,
            not_before,
            last: None,
            due: None,
            stale: true,
        });
        awake.stale = true;
    }

    /// Some hours, the same for a cluster and an instant.
    fn delay(&self, key: &ClusterKey, now: Timestamp) -> SignedDuration {
        let instant = now.as_second().unsigned_abs();
        let word = next_word(self.seed ^ u64::from(eight_digits(&key.0)) ^ instant.rotate_left(32));
        SignedDuration::from_mins(60 + i64::try_from(word % (11 * 60)).unwrap_or(0))
    }
}

impl World {
    /// A region has released something.
    pub(in crate::world) fn wake_region(&mut self, now: Timestamp, region: &str) {
        let clusters = self.clusters.values().filter(|cluster| cluster.location.eq_ignore_ascii_case(region));
        for key in clusters.map(|cluster| cluster.key.clone()).collect::<Vec<_>>() {
            let free_from = later(now, self.auto_upgrade.delay(&key, now));
            self.auto_upgrade.wake(&key, free_from, now);
        }
    }

    /// A cluster has new channels.
    pub(in crate::world) fn wake_for_settings(&mut self, now: Timestamp, key: &ClusterKey) {
        self.auto_upgrade.wake(key, later(now, AFTER_SETTINGS), later(now, WINDOW_NOTICE));
    }

    /// Works out when each cluster acts next, and begins what is due.
    pub(in crate::world) fn automate(&mut self, now: Timestamp) {
        for key in self.auto_upgrade.awake.keys().cloned().collect::<Vec<_>>() {
            let Some(awake) = self.auto_upgrade.awake.get(&key) else { continue };
            if awake.stale {
                self.plan_auto_upgrade(now, &key);
            }
            let due = self.auto_upgrade.awake.get(&key).and_then(|awake| awake.due);
            if due.is_some_and(|due| due <= now) {
                self.begin_automatically(now, &key);
            }
        }
    }

    fn plan_auto_upgrade(&mut self, now: Timestamp, key: &ClusterKey) {
        let planned = self.clusters.get(key).map(|cluster| {
            let idle = cluster.work.is_none() && !cluster.is_stopped();
            (idle, wanted(cluster, self.catalog(cluster), self.releases.contains_key(&region(cluster))))
        });
        let Some((idle, steps)) = planned.filter(|(idle, steps)| !*idle || !steps.is_empty()) else {
            self.auto_upgrade.awake.remove(key);
            return;
        };
        let Some(awake) = self.auto_upgrade.awake.get_mut(key) else { return };
        awake.stale = false;
        awake.due = None;
        if !idle {
            return;
        }
        match awake.last.take() {
            // It has not come to what it was begun for.
            Some(last) if steps.contains(&last) => {
                awake.not_before = later(now, AFTER_FAILURE);
                awake.free_from = awake.not_before;
            }
            // One pool after the other.
            Some(_) => awake.free_from = now,
            None => {}
        }
        let (not_before, free_from) = (awake.not_before.max(now), awake.free_from.max(now));
        let cluster = self.clusters.get(key);
        let due = steps.iter().filter_map(|step| {
            let windows = cluster.and_then(|cluster| windows(cluster, step));
            match windows {
                None => Some(free_from),
                Some(windows) => windows.next_open(not_before).map(|open| open.from.max(not_before)),
            }
        });
        let due = due.min();
        if let Some(awake) = self.auto_upgrade.awake.get_mut(key) {
            awake.due = due;
        }
    }

    fn begin_automatically(&mut self, now: Timestamp, key: &ClusterKey) {
        let Some(cluster) = self.clusters.get(key) else { return };
        let steps = wanted(cluster, self.catalog(cluster), self.releases.contains_key(&region(cluster)));
        let open = |step: &&Step| {
            let windows = windows(cluster, step);
            windows.is_none_or(|windows| windows.next_open(now).is_some_and(|open| open.from <= now))
        };
        let step = steps.iter().find(open).cloned();
        let began = match &step {
            None => false,
            Some(Step::Kubernetes(version)) => self.upgrade_automatically(now, key, version),
            Some(Step::Image { pool, image }) => {
                let pool = PoolKey { cluster: key.clone(), name: pool.clone() };
                self.renew_automatically(now, &pool, image)
            }
        };
        let Some(awake) = self.auto_upgrade.awake.get_mut(key) else { return };
        awake.stale = true;
        awake.due = None;
        if began {
            awake.last = step;
        } else {
            awake.not_before = later(now, AFTER_FAILURE);
            awake.free_from = awake.not_before;
        }
        self.plan_auto_upgrade(now, key);
    }

    /// "Automatically completed upgrades are functionally the same as manual upgrades."
    fn upgrade_automatically(&mut self, now: Timestamp, key: &ClusterKey, version: &Version) -> bool {
        let Some(cluster) = self.clusters.get(key) else { return false };
        let mut body = cluster.render();
        body["properties"]["kubernetesVersion"] = json!(version.to_string());
        let pools = body["properties"]["agentPoolProfiles"].as_array_mut();
        for pool in pools.into_iter().flatten() {
            pool["orchestratorVersion"] = json!(version.to_string());
        }
        let answer = self.put_cluster(now, key, &body, None);
        if let Err(refusal) = &answer {
            tracing::info!(cluster = key.0, %version, body = %refusal.body, "an automatic upgrade was refused");
        }
        answer.is_ok()
    }

    fn renew_automatically(&mut self, now: Timestamp, pool: &PoolKey, image: &str) -> bool {
        let answer = self.renew_image(now, pool, Some(image));
        if let Err(refusal) = &answer {
            tracing::info!(pool = pool.name, image, body = %refusal.body, "an automatic image was refused");
        }
        answer.is_ok()
    }
}

fn region(cluster: &Cluster) -> String {
    cluster.location.to_lowercase()
}

/// What the channels of a cluster want, in the order in which AKS does it.
fn wanted(cluster: &Cluster, catalog: &Catalog, moves: bool) -> Vec<Step> {
    let (channel, node_os) = channels(cluster);
    let target = forced(cluster, catalog).filter(|_| moves).or_else(|| target(cluster, catalog, channel));
    let mut steps = target.map(Step::Kubernetes).into_iter().collect::<Vec<_>>();
    if catalog.support(&cluster.version) == Support::None && moves {
        // "Node image upgrades are supported as long as the minor version is still in support."
        return steps;
    }
    let pools = cluster.pools.values().filter_map(|pool| {
        let image = match node_os {
            "NodeImage" => catalog.latest_image(pool.os_sku(), &pool.version()),
            "SecurityPatch" => patched_image(pool, catalog)?,
            _ => return None,
        };
        (pool.image() != image).then(|| Step::Image { pool: pool.name.clone(), image })
    });
    steps.extend(pools);
    steps
}

/// The channels for versions and for images.
fn channels(cluster: &Cluster) -> (&str, &str) {
    let profile = cluster.property("autoUpgradeProfile");
    let text = |field: &str| profile.get(field).and_then(Value::as_str).unwrap_or("none");
    let sku = cluster.document.get("sku").and_then(|sku| sku.get("name")).and_then(Value::as_str);
    match (sku, text("upgradeChannel")) {
        (Some("Automatic"), _) => ("stable", "NodeImage"),
        (_, "node-image") => ("node-image", "NodeImage"),
        (_, channel) => (channel, text("nodeOSUpgradeChannel")),
    }
}

/// The next version on the way that a channel goes.
fn target(cluster: &Cluster, catalog: &Catalog, channel: &str) -> Option<Version> {
    let from = cluster.shown_version();
    let newest = catalog.newest_supported()?;
    let goal = match channel {
        "patch" => from.minor,
        "stable" => newest.saturating_sub(1).max(from.minor),
        "rapid" => newest.max(from.minor),
        _ => return None,
    };
    let minor = if goal > from.minor { from.minor + 1 } else { from.minor };
    let offered = catalog.upgrades(&from, cluster.is_long_term());
    let offered = offered.into_iter().filter(|(version, preview)| version.minor == minor && !preview);
    offered.map(|(version, _)| version).max()
}

/// Where a cluster goes that is about to be too far behind, whatever its channel.
fn forced(cluster: &Cluster, catalog: &Catalog) -> Option<Version> {
    let from = cluster.shown_version();
    let oldest = catalog.oldest_supported()?;
    if cluster.is_long_term() || from.minor + MOST_BEHIND > oldest {
        return None;
    }
    let offered = catalog.upgrades(&from, false);
    let offered = offered.into_iter().filter(|(version, preview)| version.minor == oldest && !preview);
    offered.map(|(version, _)| version).max()
}

/// A Linux image with the newest security patches: its name, and their day behind it.
fn patched_image(pool: &Pool, catalog: &Catalog) -> Option<String> {
    let day = catalog.security_patch.as_ref().filter(|_| !pool.is_windows())?;
    let image = pool.image();
    let is_day = |text: &str| text.split('.').next().is_some_and(|year| year.len() == 4);
    let base = image.rsplit_once('-').filter(|(_, tail)| is_day(tail)).map_or(image, |(base, _)| base);
    Some(format!("{base}-{day}"))
}

/// The windows for a step; `None` when nothing is configured for it.
fn windows(cluster: &Cluster, step: &Step) -> Option<Windows> {
    let own = match step {
        Step::Kubernetes(_) => "aksManagedAutoUpgradeSchedule",
        Step::Image { .. } => "aksManagedNodeOSUpgradeSchedule",
    };
    let configuration = cluster.maintenance.get(own).or_else(|| cluster.maintenance.get("default"))?;
    Windows::read(configuration)
}
