//! UpgradePlan: which clusters are in which wave, and which may start now. Never changes anything in Azure.
//!
//! observe (client) → validate (no client), decide and act (engine, through its ports) → record (client).

mod member;
mod observe;
mod record;
mod request;
mod store;
mod validate;

use std::{sync::Arc, time::Duration};

use crds::{ClusterUpgrade, UpgradePlan};
use engine::{Obstacle, RolloutProgress, advance_rollout};
use kube::{
    Api,
    core::DeserializeGuard,
    runtime::{Controller, controller::Config, watcher},
};
use tokio_util::sync::CancellationToken;

pub(crate) use validate::{Invalid, Members, ValidPlan, upgrade_spec, validate};

use super::{Controlled, Ended, changed_specs, drive};
use crate::context::Context;

const CONCURRENCY: u16 = 16;
const CONTROLLED: Controlled = Controlled { name: "upgradeplan", kind: "UpgradePlan" };
/// Its status is written at most this often, however fast its clusters move.
const DEBOUNCE: Duration = Duration::from_secs(5);
/// A safety net: changes of the plan and of its ClusterUpgrades wake it.
const PERIOD: Duration = Duration::from_secs(60);

/// Why a reconciliation ended early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The hub could not be read.
    #[error("the hub cannot be read")]
    Read(#[source] kube::Error),
    /// Something could not be written; on a conflict all is decided anew.
    #[error("{what} cannot be written")]
    Write {
        /// What.
        what: &'static str,
        /// Why.
        source: Box<kube::Error>,
    },
    /// The plan does not serialise.
    #[error("the plan cannot be hashed")]
    Hash(#[source] serde_json::Error),
}

impl Error {
    fn write(what: &'static str) -> impl Fn(kube::Error) -> Self {
        move |source| Self::Write { what, source: Box::new(source) }
    }
}

/// How far a rollout is; what is wrong with a plan is said by [`validate`].
type Progress = RolloutProgress<Invalid>;

/// Runs the controller until `stop`.
pub(crate) async fn run(context: Arc<Context>, stop: CancellationToken) {
    let upgrades: Api<DeserializeGuard<ClusterUpgrade>> = Api::all(context.watches.clone());
    let (store, stream) = changed_specs::<UpgradePlan>(CONTROLLED, &context);
    let controller = Controller::for_stream(stream, store)
        .owns(upgrades, watcher::Config::default())
        .with_config(Config::default().concurrency(CONCURRENCY).debounce(context.after(DEBOUNCE)))
        .graceful_shutdown_on(async move { stop.cancelled().await });
    drive(CONTROLLED, controller, context, reconcile).await;
}

async fn reconcile(context: Arc<Context>, namespace: String, name: String) -> Result<Ended, Error> {
    let observed = observe::observe(&context, &namespace, &name).await.map_err(Error::Read)?;
    let Some((plan, clusters)) = observed else {
        context.metrics.standing(CONTROLLED.kind, format!("{namespace}/{name}"), None);
        return Ok(Ended::Rest);
    };
    let request = request::rollout_request(&plan).map_err(Error::Hash)?;
    let recorded = plan.status.as_ref().and_then(|status| status.rollout.clone());
    let mut store = store::PlanStore::new(&context, plan.clone());
    let propose = |is_new| validate(&plan, &clusters, is_new).map(request::proposal);
    let progress = advance_rollout(&request, recorded, propose, &mut store, context.as_ref()).await?;
    if progress.obstacle != Some(Obstacle::NotLeading) {
        record::record(&context, store.plan(), &progress.waves(&request), &progress).await?;
    }
    Ok(Ended::LookAgain(context.after(PERIOD)))
}
