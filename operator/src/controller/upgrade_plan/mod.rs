//! UpgradePlan: which clusters are in which wave, and which may start now. Never changes anything in Azure.
//!
//! observe (client) → validate (no client), decide and act (engine, through its ports) → record (client).

mod approvals;
mod continuous;
mod forecast;
mod inventory;
mod member;
mod membership;
mod observe;
mod record;
mod request;
mod standing;
mod store;
mod validate;
mod waits;
mod waves;
mod windows;

use std::{sync::Arc, time::Duration};

use crds::{ClusterUpgrade, UpgradePlan};
use engine::{Clock as _, Obstacle, Occasion, RolloutProgress, RolloutRequest, advance_rollout};
use jiff::Timestamp;
use kube::{
    Api,
    core::DeserializeGuard,
    runtime::{Controller, controller::Config, watcher},
};
use tokio_util::sync::CancellationToken;

pub(crate) use store::members_of;
pub(crate) use validate::{Invalid, Members, ValidPlan, authors_of, upgrade_spec, validate};

use super::{Controlled, Ended, changed_specs, drive};
use crate::context::Context;

const CONCURRENCY: u16 = 16;
const CONTROLLED: Controlled = Controlled { name: "upgradeplan", kind: "UpgradePlan" };
/// Its status is written at most this often, however fast its clusters move.
const DEBOUNCE: Duration = Duration::from_secs(5);
/// A safety net: changes of the plan, of its ClusterUpgrades and of its approvals wake it.
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
    let (approvals, approved) = approvals::watched(&context);
    let (store, stream) = changed_specs::<UpgradePlan>(CONTROLLED, &context);
    let moved = inventory::plans_of_changed_clusters(&context, store.clone());
    let controller = Controller::for_stream(stream, store)
        .owns(upgrades, watcher::Config::default())
        .reconcile_on(approved)
        .reconcile_on(moved)
        .with_config(Config::default().concurrency(CONCURRENCY).debounce(context.after(DEBOUNCE)))
        .graceful_shutdown_on(async move { stop.cancelled().await });
    let reconcile = move |context, namespace, name| reconcile(context, approvals.clone(), namespace, name);
    drive(CONTROLLED, controller, context, reconcile).await;
}

async fn reconcile(
    context: Arc<Context>,
    approvals: approvals::Known,
    namespace: String,
    name: String,
) -> Result<Ended, Error> {
    let observed = observe::observe(&context, &namespace, &name).await.map_err(Error::Read)?;
    let Some(observe::Observed { plan, clusters, registered }) = observed else {
        context.metrics.standing(CONTROLLED.kind, format!("{namespace}/{name}"), None);
        return Ok(Ended::Rest);
    };
    let request = request::rollout_request(&plan, &clusters).map_err(Error::Hash)?;
    let recorded = plan.status.as_ref().and_then(|status| status.rollout.clone());
    let mut store = store::PlanStore::new(&context, plan.clone(), registered);
    let unusable = windows::unusable(&context, &plan).await.map_err(Error::Read)?;
    let mut watching = None;
    let propose = |occasion: &Occasion| {
        if !unusable.is_empty() {
            return Err(Invalid::Spec(unusable.clone()));
        }
        let (proposal, watched) = continuous::propose((&plan, &clusters), occasion, context.now())?;
        watching = watched.filter(|_| proposal.is_empty());
        Ok(proposal)
    };
    let progress = advance_rollout(&request, recorded, propose, &mut store, context.as_ref()).await?;
    if progress.obstacle != Some(Obstacle::NotLeading) {
        let (plan, now) = (store.plan(), context.now());
        let shown = waves::Shown {
            plan,
            request: &request,
            progress: &progress,
            watching: watching.as_ref(),
            clusters: &clusters,
            now,
        };
        // A forecast that fails keeps nothing else from being told.
        let schedules = forecast::schedules(&context, &shown).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "no end of the rollout is foretold: windows and freezes cannot be read");
            forecast::Schedules::default()
        });
        record::record(&context, &shown, &schedules).await?;
        approvals::tell(&context, plan, (&request, &progress), &approvals).await?;
    }
    let watches = watching.map_or(PERIOD, |watching| watching.look_again(context.now()));
    Ok(Ended::LookAgain(context.after(pause(&request, &progress, context.now()).min(watches))))
}

/// When it is looked at again, if nothing wakes it: when a cluster that is kept apart from others may start, or
/// an approval expires.
fn pause(request: &RolloutRequest, progress: &Progress, now: Timestamp) -> Duration {
    let expiry = request.waves.iter().filter_map(|wave| {
        let (policy, judgement) = progress.judgement(request, wave, now)?;
        judgement.next_expiry(policy)
    });
    let next = expiry.chain(progress.decide(request, now).next_start).min();
    let until = next.and_then(|next| Duration::try_from(next.duration_since(now)).ok());
    until.map_or(PERIOD, |until| until.clamp(Duration::from_secs(1), PERIOD))
}
