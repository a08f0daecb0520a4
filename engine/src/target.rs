//! What a rollout wants, and which version that is for the regions it runs in.

use std::{collections::BTreeMap, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    offers::{Offers, RegionVersion},
    version::{KubernetesVersion, Minor, VersionRequest},
};

/// What a rollout changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Scope {
    #[default]
    #[expect(missing_docs, reason = "control planes, node pools and node images")]
    Full,
    #[expect(missing_docs, reason = "control planes only")]
    ControlPlane,
    #[expect(missing_docs, reason = "node pools only, up to the version of their control plane")]
    NodePools,
    #[expect(missing_docs, reason = "node images only")]
    NodeImage,
}

impl Scope {
    /// Whether control planes are upgraded.
    #[must_use]
    pub fn has_control_plane(self) -> bool {
        matches!(self, Self::Full | Self::ControlPlane)
    }

    /// Whether the Kubernetes version of node pools is upgraded.
    #[must_use]
    pub fn has_pool_versions(self) -> bool {
        matches!(self, Self::Full | Self::NodePools)
    }

    /// Whether node images are upgraded where no version upgrade brings a new one.
    #[must_use]
    pub fn has_images(self) -> bool {
        matches!(self, Self::Full | Self::NodePools | Self::NodeImage)
    }
}

/// What happens to node images of pools that get no new Kubernetes version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum NodeImagePolicy {
    #[default]
    #[expect(missing_docs, reason = "the newest image that Azure offers")]
    Latest,
    #[expect(missing_docs, reason = "one image of each family for the whole rollout")]
    Consistent,
    #[expect(missing_docs, reason = "images stay")]
    Skip,
}

/// A release channel, in the words of AKS's auto-upgrade channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Channel {
    #[expect(missing_docs, reason = "the newest stable minor, N")]
    Rapid,
    #[expect(missing_docs, reason = "the minor before it, N-1")]
    Stable,
    #[expect(missing_docs, reason = "the newest patch of the cluster's own minor")]
    Patch,
}

/// The Kubernetes version that is wanted, as the user wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KubernetesRequest {
    /// A patch or a minor.
    Version(VersionRequest),
    /// A channel.
    Channel(Channel),
}

/// The target of one cluster's upgrade, resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// What is changed.
    pub scope: Scope,
    /// The version to reach; `None` for [`Scope::NodeImage`].
    pub kubernetes: Option<KubernetesVersion>,
    /// What happens to images.
    pub node_image: NodeImagePolicy,
    /// The image of each family that the whole rollout takes, with [`NodeImagePolicy::Consistent`]; a family
    /// that is not named takes the newest.
    pub images: BTreeMap<String, String>,
    /// Images younger than this are left alone.
    pub max_image_age: Option<Duration>,
}

/// Why a wanted version stands for nothing that Azure has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unresolvable {
    /// No such patch.
    #[error(
        "spec.target.kubernetes.version is {wanted}, which Azure does not offer in every region concerned; offered: {offered}"
    )]
    Version {
        /// What was asked for.
        wanted: KubernetesVersion,
        /// What could be asked for.
        offered: String,
    },
    /// No stable patch of the minor.
    #[error(
        "spec.target.kubernetes.version is {wanted}, of which Azure offers no stable patch in every region concerned; offered: {offered}"
    )]
    Minor {
        /// What was asked for.
        wanted: Minor,
        /// What could be asked for.
        offered: String,
    },
    /// The region has too few minors for the channel.
    #[error("spec.target.kubernetes.channel finds no version; offered: {offered}")]
    Channel {
        /// What is there.
        offered: String,
    },
}

/// The version that a request stands for.
///
/// `current` is the cluster's version, for the channel [`Channel::Patch`].
///
/// # Errors
/// When the region has no such version; the error lists what it has.
pub fn resolve(
    request: &KubernetesRequest,
    region: &Offers,
    current: Option<&KubernetesVersion>,
) -> Result<KubernetesVersion, Unresolvable> {
    let newest_of = |minor: Minor| {
        region
            .newest_patch(minor)
            .cloned()
            .ok_or_else(|| Unresolvable::Minor { wanted: minor, offered: list(region) })
    };
    let channel = || Unresolvable::Channel { offered: list(region) };
    match request {
        KubernetesRequest::Version(VersionRequest::Exact(version)) if region.has(version) => {
            Ok(version.clone())
        }
        KubernetesRequest::Version(VersionRequest::Exact(version)) => {
            Err(Unresolvable::Version { wanted: version.clone(), offered: list(region) })
        }
        KubernetesRequest::Version(VersionRequest::Minor(minor)) => newest_of(*minor),
        KubernetesRequest::Channel(Channel::Rapid) => {
            newest_of(*region.stable_minors().first().ok_or_else(channel)?)
        }
        KubernetesRequest::Channel(Channel::Stable) => {
            newest_of(*region.stable_minors().get(1).ok_or_else(channel)?)
        }
        KubernetesRequest::Channel(Channel::Patch) => {
            let current = current.ok_or_else(channel)?;
            let newest = region.newest_patch(current.minor()).ok_or_else(channel)?;
            Ok(newest.max(current).clone())
        }
    }
}

/// The versions that every one of these regions has, as one region's offers.
#[must_use]
pub fn common_to_all<'a>(mut regions: impl Iterator<Item = &'a Offers>) -> Offers {
    let Some(first) = regions.next() else { return Offers::default() };
    let mut common: Vec<RegionVersion> = first.region.clone();
    for region in regions {
        common.retain(|entry| region.has(&entry.version));
        for entry in &mut common {
            entry.preview |= region.is_preview(&entry.version);
        }
    }
    Offers { region: common, ..Offers::default() }
}

fn list(region: &Offers) -> String {
    let mut versions: Vec<_> = region
        .region
        .iter()
        .map(|entry| (&entry.version, if entry.preview { " (preview)" } else { "" }))
        .collect();
    versions.sort_unstable();
    let words: Vec<String> = versions.iter().map(|(version, note)| format!("{version}{note}")).collect();
    if words.is_empty() { "nothing".to_owned() } else { words.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{offers, version};

    fn wants(text: &str) -> KubernetesRequest {
        KubernetesRequest::Version(text.parse().unwrap())
    }

    #[test]
    fn resolves_patches_minors_and_channels() {
        let region = offers("1.33.0");
        let resolved = |request: &KubernetesRequest| {
            resolve(request, &region, Some(&version("1.33.0"))).map(|v| v.to_string())
        };
        assert_eq!(resolved(&wants("1.34.2")).as_deref(), Ok("1.34.2"));
        assert_eq!(resolved(&wants("1.34")).as_deref(), Ok("1.34.4"));
        // 1.37 is a preview, so the newest stable minor is 1.36.
        assert_eq!(resolved(&KubernetesRequest::Channel(Channel::Rapid)).as_deref(), Ok("1.36.2"));
        assert_eq!(resolved(&KubernetesRequest::Channel(Channel::Stable)).as_deref(), Ok("1.35.2"));
        assert_eq!(resolved(&KubernetesRequest::Channel(Channel::Patch)).as_deref(), Ok("1.33.8"));
        assert_eq!(resolved(&wants("1.37.0")).as_deref(), Ok("1.37.0"), "a preview when it is named in full");
    }

    #[test]
    fn says_what_is_offered_instead() {
        let error = |text| resolve(&wants(text), &offers("1.33.0"), None).unwrap_err().to_string();
        assert!(error("1.40.1").contains("spec.target.kubernetes.version is 1.40.1"));
        assert!(error("1.40").contains("1.36.2"), "{}", error("1.40"));
        assert!(error("1.37").contains("1.37.0 (preview)"), "{}", error("1.37"));
    }

    #[test]
    fn a_fleet_gets_a_version_that_each_region_has() {
        let (west, mut east) = (offers("1.33.0"), offers("1.33.0"));
        east.region.retain(|entry| entry.version != version("1.34.4"));
        let both = common_to_all([&west, &east].into_iter());
        assert_eq!(resolve(&wants("1.34"), &both, None), Ok(version("1.34.2")));
    }
}
