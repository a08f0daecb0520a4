//! From the objects to the engine's request. Rules across objects live here.

use azure_mgmt_containerservice::ClusterId;
use crds::{
    ClusterUpgrade, ClusterUpgradeSpec, InvalidField, RETRY_ANNOTATION, kubernetes_request, policy_of,
};
use engine::{Policy, Request, StepState};
use kube::ResourceExt;

use super::observe::Observed;

/// What the engine is asked for, and the cluster in Azure.
pub(super) fn validate(observed: &Observed) -> Result<(Request, ClusterId), InvalidField> {
    let Some(cluster) = &observed.cluster else {
        return Err(InvalidField {
            field: "spec.clusterRef.name".to_owned(),
            problem: format!(
                "there is no AKSCluster {} in namespace {}: register it, or name another",
                observed.cluster_name(),
                observed.upgrade.namespace().unwrap_or_default()
            ),
        });
    };
    let id = cluster.spec.resource_id.parse().map_err(|error| InvalidField {
        field: format!("AKSCluster {}, spec.resourceId", cluster.name_any()),
        problem: format!("{error}"),
    })?;
    let mut request = request(&observed.upgrade.spec)?;
    request.other_upgrade = other_upgrade(&observed.upgrade, &observed.others);
    request.retry = observed.upgrade.annotations().get(RETRY_ANNOTATION).cloned();
    Ok((request, id))
}

/// What a specification asks the engine for.
///
/// # Errors
/// When a field means nothing.
pub(crate) fn request(spec: &ClusterUpgradeSpec) -> Result<Request, InvalidField> {
    let ClusterUpgradeSpec { cluster_ref: _, target, policy, suspend, plan } = spec;
    let policy: Policy = policy_of(policy);
    let waits_for_wave = plan.as_ref().filter(|plan| !plan.admitted).map(|plan| plan.wave.clone());
    Ok(Request {
        scope: target.scope,
        kubernetes: kubernetes_request(target)?,
        node_image: target.node_image,
        max_image_age: target.max_image_age.map(|age| age.0),
        policy,
        suspend: *suspend,
        waits_for_wave,
        other_upgrade: None,
        retry: None,
    })
}

/// The ClusterUpgrade that has the cluster before this one: it has begun, or it is older.
fn other_upgrade(upgrade: &ClusterUpgrade, others: &[ClusterUpgrade]) -> Option<String> {
    let age =
        |upgrade: &ClusterUpgrade| (upgrade.creation_timestamp().map(|time| time.0), upgrade.name_any());
    let begun = has_begun(upgrade);
    others
        .iter()
        .filter(|other| !is_finished(other) && is_admitted(other))
        .find(|other| match (has_begun(other), begun) {
            (true, false) => true,
            (false, true) => false,
            (true, true) | (false, false) => age(other) < age(upgrade),
        })
        .map(ResourceExt::name_any)
}

fn has_begun(upgrade: &ClusterUpgrade) -> bool {
    upgrade.status.as_ref().is_some_and(|status| {
        status.ledger.in_flight() || status.ledger.steps.iter().any(|step| step.state == StepState::Succeeded)
    })
}

fn is_finished(upgrade: &ClusterUpgrade) -> bool {
    upgrade.status.as_ref().is_some_and(|status| status.ledger.finished_at.is_some())
}

fn is_admitted(upgrade: &ClusterUpgrade) -> bool {
    upgrade.spec.plan.as_ref().is_none_or(|plan| plan.admitted)
}
