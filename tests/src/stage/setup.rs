//! What a stage is set up with.

use anyhow::{Context as _, Result};
use jiff::Timestamp;
use simulator::Scenario;

/// The operator's application in the simulated tenant.
pub(super) const CLIENT_ID: &str = "40000000-0000-4000-8000-000000000001";
/// Its object id: the user name under which target clusters know it.
pub const OBJECT_ID: &str = "30000000-0000-4000-8000-000000000001";

/// A simulated minute passes in a real second: a surge node comes up in three.
const RATE: f64 = 60.0;

/// What a stage is set up with.
#[derive(Clone, Debug)]
pub struct Setup {
    pub(super) name: String,
    pub(super) scenario: String,
    pub(super) rate: f64,
    pub(super) start: Option<Timestamp>,
    pub(super) workloads: Vec<String>,
    pub(super) kubeconfig_secrets: Vec<(String, Vec<String>)>,
    pub(super) helm: Vec<String>,
    pub(super) api_servers: bool,
    pub(super) own_cluster: Option<String>,
}

impl Setup {
    /// A stage of that name; each cluster of the scenario, YAML, gets an API server of its own, on
    /// which nothing but its nodes exists.
    #[must_use]
    pub fn new(name: &str, scenario: &str) -> Self {
        Self {
            name: name.to_owned(),
            scenario: scenario.to_owned(),
            rate: RATE,
            start: None,
            workloads: Vec::new(),
            kubeconfig_secrets: Vec::new(),
            helm: Vec::new(),
            api_servers: true,
            own_cluster: None,
        }
    }

    /// No cluster gets an API server: the simulator serves their nodes itself, to as many clusters
    /// as the scenario has. There is no [`super::Target`] then.
    #[must_use]
    pub fn without_api_servers(mut self) -> Self {
        self.api_servers = false;
        self
    }

    /// The hub itself plays this cluster: the operator runs on what it upgrades. There is no
    /// [`super::Target`] for it.
    #[must_use]
    pub fn own_cluster(mut self, name: &str) -> Self {
        self.own_cluster = Some(name.to_owned());
        self
    }

    /// These clusters also run workloads: they get controllers and a scheduler.
    #[must_use]
    pub fn workloads(mut self, clusters: &[&str]) -> Self {
        self.workloads.extend(clusters.iter().map(|name| (*name).to_owned()));
        self
    }

    /// How many simulated seconds pass in a real one; 60 by default.
    #[must_use]
    pub fn rate(mut self, rate: f64) -> Self {
        self.rate = rate;
        self
    }

    /// When simulated time begins; by default now. Only without API servers: workloads are as old as those say.
    #[must_use]
    pub fn starting_at(mut self, start: Timestamp) -> Self {
        self.start = Some(start);
        self
    }

    /// Lets the operator read these Secrets, and makes their namespace.
    #[must_use]
    pub fn kubeconfig_secrets(mut self, namespace: &str, names: &[&str]) -> Self {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        self.kubeconfig_secrets.push((namespace.to_owned(), names));
        self
    }

    /// More arguments for `helm install`.
    #[must_use]
    pub fn helm(mut self, arguments: &[&str]) -> Self {
        self.helm.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        self
    }

    pub(super) fn scenario(&self) -> Result<Scenario> {
        Scenario::parse(&self.scenario).with_context(|| format!("the scenario of stage {}", self.name))
    }
}
