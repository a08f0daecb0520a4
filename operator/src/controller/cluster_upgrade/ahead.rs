//! What a cluster has before it, as its inventory shows: told, and decided by nobody. Pure.

use crds::{AKSClusterStatus, ClusterUpgradeSpec};
use engine::{Cluster, Policy, Step, Target};
use jiff::Timestamp;

use super::validate::request;

/// What a cluster that has not started has before it.
pub(crate) struct Ahead<'a> {
    /// The cluster as seen last.
    pub(crate) seen: &'a Cluster,
    /// How its steps are done.
    pub(crate) policy: Policy,
    /// The steps that would be planned now.
    pub(crate) steps: Vec<Step>,
}

/// `None` when that is not known.
pub(crate) fn ahead<'a>(
    spec: &ClusterUpgradeSpec,
    status: &'a AKSClusterStatus,
    now: Timestamp,
) -> Option<Ahead<'a>> {
    let (seen, offers) = status.cluster.as_ref().zip(status.offers.as_ref())?;
    let request = request(spec).ok()?;
    let resolve = |request| engine::resolve(request, offers, Some(&seen.version));
    let target = Target {
        scope: request.scope,
        kubernetes: request.kubernetes.as_ref().map(resolve).transpose().ok()?,
        node_image: request.node_image,
        max_image_age: request.max_image_age,
        images: request.images,
    };
    let planned = engine::outline(seen, &target, &request.policy, offers, now).plan.steps;
    let steps = planned.into_iter().map(|planned| planned.step).collect();
    Some(Ahead { seen, policy: request.policy, steps })
}
