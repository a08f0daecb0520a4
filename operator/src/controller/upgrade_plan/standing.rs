//! How a plan stands, from its waves: in one word and one sentence. Pure.

use engine::{MemberState, Obstacle, RolloutMember, Stance, Watching, Wave, WaveState};

use super::{Invalid, Progress, waits};
use crate::{context::bounded, controller::Standing};

/// Names that a sentence has; of more it says so.
const NAMED: usize = 5;

/// How the plan stands.
pub(super) fn standing(
    suspend: bool,
    (waves, states): (&[Wave], &[WaveState]),
    progress: &Progress,
    watching: Option<&Watching>,
) -> Standing {
    if let Some(obstacle) = &progress.obstacle {
        return hindered(obstacle);
    }
    // Of clusters that have failed within the budget the rollout itself tells more.
    let tells_more =
        |watching: &&Watching| !watching.left.is_empty() && waves.iter().any(|wave| wave.failed() > 0);
    if let Some(watching) = watching.filter(|watching| !tells_more(watching)) {
        return stands(watching.stance(), watching.reason(), &watching.to_string());
    }
    if !progress.rollout.as_ref().is_some_and(|rollout| rollout.members_recorded) {
        return stands(Some(Stance::Working), "Initializing", "the rollout is being prepared");
    }
    if let Some(wave) = waves.iter().find(|wave| wave.is_over_budget()) {
        return Standing { besides: waits::freezes(progress), ..over_budget(wave, progress) };
    }
    let standing = match states.iter().position(|state| !state.is_done()) {
        None => return done(waves, progress),
        Some(_) if suspend => stands(Some(Stance::Parked), "Suspended", "suspended: spec.suspend is true"),
        Some(index) => in_progress(&waves[index], states[index], progress),
    };
    let failed: Vec<&str> = waves.iter().flat_map(|wave| failed(wave, progress)).collect();
    let failed = match failed.is_empty() {
        true => String::new(),
        false => format!("failed within the failure budget: {}", named(&failed)),
    };
    // A plan of which all that was let start is frozen says so itself.
    let frozen = if standing.reason == "Frozen" { String::new() } else { waits::freezes(progress) };
    let besides = [standing.besides, failed, frozen].into_iter().filter(|words| !words.is_empty());
    Standing { besides: besides.collect::<Vec<_>>().join("; "), ..standing }
}

fn stands(stance: Option<Stance>, reason: &str, message: &str) -> Standing {
    Standing { stance, reason: reason.to_owned(), message: bounded(message, 4000), besides: String::new() }
}

/// The clusters of a wave that have failed, by name.
pub(super) fn failed<'a>(wave: &Wave, progress: &'a Progress) -> Vec<&'a str> {
    let mut failed: Vec<&str> =
        stopped(wave, progress).into_iter().map(|member| member.cluster.as_str()).collect();
    failed.sort_unstable();
    failed
}

fn stopped<'a>(wave: &Wave, progress: &'a Progress) -> Vec<&'a RolloutMember> {
    let of_wave =
        |member: &&RolloutMember| member.wave == wave.name && member.state() == MemberState::Stopped;
    progress.members().filter(of_wave).collect()
}

/// A few names; a list that is longer says so.
pub(super) fn named(names: &[&str]) -> String {
    match names.len().checked_sub(NAMED) {
        None | Some(0) => names.join(", "),
        Some(more) => format!("{} and {more} more", names[..NAMED].join(", ")),
    }
}

fn over_budget(wave: &Wave, progress: &Progress) -> Standing {
    let stopped = stopped(wave, progress);
    let first = stopped.iter().min_by_key(|member| &member.name);
    let Some(first) = first else {
        let message = format!(
            "a ClusterUpgrade of wave {} was deleted or cannot be read, and what became of its cluster is not known: change the plan (leave the cluster out, or rename a wave) to start another rollout",
            wave.name
        );
        return stands(Some(Stance::Stopped), "MemberMissing", &message);
    };
    if wave.budget() == 0 || wave.failed() == 1 {
        let standing = first.standing.as_ref();
        let (reason, message) =
            standing.map_or(("Stopped", ""), |standing| (&standing.reason, &standing.message));
        return stands(Some(Stance::Stopped), reason, &format!("cluster {}: {message}", first.cluster));
    }
    let (name, clusters) = (&wave.name, named(&failed(wave, progress)));
    let message = if wave.failed() > wave.budget() {
        format!(
            "more clusters of wave {name} have failed than its failureBudget allows: {clusters}; nothing new starts until some are repaired"
        )
    } else {
        format!(
            "every cluster of wave {name} has failed: {clusters}; nothing new starts until one is repaired"
        )
    };
    stands(Some(Stance::Stopped), "FailureBudgetExceeded", &message)
}

/// All waves are done: with failures somebody has to do something.
fn done(waves: &[Wave], progress: &Progress) -> Standing {
    let failed: Vec<&str> = waves.iter().flat_map(|wave| failed(wave, progress)).collect();
    let deviates = |member: &RolloutMember| !member.ledger.deviations.is_empty();
    if waves.iter().all(|wave| wave.failed() == 0) && progress.members().any(deviates) {
        let message = "every cluster is done, and some pools did not get the image of the rollout, which their region has no more: status.deviations of their ClusterUpgrades names them";
        return stands(None, "Succeeded", message);
    }
    if waves.iter().all(|wave| wave.failed() == 0) {
        return stands(None, "Succeeded", &without_failures(waves));
    }
    let message = match failed.is_empty() {
        true => "all waves are done, but ClusterUpgrades were deleted or cannot be read, and what became of their clusters is not known".to_owned(),
        false => format!(
            "all waves are done, but these clusters have failed: {}; repair them, then retry the plan",
            named(&failed)
        ),
    };
    stands(Some(Stance::Stopped), "CompletedWithFailures", &message)
}

/// How a rollout ended in which no cluster has failed.
fn without_failures(waves: &[Wave]) -> String {
    match waves.iter().map(|wave| wave.count(MemberState::Skipped)).sum::<usize>() {
        0 => "every cluster is at its target".to_owned(),
        1 => "every cluster is at its target, but for one that was left out (tidegate.dev/skip)".to_owned(),
        left_out => {
            format!(
                "every cluster is at its target, but for {left_out} that were left out (tidegate.dev/skip)"
            )
        }
    }
}

fn in_progress(wave: &Wave, state: WaveState, progress: &Progress) -> Standing {
    let name = &wave.name;
    let claimed: Vec<&RolloutMember> = progress
        .members()
        .filter(|member| member.wave == *name && member.state() == MemberState::Claimed)
        .collect();
    let others = claimed.iter().map(|member| {
        let other = member.claimed_by.as_deref().unwrap_or_default();
        format!("{} waits for ClusterUpgrade {other} of an older rollout", member.cluster)
    });
    let others: Vec<String> = others.take(NAMED).collect();
    let moves = wave.count(MemberState::Running) + wave.count(MemberState::Waiting);
    let parked = |reason: &str, message: &str| stands(Some(Stance::Parked), reason, message);
    match state {
        WaveState::Soaking => parked("Soaking", &format!("wave {name} is watched for its soak time")),
        WaveState::WaitingForApproval => {
            let message = format!("wave {name} waits for approvals: tidegate approve shows what they start");
            parked("WaitingForApproval", &message)
        }
        _ if !others.is_empty() && moves == 0 => parked("WaitingForOtherUpgrade", &others.join("; ")),
        WaveState::Pending
        | WaveState::RollingOut
        | WaveState::Stopped
        | WaveState::CompletedWithFailures
        | WaveState::Succeeded => {
            let works =
                || stands(Some(Stance::Working), "RollingOut", &format!("wave {name} is being upgraded"));
            let standing = until_it_may(progress).unwrap_or_else(works);
            Standing { besides: others.join("; "), ..standing }
        }
    }
}

/// Reasons of upgrades that wait until a step may start.
const UNTIL_IT_MAY: [&str; 3] = ["WaitingForWindow", "Frozen", "NotBefore"];

/// How a plan stands of which every cluster that was let start waits until it may: for a window, or for the end of
/// a freeze.
fn until_it_may(progress: &Progress) -> Option<Standing> {
    let works = |member: &&RolloutMember| member.state() == MemberState::Running;
    let waits = |member: &&RolloutMember| {
        let reason = member.standing.as_ref().map(|standing| standing.reason.as_str());
        reason.is_some_and(|reason| UNTIL_IT_MAY.contains(&reason))
    };
    let (waiting, working): (Vec<_>, Vec<_>) = progress.members().filter(works).partition(waits);
    let first = waiting.into_iter().min_by_key(|member| &member.name).filter(|_| working.is_empty())?;
    let standing = first.standing.as_ref()?;
    let message = format!("cluster {}: {}", first.cluster, standing.message);
    Some(stands(Some(Stance::Parked), &standing.reason, &message))
}

fn hindered(obstacle: &Obstacle<Invalid>) -> Standing {
    let working = |reason, message: &str| stands(Some(Stance::Working), reason, message);
    match obstacle {
        Obstacle::Refused(Invalid::Spec(fields)) => {
            let words: Vec<String> = fields.iter().take(5).map(ToString::to_string).collect();
            stands(Some(Stance::Stopped), "InvalidSpec", &words.join("; "))
        }
        Obstacle::Refused(Invalid::Unobserved(clusters)) => {
            let few: Vec<&str> = clusters.iter().take(5).map(String::as_str).collect();
            let message = format!("what Azure offers is not known yet for {}", few.join(", "));
            working("WaitingForInventory", &message)
        }
        Obstacle::EarlierRollout(upgrade) => {
            let message =
                format!("the plan was changed: ClusterUpgrade {} finishes its step first", upgrade.name);
            match upgrade.standing.as_ref().filter(|standing| standing.stopped) {
                Some(standing) => {
                    let message = format!("{message}, which has stopped: {}", standing.message);
                    stands(Some(Stance::Stopped), &standing.reason, &message)
                }
                None => working("WaitingForEarlierRollout", &message),
            }
        }
        Obstacle::NameTaken(name) => {
            let message = format!(
                "ClusterUpgrade {name} is there and not of this plan: it goes by itself if it is left of a deleted plan of the same name, else delete it"
            );
            working("WaitingForEarlierRollout", &message)
        }
        Obstacle::NotLeading => working("NotLeading", "another replica leads"),
    }
}

#[cfg(test)]
mod tests;
