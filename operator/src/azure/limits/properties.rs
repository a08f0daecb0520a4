//! Properties: over any sequence of calls, refusals, reports and pauses.

use azure_mgmt_containerservice::CallKind;
use jiff::ToSpan as _;
use proptest::{collection::vec, prelude::*, sample::select};

use super::{
    tests::{START, at, azure, call, refused},
    *,
};

/// What happens to the limits.
#[derive(Clone, Debug)]
enum Event {
    Pass(i64),
    Ask(CallKind, usize, usize, Urgency),
    Refuse { call: (CallKind, usize), by_aks: bool, seconds: u64 },
    Remaining(CallKind, u32),
}

const KINDS: [CallKind; 7] = [
    CallKind::ListClusters,
    CallKind::GetCluster,
    CallKind::PutCluster,
    CallKind::PutPool,
    CallKind::OperationStatus,
    CallKind::GetPool,
    CallKind::UpgradeNodeImage,
];

fn urgency() -> impl Strategy<Value = Urgency> {
    prop_oneof![3 => Just(Urgency::Upgrade), 1 => Just(Urgency::Inventory)]
}

/// Bursts of calls of few kinds, so that buckets run empty, with pauses from none to minutes.
fn events() -> impl Strategy<Value = Vec<Event>> {
    let pass = prop_oneof![8 => 0..200_i64, 2 => 0..5_000_i64, 1 => 0..200_000_i64].prop_map(Event::Pass);
    let ask = (select(&KINDS[..]), 0..3_usize, 0..2_usize, urgency(), 1..60_usize).prop_map(
        |(kind, cluster, pool, urgency, times)| vec![Event::Ask(kind, cluster, pool, urgency); times],
    );
    let refuse = (select(&KINDS[..]), 0..3_usize, any::<bool>(), 0..200_u64).prop_map(
        |(kind, cluster, by_aks, seconds)| Event::Refuse { call: (kind, cluster), by_aks, seconds },
    );
    let remaining = (select(&KINDS[..]), 0..300_u32).prop_map(|(kind, left)| Event::Remaining(kind, left));
    let one = |event: Event| vec![event];
    let burst = prop_oneof![
        10 => ask,
        8 => pass.prop_map(one),
        1 => refuse.prop_map(one),
        1 => remaining.prop_map(one),
    ];
    vec(burst, 1..40).prop_map(|bursts| bursts.concat())
}

/// What became of the events: instants in milliseconds.
#[derive(Default)]
struct History {
    admitted: BTreeMap<Key, Vec<i64>>,
    /// From, until.
    stops: Vec<(Key, i64, i64)>,
    /// When, and how many were left.
    remaining: Vec<(Key, i64, u32)>,
}

fn run(events: &[Event]) -> History {
    let (mut limits, mut history, mut now) = (Limits::default(), History::default(), 0);
    for event in events {
        match event.clone() {
            Event::Pass(millis) => now += millis,
            Event::Ask(kind, cluster, pool, urgency) => {
                let call = call(kind, cluster, pool);
                if limits.ask(at(now), &call, urgency).is_ok() {
                    for key in [aks_bucket(&call), arm_bucket(&call, kind.is_write())] {
                        history.admitted.entry(key).or_default().push(now);
                    }
                }
            }
            Event::Refuse { call: (kind, cluster), by_aks, seconds } => {
                let call = call(kind, cluster, 0);
                let (code, key) = if by_aks {
                    ("Throttled", aks_bucket(&call))
                } else {
                    ("SubscriptionRequestsThrottled", arm_bucket(&call, kind.is_write()))
                };
                limits.answered(at(now), &call, &refused(Some(code), Some(seconds)));
                history.stops.push((key, now, now + i64::try_from(seconds).unwrap() * 1000));
            }
            Event::Remaining(kind, left) => {
                let call = call(kind, 0, 0);
                let answer = if kind.is_write() {
                    Answered { remaining_writes: Some(left), ..Answered::default() }
                } else {
                    Answered { remaining_reads: Some(left), ..Answered::default() }
                };
                limits.answered(at(now), &call, &answer);
                history.remaining.push((arm_bucket(&call, kind.is_write()), now, left));
            }
        }
    }
    history
}

/// How many calls the share allows between two instants when Azure's bucket holds `burst` at the first.
fn most(burst: f64, rate: f64, millis: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "minutes")]
    let seconds = millis as f64 / 1000.0;
    0.7 * (burst + rate * seconds) + 1e-6
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    /// Exactly, without a call more for rounding: shares are rounded down, and what comes back is counted
    /// in nanoseconds, rounded up.
    #[test]
    fn between_any_two_instants_never_more_than_our_share(events in events()) {
        for ((limit, scope), times) in run(&events).admitted {
            let (burst, rate) = azure(limit);
            for (first, from) in times.iter().enumerate() {
                for (count, until) in (1_u32..).zip(&times[first..]) {
                    prop_assert!(
                        f64::from(count) <= most(burst, rate, until - from),
                        "{count} of {limit:?} {scope} in {} ms", until - from
                    );
                }
            }
        }
    }

    #[test]
    fn nothing_is_sent_before_retry_after_has_passed(events in events()) {
        let history = run(&events);
        for (key, from, until) in &history.stops {
            // Calls of the same instant may have come before the refusal.
            let early = history.admitted.get(key).into_iter().flatten().find(|at| *at > from && *at < until);
            prop_assert_eq!(early, None, "{:?} stopped from {} to {}", key, from, until);
        }
    }

    #[test]
    fn of_what_azure_says_is_left_only_our_share_is_spent(events in events()) {
        let history = run(&events);
        for (key, from, left) in &history.remaining {
            let after: Vec<_> = history.admitted.get(key).into_iter().flatten().filter(|at| *at > from).collect();
            for (count, until) in (1_u32..).zip(after) {
                prop_assert!(f64::from(count) <= most(f64::from(*left), azure(key.0).1, until - from));
            }
        }
    }

    /// As long as upgrades alone would do with half of the share, inventory never makes them wait.
    #[test]
    fn upgrades_are_not_starved_by_inventory(
        steps in vec((0..4_000_i64, 0..60_usize, 0..8_u32), 1..200)
    ) {
        let (mut limits, get) = (Limits::default(), call(CallKind::GetCluster, 0, 0));
        let (mut now, mut upgrades) = (0, 21.0_f64);
        for (millis, inventory, wanted) in steps {
            now += millis;
            upgrades = (upgrades + 0.7 * f64::from(i32::try_from(millis).unwrap()) / 1000.0 - 1e-6).min(21.0);
            for _ in 0..inventory {
                let _ = limits.ask(at(now), &get, Urgency::Inventory);
            }
            for _ in 0..wanted {
                if upgrades >= 1.0 {
                    upgrades -= 1.0;
                    prop_assert_eq!(limits.ask(at(now), &get, Urgency::Upgrade), Ok(()));
                }
            }
        }
    }

    /// Everybody asks again when told to; some give up. A read that waits for AKS does not wait for the
    /// writes before it that wait for Azure Resource Manager.
    #[test]
    fn who_came_first_goes_first_and_everybody_goes(
        wants in vec(
            (select(&KINDS[2..]), 0..2_usize, urgency(), 0..400_i64, prop_oneof![9 => Just(true), 1 => Just(false)]),
            1..120,
        )
    ) {
        let (mut limits, mut now) = (Limits::default(), 0);
        let (mut waiting, mut gone) = (Vec::new(), BTreeMap::<_, u64>::new());
        let nothing = Answered { remaining_reads: Some(0), remaining_writes: Some(0), ..Answered::default() };
        for (kind, cluster, urgency, millis, is_patient) in wants {
            now += millis;
            let call = call(kind, cluster, 0);
            while limits.ask(START, &call, Urgency::Upgrade).is_ok() {}
            limits.answered(START, &call, &nothing);
            waiting.push((at(now), limits.enter(&call, urgency), is_patient));
        }
        let (mut asked, total) = (0, waiting.len());
        while !waiting.is_empty() {
            waiting.sort_by_key(|(wake, ticket, _)| (*wake, ticket.number));
            let (wake, ticket, is_patient) = waiting.remove(0);
            asked += 1;
            prop_assert!(asked < 20 * total + 20, "they ask and ask");
            match limits.take(wake, &ticket) {
                Ok(()) => {
                    let last = gone.entry((ticket.buckets.clone(), ticket.urgency)).or_default();
                    prop_assert!(*last < ticket.number, "{} after {}", ticket.number, last);
                    *last = ticket.number;
                }
                Err(_) if !is_patient => limits.leave(&ticket),
                Err(wait) => {
                    // Each is late by another time, so that those behind it ask before it does.
                    let late = SignedDuration::from_millis(i64::try_from(ticket.number * 7919 % 97).unwrap());
                    waiting.push((wait.until.max(wake + 10.milliseconds()) + late, ticket, is_patient));
                }
            }
        }
        prop_assert!(limits.lines.is_empty());
    }
}
