//! A small stage on a shared hub: a namespace, a simulator, and operators behind proxies.

use std::{collections::BTreeMap, sync::Arc};

use anyhow::{Context as _, Result};
use crds::{AKSCluster, ClusterUpgrade, UpgradePlan};
use engine::TimeScale;
use kube::{Api, Resource, ResourceExt as _, api::ListParams, core::NamespaceResourceScope};
use reqwest::Method;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use simulator::{Scenario, Simulator, StartOptions, clock};

use super::{Operator, apply, azure, ground::Ground, hub::Way, is, log, manifests::ensure_namespace, when};
use crate::proxy::{self, Peer, Proxy, Wire};

/// A namespace of a hub, with an Azure of its own.
pub struct Lane<'a> {
    /// Its name, and that of its namespace.
    pub name: String,
    /// Azure.
    pub simulator: Simulator,
    clock: TimeScale,
    /// ARM ids by the clusters' names.
    ids: BTreeMap<String, String>,
    ground: &'a Ground,
}

/// An operator of a lane.
///
/// Fields end in this order: the process before its proxies.
pub struct Replica {
    /// Its process; started by whoever made it.
    pub operator: Operator,
    /// What its calls go over.
    pub wire: Arc<Wire>,
    _proxies: [Proxy; 2],
}

impl Replica {
    /// # Errors
    /// When the operator has logged an error, a token or a signed address.
    pub fn check_log(&self) -> Result<()> {
        self.operator.check_log().context("the operator's log")
    }
}

impl<'a> Lane<'a> {
    pub(super) async fn start(ground: &'a Ground, name: &str, scenario: &str, rate: f64) -> Result<Self> {
        let mut scenario = Scenario::parse(scenario).with_context(|| format!("the scenario of {name}"))?;
        scenario.identities.extend([ground.hub.identity(), azure::identity()]);
        let ids = scenario.clusters.iter().map(|cluster| (cluster.name.clone(), cluster.id())).collect();
        let now = clock::now();
        let clock = TimeScale::new(now, now, rate)?;
        let simulator = Simulator::start(scenario, StartOptions { clock, ..StartOptions::default() }).await?;
        simulator.trust_issuer(&ground.hub.plane.url(), ground.keys.clone())?;
        ensure_namespace(&ground.hub.client, name).await?;
        Ok(Self { name: name.to_owned(), simulator, clock, ids, ground })
    }

    /// An operator under the rights of the chart that sees this lane only; not started yet.
    ///
    /// # Errors
    /// When its proxies or tokens cannot be made.
    pub async fn replica(&self, name: &str) -> Result<Replica> {
        let (hub, azure, wire) = (&self.ground.hub, self.simulator.ready(), Arc::<Wire>::default());
        let to_hub = Proxy::start(Peer::Hub, &hub.plane.url(), &hub.plane.ca_pem(), &self.name, &wire)?;
        let to_azure = Proxy::start(Peer::Azure, &azure.endpoint, &azure.ca_pem, &self.name, &wire)?;
        let folder = self.ground.folder().join(format!("{}-{name}", self.name));
        let log = folder.join("operator.log");
        let way = Way {
            folder,
            hub_url: to_hub.url().to_owned(),
            hub_ca: proxy::ca_pem()?.to_owned(),
            azure,
            azure_url: to_azure.url(),
            azure_ca: proxy::ca_pem()?,
            clock: self.clock,
            lease_namespace: &self.name,
            replica: name,
        };
        let command = hub.command(&self.ground.environment, &way).await?;
        Ok(Replica { operator: Operator::new(command, log), wire, _proxies: [to_hub, to_azure] })
    }

    /// Registers the clusters of the scenario, under their own names.
    ///
    /// # Errors
    /// When the API server refuses one.
    pub async fn register(&self) -> Result<()> {
        for (name, id) in &self.ids {
            let object = json!({
                "apiVersion": "tidegate.dev/v1alpha1",
                "kind": "AKSCluster",
                "metadata": { "namespace": self.name, "name": name },
                "spec": { "resourceId": id },
            });
            self.apply(&object.to_string()).await?;
        }
        Ok(())
    }

    /// Waits until all of them were observed.
    ///
    /// # Errors
    /// When Azure or a cluster's API cannot be read in time.
    pub async fn observed(&self) -> Result<()> {
        for name in self.ids.keys() {
            let ready = |cluster: &AKSCluster| {
                cluster.status.as_ref().is_some_and(|status| is(&status.conditions, "Ready", "True"))
            };
            when(&self.api(), name, "observed", ready).await?;
        }
        Ok(())
    }

    /// Applies manifests to the lane's namespace.
    ///
    /// # Errors
    /// When one is refused.
    pub async fn apply(&self, yaml: &str) -> Result<()> {
        apply(&self.ground.hub.client, &yaml.replace("NAMESPACE", &self.name)).await
    }

    /// Objects of a kind in the lane's namespace.
    pub fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.ground.hub.client.clone(), &self.name)
    }

    /// Waits until the plan waits on this (`Succeeded` when it is done).
    ///
    /// # Errors
    /// When that does not happen.
    pub async fn plan_reaches(&self, plan: &str, reason: &str) -> Result<UpgradePlan> {
        let reached = |plan: &UpgradePlan| {
            let status = plan.status.as_ref();
            status.and_then(|status| status.summary.as_ref()).is_some_and(|summary| summary.reason == reason)
        };
        when(&self.api(), plan, &format!("at {reason}"), reached).await
    }

    /// What was asked of Azure that changes a cluster, as [`super::Stage::mutations`].
    ///
    /// # Panics
    /// When the scenario has no cluster of that name.
    pub fn mutations(&self, cluster: &str) -> Vec<String> {
        log::mutations(&self.simulator, self.id(cluster))
    }

    /// Sees that no two operations of a cluster were under way at once.
    ///
    /// # Errors
    /// Naming the operation that began too early.
    pub async fn one_at_a_time(&self) -> Result<()> {
        log::one_at_a_time(&self.simulator).await
    }

    /// A cluster's document as Azure has it, its pools inline.
    ///
    /// # Errors
    /// When Azure does not answer.
    pub async fn document(&self, cluster: &str) -> Result<Value> {
        Ok(azure::ask(self.simulator.ready(), Method::GET, self.id(cluster), None).await?.json().await?)
    }

    /// Names of the scenario's clusters.
    pub fn clusters(&self) -> impl Iterator<Item = &str> {
        self.ids.keys().map(String::as_str)
    }

    fn id(&self, cluster: &str) -> &str {
        self.ids.get(cluster).unwrap_or_else(|| panic!("the scenario has no cluster {cluster}"))
    }

    /// Stops Azure. What is on the hub stays: nobody else sees it.
    pub async fn end(self) {
        self.simulator.stop().await;
    }

    /// What everything looks like, for a failure's message.
    pub async fn picture(&self) -> String {
        let plans = self.statuses::<UpgradePlan>().await;
        let upgrades = self.statuses::<ClusterUpgrade>().await;
        let clusters = self.simulator.clusters().await.map(|clusters| format!("{clusters:#?}"));
        let asked: Vec<String> = self
            .simulator
            .log()
            .iter()
            .map(|entry| format!("{} {} {} {}", entry.simulated, entry.method, entry.path, entry.status))
            .collect();
        let asked = &asked[asked.len().saturating_sub(30)..];
        format!("{plans}\n{upgrades}\n{}\n{}", clusters.unwrap_or_default(), asked.join("\n"))
    }

    async fn statuses<K>(&self) -> String
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + DeserializeOwned
            + serde::Serialize
            + std::fmt::Debug,
    {
        let found = match self.api::<K>().list(&ListParams::default()).await {
            Ok(found) => found,
            Err(error) => return format!("{}: {error}", K::kind(&())),
        };
        let show = |object: &K| {
            let status = serde_json::to_value(object).unwrap_or_default()["status"].take();
            let status = serde_saphyr::to_string(&status).unwrap_or_default();
            format!("== {} {}\n{status}", K::kind(&()), object.name_any())
        };
        found.iter().map(show).collect::<Vec<_>>().join("\n")
    }
}
