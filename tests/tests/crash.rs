//! The operator is killed at the worst moments: no change is lost, none is made twice.

use anyhow::{Context as _, Result};
use crds::ClusterUpgrade;
use engine::Phase;
use simulator::Hold;
use tests::stage::{PATIENCE, Setup, Stage, check_done, when};

const SCENARIO: &str = "
durations: {surgeCreate: 1m, reimageLinux: 2m, delete: 30s}
clusters:
- subscription: 20000000-0000-4000-8000-000000000001
  resourceGroup: shop
  name: weu-1
  kubernetesVersion: 1.35.3
  pools:
  - {name: system, mode: System, kubernetesVersion: 1.34.4}
  - {name: apps, kubernetesVersion: 1.34.4}
";

const UPGRADE: &str = "
apiVersion: tidegate.dev/v1alpha1
kind: ClusterUpgrade
metadata: {namespace: fleet, name: weu-1}
spec:
  clusterRef: {name: weu-1}
  target: {scope: NodePools, kubernetes: {version: 1.35.3}}
";

async fn begin(stage: &Stage) -> Result<()> {
    stage.register("fleet", "weu-1", &[]).await?;
    stage.apply(UPGRADE).await
}

/// Waits for the step in flight to be in this phase.
async fn in_phase(stage: &Stage, phase: Phase) -> Result<ClusterUpgrade> {
    let there = |upgrade: &ClusterUpgrade| {
        let operation = upgrade.status.as_ref().and_then(|status| status.ledger.operation.as_ref());
        operation.is_some_and(|operation| operation.phase == phase)
    };
    when(&stage.upgrades("fleet"), "weu-1", &format!("in phase {phase:?}"), there).await
}

/// Waits until the simulator holds up this many calls.
async fn held(stage: &Stage, calls: usize) -> Result<()> {
    tokio::time::timeout(PATIENCE, stage.simulator.until_held(calls)).await.context("calls that are held up")
}

/// The upgrade ends well, with each change in Azure's log once and each step done at the first attempt.
async fn ends_as_if_nothing_had_happened(stage: &Stage) -> Result<()> {
    let upgrade = stage.upgrade_reaches("fleet", "weu-1", "Succeeded").await?;
    let status = upgrade.status.context("a status")?;
    check_done(&status.conditions)?;
    let steps = &status.ledger.steps;
    assert!(steps.iter().all(|record| record.attempts == 1), "{steps:?}");
    assert_eq!(stage.mutations("weu-1"), ["PUT pool apps", "PUT pool system"]);
    let nodes = stage.target("weu-1").nodes().await?;
    assert!(nodes.values().flatten().all(|(_, node)| node.kubelet == "1.35.3" && node.usable), "{nodes:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn r1_killed_while_azure_works_it_takes_the_operation_over() -> Result<()> {
    Stage::run(Setup::new("crash-in-flight", SCENARIO), async |stage| {
        begin(stage).await?;
        in_phase(stage, Phase::Submitted).await?;
        stage.operator.restart().await?;
        ends_as_if_nothing_had_happened(stage).await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn r1_killed_after_the_intent_and_before_azure_was_asked_it_asks_once() -> Result<()> {
    Stage::run(Setup::new("crash-before", SCENARIO), async |stage| {
        stage.simulator.hold(Hold::Requests);
        begin(stage).await?;
        in_phase(stage, Phase::Intent).await?;
        held(stage, 1).await?;
        stage.operator.kill().await?;
        held(stage, 0).await?;
        assert!(stage.mutations("weu-1").is_empty(), "Azure has been asked for nothing");
        stage.simulator.hold(Hold::Nowhere);
        stage.operator.start().await?;
        ends_as_if_nothing_had_happened(stage).await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn r1_r20_killed_before_azures_answer_arrived_it_asks_nothing_twice() -> Result<()> {
    Stage::run(Setup::new("crash-after", SCENARIO), async |stage| {
        stage.simulator.hold(Hold::Answers);
        begin(stage).await?;
        held(stage, 1).await?;
        stage.operator.kill().await?;
        held(stage, 0).await?;
        in_phase(stage, Phase::Intent).await?;
        assert_eq!(stage.mutations("weu-1"), ["PUT pool apps"], "Azure works on it");
        stage.simulator.hold(Hold::Nowhere);
        stage.operator.start().await?;
        ends_as_if_nothing_had_happened(stage).await
    })
    .await
}

/// The pool's first upgrade fails in Azure after a minute.
const NO_QUOTA: &str = "
durations: {surgeCreate: 1m, reimageLinux: 1m, delete: 30s}
clusters:
- subscription: 20000000-0000-4000-8000-000000000001
  resourceGroup: shop
  name: weu-1
  kubernetesVersion: 1.35.3
  pools:
  - {name: system, mode: System, kubernetesVersion: 1.34.4}
  - {name: apps, kubernetesVersion: 1.34.4}
  faults:
  - {pool: apps, error: {code: QuotaExceeded, message: Insufficient regional vcpu quota left for location westeurope.}}
";

#[tokio::test(flavor = "multi_thread")]
async fn restarted_it_learns_why_an_operation_failed_of_which_only_the_name_was_kept() -> Result<()> {
    Stage::run(Setup::new("crash-failed", NO_QUOTA), async |stage| {
        begin(stage).await?;
        let submitted = in_phase(stage, Phase::Submitted).await?;
        let text = serde_json::to_string(&submitted.status)?;
        assert!(!text.contains("https://") && !text.contains("api-version"), "an address in {text}");
        let operation =
            submitted.status.and_then(|status| status.ledger.operation).context("an operation")?;
        let name = operation.azure_operation.context("the operation's name")?;
        assert!(name.starts_with("westeurope/"), "{name}");
        stage.operator.restart().await?;
        let upgrade = stage.upgrade_reaches("fleet", "weu-1", "OperationBlocked").await?;
        let operation = upgrade.status.and_then(|status| status.ledger.operation).context("an operation")?;
        let failure = operation.failure.context("a failure")?;
        assert_eq!(failure.code.as_deref(), Some("QuotaExceeded"), "{failure:?}");
        assert!(failure.message.contains("regional vcpu quota"), "{failure:?}");
        Ok(())
    })
    .await
}
