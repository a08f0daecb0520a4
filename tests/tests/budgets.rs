//! Failure budgets, `retry` of a whole plan, clusters that two plans want, and clusters that come and go.

use anyhow::{Context as _, Result};
use crds::{ClusterUpgrade, RETRY_ANNOTATION, UpgradePlan, UpgradePlanStatus};
use kube::{
    ResourceExt,
    api::{DeleteParams, ListParams, Patch, PatchParams},
};
use serde_json::json;
use tests::stage::{Setup, Shared, Stage, is, reason_of, when};

static STAGE: Shared = Shared::new(|| Setup::new("budgets", &scenario()).without_api_servers());

/// Of twenty clusters these fail at their first try.
const FAILING: [&str; 3] = ["tenth-01", "tenth-03", "tenth-04"];

fn names() -> Vec<String> {
    let tenth = (0..20).map(|index| format!("tenth-{index:02}"));
    let others = ["within-1", "within-2", "within-3", "two-1", "two-2", "late-1", "late-2", "late-3"];
    tenth.chain(others.map(str::to_owned)).collect()
}

/// Clusters with a pool that is behind; some of them fail at their first upgrade.
fn scenario() -> String {
    let cluster = |name: &String| {
        let fails = FAILING.contains(&name.as_str()) || name == "within-1";
        let faults = match fails {
            true => {
                "faults: [{pool: system, error: {code: VMExtensionProvisioningError, message: bootstrap failed}}]"
            }
            false => "faults: []",
        };
        format!(
            "
- subscription: 20000000-0000-4000-8000-000000000001
  resourceGroup: shop
  name: {name}
  kubernetesVersion: 1.35.3
  pools: [{{name: system, mode: System, count: 1, kubernetesVersion: 1.34.2}}]
  {faults}
"
        )
    };
    let clusters: String = names().iter().map(cluster).collect();
    format!("durations: {{surgeCreate: 30s, reimageLinux: 1m, delete: 30s}}\nclusters:{clusters}")
}

/// A plan that brings the node pools to the version of their control plane, and tries nothing twice.
fn plan(namespace: &str, name: &str, waves: &str) -> String {
    format!(
        "
apiVersion: tidegate.dev/v1alpha1
kind: UpgradePlan
metadata: {{namespace: {namespace}, name: {name}}}
spec:
  target: {{scope: NodePools, kubernetes: {{version: '1.35'}}}}
  failurePolicy: {{retries: 0}}
  waves: {waves}
"
    )
}

async fn retry(stage: &Stage, namespace: &str, plan: &str) -> Result<()> {
    let patch = Patch::Merge(json!({"metadata": {"annotations": {RETRY_ANNOTATION: "again"}}}));
    stage.plans(namespace).patch(plan, &PatchParams::default(), &patch).await?;
    Ok(())
}

fn status(plan: &UpgradePlan) -> UpgradePlanStatus {
    plan.status.clone().unwrap_or_default()
}

#[test]
fn a_tenth_of_twenty_stops_with_the_third_failure_and_retry_finishes_it_alone() -> Result<()> {
    STAGE.run(async |stage| {
        for name in names().iter().filter(|name| name.starts_with("tenth")) {
            stage.register("tenth", name, &[("fleet", "tenth")]).await?;
        }
        let waves = "[{name: all, clusters: {selector: {matchLabels: {fleet: tenth}}}, maxConcurrent: 2, failureBudget: 10%}]";
        stage.apply(&plan("tenth", "main", waves)).await?;
        let stopped = stage.plan_reaches("tenth", "main", "FailureBudgetExceeded").await?;
        let admitted = stage.admitted("tenth").await?;
        // In order of their names, two at a time: those up to the third that fails, and few that were let start
        // while it was at work.
        let in_order: Vec<String> = (0..20).map(|index| format!("main-1-tenth-{index:02}")).collect();
        assert_eq!(admitted, in_order[..admitted.len()]);
        assert!((5..12).contains(&admitted.len()), "nothing new starts: {admitted:?}");
        let told = status(&stopped);
        let summary = told.summary.context("a summary")?;
        assert_eq!(summary.phase, "Stopped");
        assert!(summary.message.contains("tenth-01, tenth-03, tenth-04"), "{}", summary.message);
        assert!(is(&told.conditions, "Stalled", "True") && is(&told.conditions, "UpToDate", "False"));
        let budget = told.waves[0].failure_budget.clone().context("a budget")?;
        assert_eq!((budget.allowed, budget.failed), (2, 3));

        // What runs goes on, and nothing else starts.
        let running = |plan: &UpgradePlan| status(plan).waves.iter().all(|wave| wave.clusters.running == 0);
        when(&stage.plans("tenth"), "main", "at rest", running).await?;
        assert_eq!(stage.admitted("tenth").await?, admitted);
        for name in names().iter().filter(|name| name.starts_with("tenth")) {
            let begun = admitted.contains(&format!("main-1-{name}"));
            assert_eq!(stage.mutations(name).len(), usize::from(begun), "{name}");
        }

        let dry = stage.says(&["retry", "main", "-n", "tenth", "--dry-run"]).await?;
        assert!(
            dry.out.contains("on UpgradePlan tenth/main: what has stopped goes on with the versions of the rollout: tenth-01 (OperationFailed), tenth-03 (OperationFailed), tenth-04 (OperationFailed)\nnothing was changed"),
            "{dry:?}"
        );
        let said = stage.says(&["retry", "main", "-n", "tenth"]).await?;
        assert_eq!(said.code, 0, "{said:?}");
        let done = stage.plan_reaches("tenth", "main", "Succeeded").await?;
        assert_eq!(status(&done).rollout.context("a rollout")?.id, "main-1", "no new rollout");
        for name in names().iter().filter(|name| name.starts_with("tenth")) {
            let tries = 1 + usize::from(FAILING.contains(&name.as_str()));
            assert_eq!(stage.mutations(name), vec!["PUT pool system"; tries], "{name}");
        }
        let asked = stage.upgrades("tenth").list(&ListParams::default()).await?;
        let asked = asked.iter().filter(|upgrade| upgrade.annotations().contains_key(RETRY_ANNOTATION));
        let asked: Vec<String> = asked.map(ResourceExt::name_any).collect();
        assert_eq!(asked, FAILING.map(|name| format!("main-1-{name}")), "nobody else was asked");
        Ok(())
    })
}

#[test]
fn failures_within_the_budget_let_the_next_wave_start_and_the_plan_does_not_succeed() -> Result<()> {
    STAGE.run(async |stage| {
        for name in ["within-1", "within-2", "within-3"] {
            stage.register("within", name, &[]).await?;
        }
        let waves = "
  - {name: canary, clusters: {names: [within-1, within-2]}, failureBudget: 1}
  - {name: prod, clusters: {names: [within-3]}}";
        stage.apply(&plan("within", "main", waves)).await?;
        let ended = stage.plan_reaches("within", "main", "CompletedWithFailures").await?;
        let told = status(&ended);
        let states: Vec<_> = told.waves.iter().map(|wave| wave.state.as_str()).collect();
        assert_eq!(states, ["CompletedWithFailures", "Succeeded"]);
        let summary = told.summary.context("a summary")?;
        assert_eq!((summary.phase.as_str(), summary.progress.as_str()), ("Stopped", "2/3"));
        assert!(is(&told.conditions, "Stalled", "True") && is(&told.conditions, "UpToDate", "False"));

        retry(stage, "within", "main").await?;
        stage.plan_reaches("within", "main", "Succeeded").await?;
        let mutations = ["within-1", "within-2", "within-3"].map(|name| stage.mutations(name).len());
        assert_eq!(mutations, [2, 1, 1]);
        Ok(())
    })
}

#[test]
fn the_older_of_two_plans_has_a_cluster_and_the_other_goes_on_with_the_rest() -> Result<()> {
    STAGE.run(async |stage| {
        for name in ["two-1", "two-2"] {
            stage.register("two", name, &[]).await?;
        }
        let waits = "[{name: all, clusters: {names: [two-1]}, approvals: {required: 1}}]";
        stage.apply(&plan("two", "older", waits)).await?;
        stage.plan_reaches("two", "older", "WaitingForApproval").await?;
        stage.apply(&plan("two", "younger", "[{name: all, clusters: {names: [two-1, two-2]}}]")).await?;
        let parked = stage.plan_reaches("two", "younger", "WaitingForOtherUpgrade").await?;
        let told = status(&parked);
        assert_eq!(told.waves[0].clusters.claimed, 1);
        let message = told.summary.context("a summary")?.message;
        assert_eq!(message, "two-1 waits for ClusterUpgrade older-1-two-1 of an older rollout");
        let done = |upgrade: &ClusterUpgrade| reason_of(upgrade) == "Succeeded";
        when(&stage.upgrades("two"), "younger-1-two-2", "done", done).await?;
        assert!(stage.mutations("two-1").is_empty());

        stage.plans("two").delete("older", &DeleteParams::default()).await?;
        stage.plan_reaches("two", "younger", "Succeeded").await?;
        assert_eq!(stage.mutations("two-1"), ["PUT pool system"]);
        Ok(())
    })
}

#[test]
fn who_comes_late_is_told_who_is_relabelled_stays_and_who_is_deregistered_leaves() -> Result<()> {
    STAGE.run(async |stage| {
        for name in ["late-1", "late-2"] {
            stage.register("late", name, &[("ring", "prod")]).await?;
        }
        let waves =
            "[{name: prod, clusters: {selector: {matchLabels: {ring: prod}}}, approvals: {required: 1}}]";
        stage.apply(&plan("late", "main", waves)).await?;
        stage.plan_reaches("late", "main", "WaitingForApproval").await?;

        stage.register("late", "late-3", &[("ring", "prod")]).await?;
        let relabel = Patch::Merge(json!({"metadata": {"labels": {"ring": "dev"}}}));
        stage.clusters("late").patch("late-1", &PatchParams::default(), &relabel).await?;
        stage.clusters("late").delete("late-2", &DeleteParams::default()).await?;
        let told = |plan: &UpgradePlan| {
            let membership = status(plan).membership.unwrap_or_default();
            [membership.late, membership.unselected, membership.deregistered]
                == [["late-3"], ["late-1"], ["late-2"]].map(|names| names.map(str::to_owned).to_vec())
        };
        when(&stage.plans("late"), "main", "telling who came and went", told).await?;

        stage.tidegate(&["approve", "main", "-n", "late", "--reason", "CHG-1", "--yes"]).await?;
        let done = stage.plan_reaches("late", "main", "Succeeded").await?;
        let wave = status(&done).waves[0].clusters.clone();
        assert_eq!((wave.succeeded, wave.left), (1, 1));
        assert_eq!(["late-1", "late-2", "late-3"].map(|name| stage.mutations(name).len()), [1, 0, 0]);
        Ok(())
    })
}
