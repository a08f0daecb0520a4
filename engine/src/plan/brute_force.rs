//! The cheapest way from a layout of versions to a goal, found by trying everything.
//!
//! Knows only the rules: where the control plane may hop, that a pool may go to any minor up to its
//! control plane's, and how far it may be behind. Tries every move in every state, remembering the
//! states that it has seen; versions only go up, so it ends.

use std::collections::BTreeMap;

use crate::version::{KubernetesVersion, Minor, allowed_skew};

/// How often a pool is moved, then how many hops the control plane makes.
pub(super) type Cost = (usize, usize);

/// The version of the control plane, and the minor of each pool.
pub(super) type Layout = (KubernetesVersion, Vec<Minor>);

/// The rules of one cluster, and what is to be reached.
pub(super) struct Search<'a> {
    /// Where the control plane may go from a version.
    pub(super) hops: &'a dyn Fn(&KubernetesVersion) -> Vec<KubernetesVersion>,
    /// The minors that there are.
    pub(super) minors: Vec<Minor>,
    /// Which pools are moved, and are to reach the goal; the others stay.
    pub(super) moves: Vec<bool>,
    /// The version to reach.
    pub(super) goal: KubernetesVersion,
    /// States seen, with what is left to pay from there.
    pub(super) seen: BTreeMap<Layout, Option<Cost>>,
}

/// Whether AKS lets a cluster be so.
pub(super) fn is_allowed((control_plane, pools): &Layout) -> bool {
    let minor = control_plane.minor();
    pools.iter().all(|pool| *pool <= minor && minor.ahead_of(*pool) <= allowed_skew(minor))
}

impl Search<'_> {
    /// The least that it costs from here; `None` when the goal cannot be reached.
    pub(super) fn cheapest(&mut self, layout: &Layout) -> Option<Cost> {
        if let Some(known) = self.seen.get(layout) {
            return *known;
        }
        let cheapest = if self.is_goal(layout) { Some((0, 0)) } else { self.cheapest_on(layout) };
        self.seen.insert(layout.clone(), cheapest);
        cheapest
    }

    fn is_goal(&self, (control_plane, pools): &Layout) -> bool {
        let at_goal = |(pool, moves): (&Minor, &bool)| !moves || *pool == self.goal.minor();
        *control_plane == self.goal && pools.iter().zip(&self.moves).all(at_goal)
    }

    fn cheapest_on(&mut self, layout: &Layout) -> Option<Cost> {
        let (control_plane, pools) = layout;
        let mut costs = Vec::new();
        for next in (self.hops)(control_plane) {
            let hopped = (next, pools.clone());
            if is_allowed(&hopped) {
                costs.extend(self.cheapest(&hopped).map(|(moves, hops)| (moves, hops + 1)));
            }
        }
        for index in (0..pools.len()).filter(|index| self.moves[*index]).collect::<Vec<_>>() {
            let up = |minor: &&Minor| **minor > pools[index] && **minor <= control_plane.minor();
            for minor in self.minors.clone().iter().filter(up) {
                let mut moved = layout.clone();
                moved.1[index] = *minor;
                costs.extend(self.cheapest(&moved).map(|(moves, hops)| (moves + 1, hops)));
            }
        }
        costs.into_iter().min()
    }
}
