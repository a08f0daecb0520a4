//! The process group that all components of one environment belong to, and the promise that they
//! end with the process that started them.
//!
//! A parent-death signal would need unsafe code and depends on the thread that spawned; this works
//! everywhere: the group's leader is a shell that holds the reading end of a pipe. The writing end
//! closes when this process ends, for whatever reason (a panic, SIGINT, SIGKILL), and the shell
//! then kills its group and removes the folder.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::folder::{Folder, KEEP};

/// Job control (`set -m`) puts the removal into a process group of its own: it has to outlive the
/// group whose files it removes.
const WATCH: &str = r#"
trap '' INT TERM HUP
cat >/dev/null
set -m
[ -e "$1/$2" ] || { sleep 0.5; rm -rf -- "$1"; } &
kill -KILL 0
"#;

/// A process group that dies with this process.
#[derive(Debug)]
pub(crate) struct Group {
    watcher: Child,
    id: i32,
}

impl Group {
    /// Starts the group's leader, which guards `folder`.
    pub(crate) fn start(folder: &Folder) -> Result<Self> {
        let watcher = Command::new("bash")
            .args(["-c", WATCH, "control-plane-watcher"])
            .arg(folder.path())
            .arg(KEEP)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .context("starting bash")?;
        let id = i32::try_from(watcher.id()).context("a process id")?;
        Ok(Self { watcher, id })
    }

    /// The group's number, for [`CommandExt::process_group`].
    pub(crate) fn id(&self) -> i32 {
        self.id
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // The leader is still there, as nobody has waited for it: the number is the group's.
        let _ = killpg(Pid::from_raw(self.id), Signal::SIGKILL);
        let _ = self.watcher.wait();
    }
}
