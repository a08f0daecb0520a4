//! A plan for people: a line each step, and one each thing that is left alone, said or in the way.

use engine::StepKind;

use super::{
    super::{image::version_of, output::local},
    answer::{Answer, ClusterAnswer, LeftAnswer, NodesAnswer, StepAnswer, WaveAnswer},
};

/// The whole plan, wave by wave.
pub(super) fn text(answer: &Answer) -> String {
    let target = answer.target.as_deref().unwrap_or("per cluster");
    let mut text = format!("UpgradePlan {}   target {target}   (nothing is changed)\n", answer.plan);
    for opening in &answer.openings {
        text.push_str(&format!(
            "window {} opens {} until {}\n",
            opening.window,
            local(opening.from),
            local(opening.until)
        ));
    }
    text.push_str(&waves(answer));
    text
}

/// The waves alone.
pub(super) fn waves(answer: &Answer) -> String {
    let mut text = String::new();
    for wave in &answer.waves {
        text.push_str(&format!("\nwave {}{}\n", wave.name, around(wave)));
        for cluster in &wave.clusters {
            text.push_str(&cluster_text(cluster));
        }
    }
    text
}

/// What is before and after the clusters of a wave.
fn around(wave: &WaveAnswer) -> String {
    let approvals = match wave.approvals {
        None => String::new(),
        Some(1) => "   needs 1 approval".to_owned(),
        Some(needed) => format!("   needs {needed} approvals"),
    };
    let soak = wave.soak.map(|soak| format!("   each cluster is watched for {soak} after its last step"));
    approvals + &soak.unwrap_or_default()
}

fn cluster_text(cluster: &ClusterAnswer) -> String {
    let mut text = format!("{}   {}   {}\n", cluster.name, way(cluster), summary(cluster));
    for refusal in &cluster.cannot_start {
        text.push_str(&format!("   ✖  in the way: {}\n", refusal.message));
    }
    let widths = [
        cluster.steps.iter().map(|step| step.subject.chars().count()).max().unwrap_or_default(),
        cluster.steps.iter().map(|step| change(step).chars().count()).max().unwrap_or_default(),
    ];
    for (index, step) in cluster.steps.iter().enumerate() {
        text.push_str(&step_line(index + 1, step, widths));
    }
    for left in &cluster.left_alone {
        text.push_str(&format!("   –  {}\n", left_alone(left)));
    }
    for warning in &cluster.warnings {
        text.push_str(&format!("   !  note: {warning}\n"));
    }
    text
}

/// The control plane's version, and where it ends.
fn way(cluster: &ClusterAnswer) -> String {
    let from = cluster.from.as_deref().unwrap_or("unknown");
    let last = cluster.steps.iter().rfind(|step| step.kind == StepKind::ControlPlane);
    last.map_or_else(|| from.to_owned(), |last| format!("{from} → {}", last.to))
}

fn summary(cluster: &ClusterAnswer) -> String {
    let steps = match cluster.steps.len() {
        0 => None,
        1 => Some("1 step".to_owned()),
        number => Some(format!("{number} steps")),
    };
    let work = steps.map(|steps| format!("{steps}, {}", nodes(&cluster.nodes)));
    match (cluster.cannot_start.is_empty(), work) {
        (true, None) => "nothing to do".to_owned(),
        (true, Some(work)) => work,
        (false, None) => "cannot start".to_owned(),
        (false, Some(work)) => format!("cannot start; then {work}"),
    }
}

fn nodes(nodes: &NodesAnswer) -> String {
    match (nodes.affected, nodes.replacements) {
        (_, 0) => "no node replaced".to_owned(),
        (1, 1) => "1 node replaced once".to_owned(),
        (affected, replacements) if affected == replacements => format!("{affected} nodes replaced once"),
        (affected, replacements) => format!("{replacements} replacements of {affected} nodes"),
    }
}

fn step_line(number: usize, step: &StepAnswer, [subject, change_width]: [usize; 2]) -> String {
    let nodes = match step.nodes {
        _ if step.pool.is_none() => String::new(),
        1 => "1 node, ".to_owned(),
        nodes => format!("{nodes} nodes, "),
    };
    let takes = &step.takes;
    let soak = step.soak.as_ref().map(|soak| format!("; watched for {soak} afterwards")).unwrap_or_default();
    let (name, change, why) = (&step.subject, change(step), &step.why);
    format!("  {number:>2}  {name:<subject$}   {change:<change_width$}   {nodes}about {takes}; {why}{soak}\n")
}

/// From where to where; images by the part of their name that changes.
fn change(step: &StepAnswer) -> String {
    match step.kind {
        _ if step.repair => format!("{} again", step.to),
        StepKind::NodePoolImage => format!("image {} → {}", version_of(&step.from), version_of(&step.to)),
        StepKind::ControlPlane | StepKind::NodePoolVersion | StepKind::NodePoolRollback => {
            format!("{} → {}", step.from, step.to)
        }
    }
}

fn left_alone(left: &LeftAnswer) -> String {
    match &left.pool {
        Some(pool) => format!("pool {pool} left alone: {}", left.why),
        None => format!("nodes outside of pools left alone: {}", left.why),
    }
}
