//! `tidegate status`: how plans stand, at a glance or with every cluster.

use std::process::ExitCode;

use anyhow::Context as _;
use crds::{ClusterUpgrade, UpgradePlan};
use futures::{StreamExt, stream};
use kube::{
    ResourceExt,
    core::DeserializeGuard,
    runtime::{WatchStreamExt, watcher},
};
use serde::Serialize;

use super::{
    hold::suspended_besides,
    hub::{Hub, HubArgs},
    output::{Format, Mark, complain, is_terminal, local, print, table, without_wide},
};

/// Arguments of `status`.
#[derive(clap::Args)]
pub(super) struct Args {
    /// One UpgradePlan with all its clusters; all plans of the namespace without it.
    plan: Option<String>,
    #[command(flatten)]
    hub: HubArgs,
    /// Shows every change until Ctrl-C: repaints on a terminal, prints changed lines elsewhere.
    #[arg(short, long, conflicts_with_all = ["exit_code", "output"])]
    watch: bool,
    /// Answers with 0 when done, 1 when stopped, 3 when still in progress.
    #[arg(long)]
    exit_code: bool,
    /// How the answer looks.
    #[arg(short, long, value_parser = without_wide(), default_value = "table")]
    output: Format,
}

/// One plan with its clusters.
#[derive(Serialize)]
struct Answer {
    plan: UpgradePlan,
    upgrades: Vec<ClusterUpgrade>,
}

pub(super) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let hub = args.hub.connect().await?;
    if args.watch {
        return watch(&hub, &args).await;
    }
    let answers = read(&hub, args.plan.as_deref()).await?;
    match args.output.render(&answers)? {
        Some(text) => print(&text),
        None if answers.is_empty() => complain(&format!("tidegate: {}", nothing(&hub))),
        None => print(&render(&answers, args.plan.is_some())),
    }
    Ok(if args.exit_code { exit_code(&answers) } else { ExitCode::SUCCESS })
}

fn nothing(hub: &Hub) -> String {
    format!(
        "namespace {} has no UpgradePlan; -n names another namespace, kubectl get upgradeplans -A shows all",
        hub.namespace
    )
}

async fn read(hub: &Hub, name: Option<&str>) -> anyhow::Result<Vec<Answer>> {
    let plans = hub.plans().await?;
    let upgrades = hub.upgrades().await?;
    let answers: Vec<Answer> = plans
        .into_iter()
        .filter(|plan| name.is_none_or(|name| name == plan.name_any()))
        .map(|plan| Answer { upgrades: members(&plan, &upgrades).into_iter().map(readable).collect(), plan })
        .collect();
    if let (Some(name), true) = (name, answers.is_empty()) {
        anyhow::bail!("there is no UpgradePlan {name} in namespace {}: see tidegate status", hub.namespace);
    }
    Ok(answers)
}

/// The ClusterUpgrades of the plan's present rollout.
pub(super) fn members(plan: &UpgradePlan, upgrades: &[ClusterUpgrade]) -> Vec<ClusterUpgrade> {
    let rollout =
        plan.status.as_ref().and_then(|status| status.rollout.as_ref()).map(|rollout| rollout.id.as_str());
    let of = |upgrade: &&ClusterUpgrade| {
        rollout.is_some() && upgrade.spec.plan.as_ref().map(|plan| plan.rollout.as_str()) == rollout
    };
    upgrades.iter().filter(of).cloned().collect()
}

/// Without what only the API server looks at.
fn readable(mut upgrade: ClusterUpgrade) -> ClusterUpgrade {
    upgrade.metadata.managed_fields = None;
    upgrade
}

async fn watch(hub: &Hub, args: &Args) -> anyhow::Result<ExitCode> {
    let plans = watcher(hub.api::<DeserializeGuard<UpgradePlan>>(), watcher::Config::default());
    let upgrades = watcher(hub.api::<DeserializeGuard<ClusterUpgrade>>(), watcher::Config::default());
    let changes = stream::select(
        plans.default_backoff().touched_objects().map(|_| ()),
        upgrades.default_backoff().touched_objects().map(|_| ()),
    );
    let mut changes = std::pin::pin!(changes.ready_chunks(64));
    let mut shown = String::new();
    while changes.next().await.is_some() {
        let answers = read(hub, args.plan.as_deref()).await?;
        let now = match answers.is_empty() {
            true => format!("{}\n", nothing(hub)),
            false => render(&answers, args.plan.is_some()),
        };
        if now == shown {
            continue;
        }
        if is_terminal() {
            print(&format!("\x1b[H\x1b[J{now}"));
        } else {
            let before: Vec<&str> = shown.lines().collect();
            for line in now.lines().filter(|line| !line.is_empty() && !before.contains(line)) {
                print(&format!("{line}\n"));
            }
        }
        shown = now;
    }
    Err(anyhow::anyhow!("the watch ended")).context("the hub went away")
}

fn exit_code(answers: &[Answer]) -> ExitCode {
    let phase = |phase: &str| {
        answers
            .iter()
            .any(|answer| phase == summary(&answer.plan).map_or("", |summary| summary.phase.as_str()))
    };
    let all_done = answers
        .iter()
        .all(|answer| summary(&answer.plan).is_some_and(|summary| summary.phase == "Succeeded"));
    match (phase("Stopped"), all_done) {
        (true, _) => ExitCode::from(1),
        (false, true) => ExitCode::SUCCESS,
        (false, false) => ExitCode::from(3),
    }
}

fn summary(plan: &UpgradePlan) -> Option<&crds::PlanSummary> {
    plan.status.as_ref()?.summary.as_ref()
}

fn render(answers: &[Answer], detailed: bool) -> String {
    if detailed {
        return answers.iter().map(render_plan).collect();
    }
    let rows = answers
        .iter()
        .map(|answer| {
            let plan = &answer.plan;
            let words = |word: fn(&crds::PlanSummary) -> &String| {
                summary(plan)
                    .map(word)
                    .filter(|word| !word.is_empty())
                    .cloned()
                    .unwrap_or_else(|| "–".to_owned())
            };
            vec![
                format!("{}/{}", plan.namespace().unwrap_or_default(), plan.name_any()),
                target(plan),
                words(|summary| &summary.phase),
                words(|summary| &summary.wave),
                words(|summary| &summary.progress),
                words(|summary| &summary.reason) + if suspended_besides(plan) { ", suspended" } else { "" },
            ]
        })
        .collect();
    table(&["PLAN", "TARGET", "PHASE", "WAVE", "CLUSTERS", "WAITING ON"], rows)
}

fn target(plan: &UpgradePlan) -> String {
    let resolved = plan
        .status
        .as_ref()
        .and_then(|status| status.rollout.as_ref())
        .and_then(|rollout| rollout.target.kubernetes.clone());
    let asked = plan.spec.target.kubernetes.as_ref().and_then(|kubernetes| {
        kubernetes.version.clone().or_else(|| kubernetes.channel.map(|channel| format!("{channel:?}")))
    });
    resolved.or(asked).unwrap_or_else(|| "newest images".to_owned())
}

fn render_plan(answer: &Answer) -> String {
    let plan = &answer.plan;
    let name = format!("{}/{}", plan.namespace().unwrap_or_default(), plan.name_any());
    let status = plan.status.clone().unwrap_or_default();
    let mut text = format!("UpgradePlan {name}   {}", target(plan));
    if let Some(rollout) = &status.rollout {
        text.push_str(&format!("   rollout {}, started {}", rollout.id, local(rollout.started_at)));
    }
    match &status.summary {
        Some(summary) => {
            text.push_str(&format!(
                "\n{}   {} clusters   {}: {}\n",
                summary.phase, summary.progress, summary.reason, summary.message
            ));
        }
        None => text.push_str("\nthe operator has not looked at it yet\n"),
    }
    if suspended_besides(plan) {
        text.push_str("suspended besides: nothing new starts until spec.suspend of the plan is false\n");
    }
    for wave in &status.waves {
        let (counts, mark) = (&wave.clusters, Mark::of_phase(&wave.state));
        text.push_str(&format!(
            "\n{} {:<14} {}/{}   {}\n",
            mark.symbol(),
            wave.name,
            counts.succeeded,
            counts.total,
            wave.state
        ));
        let of_wave =
            |upgrade: &&ClusterUpgrade| upgrade.spec.plan.as_ref().is_some_and(|plan| plan.wave == wave.name);
        for upgrade in answer.upgrades.iter().filter(of_wave) {
            text.push_str(&render_upgrade(upgrade));
        }
    }
    text
}

fn render_upgrade(upgrade: &ClusterUpgrade) -> String {
    let cluster = &upgrade.spec.cluster_ref.name;
    match upgrade.status.as_ref().and_then(|status| status.summary.as_ref()) {
        None => format!("  {} {cluster:<16} not looked at yet\n", Mark::Waiting.symbol()),
        Some(summary) => {
            let mark = Mark::of_phase(&summary.phase).symbol();
            let suspended =
                upgrade.spec.suspend && !matches!(summary.reason.as_str(), "Suspended" | "Succeeded");
            let besides = if suspended { " (suspended besides: its spec.suspend is true)" } else { "" };
            let help = if summary.phase == "Stopped" {
                format!("   → tidegate explain {cluster}")
            } else {
                String::new()
            };
            format!(
                "  {mark} {cluster:<16} {:<6} {}: {}{besides}{help}\n",
                summary.progress, summary.reason, summary.message
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn plan(name: &str, summary: &Value) -> UpgradePlan {
        serde_json::from_value(json!({
            "apiVersion": "tidegate.dev/v1alpha1", "kind": "UpgradePlan",
            "metadata": {"name": name, "namespace": "fleet"},
            "spec": {"target": {"scope": "NodeImage"}, "waves": [{"name": "w", "clusters": {"names": ["a"]}}]},
            "status": {"summary": summary,
                "rollout": {"id": "p-1", "number": 1, "planHash": "0", "target": {},
                    "startedAt": "2026-12-05T22:00:00Z"},
                "waves": [{"name": "w", "state": "RollingOut", "clusters": {"total": 1}}]}
        }))
        .unwrap()
    }

    fn stands(phase: &str) -> Value {
        json!({"phase": phase, "reason": "Why", "message": "because", "progress": "0/1", "wave": "w"})
    }

    fn upgrade(rollout: &str) -> ClusterUpgrade {
        let instant = "2026-12-05T22:00:00Z";
        serde_json::from_value(json!({
            "apiVersion": "tidegate.dev/v1alpha1", "kind": "ClusterUpgrade",
            "metadata": {"name": "p-1-a", "managedFields": [{"manager": "tidegate"}]},
            "spec": {"clusterRef": {"name": "a"}, "target": {"scope": "NodeImage"},
                "plan": {"name": "p", "rollout": rollout, "wave": "w"}},
            "status": {
                "summary": {"phase": "Stopped", "reason": "DrainBlocked", "message": "a budget", "progress": "0/1",
                    "since": instant},
                "operation": {"stepId": "image-a", "phase": "Submitted", "attempt": 1, "intentAt": instant,
                    "deadline": instant, "since": instant}
            }
        }))
        .unwrap()
    }

    fn answer(phase: &str) -> Answer {
        let plan = plan("p", &stands(phase));
        let upgrades = members(&plan, &[upgrade("p-1"), upgrade("p-0")]).into_iter().map(readable).collect();
        Answer { plan, upgrades }
    }

    #[test]
    fn answers_are_those_of_the_present_rollout() {
        let answers = [answer("RollingOut")];
        assert_eq!(answers[0].upgrades.len(), 1, "those of the present rollout");
        for format in [Format::Json, Format::Yaml] {
            let text = format.render(&answers).unwrap().unwrap();
            assert!(text.contains("image-a") && !text.contains("managedFields"), "{text}");
        }
    }

    #[test]
    fn a_line_per_plan_and_a_tree_of_one() {
        let table = render(&[answer("RollingOut")], false);
        let lines: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[0], ["PLAN", "TARGET", "PHASE", "WAVE", "CLUSTERS", "WAITING", "ON"]);
        assert_eq!(lines[1], ["fleet/p", "newest", "images", "RollingOut", "w", "0/1", "Why"]);
        let tree = render(&[answer("Stopped")], true);
        assert!(tree.contains("DrainBlocked: a budget   → tidegate explain a"), "{tree}");
        assert!(!tree.contains("suspended"), "{tree}");
        let mut suspended = answer("Stopped");
        suspended.plan.spec.suspend = true;
        suspended.upgrades[0].spec.suspend = true;
        let both = render(std::slice::from_ref(&suspended), true);
        assert!(both.contains("until spec.suspend of the plan is false\n"), "{both}");
        assert!(both.contains("a budget (suspended besides: its spec.suspend is true)   →"), "{both}");
        assert!(render(&[suspended], false).contains("Why, suspended"));
        let new = Answer { plan: plan("p", &Value::Null), upgrades: Vec::new() };
        assert!(render(&[new], true).contains("the operator has not looked at it yet"));
    }

    #[test]
    fn exit_codes_tell_done_stopped_and_in_progress() {
        let code = |phases: &[&str]| {
            let answers: Vec<Answer> = phases.iter().map(|phase| answer(phase)).collect();
            format!("{:?}", exit_code(&answers))
        };
        let is = |code: u8| format!("{:?}", ExitCode::from(code));
        assert_eq!(code(&["Succeeded", "Succeeded"]), is(0));
        assert_eq!(code(&["Succeeded", "Stopped", "RollingOut"]), is(1));
        assert_eq!(code(&["Succeeded", "Parked"]), is(3));
    }
}
