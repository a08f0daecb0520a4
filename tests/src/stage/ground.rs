//! A hub for many small stages at the same time: each [`Lane`] has a namespace of it, an Azure of its own,
//! and operators that see nothing else.

use anyhow::{Context as _, Result};
use control_plane::Environment;
use simulator::Scenario;

use super::{
    apply,
    hub::{Hub, NAMESPACE, SERVICE_ACCOUNT},
    lane::Lane,
    setup::Setup,
};

/// The operators of a hub share a service account here, and each has a lease in its own namespace.
const LEASES: &str = "
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: leases-of-lanes}
rules: [{apiGroups: [coordination.k8s.io], resources: [leases], verbs: [get, create, update]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: leases-of-lanes}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: leases-of-lanes}
subjects: [{kind: ServiceAccount, name: ACCOUNT, namespace: NAMESPACE}]
";

/// A hub that many lanes share: starting one takes seconds and half a gigabyte.
pub struct Ground {
    pub(super) hub: Hub,
    pub(super) keys: serde_json::Value,
    pub(super) environment: Environment,
}

impl Ground {
    /// Starts the hub and installs the chart.
    ///
    /// # Errors
    /// When a part does not start; the error shows the end of its log.
    pub async fn start(name: &str) -> Result<Self> {
        let environment = Environment::start(name).await?;
        let hub = Hub::start(&environment, None).await?;
        let keys = hub.key_set().await?;
        let tenant = Scenario::parse("clusters: []").context("an empty scenario")?.tenant;
        hub.install(&Setup::new(name, ""), &tenant).await?;
        let leases = LEASES.replace("ACCOUNT", SERVICE_ACCOUNT).replace("NAMESPACE", NAMESPACE);
        apply(&hub.client, &leases).await?;
        Ok(Self { hub, keys, environment })
    }

    /// A namespace of that name, and an Azure with what is in `scenario`, YAML. At `rate` simulated
    /// seconds pass in a real one; the clusters' nodes are served by the simulator itself.
    ///
    /// # Errors
    /// When the scenario is wrong, or the namespace cannot be made.
    pub async fn lane(&self, name: &str, scenario: &str, rate: f64) -> Result<Lane<'_>> {
        Lane::start(self, name, scenario, rate).await
    }

    /// Where logs are.
    pub fn folder(&self) -> std::path::PathBuf {
        self.environment.folder()
    }

    /// Leaves that folder where it is when the ground ends.
    pub fn keep(&self) {
        self.environment.keep();
    }
}
