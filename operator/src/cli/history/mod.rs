//! `tidegate history`: what rollouts and upgrades did, from what to what, how long each step took, who had said
//! yes, and what failed. Told from the status of plans and AKSClusters: ClusterUpgrades may be long gone.

use std::process::ExitCode;

use anyhow::Context as _;
use crds::{AKSCluster, UpgradePlan};
use kube::ResourceExt as _;
use serde::Serialize;

use super::{
    hub::HubArgs,
    output::{Format, complain, print, without_wide},
};

mod answer;
mod render;

use answer::{ClusterAnswer, PlanAnswer};

/// Arguments of `history`.
#[derive(clap::Args)]
pub(super) struct Args {
    /// An UpgradePlan or an AKSCluster; the rollouts of all plans of the namespace without it.
    name: Option<String>,
    #[command(flatten)]
    hub: HubArgs,
    /// How the answer looks.
    #[arg(short, long, value_parser = without_wide(), default_value = "table")]
    output: Format,
}

/// What is remembered: of plans, and of the cluster of the name that was asked for.
#[derive(Serialize)]
struct Answer {
    plans: Vec<PlanAnswer>,
    clusters: Vec<ClusterAnswer>,
}

pub(super) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let hub = args.hub.connect().await?;
    let answer = match &args.name {
        None => {
            Answer { plans: hub.plans().await?.iter().map(PlanAnswer::of).collect(), clusters: Vec::new() }
        }
        Some(name) => {
            let plan =
                hub.api::<UpgradePlan>().get_opt(name).await.context("the UpgradePlan cannot be read")?;
            let cluster =
                hub.api::<AKSCluster>().get_opt(name).await.context("the AKSCluster cannot be read")?;
            anyhow::ensure!(
                plan.is_some() || cluster.is_some(),
                "there is neither an UpgradePlan nor an AKSCluster {name} in namespace {}: `kubectl get upl,aks -n {}` lists them",
                hub.namespace,
                hub.namespace
            );
            let there: Vec<String> = hub.upgrades().await?.iter().map(|upgrade| upgrade.name_any()).collect();
            let cluster = cluster.map(|cluster| ClusterAnswer::of(&cluster, &there));
            Answer {
                plans: plan.iter().map(PlanAnswer::of).collect(),
                clusters: cluster.into_iter().collect(),
            }
        }
    };
    match args.output.render(&answer)? {
        Some(text) => print(&text),
        None if answer.is_empty() => {
            complain(&format!("tidegate: {}", answer.nothing(args.name.as_deref(), &hub.namespace)));
        }
        None => print(&render::text(&answer.plans, &answer.clusters, args.name.is_some())),
    }
    Ok(ExitCode::SUCCESS)
}

impl Answer {
    fn is_empty(&self) -> bool {
        self.plans.iter().all(|plan| plan.rollouts.is_empty())
            && self.clusters.iter().all(|cluster| cluster.upgrades.is_empty())
    }

    fn nothing(&self, name: Option<&str>, namespace: &str) -> String {
        match name {
            Some(name) if self.plans.is_empty() => format!("AKSCluster {name} has not been upgraded yet"),
            Some(name) => {
                format!("UpgradePlan {name} has had no rollout yet in which there was something to do")
            }
            None => format!("no rollout is remembered in namespace {namespace}"),
        }
    }
}

#[cfg(test)]
mod tests;
