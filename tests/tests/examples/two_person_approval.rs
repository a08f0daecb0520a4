//! Production waits for two release managers, of whom the author of the plan is none.

use anyhow::{Context as _, Result, ensure};
use futures::FutureExt as _;
use tests::stage::{Stage, when};

use crate::story::{Moment, Story, rollouts, runs, status};

const CLUSTER: &str =
    "{location: westeurope, kubernetesVersion: 1.34.4, pools: [{name: system, mode: System}]}";
const ANN: &str = "ann@bank.example";
const MANAGERS: &str = "banking-release-managers";

/// `examples/two-person-approval.yaml`
pub(crate) const STORY: Story = Story {
    file: "two-person-approval.yaml",
    text: include_str!("../../../examples/two-person-approval.yaml"),
    applied_by: (ANN, &["system:masters"]),
    azure: &[("bank-uat", CLUSTER), ("bank-prod", CLUSTER)],
    foretold: "1.34.4 → 1.35.3",
    acts: &[(Moment::Begin, |stage| two_people(stage).boxed())],
};

/// Waits until so many approvals count.
async fn given(stage: &Stage, number: i32) -> Result<()> {
    let counts = |plan: &crds::UpgradePlan| {
        let waves = status(plan).waves;
        waves.iter().any(|wave| wave.approvals.as_ref().is_some_and(|told| told.given == number))
    };
    let what = format!("with {number} approvals");
    when(&stage.plans("banking"), "kubernetes-1-35", &what, counts).await.map(drop)
}

async fn approve(stage: &Stage, user: &str, groups: &[&str]) -> Result<(Option<i32>, String, String)> {
    let command = ["approve", "kubernetes-1-35", "-n", "banking", "--reason", "CHG-4711", "--yes"];
    stage.tidegate_as_member(user, groups, &command).await
}

async fn two_people(stage: &Stage) -> Result<()> {
    let waiting = stage.plan_reaches("banking", "kubernetes-1-35", "WaitingForApproval").await?;
    assert_eq!(stage.mutations("bank-uat"), ["PUT cluster", "PUT pool system"]);
    let asked = status(&waiting).waves[1].approvals.clone().context("approvals")?;
    assert_eq!(asked.starts, "1 clusters to 1.35.3, 2 steps in all, at most 1 at once: bank-prod");

    let (code, out, errors) = approve(stage, ANN, &[MANAGERS]).await?;
    ensure!(format!("{out}{errors}").contains("written"), "the author: {code:?} {out} {errors}");
    let (code, _, errors) = approve(stage, "zoe@bank.example", &["banking-developers"]).await?;
    ensure!(code == Some(1) && errors.contains("cannot"), "who is no release manager: {code:?} {errors}");
    for _ in 0..2 {
        let (code, _, errors) = approve(stage, "bea@bank.example", &[MANAGERS]).await?;
        ensure!(code == Some(0), "{errors}");
    }
    given(stage, 1).await?;
    assert!(stage.mutations("bank-prod").is_empty(), "one person is not enough, nor one person twice");
    let (code, _, errors) = approve(stage, "cem@bank.example", &[MANAGERS]).await?;
    ensure!(code == Some(0), "{errors}");

    let done = stage.plan_reaches("banking", "kubernetes-1-35", "Succeeded").await?;
    assert_eq!(stage.mutations("bank-prod"), ["PUT cluster", "PUT pool system"]);
    assert_eq!(runs(stage, "bank-prod").await?.0, "1.35.3");
    let told = rollouts(stage, "banking", "kubernetes-1-35").await?;
    assert_eq!(told, ["kubernetes-1-35-1 Succeeded 2/2 1.35.3"]);
    let approved = &status(&done).history[0].approvals;
    let mut by: Vec<_> = approved
        .iter()
        .map(|yes| (yes.approver.as_str(), yes.reason.as_deref().unwrap_or_default()))
        .collect();
    by.sort_unstable();
    assert_eq!(by, [("bea@bank.example", "CHG-4711"), ("cem@bank.example", "CHG-4711")]);
    Ok(())
}
