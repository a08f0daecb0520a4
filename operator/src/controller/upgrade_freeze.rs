//! UpgradeFreeze: says whether it holds, and how many clusters. Stops nothing: upgrades look at freezes themselves.

use std::{sync::Arc, time::Duration};

use crds::{AKSCluster, UpgradeFreeze, UpgradeFreezeStatus, condition};
use engine::Clock as _;
use jiff::Timestamp;
use kube::{
    Api, Resource, ResourceExt,
    api::{ListParams, PostParams},
    core::DeserializeGuard,
    runtime::{Controller, controller::Config},
};
use tokio_util::sync::CancellationToken;

use super::{Controlled, Ended, FIELD_MANAGER, changed_specs, drive, settled};
use crate::context::{Context, bounded};

const CONCURRENCY: u16 = 4;
const CONTROLLED: Controlled = Controlled { name: "upgradefreeze", kind: "UpgradeFreeze" };
/// How often clusters are counted: they come, go and get other labels.
const PERIOD: Duration = Duration::from_secs(300);

/// Why a reconciliation ended early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The hub could not be read.
    #[error("the UpgradeFreeze and its clusters cannot be read")]
    Read(#[source] kube::Error),
    /// The status could not be written.
    #[error("the status of the UpgradeFreeze cannot be written")]
    Write(#[source] kube::Error),
}

/// Runs the controller until `stop`.
pub(crate) async fn run(context: Arc<Context>, stop: CancellationToken) {
    let (store, stream) = changed_specs::<UpgradeFreeze>(CONTROLLED, &context);
    let controller = Controller::for_stream(stream, store)
        .with_config(Config::default().concurrency(CONCURRENCY))
        .graceful_shutdown_on(async move { stop.cancelled().await });
    drive(CONTROLLED, controller, context, reconcile).await;
}

async fn reconcile(context: Arc<Context>, _namespace: String, name: String) -> Result<Ended, Error> {
    let api: Api<UpgradeFreeze> = Api::all(context.hub.clone());
    let found = settled(api.get(&name).await).map_err(Error::Read)?;
    let Some(freeze) = found.filter(|freeze| freeze.metadata.deletion_timestamp.is_none()) else {
        context.metrics.standing(CONTROLLED.kind, format!("/{name}"), None);
        return Ok(Ended::Rest);
    };
    let now = context.now();
    let holds = freeze.freeze().holds(now);
    let clusters = if holds { selected(&context, &freeze).await.map_err(Error::Read)? } else { 0 };
    let status = status(&freeze, clusters, now);
    context.metrics.standing(CONTROLLED.kind, format!("/{name}"), Some(&status.state));
    if freeze.status.as_ref() != Some(&status) && context.may_act() {
        write(&context, &api, &freeze, status).await.map_err(Error::Write)?;
    }
    Ok(Ended::LookAgain(context.after(until_news(&freeze, now))))
}

/// How many clusters it selects.
async fn selected(context: &Context, freeze: &UpgradeFreeze) -> Result<usize, kube::Error> {
    let api: Api<DeserializeGuard<AKSCluster>> = Api::all(context.hub.clone());
    let clusters = api.list(&ListParams::default()).await?;
    let is_selected = |cluster: &&DeserializeGuard<AKSCluster>| {
        freeze.selects(&cluster.namespace().unwrap_or_default(), cluster.labels())
    };
    Ok(clusters.items.iter().filter(is_selected).count())
}

fn status(freeze: &UpgradeFreeze, clusters: usize, now: Timestamp) -> UpgradeFreezeStatus {
    let before = freeze.status.clone().unwrap_or_default();
    let span = freeze.freeze();
    let state = if span.is_over(now) {
        "Over"
    } else if span.holds(now) {
        "Holding"
    } else {
        "Pending"
    };
    let (ready, reason, message) = match freeze.understood() {
        Ok(_) => ("True", state, "it is understood as it was written".to_owned()),
        Err(invalid) => ("False", "InvalidSpec", bounded(&invalid.to_string(), 1000)),
    };
    let generation = freeze.meta().generation;
    UpgradeFreezeStatus {
        observed_generation: generation,
        state: state.to_owned(),
        clusters: i32::try_from(clusters).unwrap_or(i32::MAX),
        conditions: vec![condition(&before.conditions, "Ready", ready, reason, &message, generation, now)],
    }
}

/// After how long it stands in another way, at most.
fn until_news(freeze: &UpgradeFreeze, now: Timestamp) -> Duration {
    let span = freeze.freeze();
    let ahead = [Some(span.from), span.until].into_iter().flatten().filter(|at| *at > now);
    let next =
        ahead.min().map_or(PERIOD, |at| Duration::try_from(at.duration_since(now)).unwrap_or_default());
    next.clamp(Duration::from_secs(1), PERIOD)
}

async fn write(
    context: &Context,
    api: &Api<UpgradeFreeze>,
    freeze: &UpgradeFreeze,
    status: UpgradeFreezeStatus,
) -> Result<(), kube::Error> {
    let state = |status: &UpgradeFreezeStatus| status.state.clone();
    let (was, is) = (freeze.status.as_ref().map(state), state(&status));
    let note = format!("{} clusters: {}", status.clusters, freeze.spec.reason);
    let next = UpgradeFreeze { status: Some(status), ..freeze.clone() };
    let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
    api.replace_status(&freeze.name_any(), &params, &next).await?;
    if was.as_ref() != Some(&is) {
        tracing::info!(freeze = %freeze.name_any(), state = %is, "{note}");
        context.publish(&freeze.object_ref(&()), false, &is, &note).await;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn freeze(spec: Value) -> UpgradeFreeze {
        serde_json::from_value(json!({
            "apiVersion": "tidegate.dev/v1alpha1", "kind": "UpgradeFreeze",
            "metadata": {"name": "holidays", "generation": 3, "creationTimestamp": "2026-12-01T08:00:00Z"},
            "spec": spec
        }))
        .unwrap()
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn says_whether_it_holds_and_looks_again_when_that_changes() {
        let freeze =
            freeze(json!({"reason": "a", "from": "2026-12-20T00:00:00Z", "to": "2026-12-20T01:00:00Z"}));
        for (now, state, again) in [
            ("2026-12-01T09:00:00Z", "Pending", 300),
            ("2026-12-19T23:59:30Z", "Pending", 30),
            ("2026-12-20T00:00:00Z", "Holding", 300),
            ("2026-12-20T00:59:00Z", "Holding", 60),
            ("2026-12-20T01:00:00Z", "Over", 300),
        ] {
            assert_eq!(status(&freeze, 2, at(now)).state, state, "{now}");
            assert_eq!(until_news(&freeze, at(now)).as_secs(), again, "{now}");
        }
        let first = status(&freeze, 2, at("2026-12-20T00:00:00Z"));
        let again = UpgradeFreeze { status: Some(first.clone()), ..freeze };
        assert_eq!(status(&again, 2, at("2026-12-20T00:30:00Z")), first, "nothing is written for a look");
    }

    #[test]
    fn what_means_nothing_is_told() {
        let selector = json!({"matchExpressions": [{"key": "ring", "operator": "Like"}]});
        let status =
            status(&freeze(json!({"reason": "a", "selector": selector})), 7, at("2026-12-05T22:00:00Z"));
        assert_eq!((status.state.as_str(), status.clusters), ("Holding", 7));
        let ready = &status.conditions[0];
        assert_eq!((ready.status.as_str(), ready.reason.as_str()), ("False", "InvalidSpec"));
        assert!(ready.message.starts_with("spec.selector: "), "{}", ready.message);
    }
}
