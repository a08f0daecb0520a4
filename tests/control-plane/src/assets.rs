//! Where the binaries come from: the `ensure` script beside this crate's manifest decides, and
//! builds what is missing. Touches only the cache that the script writes.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use tokio::process::Command;
use tokio::sync::OnceCell;

/// The folder that holds `etcd`, `kube-apiserver`, `kube-controller-manager`, `kube-scheduler`,
/// `kubectl` and `helm`.
///
/// The first call on a machine builds them, which takes minutes and says so on standard error;
/// later ones only look. `KUBEBUILDER_ASSETS` names a folder of binaries to use instead.
///
/// # Errors
/// If a binary is missing and cannot be built.
pub async fn assets() -> Result<PathBuf> {
    static ASSETS: OnceCell<PathBuf> = OnceCell::const_new();
    ASSETS.get_or_try_init(ensure_assets).await.cloned()
}

async fn ensure_assets() -> Result<PathBuf> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("ensure");
    let output = Command::new(&script)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .output()
        .await
        .with_context(|| format!("running {}", script.display()))?;
    ensure!(output.status.success(), "{}: {}", script.display(), output.status);
    let folder = String::from_utf8(output.stdout).context("the folder's name")?;
    Ok(PathBuf::from(folder.trim_end()))
}
