//! A cluster goes from 1.33 to 1.36: the control plane one minor at a time, every pool once.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use crds::AKSCluster;
use engine::{NodePool, ProvisioningState};
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment};
use kube::Api;
use serde_json::{Value, json};
use tests::stage::{Setup, Stage, check_done, when};

const SCENARIO: &str = "
regions:
  westeurope:
    kubernetesVersions:
    - {version: 1.33.5}
    - {version: 1.34.2}
    - {version: 1.34.4}
    - {version: 1.35.1}
    - {version: 1.35.3, default: true}
    - {version: 1.36.0}
    - {version: 1.36.2}
durations: {controlPlane: 2m, surgeCreate: 1m, reimageLinux: 1m, reimageWindows: 2m, delete: 30s}
clusters:
- subscription: 20000000-0000-4000-8000-000000000001
  resourceGroup: shop
  name: weu-1
  kubernetesVersion: 1.33.5
  pools:
  - {name: system, mode: System, count: 2, nodeImage: AKSUbuntu-2204gen2containerd-202609.01.0}
  - {name: apps, count: 2, nodeImage: AKSUbuntu-2204gen2containerd-202609.01.0}
  - {name: batch, count: 1, osSku: AzureLinux3, nodeImage: AKSAzureLinux-V3gen2-202609.01.0}
  - {name: win, count: 1, osType: Windows, osSku: Windows2022, nodeImage: AKSWindows-2022-containerd-20348.4052.250902}
";

/// A budget that lets one pod go at a time, on two nodes; and an agent on every Linux node.
const WORKLOADS: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {namespace: shop, name: checkout}
spec:
  replicas: 3
  selector: {matchLabels: {app: checkout}}
  template:
    metadata: {labels: {app: checkout}}
    spec:
      nodeSelector: {kubernetes.azure.com/agentpool: apps}
      containers: [{name: checkout, image: example.org/checkout:1}]
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {namespace: shop, name: checkout}
spec: {minAvailable: 2, selector: {matchLabels: {app: checkout}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {namespace: shop, name: billing}
spec:
  replicas: 1
  selector: {matchLabels: {app: billing}}
  template:
    metadata: {labels: {app: billing}}
    spec:
      nodeSelector: {kubernetes.io/os: windows}
      containers: [{name: billing, image: example.org/billing:1}]
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {namespace: shop, name: agent}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec:
      nodeSelector: {kubernetes.io/os: linux}
      containers: [{name: agent, image: example.org/agent:1}]
";

const PLAN: &str = "
apiVersion: tidegate.dev/v1alpha1
kind: UpgradePlan
metadata: {namespace: fleet, name: autumn}
spec:
  target: {kubernetes: {version: '1.36'}}
  waves:
  - {name: all, clusters: {names: [weu-1]}}
  nodePools:
    order:
    - {name: system, match: {mode: System}}
    - {name: linux, match: {osType: Linux}}
    - {name: windows, match: {osType: Windows}}
  gates:
  - {name: workloads, workloads: {progressDeadline: 60m}}
";

#[tokio::test(flavor = "multi_thread")]
async fn r17_from_1_33_to_1_36_with_every_pool_moved_once() -> Result<()> {
    let setup = Setup::new("upgrade", SCENARIO).workloads(&["weu-1"]);
    Stage::run(setup, async |stage| {
        run_workloads(stage).await?;
        stage.register("fleet", "weu-1", &[]).await?;
        check_what_is_offered(stage).await?;
        stage.apply(PLAN).await?;

        let plan = stage.plan_reaches("fleet", "autumn", "Succeeded").await?;
        check_done(&plan.status.context("a status")?.conditions)?;
        check_steps(stage).await?;
        check_nodes(stage).await?;
        assert_eq!(
            stage.mutations("weu-1"),
            [
                "PUT cluster",
                "PUT cluster",
                "PUT cluster",
                "PUT pool system",
                "PUT pool apps",
                "PUT pool batch",
                "PUT pool win"
            ],
            "each change once, and none refused because another was under way"
        );
        check_endpoints(stage).await?;
        check_inventory(stage).await
    })
    .await
}

async fn run_workloads(stage: &Stage) -> Result<()> {
    let target = stage.target("weu-1");
    target.apply(WORKLOADS).await?;
    for (name, replicas) in [("checkout", 3), ("billing", 1)] {
        let deployments: Api<Deployment> = Api::namespaced(target.client(), "shop");
        let available = |deployment: &Deployment| {
            deployment.status.as_ref().and_then(|status| status.available_replicas) == Some(replicas)
        };
        when(&deployments, name, "available", available).await?;
    }
    let agents: Api<DaemonSet> = Api::namespaced(target.client(), "shop");
    let everywhere =
        |agent: &DaemonSet| agent.status.as_ref().is_some_and(|status| status.number_available == Some(5));
    when(&agents, "agent", "on all Linux nodes", everywhere).await.map(drop)
}

/// Before: the next minor, pools that wait for their control plane, and images that are behind.
async fn check_what_is_offered(stage: &Stage) -> Result<()> {
    let all = stage.tidegate(&["get-upgrades", "-n", "fleet"]).await?;
    let weu = &all[0];
    let versions: Vec<&Value> = weu["controlPlane"]["offered"]
        .as_array()
        .context("what is offered")?
        .iter()
        .map(|offer| &offer["version"])
        .collect();
    assert_eq!(versions, ["1.34.2", "1.34.4"]);
    assert_eq!(weu["controlPlane"]["support"]["until"], "2026-07", "the region names the plan");
    let win = weu["pools"].as_array().and_then(|pools| pools.iter().find(|pool| pool["name"] == "win"));
    let win = win.context("the pool win")?;
    assert_eq!(win["hindrance"], "it has the version of its control plane");
    assert_eq!(win["image"]["newest"], "AKSWindows-2022-containerd-20348.4405.261112");
    assert_eq!(win["image"]["published"], "2025-09-02");
    assert_eq!(win["image"]["behind"], true);
    Ok(())
}

/// After: everything is up to date, as the inventory sees it.
async fn check_inventory(stage: &Stage) -> Result<()> {
    let up_to_date = |cluster: &AKSCluster| {
        let seen = cluster.status.as_ref().and_then(|status| status.cluster.as_ref());
        let new = |pool: &NodePool| {
            pool.version.to_string() == "1.36.2" && pool.provisioning_state == ProvisioningState::Succeeded
        };
        seen.is_some_and(|seen| seen.pools.iter().all(new))
    };
    when(&stage.clusters("fleet"), "weu-1", "observed after its upgrade", up_to_date).await?;
    let found = stage.tidegate(&["inventory", "-A", "weu-1"]).await?;
    let weu = &found[0];
    assert_eq!((&weu["version"], &weu["location"]), (&json!("1.36.2"), &json!("westeurope")));
    assert_eq!((&weu["poolsUpToDate"], &weu["poolsTotal"], &weu["nodes"]), (&json!(4), &json!(4), &json!(6)));
    assert_eq!((&weu["ready"]["status"], &weu["resourceGroup"]), (&json!("True"), &json!("shop")));
    let offered = stage.tidegate(&["get-upgrades", "weu-1", "-n", "fleet"]).await?;
    let hindrance = &offered[0]["controlPlane"]["hindrance"];
    assert_eq!(hindrance, "it has the newest version of its region");
    Ok(())
}

async fn check_steps(stage: &Stage) -> Result<()> {
    let upgrade = stage.upgrades("fleet").get("autumn-1-weu-1").await?;
    let status = upgrade.status.context("a status")?;
    check_done(&status.conditions)?;
    let records = status.ledger.steps;
    for pair in records.windows(2) {
        assert!(pair[0].finished_at.is_some() && pair[0].finished_at <= pair[1].started_at, "{pair:?}");
    }
    let steps: Vec<String> = records
        .iter()
        .map(|record| {
            format!("{} {} {:?} {}", record.step.subject(), record.step.to, record.state, record.attempts)
        })
        .collect();
    assert_eq!(
        steps,
        [
            "control plane 1.34.4 Succeeded 1",
            "control plane 1.35.3 Succeeded 1",
            "control plane 1.36.2 Succeeded 1",
            "pool system 1.36.2 Succeeded 1",
            "pool apps 1.36.2 Succeeded 1",
            "pool batch 1.36.2 Succeeded 1",
            "pool win 1.36.2 Succeeded 1",
        ]
    );
    Ok(())
}

/// What the target's own API server says.
async fn check_nodes(stage: &Stage) -> Result<()> {
    let target = stage.target("weu-1");
    assert_eq!(target.plane().emulated_minor().await, Some(36));
    let nodes = target.nodes().await?;
    let counts: BTreeMap<&str, usize> =
        nodes.iter().map(|(pool, nodes)| (pool.as_str(), nodes.len())).collect();
    assert_eq!(counts, BTreeMap::from([("apps", 2), ("batch", 1), ("system", 2), ("win", 1)]));
    let images = BTreeMap::from([
        ("system", "AKSUbuntu-2204gen2containerd-202611.10.0"),
        ("apps", "AKSUbuntu-2204gen2containerd-202611.10.0"),
        ("batch", "AKSAzureLinux-V3gen2-202611.10.0"),
        ("win", "AKSWindows-2022-containerd-20348.4405.261112"),
    ]);
    for (pool, nodes) in &nodes {
        for (name, node) in nodes {
            assert_eq!(
                (node.kubelet.as_str(), node.image.as_str()),
                ("1.36.2", images[pool.as_str()]),
                "{name}"
            );
            assert!(node.usable, "{name} is Ready and schedulable");
        }
    }
    Ok(())
}

async fn check_endpoints(stage: &Stage) -> Result<()> {
    let url = stage.operator.url()?;
    for probe in ["healthz", "readyz"] {
        reqwest::get(format!("{url}/{probe}")).await?.error_for_status()?;
    }
    let metrics = reqwest::get(format!("{url}/metrics")).await?.text().await?;
    for line in [
        "tidegate_leader 1",
        r#"tidegate_steps_total{kind="ControlPlane",outcome="succeeded"} 3"#,
        r#"tidegate_steps_total{kind="NodePoolVersion",outcome="succeeded"} 4"#,
        r#"tidegate_objects{kind="UpgradePlan",reason="Succeeded"} 1"#,
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line} is missing in\n{metrics}");
    }
    Ok(())
}
