//! A client for the Azure Kubernetes Service part of Azure Resource Manager (ARM).
//!
//! Every call is one request: nothing is retried in here, nothing sleeps, and each request
//! ends after [`ClientOptions::timeout`]. Documents stay as Azure sent them ([`Document`]),
//! with a small typed view for reading; what is written back is made from the document
//! ([`writes`]), so that fields which this crate does not know survive.
//!
//! May touch: the management endpoint, the identity endpoint, and the federated token file.

mod accepted;
mod actions;
mod agent_pools;
mod api_error;
mod authorization;
#[cfg(any(test, fuzzing))]
pub mod checks;
mod client;
mod cluster_id;
pub mod credential;
mod document;
mod error;
mod governor;
mod headers;
mod kubeconfig;
mod links;
mod locations;
mod maintenance_configurations;
mod managed_clusters;
mod operations;
mod options;
mod paging;
mod scope;
mod transport;
mod views;
pub mod writes;

pub use accepted::{Accepted, InvalidOperationId, OperationId, OperationUrl};
pub use agent_pools::AgentPools;
pub use api_error::{ApiError, PolicyViolation};
pub use authorization::Authorization;
pub use client::Client;
pub use cluster_id::{ClusterId, InvalidClusterId};
pub use credential::{AKS_SERVER_SCOPE, CredentialConfig};
pub use document::{Document, ETag, View};
pub use error::Error;
pub use governor::{Answered, Call, CallKind, Governor, HeldBack};
pub use kubeconfig::Kubeconfig;
pub use locations::Locations;
pub use maintenance_configurations::MaintenanceConfigurations;
pub use managed_clusters::ManagedClusters;
pub use operations::{OperationResult, OperationState, OperationStatus, Operations};
pub use options::{ClientOptions, Cloud, DEFAULT_API_VERSION, DEFAULT_TIMEOUT};
pub use scope::Scope;
pub use views::{
    AgentPool, AgentPoolUpgradeProfile, AutoUpgradeProfile, AvailableAgentPoolVersions, AvailableVersion,
    ClusterUpgradeProfile, DateSpan, HourSlots, KubernetesVersions, Lock, Machine, MaintenanceConfiguration,
    MaintenanceWindow, ManagedCluster, MinorVersion, NodeImageVersion, OfferedUpgrade, OverrideSettings,
    PatchVersion, Permission, PoolUpgrades, RecentlyUsedVersion, Schedule, Sku, TimeSpan, UpgradeSettings,
};
