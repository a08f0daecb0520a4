//! `tidegate status`: how plans stand, at a glance or with every cluster; and the upgrades that have no plan.

mod alone;

use std::process::ExitCode;

use anyhow::Context as _;
use crds::{ClusterUpgrade, TargetSpec, UpgradePlan};
use futures::{StreamExt, stream};
use kube::{
    ResourceExt,
    core::DeserializeGuard,
    runtime::{WatchStreamExt, watcher},
};
use serde::{Serialize, Serializer};

use super::{
    hold::suspended_besides,
    hub::{Hub, HubArgs},
    output::{Format, Mark, complain, is_terminal, listed, local, print, table, without_wide},
    standing,
    subject::{Known, Subject},
};

/// Arguments of `status`.
#[derive(clap::Args)]
pub(super) struct Args {
    /// One UpgradePlan with all its clusters; without it all plans of the namespace, and the ClusterUpgrades that
    /// have no plan.
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

/// Everything that was asked for. For programs a list: each plan, and then, with `plan: null`, what has none.
struct Answers {
    plans: Vec<Answer>,
    /// The ClusterUpgrades that have no plan.
    alone: Vec<ClusterUpgrade>,
}

impl Serialize for Answers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(untagged)]
        enum Item<'a> {
            OfPlan(&'a Answer),
            Alone { plan: (), upgrades: &'a [ClusterUpgrade] },
        }
        let alone = Item::Alone { plan: (), upgrades: &self.alone };
        let alone = (!self.alone.is_empty()).then_some(alone);
        serializer.collect_seq(self.plans.iter().map(Item::OfPlan).chain(alone))
    }
}

impl Answers {
    fn is_empty(&self) -> bool {
        self.plans.is_empty() && self.alone.is_empty()
    }

    /// The phase of each plan and of each upgrade that has none; empty where it has not been looked at.
    fn phases(&self) -> impl Iterator<Item = &str> {
        let plans = self.plans.iter().map(|answer| summary(&answer.plan).map(|summary| &summary.phase));
        let alone = self.alone.iter().map(|upgrade| standing::summary(upgrade).map(|summary| &summary.phase));
        plans.chain(alone).map(|phase| phase.map_or("", String::as_str))
    }
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
        "namespace {} has no UpgradePlan, and no ClusterUpgrade made by hand; -n names another namespace, kubectl get upgradeplans,clusterupgrades -A shows all",
        hub.namespace
    )
}

/// That there is no plan of that name, with those that there are.
pub(super) async fn missing(hub: &Hub, name: &str) -> anyhow::Result<String> {
    let known = Known { plans: hub.plans().await?, upgrades: hub.upgrades().await? };
    Ok(no_plan(&known, name, &hub.namespace))
}

async fn read(hub: &Hub, name: Option<&str>) -> anyhow::Result<Answers> {
    let known = Known { plans: hub.plans().await?, upgrades: hub.upgrades().await? };
    choose(known, name, &hub.namespace).map_err(anyhow::Error::msg)
}

/// The plan of that name, or all there is.
fn choose(known: Known, name: Option<&str>, namespace: &str) -> Result<Answers, String> {
    if let Some(name) = name.filter(|name| known.plans.iter().all(|plan| plan.name_any() != *name)) {
        return Err(no_plan(&known, name, namespace));
    }
    let Known { plans, upgrades } = known;
    let alone = match name {
        Some(_) => Vec::new(),
        None => alone::of(&plans, &upgrades).map(readable).collect(),
    };
    let plans = plans
        .into_iter()
        .filter(|plan| name.is_none_or(|name| name == plan.name_any()))
        .map(|plan| Answer { upgrades: members(&plan, &upgrades).into_iter().map(readable).collect(), plan })
        .collect();
    Ok(Answers { plans, alone })
}

fn no_plan(known: &Known, name: &str, namespace: &str) -> String {
    let plans = listed(known.plans.iter().map(ResourceExt::name_any));
    let help = match known.find(name, namespace) {
        Ok(Subject::Upgrade(upgrade)) => {
            format!("; tidegate explain {name} -n {namespace} tells of ClusterUpgrade {}", upgrade.name_any())
        }
        Ok(Subject::Plan(_)) | Err(_) => String::new(),
    };
    format!(
        "namespace {namespace} has no UpgradePlan {name}; there are: {plans} (tidegate status -n {namespace}){help}"
    )
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

fn exit_code(answers: &Answers) -> ExitCode {
    // What was left out is over.
    let all_done = || answers.phases().all(|phase| matches!(phase, "Succeeded" | "Skipped"));
    if answers.phases().any(|phase| phase == "Stopped") {
        ExitCode::from(1)
    } else if all_done() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(3)
    }
}

fn summary(plan: &UpgradePlan) -> Option<&crds::PlanSummary> {
    plan.status.as_ref()?.summary.as_ref()
}

fn render(answers: &Answers, detailed: bool) -> String {
    if detailed {
        return answers.plans.iter().map(render_plan).collect();
    }
    let mut parts = Vec::new();
    if !answers.plans.is_empty() {
        parts.push(plans_table(&answers.plans));
    }
    if !answers.alone.is_empty() {
        parts.push(alone::table(&answers.alone));
    }
    parts.join("\n")
}

fn plans_table(answers: &[Answer]) -> String {
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
                summary(plan).and_then(|summary| summary.eta).map_or_else(|| "–".to_owned(), local),
            ]
        })
        .collect();
    table(&["PLAN", "TARGET", "PHASE", "WAVE", "CLUSTERS", "WAITING ON", "ETA"], rows)
}

fn target(plan: &UpgradePlan) -> String {
    let resolved = plan
        .status
        .as_ref()
        .and_then(|status| status.rollout.as_ref())
        .and_then(|rollout| rollout.target.kubernetes.clone());
    resolved.unwrap_or_else(|| asked(&plan.spec.target))
}

/// The target as it is written.
fn asked(target: &TargetSpec) -> String {
    let kubernetes = target.kubernetes.as_ref().and_then(|kubernetes| {
        kubernetes.version.clone().or_else(|| kubernetes.channel.map(|channel| format!("{channel:?}")))
    });
    kubernetes.unwrap_or_else(|| "newest images".to_owned())
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
            if let Some(eta) = summary.eta {
                text.push_str(&format!("expected to end {}\n", local(eta)));
            }
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
        text.push_str(&about_wave(wave, status.rollout.as_ref()));
        let of_wave =
            |upgrade: &&ClusterUpgrade| upgrade.spec.plan.as_ref().is_some_and(|plan| plan.wave == wave.name);
        for upgrade in answer.upgrades.iter().filter(of_wave) {
            text.push_str(&render_upgrade(upgrade));
        }
    }
    text
}

/// What there is to say of a wave besides its clusters: failures, soak and approvals.
fn about_wave(wave: &crds::WaveStatus, rollout: Option<&engine::Rollout>) -> String {
    let mut lines = Vec::new();
    if let Some(budget) = &wave.failure_budget {
        lines.push(format!("failure budget: {} of {} used", budget.failed, budget.allowed));
    }
    if let Some(until) = wave.soak_until {
        lines.push(format!("watched until {}", local(until)));
    }
    if let Some(approvals) = &wave.approvals {
        let by =
            if approvals.by.is_empty() { String::new() } else { format!(", by {}", approvals.by.join(", ")) };
        let (given, required) = (approvals.given, approvals.required);
        lines.push(format!("approvals: {given} of {required}{by}; they start {}", approvals.starts));
    }
    let approved = rollout.and_then(|rollout| rollout.approved.iter().find(|known| known.wave == wave.name));
    if let Some(approved) = approved.filter(|_| wave.approvals.is_none()) {
        let by = |approver: &engine::Approver| {
            format!("{} on {} ({})", approver.name, local(approver.at), approver.reason)
        };
        let by: Vec<String> = approved.by.iter().map(by).collect();
        lines.push(format!("approved by {}", by.join(", ")));
    }
    lines.iter().map(|line| format!("  {line}\n")).collect()
}

fn render_upgrade(upgrade: &ClusterUpgrade) -> String {
    let cluster = &upgrade.spec.cluster_ref.name;
    match standing::summary(upgrade) {
        None => format!("  {} {cluster:<16} not looked at yet\n", Mark::Waiting.symbol()),
        Some(summary) => {
            let mark = Mark::of_phase(&summary.phase).symbol();
            let besides = match standing::is_suspended_besides(upgrade) {
                true => " (suspended besides: its spec.suspend is true)",
                false => "",
            };
            let help = if summary.phase == "Stopped" {
                format!("   → tidegate explain {cluster} -n {}", upgrade.namespace().unwrap_or_default())
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
mod tests;
