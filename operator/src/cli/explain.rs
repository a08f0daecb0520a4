//! `tidegate explain`: why a cluster or a plan waits, and what a person can do.

use std::process::ExitCode;

use crds::{AKSCluster, ClusterUpgrade, LEAVE_SETTINGS_ANNOTATION, RETRY_ANNOTATION, UpgradePlan};
use jiff::Timestamp;
use kube::ResourceExt;
use serde::Serialize;

use super::{
    hold::{self, Hold},
    hub::HubArgs,
    output::{Format, local, print, without_wide},
    plan::{RefusalAnswer, in_the_way},
    status::members,
};
use crate::{
    clock::real_now,
    controller::cluster_upgrade::{self, overridden},
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
    now: Timestamp,
}

pub(super) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let hub = args.hub.connect().await?;
    let upgrades = hub.upgrades().await?;
    let plans = hub.plans().await?;
    let known = Known { clusters: &hub.clusters().await?, now: real_now() };
    let answers = match plans.iter().find(|plan| plan.name_any() == args.name) {
        Some(plan) => explain_plan(plan, &upgrades, &known),
        None => match newest(&upgrades, &args.name) {
            Some(upgrade) => {
                let hold = hold::of_upgrade(upgrade, &plans, &upgrades);
                vec![explain_upgrade(upgrade, &known).with(hold)]
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
fn explain_plan(plan: &UpgradePlan, upgrades: &[ClusterUpgrade], known: &Known<'_>) -> Vec<Answer> {
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
        repairs: None,
        azure_said: None,
        overridden: Vec::new(),
        left_to_others: Vec::new(),
        blockers: Vec::new(),
        in_the_way: Vec::new(),
        what_you_can_do: match words(|summary| &summary.reason).as_str() {
            "InvalidSpec" => vec!["correct the field and apply the plan again".to_owned()],
            "" => vec!["see whether the operator runs".to_owned()],
            _ => Vec::new(),
        },
    };
    let stopped = members(plan, upgrades).into_iter().map(|upgrade| explain_upgrade(&upgrade, known));
    std::iter::once(own.with(hold::of_plan(plan)))
        .chain(stopped.filter(|answer| answer.phase == "Stopped"))
        .collect()
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
        what_you_can_do: [remedies(&reason, &blockers), advice(&reason, upgrade)].concat(),
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
    let annotate = |annotation: &str, effect: &str| {
        let (name, namespace) = (upgrade.name_any(), upgrade.namespace().unwrap_or_default());
        format!("kubectl annotate clusterupgrade {name} -n {namespace} --overwrite {annotation}   {effect}")
    };
    let retry =
        || annotate(&format!("{RETRY_ANNOTATION}=\"$(date +%s)\""), "goes on from the first unfinished step");
    let leave = || annotate(&format!("{LEAVE_SETTINGS_ANNOTATION}=true"), "leaves the settings as they are");
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
            "look at the nodes (kubectl get nodes): the upgrade goes on when they show the target; az aks nodepool upgrade --node-image-only replaces nodes that AKS takes for new; to send the step again:"
        }
        "RestoreFailed" if upgrade.metadata.deletion_timestamp.is_some() => {
            "remove what stands in the way in Azure: it is tried again every 30 minutes, at once with the first of these; or give the settings up with the second:"
        }
        "RestoreFailed" => {
            "remove what stands in the way in Azure: it is tried again every 30 minutes, at once with:"
        }
        "WaitingForAzureLimit" => {
            "nothing: it goes on when there is room; if that lasts, find out what else calls Azure in this subscription"
        }
        "Suspended" => "set spec.suspend to false, on the plan if there is one",
        _ => return Vec::new(),
    };
    let retry_helps = matches!(
        reason,
        "OperationBlocked" | "OperationFailed" | "ExternalChange" | "NodesNotUpdated" | "RestoreFailed"
    );
    let is_leaving = upgrade.metadata.deletion_timestamp.is_some() && reason == "RestoreFailed";
    let commands = retry_helps.then(retry).into_iter().chain(is_leaving.then(leave));
    std::iter::once(words.to_owned()).chain(commands).collect()
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
    text.push_str(&format!(": {}\n", answer.reason));
    if !answer.in_the_way.iter().any(|refusal| answer.message.contains(&refusal.message)) {
        text.push_str(&format!("  {}\n", answer.message));
    }
    for besides in answer.repairs.iter().chain(&answer.besides) {
        text.push_str(&format!("  {besides}\n"));
    }
    for refusal in &answer.in_the_way {
        text.push_str(&format!("  in the way: {}\n", refusal.message));
    }
    for blocker in &answer.blockers {
        text.push_str(&format!("    {blocker}\n"));
    }
    if let Some(failure) = &answer.azure_said {
        let codes: Vec<&str> =
            [&failure.code, &failure.subcode].into_iter().flatten().map(String::as_str).collect();
        text.push_str(&format!("  Azure said: {}: {}\n", codes.join(" / "), failure.message));
    }
    for settings in &answer.overridden {
        text.push_str(&format!(
            "  {settings}; put back when the step has ended, or the upgrade is deleted\n"
        ));
    }
    for setting in &answer.left_to_others {
        text.push_str(&format!("  {setting} was changed by somebody else meanwhile: it was left so\n"));
    }
    if !answer.what_you_can_do.is_empty() {
        text.push_str("what you can do\n");
        for advice in &answer.what_you_can_do {
            text.push_str(&format!("  {advice}\n"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn cluster() -> AKSCluster {
        let pool = |name: &str, state: &str| {
            json!({"name": name, "mode": "User", "osType": "Linux", "osSku": "Ubuntu2404", "version": "1.34.4",
                "count": 3, "provisioningState": state, "power": "Running"})
        };
        let pools = [pool("apps", "Canceled"), pool("system", "Canceled")];
        serde_json::from_value(json!({
            "apiVersion": "tidegate.dev/v1alpha1", "kind": "AKSCluster",
            "metadata": {"namespace": "fleet", "name": "weu-1"},
            "spec": {"resourceId": "unused"},
            "status": {
                "cluster": {"name": "weu-1", "location": "westeurope", "version": "1.34.4",
                    "provisioningState": "Succeeded", "power": "Stopped", "pools": pools},
                "offers": {"region": [{"version": "1.34.4"}]}},
        }))
        .unwrap()
    }

    fn upgrade(reason: &str) -> ClusterUpgrade {
        serde_json::from_value(json!({
            "apiVersion": "tidegate.dev/v1alpha1", "kind": "ClusterUpgrade",
            "metadata": {"namespace": "fleet", "name": "autumn-weu-1"},
            "spec": {"clusterRef": {"name": "weu-1"}, "target": {"kubernetes": {"version": "1.34.4"}}},
            "status": {"summary": {"phase": "Stopped", "reason": reason, "message": "the cluster is stopped",
                "progress": "0/0", "since": "2026-11-22T20:00:00Z"}},
        }))
        .unwrap()
    }

    #[test]
    fn a_refused_upgrade_is_told_all_that_stands_in_its_way() {
        let (clusters, now) = ([cluster()], "2026-11-22T21:00:00Z".parse().unwrap());
        let known = Known { clusters: &clusters, now };
        let answer = explain_upgrade(&upgrade("PreflightBlocked"), &known);
        let told: Vec<(&str, Option<&str>)> =
            answer.in_the_way.iter().map(|found| (found.reason, found.pool.as_deref())).collect();
        let expected =
            [("ClusterStopped", None), ("PoolAborted", Some("apps")), ("PoolAborted", Some("system"))];
        assert_eq!(told, expected);
        let text = render(&answer);
        assert_eq!(text.matches("in the way: ").count(), 3, "{text}");
        assert!(text.contains("az aks start") && text.contains("it is looked at again by itself"), "{text}");
    }

    #[test]
    fn overridden_settings_are_told_with_what_ends_them() {
        let known = Known { clusters: &[], now: "2026-11-22T21:00:00Z".parse().unwrap() };
        let mut held = upgrade("OperationFailed");
        let open = json!([{"pool": "apps", "ours": {"maxSurge": "33%"}, "before": {"maxSurge": "10%"}}]);
        held.status.as_mut().unwrap().ledger.restore = serde_json::from_value(open).unwrap();
        let text = render(&explain_upgrade(&held, &known));
        let told = "\n  pool apps has for its step maxSurge 33% (10% before); put back when the step has ended, or the upgrade is deleted\n";
        assert!(text.contains(told), "{text}");
        assert!(!text.contains("leave-settings"), "{text}");

        let mut stuck = upgrade("RestoreFailed");
        assert!(!render(&explain_upgrade(&stuck, &known)).contains("leave-settings"));
        stuck.metadata.deletion_timestamp = serde_json::from_value(json!("2026-12-05T22:00:00Z")).unwrap();
        let text = render(&explain_upgrade(&stuck, &known));
        let command = "\n  kubectl annotate clusterupgrade autumn-weu-1 -n fleet --overwrite tidegate.dev/leave-settings=true   ";
        assert!(text.contains(command), "{text}");
    }

    #[test]
    fn an_upgrade_that_waits_for_something_else_keeps_its_message() {
        let (clusters, now) = ([cluster()], "2026-11-22T21:00:00Z".parse().unwrap());
        let answer = explain_upgrade(&upgrade("GateFailed"), &Known { clusters: &clusters, now });
        assert!(answer.in_the_way.is_empty() && render(&answer).contains("\n  the cluster is stopped\n"));
    }

    #[test]
    fn a_step_that_repairs_says_what_was_found() {
        let mut stopped = upgrade("NodesNotUpdated");
        let status = stopped.status.as_mut().unwrap();
        status.ledger = serde_json::from_value(json!({
            "steps": [{"pool": "apps", "from": "1.33.8", "to": "1.34.4", "state": "Running",
                "startedAt": "2026-11-22T20:00:00Z", "nodes": 3, "repair": true}],
            "operation": {"stepId": "pool-apps-1.34.4", "phase": "Verifying", "attempt": 1,
                "intentAt": "2026-11-22T20:00:00Z", "deadline": "2026-11-23T02:00:00Z",
                "since": "2026-11-22T20:00:00Z"},
        }))
        .unwrap();
        let (clusters, now) = ([cluster()], "2026-11-22T21:00:00Z".parse().unwrap());
        let text = render(&explain_upgrade(&stopped, &Known { clusters: &clusters, now }));
        let found = "repairs pool apps: Azure shows 1.34.4 already, and what runs was found to be 1.33.8";
        assert!(text.contains(found), "{text}");
        assert!(text.contains("az aks nodepool upgrade --node-image-only"), "{text}");
    }

    #[test]
    fn what_holds_it_up_besides_is_told_with_what_to_do() {
        let mut suspended = upgrade("GateFailed");
        suspended.spec.suspend = true;
        let known = Known { clusters: &[], now: "2026-11-22T21:00:00Z".parse().unwrap() };
        let hold = hold::of_upgrade(&suspended, &[], &[]);
        let text = render(&explain_upgrade(&suspended, &known).with(hold));
        assert!(
            text.contains("\n  suspended besides: spec.suspend of ClusterUpgrade autumn-weu-1"),
            "{text}"
        );
        assert!(text.contains("\n  kubectl patch clusterupgrade autumn-weu-1 -n fleet "), "{text}");
    }
}
