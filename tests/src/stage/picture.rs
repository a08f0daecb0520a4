//! What everything looked like when a test failed.

use std::fmt::Write as _;

use kube::{Api, ResourceExt, api::ListParams};
use serde_json::Value;

use super::Stage;

const LOG_LINES: usize = 60;
const CALLS: usize = 40;

impl Stage {
    /// All of Tidegate's objects, the simulator's truth, and the ends of both logs.
    pub async fn picture(&self) -> String {
        let mut text = String::new();
        for kind in [
            self.statuses::<crds::UpgradePlan>("UpgradePlan").await,
            self.statuses::<crds::ClusterUpgrade>("ClusterUpgrade").await,
            self.statuses::<crds::AKSCluster>("AKSCluster").await,
        ] {
            text.push_str(&kind);
        }
        text.push_str("\n== the simulator's clusters\n");
        for cluster in self.simulator.clusters().await.unwrap_or_default() {
            let name = cluster.id.rsplit('/').next().unwrap_or_default();
            let _ = writeln!(
                text,
                "{name} {} {} {:?}",
                cluster.kubernetes_version, cluster.provisioning_state, cluster.operation
            );
            for pool in cluster.pools {
                let _ = writeln!(
                    text,
                    "  {} {} {} {} nodes {:?}",
                    pool.name,
                    pool.orchestrator_version,
                    pool.node_image_version,
                    pool.provisioning_state,
                    pool.nodes.iter().map(|node| format!("{node:?}")).collect::<Vec<_>>(),
                );
            }
        }
        let log = self.simulator.log();
        let _ = writeln!(text, "\n== the simulator's log: mutations, and the last {CALLS} calls");
        let recent = log.len().saturating_sub(CALLS);
        for (index, entry) in
            log.iter().enumerate().filter(|(index, entry)| entry.mutation || *index >= recent)
        {
            let path = entry.path.rsplit_once("/providers/").map_or(entry.path.as_str(), |(_, path)| path);
            let _ = writeln!(text, "{index} {} {} {path} {}", entry.real, entry.method, entry.status);
        }
        let _ = writeln!(text, "\n== the end of {}", self.operator.log_file().display());
        for line in self.operator.tail(LOG_LINES) {
            let _ = writeln!(text, "{line}");
        }
        text
    }

    async fn statuses<K>(&self, kind: &str) -> String
    where
        K: kube::Resource<DynamicType = ()>
            + Clone
            + std::fmt::Debug
            + serde::de::DeserializeOwned
            + serde::Serialize,
    {
        let mut text = String::new();
        let api: Api<K> = Api::all(self.hub());
        let objects = match api.list(&ListParams::default()).await {
            Ok(objects) => objects.items,
            Err(error) => return format!("== {kind}: {error}\n"),
        };
        for object in objects {
            let value = serde_json::to_value(&object).unwrap_or_default();
            let status = without_offers(value["status"].clone());
            let name = format!("{}/{}", object.namespace().unwrap_or_default(), object.name_any());
            let status = serde_saphyr::to_string(&status).unwrap_or_default();
            let _ = writeln!(text, "\n== {kind} {name}\n{status}");
        }
        text
    }
}

/// The inventory is long, and the simulator's truth is shown anyway.
fn without_offers(mut status: Value) -> Value {
    if let Some(status) = status.as_object_mut() {
        status.remove("offers");
        status.remove("cluster");
    }
    status
}
