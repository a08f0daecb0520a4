//! What a plan asks of its rollout, in the engine's words. Pure.

use crds::{UpgradePlan, share_of};
use engine::{Proposal, ProposedWave, RequestedWave, RolloutRequest, Share};
use kube::ResourceExt;
use sha2::{Digest, Sha256};

use super::{Members, ValidPlan};

/// What the plan asks.
///
/// # Errors
/// When the specification does not serialise.
pub(super) fn rollout_request(plan: &UpgradePlan) -> Result<RolloutRequest, serde_json::Error> {
    let waves = plan.spec.waves.iter().enumerate().map(|(index, wave)| RequestedWave {
        name: wave.name.clone(),
        // A plan that says nonsense here is refused before it has a rollout.
        max_concurrent: share_of(wave, index).unwrap_or(Share::Number(1)),
        order: wave.clusters.names.clone().unwrap_or_default(),
    });
    Ok(RolloutRequest {
        plan: plan.name_any(),
        hash: plan_hash(plan)?,
        suspend: plan.spec.suspend,
        waves: waves.collect(),
    })
}

/// Identifies what a plan says, but for `suspend`.
fn plan_hash(plan: &UpgradePlan) -> Result<String, serde_json::Error> {
    let mut spec = plan.spec.clone();
    spec.suspend = false;
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
    fn suspend_is_no_other_plan() {
        let plan: UpgradePlan = serde_json::from_value(json!({
            "apiVersion": "tidegate.dev/v1alpha1", "kind": "UpgradePlan", "metadata": {"name": "p"},
            "spec": {"target": {"scope": "NodeImage"}, "waves": [
                {"name": "w", "clusters": {"names": ["b", "a"]}, "maxConcurrent": "25%"}]}
        }))
        .unwrap();
        let (mut suspended, mut other) = (plan.clone(), plan.clone());
        suspended.spec.suspend = true;
        other.spec.waves[0].name = "v".to_owned();
        let [plan, suspended, other] = [plan, suspended, other].map(|plan| rollout_request(&plan).unwrap());
        assert_eq!(plan.hash.len(), 16);
        assert_eq!((&suspended.hash, suspended.suspend), (&plan.hash, true));
        assert_ne!(other.hash, plan.hash);
        let wave = &plan.waves[0];
        assert_eq!((wave.max_concurrent, wave.order.join(" ").as_str()), (Share::Percent(25), "b a"));
    }
}
