//! When a step that was refused, or has failed, is sent again, and whether that is an attempt. Pure.

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    time::Duration,
};

use super::View;
use crate::{
    failure::{Failure, FailureClass},
    instants::asked,
    ledger::{Operation, Phase},
    planted::{PlantedBug, planted},
};

/// A blocked step is tried again at this pace even if nothing seems to have changed:
/// quota and policy change where we cannot see it.
pub(super) const BLOCKED_PACE: Duration = Duration::from_secs(30 * 60);
/// Busy clusters and preempted operations are looked at again after this.
const BUSY_PACE: Duration = Duration::from_secs(30);
/// A step that ends without effect so often is not preempted by chance: it counts as failed. One that is refused
/// so often because the cluster is busy, which nothing shows, is sent less and less often.
const PREEMPTIONS: i32 = 5;
/// Two refusals are in a row when there is no more than this between them: the longest pause, and the looks around
/// it.
pub(super) const IN_A_ROW: Duration = Duration::from_secs(30 * 60);
/// Code of an operation that somebody aborted.
pub(super) const ABORTED: &str = "OperationCanceled";
/// First and largest pause after a failure that passes by itself.
const BACKOFF: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(600));
/// How much longer a pause may become, in thousandths. A wave sends its steps in the same second, and what
/// then refuses one of them, a region out of order or a limit that they share, refuses all of them: with
/// pauses of one length they would come back together, and be refused together, each time. A quarter
/// spreads those that wait half a minute over eight seconds, and those that wait ten minutes over two and
/// a half, and nobody notices that it took so much longer.
const JITTER: u64 = 250;

/// What follows from a failure.
pub(super) struct Again {
    /// The pause before it is sent again; `None` for never.
    pub(super) pause: Option<Duration>,
    /// Whether that is an attempt.
    pub(super) counts: bool,
}

/// How long to wait before the step is sent again, if ever.
pub(super) fn after(
    operation: &Operation,
    failure: &Failure,
    retry_after: Option<Duration>,
    view: &View<'_>,
) -> Again {
    let retry_after = asked(retry_after);
    let pause = jittered(backoff(operation.resubmissions).max(retry_after), operation, view);
    let retries = i32::try_from(view.request.policy.retries).unwrap_or(i32::MAX);
    let may_try_again = operation.attempt <= retries || planted(PlantedBug::EndlessAttempts);
    let attempt = Again { pause: may_try_again.then_some(pause), counts: may_try_again };
    let without_effect = matches!(operation.phase, Phase::Submitted | Phase::Verifying);
    let never = Again { pause: None, counts: false };
    let in_a_while = |pause| Again { pause: Some(pause), counts: false };
    match failure.class() {
        // Somebody stopped it on purpose: only a person starts it again.
        _ if failure.code.as_deref() == Some(ABORTED) => never,
        FailureClass::Transient if planted(PlantedBug::TransientIsFinal) => never,
        FailureClass::Blocked if planted(PlantedBug::BlockedIsFinal) => never,
        FailureClass::Failed if planted(PlantedBug::FailedIsTransient) => in_a_while(pause),
        FailureClass::Transient if view.now >= operation.deadline => never,
        FailureClass::Transient => in_a_while(pause),
        FailureClass::Busy if without_effect && operation.resubmissions >= PREEMPTIONS => attempt,
        FailureClass::Busy if operation.resubmissions >= PREEMPTIONS => {
            let longer = backoff(operation.resubmissions - PREEMPTIONS + 1).max(retry_after);
            in_a_while(jittered(longer, operation, view))
        }
        FailureClass::Busy => in_a_while(BUSY_PACE.max(retry_after)),
        FailureClass::Blocked => in_a_while(BLOCKED_PACE),
        FailureClass::Failed => attempt,
        FailureClass::Bug => never,
    }
}

/// Doubles from the first pause to the largest.
pub(super) fn backoff(resubmissions: i32) -> Duration {
    let (first, largest) = BACKOFF;
    let doublings = u32::try_from(resubmissions).unwrap_or(0).min(16);
    first.saturating_mul(1 << doublings).min(largest)
}

/// The pause, and up to a quarter of it, in whole seconds: another part for each cluster and each try, and
/// always the same for the same.
fn jittered(pause: Duration, operation: &Operation, view: &View<'_>) -> Duration {
    let mut hasher = DefaultHasher::new();
    let cluster = view.seen.cluster.as_ref().ok();
    cluster.map(|cluster| (&cluster.name, &cluster.location)).hash(&mut hasher);
    (&operation.step_id, operation.intent_at.as_second(), operation.resubmissions).hash(&mut hasher);
    let thousandths = hasher.finish() % (JITTER + 1);
    let more = pause.as_millis().saturating_mul(u128::from(thousandths)) / 1_000_000;
    pause.saturating_add(Duration::from_secs(u64::try_from(more).unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Ledger, Observation, Scope,
        ledger::StepRecord,
        testing::{cluster, request, world::start},
    };

    fn operation(resubmissions: i32) -> Operation {
        let at = start().to_string();
        let mut operation: Operation = serde_json::from_value(serde_json::json!({
            "stepId": "cp-1.34.4", "phase": "Intent", "attempt": 1, "intentAt": at,
            "deadline": "2026-12-31T00:00:00Z", "since": at,
        }))
        .unwrap();
        operation.resubmissions = resubmissions;
        operation
    }

    fn pause(name: &str, resubmissions: i32, retry_after: Option<u64>) -> u64 {
        let request = request(Scope::ControlPlane, None);
        let cluster = crate::Cluster { name: name.to_owned(), ..cluster("1.34.2") };
        let seen = Observation { cluster: Ok(cluster), ..Observation::default() };
        let ledger = Ledger { steps: Vec::<StepRecord>::new(), ..Ledger::default() };
        let view = View { request: &request, ledger: &ledger, seen: &seen, now: start() };
        let failure = Failure::new(Some(503), None, None, "unavailable");
        let again = after(&operation(resubmissions), &failure, retry_after.map(Duration::from_secs), &view);
        assert!(!again.counts);
        again.pause.unwrap().as_secs()
    }

    #[test]
    fn pauses_grow_and_differ_by_cluster_and_by_try() {
        for (resubmissions, base) in [(0, 30), (1, 60), (2, 120), (4, 480), (5, 600), (40, 600)] {
            let pauses: Vec<u64> =
                (0..40).map(|number| pause(&format!("weu-{number}"), resubmissions, None)).collect();
            assert!(
                pauses.iter().all(|pause| (base..=base + base / 4).contains(pause)),
                "{base}: {pauses:?}"
            );
            let different = pauses.iter().collect::<std::collections::BTreeSet<_>>().len();
            assert!(different >= 6, "of one wave they come back together: {pauses:?}");
            assert_eq!(pause("weu-1", resubmissions, None), pause("weu-1", resubmissions, None));
        }
        let tries: Vec<u64> = (5..20).map(|resubmissions| pause("weu-1", resubmissions, None)).collect();
        assert!(tries.windows(2).any(|pair| pair[0] != pair[1]), "{tries:?}");
    }

    #[test]
    fn never_earlier_than_azure_asks() {
        for number in 0..40 {
            let pause = pause(&format!("weu-{number}"), 0, Some(420));
            assert!((420..=525).contains(&pause), "{pause}");
        }
    }
}
