//! The command line, run by a person who may do anything on the hub.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::{Stage, operator};

impl Stage {
    /// What `tidegate` answers, as JSON. Exit code 0 is expected.
    ///
    /// # Errors
    /// When it ends otherwise, or prints something else.
    pub async fn tidegate(&self, arguments: &[&str]) -> Result<Value> {
        let command = arguments.join(" ");
        let output = tokio::process::Command::new(operator::program()?)
            .args(arguments)
            .args(["-o", "json"])
            .env("KUBECONFIG", self.hub_plane().admin_kubeconfig())
            .kill_on_drop(true)
            .output()
            .await?;
        let errors = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "tidegate {command}: {}: {errors}", output.status);
        serde_json::from_slice(&output.stdout).with_context(|| format!("tidegate {command} prints no JSON"))
    }
}
