//! A real API server that plays a simulated cluster's, as the simulator is given it.

use std::{fmt, sync::Arc};

use async_trait::async_trait;

/// A real Kubernetes API server attached to a simulated cluster.
#[derive(Clone)]
pub struct Target {
    /// A client with the rights of an administrator, without retries of its own.
    pub client: kube::Client,
    /// URL of the API server, as handed out in kubeconfigs.
    pub server: String,
    /// The certificate authority of the API server, PEM.
    pub ca_pem: String,
    /// Whoever can restart the API server at another version.
    pub host: Arc<dyn ControlPlaneHost>,
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target").field("server", &self.server).finish_non_exhaustive()
    }
}

/// Runs a target's API server.
#[async_trait]
pub trait ControlPlaneHost: Send + Sync {
    /// Restarts the API server at `version` (for example `1.34.4`) and returns when it is ready.
    ///
    /// # Errors
    /// Why it did not come back, in words for a person.
    async fn upgrade_to(&self, version: &str) -> Result<(), String>;
}
