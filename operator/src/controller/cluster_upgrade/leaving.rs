//! An upgrade that is deleted, or whose AKSCluster is: what it has changed in Azure is put back, nothing else
//! is begun, then both are let go. That needs Azure, and never the cluster that is upgraded.

use std::time::Duration;

use crds::{ClusterUpgrade, LEAVE_SETTINGS_ANNOTATION};
use engine::{Clock as _, Request, Unreadable, WaitingOn, advance};
use kube::{Resource, ResourceExt};

use super::{Error, INVALID_PAUSE, finalizer, observe::Observed, record::StatusJournal, validate};
use crate::{context::Context, controller::Ended, target::TargetCluster};

/// Puts back what the upgrade has changed, then lets go of it and of its AKSCluster.
pub(super) async fn let_go(context: &Context, observed: &Observed) -> Result<Ended, Error> {
    let upgrade = &observed.upgrade;
    if !finalizer::is_held(upgrade) {
        return Ok(Ended::Rest);
    }
    if !context.may_act() {
        return Ok(Ended::LookAgain(context.after(INVALID_PAUSE)));
    }
    let mut journal = StatusJournal::leaving(context, upgrade);
    let ledger = observed.ledger();
    if ledger.restore.is_empty() {
        return released(context, observed, upgrade).await;
    }
    if let Some(why) = left(observed) {
        let left: Vec<String> = ledger.restore.iter().map(super::record::overridden).collect();
        let note = format!("{why}, so this stays: {}", left.join("; "));
        context.publish(&upgrade.object_ref(&()), true, "SettingsNotRestored", &note).await;
        return released(context, observed, upgrade).await;
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
    let progress = Box::pin(advance(&request, ledger, &fleet, &target, &mut journal, context))
        .await
        .map_err(Error::Write)?;
    match super::look_again(&progress, true, context.now()) {
        Some(pause) => Ok(Ended::LookAgain(context.after(pause))),
        None => released(context, observed, journal.upgrade()).await,
    }
}

/// Lets go. An upgrade that is not deleted itself says then that it has lost its AKSCluster.
async fn released(context: &Context, observed: &Observed, upgrade: &ClusterUpgrade) -> Result<Ended, Error> {
    finalizer::release(context, upgrade).await?;
    let stays = observed.upgrade.metadata.deletion_timestamp.is_none();
    Ok(if stays { Ended::LookAgain(context.after(Duration::ZERO)) } else { Ended::Rest })
}

/// Why what was changed stays so.
fn left(observed: &Observed) -> Option<String> {
    let name = observed.cluster_name();
    // Who takes a registration away takes away that we act on the cluster.
    if observed.cluster.is_none() {
        return Some(format!("AKSCluster {name} is gone"));
    }
    let annotation = observed.upgrade.annotations().get(LEAVE_SETTINGS_ANNOTATION);
    let is_wanted = annotation.is_some_and(|value| value == "true");
    is_wanted.then(|| format!("the annotation {LEAVE_SETTINGS_ANNOTATION} is true"))
}
