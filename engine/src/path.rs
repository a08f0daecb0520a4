//! The control plane's way from its version to the target.
//!
//! The shortest path over offered upgrades; among equally short ones, the newest patch
//! on each stop. AKS offers one minor at a time, and more only to some clusters (long-term
//! support): what it offers is the authority.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    offers::Offers,
    version::{KubernetesVersion, allowed_skew},
};

/// The versions to go through, the target last; empty when already there.
///
/// `None` when no chain of offered upgrades leads to the target. A preview is gone to only when
/// it is the target. A hop is never longer than node pools may be behind: none could follow.
#[must_use]
pub fn control_plane_path(
    from: &KubernetesVersion,
    to: &KubernetesVersion,
    offers: &Offers,
) -> Option<Vec<KubernetesVersion>> {
    if from == to {
        return Some(Vec::new());
    }
    let usable =
        |version: &KubernetesVersion| version <= to && (version == to || !offers.is_preview(version));
    let mut reached_from: BTreeMap<KubernetesVersion, KubernetesVersion> = BTreeMap::new();
    let mut layer = BTreeSet::from([from.clone()]);
    while !layer.is_empty() {
        let mut next = BTreeSet::new();
        // Newest first, so that the first to reach a version is the newest stop before it.
        for stop in layer.iter().rev() {
            for version in hops(stop, from, offers) {
                let far = version.minor().ahead_of(stop.minor()) > allowed_skew(version.minor());
                if version > *stop && !far && usable(&version) && !reached_from.contains_key(&version) {
                    reached_from.insert(version.clone(), stop.clone());
                    next.insert(version);
                }
            }
        }
        if reached_from.contains_key(to) {
            return Some(backwards(from, to, &reached_from));
        }
        layer = next;
    }
    None
}

fn hops(stop: &KubernetesVersion, from: &KubernetesVersion, offers: &Offers) -> Vec<KubernetesVersion> {
    if stop == from {
        return offers.control_plane.iter().map(|offer| offer.version.clone()).collect();
    }
    offers
        .region
        .iter()
        .filter(|entry| entry.version == *stop)
        .flat_map(|entry| entry.upgrades.iter().cloned())
        .collect()
}

fn backwards(
    from: &KubernetesVersion,
    to: &KubernetesVersion,
    reached_from: &BTreeMap<KubernetesVersion, KubernetesVersion>,
) -> Vec<KubernetesVersion> {
    let mut path = Vec::new();
    let mut stop = to;
    while stop != from {
        path.push(stop.clone());
        stop = &reached_from[stop];
    }
    path.reverse();
    path
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        offers::OfferedVersion,
        testing::{offers, version},
    };

    fn path(from: &str, to: &str) -> Option<Vec<String>> {
        control_plane_path(&version(from), &version(to), &offers(from))
            .map(|stops| stops.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn goes_one_minor_at_a_time_over_the_newest_patches() {
        let expected = ["1.34.4", "1.35.2", "1.36.2"].map(str::to_owned).to_vec();
        assert_eq!(path("1.33.0", "1.36.2"), Some(expected));
        assert_eq!(path("1.33.0", "1.33.8"), Some(vec!["1.33.8".to_owned()]));
        assert_eq!(path("1.33.0", "1.33.0"), Some(Vec::new()));
    }

    #[test]
    fn never_invents_a_hop() {
        assert_eq!(path("1.33.0", "1.36.9"), None, "not a version of the region");
        assert_eq!(path("1.35.2", "1.34.4"), None, "a downgrade");
    }

    #[test]
    fn takes_a_skip_that_azure_offers() {
        let from = version("1.33.0");
        let mut offers = offers("1.33.0");
        offers.control_plane.push(OfferedVersion { version: version("1.36.2"), preview: false });
        assert_eq!(control_plane_path(&from, &version("1.36.2"), &offers), Some(vec![version("1.36.2")]));
    }
}
