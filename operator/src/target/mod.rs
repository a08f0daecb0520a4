//! The Kubernetes API of a cluster that is upgraded, as the engine's port `Workloads`.

mod access;
mod health;
mod kubeconfig;
mod reads;

pub(crate) use access::{TargetAccess, TargetError};

pub(crate) use reads::TargetCluster;
