//! AKSCluster: observes versions, offers and access, and records them. Decides nothing.

use std::{sync::Arc, time::Duration};

use azure_mgmt_containerservice::ClusterId;
use crds::{AKSCluster, AKSClusterStatus, condition};
use engine::{Clock as _, Fleet as _};
use kube::{
    Api, Resource, ResourceExt,
    api::PostParams,
    runtime::{Controller, controller::Config},
};
use tokio_util::sync::CancellationToken;

use super::{Controlled, Ended, FIELD_MANAGER, changed_specs, drive, settled};
use crate::context::{Context, bounded};

/// How often Azure is asked when nothing happens. Upgrades read their own cluster live.
const PERIOD: Duration = Duration::from_secs(300);
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
pub(crate) async fn run(context: Arc<Context>, stop: CancellationToken) {
    let (store, stream) = changed_specs::<AKSCluster>(CONTROLLED, &context);
    let controller = Controller::for_stream(stream, store)
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
    let fleet = context.fleet(id);
    let seen = match fleet.cluster().await {
        Ok(seen) => seen,
        Err(why) => return ("False", "AzureUnreachable", why.to_string()),
    };
    let offers = fleet.offers(&seen).await;
    next.cluster = Some(seen);
    match offers {
        Ok(offers) => next.offers = Some(offers),
        Err(why) => return ("False", "AzureUnreachable", why.to_string()),
    }
    match context.target(cluster, id).await {
        Err(error) => ("False", "InvalidSpec", error.to_string()),
        Ok(target) => match target.readable().await {
            Ok(()) => ("True", "Observed", "Azure and the cluster's API can be read".to_owned()),
            Err(why) => ("False", "ClusterUnreachable", why.to_string()),
        },
    }
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
