//! UpgradeApprovals as the engine sees them, and what is told of each in its status.
//!
//! What decides is read live. What is told goes by a watch, which wakes the plans that approvals name: a plan that
//! nobody has approved anything of costs no read.

mod told;

use crds::{UpgradeApproval, UpgradePlan};
use engine::{Approval, RolloutRequest};
use futures::{Stream, StreamExt as _, stream};
use jiff::Timestamp;
use kube::{
    Api, ResourceExt,
    api::{ListParams, Patch, PatchParams},
    core::DeserializeGuard,
    runtime::{
        WatchStreamExt as _,
        reflector::{self, ObjectRef, Store},
        watcher,
    },
};
use serde_json::json;

use super::{Error, Progress};
use crate::{
    context::Context,
    controller::{FIELD_MANAGER, settled},
};
use told::{Given, told};

type Guarded<K> = DeserializeGuard<K>;

/// The approvals that name a plan, read live: not those that are about to go, nor those that are older than
/// the plan, which were given to an earlier one of the same name.
pub(super) async fn read(context: &Context, plan: &UpgradePlan) -> Result<Vec<Approval>, Error> {
    let of_plan = ListParams::default().fields(&format!("spec.plan={}", plan.name_any()));
    let approvals: Api<Guarded<UpgradeApproval>> = api(context, plan);
    let found = approvals.list(&of_plan).await.map_err(Error::Read)?.items;
    let found = found.into_iter().filter_map(|approval| approval.0.ok());
    let given = found.filter_map(|approval| given(context, plan, approval));
    Ok(given.filter(|given| !given.is_older).map(|given| given.approval).collect())
}

fn api<K>(context: &Context, plan: &UpgradePlan) -> Api<K>
where
    K: kube::Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>,
{
    Api::namespaced(context.hub.clone(), &plan.namespace().unwrap_or_default())
}

/// `None` for one that is about to go.
fn given(context: &Context, plan: &UpgradePlan, stored: UpgradeApproval) -> Option<Given> {
    if stored.metadata.deletion_timestamp.is_some() {
        return None;
    }
    let is_older = stored.creation_timestamp() < plan.creation_timestamp();
    // The API server stamps by the real clock, and the rollout goes by ours.
    let given_at: Timestamp = context.clock.scaled(stored.creation_timestamp()?.0);
    let (name, told) = (stored.name_any(), stored.status);
    let crds::UpgradeApprovalSpec { plan: _, rollout, plan_hash, wave, approver, reason } = stored.spec;
    let approval = Approval { name, wave, rollout, plan_hash, approver, reason, given_at };
    Some(Given { approval, is_older, told })
}

/// All approvals, as last seen.
#[derive(Clone)]
pub(super) struct Known(Store<Guarded<UpgradeApproval>>);

/// Watches approvals; gives the plans that one names which is new, changed or gone.
pub(super) fn watched(
    context: &Context,
) -> (Known, impl Stream<Item = ObjectRef<Guarded<UpgradePlan>>> + Send + use<>) {
    let (store, writer) = reflector::store();
    let known = Known(store.clone());
    let approvals: Api<Guarded<UpgradeApproval>> = Api::all(context.watches.clone());
    let events = watcher(approvals, watcher::Config::default()).default_backoff().reflect(writer);
    let plans = events.flat_map(move |event| {
        let plans: Vec<_> = match event {
            Ok(watcher::Event::Apply(approval) | watcher::Event::Delete(approval)) => {
                plan_of(&approval).into_iter().collect()
            }
            // Not before all of them are known.
            Ok(watcher::Event::InitDone) => {
                store.state().iter().filter_map(|approval| plan_of(approval)).collect()
            }
            Ok(watcher::Event::Init | watcher::Event::InitApply(_)) => Vec::new(),
            Err(error) => {
                tracing::warn!(%error, "UpgradeApprovals cannot be watched: tried again");
                Vec::new()
            }
        };
        stream::iter(plans)
    });
    (known, plans)
}

/// The plan that an approval names.
fn plan_of(approval: &Guarded<UpgradeApproval>) -> Option<ObjectRef<Guarded<UpgradePlan>>> {
    let plan = &approval.0.as_ref().ok()?.spec.plan;
    Some(ObjectRef::new(plan).within(&approval.namespace()?))
}

impl Known {
    /// Those that name a plan, by name.
    fn of(&self, plan: &UpgradePlan) -> Vec<UpgradeApproval> {
        let found = self.0.state();
        let found = found.iter().filter_map(|approval| approval.0.as_ref().ok());
        let named = found.filter(|approval| {
            approval.spec.plan == plan.name_any() && approval.namespace() == plan.namespace()
        });
        let mut named: Vec<UpgradeApproval> = named.cloned().collect();
        named.sort_by_key(ResourceExt::name_any);
        named
    }
}

/// Tells in each approval of the plan whether it counts, and why not.
pub(super) async fn tell(
    context: &Context,
    plan: &UpgradePlan,
    (request, progress): (&RolloutRequest, &Progress),
    known: &Known,
) -> Result<(), Error> {
    let all: Vec<Given> =
        known.of(plan).into_iter().filter_map(|approval| given(context, plan, approval)).collect();
    let approvals: Api<UpgradeApproval> = api(context, plan);
    for (name, status) in told((request, progress), &all, engine::Clock::now(context)) {
        let patch = Patch::Merge(json!({ "status": status }));
        let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        // One that was withdrawn meanwhile is no loss.
        settled(approvals.patch_status(&name, &params, &patch).await)
            .map_err(Error::write("the status of an UpgradeApproval"))?;
    }
    Ok(())
}
