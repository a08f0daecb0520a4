//! UpgradePlan: which clusters are in which wave, and which may start now. Never changes anything in Azure.
//!
//! observe (client) → act (client; validates without one, decides with the engine) → record (client).

mod act;
mod member;
mod observe;
mod record;
mod validate;

use std::{sync::Arc, time::Duration};

use crds::{ClusterUpgrade, InvalidField, UpgradePlan};
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

impl From<Invalid> for Hindrance {
    fn from(invalid: Invalid) -> Self {
        match invalid {
            Invalid::Spec(fields) => Self::Invalid(fields),
            Invalid::Unobserved(clusters) => Self::Inventory(clusters),
        }
    }
}

/// What a plan waits on before it has a rollout, and what is wrong with it.
enum Hindrance {
    Invalid(Vec<InvalidField>),
    /// These clusters have not been observed yet, or cannot be.
    Inventory(Vec<String>),
    /// The rollout of an earlier version of the plan has a step in flight, in this ClusterUpgrade.
    EarlierRollout(Box<ClusterUpgrade>),
    /// A ClusterUpgrade of this name is there and not the plan's: of a deleted plan of the same name,
    /// or made by hand.
    Taken(String),
    /// Another replica leads: what was seen here says nothing.
    NotLeading,
}

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
    let Some(mut observed) = observe::observe(&context, &namespace, &name).await.map_err(Error::Read)? else {
        context.metrics.standing(CONTROLLED.kind, format!("{namespace}/{name}"), None);
        return Ok(Ended::Rest);
    };
    let hindrance = act::act(&context, &mut observed).await?;
    if matches!(hindrance, Some(Hindrance::NotLeading)) {
        return Ok(Ended::LookAgain(context.after(PERIOD)));
    }
    record::record(&context, &observed, hindrance.as_ref()).await?;
    Ok(Ended::LookAgain(context.after(PERIOD)))
}
