//! Which of Azure's offers the next plan depends on: what cannot change it is not asked for.

use super::Request;
use crate::{
    cluster::{Cluster, NodePool, Power},
    ledger::{Ledger, StepRecord, StepState},
    offers::OffersNeeded,
    target::NodeImagePolicy,
};

/// What planning this cluster's way needs to know of Azure's offers.
#[must_use]
pub fn offers_needed(request: &Request, ledger: &Ledger, cluster: &Cluster) -> OffersNeeded {
    let Request { scope, kubernetes, node_image, images, policy, .. } = request;
    let target = ledger.target_version.as_ref();
    if kubernetes.is_some() && target.is_none() {
        // First the version is resolved, from what the region has; what it means comes after that.
        return OffersNeeded::default();
    }
    // A version step brings the newest image with it, whichever that is.
    let moves = |pool: &NodePool| scope.has_pool_versions() && target.is_some_and(|to| pool.version < *to);
    let asks = |pool: &&NodePool| {
        policy.excluded(pool).is_none()
            && pool.power == Power::Running
            && !pool.is_managed_by_azure()
            && pool.snapshot.is_none()
            && !is_rolled(ledger, &pool.name)
            // The image that a version step brings has to be the one that is pinned.
            && (!(moves(pool) || leaves_images(ledger)) || !images.is_empty())
    };
    let has_images = scope.has_images() && *node_image != NodeImagePolicy::Skip;
    let pools = cluster.pools.iter().filter(|_| has_images).filter(asks);
    OffersNeeded {
        control_plane: scope.has_control_plane() && target.is_some_and(|to| cluster.version < *to),
        images: pools.map(|pool| pool.name.clone()).collect(),
    }
}

/// Whether images stay as they are, since all was done and only workloads are watched.
pub(super) const fn leaves_images(ledger: &Ledger) -> bool {
    ledger.soak_until.is_some()
}

/// Whether this upgrade has renewed the nodes of a pool. A repair may have found nothing to renew.
pub(super) fn is_rolled(ledger: &Ledger, pool: &str) -> bool {
    let rolled = |record: &StepRecord| {
        let renews = !record.repair && !record.step.is_rollback();
        record.state == StepState::Succeeded && record.step.pool.as_deref() == Some(pool) && renews
    };
    ledger.steps.iter().any(rolled)
}
