//! One component: a child process in the environment's process group, with a log file.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::group::Group;
use crate::wait::{Deadline, POLL};

/// How many of a log's last bytes an error message shows.
const TAIL_BYTES: usize = 3_000;

/// A running component.
///
/// A `std` child on purpose: tokio's belongs to the runtime that started it, and an environment
/// that several tests share outlives the runtime of each.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    log: PathBuf,
    child: Child,
}

impl Process {
    /// Starts `program` with `arguments`; output is appended to `log`.
    pub(crate) fn start(group: &Group, program: &Path, arguments: &[String], log: &Path) -> Result<Self> {
        let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let output = File::options()
            .create(true)
            .append(true)
            .open(log)
            .with_context(|| format!("opening {}", log.display()))?;
        let child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .process_group(group.id())
            .spawn()
            .with_context(|| format!("starting {}", program.display()))?;
        Ok(Self { name, log: log.to_owned(), child })
    }

    /// An error with the end of the log, if the process has ended.
    pub(crate) fn check_running(&mut self) -> Result<()> {
        match self.exited()? {
            None => Ok(()),
            Some(status) => Err(self.failure(&format!("ended ({status})"))),
        }
    }

    /// How the process ended, if it has.
    pub(crate) fn exited(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().with_context(|| format!("asking after {}", self.name))
    }

    /// An error about this process that shows the end of its log.
    pub(crate) fn failure(&self, what: &str) -> anyhow::Error {
        let text = std::fs::read(&self.log).unwrap_or_default();
        let tail = &text[text.len().saturating_sub(TAIL_BYTES)..];
        anyhow!("{} {what}; the end of {}:\n{}", self.name, self.log.display(), String::from_utf8_lossy(tail))
    }

    /// Asks the process to end, and kills it if it has not within `grace`.
    pub(crate) async fn stop(mut self, grace: Duration) -> Result<()> {
        let id = i32::try_from(self.child.id()).context("a process id")?;
        if self.exited()?.is_none() {
            // Not waited for yet, so the number is still this child's.
            kill(Pid::from_raw(id), Signal::SIGTERM).with_context(|| format!("stopping {}", self.name))?;
        }
        let deadline = Deadline::after(grace);
        while self.exited()?.is_none() && !deadline.passed() {
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether an error's text, with the end of a log in it, says that a port was taken.
pub(crate) fn says_port_taken(error: &anyhow::Error) -> bool {
    format!("{error:#}").contains("address already in use")
}
