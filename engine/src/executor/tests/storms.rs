//! Everything at once: random answers, deaths, lost writes. The world checks every submission.

use proptest::prelude::*;

use super::*;
use crate::{
    Stance,
    testing::world::{Answer, Crash, World},
};

fn answer() -> impl Strategy<Value = Answer> {
    let throttled = failure(Some(429), "Throttled", "too many requests");
    let busy = failure(Some(409), "OperationNotAllowed", "another operation is in progress");
    let quota = failure(Some(400), "QuotaExceeded", "exceeding approved Total Regional Cores quota");
    prop_oneof![
        6 => Just(Answer::Accept),
        1 => Just(Answer::LostAfterEffect),
        1 => Just(Answer::LostBefore),
        1 => Just(Answer::Refuse(throttled, Some(2 * MINUTE))),
        1 => Just(Answer::Refuse(busy, None)),
        1 => Just(Answer::HoldBack(2 * MINUTE)),
        1 => Just(Answer::Refuse(quota, None)),
        1 => Just(Answer::FailLater(timed_out())),
        1 => Just(Answer::FailLater(drain_blocked())),
        1 => Just(Answer::Preempt),
        1 => Just(Answer::Abort),
        1 => Just(Answer::Cancel(timed_out())),
        1 => Just(Answer::Pretend),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_happens_it_ends_at_the_target_or_says_what_a_person_must_do(
        answers in prop::collection::vec(answer(), 0..12),
        deaths in prop::collection::vec((1..60_usize, any::<bool>()), 0..6),
        conflicts in 0..3_usize,
        listing_every in 5..400_u64,
    ) {
        let world = World::at("1.34.2").answers(answers);
        world.state().takes = Duration::from_secs(50);
        world.state().conflicts = conflicts;
        world.state().listing_every = Duration::from_secs(listing_every);
        let mut request = full("1.35");
        let mut deaths = deaths.into_iter();
        for token in 0..40 {
            if let Some((after, after_effect)) = deaths.next() {
                let at = world.state().calls + after;
                world.state().crash = Some(Crash { at, after_effect });
            }
            let stopped = world.until(&request, |waiting| waiting.stance() == Stance::Stopped);
            let Some(stopped) = stopped else { break };
            prop_assert!(
                ["OperationFailed", "OperationBlocked", "DrainBlocked", "NodesNotUpdated"].contains(&stopped.reason()),
                "{stopped:?}"
            );
            request = retried(&request, &token.to_string());
        }
        let state = world.state();
        prop_assert!(state.stored.finished_at.is_some(), "{:?}", state.stored);
        prop_assert!(state.cluster.pools.iter().all(|pool| pool.version.to_string() == "1.35.2"));
        prop_assert!(state.nodes.values().flatten().all(|node| node.kubelet == Some(state.cluster.version.clone())));
        let mut done = state.done.clone();
        done.dedup();
        prop_assert_eq!(done.len(), 5, "each step has its effect once: {:?}", state.done);
    }
}
