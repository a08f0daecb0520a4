//! A model of AKS: clusters, node pools, nodes and what upgrades do to them.
//!
//! [`scenario`] says what there is at the start; [`world`] is the model, sans-I/O and in
//! whatever time it is given. [`Simulator`] puts it behind HTTPS as Azure Resource Manager
//! and Entra, and lets real API servers play its clusters: [`target`] describes such a
//! server, [`driver`] carries out there what the world says, in the terms of [`effects`]. Clusters
//! without such a server have a small read-only Kubernetes API of the simulator's own, on the same
//! address: their kubeconfig leads there.

mod arm;
pub mod clock;
mod control;
pub mod driver;
pub mod effects;
pub mod exploration;
mod hold;
pub mod identity;
mod kube_api;
mod log;
mod runtime;
pub mod scenario;
mod server;
mod supervisor;
pub mod target;
mod tls;
pub mod world;

pub use hold::Hold;
pub use log::LogEntry;
pub use runtime::Stopped;
pub use scenario::Scenario;
pub use server::{Ready, Simulator, SimulatorError, StartOptions};
pub use target::{ControlPlaneHost, Target};
