//! The command line, run by a person who may do anything on the hub, or by somebody else.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::{Stage, operator};

/// What `tidegate` has printed, and its exit code.
#[derive(Debug)]
pub struct Said {
    /// The exit code.
    pub code: i32,
    /// What it printed.
    pub out: String,
    /// What it complained about.
    pub err: String,
}

impl Stage {
    /// What `tidegate` says, without a terminal, whatever its exit code.
    ///
    /// # Errors
    /// When it cannot be run.
    pub async fn says(&self, arguments: &[&str]) -> Result<Said> {
        let output = tokio::process::Command::new(operator::program()?)
            .args(arguments)
            .env("KUBECONFIG", self.hub_plane().admin_kubeconfig())
            .stdin(std::process::Stdio::null())
            .kill_on_drop(true)
            .output()
            .await?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let code = output.status.code().context("it was killed")?;
        Ok(Said { code, out: text(&output.stdout), err: text(&output.stderr) })
    }

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

    /// What `tidegate` does for this user, who has a client certificate: exit code, output and errors.
    ///
    /// # Errors
    /// When it cannot be run.
    pub async fn tidegate_as(&self, user: &str, arguments: &[&str]) -> Result<(Option<i32>, String, String)> {
        self.tidegate_as_member(user, &[], arguments).await
    }

    /// The same for a user of these groups.
    ///
    /// # Errors
    /// When it cannot be run.
    pub async fn tidegate_as_member(
        &self,
        user: &str,
        groups: &[&str],
        arguments: &[&str],
    ) -> Result<(Option<i32>, String, String)> {
        let kubeconfig = self.folder().join(format!("{user}.kubeconfig"));
        self.hub_plane().write_kubeconfig(&kubeconfig, user, groups)?;
        let output = tokio::process::Command::new(operator::program()?)
            .args(arguments)
            .env("KUBECONFIG", kubeconfig)
            .stdin(std::process::Stdio::null())
            .kill_on_drop(true)
            .output()
            .await?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok((output.status.code(), text(&output.stdout), text(&output.stderr)))
    }
}
