//! Remembers with an AKSCluster how long its steps take. Nothing depends on it but whether the next one fits into
//! its window: what cannot be written is lost.

use crds::{AKSCluster, ClusterUpgrade, policy_of};
use engine::{Estimates, Ledger, learned};
use kube::{Api, ResourceExt, api::PostParams};

use crate::{
    context::Context,
    controller::{FIELD_MANAGER, settled},
};

/// Notes how long a step took that has come to its end between two records.
pub(super) async fn learn(
    context: &Context,
    upgrade: &ClusterUpgrade,
    registration: &AKSCluster,
    (before, after): (&Ledger, &Ledger),
) {
    if learned(before, after).is_none() {
        return;
    }
    let name = registration.name_any();
    if let Err(error) = write(context, upgrade, registration, (before, after)).await {
        tracing::warn!(cluster = %name, %error, "how long its step took could not be noted");
    }
}

async fn write(
    context: &Context,
    upgrade: &ClusterUpgrade,
    registration: &AKSCluster,
    ledgers: (&Ledger, &Ledger),
) -> Result<(), kube::Error> {
    let namespace = registration.namespace().unwrap_or_default();
    let api: Api<AKSCluster> = Api::namespaced(context.hub.clone(), &namespace);
    let Some(mut cluster) = settled(api.get(&registration.name_any()).await)? else { return Ok(()) };
    let Some(next) = next(&cluster, upgrade, ledgers) else { return Ok(()) };
    cluster.status.get_or_insert_default().estimates = next;
    let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
    settled(api.replace_status(&cluster.name_any(), &params, &cluster).await).map(drop)
}

/// The estimates of a cluster after a step; `None` when they are as before.
fn next(
    cluster: &AKSCluster,
    upgrade: &ClusterUpgrade,
    (before, after): (&Ledger, &Ledger),
) -> Option<Estimates> {
    let (step, took) = learned(before, after)?;
    let status = cluster.status.as_ref()?;
    let mut estimates = status.estimates.clone();
    estimates.learn(step, took, status.cluster.as_ref()?, &policy_of(&upgrade.spec.policy));
    (estimates != status.estimates).then_some(estimates)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn what_a_step_took_is_kept_with_its_cluster() {
        let pool = json!({"name": "linux1", "mode": "User", "osType": "Linux", "version": "1.34.4", "count": 4,
            "provisioningState": "Succeeded", "power": "Running"});
        let mut cluster: AKSCluster = serde_json::from_value(json!({
            "apiVersion": "tidegate.dev/v1alpha1", "kind": "AKSCluster", "metadata": {"name": "weu-1"},
            "spec": {"resourceId": "unused"}, "status": {"cluster": {"name": "weu-1", "location": "westeurope",
                "version": "1.34.4", "provisioningState": "Succeeded", "power": "Running", "pools": [pool]}}
        }))
        .unwrap();
        let upgrade: ClusterUpgrade = serde_json::from_value(json!({
            "apiVersion": "tidegate.dev/v1alpha1", "kind": "ClusterUpgrade", "metadata": {"name": "u"},
            "spec": {"clusterRef": {"name": "weu-1"}, "target": {},
                "policy": {"nodePools": {"upgradeSettings": {"maxSurge": "50%"}}}}
        }))
        .unwrap();
        let ledger = |state: &str, operation: Value| -> Ledger {
            let mut step = json!({"pool": "linux1", "from": "1.33.8", "to": "1.34.4", "state": state,
                "startedAt": "2026-12-05T22:00:00Z"});
            if state == "Succeeded" {
                step["took"] = "40m".into();
            }
            let mut value = json!({ "steps": [step] });
            if !operation.is_null() {
                value["operation"] = operation;
            }
            serde_json::from_value(value).unwrap()
        };
        let before = ledger(
            "Running",
            json!({"stepId": "pool-linux1-1.34.4", "phase": "Verifying", "attempt": 1, "claims": 1,
                "intentAt": "2026-12-05T21:59:00Z", "submittedAt": "2026-12-05T22:00:00Z",
                "deadline": "2026-12-06T04:00:00Z", "since": "2026-12-05T22:30:00Z"}),
        );
        let after = ledger("Succeeded", Value::Null);
        let learned = next(&cluster, &upgrade, (&before, &after)).unwrap();
        assert_eq!(learned.pools["linux1"], 20 * 60, "two batches of two nodes in forty minutes");
        cluster.status.as_mut().unwrap().estimates = learned;
        assert_eq!(next(&cluster, &upgrade, (&before, &after)), None, "nothing new is not written");
    }
}
