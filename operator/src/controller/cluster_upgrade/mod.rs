//! ClusterUpgrade: the next step of one cluster; the only code that changes anything in Azure.
//!
//! observe (client) → validate (no client) → decide and act (engine, through its ports) → record.

mod ahead;
mod estimates;
mod finalizer;
mod history;
mod leaving;
mod observe;
mod record;
mod validate;

use std::{sync::Arc, time::Duration};

use crds::{ClusterUpgrade, SKIP_ANNOTATION};
use engine::{Clock as _, Progress, WaitingOn, advance, left_out, refused_at_end};
use jiff::Timestamp;
use kube::runtime::{Controller, controller::Config};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

pub(crate) use ahead::{Ahead, ahead};
pub(crate) use finalizer::{holds_on, is_held, on_cluster, set as set_finalizers};
pub(crate) use record::overridden;
pub(crate) use validate::{has_begun, is_over, other_upgrade, request};

use super::{Controlled, Ended, changed_specs, drive, woken_objects};
use crate::{
    azure::ObjectName,
    context::Context,
    timing::{self, TimingWatch},
};

/// Each works on its own cluster; the bound keeps memory and connections in check.
const CONCURRENCY: u16 = 64;
const CONTROLLED: Controlled = Controlled { name: "clusterupgrade", kind: "ClusterUpgrade" };
/// When the specification cannot be carried out as it is.
const INVALID_PAUSE: Duration = Duration::from_secs(60);

/// Why a reconciliation ended early. All of these pass: it is tried again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The hub could not be read.
    #[error("the hub cannot be read")]
    Read(#[source] kube::Error),
    /// The status could not be written; on a conflict somebody else did, and all is decided anew.
    #[error("the status of the ClusterUpgrade cannot be written")]
    Write(#[source] kube::Error),
    /// The ClusterUpgrade could not be held or let go.
    #[error("the finalizer of the ClusterUpgrade cannot be written")]
    Finalizer(#[source] kube::Error),
    /// What an upgrade did could not be written down in its AKSCluster.
    #[error("the history of the AKSCluster cannot be written")]
    History(#[source] kube::Error),
    /// Its AKSCluster could not be held or let go.
    #[error("the finalizer of the AKSCluster cannot be written")]
    Registration(#[source] kube::Error),
}

/// Runs the controller until `stop`.
///
/// `woken` names upgrades whose cluster a listing showed to have changed; `changes` are those of windows and
/// freezes, which wake whom they concern.
pub(crate) async fn run(
    context: Arc<Context>,
    (woken, changes): (mpsc::Receiver<ObjectName>, TimingWatch),
    stop: CancellationToken,
) {
    let (store, stream) = changed_specs::<ClusterUpgrade>(CONTROLLED, &context);
    let (windows, freezes) = changes.changes(&context.watches);
    let (of_windows, of_freezes) = (store.clone(), store.clone());
    let controller = Controller::for_stream(stream, store)
        .reconcile_on(woken_objects(woken))
        .watches_stream(windows, move |window| {
            timing::concerned(&of_windows, |upgrade| timing::names(upgrade, &window))
        })
        .watches_stream(freezes, move |_| timing::concerned(&of_freezes, |_| true))
        .with_config(Config::default().concurrency(CONCURRENCY))
        .graceful_shutdown_on(async move { stop.cancelled().await });
    drive(CONTROLLED, controller, context, reconcile).await;
}

async fn reconcile(context: Arc<Context>, namespace: String, name: String) -> Result<Ended, Error> {
    let Some(mut observed) = observe::observe(&context, &namespace, &name).await.map_err(Error::Read)? else {
        context.metrics.standing(CONTROLLED.kind, format!("{namespace}/{name}"), None);
        return Ok(Ended::Rest);
    };
    let is_deleted = observed.upgrade.metadata.deletion_timestamp.is_some();
    if is_deleted || observed.loses_its_cluster() && finalizer::is_held(&observed.upgrade) {
        return Box::pin(leaving::let_go(&context, &observed)).await;
    }
    let ledger = observed.ledger();
    if ledger.finished_at.is_some() && observed.is_settled() {
        let mut journal = record::StatusJournal::new(&context, &observed.upgrade);
        let (asked, retry) = validate::asked(&observed.upgrade);
        match refused_at_end(&ledger, &asked, retry.as_ref()) {
            Some(told) => journal.record(&told, None).await.map_err(Error::Write)?,
            None => journal.count(),
        }
        history::remember(&context, &observed, &ledger).await?;
        finalizer::release(&context, &observed.upgrade).await?;
        return Ok(Ended::Rest);
    }
    let mut journal = record::StatusJournal::new(&context, &observed.upgrade);
    let (mut request, id) = match validate::validate(&observed) {
        Ok(valid) => valid,
        Err(invalid) => {
            let skip = validate::token(&observed.upgrade, SKIP_ANNOTATION);
            if let Some(ledger) = left_out(&ledger, skip.as_ref(), context.now()) {
                journal.record(&ledger, None).await.map_err(Error::Write)?;
                return Ok(Ended::LookAgain(context.after(Duration::ZERO)));
            }
            let waiting = WaitingOn::InvalidSpec(invalid.to_string());
            journal.record(&ledger, Some(&waiting)).await.map_err(Error::Write)?;
            return Ok(Ended::LookAgain(context.after(INVALID_PAUSE)));
        }
    };
    if ledger.finished_at.is_none() && finalizer::is_needed(&observed, &request) && context.may_act() {
        if !finalizer::hold(&context, &mut observed).await? {
            return Ok(Ended::LookAgain(context.after(Duration::ZERO)));
        }
        journal = record::StatusJournal::new(&context, &observed.upgrade);
    }
    let target = match observed.target(&context, &id, &request).await {
        Ok(target) => target,
        Err(error) => {
            let waiting = WaitingOn::InvalidSpec(format!("AKSCluster {}: {error}", observed.cluster_name()));
            journal.record(&ledger, Some(&waiting)).await.map_err(Error::Write)?;
            return Ok(Ended::LookAgain(context.after(INVALID_PAUSE)));
        }
    };
    if ledger.finished_at.is_none() {
        let spec = observed.upgrade.spec.policy.schedule.as_ref();
        let schedule = context.timing.schedule(&context.hub, &namespace, spec).await.map_err(Error::Read)?;
        request.schedule = match observed.registration() {
            Some(cluster) => context.timing.of_cluster(schedule, cluster, context.now()),
            None => schedule,
        };
    }
    let fleet = context.fleet(&id, (namespace, name));
    journal = journal.on(&id, observed.registration()).forecasting(&request.schedule);
    let progress = Box::pin(advance(&request, ledger, &fleet, &target, &mut journal, context.as_ref()))
        .await
        .map_err(Error::Write)?;
    history::remember(&context, &observed, &progress.ledger).await?;
    let is_over = progress.ledger.finished_at.is_some();
    let pause = look_again(&progress, is_over, context.now());
    if pause.is_none() {
        finalizer::release(&context, journal.upgrade()).await?;
    }
    Ok(pause.map_or(Ended::Rest, |pause| Ended::LookAgain(context.after(pause))))
}

/// When it is looked at again; `None` when it is over, and there is nothing to put back.
fn look_again(progress: &Progress, is_over: bool, now: Timestamp) -> Option<Duration> {
    match &progress.waiting {
        Some(waiting) => Some(waiting.look_again(now)),
        None if is_over && progress.ledger.restore.is_empty() => None,
        None => Some(INVALID_PAUSE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn nothing_is_let_go_while_there_is_something_to_put_back() {
        let now = "2026-12-05T22:00:00Z".parse().unwrap();
        let ledger = |value| serde_json::from_value(value).unwrap();
        let changed = json!({"restore": [{"pool": "apps", "ours": {"maxSurge": "33%"}}]});
        let pause = |ledger, waiting| look_again(&Progress { ledger, waiting }, true, now);
        assert_eq!(pause(ledger(json!({})), None), None);
        let unfinished = Progress { ledger: ledger(json!({})), waiting: None };
        assert!(look_again(&unfinished, false, now).is_some(), "what is not over is looked at again");
        assert!(pause(ledger(changed.clone()), None).is_some_and(|pause| !pause.is_zero()));
        assert!(pause(ledger(changed), Some(WaitingOn::Suspended)).is_some());
        assert!(pause(ledger(json!({})), Some(WaitingOn::Suspended)).is_some());
    }
}
