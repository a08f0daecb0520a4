//! What is to be so in the end: told from what was drawn, not by what the operator plans.

use std::collections::{BTreeMap, BTreeSet};

use engine::Scope;

/// What a cluster has come to when its upgrade is done.
#[derive(Clone, Debug, Default)]
pub(in crate::exploration) struct Arrival {
    /// The version that it is about; none when only images are refreshed.
    pub(in crate::exploration) target: Option<String>,
    /// The version of the control plane, where that matters.
    pub(in crate::exploration) control_plane: Option<String>,
    /// The versions of pools that go along, and of those that must not.
    pub(in crate::exploration) pools: BTreeMap<String, String>,
    /// Pools that do not keep an old image.
    pub(in crate::exploration) renewed: BTreeSet<String>,
}

/// What matters of a pool.
pub(super) struct Going {
    pub(super) name: String,
    /// It takes part: it is not left out, stopped, or pinned.
    pub(super) goes: bool,
    /// It is left out, so that it stays as it is.
    pub(super) stays: bool,
    /// Its version at the start.
    pub(super) version: &'static str,
}

impl Arrival {
    /// Everything goes to a version, or gets a new image without one.
    pub(in crate::exploration) fn of_all(
        target: Option<String>,
        pools: impl Iterator<Item = String>,
    ) -> Self {
        let renewed: BTreeSet<String> = pools.collect();
        let versions = target.iter().flat_map(|to| renewed.iter().map(|pool| (pool.clone(), to.clone())));
        Self { pools: versions.collect(), control_plane: target.clone(), target, renewed }
    }

    pub(super) fn of(
        scope: Scope,
        (start, target): (&str, &str),
        pools: &[Going],
        skips_images: bool,
    ) -> Self {
        let reaches = |moves: bool, from: &str| if moves { target.to_owned() } else { from.to_owned() };
        let versions = pools.iter().filter_map(|pool| {
            let moves = pool.goes && scope.has_pool_versions();
            let stays = pool.stays || !scope.has_pool_versions();
            (moves || stays).then(|| (pool.name.clone(), reaches(moves, pool.version)))
        });
        // A new version brings a new image.
        let is_renewed =
            |pool: &&Going| pool.goes && scope.has_images() && (!skips_images || pool.version != target);
        Self {
            target: (scope != Scope::NodeImage).then(|| target.to_owned()),
            control_plane: Some(reaches(scope.has_control_plane(), start)),
            pools: versions.collect(),
            renewed: pools.iter().filter(is_renewed).map(|pool| pool.name.clone()).collect(),
        }
    }
}
