//! Keeps an upgrade that changes settings in Azure until they are as they were before.
//!
//! Held from before the first step until the last setting is back, and only by upgrades that
//! override any. Letting go needs Azure, and never the cluster that is upgraded.

use crds::ClusterUpgrade;
use engine::{Clock as _, Request, Unreadable, WaitingOn, advance};
use kube::{
    Api, Resource, ResourceExt,
    api::{Patch, PatchParams},
};
use serde_json::json;

use super::{Error, INVALID_PAUSE, observe::Observed, record::StatusJournal, validate};
use crate::{
    context::Context,
    controller::{Ended, FIELD_MANAGER},
    target::TargetCluster,
};

/// Its name on the object.
const FINALIZER: &str = "tidegate.dev/upgrade-settings";

/// Whether the upgrade is to be held from now on.
pub(super) fn is_needed(upgrade: &ClusterUpgrade, request: &Request) -> bool {
    request.policy.overrides_settings() && request.waits_for_wave.is_none() && !is_held(upgrade)
}

/// Whether it is held.
pub(super) fn is_held(upgrade: &ClusterUpgrade) -> bool {
    upgrade.finalizers().iter().any(|finalizer| finalizer == FINALIZER)
}

/// Holds the upgrade if it is still as it was read; gives it as it is now.
pub(super) async fn hold(context: &Context, upgrade: &ClusterUpgrade) -> Result<ClusterUpgrade, Error> {
    let all = upgrade.finalizers().iter().map(String::as_str).chain([FINALIZER]).collect();
    write(context, upgrade, all).await
}

/// Lets go of the upgrade if it is still as it was read.
pub(super) async fn release(context: &Context, upgrade: &ClusterUpgrade) -> Result<(), Error> {
    let others = upgrade.finalizers().iter().map(String::as_str).filter(|name| *name != FINALIZER).collect();
    write(context, upgrade, others).await.map(drop)
}

async fn write(
    context: &Context,
    upgrade: &ClusterUpgrade,
    finalizers: Vec<&str>,
) -> Result<ClusterUpgrade, Error> {
    let api: Api<ClusterUpgrade> =
        Api::namespaced(context.hub.clone(), &upgrade.namespace().unwrap_or_default());
    let patch =
        json!({"metadata": {"resourceVersion": upgrade.resource_version(), "finalizers": finalizers}});
    let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
    api.patch(&upgrade.name_any(), &params, &Patch::Merge(&patch)).await.map_err(Error::Finalizer)
}

/// An upgrade that is being deleted: what it has changed is put back, then it is let go.
pub(super) async fn let_go(context: &Context, observed: &Observed) -> Result<Ended, Error> {
    let upgrade = &observed.upgrade;
    if !is_held(upgrade) || !context.may_act() {
        return Ok(Ended::Rest);
    }
    let mut journal = StatusJournal::new(context, upgrade);
    let ledger = observed.ledger();
    if ledger.restore.is_empty() {
        release(context, upgrade).await?;
        return Ok(Ended::Rest);
    }
    if observed.cluster.is_none() {
        // Who takes a registration away takes away that we act on the cluster.
        let left: Vec<String> = ledger.restore.iter().map(super::record::overridden).collect();
        let note =
            format!("AKSCluster {} is gone, so this stays: {}", observed.cluster_name(), left.join("; "));
        context.publish(&upgrade.object_ref(&()), true, "SettingsNotRestored", &note).await;
        release(context, upgrade).await?;
        return Ok(Ended::Rest);
    }
    let (request, id) = match validate::validate(observed) {
        Ok(valid) => valid,
        Err(invalid) => {
            let waiting = WaitingOn::InvalidSpec(invalid.to_string());
            journal.record(&ledger, Some(&waiting)).await.map_err(Error::Write)?;
            return Ok(Ended::LookAgain(context.after(INVALID_PAUSE)));
        }
    };
    let request = Request { abandoned: true, ..request };
    let fleet = context.fleet(&id, (upgrade.namespace().unwrap_or_default(), upgrade.name_any()));
    let target = TargetCluster::new(Err(Unreadable::NotAsked));
    let progress =
        advance(&request, ledger, &fleet, &target, &mut journal, context).await.map_err(Error::Write)?;
    match progress.waiting {
        Some(waiting) => Ok(Ended::LookAgain(context.after(waiting.look_again(context.now())))),
        None => {
            release(context, journal.upgrade()).await?;
            Ok(Ended::Rest)
        }
    }
}
