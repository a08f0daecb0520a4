//! What is remembered, for people.

use std::cmp::Reverse;

use engine::{Outcome, PastStep, ResolvedTarget, RolloutRecord};
use jiff::Timestamp;

use super::{
    super::output::{brief, indented_table, local, table},
    answer::{ClusterAnswer, PlanAnswer, UpgradeAnswer},
};

/// A line each rollout; with `all`, also what failed and who approved. Then a line each step of a cluster.
pub(super) fn text(plans: &[PlanAnswer], clusters: &[ClusterAnswer], all: bool) -> String {
    let mut text = String::new();
    let mut rollouts: Vec<(&PlanAnswer, &RolloutRecord)> =
        plans.iter().flat_map(|plan| plan.rollouts.iter().map(move |rollout| (plan, rollout))).collect();
    rollouts.sort_by_key(|(_, rollout)| Reverse(rollout.started_at));
    let rows: Vec<Vec<String>> = rollouts.iter().map(|(plan, rollout)| row(plan, rollout)).collect();
    if !rows.is_empty() {
        text.push_str(&table(
            &["ROLLOUT", "FROM", "TO", "OUTCOME", "CLUSTERS", "POOLS ROLLED", "STARTED", "TOOK"],
            rows,
        ));
    }
    if all {
        rollouts.iter().for_each(|(_, rollout)| text.push_str(&remarks(rollout)));
    }
    for cluster in clusters {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&format!("AKSCluster {}/{}\n", cluster.namespace, cluster.cluster));
        cluster.upgrades.iter().for_each(|upgrade| text.push_str(&steps(upgrade)));
    }
    text
}

fn row(plan: &PlanAnswer, rollout: &RolloutRecord) -> Vec<String> {
    let has_stopped = rollout.outcome == Outcome::Running && plan.stopped.as_ref() == Some(&rollout.id);
    let from = match rollout.from.as_slice() {
        [] => "–".to_owned(),
        [one] => one.clone(),
        [first, .., last] => format!("{first} to {last}"),
    };
    vec![
        rollout.id.clone(),
        from,
        target(&rollout.target),
        if has_stopped { "Stopped".to_owned() } else { format!("{:?}", rollout.outcome) },
        format!("{}/{}", rollout.succeeded, rollout.clusters),
        rollout.pools_rolled.to_string(),
        local(rollout.started_at),
        took(Some(rollout.started_at), rollout.ended_at),
    ]
}

fn target(target: &ResolvedTarget) -> String {
    match (&target.kubernetes, target.images.is_empty()) {
        (Some(version), true) => version.clone(),
        (Some(version), false) => format!("{version}, one image"),
        (None, false) => "one image".to_owned(),
        (None, true) => "newest".to_owned(),
    }
}

/// What there is to say of a rollout besides its line.
fn remarks(rollout: &RolloutRecord) -> String {
    let mut lines = Vec::new();
    for failed in &rollout.failed {
        lines.push(format!(
            "✖ {}: cluster {} had stopped: {}, {}",
            rollout.id,
            failed.cluster,
            failed.reason,
            brief(&failed.message)
        ));
    }
    if rollout.deviating_pools > 0 {
        lines.push(format!(
            "!  {}: {} pools did not get the image of the rollout: their region had a newer one by then",
            rollout.id, rollout.deviating_pools
        ));
    }
    for approved in &rollout.approvals {
        let why = approved.reason.as_ref().map(|reason| format!(": {}", brief(reason))).unwrap_or_default();
        lines.push(format!(
            "✔ {}: wave {} approved by {}, {}{why}",
            rollout.id,
            approved.wave,
            approved.approver,
            local(approved.at)
        ));
    }
    if rollout.outcome == Outcome::Replaced {
        lines.push(format!("!  {}: the plan was changed before it was done", rollout.id));
    }
    lines.iter().map(|line| format!("{line}\n")).collect()
}

fn steps(upgrade: &UpgradeAnswer) -> String {
    let record = &upgrade.record;
    let rollout =
        record.rollout.as_ref().map_or_else(|| "by hand".to_owned(), |rollout| format!("rollout {rollout}"));
    let mut text = format!(
        "{}   {rollout}   {}   {}   {}\n",
        record.upgrade,
        upgrade.outcome,
        local(record.started_at),
        took(Some(record.started_at), record.finished_at)
    );
    if record.left_out > 0 {
        text.push_str(&format!("  {} earlier steps are not kept\n", record.left_out));
    }
    let rows = record.steps.iter().map(|past| step(past, record.skipped)).collect();
    text.push_str(&indented_table(&["STEP", "FROM", "TO", "STARTED", "TOOK", "ATTEMPTS"], rows));
    for (step, why) in record.steps.iter().filter_map(|step| Some((step, step.failure.as_ref()?))) {
        text.push_str(&match step.finished_at {
            Some(_) => format!("  !  {} had failed before: {}\n", step.subject, brief(why)),
            None => format!("  ✖ {}: {}\n", step.subject, brief(why)),
        });
    }
    record.deviations.iter().for_each(|words| text.push_str(&format!("  !  {words}\n")));
    text
}

fn step(step: &PastStep, skipped: bool) -> Vec<String> {
    vec![
        step.subject.clone(),
        step.from.clone(),
        step.to.clone(),
        step.started_at.map_or_else(|| "–".to_owned(), local),
        match step.finished_at {
            Some(_) => took(step.started_at, step.finished_at),
            // Whoever leaves a cluster out leaves the step in flight as it is.
            None if skipped && step.failure.is_none() => "left".to_owned(),
            None => "failed".to_owned(),
        },
        step.attempts.unwrap_or(1).to_string(),
    ]
}

/// How long something took, rounded to what matters.
fn took(from: Option<Timestamp>, until: Option<Timestamp>) -> String {
    let Some((from, until)) = from.zip(until) else { return "–".to_owned() };
    let minutes = until.duration_since(from).as_mins().max(0);
    match (minutes / 1440, minutes / 60 % 24, minutes % 60) {
        (0, 0, 0) => "under 1 m".to_owned(),
        (0, 0, minutes) => format!("{minutes} m"),
        (0, hours, minutes) => format!("{hours} h {minutes} m"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}
