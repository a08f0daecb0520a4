//! What the clusters of a rollout that were let start wait for, and until when. Pure.
//!
//! A freeze, a window that is closed, `notBefore` and the like are told by each ClusterUpgrade; here they are
//! brought together, so that a wave or a plan shows them also while other clusters of it are worked on.

use std::collections::{BTreeMap, BTreeSet};

use crds::WaveWait;
use engine::{MemberState, RolloutMember};
use jiff::Timestamp;

use super::Progress;
use crate::context::bounded;

/// How long a sentence about what clusters wait for may be, in bytes. One wave at a time has any.
const SENTENCE: usize = 400;
/// Names of clusters that it has for each reason.
const NAMED: usize = 3;
/// Freezes that are told of besides.
const FREEZES: usize = 2;

/// The reason of a cluster under a freeze.
const FROZEN: &str = "Frozen";
/// The reason of a cluster that another upgrade has.
const CLAIMED: &str = "WaitingForOtherUpgrade";

/// What clusters wait for that could be worked on: a freeze first, as somebody has made it; the others by name.
/// It changes when a wait does, and with the first few clusters that have it; not with their number.
pub(super) fn of_wave<'a>(members: impl Iterator<Item = &'a RolloutMember>) -> Option<WaveWait> {
    let mut waits: BTreeMap<(bool, &str), Vec<(&str, &str)>> = BTreeMap::new();
    for member in members {
        if let Some((reason, message)) = wait(member) {
            waits.entry((reason != FROZEN, reason)).or_default().push((&member.cluster, message));
        }
    }
    let ((_, reason), _) = waits.first_key_value()?;
    let reason = (*reason).to_owned();
    let sentences: Vec<String> = waits.into_values().map(sentence).collect();
    Some(WaveWait { reason, message: bounded(&sentences.join("; "), SENTENCE) })
}

/// What one cluster waits for: the reason, and a sentence.
fn wait(member: &RolloutMember) -> Option<(&str, &str)> {
    match member.state() {
        MemberState::Claimed => Some((CLAIMED, "an older rollout of another plan has it")),
        MemberState::Running => {
            let standing = member.standing.as_ref().filter(|standing| standing.parked)?;
            Some((&standing.reason, &standing.message))
        }
        MemberState::Waiting
        | MemberState::Soaking
        | MemberState::Stopped
        | MemberState::Left
        | MemberState::Succeeded
        | MemberState::Skipped => None,
    }
}

/// Clusters, and what the first of them by name waits for.
fn sentence(mut clusters: Vec<(&str, &str)>) -> String {
    clusters.sort_unstable();
    let names: Vec<&str> = clusters.iter().take(NAMED).map(|(cluster, _)| *cluster).collect();
    let more = if clusters.len() > NAMED { " and more" } else { "" };
    let message = clusters.first().map_or("", |(_, message)| message);
    format!("{}{more}: {message}", names.join(", "))
}

/// The freezes that hold clusters which were let start, each in its own words; empty if there are none.
pub(super) fn freezes(progress: &Progress) -> String {
    let frozen = progress.members().filter_map(wait).filter(|(reason, _)| *reason == FROZEN);
    let freezes: BTreeSet<&str> = frozen.map(|(_, message)| message).collect();
    match freezes.into_iter().take(FREEZES).collect::<Vec<_>>() {
        none if none.is_empty() => String::new(),
        freezes => format!("clusters that wait: {}", freezes.join("; ")),
    }
}

/// When the first wait of the clusters that were let start passes by itself, as far as they tell.
pub(super) fn next_attempt(progress: &Progress) -> Option<Timestamp> {
    let goes_on = |member: &&RolloutMember| match member.state() {
        MemberState::Running | MemberState::Soaking => true,
        MemberState::Waiting
        | MemberState::Claimed
        | MemberState::Stopped
        | MemberState::Left
        | MemberState::Succeeded
        | MemberState::Skipped => false,
    };
    let waits = progress.members().filter(goes_on).filter_map(|member| member.standing.as_ref());
    waits.filter_map(|standing| standing.next_attempt).min()
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            member::tests::{stands, upgrade},
            waves::tests::progress,
        },
        *,
    };
    use serde_json::json;

    fn waits(name: &str, reason: &str, message: &str, next: Option<&str>) -> RolloutMember {
        let mut status = stands("Parked", reason);
        status["summary"]["message"] = json!(message);
        status["summary"]["nextAttempt"] = json!(next);
        upgrade(name, true, &status)
    }

    fn told(members: &[RolloutMember]) -> (String, String) {
        of_wave(members.iter()).map(|wait| (wait.reason, wait.message)).unwrap_or_default()
    }

    #[test]
    fn a_wave_says_what_its_clusters_wait_for_a_freeze_first() {
        let works = upgrade("w", true, &stands("Working", "UpgradingNodePool"));
        let turn = upgrade("t", false, &stands("Parked", "WaitingForWave"));
        let soaks = upgrade("s", true, &stands("Parked", "Soaking"));
        assert_eq!(told(&[works.clone(), turn.clone(), soaks]), (String::new(), String::new()));
        let window = |name: &str| waits(name, "WaitingForWindow", "waits until window w opens", None);
        let frozen = waits("z", "Frozen", "frozen by UpgradeFreeze f: inventory", None);
        let (reason, message) = told(&[works, turn, window("b"), window("a"), frozen]);
        assert_eq!(reason, "Frozen");
        assert_eq!(message, "z: frozen by UpgradeFreeze f: inventory; a, b: waits until window w opens");
        let claimed =
            RolloutMember { claimed_by: Some("old-1-c".to_owned()), ..upgrade("c", false, &json!({})) };
        assert_eq!(told(&[claimed]).1, "c: an older rollout of another plan has it");
    }

    #[test]
    fn it_is_bounded_and_steady_however_many_wait() {
        let many = |number: usize| -> Vec<RolloutMember> {
            (0..number).map(|n| waits(&format!("c{n:03}"), "Frozen", &"x".repeat(300), None)).collect()
        };
        let (_, message) = told(&many(200));
        assert!(
            message.starts_with("c000, c001, c002 and more: x") && message.len() <= SENTENCE,
            "{message}"
        );
        assert_eq!(told(&many(200)), told(&many(199)), "the number alone is no news");
    }

    #[test]
    fn the_next_attempt_is_the_first_that_comes_by_itself() {
        let (early, late) = ("2026-12-06T22:00:00Z", "2026-12-20T00:00:00Z");
        let mut failed = waits("f", "StepTimeout", "m", Some("2026-12-05T22:00:00Z"));
        failed.standing.as_mut().unwrap().stopped = true;
        let all = vec![
            waits("a", "Frozen", "m", Some(late)),
            waits("b", "WaitingForWindow", "m", Some(early)),
            waits("c", "Frozen", "m", None),
            failed,
        ];
        let all = progress(all);
        assert_eq!(next_attempt(&all), Some(early.parse().unwrap()));
        assert_eq!(freezes(&all), "clusters that wait: m");
        let none = progress(vec![upgrade("t", false, &json!({}))]);
        assert_eq!((next_attempt(&none), freezes(&none)), (None, String::new()));
    }
}
