//! An AKSCluster that is being deleted stays while upgrades put back what they have changed in Azure: without
//! it they would have no right to. They are woken for that; what nobody holds any more is let go here.

use crds::{AKSCluster, ClusterUpgrade, LEAVE_SETTINGS_ANNOTATION, condition};
use engine::Clock as _;
use kube::{Api, Resource, ResourceExt, api::ListParams, core::DeserializeGuard};

use super::{CONTROLLED, Error, FAILED_PAUSE, write};
use crate::{
    context::{Context, bounded},
    controller::{
        Ended,
        cluster_upgrade::{holds_on, is_held, on_cluster, set_finalizers},
        settled,
    },
};

/// Lets go of it as far as no upgrade needs it, and says which do.
pub(super) async fn depart(
    context: &Context,
    api: &Api<AKSCluster>,
    mut cluster: AKSCluster,
) -> Result<Ended, Error> {
    let (namespace, name) = (cluster.namespace().unwrap_or_default(), cluster.name_any());
    if holds_on(&cluster).is_empty() {
        return Ok(Ended::Rest);
    }
    if !context.may_act() {
        return Ok(Ended::LookAgain(context.after(FAILED_PAUSE)));
    }
    let upgrades: Api<DeserializeGuard<ClusterUpgrade>> = Api::namespaced(context.hub.clone(), &namespace);
    let of_cluster = ListParams::default().fields(&format!("spec.clusterRef.name={name}"));
    let upgrades = upgrades.list(&of_cluster).await.map_err(Error::Read)?.items;
    let holders: Vec<_> = upgrades.iter().filter(|upgrade| is_held(*upgrade)).collect();
    let needed: Vec<String> = holders.iter().map(|upgrade| on_cluster(*upgrade)).collect();
    let left_over: Vec<String> =
        holds_on(&cluster).into_iter().filter(|hold| !needed.contains(hold)).collect();
    if !left_over.is_empty() {
        // Of upgrades that were let go by hand.
        let drop_them = |all: &mut Vec<String>| all.retain(|known| !left_over.contains(known));
        let released = set_finalizers::<_, AKSCluster>(context, &cluster, drop_them).await;
        let Some(rest) = settled(released).map_err(Error::Finalizer)? else { return Ok(Ended::Rest) };
        cluster = rest;
    }
    if holds_on(&cluster).is_empty() {
        return Ok(Ended::Rest);
    }
    for upgrade in &holders {
        context.sweeper.wake_upgrade((namespace.clone(), upgrade.name_any()));
    }
    let holders: Vec<String> = holders.iter().map(|upgrade| upgrade.name_any()).collect();
    say(context, api, &cluster, &holders).await?;
    Ok(Ended::LookAgain(context.after(FAILED_PAUSE)))
}

async fn say(
    context: &Context,
    api: &Api<AKSCluster>,
    cluster: &AKSCluster,
    holders: &[String],
) -> Result<(), Error> {
    const REASON: &str = "Deleting";
    let message = format!(
        "it goes when its settings in Azure are put back by ClusterUpgrade {}, or when that is annotated {LEAVE_SETTINGS_ANNOTATION}=true",
        holders.join(", ")
    );
    let before = cluster.status.clone().unwrap_or_default();
    let (generation, message) = (cluster.meta().generation, bounded(&message, 1000));
    let ready = condition(&before.conditions, "Ready", "False", REASON, &message, generation, context.now());
    let (namespace, name) = (cluster.namespace().unwrap_or_default(), cluster.name_any());
    context.metrics.standing(CONTROLLED.kind, format!("{namespace}/{name}"), Some(REASON));
    let mut status = before.clone();
    (status.observed_generation, status.conditions) = (generation, vec![ready]);
    if status != before {
        write(context, api, cluster, status, &before).await.map_err(Error::Write)?;
    }
    Ok(())
}
