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
    /// The versions of pools that go along.
    pub(in crate::exploration) pools: BTreeMap<String, String>,
    /// Pools that do not keep an old image.
    pub(in crate::exploration) renewed: BTreeSet<String>,
}

/// What matters of a pool.
pub(super) struct Going {
    pub(super) name: String,
    /// It takes part: it is not left out, stopped, or pinned.
    pub(super) goes: bool,
    /// Its version is the target's already.
    pub(super) is_there: bool,
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

    pub(super) fn of(scope: Scope, target: &str, pools: &[Going], skips_images: bool) -> Self {
        let going = || pools.iter().filter(|pool| pool.goes);
        let target = scope_of_versions(scope).then(|| target.to_owned());
        let versions = target.iter().filter(|_| scope.has_pool_versions());
        let versions = versions.flat_map(|to| going().map(|pool| (pool.name.clone(), to.clone())));
        // A new version brings a new image.
        let gets_image =
            |pool: &&Going| scope.has_images() && !(skips_images && (pool.is_there || target.is_none()));
        Self {
            pools: versions.collect(),
            control_plane: target.clone().filter(|_| scope.has_control_plane()),
            renewed: going().filter(gets_image).map(|pool| pool.name.clone()).collect(),
            target,
        }
    }
}

fn scope_of_versions(scope: Scope) -> bool {
    scope.has_control_plane() || scope.has_pool_versions()
}
