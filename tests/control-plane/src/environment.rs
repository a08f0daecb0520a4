//! What the control planes of one test binary share: a temporary folder, a certificate authority,
//! an etcd, and the process group that everything runs in.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result};

use crate::assets::assets;
use crate::control_plane::ControlPlane;
use crate::etcd::Etcd;
use crate::folder::Folder;
use crate::group::Group;
use crate::options::Options;
use crate::pki::Authority;

/// A place for control planes.
///
/// Cheap to clone; etcd stops and the folder goes away with the last clone and the last
/// [`ControlPlane`]. It may live in a `static`: what is never dropped is cleaned up when the
/// process ends.
#[derive(Debug, Clone)]
pub struct Environment {
    shared: Arc<Shared>,
}

/// Dropped in this order: first what writes into the folder, then the folder.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) etcd: Etcd,
    pub(crate) group: Group,
    pub(crate) folder: Folder,
    pub(crate) authority: Authority,
    pub(crate) assets: PathBuf,
}

impl Environment {
    /// Starts an etcd in a temporary folder whose name contains `name`.
    ///
    /// # Errors
    /// If the binaries are missing and cannot be built, or etcd does not become healthy.
    pub async fn start(name: &str) -> Result<Self> {
        let assets = assets().await?;
        let folder = Folder::new(name)?;
        let group = Group::start(&folder)?;
        let authority = Authority::new(&format!("tidegate {name}"))?;
        let etcd = Etcd::start(&group, &assets, folder.path())
            .await
            .inspect_err(|_| folder.keep())
            .context("starting etcd")?;
        let shared = Shared { etcd, group, folder, authority, assets };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Starts a control plane and waits until it is ready. Several can start at the same time.
    ///
    /// # Errors
    /// If a component ends, or is not ready in time: with the end of its log, and the folder stays.
    pub async fn control_plane(&self, options: Options) -> Result<ControlPlane> {
        let name = options.name.clone();
        ControlPlane::start(Arc::clone(&self.shared), options)
            .await
            .inspect_err(|_| self.keep())
            .with_context(|| format!("starting the control plane {name}"))
    }

    /// The folder that holds logs and data.
    pub fn folder(&self) -> PathBuf {
        self.shared.folder.path().to_owned()
    }

    /// The process group of all components, for a child process that is to end with them, however
    /// this process ends ([`CommandExt::process_group`](std::os::unix::process::CommandExt)).
    pub fn process_group(&self) -> i32 {
        self.shared.group.id()
    }

    /// Leaves the folder where it is when the environment ends.
    pub fn keep(&self) {
        self.shared.folder.keep();
    }
}
