//! Keeps a rollout in the status of its plan, and its members as ClusterUpgrades. Decides nothing.

use std::collections::BTreeSet;

use crds::{ClusterUpgrade, PLAN_LABEL, RETRY_ANNOTATION, ROLLOUT_LABEL, UpgradePlan, WAVE_LABEL};
use engine::{
    Approval, Clock as _, Creation, NewMember, Place, Rollout, RolloutMember, RolloutRecord, RolloutStore,
    Stance, remember,
};
use kube::{
    Api, Resource, ResourceExt,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams, Preconditions},
    core::DeserializeGuard,
};
use serde_json::json;

use super::{Error, approvals, member::member, upgrade_spec};
use crate::{
    context::Context,
    controller::{FIELD_MANAGER, Standing, cluster_upgrade::other_upgrade, conditions_of, settled},
};

/// A plan and its ClusterUpgrades on the hub.
pub(super) struct PlanStore<'a> {
    context: &'a Context,
    /// As last read or written: its resourceVersion guards the next write.
    plan: UpgradePlan,
    /// Names of the AKSClusters that there are.
    registered: BTreeSet<String>,
    upgrades: Api<ClusterUpgrade>,
    /// What is remembered with the next write.
    kept: Vec<RolloutRecord>,
}

impl<'a> PlanStore<'a> {
    pub(super) fn new(context: &'a Context, plan: UpgradePlan, registered: BTreeSet<String>) -> Self {
        let upgrades = Api::namespaced(context.hub.clone(), &plan.namespace().unwrap_or_default());
        Self { context, plan, registered, upgrades, kept: Vec::new() }
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
        let status = next.status.get_or_insert_default();
        let before = status.rollout.replace(rollout.clone());
        self.kept.drain(..).for_each(|record| remember(&mut status.history, record));
        if before.as_ref().is_none_or(|before| before.id != rollout.id) {
            // What was said of the rollout before is not true of this one, not even until the next write.
            let standing = Standing {
                stance: Some(Stance::Working),
                reason: "Initializing".to_owned(),
                message: "the rollout is being prepared".to_owned(),
                besides: String::new(),
            };
            (status.summary, status.waves) = (None, Vec::new());
            let (generation, now) = (self.plan.metadata.generation, self.context.now());
            status.conditions = conditions_of(&status.conditions, &standing, generation, now);
        }
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

    fn keep(&mut self, record: RolloutRecord) {
        self.kept.push(record);
    }

    /// Not those of a deleted plan of the same name that the garbage collector has not reached yet, nor
    /// what somebody labelled by hand.
    async fn list(&self) -> Result<Vec<RolloutMember>, Error> {
        let api: Api<DeserializeGuard<ClusterUpgrade>> =
            Api::namespaced(self.context.hub.clone(), &self.plan.namespace().unwrap_or_default());
        // Those of other plans, too: they may have a cluster of this one.
        let found = api.list(&ListParams::default()).await.map_err(Error::Read)?.items.into_iter();
        let all: Vec<ClusterUpgrade> = found.filter_map(|upgrade| upgrade.0.ok()).collect();
        Ok(members_of(&self.plan, &all, &self.registered))
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
        let patch = json!({
            "metadata": {"resourceVersion": read.version},
            "spec": {"plan": fields_of(place)},
        });
        let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        let changed = self
            .upgrades
            .patch(&read.name, &params, &Patch::Merge(&patch))
            .await
            .map_err(Error::write("a ClusterUpgrade"))?;
        Ok(changed_member(changed, read))
    }

    async fn retry(&self, read: &RolloutMember, token: &str) -> Result<RolloutMember, Error> {
        let patch = json!({
            "metadata": {"resourceVersion": read.version, "annotations": {RETRY_ANNOTATION: token}},
        });
        let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        let changed = self
            .upgrades
            .patch(&read.name, &params, &Patch::Merge(&patch))
            .await
            .map_err(Error::write("the retry of a ClusterUpgrade"))?;
        Ok(changed_member(changed, read))
    }

    async fn approvals(&self) -> Result<Vec<Approval>, Error> {
        approvals::read(self.context, &self.plan).await
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

/// The ClusterUpgrades that a plan has made, of this rollout and earlier ones, among all of its namespace, where these
/// AKSClusters are registered.
pub(crate) fn members_of(
    plan: &UpgradePlan,
    all: &[ClusterUpgrade],
    registered: &BTreeSet<String>,
) -> Vec<RolloutMember> {
    let ours = all.iter().filter(|upgrade| is_made_by(upgrade, plan));
    ours.filter_map(|upgrade| {
        let cluster = &upgrade.spec.cluster_ref.name;
        let same = |other: &&ClusterUpgrade| {
            other.spec.cluster_ref.name == *cluster && other.name_any() != upgrade.name_any()
        };
        let claimed_by = other_upgrade(upgrade, all.iter().filter(same));
        let registered = registered.contains(cluster);
        Some(RolloutMember { claimed_by, registered, ..member(upgrade.clone())? })
    })
    .collect()
}

/// The fields of `spec.plan` that say what the plan has decided.
fn fields_of(place: Place) -> serde_json::Value {
    let Place { admitted, admitted_at, suspended, claim } = place;
    json!({"admitted": admitted, "admittedAt": admitted_at, "suspended": suspended, "claim": claim})
}

/// A member after a change of it; what other objects say of it is as it was.
fn changed_member(changed: ClusterUpgrade, before: &RolloutMember) -> RolloutMember {
    let RolloutMember { claimed_by, registered, .. } = before.clone();
    member(changed)
        .map_or_else(|| before.clone(), |changed| RolloutMember { claimed_by, registered, ..changed })
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
        let Place { admitted, admitted_at, suspended, claim } = *place;
        (of_plan.admitted, of_plan.suspended, of_plan.claim) = (admitted, suspended, claim);
        of_plan.admitted_at = admitted_at;
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
    fn what_is_written_of_a_place_is_what_is_read() {
        let admitted_at = Some("2026-12-05T22:00:00Z".parse().unwrap());
        let place = Place { admitted: true, admitted_at, suspended: true, claim: 7 };
        let mut fields = fields_of(place);
        for field in ["name", "rollout", "wave"] {
            fields[field] = "x".into();
        }
        let written: crds::PlanReference = serde_json::from_value(fields.clone()).unwrap();
        assert_eq!(serde_json::to_value(&written).unwrap(), fields, "under the names of the schema");
        assert_eq!(written.admitted_at, admitted_at);
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
            place: Place { suspended: true, claim: 3, ..Place::default() },
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
