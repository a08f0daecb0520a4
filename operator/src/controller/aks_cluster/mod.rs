//! AKSCluster: observes versions, offers and access, and records them. Decides nothing.

mod departure;
mod inventory;

use std::{sync::Arc, time::Duration};

use azure_mgmt_containerservice::ClusterId;
use crds::{AKSCluster, AKSClusterStatus, condition};
use engine::{Clock as _, HeldBack};
use jiff::Timestamp;
use kube::{
    Api, Resource, ResourceExt,
    api::PostParams,
    runtime::{Controller, controller::Config},
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use inventory::Look;

use super::{Controlled, Ended, FIELD_MANAGER, changed_specs, drive, settled, woken_objects};
use crate::{
    azure::ObjectName,
    context::{Context, bounded},
};

/// How often the cluster's own API is tried.
const PERIOD: Duration = Duration::from_secs(300);
/// When something could not be read: a look can fail at each of its calls, and most failures pass.
const FAILED_PAUSE: Duration = Duration::from_secs(60);
/// When our share of Azure's limits is used up, at least: long enough for others to be served.
const HELD_BACK_PAUSE: Duration = Duration::from_secs(60);
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
    /// It could not be let go.
    #[error("the finalizers of the AKSCluster cannot be written")]
    Finalizer(#[source] kube::Error),
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
    if cluster.metadata.deletion_timestamp.is_some() {
        return departure::depart(&context, &api, cluster).await;
    }
    let before = cluster.status.clone().unwrap_or_default();
    let (status, reason, pause) = observe(&context, &cluster, &before).await;
    context.metrics.standing(CONTROLLED.kind, format!("{namespace}/{name}"), Some(&reason));
    if status != before {
        write(&context, &api, &cluster, status, &before).await.map_err(Error::Write)?;
    }
    Ok(Ended::LookAgain(context.after(pause)))
}

/// The inventory as it is now, the reason of its condition, and when to look again. What could not be
/// read stays as it was last seen.
async fn observe(
    context: &Context,
    cluster: &AKSCluster,
    before: &AKSClusterStatus,
) -> (AKSClusterStatus, String, Duration) {
    let mut next = AKSClusterStatus { observed_generation: cluster.meta().generation, ..before.clone() };
    let look = match cluster.spec.resource_id.parse::<ClusterId>() {
        Err(error) => Look::no("InvalidSpec", format!("spec.resourceId: {error}")),
        Ok(id) => inventory::take(context, cluster, &id, &mut next).await,
    };
    let (ready, reason, message, pause) = match (look, before.conditions.first()) {
        // Nothing new is known: what was known still is.
        (Look::HeldBack(held), Some(known)) => {
            next.observed_generation = before.observed_generation;
            return (next, known.reason.clone(), room(&held, context.now()));
        }
        (Look::HeldBack(held), None) => {
            let pause = room(&held, context.now());
            ("Unknown", "Initializing", held.why, pause)
        }
        (Look::Seen, _) => ("True", "Observed", "Azure and the cluster's API can be read".to_owned(), PERIOD),
        (Look::No(reason, why), _) => ("False", reason, why, FAILED_PAUSE),
    };
    let (generation, message) = (cluster.meta().generation, bounded(&message, 1000));
    let ready = condition(&before.conditions, "Ready", ready, reason, &message, generation, context.now());
    next.conditions = vec![ready];
    (next, reason.to_owned(), pause)
}

/// After how long there is room for another call.
fn room(held: &HeldBack, now: Timestamp) -> Duration {
    Duration::try_from(held.until.duration_since(now)).unwrap_or_default().max(HELD_BACK_PAUSE)
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
