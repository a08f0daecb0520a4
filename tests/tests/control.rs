//! People control an upgrade: abort, roll back, leave out; by the command line, and by annotations alone.

use anyhow::{Context as _, Result};
use crds::{ABORT_ANNOTATION, ClusterUpgrade, ROLLBACK_ANNOTATION};
use engine::{Phase, StepState};
use kube::api::{Patch, PatchParams};
use serde_json::json;
use tests::stage::{Setup, Shared, Stage, is, reason_of, refusal, when};

static STAGE: Shared = Shared::new(|| Setup::new("control", &scenario()).without_api_servers());

const CLUSTERS: [&str; 5] = ["abort-1", "skip-1", "skip-2", "vain-1", "held-1"];

fn scenario() -> String {
    let cluster = |name: &&str| {
        format!(
            "
- subscription: 20000000-0000-4000-8000-000000000001
  resourceGroup: shop
  name: {name}
  kubernetesVersion: 1.35.3
  pools:
  - {{name: apps, kubernetesVersion: 1.34.4, nodeImage: AKSUbuntu-2204gen2containerd-202609.01.0, maxSurge: '1'}}
  - {{name: system, mode: System, kubernetesVersion: 1.34.4}}
"
        )
    };
    let clusters: String = CLUSTERS.iter().map(cluster).collect();
    format!("durations: {{surgeCreate: 2m, reimageLinux: 5m, delete: 30s}}\nclusters:{clusters}")
}

fn plan(namespace: &str, waves: &str) -> String {
    format!(
        "
apiVersion: tidegate.dev/v1alpha1
kind: UpgradePlan
metadata: {{namespace: {namespace}, name: main}}
spec:
  target: {{scope: NodePools, kubernetes: {{version: '1.35'}}}}
  waves: {waves}
  nodePools: {{upgradeSettings: {{maxSurge: 50%}}}}
"
    )
}

/// Waits until Azure works on the first pool.
async fn in_first_step(stage: &Stage, namespace: &str, upgrade: &str) -> Result<ClusterUpgrade> {
    let runs = |upgrade: &ClusterUpgrade| {
        let operation = upgrade.status.as_ref().and_then(|status| status.ledger.operation.as_ref());
        operation.is_some_and(|operation| {
            operation.phase == Phase::Submitted && operation.step_id == "pool-apps-1.35.3"
        })
    };
    when(&stage.upgrades(namespace), upgrade, "in its first step", runs).await
}

async fn annotate(
    stage: &Stage,
    namespace: &str,
    upgrade: &str,
    annotation: &str,
    value: &str,
) -> Result<()> {
    let patch = Patch::Merge(json!({"metadata": {"annotations": {annotation: value}}}));
    stage.upgrades(namespace).patch(upgrade, &PatchParams::default(), &patch).await?;
    Ok(())
}

async fn pool_state(stage: &Stage, cluster: &str) -> Result<(String, String, String)> {
    let pool = &stage.arm(cluster, "/agentPools/apps").await?["properties"];
    let text = |field: &str| pool[field].as_str().unwrap_or_default().to_owned();
    Ok((text("provisioningState"), text("orchestratorVersion"), text("nodeImageVersion")))
}

#[test]
fn what_azure_does_is_aborted_taken_back_and_begun_again() -> Result<()> {
    STAGE.run(async |stage| {
        stage.register("abort", "abort-1", &[]).await?;
        stage.apply(&plan("abort", "[{name: all, clusters: {names: [abort-1]}}]")).await?;
        in_first_step(stage, "abort", "main-1-abort-1").await?;

        let dry = stage.says(&["abort", "abort-1", "-n", "abort", "--dry-run"]).await?;
        assert_eq!(dry.code, 0, "{dry:?}");
        assert!(dry.out.starts_with("would set tidegate.dev/abort="), "{dry:?}");
        assert!(
            dry.out.contains(
                "on ClusterUpgrade abort/main-1-abort-1: what Azure does (pool apps from 1.34.4 to 1.35.3)"
            ),
            "{dry:?}"
        );
        assert!(dry.out.ends_with("nothing was changed\n"), "{dry:?}");
        let alone = stage.says(&["abort", "abort-1", "-n", "abort"]).await?;
        assert_eq!(alone.code, 2, "{alone:?}");
        assert!(alone.err.contains("without a terminal: add --yes"), "{alone:?}");
        assert!(
            alone.out.starts_with("would set ") && alone.out.ends_with("nothing was changed\n"),
            "{alone:?}"
        );
        let no = stage.says_to("n", &["abort", "abort-1", "-n", "abort"]).await?;
        assert_eq!(no.code, 2, "{no:?}");
        assert!(no.out.contains("Go on? [y/N] ") && no.out.ends_with("nothing was changed\n"), "{no:?}");
        assert_eq!(stage.mutations("abort-1"), ["PUT pool apps"], "nothing was done by any of them");

        let said = stage.says_to("y", &["abort", "main", "-n", "abort"]).await?;
        assert_eq!(said.code, 0, "{said:?}");
        let upgrade = stage.upgrade_reaches("abort", "main-1-abort-1", "Aborted").await?;
        let status = upgrade.status.context("a status")?;
        assert!(is(&status.conditions, "Stalled", "True"));
        assert_eq!(stage.mutations("abort-1"), ["PUT pool apps", "POST pool apps abort"]);
        let (state, version, _) = pool_state(stage, "abort-1").await?;
        assert_eq!((state.as_str(), version.as_str()), ("Canceled", "1.35.3"), "nothing is undone");
        let explained = stage.says(&["explain", "abort-1", "-n", "abort"]).await?;
        for command in ["retry abort-1 -n abort", "rollback abort-1 apps -n abort", "skip abort-1 -n abort"] {
            assert!(explained.out.contains(&format!("tidegate {command}")), "{command}: {explained:?}");
        }

        let said = stage.says(&["rollback", "abort-1", "apps", "-n", "abort", "--yes"]).await?;
        assert_eq!(said.code, 0, "{said:?}");
        stage.upgrade_reaches("abort", "main-1-abort-1", "RolledBack").await?;
        let image = "AKSUbuntu-2204gen2containerd-202609.01.0";
        assert_eq!(pool_state(stage, "abort-1").await?, ("Succeeded".into(), "1.34.4".into(), image.into()));
        let pool = stage.arm("abort-1", "/agentPools/apps").await?;
        assert_eq!(pool["properties"]["upgradeSettings"]["maxSurge"], "1");
        let again = stage.says(&["retry", "abort-1", "-n", "abort"]).await?;
        assert_eq!(again.code, 0, "{again:?}");
        stage.plan_reaches("abort", "main", "Succeeded").await?;
        let late = stage.says(&["abort", "abort-1", "-n", "abort", "--yes"]).await?;
        assert_eq!(late.code, 1);
        assert!(late.err.contains("has ended (Succeeded): nothing is done with it any more"), "{late:?}");
        Ok(())
    })
}

#[test]
fn a_cluster_that_is_left_out_ends_its_step_and_the_others_go_on() -> Result<()> {
    STAGE.run(async |stage| {
        for cluster in ["skip-1", "skip-2"] {
            stage.register("skip", cluster, &[]).await?;
        }
        let waves =
            "[{name: first, clusters: {names: [skip-1]}}, {name: second, clusters: {names: [skip-2]}}]";
        stage.apply(&plan("skip", waves)).await?;
        in_first_step(stage, "skip", "main-1-skip-1").await?;
        let wrong = stage.says(&["skip", "main", "-n", "skip", "--yes"]).await?;
        assert_eq!(wrong.code, 2);
        assert!(wrong.err.contains("main is an UpgradePlan: name the cluster that is meant"), "{wrong:?}");
        let said = stage.says(&["skip", "skip-1", "-n", "skip", "--yes"]).await?;
        assert_eq!(said.code, 0, "{said:?}");

        let upgrade = stage.upgrade_reaches("skip", "main-1-skip-1", "Skipped").await?;
        let status = upgrade.status.context("a status")?;
        assert!(is(&status.conditions, "UpToDate", "False") && is(&status.conditions, "Stalled", "False"));
        assert_eq!(status.summary.context("a summary")?.phase, "Skipped");
        let states: Vec<StepState> = status.ledger.steps.iter().map(|step| step.state).collect();
        assert_eq!(states, [StepState::Dropped]);
        let (state, version, _) = pool_state(stage, "skip-1").await?;
        assert_eq!((state.as_str(), version.as_str()), ("Succeeded", "1.35.3"), "the step in flight ended");
        let pool = stage.arm("skip-1", "/agentPools/apps").await?;
        assert_eq!(pool["properties"]["upgradeSettings"]["maxSurge"], "1", "its settings are back");

        let plan = stage.plan_reaches("skip", "main", "Succeeded").await?;
        let status = plan.status.context("a status")?;
        let counts: Vec<_> =
            status.waves.iter().map(|wave| (wave.clusters.skipped, wave.clusters.succeeded)).collect();
        assert_eq!(counts, [(1, 0), (0, 1)]);
        assert!(status.summary.context("a summary")?.message.contains("but for one that was left out"));
        assert_eq!(
            stage.mutations("skip-1"),
            ["PUT pool apps", "PUT pool apps"],
            "the step, and its settings back"
        );
        let told = stage.tidegate(&["history", "skip-1", "-n", "skip"]).await?;
        assert_eq!(told["clusters"][0]["upgrades"][0]["outcome"], "Skipped", "{told}");
        Ok(())
    })
}

#[test]
fn what_is_asked_for_in_vain_is_told() -> Result<()> {
    STAGE.run(async |stage| {
        stage.register("vain", "vain-1", &[]).await?;
        stage.apply(&plan("vain", "[{name: all, clusters: {names: [vain-1]}}]")).await?;
        let running = in_first_step(stage, "vain", "main-1-vain-1").await?;
        assert!(running.status.is_some_and(|status| status.ledger.control.is_empty()));
        let (upgrades, name) = (stage.upgrades("vain"), "main-1-vain-1");
        let told = |words: &'static str| {
            move |upgrade: &ClusterUpgrade| {
                let summary = upgrade.status.as_ref().and_then(|status| status.summary.as_ref());
                summary.is_some_and(|summary| summary.message.contains(words))
            }
        };
        annotate(stage, "vain", name, ROLLBACK_ANNOTATION, "nosuch/1").await?;
        when(
            &upgrades,
            name,
            "refused",
            told("pool nosuch was not rolled back: this upgrade has not upgraded it; it has upgraded apps"),
        )
        .await?;
        annotate(stage, "vain", name, ROLLBACK_ANNOTATION, "apps/1").await?;
        when(&upgrades, name, "refused", told("pool apps was not rolled back: Azure is upgrading it"))
            .await?;

        // A token that is too long for the status is cut, and acted on once all the same.
        let soaks = |upgrade: &ClusterUpgrade| {
            upgrade.status.as_ref().is_some_and(|status| {
                status.ledger.operation.as_ref().is_some_and(|operation| {
                    operation.step_id == "pool-system-1.35.3" && operation.phase == Phase::Submitted
                })
            })
        };
        when(&upgrades, name, "in its second step", soaks).await?;
        annotate(stage, "vain", name, ABORT_ANNOTATION, &"x".repeat(400)).await?;
        stage.upgrade_reaches("vain", name, "Aborted").await?;
        assert_eq!(stage.says(&["retry", name, "-n", "vain"]).await?.code, 0);
        stage.plan_reaches("vain", "main", "Succeeded").await?;
        let aborts = stage.mutations("vain-1").into_iter().filter(|call| call.starts_with("POST")).count();
        assert_eq!(aborts, 1);
        Ok(())
    })
}

#[test]
fn a_policy_that_means_nothing_is_refused() -> Result<()> {
    STAGE.run(async |stage| {
        let manifest = plan("held", "[{name: all, clusters: {names: [held-1]}}]");
        let manifest = format!("{manifest}  failurePolicy: {{onGateFailure: Explode}}\n");
        let message = refusal(&stage.hub(), &manifest).await?;
        for word in ["spec.failurePolicy.onGateFailure", "Explode", "RollbackNodePool", "AbortOperation"] {
            assert!(message.contains(word), "{word}: {message}");
        }
        Ok(())
    })
}

#[test]
fn a_plan_is_held_and_goes_on_by_the_command_line() -> Result<()> {
    STAGE.run(async |stage| {
        stage.register("held", "held-1", &[]).await?;
        stage.apply(&plan("held", "[{name: all, clusters: {names: [held-1]}}]")).await?;
        in_first_step(stage, "held", "main-1-held-1").await?;
        let said = stage.says(&["suspend", "main", "-n", "held"]).await?;
        assert_eq!((said.code, said.err.as_str()), (0, ""), "{said:?}");
        assert_eq!(
            said.out,
            "sets spec.suspend=true on UpgradePlan held/main: steps in flight end, nothing new starts in any of its clusters\n"
        );
        stage.upgrade_reaches("held", "main-1-held-1", "Suspended").await?;
        let said = stage.says(&["suspend", "main", "-n", "held"]).await?;
        let already = "UpgradePlan held/main: it is suspended already\nnothing was changed\n";
        assert_eq!((said.code, said.out.as_str()), (0, already), "{said:?}");
        let by_name = stage.says(&["explain", "main-1-held-1", "-n", "held"]).await?;
        assert!(by_name.out.starts_with("held-1 (ClusterUpgrade main-1-held-1) waits"), "{by_name:?}");
        for verb in [&["explain", "held-9"][..], &["status", "held-9"], &["abort", "held-9"]] {
            let refused = stage.says(&[verb, &["-n", "held"]].concat()).await?;
            assert_eq!(refused.code, 1, "{refused:?}");
            assert!(refused.err.contains("main") && refused.err.contains("tidegate status -n held"), "{refused:?}");
        }
        let nothing = stage.says(&["abort", "held-1", "-n", "held", "--yes"]).await?;
        assert_eq!(nothing.code, 1);
        assert!(nothing.err.contains("nothing is in flight"), "{nothing:?}");
        annotate(stage, "held", "main-1-held-1", ABORT_ANNOTATION, "1").await?;
        let refused = |upgrade: &ClusterUpgrade| {
            let status = upgrade.status.as_ref();
            status.is_some_and(|status| status.ledger.control.refused.is_some()) && reason_of(upgrade) == "Suspended"
        };
        let upgrade = when(&stage.upgrades("held"), "main-1-held-1", "refused", refused).await?;
        let message = upgrade.status.and_then(|status| status.summary).context("a summary")?.message;
        assert!(message.contains("not aborted: no operation of this upgrade runs in Azure"), "{message}");
        assert_eq!(stage.says(&["resume", "main", "-n", "held"]).await?.code, 0);
        stage.plan_reaches("held", "main", "Succeeded").await?;
        Ok(())
    })
}
