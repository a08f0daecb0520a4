//! A stage: a hub and target clusters on real control planes, the simulator in the place of Azure,
//! and the operator as a child process under the rights of its chart.
//!
//! ```no_run
//! # async fn example() -> anyhow::Result<()> {
//! use tests::stage::{Setup, Stage};
//!
//! # const SCENARIO: &str = "clusters: []";
//! let setup = Setup::new("upgrade", SCENARIO).workloads(&["weu-1"]);
//! Stage::run(setup, async |stage| {
//!     stage.register("fleet", "weu-1", &[("ring", "canary")]).await?;
//!     stage.apply("{apiVersion: tidegate.dev/v1alpha1, kind: UpgradePlan, …}").await?;
//!     stage.plan_reaches("fleet", "autumn", "Succeeded").await?;
//!     assert_eq!(stage.mutations("weu-1"), ["PUT cluster", "PUT pool system"]);
//!     Ok(())
//! })
//! .await
//! # }
//! ```
//!
//! Nothing here sleeps: every wait is a watch with a deadline. What fails tells what all objects,
//! the operator's log and the simulator's log looked like at that moment.

mod azure;
mod command_line;
mod ground;
mod hub;
mod lane;
mod leap;
mod log;
mod manifests;
mod objects;
mod operator;
mod picture;
mod run;
mod setup;
mod target;
mod wait;

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use control_plane::Environment;
use engine::TimeScale;
use futures::future::try_join_all;
use kube::Client;
use simulator::{Simulator, StartOptions, world::ClusterView};

pub use control_plane::ControlPlane;
pub use ground::Ground;
pub use hub::{NAMESPACE, SERVICE_ACCOUNT};
pub use lane::{Lane, Replica};
pub use manifests::{apply, apply_strictly, refusal, would_take};
pub use objects::{check_done, is, reason_of};
pub use operator::{Operator, Usage};
pub use run::Shared;
pub use setup::{OBJECT_ID, Setup};
pub use target::{NodeFacts, Target};
pub use wait::{PATIENCE, gone, until, until_within, when};

use hub::Hub;
use target::{attachment, minor_of};

/// Everything that a test needs, running.
///
/// Fields end in this order: first whoever talks, then whoever is talked to.
pub struct Stage {
    /// The operator's process.
    pub operator: Operator,
    /// Azure.
    pub simulator: Simulator,
    targets: BTreeMap<String, Target>,
    /// ARM ids by the clusters' names.
    ids: BTreeMap<String, String>,
    hub: Hub,
    clock: TimeScale,
    environment: Environment,
}

impl Stage {
    /// Starts everything and waits until the operator leads.
    ///
    /// # Errors
    /// When a part does not start; the error shows the end of its log.
    pub async fn start(setup: Setup) -> Result<Self> {
        let mut scenario = setup.scenario()?;
        let environment = Environment::start(&setup.name).await?;
        let own = scenario.clusters.iter().find(|cluster| setup.own_cluster.as_ref() == Some(&cluster.name));
        let minor = own.map(|cluster| minor_of(&cluster.kubernetes_version)).transpose()?;
        let own = own.map(|cluster| cluster.key());
        let hub = Hub::start(&environment, minor).await?;
        scenario.identities.extend([hub.identity(), azure::identity()]);
        // Simulated time starts now: workloads are as old as their API server says.
        let real_start = leap::real_now();
        let clock = TimeScale::new(setup.start.unwrap_or(real_start), real_start, setup.rate)?;
        let keys: BTreeMap<String, _> =
            scenario.clusters.iter().map(|cluster| (cluster.name.clone(), cluster.key())).collect();
        let ids = scenario.clusters.iter().map(|cluster| (cluster.name.clone(), cluster.id())).collect();
        let mut clusters = if setup.api_servers { scenario.clusters.clone() } else { Vec::new() };
        clusters.retain(|cluster| Some(cluster.key()) != own);
        let simulator = Simulator::start(
            scenario,
            StartOptions { clock, real_now: leap::real_now, ..StartOptions::default() },
        )
        .await?;
        simulator.trust_issuer(&hub.plane.url(), hub.key_set().await?)?;

        let start_target = |cluster| Target::start(&environment, &simulator, cluster, &setup);
        let targets = try_join_all(clusters.iter().map(start_target));
        let (targets, ()) = futures::try_join!(targets, hub.install(&setup, &simulator.ready().tenant))?;
        for target in &targets {
            simulator.attach(keys[&target.name].clone(), target.attachment()?).await?;
        }
        if let Some(own) = own {
            simulator.attach(own, attachment(&hub.plane)?).await?;
        }
        let targets = targets.into_iter().map(|target| (target.name.clone(), target)).collect();
        let way = hub.straight(environment.folder(), simulator.ready(), clock);
        let command = hub.command(&environment, &way).await?;
        let operator = Operator::new(command, environment.folder().join("operator.log"));
        operator.start().await?;
        Ok(Self { operator, simulator, targets, ids, hub, clock, environment })
    }

    /// A client of the hub, as its administrator.
    pub fn hub(&self) -> Client {
        self.hub.client.clone()
    }

    /// The hub's control plane.
    pub fn hub_plane(&self) -> &ControlPlane {
        &self.hub.plane
    }

    /// The control plane that plays a cluster of the scenario.
    ///
    /// # Panics
    /// When the scenario has no cluster of that name, or it has no API server.
    pub fn target(&self, cluster: &str) -> &Target {
        self.targets.get(cluster).unwrap_or_else(|| panic!("there is no API server of {cluster}"))
    }

    /// The ARM id of a cluster of the scenario.
    ///
    /// # Panics
    /// When the scenario has no cluster of that name.
    pub fn resource_id(&self, cluster: &str) -> &str {
        self.ids.get(cluster).unwrap_or_else(|| panic!("the scenario has no cluster {cluster}"))
    }

    /// A cluster as it really is in Azure.
    ///
    /// # Errors
    /// When the simulator has stopped.
    pub async fn world(&self, cluster: &str) -> Result<ClusterView> {
        let id = self.resource_id(cluster);
        let found = self.simulator.clusters().await?.into_iter().find(|found| found.id == id);
        found.with_context(|| format!("{id} in Azure"))
    }

    /// All targets, by name.
    pub fn targets(&self) -> impl Iterator<Item = &Target> {
        self.targets.values()
    }

    /// The clock that operator and simulator share.
    pub fn clock(&self) -> TimeScale {
        self.clock
    }

    /// The folder with all logs and data.
    pub fn folder(&self) -> std::path::PathBuf {
        self.environment.folder()
    }

    /// Leaves that folder where it is when the stage ends.
    pub fn keep(&self) {
        self.environment.keep();
    }

    /// Applies manifests, several YAML documents, to the hub.
    ///
    /// # Errors
    /// When one is refused.
    pub async fn apply(&self, yaml: &str) -> Result<()> {
        apply(&self.hub.client, yaml).await
    }

    /// Stops the operator and sees that it ends well, and that nothing secret is in its log.
    ///
    /// # Errors
    /// When it does not end by itself, or its log has an error or a secret in it.
    pub async fn finish(self) -> Result<()> {
        self.operator.stop().await?;
        self.check_log()?;
        let Self { operator, simulator, targets, ids: _, hub, clock: _, environment } = self;
        drop(operator);
        simulator.stop().await;
        drop((targets, hub, environment));
        Ok(())
    }

    /// # Errors
    /// When the operator has logged an error, a token or a signed address.
    pub fn check_log(&self) -> Result<()> {
        self.operator.check_log().context("the operator's log")
    }
}
