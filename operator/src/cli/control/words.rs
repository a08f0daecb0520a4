//! What a verb does now to an upgrade, as far as its record tells; and whether it would do anything. Pure.

use crds::ClusterUpgrade;
use engine::{Ledger, Operation, Phase, StepKind, StepRecord, StepState};

use crate::cli::standing::{is_halted, is_stopped, summary};

fn ledger(upgrade: &ClusterUpgrade) -> Ledger {
    upgrade.status.as_ref().map(|status| status.ledger.clone()).unwrap_or_default()
}

/// The phase of an upgrade of which nothing is left to do.
pub(super) fn ended(upgrade: &ClusterUpgrade) -> Option<&str> {
    let status = upgrade.status.as_ref()?;
    status.ledger.finished_at?;
    Some(status.summary.as_ref().map_or("Succeeded", |summary| &summary.phase))
}

/// Whether Azure works on a step of it.
pub(super) fn runs_in_azure(upgrade: &ClusterUpgrade) -> bool {
    let operation = upgrade.status.as_ref().and_then(|status| status.ledger.operation.as_ref());
    operation.is_some_and(|operation| operation.phase == Phase::Submitted)
}

fn in_flight(ledger: &Ledger) -> Option<(&Operation, String)> {
    let (operation, record) = ledger.current()?;
    Some((operation, record.words()))
}

pub(super) fn of_plan(suspend: bool, is_done: bool) -> String {
    let words = match (suspend, is_done) {
        (true, false) => "steps in flight end, nothing new starts in any of its clusters",
        (true, true) => "it is suspended already",
        (false, false) => "its clusters go on",
        (false, true) => "it is not suspended",
    };
    words.to_owned()
}

const UPGRADED_AGAIN: &str = "what was aborted or rolled back is upgraded again";

/// What trying all of a plan again that have stopped reopens, by name.
pub(super) fn reopened(stopped: &[&ClusterUpgrade]) -> String {
    let names: Vec<String> = stopped
        .iter()
        .map(|upgrade| {
            let reason = summary(upgrade).map_or("", |stands| &stands.reason);
            format!("{} ({reason})", upgrade.spec.cluster_ref.name)
        })
        .collect();
    let words = format!("what has stopped goes on with the versions of the rollout: {}", names.join(", "));
    if stopped.iter().any(|upgrade| is_halted(upgrade)) {
        format!("{words}; {UPGRADED_AGAIN}")
    } else {
        words
    }
}

pub(super) fn suspended(upgrade: &ClusterUpgrade, suspend: bool) -> String {
    if upgrade.spec.suspend == suspend {
        return if suspend { "it is suspended already" } else { "it is not suspended" }.to_owned();
    }
    let held = upgrade.spec.plan.as_ref().filter(|plan| plan.suspended);
    match (suspend, in_flight(&ledger(upgrade)), held) {
        (true, Some((operation, step)), _) if operation.phase != Phase::Intent => {
            format!("the step in flight ({step}) ends, nothing new starts")
        }
        (true, _, _) => "nothing new starts".to_owned(),
        (false, _, Some(plan)) => format!("UpgradePlan {} holds it, too: resume that as well", plan.name),
        (false, _, None) => "it goes on".to_owned(),
    }
}

pub(super) fn retried(upgrade: &ClusterUpgrade) -> String {
    match summary(upgrade) {
        Some(stands) if is_halted(upgrade) => {
            format!("goes on from {}: {UPGRADED_AGAIN}", stands.reason)
        }
        Some(stands) if is_stopped(upgrade) => {
            format!("goes on from {}, with the versions as they are now", stands.reason)
        }
        Some(stands) => {
            format!("it has not stopped ({}): pauses end, and versions count as they are now", stands.reason)
        }
        None => "it has not begun: nothing changes".to_owned(),
    }
}

/// What it does, and whether that is to be asked for first.
pub(super) fn skipped(upgrade: &ClusterUpgrade) -> (String, bool) {
    let ledger = ledger(upgrade);
    let (first, is_grave) = match in_flight(&ledger) {
        Some((operation, step)) if operation.phase == Phase::Submitted => {
            (format!("what Azure does ({step}) ends and is not aborted; settings are put back; then"), true)
        }
        Some((_, step)) => {
            (format!("the step in flight ({step}) is left as it is; settings are put back; then"), true)
        }
        None => ("nothing more is done;".to_owned(), ledger.progress().0 > 0),
    };
    let without_it = match &upgrade.spec.plan {
        Some(plan) => format!(
            ", and UpgradePlan {} goes on without it, to the next wave if nothing else holds it",
            plan.name
        ),
        None => String::new(),
    };
    (format!("{first} the cluster is left out, not at its target{without_it}"), is_grave)
}

/// # Errors
/// When there is nothing that could be aborted.
pub(super) fn aborted(upgrade: &ClusterUpgrade) -> Result<String, String> {
    let ledger = ledger(upgrade);
    match in_flight(&ledger) {
        Some((operation, step)) if operation.phase == Phase::Submitted => Ok(format!(
            "what Azure does ({step}) is stopped where it is, and nothing is undone: nodes may be left cordoned or of both kinds; nothing goes on until tidegate retry"
        )),
        Some((_, step)) => Err(format!(
            "no operation of it runs in Azure now ({step} is in flight, and Azure is not at it): tidegate suspend keeps the next step from starting"
        )),
        None => Err("nothing is in flight: tidegate suspend keeps the next step from starting".to_owned()),
    }
}

/// # Errors
/// When this upgrade has not upgraded the pool, or something else is in flight.
pub(super) fn rolled_back(upgrade: &ClusterUpgrade, pool: &str) -> Result<String, String> {
    let ledger = ledger(upgrade);
    let last = last_upgrade(&ledger, pool)?;
    let is_other = |(_, record): &(&Operation, &StepRecord)| record.step.pool.as_deref() != Some(pool);
    if let Some((_, other)) = ledger.current().filter(is_other) {
        return Err(format!(
            "{} is in flight: wait for its end, or tidegate abort it first",
            other.step.subject()
        ));
    }
    if runs_in_azure(upgrade) {
        return Err(format!(
            "Azure works on pool {pool} ({}): wait for its end, or tidegate abort it first",
            last.words()
        ));
    }
    let nodes = last.nodes;
    Ok(format!(
        "pool {pool} returns to {}, with the image that it had; its nodes ({nodes}) are replaced again; nothing goes on until tidegate retry; Azure allows it for seven days, with automatic upgrades off",
        match last.step.kind {
            StepKind::NodePoolImage => format!("image {}", last.step.from),
            StepKind::ControlPlane | StepKind::NodePoolVersion | StepKind::NodePoolRollback =>
                last.step.from.clone(),
        }
    ))
}

fn last_upgrade<'a>(ledger: &'a Ledger, pool: &str) -> Result<&'a StepRecord, String> {
    let has_begun = |record: &&StepRecord| match record.state {
        StepState::Running | StepState::Failed | StepState::Succeeded => {
            record.step.pool.is_some() && !record.step.is_rollback() && !record.repair
        }
        StepState::Planned | StepState::Dropped => false,
    };
    let upgraded = || ledger.steps.iter().filter(has_begun);
    let found = upgraded().rfind(|record| record.step.pool.as_deref() == Some(pool));
    found.ok_or_else(|| {
        let names: Vec<&str> = upgraded().filter_map(|record| record.step.pool.as_deref()).collect();
        match names.join(", ") {
            none if none.is_empty() => {
                format!("it has upgraded no node pool yet, so that pool {pool} cannot be rolled back")
            }
            names => format!("it has not upgraded a node pool {pool}; it has upgraded {names}"),
        }
    })
}
