//! Tables and properties. The numbers are Azure's, written down once more, so that a slip in the table of
//! shares shows.

use azure_mgmt_containerservice::CallKind;
use jiff::ToSpan as _;
use proptest::{collection::vec, prelude::*, sample::select};

use super::*;

const START: Timestamp = Timestamp::constant(1_780_000_000, 0);

fn at(millis: i64) -> Timestamp {
    START + SignedDuration::from_millis(millis)
}

/// A call about the pool `pool` of the cluster `cluster` of the subscription `s`, or about what they are in.
fn call(kind: CallKind, cluster: usize, pool: usize) -> Call {
    let group = "/subscriptions/s/resourcegroups/g";
    let cluster = format!("{group}/providers/microsoft.containerservice/managedclusters/c{cluster}");
    let scope = match kind {
        CallKind::ListClusters if pool == 1 => group.to_owned(),
        CallKind::ListClusters | CallKind::OperationStatus | CallKind::KubernetesVersions => {
            "/subscriptions/s".to_owned()
        }
        CallKind::PutPool | CallKind::GetPool | CallKind::UpgradeNodeImage => {
            format!("{cluster}/agentpools/p{pool}")
        }
        _ => cluster,
    };
    Call { kind, scope }
}

/// What azure.md says: burst, calls a second.
fn azure(limit: Limit) -> (f64, f64) {
    match limit {
        Limit::ListClusters => (500.0, 1.0),
        Limit::ListClustersInGroup | Limit::GetCluster | Limit::Other => (60.0, 1.0),
        Limit::PutCluster | Limit::PutPool => (20.0, 1.0 / 60.0),
        Limit::OperationStatus => (200.0, 2.0),
        Limit::ArmReads => (250.0, 25.0),
        Limit::ArmWrites => (200.0, 10.0),
    }
}

impl Limits {
    /// Without standing in line.
    fn ask(&mut self, now: Timestamp, call: &Call, urgency: Urgency) -> Result<(), Wait> {
        let ticket = self.enter(call, urgency);
        let answer = self.take(now, &ticket);
        self.leave(&ticket);
        answer
    }
}

fn refused(code: Option<&str>, retry_after: Option<u64>) -> Answered {
    Answered {
        status: Some(429),
        code: code.map(str::to_owned),
        retry_after: retry_after.map(Duration::from_secs),
        ..Answered::default()
    }
}

#[test]
fn each_limit_is_spent_to_seventy_per_cent_and_half_of_that_by_inventory() {
    use CallKind::{GetCluster, GetPool, ListClusters, OperationStatus, PutCluster, PutPool, UserCredential};
    let table = [
        (ListClusters, 0, Limit::ListClusters),
        (ListClusters, 1, Limit::ListClustersInGroup),
        (GetCluster, 0, Limit::GetCluster),
        (PutCluster, 0, Limit::PutCluster),
        (PutPool, 0, Limit::PutPool),
        (OperationStatus, 0, Limit::OperationStatus),
        (GetPool, 0, Limit::Other),
        (UserCredential, 0, Limit::Other),
    ];
    for (kind, pool, limit) in table {
        for (urgency, share) in [(Urgency::Upgrade, 0.7), (Urgency::Inventory, 0.35)] {
            // Ten calls a second: no more than Azure Resource Manager lets through.
            let (burst, rate) = azure(limit);
            let most = |calls: f64| share * burst + 0.7 * rate * (calls - 1.0) / 10.0;
            let expected = (1..).map(f64::from).take_while(|calls| *calls <= most(*calls)).count();
            let (mut limits, mut made) = (Limits::default(), 0);
            let wait = loop {
                match limits.ask(at(made * 100), &call(kind, 0, pool), urgency) {
                    Ok(()) => made += 1,
                    Err(wait) => break wait,
                }
            };
            assert_eq!(
                (usize::try_from(made).unwrap(), wait.limit),
                (expected, limit),
                "{kind:?} {urgency:?}"
            );
            limits.ask(wait.until - 1.millisecond(), &call(kind, 0, pool), urgency).unwrap_err();
            limits.ask(wait.until, &call(kind, 0, pool), urgency).unwrap();
        }
    }
}

#[test]
fn azure_resource_manager_counts_all_clusters_of_a_subscription_together() {
    for (kind, most, limit) in
        [(CallKind::GetCluster, 175, Limit::ArmReads), (CallKind::PutPool, 140, Limit::ArmWrites)]
    {
        let mut limits = Limits::default();
        let refused = (0..400).find_map(|cluster| {
            Some((cluster, limits.ask(START, &call(kind, cluster, 0), Urgency::Upgrade).err()?.limit))
        });
        assert_eq!(refused, Some((most, limit)));
        let elsewhere = Call { kind, scope: "/subscriptions/other".to_owned() };
        limits.ask(START, &elsewhere, Urgency::Upgrade).unwrap();
    }
}

#[test]
fn a_refusal_stops_the_bucket_that_it_names_and_no_other() {
    let (get, other) = (call(CallKind::GetCluster, 0, 0), call(CallKind::GetCluster, 1, 0));
    let mut limits = Limits::default();
    limits.answered(START, &get, &refused(Some("Throttled"), Some(17)));
    let wait = limits.ask(at(16_999), &get, Urgency::Upgrade).unwrap_err();
    assert_eq!(wait, Wait { limit: Limit::GetCluster, until: at(17_000), refused: true });
    assert_eq!(wait.words(), "for reads of one cluster (Azure refused one with 429)");
    limits.answered(START, &get, &refused(Some("Throttled"), Some(1)));
    limits.ask(at(16_999), &get, Urgency::Upgrade).expect_err("the longer one counts");
    limits.ask(START, &other, Urgency::Upgrade).unwrap();
    limits.ask(at(17_000), &get, Urgency::Upgrade).unwrap();

    // It was empty at the refusal: what came back since is 0.7 × 17 calls, and one was made.
    let more = (0..).take_while(|_| limits.ask(at(17_000), &get, Urgency::Upgrade).is_ok()).count();
    assert_eq!(more, 10);

    for code in [Some("SubscriptionRequestsThrottled"), None] {
        let mut limits = Limits::default();
        limits.answered(START, &get, &refused(code, None));
        let wait = limits.ask(at(59_999), &other, Urgency::Upgrade).unwrap_err();
        assert_eq!((wait.limit, wait.until), (Limit::ArmReads, at(60_000)), "{code:?}");
        limits.ask(START, &call(CallKind::PutPool, 0, 0), Urgency::Upgrade).unwrap();
    }
}

#[test]
fn a_refusal_without_measure_and_a_clock_set_back_do_not_stop_for_ever() {
    let get = call(CallKind::GetCluster, 0, 0);
    let mut limits = Limits::default();
    limits.answered(START, &get, &refused(Some("Throttled"), Some(u64::MAX)));
    limits.ask(START + 24.hours(), &get, Urgency::Upgrade).unwrap();

    let mut limits = Limits::default();
    while limits.ask(START, &get, Urgency::Upgrade).is_ok() {}
    let earlier = START - 1000.hours();
    let wait = limits.ask(earlier, &get, Urgency::Upgrade).unwrap_err();
    assert!(wait.until.duration_since(earlier) < SignedDuration::from_secs(2), "{wait:?}");
}

#[test]
fn what_is_full_again_is_forgotten() {
    let mut limits = Limits::default();
    for second in 0..20_000 {
        let get = call(CallKind::GetCluster, usize::try_from(second).unwrap(), 0);
        limits.ask(at(second * 1000), &get, Urgency::Inventory).unwrap();
        assert!(limits.buckets.len() <= FEW, "{} after {second} s", limits.buckets.len());
    }
}

#[test]
fn the_budget_is_the_lowest_of_each_kind_and_what_azure_reported_lately() {
    let mut limits = Limits::default();
    let share = |limits: &Limits, limit, millis| {
        let shares = limits.budget(at(millis)).shares;
        assert_eq!(shares.len(), Limit::ALL.len());
        shares.into_iter().find(|(kind, _)| *kind == limit).unwrap().1
    };
    assert!((share(&limits, Limit::PutPool, 0) - 1.0).abs() < 1e-9);
    for _ in 0..7 {
        limits.ask(START, &call(CallKind::PutPool, 0, 0), Urgency::Upgrade).unwrap();
    }
    limits.ask(START, &call(CallKind::PutPool, 0, 1), Urgency::Upgrade).unwrap();
    assert!((share(&limits, Limit::PutPool, 0) - 0.5).abs() < 1e-9);
    assert!((share(&limits, Limit::ArmWrites, 0) - 132.0 / 140.0).abs() < 1e-9);
    assert!((share(&limits, Limit::PutPool, 600_000) - 1.0).abs() < 1e-6);
    let reads = |left| Answered { remaining_reads: Some(left), ..Answered::default() };
    limits.answered(
        START,
        &Call { kind: CallKind::GetCluster, scope: "/subscriptions/t".to_owned() },
        &reads(249),
    );
    limits.answered(START, &call(CallKind::GetCluster, 0, 0), &reads(16_499));
    assert_eq!((limits.budget(at(1000)).arm_reads, limits.budget(at(1000)).arm_writes), (Some(249), None));
    assert_eq!(limits.budget(at(300_000)).arm_reads, None);
    limits.answered(START, &call(CallKind::PutPool, 0, 0), &refused(Some("Throttled"), Some(9)));
    assert!(share(&limits, Limit::PutPool, 8_999).abs() < 1e-9);
}

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
                let left = Some(left);
                let answer = if kind.is_write() {
                    Answered { remaining_writes: left, ..Answered::default() }
                } else {
                    Answered { remaining_reads: left, ..Answered::default() }
                };
                limits.answered(at(now), &call, &answer);
                history.remaining.push((arm_bucket(&call, kind.is_write()), now, left.unwrap()));
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
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

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
