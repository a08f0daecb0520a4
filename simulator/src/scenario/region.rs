//! What a region offers: Kubernetes versions and node images, with built-in values.

use std::collections::BTreeMap;

use semver::Version;
use serde::{Deserialize, Serialize};

use super::{ReleaseSpec, ScenarioError, invalid};

/// What differs from the built-in region.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RegionSpec {
    /// The versions that are offered; the built-in ones when empty.
    #[serde(default)]
    pub kubernetes_versions: Vec<VersionSpec>,
    /// The newest node image per OS SKU, over the built-in ones.
    #[serde(default)]
    pub node_images: BTreeMap<String, String>,
    /// Versions in preview are shown, and refused to whoever asks for them.
    #[serde(default)]
    pub refuse_previews: bool,
    /// What is released while the simulation runs; nothing when absent.
    #[serde(default)]
    pub releases: Option<ReleaseSpec>,
}

/// A Kubernetes version that a region offers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VersionSpec {
    /// For example `1.34.4`.
    pub version: String,
    /// Not generally available yet.
    #[serde(default)]
    pub preview: bool,
    /// Only for clusters on the long-term-support plan; patches from 100 are so anyway.
    #[serde(default)]
    pub lts: bool,
    /// What a new cluster gets.
    #[serde(default)]
    pub default: bool,
    /// The upgrades that are offered from here; by AKS's rules when absent.
    #[serde(default)]
    pub upgrades: Option<Vec<String>>,
}

impl RegionSpec {
    /// The versions, built-in ones when none are given.
    #[must_use]
    pub fn versions(&self) -> Vec<VersionSpec> {
        if self.kubernetes_versions.is_empty() {
            built_in_versions()
        } else {
            self.kubernetes_versions.clone()
        }
    }

    /// The newest image per OS SKU.
    #[must_use]
    pub fn images(&self) -> BTreeMap<String, String> {
        let built_in = BUILT_IN_IMAGES.iter().map(|(sku, image)| ((*sku).to_owned(), (*image).to_owned()));
        built_in.chain(self.node_images.clone()).collect()
    }

    pub(super) fn check(&self, field: &str) -> Result<(), ScenarioError> {
        for (index, spec) in self.kubernetes_versions.iter().enumerate() {
            let field = format!("{field}.kubernetesVersions[{index}]");
            check_version(&format!("{field}.version"), &spec.version)?;
            for upgrade in spec.upgrades.iter().flatten() {
                check_version(&format!("{field}.upgrades"), upgrade)?;
            }
        }
        if let Some(releases) = &self.releases {
            releases.check(&format!("{field}.releases"))?;
        }
        Ok(())
    }
}

/// Refuses what is not a full version.
pub(super) fn check_version(field: &str, version: &str) -> Result<(), ScenarioError> {
    Version::parse(version).map(drop).map_err(|_| {
        invalid(
            field,
            format!("{version:?} is not a full version; write minor and patch, for example \"1.34.4\""),
        )
    })
}

/// The OS SKUs that AKS knows, each with its newest image.
pub(super) const BUILT_IN_IMAGES: [(&str, &str); 6] = [
    ("AzureLinux3", "AKSAzureLinux-V3gen2-202611.10.0"),
    ("Ubuntu2204", "AKSUbuntu-2204gen2containerd-202611.10.0"),
    ("Ubuntu2404", "AKSUbuntu-2404gen2containerd-202611.10.0"),
    ("Windows2019", "AKSWindows-2019-containerd-17763.8027.251112"),
    ("Windows2022", "AKSWindows-2022-containerd-20348.4405.261112"),
    ("Windows2025", "AKSWindows-2025-containerd-26100.7171.261112"),
];

/// What a region offered in November 2026: three supported minors and the long-term ones.
fn built_in_versions() -> Vec<VersionSpec> {
    let version = |version: &str, lts: bool, default: bool| VersionSpec {
        version: version.to_owned(),
        preview: false,
        lts,
        default,
        upgrades: None,
    };
    vec![
        version("1.32.100", true, false),
        version("1.33.100", true, false),
        version("1.33.101", true, false),
        version("1.34.2", false, false),
        version("1.34.4", false, false),
        version("1.35.1", false, false),
        version("1.35.3", false, true),
        version("1.36.0", false, false),
        version("1.36.2", false, false),
        version("1.37.0", false, false),
        version("1.37.1", false, false),
    ]
}
