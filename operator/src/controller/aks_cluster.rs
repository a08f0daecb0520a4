//! AKSCluster: observes versions, offers and access, and records them. Decides nothing.

use std::{sync::Arc, time::Duration};

use azure_mgmt_containerservice::ClusterId;
use crds::{AKSCluster, AKSClusterStatus, condition};
use engine::{Clock as _, Cluster, Fleet as _, OffersNeeded};
use jiff::Timestamp;
use kube::{
    Api, Resource, ResourceExt,
    api::PostParams,
    runtime::{Controller, controller::Config},
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{Controlled, Ended, FIELD_MANAGER, changed_specs, drive, settled, woken_objects};
use crate::{
    azure::ObjectName,
    context::{Context, bounded},
};

/// How often the cluster's own API is tried.
const PERIOD: Duration = Duration::from_secs(300);
/// How old what is shown of Azure may become when nothing happens: with one listing for a whole
/// subscription, that is one call an hour. Upgrades look for themselves.
const LISTING_AGE: Duration = Duration::from_secs(3600);
/// How old it may be for a cluster that is new here: long enough for many that are registered at once.
const FIRST_LISTING_AGE: Duration = Duration::from_secs(60);
/// How old what Azure offers may become: images come out weekly, patches monthly, and each cluster and
/// pool must be asked about by itself.
const OFFERS_AGE: Duration = Duration::from_secs(6 * 3600);
const CONCURRENCY: u16 = 16;
const CONTROLLED: Controlled = Controlled { name: "akscluster", kind: "AKSCluster" };

/// Why a reconciliation ended early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The hub could not be read.
    #[error("the AKSCluster cannot be read")]
    Read(#[source] kube::Error),
    /// The status could not be written.
    #[error("the status of the AKSCluster cannot be written")]
    Write(#[source] kube::Error),
}

/// Runs the controller until `stop`.
///
/// `woken` names clusters that a listing showed to have changed.
pub(crate) async fn run(context: Arc<Context>, woken: mpsc::Receiver<ObjectName>, stop: CancellationToken) {
    let (store, stream) = changed_specs::<AKSCluster>(CONTROLLED, &context);
    let controller = Controller::for_stream(stream, store)
        .reconcile_on(woken_objects(woken))
        .with_config(Config::default().concurrency(CONCURRENCY))
        .graceful_shutdown_on(async move { stop.cancelled().await });
    drive(CONTROLLED, controller, context, reconcile).await;
}

async fn reconcile(context: Arc<Context>, namespace: String, name: String) -> Result<Ended, Error> {
    let api: Api<AKSCluster> = Api::namespaced(context.hub.clone(), &namespace);
    let Some(cluster) = settled(api.get(&name).await).map_err(Error::Read)? else {
        context.metrics.standing(CONTROLLED.kind, format!("{namespace}/{name}"), None);
        return Ok(Ended::Rest);
    };
    let before = cluster.status.clone().unwrap_or_default();
    let (status, reason) = observe(&context, &cluster, &before).await;
    context.metrics.standing(CONTROLLED.kind, format!("{namespace}/{name}"), Some(reason));
    if status != before {
        write(&context, &api, &cluster, status, &before).await.map_err(Error::Write)?;
    }
    Ok(Ended::LookAgain(context.after(PERIOD)))
}

/// The inventory as it is now. What could not be read stays as it was last seen.
async fn observe(
    context: &Context,
    cluster: &AKSCluster,
    before: &AKSClusterStatus,
) -> (AKSClusterStatus, &'static str) {
    let mut next = AKSClusterStatus { observed_generation: cluster.meta().generation, ..before.clone() };
    let (ready, reason, message) = match cluster.spec.resource_id.parse::<ClusterId>() {
        Err(error) => ("False", "InvalidSpec", format!("spec.resourceId: {error}")),
        Ok(id) => inventory(context, cluster, &id, &mut next).await,
    };
    let message = bounded(&message, 1000);
    next.conditions = vec![condition(
        &before.conditions,
        "Ready",
        ready,
        reason,
        &message,
        cluster.meta().generation,
        context.now(),
    )];
    (next, reason)
}

async fn inventory(
    context: &Context,
    cluster: &AKSCluster,
    id: &ClusterId,
    next: &mut AKSClusterStatus,
) -> (&'static str, &'static str, String) {
    let fleet = context.inventory(id);
    let is_new = next.cluster.is_none() || next.observed_generation != before_generation(cluster);
    let age = if is_new { FIRST_LISTING_AGE } else { LISTING_AGE };
    let object = (cluster.namespace().unwrap_or_default(), cluster.name_any());
    let seen = context.sweeper.inventory(id, object, context.now() - age, fleet.cluster()).await;
    let seen = match seen {
        Ok(seen) => seen,
        Err(why) => return ("False", "AzureUnreachable", why.to_string()),
    };
    let stale = offers_are_stale(next, &seen, context.now());
    next.cluster = Some(seen.clone());
    if stale {
        match fleet.offers(&seen, &OffersNeeded::all(&seen)).await {
            Ok(offers) => (next.offers, next.offers_read_at) = (Some(offers), Some(context.now())),
            Err(why) => return ("False", "AzureUnreachable", why.to_string()),
        }
    }
    match context.target(cluster, id).await {
        Err(error) => ("False", "InvalidSpec", error.to_string()),
        Ok(target) => match target.readable().await {
            Ok(()) => ("True", "Observed", "Azure and the cluster's API can be read".to_owned()),
            Err(why) => {
                context.access.forget(id);
                ("False", "ClusterUnreachable", why.to_string())
            }
        },
    }
}

/// The generation that the stored status tells of.
fn before_generation(cluster: &AKSCluster) -> Option<i64> {
    cluster.status.as_ref().and_then(|status| status.observed_generation)
}

/// Whether what Azure offers is to be asked for again; keeps of it what still holds.
///
/// A cluster that moves is not asked about: what it moves to is what matters, and that is asked for
/// by the upgrade. After a move the versions of its region tell where it may go next.
fn offers_are_stale(status: &mut AKSClusterStatus, seen: &Cluster, now: Timestamp) -> bool {
    let Some(offers) = &mut status.offers else { return true };
    if status.cluster.as_ref().is_some_and(|before| before.version != seen.version) {
        *offers = offers.after(&seen.version);
    }
    let due = status.offers_read_at.is_none_or(|read| now >= read + OFFERS_AGE);
    due && seen.busy_with().is_none()
}

async fn write(
    context: &Context,
    api: &Api<AKSCluster>,
    cluster: &AKSCluster,
    status: AKSClusterStatus,
    before: &AKSClusterStatus,
) -> Result<(), kube::Error> {
    let ready = |status: &AKSClusterStatus| {
        status
            .conditions
            .first()
            .map(|ready| (ready.status.clone(), ready.reason.clone(), ready.message.clone()))
    };
    let (was, now) = (ready(before), ready(&status));
    let next = AKSCluster { status: Some(status), ..cluster.clone() };
    let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
    api.replace_status(&cluster.name_any(), &params, &next).await?;
    if let (true, Some((status, reason, message))) = (was != now, now) {
        context.publish(&cluster.object_ref(&()), status != "True", &reason, &message).await;
    }
    Ok(())
}
