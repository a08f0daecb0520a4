//! The command line, run by a person who may do anything on the hub, or by somebody else.

use std::{
    fs::File,
    io::{Read as _, Write as _},
    process::Stdio,
};

use anyhow::{Context as _, Result, ensure};
use nix::pty::openpty;
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
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let code = output.status.code().context("it was killed")?;
        Ok(Said { code, out: text(&output.stdout), err: text(&output.stderr) })
    }

    /// What `tidegate` says on a terminal where somebody types `answer`. The terminal shows what was typed as well.
    ///
    /// # Errors
    /// When it cannot be run.
    pub async fn says_to(&self, answer: &str, arguments: &[&str]) -> Result<Said> {
        let terminal = openpty(None, None)?;
        let mut screen = File::from(terminal.master);
        writeln!(screen, "{answer}")?;
        let program = tokio::process::Command::new(operator::program()?)
            .args(arguments)
            .env("KUBECONFIG", self.hub_plane().admin_kubeconfig())
            .stdin(terminal.slave.try_clone()?)
            .stdout(terminal.slave)
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let shown = tokio::task::spawn_blocking(move || {
            let mut shown = Vec::new();
            // Ends with an error (EIO) when nobody has the other side any more.
            let ended = screen.read_to_end(&mut shown);
            ended.is_err().then_some(shown).context("a terminal does not end")
        });
        let output = program.wait_with_output().await?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace("\r\n", "\n");
        let code = output.status.code().context("it was killed")?;
        Ok(Said { code, out: text(&shown.await??), err: text(&output.stderr) })
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
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok((output.status.code(), text(&output.stdout), text(&output.stderr)))
    }
}
