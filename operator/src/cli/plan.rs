//! `tidegate plan`: every step that would run, in order, with the reason. Changes nothing.

use std::process::ExitCode;

use anyhow::Context as _;
use crds::{AKSCluster, UpgradePlan};
use engine::{Plan, StepKind, Target};
use jiff::Timestamp;
use kube::{Api, ResourceExt};
use serde::Serialize;

use super::{
    hold::stopped_note,
    hub::{Hub, HubArgs},
    output::{Format, complain, print, without_wide},
    plan_file::PlanFile,
};
use crate::{
    clock::real_now,
    controller::{
        cluster_upgrade,
        upgrade_plan::{Invalid, upgrade_spec, validate},
    },
};

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

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    plan: String,
    target: Option<String>,
    waves: Vec<WaveAnswer>,
}

#[derive(Serialize)]
struct WaveAnswer {
    name: String,
    clusters: Vec<ClusterAnswer>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ClusterAnswer {
    name: String,
    from: String,
    steps: Vec<StepAnswer>,
    left_alone: Vec<String>,
    /// What a person should know beforehand.
    warnings: Vec<String>,
    cannot_start: Vec<String>,
}

#[derive(Serialize)]
struct StepAnswer {
    id: String,
    subject: String,
    from: String,
    to: String,
    nodes: i32,
    why: String,
}

pub(super) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let file = PlanFile::find(&args.plan)?;
    let hub = args.hub.connect_for(file.as_ref().and_then(PlanFile::namespace)).await?;
    let plan = match file {
        Some(file) => file.checked(&hub).await?,
        None => named(&hub, &args.plan).await?,
    };
    let clusters = hub.clusters().await?;
    let valid = match validate(&plan, &clusters, true) {
        Ok(valid) => valid,
        Err(Invalid::Spec(fields)) => {
            let words: Vec<String> = fields.iter().map(ToString::to_string).collect();
            anyhow::bail!("UpgradePlan {}: {}", plan.name_any(), words.join("; "));
        }
        Err(Invalid::Unobserved(names)) => anyhow::bail!(
            "what Azure offers is not known yet for {}: see kubectl describe akscluster",
            names.join(", ")
        ),
    };
    let mut waves = Vec::new();
    for wave in &valid.waves {
        let mut answers = Vec::new();
        for name in &wave.clusters {
            let cluster = clusters.iter().find(|cluster| cluster.name_any() == *name);
            let spec = upgrade_spec(&plan, &valid.target, "rollout", &wave.name, name);
            let request = cluster_upgrade::request(&spec).context("the plan's policy")?;
            answers.push(answer(name, cluster, &request, real_now())?);
        }
        waves.push(WaveAnswer { name: wave.name.clone(), clusters: answers });
    }
    let stuck = waves.iter().flat_map(|wave| &wave.clusters).any(|cluster| !cluster.cannot_start.is_empty());
    let answer = Answer { plan: plan.name_any(), target: valid.target.kubernetes, waves };
    match args.output.render(&answer)? {
        Some(text) => print(&text),
        None => print(&render(&answer)),
    }
    if let Some(note) = stopped_note(&plan) {
        complain(&format!("tidegate: {note}"));
    }
    Ok(if stuck { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// The plan of that name.
async fn named(hub: &Hub, name: &str) -> anyhow::Result<UpgradePlan> {
    let api: Api<UpgradePlan> = hub.api();
    let found = api.get_opt(name).await.context("the UpgradePlan cannot be read")?;
    found.with_context(|| {
        format!("there is neither a file nor an UpgradePlan {name} in namespace {}", hub.namespace)
    })
}

fn answer(
    name: &str,
    cluster: Option<&AKSCluster>,
    request: &engine::Request,
    now: Timestamp,
) -> anyhow::Result<ClusterAnswer> {
    let status = cluster.and_then(|cluster| cluster.status.as_ref());
    let inventory = status.and_then(|status| status.cluster.as_ref().zip(status.offers.as_ref()));
    let (seen, offers) = inventory.with_context(|| {
        format!("what Azure offers is not known yet for {name}: see kubectl describe akscluster {name}")
    })?;
    let kubernetes = request
        .kubernetes
        .as_ref()
        .map(|request| engine::resolve(request, offers, Some(&seen.version)))
        .transpose()?;
    let target = Target {
        scope: request.scope,
        kubernetes,
        node_image: request.node_image,
        max_image_age: request.max_image_age,
    };
    let (plan, cannot_start) = match engine::plan(seen, &target, &request.policy, offers, now) {
        Ok(plan) => (plan, Vec::new()),
        Err(refusals) => (Plan::default(), refusals.iter().map(ToString::to_string).collect()),
    };
    Ok(ClusterAnswer {
        name: name.to_owned(),
        from: seen.version.to_string(),
        steps: plan.steps.iter().map(step).collect(),
        left_alone: plan.left_alone.iter().map(|pool| format!("pool {}: {}", pool.pool, pool.why)).collect(),
        warnings: plan.warnings,
        cannot_start,
    })
}

fn step(planned: &engine::PlannedStep) -> StepAnswer {
    StepAnswer {
        id: planned.step.id(),
        subject: planned.step.subject(),
        from: planned.step.from.clone(),
        to: planned.step.to.clone(),
        nodes: planned.nodes,
        why: match planned.step.kind {
            StepKind::ControlPlane | StepKind::NodePoolImage => planned.why.clone(),
            StepKind::NodePoolVersion => format!("{}; brings the newest image", planned.why),
        },
    }
}

fn render(answer: &Answer) -> String {
    let target = answer.target.as_deref().unwrap_or("per cluster");
    let mut text = format!("UpgradePlan {}   target {target}   (nothing is changed)\n", answer.plan);
    for wave in &answer.waves {
        text.push_str(&format!("\nwave {}\n", wave.name));
        for cluster in &wave.clusters {
            text.push_str(&render_cluster(cluster));
        }
    }
    text
}

fn render_cluster(cluster: &ClusterAnswer) -> String {
    let nodes: i32 = cluster.steps.iter().map(|step| step.nodes).sum();
    let mut text = match (cluster.cannot_start.is_empty(), cluster.steps.len()) {
        (false, _) => format!("{}   {}   cannot start\n", cluster.name, cluster.from),
        (true, 0) => format!("{}   {}   nothing to do\n", cluster.name, cluster.from),
        (true, steps) => {
            let counted = |number, what: &str| match number {
                1 => format!("1 {what}"),
                _ => format!("{number} {what}s"),
            };
            let steps = counted(i64::try_from(steps).unwrap_or(i64::MAX), "step");
            let nodes = counted(i64::from(nodes), "node replacement");
            format!("{}   {}   {steps}, {nodes}\n", cluster.name, cluster.from)
        }
    };
    for (index, step) in cluster.steps.iter().enumerate() {
        let StepAnswer { subject, from, to, why, .. } = step;
        text.push_str(&format!("  {:>2}  {subject:<16} {from} → {to}   {why}\n", index + 1));
    }
    for left in &cluster.left_alone {
        text.push_str(&format!("   –  {left}\n"));
    }
    for reason in cluster.warnings.iter().chain(&cluster.cannot_start) {
        text.push_str(&format!("   !  {reason}\n"));
    }
    text
}
