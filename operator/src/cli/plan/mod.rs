//! `tidegate plan`: every step that would run, in order, with the reason; what is left alone; what stands
//! in the way, and what removes it. Changes nothing.

use std::process::ExitCode;

use anyhow::Context as _;
use crds::{AKSCluster, UpgradePlan};
use engine::Request;
use jiff::Timestamp;
use kube::{Api, ResourceExt};

use super::{
    hold::stopped_note,
    hub::{Hub, HubArgs},
    output::{Format, complain, print, without_wide},
};
use crate::clock::real_now;

mod answer;
mod file;
mod render;

pub(super) use answer::RefusalAnswer;
use answer::{Answer, ClusterAnswer};
use file::PlanFile;

/// Arguments of `plan`.
#[derive(clap::Args)]
pub(super) struct Args {
    /// A file with an UpgradePlan, or the name of one that exists.
    plan: String,
    #[command(flatten)]
    hub: HubArgs,
    /// How the answer looks.
    #[arg(short, long, value_parser = without_wide(), default_value = "table")]
    output: Format,
}

pub(super) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let file = PlanFile::find(&args.plan)?;
    let hub = args.hub.connect_for(file.as_ref().and_then(PlanFile::namespace)).await?;
    let plan = match file {
        Some(file) => file.checked(&hub).await?,
        None => named(&hub, &args.plan).await?,
    };
    let clusters = hub.clusters().await?;
    let answer = Answer::of(&plan, &clusters, real_now())?;
    match args.output.render(&answer)? {
        Some(text) => print(&text),
        None => print(&render::text(&answer)),
    }
    if let Some(note) = stopped_note(&plan) {
        complain(&format!("tidegate: {note}"));
    }
    Ok(if answer.is_stuck() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
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
