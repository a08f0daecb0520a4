//! How large a ClusterUpgrade is on a real API server: with its metadata, and what the API server adds.

use anyhow::{Context as _, Result};
use control_plane::{Environment, Options};
use crds::{ClusterUpgrade, ClusterUpgradeStatus, condition};
use engine::{Ledger, StepState};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::{
    api::core::v1::Namespace, apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{
    Api, Client, ResourceExt,
    api::{DynamicObject, PostParams},
    core::ApiResource,
    runtime::{conditions::is_crd_established, wait::Condition as _},
};
use serde_json::{Value, json};
use tests::stage::when;

const VERSIONS: [&str; 4] = ["1.33.8", "1.34.4", "1.35.3", "1.36.2"];
const CLUSTER: &str = "20000000-0000-4000-8000-000000000001/platform-production/weu-1";
/// What a blocked drain says of three pods.
const MESSAGE: &str = "pool linuxpool099 from 1.35.3 to 1.36.2: Azure cannot drain its nodes (UnsatisfiablePDB): \
    disruption budget shop/checkout-pdb allows no eviction: minAvailable 3, and 3 pods match: checkout-7d9c5b6f4-2xk8p, \
    checkout-7d9c5b6f4-9qwrt, checkout-7d9c5b6f4-zz7lm. Make room for an eviction (more replicas, or a budget that \
    allows one), and the same step goes on by itself; or retry now with the annotation tidegate.dev/retry";

/// What Azure says of it.
const FAILURE: &str = "Drain node aks-linuxpool099-12345678-vmss000002 failed when evicting pod checkout-7d9c5b6f4-2xk8p failed \
    with Too Many Requests error. This is often caused by a restrictive Pod Disruption Budget (PDB) policy. See \
    https://aka.ms/aks/debugdrainfailures. Original error: Cannot evict pod as it would violate the pod's disruption \
    budget. PDB debug info: shop/checkout-7d9c5b6f4-2xk8p blocked by pdb checkout-pdb with 0 unready pods.";

fn start() -> Timestamp {
    "2026-11-20T22:00:00Z".parse().expect("an instant")
}

/// An upgrade as a plan makes it.
fn upgrade(name: &str) -> Result<ClusterUpgrade> {
    Ok(serde_json::from_value(json!({
        "apiVersion": "tidegate.dev/v1alpha1", "kind": "ClusterUpgrade",
        "metadata": {"namespace": "fleet", "name": name,
            "labels": {"tidegate.dev/plan": "autumn-2026", "tidegate.dev/rollout": "autumn-2026-1",
                "tidegate.dev/wave": "production"},
            "ownerReferences": [{"apiVersion": "tidegate.dev/v1alpha1", "kind": "UpgradePlan",
                "name": "autumn-2026", "uid": "0b8d4a52-7b1c-4f0e-9d53-6a2f8f1e7c11", "controller": true}]},
        "spec": {"clusterRef": {"name": name}, "target": {"kubernetes": {"version": "1.36.2"}},
            "policy": {"soak": "24h", "failurePolicy": {"retries": 3, "stepTimeout": "8h"},
                "gates": [{"name": "workloads", "workloads": {"excludeNamespaces": ["sandbox"], "progressDeadline": "15m"}}],
                "nodePools": {"order": [{"name": "system", "match": {"mode": "System"}, "soak": "1h"}]}},
            "plan": {"name": "autumn-2026", "rollout": "autumn-2026-1", "wave": "production", "admitted": true}},
    }))?)
}

/// So many steps, one after the other: three of the control plane, and each pool to one version or to one
/// after the other. The drain of the last is blocked at its third attempt.
fn ledger(pools: usize, all: usize) -> Result<Ledger> {
    let name = |number| format!("linuxpool{number:03}");
    let hops = VERSIONS.windows(2);
    let of_control_plane = hops.clone().map(|hop| json!({"from": hop[0], "to": hop[1]}));
    let of_pools = hops.clone().flat_map(|hop| {
        (0..pools).map(move |pool| json!({"pool": name(pool), "from": hop[0], "to": hop[1], "nodes": 12}))
    });
    let mut steps: Vec<Value> = of_control_plane.chain(of_pools).take(all).collect();
    for (number, step) in steps.iter_mut().enumerate() {
        step["startedAt"] = json!(start() + SignedDuration::from_mins(13) * i32::try_from(number)?);
        step["took"] = json!("12m47s");
    }
    let last = steps.last_mut().context("a step")?;
    let to = last["to"].as_str().unwrap_or_default().to_owned();
    last["state"] = json!("Running");
    last["attempts"] = json!(3);
    last.as_object_mut().context("an object")?.remove("took");
    let expected: serde_json::Map<String, Value> =
        (0..pools).map(|number| (name(number), json!("1.36.2"))).collect();
    let broken: Vec<String> =
        (0..3).map(|number| format!("Deployment sandbox/experiment-{number}")).collect();
    Ok(serde_json::from_value(json!({
        "targetVersion": "1.36.2", "startedAt": start(), "steps": steps,
        "operation": {"stepId": format!("pool-{}-{to}", name(pools - 1)), "phase": "Intent", "attempt": 3,
            "claims": 3, "resubmissions": 2, "intentAt": start(), "deadline": start(), "since": start(),
            "notBefore": start(), "failure": {"code": "UnsatisfiablePDB", "message": FAILURE}},
        "baseline": {"takenAt": start(), "unhealthy": broken},
        "expected": {"controlPlane": "1.36.2", "pools": expected},
    }))?)
}

fn status(upgrade: &ClusterUpgrade, ledger: Ledger) -> Result<ClusterUpgradeStatus> {
    let (done, all) = ledger.progress();
    let generation = upgrade.metadata.generation;
    let says = |type_: &str, status: &str| {
        let message = if type_ == "Ready" || status == "True" { &MESSAGE[..200] } else { "" };
        condition(&[], type_, status, "DrainBlocked", message, generation, start())
    };
    Ok(ClusterUpgradeStatus {
        observed_generation: generation,
        summary: Some(serde_json::from_value(json!({"phase": "Stopped", "reason": "DrainBlocked",
            "message": MESSAGE, "progress": format!("{done}/{all}"), "since": start()}))?),
        azure_cluster: Some(CLUSTER.to_owned()),
        ledger,
        conditions: vec![
            says("Ready", "False"),
            says("Reconciling", "False"),
            says("Stalled", "True"),
            says("UpToDate", "False"),
        ],
    })
}

/// Bytes of the object as the API server gives it, all fields included.
async fn size(client: &Client, name: &str, (pools, steps): (usize, usize)) -> Result<usize> {
    let api: Api<ClusterUpgrade> = Api::namespaced(client.clone(), "fleet");
    let by = |manager: &str| PostParams { field_manager: Some(manager.to_owned()), ..PostParams::default() };
    let mut made = api.create(&by("tidegate"), &upgrade(name)?).await?;
    let ledger = ledger(pools, steps)?;
    made.status = Some(status(&made, ledger.clone())?);
    let stored = api.replace_status(name, &by("tidegate"), &made).await?;
    let read = stored.status.context("a status")?.ledger;
    assert_eq!(read, ledger, "nothing is pruned");
    assert!(read.steps[..read.steps.len() - 1].iter().all(|record| record.state == StepState::Succeeded));
    let raw: Api<DynamicObject> =
        Api::namespaced_with(client.clone(), "fleet", &ApiResource::erase::<ClusterUpgrade>(&()));
    let raw = raw.get(name).await?;
    assert!(!raw.managed_fields().is_empty());
    let managed = serde_json::to_vec(raw.managed_fields())?.len();
    let all = serde_json::to_vec(&raw)?.len();
    eprintln!("{pools} pools, {} steps: {all} bytes, of which managedFields {managed}", read.steps.len());
    Ok(all)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_stays_small_as_it_is_stored() -> Result<()> {
    let environment = Environment::start("records").await?;
    let plane = environment.control_plane(Options::new("hub")).await?;
    let client = plane.client()?;
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    let name = "clusterupgrades.tidegate.dev";
    let all = crds::definitions();
    let definition = all.into_iter().find(|definition| definition.name_any() == name).context(name)?;
    definitions.create(&PostParams::default(), &definition).await?;
    when(&definitions, name, "established", |definition| {
        is_crd_established().matches_object(Some(definition))
    })
    .await?;
    let mut namespace = Namespace::default();
    namespace.metadata.name = Some("fleet".to_owned());
    Api::all(client.clone()).create(&PostParams::default(), &namespace).await?;
    // Three minors: a plan rolls each pool once, but three hundred steps are allowed.
    let small = size(&client, "weu-shop-1", (4, 7)).await?;
    let large = size(&client, "weu-shop-2", (100, 300)).await?;
    assert!(small < 6_000, "four pools: {small} bytes");
    assert!(large < 40_000, "a hundred pools: {large} bytes");
    Ok(())
}
