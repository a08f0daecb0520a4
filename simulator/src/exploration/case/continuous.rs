//! What a seed draws of a continuous plan: fewer oddities of clusters, but releases, clusters that are registered
//! late, and an inventory that cannot be read for a while.

use std::time::Duration;

use engine::{NodeImagePolicy, Scope};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Draw, HOUR, UpgradeCase};
use crate::exploration::inventory::Known;

/// Two regions that release the same images, not at the same time.
const REGIONS: [&str; 2] = ["westeurope", "swedencentral"];
/// Images that come out while the case runs, by OS SKU.
const NEW_IMAGES: [(&str, &str); 4] = [
    ("Ubuntu2204", "AKSUbuntu-2204gen2containerd-202611.17.0"),
    ("AzureLinux3", "AKSAzureLinux-V3gen2-202611.17.0"),
    ("Windows2022", "AKSWindows-2022-containerd-20348.4467.261117"),
    ("Ubuntu2404", "AKSUbuntu-2404gen2containerd-202611.17.0"),
];
/// Oddities that continuous plans do without: what is proven of single upgrades needs no second proof.
const WITHOUT: [&str; 14] = [
    // Not solved: what had failed and makes way for another rollout is gone here at once, and has yet to put back
    // the settings of its step.
    "a failure budget",
    "a pool in state Failed",
    "a pool that is left out",
    "a pool with a snapshot",
    "a stopped pool",
    "a version from which only the whole cluster goes on",
    "a version out of support",
    "a version that Azure does not have",
    "a way of four or five minors",
    // Not solved: a control plane that shows a version which it does not run starts no rollout by itself. What the
    // inventory has is what Azure shows.
    "an upgrade of somebody's that is pushed aside",
    "an auto-upgrade channel",
    "images are skipped",
    "long-term support",
    "the newest minor",
];

/// Whether continuous plans do without something that seeds draw.
pub(super) fn is_without(name: &str) -> bool {
    WITHOUT.contains(&name)
}

impl Draw {
    /// Makes of clusters and upgrades those of a continuous plan; gives the releases of its regions.
    pub(super) fn continuous(&mut self, clusters: &mut [Value], upgrades: &mut [UpgradeCase]) -> Value {
        let max_image_age = match self.dice.usize(0..3) {
            0 => None,
            1 => Some(12),
            _ => Some(30),
        };
        let consistent = self.is_drawn("one image for all clusters", 0.5);
        for (index, (cluster, upgrade)) in clusters.iter_mut().zip(upgrades).enumerate() {
            // One image for all says something where there is more than one region.
            let region = if consistent { REGIONS[index % REGIONS.len()] } else { *self.one_of(&REGIONS) };
            cluster["location"] = region.into();
            let request = &mut upgrade.request;
            request.max_image_age = max_image_age
                .filter(|_| request.scope.has_images())
                .map(|days: u64| Duration::from_secs(days * 24 * HOUR));
            if consistent && request.scope != Scope::ControlPlane {
                request.node_image = NodeImagePolicy::Consistent;
            }
        }
        // A rollout that begins between the first region and the second has to wait for an image.
        let first = if consistent && self.chance(0.5) { self.start } else { self.when() };
        let lag = Duration::from_secs(self.dice.u64(0..48 * HOUR));
        let images: serde_json::Map<_, _> =
            NEW_IMAGES.iter().map(|(sku, image)| ((*sku).to_owned(), Value::from(*image))).collect();
        let swap = self.chance(0.5);
        let at = |region: usize| if (region == 1) == swap { first } else { first + lag };
        let released =
            |region: usize| json!({"releases": {"at": [{"at": at(region), "nodeImages": images}]}});
        json!({ REGIONS[0]: released(0), REGIONS[1]: released(1) })
    }

    /// When each cluster is registered, and when it cannot be looked at.
    pub(super) fn inventory(&mut self, number: usize) -> Vec<Known> {
        let mut all = Vec::new();
        for index in 0..number {
            let mut registered_at: Timestamp = self.start;
            // The first wave has one from the start.
            if index > 0 && self.is_drawn("a cluster that is registered late", 0.4) {
                registered_at = self.when();
            }
            let is_blind = self.is_drawn("an inventory that cannot be read", 0.4);
            let blind = is_blind.then(|| {
                let from = self.when();
                (from, from + self.seconds(3 * HOUR, 14 * HOUR))
            });
            all.push(Known::new(registered_at, blind));
        }
        all
    }
}
