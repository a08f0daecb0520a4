//! Real Kubernetes control planes for tests and the demo: etcd, kube-apiserver,
//! kube-controller-manager and kube-scheduler as child processes on free loopback ports.
//!
//! One [`Environment`] holds an etcd and a certificate authority; any number of
//! [`ControlPlane`]s live in it, each below an etcd prefix of its own:
//!
//! ```no_run
//! # async fn example() -> anyhow::Result<()> {
//! use control_plane::{Environment, Options};
//!
//! let environment = Environment::start("upgrade").await?;
//! let (hub, target) = tokio::try_join!(
//!     environment.control_plane(Options::new("hub")),
//!     environment.control_plane(Options::new("target").workloads().emulating(33)),
//! )?;
//! let nodes: kube::Api<k8s_openapi::api::core::v1::Node> = kube::Api::all(target.client()?);
//! target.set_emulated_minor(34).await?;
//! # let _ = (hub, nodes);
//! # Ok(())
//! # }
//! ```
//!
//! Everything lies below one temporary folder, which goes away with the environment, unless a
//! start failed or a test panicked: then it stays, with the logs, and its path is printed. The
//! processes stop with the environment, and also when the process that started them is killed.

mod api_server;
mod assets;
mod control_plane;
mod controllers;
mod der;
mod environment;
mod etcd;
mod folder;
mod group;
mod identity;
mod lifecycle;
mod options;
mod pki;
mod ports;
mod process;
mod wait;

pub use assets::assets;
pub use control_plane::ControlPlane;
pub use environment::Environment;
pub use options::{EntraIssuer, Options};
