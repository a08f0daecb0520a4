//! AKSCluster: one cluster, and what is known of it.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::common::OBJECT_NAME;

/// One AKS cluster: its ARM id, labels for selection, how to reach it. The status is its inventory.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "tidegate.dev",
    version = "v1alpha1",
    kind = "AKSCluster",
    plural = "aksclusters",
    shortname = "aks",
    category = "tidegate",
    namespaced,
    doc = "One AKS cluster: its ARM id, labels for selection, how to reach it. The status is its inventory.",
    status = "AKSClusterStatus",
    derive = "PartialEq",
    validation = Rule::new("self.metadata.name.size() <= 63").message("metadata.name must have at most 63 characters: it becomes part of other names"),
    printcolumn(name = "Version", type_ = "string", json_path = ".status.cluster.version"),
    printcolumn(name = "Location", type_ = "string", json_path = ".status.cluster.location"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].status"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].reason"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct AKSClusterSpec {
    /// The ARM id of the managed cluster.
    #[schemars(
        regex(
            pattern = r"^/[sS]ubscriptions/[0-9a-fA-F-]{36}/[rR]esource[gG]roups/[^/]+/[pP]roviders/[mM]icrosoft\.[cC]ontainer[sS]ervice/[mM]anaged[cC]lusters/[a-zA-Z0-9][a-zA-Z0-9_-]*$"
        ),
        length(max = 512)
    )]
    #[x_kube(validation = Rule::new("self == oldSelf").message("spec.resourceId cannot change: register another AKSCluster"))]
    pub resource_id: String,
    /// How the cluster's Kubernetes API is reached; by default with the operator's Entra identity.
    #[serde(default)]
    pub access: ClusterAccess,
}

/// How a cluster's Kubernetes API is reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ClusterAccess {
    /// With a token of the operator's Entra identity; server and CA come from Azure.
    Entra(EntraAccess),
    /// With a kubeconfig from a Secret of the same namespace.
    Kubeconfig(KubeconfigAccess),
}

impl Default for ClusterAccess {
    fn default() -> Self {
        Self::Entra(EntraAccess {})
    }
}

/// Access with a token of the operator's Entra identity.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EntraAccess {}

/// Access with a kubeconfig. It is data: `exec`, `auth-provider`, files, `proxy-url`, plain http and
/// `insecure-skip-tls-verify` are refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KubeconfigAccess {
    /// The Secret that holds it.
    pub secret_ref: SecretKeyReference,
}

/// A key of a Secret of the same namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SecretKeyReference {
    /// Name of the Secret.
    #[schemars(regex(pattern = OBJECT_NAME), length(min = 1, max = 253))]
    pub name: String,
    /// Its key; default `kubeconfig`.
    #[serde(default = "default_key")]
    #[schemars(regex(pattern = "^[-._a-zA-Z0-9]+$"), length(min = 1, max = 253))]
    pub key: String,
}

fn default_key() -> String {
    "kubeconfig".to_owned()
}

/// What is known of a cluster.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AKSClusterStatus {
    /// The generation of the specification that this tells of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The cluster as Azure shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<engine::Cluster>,
    /// When Azure showed it so. What newer looks show alike is noted every quarter of an hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster_read_at: Option<jiff::Timestamp>,
    /// The upgrades that Azure offers it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offers: Option<engine::Offers>,
    /// When the offers were read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offers_read_at: Option<jiff::Timestamp>,
    /// How long its upgrades took, in seconds: from this it is told whether a step fits into a window.
    #[serde(default, skip_serializing_if = "engine::Estimates::is_empty")]
    pub estimates: engine::Estimates,
    /// What upgrades did here, newest first: step by step, how long each took.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 12))]
    pub history: Vec<engine::UpgradeRecord>,
    /// `Ready`: Azure and the cluster's Kubernetes API can be read.
    #[serde(default)]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}
