//! Carries a plan on: a rollout, its ClusterUpgrades, and which of them may start.
//!
//! Each change is claimed first by a guarded write of the plan's status, so that of two
//! replicas that believe to lead only one goes on.

use crds::{ClusterUpgrade, PLAN_LABEL, ROLLOUT_LABEL, Rollout, UpgradePlan, WAVE_LABEL};
use engine::{Clock as _, decide_rollout};
use kube::{
    Api, Resource, ResourceExt,
    api::{DeleteParams, Patch, PatchParams, PostParams},
};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::{
    Error, Hindrance, ValidPlan,
    observe::{Observed, list_upgrades},
    record::is_finished,
    upgrade_spec,
    validate::validate,
};
use crate::{context::Context, controller::FIELD_MANAGER};

/// Does what can be done now; tells what hinders it.
pub(super) async fn act(context: &Context, observed: &mut Observed) -> Result<Option<Hindrance>, Error> {
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
                return Ok(Some(Hindrance::EarlierRollout(busy)));
            }
            begin(context, observed, &valid, hash).await?;
        }
        if !context.may_act() {
            return Ok(None);
        }
        create_members(context, observed, &valid).await?;
    }
    if !context.may_act() {
        return Ok(None);
    }
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

/// Ends the rollout of an earlier version of the plan: steps in flight finish, then its
/// ClusterUpgrades go. Names one that still has a step in flight.
async fn retire(context: &Context, observed: &mut Observed) -> Result<Option<String>, Error> {
    let api = upgrades(context, &observed.plan);
    let mut busy = None;
    for upgrade in &observed.upgrades {
        let in_flight = upgrade.status.as_ref().is_some_and(|status| status.ledger.in_flight());
        if in_flight {
            busy = Some(upgrade.name_any());
        }
        if !is_finished(upgrade) && !upgrade.spec.suspend {
            patch_spec(&api, upgrade, &json!({"suspend": true})).await?;
        }
    }
    if busy.is_some() {
        return Ok(busy);
    }
    for upgrade in &observed.upgrades {
        let name = upgrade.name_any();
        match api.delete(&name, &DeleteParams::default().preconditions(precondition(upgrade))).await {
            Ok(_) => {}
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            Err(error) => return Err(Error::write("the end of the earlier rollout")(error)),
        }
    }
    observed.upgrades.clear();
    Ok(None)
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
        admissions: 0,
    };
    let id = rollout.id.clone();
    claim(context, observed, rollout).await?;
    tracing::info!(rollout = %id, "a rollout starts");
    let about = observed.plan.object_ref(&());
    let target = valid.target.kubernetes.clone().unwrap_or_else(|| "the newest node images".to_owned());
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

/// Makes every ClusterUpgrade of the rollout once; from then on its members are fixed.
async fn create_members(context: &Context, observed: &mut Observed, valid: &ValidPlan) -> Result<(), Error> {
    let Some(rollout) = observed.rollout().cloned() else { return Ok(()) };
    if rollout.members_recorded {
        return Ok(());
    }
    let api = upgrades(context, &observed.plan);
    for wave in &valid.waves {
        for cluster in &wave.clusters {
            let upgrade = build_upgrade(&observed.plan, &rollout, &wave.name, cluster);
            match api.create(&PostParams::default(), &upgrade).await {
                Ok(_) => {}
                Err(kube::Error::Api(status)) if status.code == 409 => {}
                Err(error) => return Err(Error::write("a ClusterUpgrade")(error)),
            }
        }
    }
    claim(context, observed, Rollout { members_recorded: true, ..rollout }).await?;
    observed.upgrades = list_upgrades(context, &observed.plan).await.map_err(Error::Read)?;
    Ok(())
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
    let differing =
        observed.members().filter(|upgrade| !is_finished(upgrade) && upgrade.spec.suspend != suspend);
    for upgrade in differing {
        patch_spec(&api, upgrade, &json!({ "suspend": suspend })).await?;
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
