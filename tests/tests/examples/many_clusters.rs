//! Five clusters, one of which fails twice: the others are done without it, and a retry is for it alone.

use anyhow::{Context as _, Result, ensure};
use futures::FutureExt as _;
use kube::api::ListParams;
use tests::stage::{Stage, is};

use crate::story::{ADMINISTRATOR, Moment, Story, message, rollouts, runs, status};

const CLUSTER: &str = "{kubernetesVersion: 1.34.4, pools: [{name: system, mode: System}]}";
const FAILING: &str = "
kubernetesVersion: 1.34.4
pools: [{name: system, mode: System}]
faults:
- {pool: system, upgrade: 1, error: {code: VMExtensionProvisioningError, message: bootstrap failed}}
- {pool: system, upgrade: 2, error: {code: VMExtensionProvisioningError, message: bootstrap failed}}
";
const OTHERS: [&str; 4] = ["branch-aarhus", "branch-bergen", "branch-delft", "branch-evora"];

/// `examples/many-clusters.yaml`
pub(crate) const STORY: Story = Story {
    file: "many-clusters.yaml",
    text: include_str!("../../../examples/many-clusters.yaml"),
    applied_by: ADMINISTRATOR,
    azure: &[
        (OTHERS[0], CLUSTER),
        (OTHERS[1], CLUSTER),
        ("branch-cork", FAILING),
        (OTHERS[2], CLUSTER),
        (OTHERS[3], CLUSTER),
    ],
    foretold: "1.34.4 → 1.35.3",
    acts: &[(Moment::Begin, |stage| one_fails(stage).boxed())],
};

async fn one_fails(stage: &Stage) -> Result<()> {
    let stopped = stage.plan_reaches("branches", "branches", "CompletedWithFailures").await?;
    let told = status(&stopped);
    ensure!(message(&stopped).contains("branch-cork"), "{}", message(&stopped));
    ensure!(is(&told.conditions, "UpToDate", "False"), "{:?}", told.conditions);
    let budget = told.waves[0].failure_budget.clone().context("a budget")?;
    assert_eq!((budget.allowed, budget.failed), (1, 1));
    for cluster in OTHERS {
        assert_eq!(runs(stage, cluster).await?.0, "1.35.3");
    }
    let tries = ["PUT cluster", "PUT pool system", "PUT pool system", "PUT pool system"];
    assert_eq!(stage.mutations("branch-cork"), tries[..3], "one more try, and then a person");

    let said = stage.says(&["retry", "branches", "-n", "branches"]).await?;
    ensure!(said.code == 0, "{said:?}");
    stage.plan_reaches("branches", "branches", "Succeeded").await?;
    assert_eq!(stage.mutations("branch-cork"), tries);
    for cluster in OTHERS {
        assert_eq!(stage.mutations(cluster), ["PUT cluster", "PUT pool system"], "{cluster} was done before");
    }
    let told = rollouts(stage, "branches", "branches").await?;
    assert_eq!(told, ["branches-1 Succeeded 5/5 1.35.3"]);
    let upgrades = stage.upgrades("branches").list(&ListParams::default()).await?;
    let admitted = upgrades.iter().filter_map(|upgrade| upgrade.spec.plan.as_ref()?.admitted_at);
    let mut admitted: Vec<_> = admitted.collect();
    admitted.sort_unstable();
    assert_eq!(admitted.len(), 5);
    for pair in admitted.windows(2) {
        ensure!(pair[1].duration_since(pair[0]).as_secs() >= 60, "started together: {admitted:?}");
    }
    Ok(())
}
