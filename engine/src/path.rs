//! The control plane's way from its version to the target.
//!
//! Of all chains of offered upgrades, one that makes node pools move as rarely as possible on the way;
//! of those the shortest; of those the one over the newest patches. AKS goes one minor at a time, and
//! further only with clusters on long-term support: what it offers is the authority.

use std::{
    cmp::Reverse,
    collections::BTreeMap,
    ops::Bound::{Excluded, Unbounded},
};

use crate::{
    offers::{Offers, SupportPlans},
    version::{KubernetesVersion, Minor, allowed_skew},
};

/// From where to where, and for whom.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Journey<'a> {
    /// The version of the control plane.
    pub(crate) from: &'a KubernetesVersion,
    /// The version to reach.
    pub(crate) to: &'a KubernetesVersion,
    /// What Azure offers.
    pub(crate) offers: &'a Offers,
    /// Whether the cluster is on the long-term-support plan.
    pub(crate) long_term: bool,
    /// How many pools, which have to follow, are on which minor.
    pub(crate) pools: &'a BTreeMap<Minor, usize>,
}

/// Why there is no way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NoWay {
    /// No chain of offers leads there.
    NotOffered,
    /// The target is for clusters on long-term support only.
    LongTermOnly,
    /// Every chain leads over a preview that nobody asked for; the first such.
    Preview(KubernetesVersion),
    /// Every chain has a hop that AKS does not make with the control plane alone.
    TooLong {
        /// Where the hop begins.
        from: KubernetesVersion,
        /// Where it ends.
        next: KubernetesVersion,
    },
}

/// What a search may use beyond what the control plane may really do: to find out what is missing.
#[derive(Clone, Copy, Debug, Default)]
struct Liberties {
    previews: bool,
    long_hops: bool,
}

/// The minors of the pools, in the order of those that they started from.
type Pools = Vec<Minor>;

/// A version reached, with the pools where they are then.
#[derive(Clone, Debug, Default)]
struct Reached {
    /// How many pools had to move on the way.
    moves: usize,
    hops: usize,
    before: Option<(KubernetesVersion, Pools)>,
}

impl Reached {
    fn cost(&self) -> (usize, usize) {
        (self.moves, self.hops)
    }
}

impl Journey<'_> {
    /// The versions to go through, the target last; empty when already there.
    ///
    /// A preview is gone to only when it is the target. A hop is never longer than node pools may be
    /// behind: none could follow.
    ///
    /// # Errors
    /// When no chain of offered upgrades leads to the target, with what is missing.
    pub(crate) fn stops(&self) -> Result<Vec<KubernetesVersion>, NoWay> {
        self.search(Liberties::default()).ok_or_else(|| self.why_none())
    }

    fn why_none(&self) -> NoWay {
        let offered = self.offers.control_plane.iter().any(|offer| offer.version == *self.to);
        if !self.long_term && !offered && is_long_term_only(self.to, self.offers) {
            return NoWay::LongTermOnly;
        }
        if let Some(stops) = self.search(Liberties { previews: true, long_hops: false }) {
            let preview = stops.into_iter().find(|stop| self.offers.is_preview(stop));
            return preview.map_or(NoWay::NotOffered, NoWay::Preview);
        }
        let long = Liberties { long_hops: true, ..Liberties::default() };
        let stops = self.search(long).unwrap_or_default();
        let mut from = self.from;
        for next in &stops {
            if self.is_too_long(from, next) {
                return NoWay::TooLong { from: from.clone(), next: next.clone() };
            }
            from = next;
        }
        NoWay::NotOffered
    }

    /// Versions only go up, so they are visited in order: what reaches one is known when it is its turn.
    fn search(&self, liberties: Liberties) -> Option<Vec<KubernetesVersion>> {
        let start: Pools = self.pools.keys().copied().collect();
        let first = BTreeMap::from([(start, Reached::default())]);
        let mut reached = BTreeMap::from([(self.from.clone(), first)]);
        let mut stop = self.from.clone();
        while stop != *self.to {
            let here = reached.get(&stop).cloned().unwrap_or_default();
            for next in self.hops(&stop, liberties) {
                let there = reached.entry(next.clone()).or_default();
                for (pools, so_far) in &here {
                    let (after, moves) = self.forced(pools, &stop, &next);
                    let before = Some((stop.clone(), pools.clone()));
                    let new = Reached { moves: so_far.moves + moves, hops: so_far.hops + 1, before };
                    let known = there.entry(after).or_insert_with(|| new.clone());
                    // Of equals the later one came over a newer stop.
                    if new.cost() <= known.cost() {
                        *known = new;
                    }
                }
            }
            let (next, _) = reached.range((Excluded(&stop), Unbounded)).next()?;
            stop = next.clone();
        }
        Some(self.backwards(&reached))
    }

    /// The pools that a hop leaves too far behind move to the version before it, and no sooner: later
    /// there are newer ones to move to.
    fn forced(&self, pools: &Pools, stop: &KubernetesVersion, next: &KubernetesVersion) -> (Pools, usize) {
        let allowed = allowed_skew(next.minor());
        let mut moves = 0;
        let after = pools.iter().zip(self.pools.values()).map(|(minor, count)| {
            if next.minor().ahead_of(*minor) > allowed {
                moves += count;
                stop.minor()
            } else {
                *minor
            }
        });
        (after.collect(), moves)
    }

    fn hops(&self, stop: &KubernetesVersion, liberties: Liberties) -> Vec<KubernetesVersion> {
        let is_usable = |next: &KubernetesVersion| {
            let is_asked_for = next == self.to || liberties.previews || !self.offers.is_preview(next);
            let fits = liberties.long_hops || !self.is_too_long(stop, next);
            next > stop && next <= self.to && is_asked_for && fits
        };
        if stop == self.from {
            let offers = self.offers.control_plane.iter().map(|offer| &offer.version);
            return offers.filter(|next| is_usable(next)).cloned().collect();
        }
        let here = self.offers.region.iter().filter(|entry| entry.version == *stop);
        let upgrades = here.flat_map(|entry| &entry.upgrades);
        let is_for_us = |next: &KubernetesVersion| self.long_term || !is_long_term_only(next, self.offers);
        upgrades.filter(|next| is_usable(next) && is_for_us(next)).cloned().collect()
    }

    /// Whether AKS refuses the hop for the control plane alone. On long-term support it may be as long
    /// as pools may be behind; others go one minor at a time. From a version out of support AKS offers
    /// to go further, and then takes control plane and pools only together.
    fn is_too_long(&self, from: &KubernetesVersion, next: &KubernetesVersion) -> bool {
        let longest = if self.long_term { allowed_skew(next.minor()) } else { 1 };
        next.minor().ahead_of(from.minor()) > longest
    }

    fn backwards(
        &self,
        reached: &BTreeMap<KubernetesVersion, BTreeMap<Pools, Reached>>,
    ) -> Vec<KubernetesVersion> {
        let best = reached.get(self.to).into_iter().flatten().min_by_key(|(_, reached)| {
            (reached.cost(), Reverse(reached.before.as_ref().map(|(stop, _)| stop)))
        });
        let mut path = Vec::new();
        let mut at = best.map(|(pools, _)| (self.to.clone(), pools.clone()));
        while let Some((stop, pools)) = at {
            at = reached
                .get(&stop)
                .and_then(|there| there.get(&pools))
                .and_then(|reached| reached.before.clone());
            if at.is_some() {
                path.push(stop);
            }
        }
        path.reverse();
        path
    }
}

/// Whether the region has the version for clusters on long-term support only.
pub(crate) fn is_long_term_only(version: &KubernetesVersion, offers: &Offers) -> bool {
    let mut entries = offers.region.iter().filter(|entry| entry.version == *version);
    entries.any(|entry| entry.support_plans == Some(SupportPlans::AKSLongTermSupport))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        offers::OfferedVersion,
        testing::{offers, version},
    };

    fn way(from: &str, to: &str, offers: &Offers, long_term: bool) -> Result<Vec<String>, NoWay> {
        let (from, to, pools) = (version(from), version(to), BTreeMap::new());
        let journey = Journey { from: &from, to: &to, offers, long_term, pools: &pools };
        journey.stops().map(|stops| stops.iter().map(ToString::to_string).collect())
    }

    fn path(from: &str, to: &str) -> Result<Vec<String>, NoWay> {
        way(from, to, &offers(from), false)
    }

    fn offering(from: &str, also: &str) -> Offers {
        let mut offers = offers(from);
        offers.control_plane.push(OfferedVersion { version: version(also), preview: false });
        offers
    }

    fn words(stops: &[&str]) -> Result<Vec<String>, NoWay> {
        Ok(stops.iter().map(|stop| (*stop).to_owned()).collect())
    }

    #[test]
    fn goes_one_minor_at_a_time_over_the_newest_patches() {
        assert_eq!(path("1.33.0", "1.36.2"), words(&["1.34.4", "1.35.2", "1.36.2"]));
        assert_eq!(path("1.33.0", "1.33.8"), words(&["1.33.8"]));
        assert_eq!(path("1.33.0", "1.33.0"), words(&[]));
    }

    #[test]
    fn never_invents_a_hop() {
        assert_eq!(path("1.33.0", "1.36.9"), Err(NoWay::NotOffered), "not a version of the region");
        assert_eq!(path("1.35.2", "1.34.4"), Err(NoWay::NotOffered), "a downgrade");
    }

    #[test]
    fn a_patch_without_a_way_on_is_gone_around() {
        let mut region = offers("1.33.0");
        let newest = region.region.iter_mut().find(|entry| entry.version == version("1.34.4"));
        newest.unwrap().upgrades.clear();
        assert_eq!(way("1.33.0", "1.35.2", &region, false), words(&["1.34.2", "1.35.2"]));
    }

    #[test]
    fn takes_a_skip_that_azure_offers_to_a_cluster_on_long_term_support() {
        let offers = offering("1.33.0", "1.36.2");
        assert_eq!(way("1.33.0", "1.36.2", &offers, true), words(&["1.36.2"]));
        let usual = words(&["1.34.4", "1.35.2", "1.36.2"]);
        assert_eq!(way("1.33.0", "1.36.2", &offers, false), usual, "others go minor by minor");
    }

    #[test]
    fn a_skip_back_into_support_is_not_for_the_control_plane_alone() {
        let mut offers = offering("1.31.9", "1.34.4");
        offers.control_plane.retain(|offer| offer.version == version("1.34.4"));
        let hop = NoWay::TooLong { from: version("1.31.9"), next: version("1.34.4") };
        assert_eq!(way("1.31.9", "1.35.2", &offers, false), Err(hop));
        assert_eq!(way("1.31.9", "1.35.2", &offers, true), words(&["1.34.4", "1.35.2"]));
        let far = offering("1.31.9", "1.36.2");
        let hop = NoWay::TooLong { from: version("1.31.9"), next: version("1.36.2") };
        let mut only = far;
        only.control_plane.retain(|offer| offer.version == version("1.36.2"));
        assert_eq!(way("1.31.9", "1.36.2", &only, true), Err(hop), "no pool could follow five minors");
    }

    #[test]
    fn previews_are_gone_to_only_when_they_are_named() {
        assert_eq!(path("1.36.2", "1.37.0"), words(&["1.37.0"]));
        let mut offers = offers("1.35.2");
        for entry in offers.region.iter_mut().filter(|entry| entry.version.minor().minor == 36) {
            entry.preview = true;
        }
        for offer in &mut offers.control_plane {
            offer.preview = offer.version.minor().minor == 36;
        }
        let over = NoWay::Preview(version("1.36.2"));
        assert_eq!(way("1.35.2", "1.37.0", &offers, false), Err(over));
    }

    #[test]
    fn versions_for_long_term_support_are_no_stops_for_others() {
        let mut offers = offers("1.33.0");
        let newest = offers.region.iter_mut().find(|entry| entry.version == version("1.35.2"));
        newest.unwrap().support_plans = Some(SupportPlans::AKSLongTermSupport);
        assert_eq!(way("1.33.0", "1.36.0", &offers, false), words(&["1.34.4", "1.35.0", "1.36.0"]));
        assert_eq!(way("1.33.0", "1.36.0", &offers, true), words(&["1.34.4", "1.35.2", "1.36.0"]));
        assert_eq!(way("1.33.0", "1.35.2", &offers, false), Err(NoWay::LongTermOnly));
    }

    #[test]
    fn a_shorter_way_that_rolls_a_pool_once_more_is_not_taken() {
        // 31, 34, 36 is shorter than 31, 32, 33, 36, but a pool at 30 would have to move before 34
        // and again before 36.
        let minor = |minor: u64| version(&format!("1.{minor}.0"));
        let upgrades = |from: u64| match from {
            31 => vec![32, 34],
            32 => vec![33],
            33 | 34 => vec![36],
            _ => vec![],
        };
        let entry = |from: u64| crate::RegionVersion {
            version: minor(from),
            preview: false,
            support_plans: None,
            upgrades: upgrades(from).into_iter().map(minor).collect(),
        };
        let first = |to: u64| OfferedVersion { version: minor(to), preview: false };
        let offers = Offers {
            control_plane: upgrades(31).into_iter().map(first).collect(),
            region: (31..=36).map(entry).collect(),
            ..Offers::default()
        };
        let (from, to) = (minor(31), minor(36));
        let stops = |pools: &BTreeMap<Minor, usize>| {
            let journey = Journey { from: &from, to: &to, offers: &offers, long_term: true, pools };
            journey.stops().unwrap()
        };
        assert_eq!(stops(&BTreeMap::new()), [minor(34), minor(36)]);
        let behind = BTreeMap::from([(minor(30).minor(), 1)]);
        assert_eq!(stops(&behind), [minor(32), minor(33), minor(36)]);
    }
}
