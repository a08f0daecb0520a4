//! The operator as a child process: started, killed, stopped, and its log.

use std::{
    fs::File,
    io::Write as _,
    os::unix::process::ExitStatusExt as _,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::{
        PoisonError,
        atomic::{AtomicI32, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, ChildStderr},
    sync::{Mutex, watch},
    task::JoinHandle,
};

use super::PATIENCE;

/// How long it may take to end by itself: less than Kubernetes waits for a container.
const GRACE: Duration = Duration::from_secs(20);
/// What must not be in a log: the beginning of every signed token, and what makes an operation's
/// address a signed one.
const SECRETS: [&str; 3] = ["eyJ", "&h=", "BEGIN PRIVATE"];

/// How it is started.
#[derive(Clone, Debug)]
pub(super) struct Command {
    pub(super) arguments: Vec<String>,
    pub(super) kubeconfig: PathBuf,
    pub(super) process_group: i32,
}

/// What a process has used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Resident memory now, KiB.
    pub resident_kib: u64,
    /// Time on a processor so far.
    pub processor: Duration,
}

/// The operator's process. It is killed when this is dropped, or this process ends.
pub struct Operator {
    command: Command,
    log: PathBuf,
    /// The lines that it has logged, over all its lives.
    lines: watch::Sender<Vec<String>>,
    running: Mutex<Option<(Child, JoinHandle<()>)>>,
    /// The id of the process, for signals while somebody waits for its end; 0 before the first.
    id: AtomicI32,
    /// Errors that are no failure of the test.
    excused: std::sync::Mutex<Vec<&'static str>>,
}

impl Operator {
    pub(super) fn new(command: Command, log: PathBuf) -> Self {
        Self {
            command,
            log,
            lines: watch::Sender::default(),
            running: Mutex::new(None),
            id: AtomicI32::default(),
            excused: std::sync::Mutex::default(),
        }
    }

    /// Starts it and waits until it leads.
    ///
    /// # Errors
    /// When it is not built, or ends.
    pub async fn start(&self) -> Result<()> {
        self.begin().await?;
        self.leads().await
    }

    /// Waits until it leads, in its present life.
    ///
    /// # Errors
    /// When it ends, or does not lead in time.
    pub async fn leads(&self) -> Result<()> {
        let ended = self.lines.borrow().iter().rposition(|line| line == ENDED);
        let from = ended.map_or(0, |at| at + 1);
        self.wait_for_line(from, "that it leads", |line| line.contains("leading")).await.map(drop)
    }

    /// Starts it, and does not wait: another one may lead.
    ///
    /// # Errors
    /// When it is not built, or runs already.
    pub async fn begin(&self) -> Result<()> {
        let program = program()?;
        let mut running = self.running.lock().await;
        ensure!(running.is_none(), "the operator runs already");
        let mut child = tokio::process::Command::new(&program)
            .arg("controller")
            .args(&self.command.arguments)
            .env_clear()
            .env("KUBECONFIG", &self.command.kubeconfig)
            // The default filter, which is what users get, unless somebody looks for something.
            .envs(std::env::var("TIDEGATE_TEST_LOG").map(|filter| ("RUST_LOG", filter)))
            .env("RUST_BACKTRACE", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .process_group(self.command.process_group)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("starting {}", program.display()))?;
        let id = child.id().context("it has an id")?;
        self.id.store(i32::try_from(id)?, Ordering::Relaxed);
        let errors = child.stderr.take().context("its standard error")?;
        let reader = self.read(errors)?;
        *running = Some((child, reader));
        Ok(())
    }

    /// Kills it: no handler runs.
    ///
    /// # Errors
    /// When it was not running.
    pub async fn kill(&self) -> Result<()> {
        let (status, _) = self.end(Signal::SIGKILL).await?;
        ensure!(status.signal() == Some(9), "the operator ended by itself before it was killed: {status}");
        Ok(())
    }

    /// Asks it to end and sees that it ends well.
    ///
    /// # Errors
    /// When it does not end within the grace, or says that it failed.
    pub async fn stop(&self) -> Result<()> {
        let (status, lines) = self.end(Signal::SIGTERM).await?;
        ensure!(status.success(), "the operator ended with {status}:\n{}", lines.join("\n"));
        Ok(())
    }

    /// Kills it and starts it again.
    ///
    /// # Errors
    /// As [`Self::kill`] and [`Self::start`].
    pub async fn restart(&self) -> Result<()> {
        self.kill().await?;
        self.start().await
    }

    /// Stops it in its tracks, as when its machine is suspended; see [`Self::go_on`].
    ///
    /// # Errors
    /// When it does not run.
    pub fn pause(&self) -> Result<()> {
        self.send(Signal::SIGSTOP)
    }

    /// Lets it go on after [`Self::pause`].
    ///
    /// # Errors
    /// When it does not run.
    pub fn go_on(&self) -> Result<()> {
        self.send(Signal::SIGCONT)
    }

    /// Asks it to end, as when its pod is evicted, and does not wait.
    ///
    /// # Errors
    /// When it does not run.
    pub fn evict(&self) -> Result<()> {
        self.send(Signal::SIGTERM)
    }

    fn send(&self, signal: Signal) -> Result<()> {
        let id = Pid::from_raw(self.id.load(Ordering::Relaxed));
        ensure!(id.as_raw() > 0, "the operator was never started");
        kill(id, signal).with_context(|| format!("sending {signal}"))
    }

    /// Waits until it ends by itself, however long that takes.
    ///
    /// # Errors
    /// When it does not run.
    pub async fn ends(&self) -> Result<ExitStatus> {
        let mut running = self.running.lock().await;
        let (child, _) = running.as_mut().context("the operator does not run")?;
        let status = child.wait().await?;
        let (_, reader) = running.take().context("it ran until now")?;
        reader.await.context("reading the operator's log")?;
        Ok(status)
    }

    /// Errors in its log that contain these words are no failure: what happens to it is to cause them.
    pub fn excuse(&self, words: &'static str) {
        self.excused.lock().unwrap_or_else(PoisonError::into_inner).push(words);
    }

    async fn end(&self, signal: Signal) -> Result<(ExitStatus, Vec<String>)> {
        let (mut child, reader) = self.running.lock().await.take().context("the operator does not run")?;
        let id = child.id().context("the operator has ended by itself")?;
        kill(Pid::from_raw(i32::try_from(id)?), signal).with_context(|| format!("sending {signal}"))?;
        let status = tokio::time::timeout(GRACE, child.wait())
            .await
            .with_context(|| format!("the operator did not end within {GRACE:?} of {signal}"))??;
        reader.await.context("reading the operator's log")?;
        Ok((status, self.tail(20)))
    }

    /// Waits until it logs a line, from now on.
    ///
    /// # Errors
    /// When it ends or does not log it within [`PATIENCE`].
    pub async fn logs(&self, what: &str, wanted: impl Fn(&str) -> bool) -> Result<String> {
        let before = self.lines.borrow().len();
        self.wait_for_line(before, what, wanted).await
    }

    async fn wait_for_line(&self, from: usize, what: &str, wanted: impl Fn(&str) -> bool) -> Result<String> {
        let mut changes = self.lines.subscribe();
        let found = |lines: &[String]| lines.iter().skip(from).find(|line| wanted(line)).cloned();
        let search = changes.wait_for(|lines| {
            found(lines).is_some() || lines.last().is_some_and(|line| line == ENDED) && lines.len() > from
        });
        let lines =
            tokio::time::timeout(PATIENCE, search).await.map(|lines| lines.map(|lines| lines.clone()));
        match lines {
            Ok(Ok(lines)) if let Some(line) = found(&lines) => Ok(line),
            Ok(_) => bail!("the operator ended before it logged {what}:\n{}", self.tail(20).join("\n")),
            Err(_) => bail!("the operator did not log {what} within {PATIENCE:?}"),
        }
    }

    /// Everything that it has logged so far.
    pub fn log(&self) -> Vec<String> {
        self.lines.borrow().clone()
    }

    /// The last lines of its log.
    pub fn tail(&self, lines: usize) -> Vec<String> {
        let log = self.lines.borrow();
        log[log.len().saturating_sub(lines)..].to_vec()
    }

    /// What it has used so far, where the system tells (in `/proc`).
    pub async fn usage(&self) -> Option<Usage> {
        let running = self.running.lock().await;
        let id = running.as_ref()?.0.id()?;
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        drop(running);
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        let resident = resident.trim().split(' ').next()?.parse().ok()?;
        // After the name in parentheses; times are in hundredths of a second.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks: u64 = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
        Some(Usage { resident_kib: resident, processor: Duration::from_millis(ticks * 10) })
    }

    /// The file with its log.
    pub fn log_file(&self) -> &Path {
        &self.log
    }

    /// The base URL of its health and metrics endpoints.
    ///
    /// # Errors
    /// When it has not logged it.
    pub fn url(&self) -> Result<String> {
        let lines = self.lines.borrow();
        let line = lines.iter().rfind(|line| line.contains("serving health and metrics"));
        let address = line.and_then(|line| line.split("address=").nth(1));
        Ok(format!("http://{}", address.context("the operator's address")?.trim()))
    }

    pub(super) fn check_log(&self) -> Result<()> {
        let lines = self.lines.borrow();
        let excused = self.excused.lock().unwrap_or_else(PoisonError::into_inner);
        let error = lines.iter().find(|line| {
            line.split_whitespace().nth(1) == Some("ERROR")
                && !excused.iter().any(|words| line.contains(words))
        });
        ensure!(error.is_none(), "has an error: {}", error.map_or("", |line| line));
        let panic = lines.iter().find(|line| line.contains("panicked at"));
        ensure!(panic.is_none(), "has a panic: {}", panic.map_or("", |line| line));
        let secret = SECRETS.iter().find(|secret| lines.iter().any(|line| line.contains(*secret)));
        ensure!(secret.is_none(), "has a secret in it: it contains {secret:?}");
        Ok(())
    }

    /// Copies its log to the file, and tells those who wait for a line.
    #[expect(clippy::disallowed_methods, reason = "ends with the operator's standard error")]
    fn read(&self, errors: ChildStderr) -> Result<JoinHandle<()>> {
        let mut file = File::options()
            .create(true)
            .append(true)
            .open(&self.log)
            .with_context(|| format!("opening {}", self.log.display()))?;
        let known = self.lines.clone();
        Ok(tokio::spawn(async move {
            let mut lines = BufReader::new(errors).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                // The copy in memory is the one that is judged.
                let _ = writeln!(file, "{line}");
                known.send_modify(|known| known.push(line));
            }
            known.send_modify(|known| known.push(ENDED.to_owned()));
        }))
    }
}

/// Stands in the log where a life of the operator ended.
const ENDED: &str = "-- the operator has ended --";

/// The binary beside the one that runs: both are built in the same profile.
pub(super) fn program() -> Result<PathBuf> {
    let own = std::env::current_exe().context("the path of this program")?;
    let candidates = own.ancestors().skip(1).take(2).map(|folder| folder.join("tidegate"));
    let Some(program) = candidates.into_iter().find(|program| program.is_file()) else {
        bail!("there is no tidegate binary beside {}: run `cargo build -p operator` first", own.display());
    };
    Ok(program)
}
