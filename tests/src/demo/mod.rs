//! The demo: one rollout that succeeds, and one that stops in its canary.
//!
//! It shows what `tidegate` prints, and checks what it shows against the API servers.

mod checks;
mod narrator;

use std::{process::ExitCode, time::Duration};

use anyhow::{Context as _, Result};
use crds::UpgradePlan;
use kube::{Api, runtime::wait::await_condition};

use crate::stage::{Setup, Stage};
use narrator::{Narrator, say};

const AZURE: &str = include_str!("../../../examples/quickstart/azure.yaml");
const CLUSTERS: &str = include_str!("../../../examples/quickstart/clusters.yaml");
const WORKLOADS: &str = include_str!("../../../examples/quickstart/workloads.yaml");
const PLAN: &str = include_str!("../../../examples/quickstart/plan.yaml");
const NEXT_PLAN: &str = include_str!("../../../examples/quickstart/next-plan.yaml");

const CANARY: &str = "weu-canary";
const ALL: [&str; 3] = ["weu-canary", "weu-prod", "neu-prod"];
const PRODUCTION: [&str; 2] = ["weu-prod", "neu-prod"];

/// Simulated seconds in a real one: an upgrade of hours in a minute or two.
const RATE: f64 = 90.0;
/// How long a rollout may take really, on a loaded machine.
const DEADLINE: Duration = Duration::from_secs(420);

/// Runs the demo; with `keep` everything stays until Ctrl-C. Fails when anything that it shows does not hold.
pub async fn run(keep: bool) -> ExitCode {
    match Box::pin(attempt(keep)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("FAILED: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn attempt(keep: bool) -> Result<()> {
    let narrator = Narrator::new();
    say("starting a hub, three AKS clusters (real Kubernetes API servers) and a simulated Azure");
    control_plane::assets().await.context("the control plane's binaries")?;
    let stage = Stage::start(Setup::new("demo", AZURE).workloads(&ALL).rate(RATE)).await?;
    let outcome = Box::pin(play(&stage, &narrator)).await;
    if outcome.is_err() {
        stage.keep();
        say(&format!("the logs of everything are in {}", stage.folder().display()));
    }
    if keep {
        narrator.how_to_look(&stage).await?;
        tokio::signal::ctrl_c().await?;
    }
    outcome?;
    stage.finish().await
}

async fn play(stage: &Stage, narrator: &Narrator) -> Result<()> {
    say(&format!(
        "the operator runs with the permissions of its chart; a simulated minute passes in {:.1} s",
        60.0 / RATE
    ));
    for target in stage.targets() {
        target.apply(WORKLOADS).await?;
    }
    for target in stage.targets() {
        checks::workloads_available(target).await?;
    }
    stage.apply(CLUSTERS).await?;
    for cluster in ALL {
        checks::observed(&stage.hub(), cluster).await?;
    }
    first_rollout(stage, narrator).await?;
    second_rollout(stage, narrator).await?;
    narrator.summary(stage).await
}

async fn first_rollout(stage: &Stage, narrator: &Narrator) -> Result<()> {
    narrator.show(stage, "what runs", &["inventory"]).await?;
    narrator.show(stage, "what Azure offers", &["get-upgrades", CANARY]).await?;
    narrator.show(stage, "what the plan would do", &["plan", &narrator::example("plan.yaml")]).await?;
    say("applying examples/quickstart/plan.yaml: 1.34 to 1.35, the canary first");
    stage.apply(PLAN).await?;
    narrator.watch(stage, "autumn", reaches(stage, "autumn", "UpToDate")).await?;
    for cluster in ALL {
        checks::cluster_is_at(stage.target(cluster), "1.35.3").await?;
        checks::workloads_available(stage.target(cluster)).await?;
        checks::one_at_a_time(stage, cluster)?;
    }
    say("checked: every node shows 1.35.3 and the newest image, all workloads are available");
    Ok(())
}

async fn second_rollout(stage: &Stage, narrator: &Narrator) -> Result<()> {
    say("applying examples/quickstart/next-plan.yaml: 1.36, on which a workload does not start");
    let before = PRODUCTION.map(|cluster| checks::mutations(stage, cluster).len());
    stage.apply(NEXT_PLAN).await?;
    narrator.watch(stage, "winter", reaches(stage, "winter", "Stalled")).await?;
    narrator.show(stage, "why it has stopped", &["explain", CANARY]).await?;
    checks::stopped_by_invoices(&stage.hub(), CANARY).await?;
    for (cluster, before) in PRODUCTION.into_iter().zip(before) {
        checks::cluster_is_at(stage.target(cluster), "1.35.3").await?;
        anyhow::ensure!(
            checks::mutations(stage, cluster).len() == before,
            "cluster {cluster} was changed in Azure although the canary had stopped"
        );
    }
    say("checked: the workload is named, and production was not touched");
    Ok(())
}

async fn reaches(stage: &Stage, plan: &str, condition: &'static str) -> Result<()> {
    let api: Api<UpgradePlan> = Api::namespaced(stage.hub(), "platform");
    let reached = await_condition(api, plan, move |plan: Option<&UpgradePlan>| {
        let conditions = plan.and_then(|plan| plan.status.as_ref()).map(|status| &status.conditions);
        conditions.is_some_and(|conditions| {
            conditions.iter().any(|known| known.type_ == condition && known.status == "True")
        })
    });
    tokio::time::timeout(DEADLINE, reached)
        .await
        .with_context(|| format!("UpgradePlan {plan} was not {condition} within {DEADLINE:?}"))??;
    Ok(())
}
