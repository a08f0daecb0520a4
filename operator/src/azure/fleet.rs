//! One cluster in Azure, through the management client.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use azure_mgmt_containerservice::{Accepted, Client, ClusterId, Error, OperationUrl, writes};
use engine::{
    Cluster, Failure, Fleet, Offers, OperationReport, Reading, RegionVersion, Rejection, Step, StepKind,
    Unreadable,
};
use futures::future::try_join_all;
use jiff::Timestamp;

use super::{convert, steady};
use crate::{clock::WallClock, telemetry::Metrics};

/// How long the versions of a region are kept: AKS releases weekly, region by region.
const REGION_TTL: Duration = Duration::from_secs(4 * 3600);

type Read = (Timestamp, Vec<RegionVersion>);

/// The versions of each region, shared by all clusters.
#[derive(Debug, Default)]
pub(crate) struct RegionCache {
    /// By subscription and location: when they were read, and the versions.
    regions: Mutex<BTreeMap<(String, String), Read>>,
}

/// One cluster in Azure.
#[derive(Clone)]
pub(crate) struct AzureFleet {
    client: Client,
    id: ClusterId,
    regions: Arc<RegionCache>,
    clock: WallClock,
    metrics: Metrics,
}

impl AzureFleet {
    /// The cluster of that id.
    #[must_use]
    pub(crate) fn new(
        client: Client,
        id: ClusterId,
        regions: Arc<RegionCache>,
        clock: WallClock,
        metrics: Metrics,
    ) -> Self {
        Self { client, id, regions, clock, metrics }
    }

    async fn region(&self, location: &str) -> Result<Vec<RegionVersion>, Unreadable> {
        let key = (self.id.subscription().to_lowercase(), location.to_owned());
        let now = self.clock.now();
        let known = self.regions.regions.lock().ok().and_then(|regions| regions.get(&key).cloned());
        if let Some((at, versions)) = known
            && now < at + REGION_TTL
        {
            return Ok(versions);
        }
        let answer = self.client.locations().kubernetes_versions(self.id.subscription(), location).await;
        let versions = convert::region(&self.counted("kubernetesVersions", answer)?);
        if let Ok(mut regions) = self.regions.regions.lock() {
            regions.insert(key, (now, versions.clone()));
        }
        Ok(versions)
    }

    async fn latest_image(&self, pool: &str) -> Result<Option<(String, String)>, Unreadable> {
        let answer = self.client.agent_pools().upgrade_profile(&self.id, pool).await;
        let profile = self.counted("agentPools/upgradeProfiles", answer)?;
        Ok(profile.view().latest_node_image_version.clone().map(|image| (pool.to_owned(), image)))
    }

    async fn send(&self, step: &Step) -> Result<Accepted, Error> {
        match (step.kind, &step.pool) {
            (StepKind::ControlPlane, _) | (_, None) => {
                let clusters = self.client.managed_clusters();
                let read = clusters.get(&self.id).await?;
                let body = writes::control_plane_upgrade(read.value(), &step.to);
                clusters.put(&self.id, &body, read.etag()).await
            }
            (StepKind::NodePoolVersion, Some(pool)) => {
                let pools = self.client.agent_pools();
                let read = pools.get(&self.id, pool).await?;
                let body = writes::agent_pool_upgrade(read.value(), &step.to);
                pools.put(&self.id, pool, &body, read.etag()).await
            }
            (StepKind::NodePoolImage, Some(pool)) => {
                self.client.agent_pools().upgrade_node_image(&self.id, pool).await
            }
        }
    }

    /// Counts a call, and puts its error into words.
    fn counted<T>(&self, call: &'static str, answer: Result<T, Error>) -> Result<T, Unreadable> {
        self.metrics.azure_call(call, answer.as_ref().err().map(|error| error.status().unwrap_or(0)));
        answer.map_err(|error| Unreadable(steady(&describe(&error))))
    }
}

fn describe(error: &Error) -> String {
    let failure = convert::failure(error);
    match (failure.status, &failure.code) {
        (Some(status), Some(code)) => format!("{status} {code}: {}", failure.message),
        (Some(status), None) => format!("{status}: {}", failure.message),
        (None, _) => failure.message,
    }
}

impl Fleet for AzureFleet {
    async fn cluster(&self) -> Reading<Cluster> {
        let answer = self.client.managed_clusters().get(&self.id).await;
        convert::cluster(self.counted("managedClusters", answer)?.view())
    }

    async fn offers(&self, cluster: &Cluster) -> Reading<Offers> {
        let answer = self.client.managed_clusters().upgrade_profile(&self.id).await;
        let profile = self.counted("managedClusters/upgradeProfiles", answer)?;
        let region = self.region(&cluster.location).await?;
        let images = try_join_all(cluster.pools.iter().map(|pool| self.latest_image(&pool.name))).await?;
        Ok(Offers {
            control_plane: convert::offered(profile.view()),
            region,
            images: images.into_iter().flatten().collect(),
        })
    }

    async fn submit(&self, step: &Step) -> Result<Option<String>, Rejection> {
        let answer = self.send(step).await;
        self.metrics.azure_call("submit", answer.as_ref().err().map(|error| error.status().unwrap_or(0)));
        match answer {
            Ok(accepted) => Ok(accepted.async_operation.map(|url| url.expose().to_owned())),
            Err(error) => {
                let failure: Failure = convert::failure(&error);
                Err(Rejection { failure, retry_after: error.retry_after() })
            }
        }
    }

    async fn operation(&self, address: &str) -> Reading<OperationReport> {
        let answer = self.client.operations().status(&OperationUrl::new(address)).await;
        match answer {
            // Azure forgets operations after some time; the resource itself tells the rest.
            Err(error) if error.is_not_found() => Ok(OperationReport { failure: None }),
            answer => convert::report(&self.counted("operations", answer)?),
        }
    }
}
