//! `tidegate plan`: every step that would run, in order, with the reason; what is left alone; what stands
//! in the way, and what removes it. Changes nothing.

use std::{path::Path, process::ExitCode};

use anyhow::Context as _;
use crds::{AKSCluster, UpgradePlan};
use engine::Request;
use jiff::Timestamp;
use kube::{
    Api, ResourceExt,
    api::{Patch, PatchParams},
};

use super::{
    hub::{Hub, HubArgs},
    output::{Format, print, without_wide},
};
use crate::clock::real_now;

mod answer;
mod render;

pub(super) use answer::RefusalAnswer;
use answer::{Answer, ClusterAnswer};

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
    let hub = args.hub.connect().await?;
    let plan = read(&hub, &args.plan).await?;
    let clusters = hub.clusters().await?;
    let answer = Answer::of(&plan, &clusters, real_now())?;
    match args.output.render(&answer)? {
        Some(text) => print(&text),
        None => print(&render::text(&answer)),
    }
    Ok(if answer.is_stuck() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// All that stands in the way of one cluster's upgrade, as far as its inventory tells.
pub(super) fn in_the_way(cluster: &AKSCluster, request: &Request, now: Timestamp) -> Vec<RefusalAnswer> {
    ClusterAnswer::of(&cluster.name_any(), Some(cluster), request, now).cannot_start
}

/// The plan of that name, or the one in the file, checked by the API server without being stored.
async fn read(hub: &Hub, plan: &str) -> anyhow::Result<UpgradePlan> {
    let api: Api<UpgradePlan> = hub.api();
    if !Path::new(plan).exists() {
        let found = api.get_opt(plan).await.context("the UpgradePlan cannot be read")?;
        return found.with_context(|| {
            format!("there is neither a file nor an UpgradePlan {plan} in namespace {}", hub.namespace)
        });
    }
    let text = std::fs::read_to_string(plan).with_context(|| format!("{plan} cannot be read"))?;
    let documents: Vec<serde_json::Value> =
        serde_saphyr::from_multiple(&text).with_context(|| format!("{plan} is not YAML"))?;
    let mut plans = documents.into_iter().filter(|document| document["kind"] == "UpgradePlan");
    let mut document = plans.next().with_context(|| format!("{plan} has no UpgradePlan"))?;
    anyhow::ensure!(plans.next().is_none(), "{plan} has more than one UpgradePlan: split the file");
    let name = document["metadata"]["name"].as_str().context("metadata.name is missing")?.to_owned();
    let namespace =
        document["metadata"]["namespace"].as_str().map_or_else(|| hub.namespace.clone(), str::to_owned);
    anyhow::ensure!(
        namespace == hub.namespace,
        "metadata.namespace is {namespace}: add --namespace {namespace}"
    );
    document["metadata"]["namespace"] = namespace.into();
    let params = PatchParams {
        dry_run: true,
        force: true,
        field_manager: Some("tidegate-plan".to_owned()),
        field_validation: Some(kube::api::ValidationDirective::Strict),
    };
    api.patch(&name, &params, &Patch::Apply(&document)).await.with_context(|| format!("{plan} is refused"))
}

#[cfg(test)]
mod tests;
