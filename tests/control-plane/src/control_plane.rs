//! One control plane: its address, and clients, kubeconfigs and tools for it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use tokio::process::Command;
use tokio::sync::Mutex;

use crate::api_server::ApiServer;
use crate::environment::Shared;
use crate::identity::{ADMIN, build_client, client_config, render_kubeconfig};
use crate::lifecycle::Running;
use crate::options::Options;
use crate::ports::Port;

/// A running control plane. It stops when it is dropped.
#[derive(Debug)]
pub struct ControlPlane {
    /// Serialises starts and stops. Before `shared`: components stop before etcd does.
    pub(crate) running: Mutex<Running>,
    pub(crate) api_server: ApiServer,
    pub(crate) options: Options,
    pub(crate) folder: PathBuf,
    pub(crate) port: Port,
    pub(crate) shared: Arc<Shared>,
}

impl ControlPlane {
    /// The API server's address, `https://127.0.0.1:PORT`. It never changes.
    pub fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port.number())
    }

    /// The name given to it.
    pub fn name(&self) -> &str {
        &self.options.name
    }

    /// The authority of the API server's certificate, PEM.
    pub fn ca_pem(&self) -> String {
        self.shared.authority.pem()
    }

    /// The folder with the logs of its components.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The audit log, one JSON object per line, if [`Options::audit_log`] is set.
    pub fn audit_log(&self) -> Option<PathBuf> {
        self.api_server.audit_log()
    }

    /// A new client of the cluster administrator. Like every client, it belongs to the runtime
    /// that made it.
    ///
    /// # Errors
    /// If the client cannot be made; it does not connect yet.
    pub fn client(&self) -> Result<kube::Client> {
        self.client_as(ADMIN.0, ADMIN.1)
    }

    /// A new client of `user` in `groups`, authenticated by a client certificate.
    ///
    /// # Errors
    /// If the client cannot be made; it does not connect yet.
    pub fn client_as(&self, user: &str, groups: &[&str]) -> Result<kube::Client> {
        build_client(self.config_as(user, groups)?)
    }

    /// The configuration of [`ControlPlane::client_as`], to change before use. kube's own retries
    /// of 429, 503 and 504 are off (`default_retry`), as they hide outages and refused evictions.
    ///
    /// # Errors
    /// If no certificate can be issued.
    pub fn config_as(&self, user: &str, groups: &[&str]) -> Result<kube::Config> {
        client_config(&self.shared.authority, &self.url(), user, groups)
    }

    /// A kubeconfig of `user` in `groups`, YAML, with everything inline.
    ///
    /// # Errors
    /// If no certificate can be issued.
    pub fn kubeconfig_as(&self, user: &str, groups: &[&str]) -> Result<String> {
        render_kubeconfig(&self.shared.authority, &self.url(), user, groups)
    }

    /// Writes [`ControlPlane::kubeconfig_as`] to `path`.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write_kubeconfig(&self, path: &Path, user: &str, groups: &[&str]) -> Result<()> {
        std::fs::write(path, self.kubeconfig_as(user, groups)?)
            .with_context(|| format!("writing {}", path.display()))
    }

    /// The cluster administrator's kubeconfig, a file.
    pub fn admin_kubeconfig(&self) -> PathBuf {
        self.folder.join("admin.kubeconfig")
    }

    /// `kubectl` as the cluster administrator.
    pub fn kubectl(&self) -> Command {
        self.command("kubectl")
    }

    /// `helm` as the cluster administrator, apart from the user's own Helm settings.
    pub fn helm(&self) -> Command {
        self.command("helm")
    }

    /// The minor version it emulates, if any.
    pub async fn emulated_minor(&self) -> Option<u32> {
        self.running.lock().await.emulated_minor
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.shared.assets.join(program));
        command
            .env("KUBECONFIG", self.admin_kubeconfig())
            .env("KUBECACHEDIR", self.folder.join("kubectl"))
            .env("HELM_CACHE_HOME", self.folder.join("helm/cache"))
            .env("HELM_CONFIG_HOME", self.folder.join("helm/config"))
            .env("HELM_DATA_HOME", self.folder.join("helm/data"))
            .kill_on_drop(true);
        command
    }
}
