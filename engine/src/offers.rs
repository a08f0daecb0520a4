//! What Azure offers to one cluster: versions to go to, and the newest image of each pool.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    cluster::Cluster,
    version::{KubernetesVersion, Minor},
};

/// The upgrades that Azure offers, from the cluster's upgrade profile, its pools'
/// upgrade profiles and the versions of its region.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Offers {
    /// Where the control plane may go from its present version: the authority on the first hop.
    #[serde(default)]
    #[schemars(length(max = 100))]
    pub control_plane: Vec<OfferedVersion>,
    /// Every version of the region and where it may go: for the hops after the first.
    #[serde(default)]
    #[schemars(length(max = 200))]
    pub region: Vec<RegionVersion>,
    /// The newest node image of each pool, by pool name.
    #[serde(default)]
    #[schemars(extend("maxProperties" = 100), schema_with = "images_schema")]
    pub images: BTreeMap<String, String>,
}

/// Which offers a decision needs: each costs a call, but for the region's, which all clusters share.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OffersNeeded {
    /// Where the control plane may go.
    pub control_plane: bool,
    /// The newest image of these pools.
    pub images: BTreeSet<String>,
}

impl OffersNeeded {
    /// All that there is to know.
    #[must_use]
    pub fn all(cluster: &Cluster) -> Self {
        Self { control_plane: true, images: cluster.pools.iter().map(|pool| pool.name.clone()).collect() }
    }
}

fn images_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "object",
        "maxProperties": 100,
        "additionalProperties": {"type": "string", "maxLength": 256}
    })
}

/// A version that is on offer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OfferedVersion {
    /// The version.
    pub version: KubernetesVersion,
    /// Whether Azure calls it a preview.
    #[serde(default)]
    pub preview: bool,
}

/// A version that exists in a region.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RegionVersion {
    /// The version.
    pub version: KubernetesVersion,
    /// Whether Azure calls it a preview.
    #[serde(default)]
    pub preview: bool,
    /// The support plans under which the region has it, when Azure says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub support_plans: Option<SupportPlans>,
    /// Where a control plane may go from here.
    #[serde(default)]
    #[schemars(length(max = 100))]
    pub upgrades: Vec<KubernetesVersion>,
}

/// Support plans of a version, in the words of Azure's `capabilities.supportPlan`; one word for
/// both, because a status holds it for every version of a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SupportPlans {
    #[expect(missing_docs, reason = "community support only")]
    KubernetesOfficial,
    #[expect(missing_docs, reason = "long-term support only")]
    AKSLongTermSupport,
    #[expect(missing_docs, reason = "says all there is")]
    Both,
}

impl SupportPlans {
    /// What Azure lists; plans that are not known yet are left out.
    #[must_use]
    pub fn named<S: AsRef<str>>(plans: &[S]) -> Option<Self> {
        let has = |name: &str| plans.iter().any(|plan| plan.as_ref().eq_ignore_ascii_case(name));
        match (has("KubernetesOfficial"), has(LONG_TERM_SUPPORT)) {
            (true, true) => Some(Self::Both),
            (true, false) => Some(Self::KubernetesOfficial),
            (false, true) => Some(Self::AKSLongTermSupport),
            (false, false) => None,
        }
    }

    /// Whether community support is among them.
    #[must_use]
    pub fn community(self) -> bool {
        self != Self::AKSLongTermSupport
    }

    /// Whether long-term support is among them.
    #[must_use]
    pub fn long_term(self) -> bool {
        self != Self::KubernetesOfficial
    }
}

/// Azure's name for the long-term-support plan.
pub(crate) const LONG_TERM_SUPPORT: &str = "AKSLongTermSupport";

impl Offers {
    /// The newest stable patch of a minor in this region.
    #[must_use]
    pub fn newest_patch(&self, minor: Minor) -> Option<&KubernetesVersion> {
        self.stable().filter(|version| version.minor() == minor).max()
    }

    /// The stable minors of this region, newest first.
    #[must_use]
    pub fn stable_minors(&self) -> Vec<Minor> {
        let mut minors: Vec<Minor> = self.stable().map(KubernetesVersion::minor).collect();
        minors.sort_unstable_by(|a, b| b.cmp(a));
        minors.dedup();
        minors
    }

    /// Whether the region has this very version, previews included.
    #[must_use]
    pub fn has(&self, version: &KubernetesVersion) -> bool {
        self.region.iter().any(|entry| entry.version == *version)
    }

    /// Whether the region calls the version a preview.
    #[must_use]
    pub fn is_preview(&self, version: &KubernetesVersion) -> bool {
        self.control_plane.iter().any(|offer| offer.version == *version && offer.preview)
            || self.region.iter().any(|entry| entry.version == *version && entry.preview)
    }

    /// What is known of the offers once the control plane has gone to `version`: the region tells
    /// where it may go from there, until its own upgrade profile is read.
    #[must_use]
    pub fn after(&self, version: &KubernetesVersion) -> Self {
        let here = self.region.iter().filter(|entry| entry.version == *version);
        let control_plane = here.flat_map(|entry| &entry.upgrades).filter(|upgrade| *upgrade > version);
        let control_plane = control_plane
            .map(|upgrade| OfferedVersion { version: upgrade.clone(), preview: self.is_preview(upgrade) })
            .collect();
        Self { control_plane, ..self.clone() }
    }

    fn stable(&self) -> impl Iterator<Item = &KubernetesVersion> {
        self.region.iter().filter(|entry| !entry.preview).map(|entry| &entry.version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn support_plans_are_read_without_regard_to_case_or_company() {
        assert_eq!(SupportPlans::named(&["kubernetesofficial"]), Some(SupportPlans::KubernetesOfficial));
        let both = ["AKSLongTermSupport", "Later", "KubernetesOfficial"];
        assert_eq!(SupportPlans::named(&both), Some(SupportPlans::Both));
        assert_eq!(SupportPlans::named(&["AKSLongTermSupport"]), Some(SupportPlans::AKSLongTermSupport));
        assert_eq!(SupportPlans::named(&["Later"]), None);
    }
}
