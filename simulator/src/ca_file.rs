//! The file with the certificate authority: where clients of a simulator by itself find what to trust.
//!
//! A file of its own goes with the simulator. One that was killed leaves its file behind: the next
//! simulator takes it away, which it knows by the process id in its name.

use std::{
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use nix::{errno::Errno, sys::signal, unistd::Pid};
use tempfile::TempPath;

const PREFIX: &str = "tidegate-simulator-ca-";

/// Where the certificate authority is.
pub(crate) enum CaFile {
    /// A file that somebody named; it stays.
    Named(PathBuf),
    /// A file of this process's own; it goes with it.
    Own(TempPath),
}

impl CaFile {
    /// Writes the file.
    pub(crate) fn write(named: Option<PathBuf>, pem: &str) -> anyhow::Result<Self> {
        let file = match named {
            Some(path) => Self::Named(path),
            None => Self::Own(own(&std::env::temp_dir())?),
        };
        fs::write(file.path(), pem).with_context(|| format!("cannot write {}", file.path().display()))?;
        Ok(file)
    }

    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Named(path) => path,
            Self::Own(path) => path,
        }
    }
}

fn own(folder: &Path) -> io::Result<TempPath> {
    if let Ok(entries) = fs::read_dir(folder) {
        let left = entries.flatten().filter(|entry| is_left(&entry.file_name()));
        // Whoever takes it away first, it is gone.
        left.for_each(|entry| drop(fs::remove_file(entry.path())));
    }
    let prefix = format!("{PREFIX}{}-", std::process::id());
    Ok(tempfile::Builder::new().prefix(&prefix).suffix(".pem").tempfile_in(folder)?.into_temp_path())
}

/// Whether the file is that of a process that is no more.
fn is_left(name: &OsStr) -> bool {
    let id = name.to_str().and_then(|name| name.strip_prefix(PREFIX)).and_then(|rest| rest.split_once('-'));
    let id = id.and_then(|(id, _)| id.parse::<i32>().ok()).filter(|id| *id > 0);
    id.is_some_and(|id| signal::kill(Pid::from_raw(id), None) == Err(Errno::ESRCH))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn the_file_of_a_dead_process_goes_and_that_of_a_living_one_stays() {
        let mut dead = Command::new("true").spawn().unwrap();
        dead.wait().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let left = folder.path().join(format!("{PREFIX}{}-x.pem", dead.id()));
        let used = folder.path().join(format!("{PREFIX}{}-x.pem", std::process::id()));
        let other = folder.path().join(format!("{PREFIX}notes.pem"));
        for file in [&left, &used, &other] {
            fs::write(file, "").unwrap();
        }
        let own = own(folder.path()).unwrap();
        assert!(!left.exists() && used.exists() && other.exists());
        assert!(own.exists());
    }
}
