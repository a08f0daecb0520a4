//! `tidegate plan`: every step that would run, in order, with the reason; what is left alone; what stands
//! in the way, and what removes it. Changes nothing.

use std::process::ExitCode;

use anyhow::Context as _;
use crds::{AKSCluster, UpgradePlan};
use engine::{Request, Window};
use jiff::Timestamp;
use kube::{Api, ResourceExt};

use super::{
    hold::stopped_note,
    hub::{Hub, HubArgs},
    output::{Format, complain, print, without_wide},
};
use crate::{clock::real_now, controller::upgrade_plan::upgrade_spec, timing};

mod answer;
mod file;
mod render;

pub(super) use answer::{Answer, RefusalAnswer};
use answer::{ClusterAnswer, WaveAnswer};
use file::PlanFile;

/// Arguments of `plan`.
#[derive(clap::Args)]
pub(super) struct Args {
    /// A file with UpgradePlans, or the name of one that exists.
    plan: String,
    #[command(flatten)]
    hub: HubArgs,
    /// How the answer looks.
    #[arg(short, long, value_parser = without_wide(), default_value = "table")]
    output: Format,
}

pub(super) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let files = match PlanFile::find(&args.plan)? {
        Some(files) => asked_for(files, args.hub.namespace()).into_iter().map(Some).collect(),
        None => vec![None],
    };
    let (mut answers, mut notes) = (Vec::new(), Vec::new());
    for file in &files {
        let (plan, answer) = answer(&args, file.as_ref()).await?;
        notes.extend(stopped_note(&plan));
        answers.push(answer);
    }
    // As kubectl get does: one object, or a list of several.
    let rendered = match &answers[..] {
        [one] => args.output.render(one)?,
        several => args.output.render(&several)?,
    };
    let text = || answers.iter().map(render::text).collect::<Vec<_>>().join("\n");
    print(&rendered.unwrap_or_else(text));
    notes.iter().for_each(|note| complain(&format!("tidegate: {note}")));
    Ok(if answers.iter().any(Answer::is_stuck) { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Of several plans of a file, those of the namespace that is asked for, if any are.
fn asked_for(files: Vec<PlanFile>, namespace: Option<&str>) -> Vec<PlanFile> {
    let is_there = |file: &PlanFile| namespace.is_none_or(|asked| file.namespace() == Some(asked));
    match files.len() > 1 && files.iter().any(is_there) {
        true => files.into_iter().filter(is_there).collect(),
        false => files,
    }
}

/// What one plan would do, of a file or by the name of one that exists.
async fn answer(args: &Args, file: Option<&PlanFile>) -> anyhow::Result<(UpgradePlan, Answer)> {
    let hub = args.hub.connect_for(file.and_then(PlanFile::namespace)).await?;
    let plan = match file {
        Some(file) => file.checked(&hub).await?,
        None => named(&hub, &args.plan).await?,
    };
    let clusters = hub.clusters().await?;
    let windows = windows(&hub, &plan, file).await?;
    let answer = Answer::of(&plan, (&clusters, &windows), real_now())?;
    Ok((plan, answer))
}

/// The windows of a plan: as its file has them, else those that exist.
async fn windows(hub: &Hub, plan: &UpgradePlan, file: Option<&PlanFile>) -> anyhow::Result<Vec<Window>> {
    let mut windows = Vec::new();
    let named = plan.spec.schedule.iter().flat_map(|schedule| &schedule.windows);
    for (index, reference) in named.enumerate() {
        let of_file = match file {
            Some(file) => file.window(hub, &reference.name).await?,
            None => None,
        };
        let found = match of_file {
            Some(found) => found,
            None => {
                let found = timing::window(&hub.client, &hub.namespace, &reference.name).await;
                found.context("the MaintenanceWindows cannot be read")?
            }
        };
        windows.push(found.map_err(|problem| {
            anyhow::anyhow!("UpgradePlan {}: spec.schedule.windows[{index}].name: {problem}", plan.name_any())
        })?);
    }
    Ok(windows)
}

/// The windows of a plan that exists.
///
/// # Errors
/// When they cannot be read, or one of them cannot be used.
pub(super) async fn windows_of(hub: &Hub, plan: &UpgradePlan) -> anyhow::Result<Vec<Window>> {
    windows(hub, plan, None).await
}

/// What is before a wave of the present rollout: its clusters with their steps, as far as the inventory tells.
pub(super) fn of_wave(
    plan: &UpgradePlan,
    rollout: &engine::Rollout,
    (wave, members): (&str, &[String]),
    (clusters, windows): (&[AKSCluster], &[Window]),
    now: Timestamp,
) -> anyhow::Result<Answer> {
    let mut answers = Vec::new();
    for name in members {
        let spec = upgrade_spec(plan, &rollout.target, &rollout.id, wave, name);
        answers.push(ClusterAnswer::planned(name, &spec, (clusters, windows), now)?);
    }
    let wave = WaveAnswer { name: wave.to_owned(), approvals: None, soak: None, clusters: answers };
    let target = rollout.target.kubernetes.clone();
    Ok(Answer { plan: plan.name_any(), target, openings: Vec::new(), waves: vec![wave] })
}

/// The steps of such an answer, for people.
pub(super) fn wave_text(answer: &Answer) -> String {
    match answer.waves.iter().all(|wave| wave.clusters.is_empty()) {
        true => "\nnone of its clusters waits to be started\n".to_owned(),
        false => render::waves(answer),
    }
}

/// All that stands in the way of one cluster's upgrade, as far as its inventory tells.
pub(super) fn in_the_way(cluster: &AKSCluster, request: &Request, now: Timestamp) -> Vec<RefusalAnswer> {
    ClusterAnswer::of(&cluster.name_any(), Some(cluster), request, now).cannot_start
}

/// The plan of that name.
async fn named(hub: &Hub, name: &str) -> anyhow::Result<UpgradePlan> {
    let api: Api<UpgradePlan> = hub.api();
    let found = api.get_opt(name).await.context("the UpgradePlan cannot be read")?;
    found.with_context(|| {
        format!("there is neither a file nor an UpgradePlan {name} in namespace {}", hub.namespace)
    })
}

#[cfg(test)]
mod tests;
