//! `tidegate explain`: why a cluster or a plan waits, and what a person can do.

use std::process::ExitCode;

use crds::{ClusterUpgrade, RETRY_ANNOTATION, UpgradePlan};
use kube::ResourceExt;
use serde::Serialize;

use super::{
    hold::{self, Hold},
    hub::HubArgs,
    output::{Format, local, print, without_wide},
    status::members,
};

/// Arguments of `explain`.
#[derive(clap::Args)]
pub(super) struct Args {
    /// An AKSCluster or an UpgradePlan.
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
    azure_said: Option<engine::Failure>,
    blockers: Vec<engine::Blocker>,
    what_you_can_do: Vec<String>,
}

pub(super) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let hub = args.hub.connect().await?;
    let upgrades = hub.upgrades().await?;
    let plans = hub.plans().await?;
    let answers = match plans.iter().find(|plan| plan.name_any() == args.name) {
        Some(plan) => explain_plan(plan, &upgrades),
        None => match newest(&upgrades, &args.name) {
            Some(upgrade) => {
                vec![explain_upgrade(upgrade).with(hold::of_upgrade(upgrade, &plans, &upgrades))]
            }
            None => anyhow::bail!(
                "namespace {} has no UpgradePlan {name}, and no upgrade of an AKSCluster {name}: see tidegate status",
                hub.namespace,
                name = args.name
            ),
        },
    };
    match args.output.render(&answers)? {
        Some(text) => print(&text),
        None => print(&answers.iter().map(render).collect::<Vec<_>>().join("\n")),
    }
    let stopped = answers.iter().any(|answer| answer.phase == "Stopped");
    Ok(if stopped { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

impl Answer {
    fn with(mut self, hold: Hold) -> Self {
        self.besides.extend(hold.besides);
        self.what_you_can_do.extend(hold.advice);
        self
    }
}

/// The upgrade of a cluster that matters now: one that is not finished, else the newest.
fn newest<'a>(upgrades: &'a [ClusterUpgrade], cluster: &str) -> Option<&'a ClusterUpgrade> {
    let finished = |upgrade: &ClusterUpgrade| {
        upgrade.status.as_ref().is_some_and(|status| status.ledger.finished_at.is_some())
    };
    upgrades
        .iter()
        .filter(|upgrade| upgrade.spec.cluster_ref.name == cluster)
        .max_by_key(|upgrade| (!finished(upgrade), upgrade.creation_timestamp().map(|time| time.0)))
}

/// The plan itself, then each of its clusters that has stopped.
fn explain_plan(plan: &UpgradePlan, upgrades: &[ClusterUpgrade]) -> Vec<Answer> {
    let summary = plan.status.as_ref().and_then(|status| status.summary.clone());
    let words =
        |word: fn(&crds::PlanSummary) -> &String| summary.as_ref().map(word).cloned().unwrap_or_default();
    let own = Answer {
        subject: format!("UpgradePlan {}", plan.name_any()),
        phase: words(|summary| &summary.phase),
        reason: words(|summary| &summary.reason),
        message: words(|summary| &summary.message),
        besides: Vec::new(),
        since: None,
        step: None,
        azure_said: None,
        blockers: Vec::new(),
        what_you_can_do: match words(|summary| &summary.reason).as_str() {
            "InvalidSpec" => vec!["correct the field and apply the plan again".to_owned()],
            "" => vec!["see whether the operator runs".to_owned()],
            _ => Vec::new(),
        },
    };
    let stopped = members(plan, upgrades).into_iter().map(|upgrade| explain_upgrade(&upgrade));
    std::iter::once(own.with(hold::of_plan(plan)))
        .chain(stopped.filter(|answer| answer.phase == "Stopped"))
        .collect()
}

fn explain_upgrade(upgrade: &ClusterUpgrade) -> Answer {
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
        what_you_can_do: [remedies(&reason, &blockers), advice(&reason, upgrade)].concat(),
        blockers,
        azure_said: failure,
        reason,
    }
}

/// What removes the blockers, each way once; for drains the advice says it.
fn remedies(reason: &str, blockers: &[engine::Blocker]) -> Vec<String> {
    let mut remedies: Vec<String> = Vec::new();
    for blocker in blockers.iter().filter(|_| reason != "DrainBlocked") {
        let remedy = blocker.remedy().to_owned();
        if !remedies.contains(&remedy) {
            remedies.push(remedy);
        }
    }
    remedies
}

fn advice(reason: &str, upgrade: &ClusterUpgrade) -> Vec<String> {
    let retry = format!(
        "kubectl annotate clusterupgrade {} -n {} --overwrite {RETRY_ANNOTATION}=\"$(date +%s)\"   goes on from the first unfinished step",
        upgrade.name_any(),
        upgrade.namespace().unwrap_or_default()
    );
    let words = match reason {
        "GateFailed" => {
            "repair the workload, or roll it back: the upgrade goes on by itself when it is available again"
        }
        "DrainBlocked" => "relax the disruption budget or scale the workload: the step goes on by itself",
        "OperationBlocked" => {
            "remove what stands in the way in Azure; it is tried again every 30 minutes, at once with:"
        }
        "OperationFailed" => "find out why Azure failed (az aks operation show-latest), then:",
        "ExternalChange" => "find out who changed it, then accept the versions as they are:",
        "InvalidSpec" | "PreflightBlocked" => {
            "change what the message names; it is looked at again by itself"
        }
        "StepTimeout" => {
            "look at the operation in Azure; nothing is aborted, and the upgrade goes on when it ends"
        }
        "NodesNotUpdated" => {
            "look at the nodes (kubectl get nodes); the upgrade goes on when they show the target"
        }
        "WaitingForAzureLimit" => {
            "nothing: it goes on when there is room; if that lasts, find out what else calls Azure in this subscription"
        }
        "Suspended" => "set spec.suspend to false, on the plan if there is one",
        _ => return Vec::new(),
    };
    let retry_helps = matches!(reason, "OperationBlocked" | "OperationFailed" | "ExternalChange");
    let mut advice = vec![words.to_owned()];
    advice.extend(retry_helps.then_some(retry));
    advice
}

fn render(answer: &Answer) -> String {
    let verb = match answer.phase.as_str() {
        "Stopped" => "has stopped",
        "Succeeded" => "is done",
        "Parked" => "waits",
        _ => "is being worked on",
    };
    let mut text = format!("{} {verb}", answer.subject);
    if let Some(step) = &answer.step {
        text.push_str(&format!(" at {step}"));
    }
    if let Some(since) = answer.since {
        text.push_str(&format!(", since {}", local(since)));
    }
    text.push_str(&format!(": {}\n  {}\n", answer.reason, answer.message));
    for besides in &answer.besides {
        text.push_str(&format!("  {besides}\n"));
    }
    for blocker in &answer.blockers {
        text.push_str(&format!("    {blocker}\n"));
    }
    if let Some(failure) = &answer.azure_said {
        let codes: Vec<&str> =
            [&failure.code, &failure.subcode].into_iter().flatten().map(String::as_str).collect();
        text.push_str(&format!("  Azure said: {}: {}\n", codes.join(" / "), failure.message));
    }
    if !answer.what_you_can_do.is_empty() {
        text.push_str("what you can do\n");
        for advice in &answer.what_you_can_do {
            text.push_str(&format!("  {advice}\n"));
        }
    }
    text
}
