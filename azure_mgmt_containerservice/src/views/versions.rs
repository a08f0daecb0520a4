//! The views of versions: Kubernetes in a region, for new node pools of a cluster, and node images.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{boolean, objects, text, texts};
use crate::View;

/// The Kubernetes versions of a region, one entry per minor, unsorted as Azure gave them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KubernetesVersions {
    /// The minors on offer.
    pub minors: Vec<MinorVersion>,
}

/// A minor version of Kubernetes in a region.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MinorVersion {
    /// The minor, for example `1.34`.
    pub version: String,
    /// Whether it is a preview.
    pub is_preview: bool,
    /// Whether new clusters get it.
    pub is_default: bool,
    /// `KubernetesOfficial`, `AKSLongTermSupport`, or both.
    pub support_plans: Vec<String>,
    /// The patches, by version.
    pub patch_versions: BTreeMap<String, PatchVersion>,
}

/// A patch version and where it can go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PatchVersion {
    /// The versions that a cluster with this one can go to.
    pub upgrades: Vec<String>,
}

/// Which versions new node pools of a cluster can have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AvailableAgentPoolVersions {
    /// The versions, unsorted as Azure gave them.
    pub versions: Vec<AvailableVersion>,
}

/// A version that a new node pool can have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AvailableVersion {
    /// The version, a patch.
    pub kubernetes_version: String,
    /// Whether new pools get it when none is named.
    pub is_default: bool,
    /// Whether it is a preview.
    pub is_preview: bool,
}

/// A node image of a region.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeImageVersion {
    /// The name that pools show, for example `AKSUbuntu-2204gen2containerd-202510.03.1`.
    pub full_name: Option<String>,
    /// The family, for example `AKSUbuntu`.
    pub os: Option<String>,
    /// The kind within the family, for example `2204gen2containerd`.
    pub sku: Option<String>,
    /// The version, for example `202510.03.1`.
    pub version: Option<String>,
}

impl KubernetesVersions {
    /// The entry of a minor, for example `1.34`.
    #[must_use]
    pub fn minor(&self, version: &str) -> Option<&MinorVersion> {
        self.minors.iter().find(|minor| minor.version == version)
    }
}

impl View for KubernetesVersions {
    fn read(document: &Value) -> Self {
        Self { minors: objects(document, "/values").filter_map(minor).collect() }
    }
}

impl View for AvailableAgentPoolVersions {
    fn read(document: &Value) -> Self {
        let version = |item: &Value| {
            Some(AvailableVersion {
                kubernetes_version: text(item, "/kubernetesVersion")?,
                is_default: boolean(item, "/default").unwrap_or(false),
                is_preview: boolean(item, "/isPreview").unwrap_or(false),
            })
        };
        Self { versions: objects(document, "/properties/agentPoolVersions").filter_map(version).collect() }
    }
}

impl View for NodeImageVersion {
    fn read(document: &Value) -> Self {
        Self {
            full_name: text(document, "/fullName"),
            os: text(document, "/os"),
            sku: text(document, "/sku"),
            version: text(document, "/version"),
        }
    }
}

fn minor(item: &Value) -> Option<MinorVersion> {
    let patches = item.get("patchVersions").and_then(Value::as_object).into_iter().flatten();
    Some(MinorVersion {
        version: text(item, "/version")?,
        is_preview: boolean(item, "/isPreview").unwrap_or(false),
        is_default: boolean(item, "/isDefault").unwrap_or(false),
        support_plans: texts(item, "/capabilities/supportPlan"),
        patch_versions: patches
            .map(|(version, patch)| (version.clone(), PatchVersion { upgrades: texts(patch, "/upgrades") }))
            .collect(),
    })
}
