//! `tidegate explain`: why a cluster or a plan waits, and what a person can do.

mod advice;
mod render;
#[cfg(test)]
mod tests;

use std::process::ExitCode;

use crds::{AKSCluster, ClusterUpgrade, UpgradePlan};
use jiff::Timestamp;
use kube::ResourceExt;
use serde::Serialize;

use self::{
    advice::{advice, of_plan, remedies},
    render::render,
};
use super::{
    hold::{self, Hold},
    hub::HubArgs,
    output::{Format, print, without_wide},
    plan::{RefusalAnswer, in_the_way},
    status::members,
    subject::{self, Subject, waiting_for},
};
use crate::{
    clock::real_now,
    controller::cluster_upgrade::{self, overridden},
};

/// Arguments of `explain`.
#[derive(clap::Args)]
pub(super) struct Args {
    /// An UpgradePlan, a ClusterUpgrade, or an AKSCluster, whose upgrade is meant then.
    name: String,
    #[command(flatten)]
    hub: HubArgs,
    /// How the answer looks.
    #[arg(short, long, value_parser = without_wide(), default_value = "table")]
    output: Format,
}

/// Everything that is known about why it waits.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    subject: String,
    phase: String,
    reason: String,
    message: String,
    /// What holds it up besides.
    besides: Vec<String>,
    since: Option<jiff::Timestamp>,
    step: Option<String>,
    /// Why the step is needed although Azure shows its target already.
    repairs: Option<String>,
    azure_said: Option<engine::Failure>,
    /// Settings that are changed for a step, and will be put back.
    overridden: Vec<String>,
    /// Settings that somebody else changed meanwhile.
    left_to_others: Vec<String>,
    blockers: Vec<engine::Blocker>,
    /// All that keeps it from starting, as far as the inventory tells.
    in_the_way: Vec<RefusalAnswer>,
    what_you_can_do: Vec<String>,
}

/// What is known beside the upgrades themselves.
struct Known<'a> {
    clusters: &'a [AKSCluster],
    upgrades: &'a [ClusterUpgrade],
    now: Timestamp,
}

pub(super) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let hub = args.hub.connect().await?;
    let objects = subject::Known { plans: hub.plans().await?, upgrades: hub.upgrades().await? };
    let clusters = hub.clusters().await?;
    let known = Known { clusters: &clusters, upgrades: &objects.upgrades, now: real_now() };
    let answers = explain(&args.name, &hub.namespace, &objects, &known).map_err(anyhow::Error::msg)?;
    match args.output.render(&answers)? {
        Some(text) => print(&text),
        None => print(&answers.iter().map(render).collect::<Vec<_>>().join("\n")),
    }
    let stopped = answers.iter().any(|answer| answer.phase == "Stopped");
    Ok(if stopped { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// What is known of what has that name.
fn explain(
    name: &str,
    namespace: &str,
    objects: &subject::Known,
    known: &Known<'_>,
) -> Result<Vec<Answer>, String> {
    let subject::Known { plans, upgrades } = objects;
    Ok(match objects.find(name, namespace)? {
        Subject::Plan(plan) => explain_plan(plan, upgrades, known),
        Subject::Upgrade(upgrade) => {
            let mut answer = explain_upgrade(upgrade, known).with(hold::of_upgrade(upgrade, plans, upgrades));
            answer.besides.extend(waiting_for(upgrade, upgrades));
            vec![answer]
        }
    })
}

impl Answer {
    fn with(mut self, hold: Hold) -> Self {
        self.besides.extend(hold.besides);
        self.what_you_can_do.extend(hold.advice);
        self
    }
}

/// The plan itself, then each of its clusters that has stopped.
fn explain_plan(plan: &UpgradePlan, upgrades: &[ClusterUpgrade], known: &Known<'_>) -> Vec<Answer> {
    let summary = plan.status.as_ref().and_then(|status| status.summary.clone());
    let words =
        |word: fn(&crds::PlanSummary) -> &String| summary.as_ref().map(word).cloned().unwrap_or_default();
    let own = Answer {
        subject: format!("UpgradePlan {}", plan.name_any()),
        phase: words(|summary| &summary.phase),
        reason: words(|summary| &summary.reason),
        message: words(|summary| &summary.message),
        besides: of_waves(plan),
        since: None,
        step: None,
        repairs: None,
        azure_said: None,
        overridden: Vec::new(),
        left_to_others: Vec::new(),
        blockers: Vec::new(),
        in_the_way: Vec::new(),
        what_you_can_do: of_plan(&words(|summary| &summary.reason), plan, upgrades),
    };
    let stopped = members(plan, upgrades).into_iter().map(|upgrade| explain_upgrade(&upgrade, known));
    std::iter::once(own.with(hold::of_plan(plan)))
        .chain(stopped.filter(|answer| answer.phase == "Stopped"))
        .collect()
}

/// What the present waves have to say: approvals, failures, clusters that have come or gone.
fn of_waves(plan: &UpgradePlan) -> Vec<String> {
    let Some(status) = &plan.status else { return Vec::new() };
    let mut words = Vec::new();
    for wave in &status.waves {
        if let Some(approvals) = wave.approvals.as_ref().filter(|_| wave.state == "WaitingForApproval") {
            let by = if approvals.by.is_empty() { "nobody yet".to_owned() } else { approvals.by.join(", ") };
            words.push(format!(
                "wave {}: {} of {} approvals, by {by}; they start {}",
                wave.name, approvals.given, approvals.required, approvals.starts
            ));
        }
    }
    for approved in status.rollout.iter().flat_map(|rollout| &rollout.approved) {
        let by: Vec<String> =
            approved.by.iter().map(|approver| format!("{} ({})", approver.name, approver.reason)).collect();
        words.push(format!("wave {} was approved by {}", approved.wave, by.join(", ")));
    }
    let Some(membership) = &status.membership else { return words };
    let lists = [
        ("selected since the rollout began, and in the next one", &membership.late),
        ("not selected any more, and still in this rollout", &membership.unselected),
        ("not registered any more", &membership.deregistered),
    ];
    let told = lists.iter().filter(|(_, names)| !names.is_empty());
    words.extend(told.map(|(what, names)| format!("{what}: {}", names.join(", "))));
    words
}

fn explain_upgrade(upgrade: &ClusterUpgrade, known: &Known<'_>) -> Answer {
    let status = upgrade.status.clone().unwrap_or_default();
    let current = status.ledger.current();
    let failure = current.and_then(|(operation, _)| operation.failure.clone());
    let summary = status.summary.as_ref();
    let reason = summary.map_or("Initializing", |summary| &summary.reason).to_owned();
    let blockers = failure.as_ref().map(engine::Failure::blockers).unwrap_or_default();
    Answer {
        subject: format!("{} (ClusterUpgrade {})", upgrade.spec.cluster_ref.name, upgrade.name_any()),
        phase: summary.map_or("Working", |summary| &summary.phase).to_owned(),
        message: summary.map(|summary| summary.message.clone()).unwrap_or_default(),
        besides: Vec::new(),
        since: summary.map(|summary| summary.since),
        step: current.map(|(_, record)| {
            let position = status.ledger.steps.iter().position(|step| step.id == record.id).unwrap_or(0) + 1;
            format!("step {position} of {}, {}", status.ledger.steps.len(), record.step.subject())
        }),
        repairs: current.and_then(|(_, record)| record.repairs()),
        what_you_can_do: [remedies(&reason, &blockers), advice(&reason, upgrade, known.upgrades)].concat(),
        in_the_way: refusals(&reason, upgrade, known),
        blockers,
        overridden: status.ledger.restore.iter().map(overridden).collect(),
        left_to_others: status.ledger.left_to_others.clone(),
        azure_said: failure,
        reason,
    }
}

/// All that keeps an upgrade from starting: its condition has the first few.
fn refusals(reason: &str, upgrade: &ClusterUpgrade, known: &Known<'_>) -> Vec<RefusalAnswer> {
    let name = &upgrade.spec.cluster_ref.name;
    let cluster = known.clusters.iter().find(|cluster| cluster.name_any() == *name);
    let request = cluster_upgrade::request(&upgrade.spec).ok();
    let planned = matches!(reason, "PreflightBlocked" | "InvalidSpec");
    let known = cluster.zip(request).filter(|_| planned).map(|found| (found, known.now));
    known.map(|((cluster, request), now)| in_the_way(cluster, &request, now)).unwrap_or_default()
}
