//! The model of AKS: sans-I/O and deterministic.
//!
//! Calls, outcomes and the passing of time go in; answers, effects and the next instant at
//! which to be asked again come out. The same inputs give the same outputs, always. A
//! cluster with a driver has its effects carried out outside; without one the model
//! answers them itself.
//!
//! [`call`] is the vocabulary: what can be asked, and how it is answered. [`handlers`] carry the calls out
//! by the [`rules`] of AKS, as [`dispatch`] sends them there; [`manager`] does so for Azure Resource Manager's own calls. [`resources`] and
//! [`maintenance`] are clusters and pools as data, [`region`] is what there is to have. [`operations`] are
//! what goes on in a cluster, [`actors`] what begins by itself; [`passage`] of time moves both. [`throttle`] and [`quirks`] stand in front.

mod actors;
mod call;
mod dispatch;
mod handlers;
mod ids;
pub(crate) mod maintenance;
mod manager;
mod operations;
mod outbox;
mod passage;
mod quirks;
mod region;
mod resources;
mod rules;
#[cfg(test)]
mod tests;
mod throttle;
mod truth;
mod view;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

pub use actors::NotScaled;
pub use call::{Answer, Call, PoolKey, Remaining, Started};
pub use manager::{GroupKey, ManagerCall, ResourceFilter, Scope};
pub use operations::operation::OperationView;
pub use quirks::{Delivery, QuirkView};
pub use resources::{cluster::Endpoint, pool::WorldNode};
pub use view::{ApiNode, ApiServerView, ClusterView, PoolView, WorkView};

pub(crate) use call::Refusal;
pub(crate) use manager::{Known, Namespace, ResourceType, is_azure_region};
pub(crate) use region::catalog::build_name;

use actors::{
    auto_upgrade::AutoUpgrade, autoscaler::Autoscaler, provisioner::Provisioner, side_jobs::SideJobs,
};
use ids::Ids;
use manager::Manager;
use operations::operation::Operations;
use outbox::{Driver, Outbox};
use quirks::Quirks;
use region::{catalog::Catalog, releases::Upcoming};
use resources::cluster::Cluster;
use throttle::Throttle;

use crate::{
    effects::{ClusterKey, Effect, EffectId, Outcome},
    scenario::{
        DenyPolicy, DurationSpec, Fault, QuirkRule, Quota, RegionSpec, Scenario, ScenarioError, invalid,
    },
};

/// All clusters, and everything that goes on in them.
#[derive(Debug)]
pub struct World {
    clusters: BTreeMap<ClusterKey, Cluster>,
    /// Those with an operation under way.
    busy: BTreeSet<ClusterKey>,
    catalogs: BTreeMap<String, Catalog>,
    /// What regions are still to release, by name.
    releases: BTreeMap<String, Upcoming>,
    /// When each region has released something last, and how often.
    released: BTreeMap<String, (Timestamp, u64)>,
    auto_upgrade: AutoUpgrade,
    autoscalers: BTreeMap<ClusterKey, Autoscaler>,
    provisioners: BTreeMap<ClusterKey, Provisioner>,
    /// Nodes that come and go beside the operations.
    side_jobs: BTreeMap<ClusterKey, SideJobs>,
    operations: Operations,
    quotas: Vec<Quota>,
    outbox: Outbox,
    ids: Ids,
    page_size: usize,
    throttle: Option<Throttle>,
    /// Where the API servers are that nobody outside plays.
    api_servers: Option<Endpoint>,
    quirks: Quirks,
    manager: Manager,
    /// How long things take in new clusters.
    durations: DurationSpec,
    tenant: String,
}

impl World {
    /// The world at its start. The scenario has been checked.
    #[must_use]
    pub fn new(scenario: &Scenario) -> Self {
        let mut ids = Ids::new(scenario.seed);
        let named = scenario.regions.iter().map(|(name, region)| (name.to_lowercase(), Catalog::new(region)));
        let mut catalogs: BTreeMap<_, _> = named.collect();
        let mut clusters = BTreeMap::new();
        for spec in &scenario.clusters {
            let catalog = catalogs
                .entry(spec.location.to_lowercase())
                .or_insert_with(|| Catalog::new(&RegionSpec::default()));
            let cluster = Cluster::new(spec, &scenario.tenant, &scenario.durations, catalog, &mut ids);
            clusters.insert(spec.key(), cluster);
        }
        let manager = Manager::new(scenario, &clusters);
        Self {
            clusters,
            busy: BTreeSet::new(),
            catalogs,
            releases: region::releases::upcoming(scenario),
            released: BTreeMap::new(),
            auto_upgrade: AutoUpgrade::new(scenario.seed),
            autoscalers: actors::autoscaler::autoscalers(scenario),
            provisioners: actors::provisioner::provisioners(scenario),
            side_jobs: BTreeMap::new(),
            operations: Operations::new(scenario.operations),
            quotas: scenario.quotas.clone(),
            outbox: Outbox::default(),
            ids,
            page_size: scenario.page_size,
            throttle: scenario.throttling.then(Throttle::default),
            api_servers: None,
            quirks: Quirks::new(scenario),
            manager,
            durations: scenario.durations.clone(),
            tenant: scenario.tenant.clone(),
        }
    }

    /// Clusters without an API server of their own are served by the simulator at this address.
    #[must_use]
    pub fn with_api_servers(self, base: Endpoint) -> Self {
        Self { api_servers: Some(base), ..self }
    }

    /// Answers a call at `now` of a principal, named by its object id.
    pub fn call(&mut self, now: Timestamp, caller: &str, call: Call) -> Answer {
        self.advance(now);
        let answer = self.answer(now, caller, call);
        self.advance(now);
        answer
    }

    fn admit(&mut self, now: Timestamp, caller: &str, call: &Call) -> Result<Option<Remaining>, Box<Answer>> {
        let Some(throttle) = &mut self.throttle else {
            return Ok(Some(Remaining::UNCOUNTED));
        };
        let cluster = call.cluster().and_then(|key| self.clusters.get(key));
        let location = cluster.map(|cluster| cluster.location.as_str());
        throttle.admit(now, caller, call, location).map(Some)
    }

    /// The effects since the last time, for the drivers of their clusters.
    pub fn take_effects(&mut self) -> Vec<(ClusterKey, EffectId, Effect)> {
        self.outbox.take()
    }

    /// Takes what became of an effect.
    pub fn complete(&mut self, now: Timestamp, id: EffectId, outcome: &Outcome) {
        self.advance(now);
        self.settle(now, id, outcome);
        self.advance(now);
    }

    /// Gives a cluster a driver and an API server: its nodes are to be created there.
    ///
    /// False when there is no such cluster.
    pub fn attach(&mut self, now: Timestamp, key: &ClusterKey, endpoint: Endpoint) -> bool {
        let Some(cluster) = self.clusters.get_mut(key) else {
            return false;
        };
        cluster.driver = Driver::Outside;
        cluster.endpoint = Some(endpoint);
        for node in cluster.render_nodes() {
            self.outbox.emit(now, key, Driver::Outside, Effect::CreateNode(node), &[]);
        }
        true
    }

    /// Changes how many virtual CPUs the subscriptions with a quota may use.
    pub fn set_quotas(&mut self, vcpus: u32) {
        self.quotas.iter_mut().for_each(|quota| quota.vcpus = vcpus);
    }

    /// A policy denies every write to a cluster from now on, or none does any more.
    pub fn set_policy(&mut self, key: &ClusterKey, policy: Option<DenyPolicy>) {
        if let Some(cluster) = self.clusters.get_mut(key) {
            cluster.constraints.policy = policy;
        }
    }

    /// Adds a fault to a cluster; its `upgrade` counts on from those so far.
    ///
    /// # Errors
    /// When there is no such cluster or pool, or the fault does nothing.
    pub fn add_fault(&mut self, key: &ClusterKey, mut fault: Fault) -> Result<(), ScenarioError> {
        let cluster = self.clusters.get_mut(key);
        let cluster = cluster
            .ok_or_else(|| invalid("cluster", format!("{:?} is no cluster; give its ARM id", key.0)))?;
        fault.check("fault")?;
        let so_far = match &fault.pool {
            None => cluster.upgrades,
            Some(name) => {
                let pool = cluster.pools.get(name);
                let wrong = || invalid("fault.pool", format!("{name:?} is not a pool of this cluster"));
                pool.ok_or_else(wrong)?.upgrades
            }
        };
        fault.upgrade += so_far;
        cluster.faults.push(fault);
        Ok(())
    }

    /// Switches a quirk on; the number of its rule.
    ///
    /// # Errors
    /// When the rule could never strike as it is meant.
    pub fn add_quirk(&mut self, rule: QuirkRule) -> Result<u64, ScenarioError> {
        rule.check("quirk", self.clusters.keys())?;
        Ok(self.quirks.add(rule, None))
    }

    /// Takes a rule away; false when there is none of that number.
    pub fn remove_quirk(&mut self, id: u64) -> bool {
        self.quirks.remove(id)
    }

    /// The rules, and how often each has struck.
    #[must_use]
    pub fn quirks(&self) -> Vec<QuirkView> {
        self.quirks.view()
    }

    /// The world's own truth: what each cluster's nodes really run.
    #[must_use]
    pub fn view(&self) -> Vec<ClusterView> {
        self.clusters.values().map(Cluster::view).collect()
    }

    /// Every operation so far, as it really went.
    #[must_use]
    pub fn operations(&self) -> Vec<OperationView> {
        self.operations.view()
    }

    /// What the API server of a cluster shows; `None` when there is no such cluster, or somebody
    /// outside plays it.
    #[must_use]
    pub fn api_server(&self, key: &ClusterKey) -> Option<ApiServerView> {
        let cluster = self.clusters.get(key)?;
        (cluster.driver == Driver::Model).then(|| cluster.api_server())
    }

    fn cluster(&self, key: &ClusterKey) -> Result<&Cluster, Refusal> {
        self.clusters.get(key).ok_or_else(|| handlers::reads::no_cluster(key))
    }
}
