//! What a plan asks of its rollout, in the engine's words. Pure.

use std::collections::BTreeMap;

use azure_mgmt_containerservice::ClusterId;
use crds::{AKSCluster, RETRY_ANNOTATION, UpgradePlan, approvals_of, budget_of, share_of};
use engine::{Mode, Proposal, ProposedWave, RequestedWave, RolloutRequest, Share};
use kube::ResourceExt;
use sha2::{Digest, Sha256};

use super::{Members, ValidPlan, validate::authors_of};
use crate::context::bounded;

/// How long a token of a retry may be, in bytes; the rest is cut.
const RETRY_LIMIT: usize = 200;

/// What the plan asks.
///
/// # Errors
/// When the specification does not serialise.
pub(super) fn rollout_request(
    plan: &UpgradePlan,
    clusters: &[AKSCluster],
) -> Result<RolloutRequest, serde_json::Error> {
    let waves = plan.spec.waves.iter().enumerate().map(|(index, wave)| RequestedWave {
        name: wave.name.clone(),
        // A plan that says nonsense here is refused before it has a rollout.
        max_concurrent: share_of(wave, index).unwrap_or(Share::Number(1)),
        failure_budget: budget_of(wave, index).unwrap_or(Share::Number(0)),
        approvals: approvals_of(wave, index).ok().flatten(),
        order: wave.clusters.names.clone().unwrap_or_default(),
    });
    // Somebody may give a cluster of the plan the same token by hand.
    let of_plan = |token: &String| format!("{}/{}", plan.name_any(), bounded(token, RETRY_LIMIT));
    Ok(RolloutRequest {
        plan: plan.name_any(),
        hash: plan_hash(plan)?,
        mode: plan.spec.mode,
        suspend: plan.spec.suspend,
        waves: waves.collect(),
        retry: plan.annotations().get(RETRY_ANNOTATION).map(of_plan),
        authors: authors_of(plan),
        places: clusters
            .iter()
            .filter_map(|cluster| Some((cluster.name_any(), place_of(cluster)?)))
            .collect::<BTreeMap<_, _>>(),
    })
}

/// Subscription and region of a cluster, once it has been observed.
fn place_of(cluster: &AKSCluster) -> Option<String> {
    let id: ClusterId = cluster.spec.resource_id.parse().ok()?;
    let location = &cluster.status.as_ref()?.cluster.as_ref()?.location;
    Some(format!("{}/{location}", id.subscription()).to_lowercase())
}

/// Identifies what a plan says, but for `suspend` and `mode`: what runs goes on when these change.
fn plan_hash(plan: &UpgradePlan) -> Result<String, serde_json::Error> {
    let mut spec = plan.spec.clone();
    (spec.suspend, spec.mode) = (false, Mode::Once);
    let digest = Sha256::digest(serde_json::to_vec(&spec)?);
    Ok(digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect())
}

/// What its rollout is to consist of.
pub(super) fn proposal(valid: ValidPlan) -> Proposal {
    let ValidPlan { waves, target } = valid;
    let wave = |Members { name, max_concurrent: _, clusters }| ProposedWave { name, clusters };
    Proposal { target, waves: waves.into_iter().map(wave).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn suspend_and_mode_make_no_other_plan() {
        let plan: UpgradePlan = serde_json::from_value(json!({
            "apiVersion": "tidegate.dev/v1alpha1", "kind": "UpgradePlan", "metadata": {"name": "p"},
            "spec": {"target": {"scope": "NodeImage"}, "waves": [
                {"name": "w", "clusters": {"names": ["b", "a"]}, "maxConcurrent": "25%"}]}
        }))
        .unwrap();
        let (mut suspended, mut other) = (plan.clone(), plan.clone());
        (suspended.spec.suspend, suspended.spec.mode) = (true, Mode::Continuous);
        other.spec.waves[0].name = "v".to_owned();
        let [plan, suspended, other] =
            [plan, suspended, other].map(|plan| rollout_request(&plan, &[]).unwrap());
        assert_eq!(plan.hash.len(), 16);
        assert_eq!((&suspended.hash, suspended.suspend), (&plan.hash, true));
        assert_ne!(other.hash, plan.hash);
        let wave = &plan.waves[0];
        assert_eq!((wave.max_concurrent, wave.order.join(" ").as_str()), (Share::Percent(25), "b a"));
        assert_eq!((wave.failure_budget, &wave.approvals, &plan.retry), (Share::Number(0), &None, &None));
    }

    #[test]
    fn a_plan_says_what_may_fail_who_approves_and_where_its_clusters_are() {
        let mut plan: UpgradePlan = serde_json::from_value(json!({
            "apiVersion": "tidegate.dev/v1alpha1", "kind": "UpgradePlan",
            "metadata": {"name": "p", "annotations": {
                "tidegate.dev/retry": "7", "tidegate.dev/authors": "ann\nci@example.org\n"}},
            "spec": {"target": {"scope": "NodeImage"}, "waves": [{"name": "w", "clusters": {"names": ["a"]},
                "failureBudget": "10%", "approvals": {"required": 2, "separateAuthor": true}}]}
        }))
        .unwrap();
        let id = "/subscriptions/20000000-0000-4000-8000-000000000001/resourceGroups/shop/providers/Microsoft.ContainerService/managedClusters/a";
        let cluster = serde_json::from_value(json!({
            "apiVersion": "tidegate.dev/v1alpha1", "kind": "AKSCluster", "metadata": {"name": "a"},
            "spec": {"resourceId": id},
            "status": {"cluster": {"name": "a", "location": "westeurope", "version": "1.35.3",
                "provisioningState": "Succeeded", "power": "Running", "pools": []}}
        }))
        .unwrap();
        let asked = rollout_request(&plan, &[cluster]).unwrap();
        let wave = &asked.waves[0];
        assert_eq!(wave.failure_budget, Share::Percent(10));
        assert!(wave.approvals.as_ref().is_some_and(|policy| policy.required == 2 && policy.separate_author));
        assert_eq!(
            (asked.retry.as_deref(), asked.authors.join(" ")),
            (Some("p/7"), "ann ci@example.org".to_owned())
        );
        assert_eq!(asked.places["a"], "20000000-0000-4000-8000-000000000001/westeurope");
        plan.metadata.annotations = None;
        assert_eq!(rollout_request(&plan, &[]).unwrap().hash, asked.hash, "annotations are no other plan");
    }
}
