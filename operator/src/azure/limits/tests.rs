//! Tables. The numbers are Azure's, written down once more, so that a slip in the table of shares shows.

use azure_mgmt_containerservice::CallKind;
use jiff::ToSpan as _;

use super::*;

pub(super) const START: Timestamp = Timestamp::constant(1_780_000_000, 0);

pub(super) fn at(millis: i64) -> Timestamp {
    START + SignedDuration::from_millis(millis)
}

/// A call about the pool `pool` of the cluster `cluster` of the subscription `s`, or about what they are in.
pub(super) fn call(kind: CallKind, cluster: usize, pool: usize) -> Call {
    let group = "/subscriptions/s/resourcegroups/g";
    let cluster = format!("{group}/providers/microsoft.containerservice/managedclusters/c{cluster}");
    let of_pools = [CallKind::PutPool, CallKind::GetPool, CallKind::UpgradeNodeImage];
    let of_clusters = [CallKind::GetCluster, CallKind::PutCluster, CallKind::UserCredential];
    let scope = if of_pools.contains(&kind) {
        format!("{cluster}/agentpools/p{pool}")
    } else if of_clusters.contains(&kind) {
        cluster
    } else if kind == CallKind::ListClusters && pool == 1 {
        group.to_owned()
    } else {
        "/subscriptions/s".to_owned()
    };
    Call { kind, scope }
}

/// What Microsoft documents: burst, calls a second.
pub(super) fn azure(limit: Limit) -> (f64, f64) {
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
    pub(super) fn ask(&mut self, now: Timestamp, call: &Call, urgency: Urgency) -> Result<(), Wait> {
        let ticket = self.enter(call, urgency);
        let answer = self.take(now, &ticket);
        self.leave(&ticket);
        answer
    }
}

pub(super) fn refused(code: Option<&str>, retry_after: Option<u64>) -> Answered {
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
fn the_guide_names_every_limit() {
    let guide = include_str!("../../../../docs/metrics.md");
    for limit in Limit::ALL {
        assert!(guide.contains(&format!("| {} | ", limit.as_str())), "{limit:?}");
    }
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
