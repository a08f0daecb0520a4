//! MaintenanceWindow: checks what its schema cannot, and shows when it opens. Starts nothing: plans read the
//! windows themselves.

mod record;

use std::{sync::Arc, time::Duration};

use crds::{MaintenanceWindow, window_of};
use engine::Clock as _;
use jiff::Timestamp;
use kube::{
    Api, Resource, ResourceExt,
    api::PostParams,
    runtime::{Controller, controller::Config},
};
use tokio_util::sync::CancellationToken;

use super::{Controlled, Ended, FIELD_MANAGER, changed_specs, drive, settled};
use crate::context::Context;

const CONCURRENCY: u16 = 16;
const CONTROLLED: Controlled = Controlled { name: "maintenancewindow", kind: "MaintenanceWindow" };
/// A safety net, for clocks that are set: it is looked at when an opening begins or ends.
const PERIOD: Duration = Duration::from_secs(24 * 3600);

/// Why a reconciliation ended early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The hub could not be read.
    #[error("the MaintenanceWindow cannot be read")]
    Read(#[source] kube::Error),
    /// The status could not be written.
    #[error("the status of the MaintenanceWindow cannot be written")]
    Write(#[source] kube::Error),
}

/// Runs the controller until `stop`.
pub(crate) async fn run(context: Arc<Context>, stop: CancellationToken) {
    let (store, stream) = changed_specs::<MaintenanceWindow>(CONTROLLED, &context);
    let controller = Controller::for_stream(stream, store)
        .with_config(Config::default().concurrency(CONCURRENCY))
        .graceful_shutdown_on(async move { stop.cancelled().await });
    drive(CONTROLLED, controller, context, reconcile).await;
}

async fn reconcile(context: Arc<Context>, namespace: String, name: String) -> Result<Ended, Error> {
    let api: Api<MaintenanceWindow> = Api::namespaced(context.hub.clone(), &namespace);
    let object = settled(api.get(&name).await).map_err(Error::Read)?;
    let Some(object) = object.filter(|object| object.metadata.deletion_timestamp.is_none()) else {
        context.metrics.standing(CONTROLLED.kind, format!("{namespace}/{name}"), None);
        return Ok(Ended::Rest);
    };
    let now = context.now();
    let status = record::status(&object, &window_of(&object), now);
    let ready = status.conditions.first().map_or("", |ready| &ready.reason);
    context.metrics.standing(CONTROLLED.kind, format!("{namespace}/{name}"), Some(ready));
    let next = record::next_change(&status, now);
    if object.status.as_ref() != Some(&status) && context.leadership.held() {
        write(&context, &api, object, status).await.map_err(Error::Write)?;
    }
    Ok(Ended::LookAgain(context.after(pause(next, now))))
}

/// How long until the next opening begins or ends, at most a day.
fn pause(next: Option<Timestamp>, now: Timestamp) -> Duration {
    let until = next.and_then(|next| Duration::try_from(next.duration_since(now)).ok());
    until.map_or(PERIOD, |until| until.min(PERIOD))
}

async fn write(
    context: &Context,
    api: &Api<MaintenanceWindow>,
    object: MaintenanceWindow,
    status: crds::MaintenanceWindowStatus,
) -> Result<(), kube::Error> {
    let stalled = |status: Option<&crds::MaintenanceWindowStatus>| {
        let conditions = status.map(|status| status.conditions.as_slice()).unwrap_or_default();
        conditions.iter().find(|known| known.type_ == "Stalled" && known.status == "True").cloned()
    };
    let words = |condition: &k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition| {
        (condition.reason.clone(), condition.message.clone())
    };
    let (was, is) = (stalled(object.status.as_ref()), stalled(Some(&status)));
    let (name, about) = (object.name_any(), object.object_ref(&()));
    let next = MaintenanceWindow { status: Some(status), ..object };
    let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
    api.replace_status(&name, &params, &next).await?;
    if let (true, Some(stalled)) = (was.as_ref().map(words) != is.as_ref().map(words), is) {
        context.publish(&about, true, &stalled.reason, &stalled.message).await;
    }
    Ok(())
}
