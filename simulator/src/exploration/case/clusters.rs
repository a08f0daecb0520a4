//! What a seed draws of a cluster and its pools.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Draw, OLD_IMAGES, UpgradeCase};
use crate::{effects::ClusterKey, exploration::workloads::Surroundings};

const SUBSCRIPTION: &str = "20000000-0000-4000-8000-000000000001";
/// Stable versions that the simulated regions offer, oldest first.
const VERSIONS: [&str; 6] = ["1.34.2", "1.34.4", "1.35.1", "1.35.3", "1.36.0", "1.36.2"];

impl Draw {
    pub(super) fn cluster(&mut self, index: usize, chaos: Duration) -> (Value, UpgradeCase) {
        let name = format!("c{index}");
        let at = self.dice.usize(0..VERSIONS.len() - 1);
        let only_images = self.chance(0.2);
        let target = VERSIONS[self.dice.usize(at + 1..VERSIONS.len())];
        let pools: Vec<Value> = (0..self.dice.usize(1..=4)).map(|number| self.pool(number, at)).collect();
        let names: Vec<String> =
            pools.iter().filter_map(|pool| Some(pool["name"].as_str()?.to_owned())).collect();
        let (faults, budgets_allow_from) = self.faults(&names, chaos);
        let cluster = json!({
            "subscription": SUBSCRIPTION, "resourceGroup": "rg", "name": name,
            "kubernetesVersion": VERSIONS[at], "pools": pools, "faults": faults,
        });
        let id = format!(
            "/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.ContainerService/managedClusters/{name}"
        );
        let upgrade = UpgradeCase {
            key: ClusterKey(id.to_lowercase()),
            id: id.parse().expect("a cluster's id"),
            request: self.request((!only_images).then_some(target)),
            target: (!only_images).then(|| target.to_owned()),
            pools: names,
            surroundings: Surroundings { budgets_allow_from, ..self.surroundings(chaos) },
            name,
        };
        (cluster, upgrade)
    }

    fn pool(&mut self, number: usize, at: usize) -> Value {
        let windows = number > 0 && self.chance(0.25);
        let os_sku = if windows { "Windows2022" } else { self.one_of(&["Ubuntu2204", "AzureLinux3"]) };
        let behind = if self.chance(0.3) { self.dice.usize(0..=at) } else { at };
        let mut pool = json!({
            "name": format!("{}{number}", if windows { "win" } else { "linux" }),
            "mode": if number == 0 { "System" } else { "User" },
            "osType": if windows { "Windows" } else { "Linux" },
            "osSku": os_sku,
            "count": self.dice.u32(1..=4),
            "kubernetesVersion": VERSIONS[behind],
        });
        if self.chance(0.8) {
            let old = OLD_IMAGES.iter().find(|(sku, _)| *sku == os_sku);
            pool["nodeImage"] = old.map(|(_, image)| *image).into();
        }
        if self.chance(0.4) {
            pool["maxSurge"] = (*self.one_of(&["1", "2", "33%", "100%"])).into();
        }
        pool
    }
}
