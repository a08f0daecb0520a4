//! Carries a plan on: a rollout, its ClusterUpgrades, and which of them may start.
//!
//! Each change is claimed first by a guarded write of the plan's status, so that of two
//! replicas that believe to lead only one goes on.

use crds::{ClusterUpgrade, PLAN_LABEL, ROLLOUT_LABEL, Rollout, UpgradePlan, WAVE_LABEL};
use engine::{Baseline, Clock as _, Phase, decide_rollout};
use kube::{
    Api, Resource, ResourceExt,
    api::{DeleteParams, Patch, PatchParams, PostParams},
};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::{
    Error, Hindrance, Members, ValidPlan,
    member::{is_finished, is_stopped},
    observe::{Observed, is_made_by, list_upgrades},
    upgrade_spec,
    validate::validate,
};
use crate::{
    context::Context,
    controller::{FIELD_MANAGER, settled},
};

/// Does what can be done now; tells what hinders it.
pub(super) async fn act(context: &Context, observed: &mut Observed) -> Result<Option<Hindrance>, Error> {
    if !context.may_act() {
        return Ok(Some(Hindrance::NotLeading));
    }
    if observed.plan.spec.suspend {
        // Before anything else: also when the rest of the plan is wrong, and of earlier rollouts.
        pass_on_suspend(context, observed).await?;
    }
    let hash = plan_hash(&observed.plan)?;
    let present = observed.rollout().filter(|rollout| rollout.plan_hash == hash);
    // Once its members are made, a rollout goes by them: what Azure offers, and which clusters
    // the selectors find, may have changed since.
    if present.is_none_or(|rollout| !rollout.members_recorded) {
        let is_new = present.is_none();
        let valid = match validate(&observed.plan, &observed.clusters, is_new) {
            Ok(valid) => valid,
            Err(invalid) => return Ok(Some(invalid.into())),
        };
        if is_new {
            if let Some(busy) = retire(context, observed).await? {
                return Ok(Some(Hindrance::EarlierRollout(Box::new(busy))));
            }
            begin(context, observed, &valid, hash).await?;
        }
        if !context.may_act() {
            return Ok(Some(Hindrance::NotLeading));
        }
        if let Some(taken) = create_members(context, observed, &valid).await? {
            return Ok(Some(Hindrance::Taken(taken)));
        }
    }
    if !context.may_act() {
        return Ok(Some(Hindrance::NotLeading));
    }
    sweep(context, observed).await?;
    pass_on_suspend(context, observed).await?;
    admit(context, observed).await?;
    Ok(None)
}

/// Identifies what a plan says, but for `suspend`.
fn plan_hash(plan: &UpgradePlan) -> Result<String, Error> {
    let mut spec = plan.spec.clone();
    spec.suspend = false;
    let digest = Sha256::digest(serde_json::to_vec(&spec).map_err(Error::Hash)?);
    Ok(digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect())
}

/// Ends the rollout of an earlier version of the plan: steps in flight finish, nothing new starts.
/// Gives one that still has a step in flight.
async fn retire(context: &Context, observed: &mut Observed) -> Result<Option<ClusterUpgrade>, Error> {
    let api = upgrades(context, &observed.plan);
    for upgrade in &mut observed.upgrades {
        if !is_finished(upgrade) && !is_suspended(upgrade) {
            *upgrade = patch_spec(&api, upgrade, &json!({"plan": {"suspended": true}})).await?;
        }
    }
    // One that has stopped needs a person, so it is the one to show.
    let busy = observed.upgrades.iter().filter(|upgrade| is_busy(upgrade));
    if let Some(busy) = busy.max_by_key(|upgrade| is_stopped(upgrade)) {
        return Ok(Some(busy.clone()));
    }
    Ok(None)
}

/// Deletes what is left of earlier rollouts, once the present one has taken over what matters of it.
async fn sweep(context: &Context, observed: &mut Observed) -> Result<(), Error> {
    let api = upgrades(context, &observed.plan);
    let rollout = observed.rollout().map(|rollout| rollout.id.clone());
    let of_present =
        |upgrade: &ClusterUpgrade| upgrade.spec.plan.as_ref().map(|plan| &plan.rollout) == rollout.as_ref();
    for upgrade in observed.upgrades.iter().filter(|upgrade| !of_present(upgrade)) {
        let name = upgrade.name_any();
        match api.delete(&name, &DeleteParams::default().preconditions(precondition(upgrade))).await {
            Ok(_) => {}
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            Err(error) => return Err(Error::write("the end of the earlier rollout")(error)),
        }
    }
    observed.upgrades.retain(of_present);
    Ok(())
}

fn is_suspended(upgrade: &ClusterUpgrade) -> bool {
    upgrade.spec.suspend || upgrade.spec.plan.as_ref().is_some_and(|plan| plan.suspended)
}

/// Reasons of a step that Azure, read just before, was not working on.
const IDLE_REASONS: [&str; 6] =
    ["Suspended", "Retrying", "DrainBlocked", "OperationBlocked", "OperationFailed", "ExternalChange"];

/// Whether a step has to end before the record may go.
///
/// One that was not sent, or was refused, would never end: with `suspend` set it is not sent again.
/// It was decided about with `suspend` in view if the status is of the present generation.
fn is_busy(upgrade: &ClusterUpgrade) -> bool {
    let Some(status) = &upgrade.status else { return false };
    let Some(operation) = &status.ledger.operation else { return false };
    let seen = is_suspended(upgrade) && status.observed_generation == upgrade.metadata.generation;
    let reason = status.summary.as_ref().map_or("", |summary| &summary.reason);
    !(operation.phase == Phase::Intent && seen && IDLE_REASONS.contains(&reason))
}

fn precondition(upgrade: &ClusterUpgrade) -> kube::api::Preconditions {
    kube::api::Preconditions { uid: upgrade.uid(), resource_version: upgrade.resource_version() }
}

async fn begin(
    context: &Context,
    observed: &mut Observed,
    valid: &ValidPlan,
    hash: String,
) -> Result<(), Error> {
    let number = observed
        .plan
        .status
        .as_ref()
        .and_then(|status| status.rollout.as_ref())
        .map_or(1, |old| old.number + 1);
    let rollout = Rollout {
        id: format!("{}-{number}", observed.plan.name_any()),
        number,
        plan_hash: hash,
        target: valid.target.clone(),
        started_at: context.now(),
        members_recorded: false,
        wave_sizes: Vec::new(),
        admissions: 0,
    };
    let id = rollout.id.clone();
    claim(context, observed, rollout).await?;
    tracing::info!(rollout = %id, "a rollout starts");
    let about = observed.plan.object_ref(&());
    let target = match (&valid.target.kubernetes, &observed.plan.spec.target.kubernetes) {
        (Some(version), _) => version.as_str(),
        (None, Some(_)) => "the newest patch of each cluster's minor",
        (None, None) => "the newest node images",
    };
    context.publish(&about, false, "RolloutStarted", &format!("rollout {id} to {target}")).await;
    Ok(())
}

/// Writes the rollout into the plan's status, guarded by the version that was read.
async fn claim(context: &Context, observed: &mut Observed, rollout: Rollout) -> Result<(), Error> {
    let api: Api<UpgradePlan> =
        Api::namespaced(context.hub.clone(), &observed.plan.namespace().unwrap_or_default());
    let mut next = observed.plan.clone();
    next.status.get_or_insert_default().rollout = Some(rollout);
    let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
    observed.plan = api
        .replace_status(&observed.plan.name_any(), &params, &next)
        .await
        .map_err(Error::write("the rollout"))?;
    Ok(())
}

/// Makes every ClusterUpgrade of the rollout once; from then on its members are fixed. Names one
/// that cannot be made, because its name is taken.
async fn create_members(
    context: &Context,
    observed: &mut Observed,
    valid: &ValidPlan,
) -> Result<Option<String>, Error> {
    let Some(rollout) = observed.rollout().cloned() else { return Ok(None) };
    if rollout.members_recorded {
        return Ok(None);
    }
    let api = upgrades(context, &observed.plan);
    for wave in &valid.waves {
        for cluster in &wave.clusters {
            let mut upgrade = build_upgrade(&observed.plan, &rollout, &wave.name, cluster);
            if let Some(plan) = &mut upgrade.spec.plan {
                plan.baseline = inherited_baseline(&observed.upgrades, cluster);
            }
            match api.create(&PostParams::default(), &upgrade).await {
                Ok(_) => {}
                Err(kube::Error::Api(status)) if status.code == 409 => {
                    let name = upgrade.name_any();
                    let there = settled(api.get(&name).await).map_err(Error::Read)?;
                    if !there.is_some_and(|there| is_made_by(&there, &observed.plan)) {
                        return Ok(Some(name));
                    }
                }
                Err(error) => return Err(Error::write("a ClusterUpgrade")(error)),
            }
        }
    }
    let size = |wave: &Members| i32::try_from(wave.clusters.len()).unwrap_or(i32::MAX);
    let wave_sizes = valid.waves.iter().map(size).collect();
    claim(context, observed, Rollout { members_recorded: true, wave_sizes, ..rollout }).await?;
    observed.upgrades = list_upgrades(context, &observed.plan).await.map_err(Error::Read)?;
    Ok(None)
}

/// The baseline of an earlier upgrade of the cluster that did not come to its end: what that one
/// broke must not pass for having been broken before.
fn inherited_baseline(earlier: &[ClusterUpgrade], cluster: &str) -> Option<Baseline> {
    let unfinished = earlier
        .iter()
        .filter(|upgrade| upgrade.spec.cluster_ref.name == cluster && !is_finished(upgrade))
        .filter_map(|upgrade| {
            let taken = upgrade.status.as_ref().and_then(|status| status.ledger.baseline.clone());
            taken.or_else(|| upgrade.spec.plan.as_ref()?.baseline.clone())
        });
    unfinished.min_by_key(|baseline| baseline.taken_at)
}

fn build_upgrade(plan: &UpgradePlan, rollout: &Rollout, wave: &str, cluster: &str) -> ClusterUpgrade {
    let spec = upgrade_spec(plan, &rollout.target, &rollout.id, wave, cluster);
    let mut upgrade = ClusterUpgrade::new(&format!("{}-{cluster}", rollout.id), spec);
    upgrade.metadata.namespace = plan.namespace();
    upgrade.metadata.owner_references = plan.controller_owner_ref(&()).map(|owner| vec![owner]);
    upgrade.metadata.labels = Some(
        [(PLAN_LABEL, plan.name_any()), (ROLLOUT_LABEL, rollout.id.clone()), (WAVE_LABEL, wave.to_owned())]
            .map(|(key, value)| (key.to_owned(), value))
            .into(),
    );
    upgrade
}

/// `suspend` of the plan is `suspend` of all its unfinished upgrades.
async fn pass_on_suspend(context: &Context, observed: &mut Observed) -> Result<(), Error> {
    let (api, suspend) = (upgrades(context, &observed.plan), observed.plan.spec.suspend);
    for upgrade in &mut observed.upgrades {
        let differs = upgrade.spec.plan.as_ref().is_some_and(|plan| plan.suspended != suspend);
        if !is_finished(upgrade) && differs {
            *upgrade = patch_spec(&api, upgrade, &json!({"plan": {"suspended": suspend}})).await?;
        }
    }
    Ok(())
}

/// Lets clusters start: claimed in the plan's status, read again live, then written.
async fn admit(context: &Context, observed: &mut Observed) -> Result<(), Error> {
    if decide(observed).is_empty() {
        return Ok(());
    }
    let Some(rollout) = observed.rollout().cloned() else { return Ok(()) };
    claim(context, observed, Rollout { admissions: rollout.admissions + 1, ..rollout }).await?;
    observed.upgrades = list_upgrades(context, &observed.plan).await.map_err(Error::Read)?;
    let api = upgrades(context, &observed.plan);
    for name in decide(observed) {
        if !context.may_act() {
            return Ok(());
        }
        if let Some(upgrade) = observed.upgrades.iter_mut().find(|upgrade| upgrade.name_any() == name) {
            *upgrade = patch_spec(&api, upgrade, &json!({"plan": {"admitted": true}})).await?;
        }
    }
    Ok(())
}

fn decide(observed: &Observed) -> Vec<String> {
    decide_rollout(&observed.waves(), observed.plan.spec.suspend).start
}

fn upgrades(context: &Context, plan: &UpgradePlan) -> Api<ClusterUpgrade> {
    Api::namespaced(context.hub.clone(), &plan.namespace().unwrap_or_default())
}

/// Changes the specification of a ClusterUpgrade if it is still as it was read.
async fn patch_spec(
    api: &Api<ClusterUpgrade>,
    upgrade: &ClusterUpgrade,
    spec: &serde_json::Value,
) -> Result<ClusterUpgrade, Error> {
    let patch = json!({"metadata": {"resourceVersion": upgrade.resource_version()}, "spec": spec});
    let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
    api.patch(&upgrade.name_any(), &params, &Patch::Merge(&patch))
        .await
        .map_err(Error::write("a ClusterUpgrade"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn plan() -> UpgradePlan {
        serde_json::from_value(json!({
            "apiVersion": "tidegate.dev/v1alpha1", "kind": "UpgradePlan",
            "metadata": {"name": "p", "namespace": "fleet", "uid": "1"},
            "spec": {"target": {"scope": "NodeImage"}, "waves": [{"name": "w", "clusters": {"names": ["a"]}}]}
        }))
        .unwrap()
    }

    fn rollout() -> Rollout {
        serde_json::from_value(json!({"id": "p-1", "number": 1, "planHash": "0", "target": {},
            "startedAt": "2026-12-05T22:00:00Z"}))
        .unwrap()
    }

    #[test]
    fn suspend_is_no_other_plan() {
        let (plan, mut suspended, mut other) = (plan(), plan(), plan());
        suspended.spec.suspend = true;
        other.spec.waves[0].name = "v".to_owned();
        let hash = plan_hash(&plan).unwrap();
        assert_eq!(hash.len(), 16);
        assert_eq!(plan_hash(&suspended).unwrap(), hash);
        assert_ne!(plan_hash(&other).unwrap(), hash);
    }

    #[test]
    fn knows_the_upgrades_that_this_very_plan_has_made() {
        let made = build_upgrade(&plan(), &rollout(), "w", "a");
        assert_eq!((made.name_any().as_str(), made.namespace().as_deref()), ("p-1-a", Some("fleet")));
        assert!(is_made_by(&made, &plan()));
        let mut again = plan();
        again.metadata.uid = Some("2".to_owned());
        assert!(!is_made_by(&made, &again), "a plan deleted and made again is another one");
        let mut going = made.clone();
        going.metadata.deletion_timestamp = made
            .creation_timestamp()
            .or_else(|| Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(rollout().started_at)));
        assert!(!is_made_by(&going, &plan()));
        let mut by_hand = made;
        by_hand.metadata.owner_references = None;
        assert!(!is_made_by(&by_hand, &plan()), "labels alone do not make it the plan's");
    }

    /// An upgrade with a step in flight, whose status tells of generation 2.
    fn in_flight(generation: i64, suspend: bool, phase: &str, reason: &str) -> ClusterUpgrade {
        let mut upgrade = build_upgrade(&plan(), &rollout(), "w", "a");
        upgrade.metadata.generation = Some(generation);
        upgrade.spec.suspend = suspend;
        let instant = "2026-12-05T22:00:00Z";
        let status: Value = json!({
            "observedGeneration": 2,
            "summary": {"phase": "Working", "reason": reason, "message": "", "progress": "0/1", "since": instant},
            "operation": {"stepId": "image-a", "phase": phase, "attempt": 1, "intentAt": instant,
                "deadline": instant, "since": instant}
        });
        upgrade.status = Some(serde_json::from_value(status).unwrap());
        upgrade
    }

    #[test]
    fn a_step_that_was_not_sent_does_not_hold_up_an_edited_plan() {
        for reason in ["Suspended", "Retrying", "DrainBlocked", "OperationFailed"] {
            assert!(!is_busy(&in_flight(2, true, "Intent", reason)), "{reason}");
        }
        assert!(is_busy(&in_flight(3, true, "Intent", "Suspended")), "suspend has not been seen yet");
        assert!(is_busy(&in_flight(2, false, "Intent", "Retrying")), "it may be sent any moment");
        for reason in ["UpgradingNodeImage", "WaitingForCluster", "AzureUnreachable"] {
            assert!(is_busy(&in_flight(2, true, "Intent", reason)), "{reason}: Azure may be working on it");
        }
        for phase in ["Submitted", "Verifying", "Gating", "Soaking"] {
            assert!(is_busy(&in_flight(2, true, phase, "GateFailed")), "{phase}");
        }
        assert!(!is_busy(&build_upgrade(&plan(), &rollout(), "w", "a")), "nothing was begun");
    }
}
