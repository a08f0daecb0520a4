//! Writes down in the AKSCluster what an upgrade did, whenever a step of it has ended: it is there for as long as
//! the cluster is registered, whatever becomes of the ClusterUpgrade.
//!
//! The AKSCluster's own controller writes the same status. Whoever writes has read it before and is refused if
//! the other has written since, so neither loses what the other wrote.

use crds::AKSCluster;
use engine::{Clock as _, Ledger, UpgradeRecord, remember_upgrade};
use kube::{Api, ResourceExt, api::PostParams};

use super::{Error, observe::Observed};
use crate::{
    context::Context,
    controller::{FIELD_MANAGER, settled},
};

/// How often it is tried while others write at the same time; after that the reconciliation is tried again.
const TRIES: usize = 4;

/// Writes down what has ended, if that is not known yet.
pub(super) async fn remember(context: &Context, observed: &Observed, ledger: &Ledger) -> Result<(), Error> {
    let Some(record) = told(observed, ledger) else { return Ok(()) };
    let Some(known) = observed.registration() else { return Ok(()) };
    let changes = |cluster: &AKSCluster| {
        let mut history = cluster.status.as_ref().map(|status| status.history.clone()).unwrap_or_default();
        remember_upgrade(&mut history, record.clone()).then_some(history)
    };
    if changes(known).is_none() {
        return Ok(());
    }
    let (namespace, name) = (observed.upgrade.namespace().unwrap_or_default(), known.name_any());
    let api: Api<AKSCluster> = Api::namespaced(context.hub.clone(), &namespace);
    for attempt in 1..=TRIES {
        let Some(mut cluster) = settled(api.get(&name).await).map_err(Error::Read)? else { return Ok(()) };
        let Some(history) = changes(&cluster) else { return Ok(()) };
        if !context.may_act() {
            return Ok(());
        }
        cluster.status.get_or_insert_default().history = history;
        let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
        match api.replace_status(&name, &params, &cluster).await {
            Ok(_) => return Ok(()),
            Err(kube::Error::Api(status)) if status.code == 404 => return Ok(()),
            Err(kube::Error::Api(status)) if status.code == 409 && attempt < TRIES => {}
            Err(error) => return Err(Error::History(error)),
        }
    }
    Ok(())
}

/// What there is to write down of the upgrade.
fn told(observed: &Observed, ledger: &Ledger) -> Option<UpgradeRecord> {
    let upgrade = &observed.upgrade;
    let rollout = upgrade.spec.plan.as_ref().map(|plan| plan.rollout.as_str());
    UpgradeRecord::of(&upgrade.name_any(), &upgrade.uid().unwrap_or_default(), rollout, ledger)
}
