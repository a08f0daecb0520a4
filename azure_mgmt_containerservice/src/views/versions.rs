//! The view of the Kubernetes versions of a region.

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
