//! The temporary folder that everything lies in, and whether it outlives its use.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tempfile::TempDir;

/// A file of this name in the folder keeps it; the process group's watcher looks for it as well.
pub(crate) const KEEP: &str = "keep";

/// Set, to anything, it keeps every folder.
const KEEP_VARIABLE: &str = "CONTROL_PLANE_KEEP";

/// A temporary folder that is removed on drop, unless [`Folder::keep`] was called or the thread
/// is panicking.
#[derive(Debug)]
pub(crate) struct Folder(Option<TempDir>);

impl Folder {
    /// Creates a folder whose name begins with `name`.
    pub(crate) fn new(name: &str) -> Result<Self> {
        let folder =
            TempDir::with_prefix(format!("tidegate-{name}-")).context("creating a temporary folder")?;
        let folder = Self(Some(folder));
        if std::env::var_os(KEEP_VARIABLE).is_some() {
            folder.keep();
        }
        Ok(folder)
    }

    /// The folder.
    pub(crate) fn path(&self) -> &Path {
        self.0.as_ref().expect("the folder is only taken on drop").path()
    }

    /// Leaves the folder where it is.
    pub(crate) fn keep(&self) {
        // If even an empty file cannot be written, there is nothing left worth keeping.
        let _ = std::fs::write(self.path().join(KEEP), "");
    }

    fn kept(&self) -> Option<PathBuf> {
        let keep = self.path().join(KEEP);
        keep.exists().then(|| self.path().to_owned())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.keep();
        }
        if let Some(path) = self.kept() {
            eprintln!("control plane: logs and data are kept in {}", path.display());
            if let Some(folder) = self.0.take() {
                let _ = folder.keep();
            }
        }
    }
}
