//! Keeps a rollout in the status of its plan, and its members as ClusterUpgrades. Decides nothing.

use crds::{ClusterUpgrade, PLAN_LABEL, ROLLOUT_LABEL, UpgradePlan, WAVE_LABEL};
use engine::{Creation, NewMember, Place, Rollout, RolloutMember, RolloutStore};
use kube::{
    Api, Resource, ResourceExt,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams, Preconditions},
    core::DeserializeGuard,
};
use serde_json::json;

use super::{Error, member::member, upgrade_spec};
use crate::{
    context::Context,
    controller::{FIELD_MANAGER, settled},
};

/// A plan and its ClusterUpgrades on the hub.
pub(super) struct PlanStore<'a> {
    context: &'a Context,
    /// As last read or written: its resourceVersion guards the next write.
    plan: UpgradePlan,
    upgrades: Api<ClusterUpgrade>,
}

impl<'a> PlanStore<'a> {
    pub(super) fn new(context: &'a Context, plan: UpgradePlan) -> Self {
        let upgrades = Api::namespaced(context.hub.clone(), &plan.namespace().unwrap_or_default());
        Self { context, plan, upgrades }
    }

    /// The plan, as last read or written.
    pub(super) fn plan(&self) -> &UpgradePlan {
        &self.plan
    }

    async fn tell_start(&self, rollout: &Rollout) {
        let Rollout { id, target, .. } = rollout;
        tracing::info!(rollout = %id, "a rollout starts");
        let target = match (&target.kubernetes, &self.plan.spec.target.kubernetes) {
            (Some(version), _) => version.as_str(),
            (None, Some(_)) => "the newest patch of each cluster's minor",
            (None, None) => "the newest node images",
        };
        let about = self.plan.object_ref(&());
        let note = format!("rollout {id} to {target}");
        self.context.publish(&about, false, "RolloutStarted", &note).await;
    }
}

impl RolloutStore for PlanStore<'_> {
    type Error = Error;

    async fn save(&mut self, rollout: &Rollout) -> Result<(), Error> {
        let plans: Api<UpgradePlan> =
            Api::namespaced(self.context.hub.clone(), &self.plan.namespace().unwrap_or_default());
        let mut next = self.plan.clone();
        let before = next.status.get_or_insert_default().rollout.replace(rollout.clone());
        let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
        self.plan = plans
            .replace_status(&self.plan.name_any(), &params, &next)
            .await
            .map_err(Error::write("the rollout"))?;
        if before.is_none_or(|before| before.id != rollout.id) {
            self.tell_start(rollout).await;
        }
        Ok(())
    }

    /// Not those of a deleted plan of the same name that the garbage collector has not reached yet, nor
    /// what somebody labelled by hand.
    async fn list(&self) -> Result<Vec<RolloutMember>, Error> {
        let api: Api<DeserializeGuard<ClusterUpgrade>> =
            Api::namespaced(self.context.hub.clone(), &self.plan.namespace().unwrap_or_default());
        let ours = ListParams::default().labels(&format!("{PLAN_LABEL}={}", self.plan.name_any()));
        let found = api.list(&ours).await.map_err(Error::Read)?.items.into_iter();
        let upgrades = found.filter_map(|upgrade| upgrade.0.ok());
        Ok(upgrades.filter(|upgrade| is_made_by(upgrade, &self.plan)).filter_map(member).collect())
    }

    async fn create(&self, rollout: &Rollout, new: &NewMember) -> Result<Creation, Error> {
        let upgrade = build_upgrade(&self.plan, rollout, new);
        match self.upgrades.create(&PostParams::default(), &upgrade).await {
            Ok(_) => Ok(Creation::Ours),
            Err(kube::Error::Api(status)) if status.code == 409 => {
                let there = settled(self.upgrades.get(&new.name).await).map_err(Error::Read)?;
                let ours = there.is_some_and(|there| is_made_by(&there, &self.plan));
                Ok(if ours { Creation::Ours } else { Creation::Taken })
            }
            Err(error) => Err(Error::write("a ClusterUpgrade")(error)),
        }
    }

    async fn change(&self, read: &RolloutMember, place: Place) -> Result<RolloutMember, Error> {
        let Place { admitted, suspended, claim } = place;
        let patch = json!({
            "metadata": {"resourceVersion": read.version},
            "spec": {"plan": {"admitted": admitted, "suspended": suspended, "claim": claim}},
        });
        let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        let changed = self
            .upgrades
            .patch(&read.name, &params, &Patch::Merge(&patch))
            .await
            .map_err(Error::write("a ClusterUpgrade"))?;
        Ok(member(changed).unwrap_or_else(|| read.clone()))
    }

    async fn delete(&self, member: &RolloutMember) -> Result<(), Error> {
        // A version belongs to one object alone, so that it stands for the uid, too.
        let read = Preconditions { uid: None, resource_version: Some(member.version.clone()) };
        match self.upgrades.delete(&member.name, &DeleteParams::default().preconditions(read)).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            Err(error) => Err(Error::write("the end of the earlier rollout")(error)),
        }
    }
}

/// Whether the plan controls the ClusterUpgrade, which is not about to go.
fn is_made_by(upgrade: &ClusterUpgrade, plan: &UpgradePlan) -> bool {
    let owners = upgrade.owner_references().iter();
    let controllers = owners.filter(|owner| owner.controller == Some(true)).map(|owner| Some(&owner.uid));
    upgrade.metadata.deletion_timestamp.is_none() && controllers.eq([plan.metadata.uid.as_ref()])
}

fn build_upgrade(plan: &UpgradePlan, rollout: &Rollout, new: &NewMember) -> ClusterUpgrade {
    let NewMember { name, cluster, wave, place, baseline } = new;
    let mut spec = upgrade_spec(plan, &rollout.target, &rollout.id, wave, cluster);
    if let Some(of_plan) = &mut spec.plan {
        let Place { admitted, suspended, claim } = *place;
        (of_plan.admitted, of_plan.suspended, of_plan.claim) = (admitted, suspended, claim);
        of_plan.baseline.clone_from(baseline);
    }
    let mut upgrade = ClusterUpgrade::new(name, spec);
    upgrade.metadata.namespace = plan.namespace();
    upgrade.metadata.owner_references = plan.controller_owner_ref(&()).map(|owner| vec![owner]);
    upgrade.metadata.labels = Some(
        [(PLAN_LABEL, plan.name_any()), (ROLLOUT_LABEL, rollout.id.clone()), (WAVE_LABEL, wave.clone())]
            .map(|(key, value)| (key.to_owned(), value))
            .into(),
    );
    upgrade
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> UpgradePlan {
        serde_json::from_value(json!({
            "apiVersion": "tidegate.dev/v1alpha1", "kind": "UpgradePlan",
            "metadata": {"name": "p", "namespace": "fleet", "uid": "1"},
            "spec": {"target": {"scope": "NodeImage"}, "waves": [{"name": "w", "clusters": {"names": ["a"]}}]}
        }))
        .unwrap()
    }

    #[test]
    fn knows_the_upgrades_that_this_very_plan_has_made() {
        let rollout: Rollout = serde_json::from_value(json!({"id": "p-1", "number": 1, "planHash": "0",
            "target": {}, "startedAt": "2026-12-05T22:00:00Z"}))
        .unwrap();
        let new = NewMember {
            name: "p-1-a".to_owned(),
            cluster: "a".to_owned(),
            wave: "w".to_owned(),
            place: Place { admitted: false, suspended: true, claim: 3 },
            baseline: None,
        };
        let made = build_upgrade(&plan(), &rollout, &new);
        assert_eq!((made.name_any().as_str(), made.namespace().as_deref()), ("p-1-a", Some("fleet")));
        let read = member(made.clone()).unwrap();
        assert_eq!((read.place, read.rollout.as_str(), read.wave.as_str()), (new.place, "p-1", "w"));
        assert!(is_made_by(&made, &plan()));
        let mut again = plan();
        again.metadata.uid = Some("2".to_owned());
        assert!(!is_made_by(&made, &again), "a plan deleted and made again is another one");
        let mut going = made.clone();
        let now = k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(rollout.started_at);
        going.metadata.deletion_timestamp = Some(now);
        assert!(!is_made_by(&going, &plan()));
        let mut by_hand = made;
        by_hand.metadata.owner_references = None;
        assert!(!is_made_by(&by_hand, &plan()), "labels alone do not make it the plan's");
    }
}
