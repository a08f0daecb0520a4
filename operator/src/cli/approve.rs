//! `tidegate approve`: shows what approving a wave starts, asks, and creates an UpgradeApproval in the name
//! that the API server knows the caller by.

use std::{collections::BTreeSet, process::ExitCode};

use anyhow::Context as _;
use crds::{AKSCluster, ClusterUpgrade, UpgradeApproval, UpgradeApprovalSpec, UpgradePlan, WaveStatus};
use engine::{MemberState, Rollout, RolloutMember};
use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use kube::{Api, ResourceExt, api::PostParams};
use serde::Serialize;

use super::{
    hub::{Hub, HubArgs},
    output::{Format, complain, print, without_wide},
    plan::{Answer, of_wave, wave_text, windows_of},
    question,
    status::missing,
};
use crate::{
    clock::real_now,
    controller::upgrade_plan::{authors_of, members_of},
};

/// Arguments of `approve`.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The UpgradePlan.
    plan: String,
    /// The wave; by default the one that waits for approvals.
    #[arg(short, long)]
    wave: Option<String>,
    /// Why, for the record: a change number, for example.
    #[arg(short, long)]
    reason: String,
    /// Shows what approving starts, and whether it is allowed; approves nothing.
    #[arg(long)]
    dry_run: bool,
    /// Does not ask.
    #[arg(short, long)]
    yes: bool,
    #[command(flatten)]
    hub: HubArgs,
    /// How the answer looks.
    #[arg(short, long, value_parser = without_wide(), default_value = "table")]
    output: Format,
}

/// What was approved, or would be.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Approved {
    dry_run: bool,
    approval: UpgradeApproval,
    starts: Answer,
}

pub(super) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let hub = args.hub.connect().await?;
    let plan =
        hub.api::<UpgradePlan>().get_opt(&args.plan).await.context("the UpgradePlan cannot be read")?;
    let Some(plan) = plan else { anyhow::bail!(missing(&hub, &args.plan).await?) };
    let (rollout, wave) = match choose(&plan, args.wave.as_deref()) {
        Ok(chosen) => chosen,
        Err(why) => {
            complain(&format!("tidegate: {why}"));
            return Ok(ExitCode::from(2));
        }
    };
    let approver = who(&hub).await?;
    let starts = starts(&hub, &plan, (rollout, wave)).await?;
    let notes = notes(&plan, wave, &approver, &hub.approvals().await?);
    if args.output.render(&()).is_ok_and(|text| text.is_none()) {
        print(&summary(&plan, (rollout, wave), &approver, notes.is_empty()));
        print(&wave_text(&starts));
    }
    for note in notes {
        complain(&format!("tidegate: {note}"));
    }
    if !args.dry_run && !args.yes && !confirmed(&wave.name)? {
        return Ok(ExitCode::from(2));
    }
    let approval = create(&hub, &args, (rollout, wave), approver).await?;
    let done = Approved { dry_run: args.dry_run, approval, starts };
    match args.output.render(&done)? {
        Some(text) => print(&text),
        None if args.dry_run => print("\nit would be allowed; nothing was approved (--dry-run)\n"),
        None => print(&format!(
            "\napproved: UpgradeApproval {}\n  kubectl delete upgradeapproval {0} -n {}   withdraws it until the wave has started\n",
            done.approval.name_any(),
            hub.namespace
        )),
    }
    Ok(ExitCode::SUCCESS)
}

/// What approving a wave starts, with its steps, as far as they are known.
async fn starts(
    hub: &Hub,
    plan: &UpgradePlan,
    (rollout, wave): (&Rollout, &WaveStatus),
) -> anyhow::Result<Answer> {
    // Those that cannot be read are registered all the same.
    let found = hub.find_clusters(None, false).await?;
    let registered: BTreeSet<String> = found.iter().map(|found| found.name.clone()).collect();
    let clusters: Vec<AKSCluster> = found.into_iter().filter_map(|found| found.cluster.ok()).collect();
    let names = starting(plan, &hub.upgrades().await?, &registered, (rollout, wave));
    let windows = windows_of(hub, plan).await.unwrap_or_else(|error| {
        complain(&format!("tidegate: what fits into no window is not shown: {error:#}"));
        Vec::new()
    });
    of_wave(plan, rollout, (&wave.name, &names), (&clusters, &windows), real_now())
}

/// The clusters of a wave that wait to be started, in order: not those that were left out, that another plan has, or
/// that are not registered any more.
fn starting(
    plan: &UpgradePlan,
    upgrades: &[ClusterUpgrade],
    registered: &BTreeSet<String>,
    (rollout, wave): (&Rollout, &WaveStatus),
) -> Vec<String> {
    let members = members_of(plan, upgrades, registered).into_iter();
    let starts = |member: &RolloutMember| {
        (&member.rollout, &member.wave) == (&rollout.id, &wave.name) && member.state() == MemberState::Waiting
    };
    members.filter(starts).map(|member| member.cluster).collect()
}

/// The present rollout, and the wave that is to be approved.
fn choose<'a>(plan: &'a UpgradePlan, asked: Option<&str>) -> Result<(&'a Rollout, &'a WaveStatus), String> {
    let name = plan.name_any();
    let status = plan.status.as_ref();
    let is_seen = status.is_some_and(|status| status.observed_generation == plan.metadata.generation);
    let Some((rollout, status)) =
        status.and_then(|status| Some((status.rollout.as_ref()?, status))).filter(|_| is_seen)
    else {
        return Err(format!(
            "the operator has not looked at UpgradePlan {name} as it is now: there is no rollout to approve yet"
        ));
    };
    let needing: Vec<&str> =
        status.waves.iter().filter(|wave| wave.approvals.is_some()).map(|wave| wave.name.as_str()).collect();
    let list = if needing.is_empty() { "none".to_owned() } else { needing.join(", ") };
    let found = match asked {
        Some(asked) => status.waves.iter().find(|wave| wave.name == *asked && wave.approvals.is_some()),
        None => status.waves.iter().find(|wave| wave.state == "WaitingForApproval"),
    };
    let found = found.ok_or_else(|| match asked {
        Some(asked) => {
            format!(
                "--wave {asked}: no such wave of UpgradePlan {name} needs approvals; those that do: {list}"
            )
        }
        None => format!(
            "no wave of UpgradePlan {name} waits for approvals; those that will need some (--wave): {list}"
        ),
    })?;
    Ok((rollout, found))
}

/// The name that the API server knows the caller by.
async fn who(hub: &Hub) -> anyhow::Result<String> {
    let reviews: Api<SelfSubjectReview> = Api::all(hub.client.clone());
    let answer = reviews
        .create(&PostParams::default(), &SelfSubjectReview::default())
        .await
        .context("the API server does not say who you are")?;
    let user = answer.status.and_then(|status| status.user_info).and_then(|user| user.username);
    user.filter(|name| !name.is_empty()).context("the API server knows you by no name")
}

fn summary(
    plan: &UpgradePlan,
    (rollout, wave): (&Rollout, &WaveStatus),
    approver: &str,
    counts: bool,
) -> String {
    let (given, required) =
        wave.approvals.as_ref().map_or((0, 0), |approvals| (approvals.given, approvals.required));
    let by = wave.approvals.as_ref().map(|approvals| approvals.by.join(", ")).filter(|by| !by.is_empty());
    let by = by.map_or_else(String::new, |by| format!(", by {by}"));
    let turn = match wave.state.as_str() {
        "WaitingForApproval" => "",
        _ => "; its turn comes after the waves before it",
    };
    format!(
        "UpgradePlan {}, rollout {}: wave {} has {given} of {required} approvals{by}{turn}\n\
         approving as {approver} {}\n",
        plan.name_any(),
        rollout.id,
        wave.name,
        match counts {
            false => "does not count, and starts none of these:",
            true if given + 1 >= required => "lets these start:",
            true => "is not enough yet to start these:",
        },
    )
}

/// Why an approval would not count; none when it would.
fn notes(plan: &UpgradePlan, wave: &WaveStatus, approver: &str, known: &[UpgradeApproval]) -> Vec<String> {
    let rollout = plan.status.as_ref().and_then(|status| status.rollout.as_ref());
    let separate = plan.spec.waves.iter().any(|spec| {
        spec.name == wave.name && spec.approvals.as_ref().is_some_and(|asked| asked.separate_author)
    });
    let mut notes = Vec::new();
    if separate && authors_of(plan).iter().any(|author| author == approver) {
        notes.push(format!(
            "your approval will not count: {approver} has written the plan, and approvals.separateAuthor is set"
        ));
    }
    let mine = known.iter().find(|approval| {
        let spec = &approval.spec;
        spec.plan == plan.name_any()
            && spec.wave == wave.name
            && spec.approver == approver
            && rollout.is_some_and(|rollout| rollout.id == spec.rollout)
            && approval.status.as_ref().is_some_and(|status| status.counts)
    });
    if let Some(mine) = mine {
        notes.push(format!(
            "you have approved this wave before (UpgradeApproval {}), and nobody counts twice",
            mine.name_any()
        ));
    }
    notes
}

/// Asks on a terminal; without one somebody has to say `--yes`.
fn confirmed(wave: &str) -> anyhow::Result<bool> {
    if !question::is_possible() {
        complain("tidegate: nobody can be asked here: --yes approves without asking, --dry-run only shows");
        return Ok(false);
    }
    let yes = question::ask(&format!("\napprove wave {wave}?"))?;
    if !yes {
        complain("tidegate: nothing was approved");
    }
    Ok(yes)
}

async fn create(
    hub: &Hub,
    args: &Args,
    (rollout, wave): (&Rollout, &WaveStatus),
    approver: String,
) -> anyhow::Result<UpgradeApproval> {
    let spec = UpgradeApprovalSpec {
        plan: args.plan.clone(),
        rollout: rollout.id.clone(),
        plan_hash: rollout.plan_hash.clone(),
        wave: wave.name.clone(),
        approver,
        reason: args.reason.clone(),
    };
    let mut approval = UpgradeApproval::new("", spec);
    approval.metadata.name = None;
    approval.metadata.generate_name = Some(format!("{}-{}-", rollout.id, wave.name));
    let params = PostParams { dry_run: args.dry_run, ..PostParams::default() };
    let created = hub.api::<UpgradeApproval>().create(&params, &approval).await;
    let mut created = created.context("the approval is refused")?;
    created.metadata.managed_fields = None;
    Ok(created)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn plan(states: [&str; 2]) -> UpgradePlan {
        let wave = |name: &str, state: &str| {
            json!({"name": name, "state": state, "clusters": {"total": 1},
                "approvals": {"required": 2, "given": 1, "by": ["bea"], "starts": "1 clusters"}})
        };
        serde_json::from_value(json!({
            "apiVersion": "tidegate.dev/v1alpha1", "kind": "UpgradePlan",
            "metadata": {"name": "p", "namespace": "fleet", "generation": 2,
                "annotations": {"tidegate.dev/authors": "ann"}},
            "spec": {"target": {"scope": "NodeImage"}, "waves": [
                {"name": "dev", "clusters": {"names": ["a"]}, "approvals": {"required": 2}},
                {"name": "prod", "clusters": {"names": ["b"]},
                    "approvals": {"required": 2, "separateAuthor": true}}]},
            "status": {"observedGeneration": 2,
                "rollout": {"id": "p-1", "number": 1, "planHash": "0", "target": {},
                    "startedAt": "2026-12-05T22:00:00Z"},
                "waves": [wave("dev", states[0]), wave("prod", states[1])]}
        }))
        .unwrap()
    }

    #[test]
    fn the_wave_that_waits_is_approved_and_another_by_name() {
        let waiting = plan(["WaitingForApproval", "Pending"]);
        let chosen = |asked| choose(&waiting, asked).map(|(_, wave)| wave.name.clone());
        assert_eq!(chosen(None), Ok("dev".to_owned()));
        assert_eq!(chosen(Some("prod")), Ok("prod".to_owned()));
        let error = chosen(Some("prd")).unwrap_err();
        assert!(error.contains("--wave prd") && error.ends_with("those that do: dev, prod"), "{error}");
        let pending = plan(["Pending", "Pending"]);
        let error = choose(&pending, None).unwrap_err();
        assert!(error.contains("no wave of UpgradePlan p waits for approvals"), "{error}");
        let mut unseen = waiting.clone();
        unseen.metadata.generation = Some(3);
        assert!(choose(&unseen, None).unwrap_err().contains("has not looked at UpgradePlan p as it is now"));
    }

    #[test]
    fn only_those_that_will_start_are_shown() {
        let mut plan = plan(["Pending", "WaitingForApproval"]);
        plan.metadata.uid = Some("1".to_owned());
        let upgrade = |cluster: &str, rollout: &str, wave: &str, status: serde_json::Value| {
            serde_json::from_value::<ClusterUpgrade>(json!({
                "apiVersion": "tidegate.dev/v1alpha1", "kind": "ClusterUpgrade",
                "metadata": {"name": format!("{rollout}-{cluster}"), "ownerReferences": [{"controller": true,
                    "apiVersion": "tidegate.dev/v1alpha1", "kind": "UpgradePlan", "name": "p", "uid": "1"}]},
                "spec": {"clusterRef": {"name": cluster}, "target": {"scope": "NodeImage"},
                    "plan": {"name": "p", "rollout": rollout, "wave": wave}},
                "status": status
            }))
            .unwrap()
        };
        let at = "2026-12-05T22:00:00Z";
        let mut by_hand = upgrade("taken", "p-1", "prod", json!({}));
        by_hand.metadata.name = Some("by-hand".to_owned());
        by_hand.metadata.owner_references = None;
        by_hand.spec.plan = None;
        let upgrades = [
            upgrade("starts", "p-1", "prod", json!({})),
            upgrade("gone", "p-1", "prod", json!({})),
            upgrade("skipped", "p-1", "prod", json!({"control": {"skipped": true}, "finishedAt": at})),
            upgrade("taken", "p-1", "prod", json!({})),
            upgrade("before", "p-0", "prod", json!({})),
            upgrade("elsewhere", "p-1", "dev", json!({})),
            by_hand,
        ];
        let registered = ["starts", "skipped", "taken", "before", "elsewhere"].map(str::to_owned).into();
        let chosen = choose(&plan, None).unwrap();
        assert_eq!(starting(&plan, &upgrades, &registered, chosen), ["starts"]);
    }

    #[test]
    fn who_does_not_count_is_told_beforehand() {
        let plan = plan(["Pending", "WaitingForApproval"]);
        let (rollout, wave) = choose(&plan, None).unwrap();
        let mine = serde_json::from_value(json!({
            "apiVersion": "tidegate.dev/v1alpha1", "kind": "UpgradeApproval", "metadata": {"name": "p-1-prod-x"},
            "spec": {"plan": "p", "rollout": "p-1", "planHash": "0", "wave": "prod", "approver": "bea",
                "reason": "CHG-1"},
            "status": {"counts": true, "reason": "Counted", "message": "it counts"}
        }))
        .unwrap();
        let known: [UpgradeApproval; 1] = [mine];
        assert!(notes(&plan, wave, "ann", &known)[0].contains("ann has written the plan"));
        assert!(notes(&plan, wave, "bea", &known)[0].contains("UpgradeApproval p-1-prod-x"));
        assert!(notes(&plan, wave, "cem", &known).is_empty());
        let text = summary(&plan, (rollout, wave), "bea", false);
        assert!(text.contains("approving as bea does not count, and starts none of these:"), "{text}");
        let text = summary(&plan, (rollout, wave), "cem", true);
        assert!(
            text.contains("wave prod has 1 of 2 approvals, by bea\napproving as cem lets these start:"),
            "{text}"
        );
    }
}
