//! Our limits against the simulator's own buckets, in virtual time: whatever is asked, as long as it is
//! asked through the limits, Azure refuses nothing.

use azure_mgmt_containerservice::CallKind;
use simulator::{
    Scenario,
    effects::ClusterKey,
    world::{Answer, Call as AzureCall, PoolKey, World},
};

use super::*;

/// Subscriptions share regions, and regions subscriptions.
const REGIONS: [(&str, &str); 3] = [("s1", "westeurope"), ("s1", "northeurope"), ("s2", "westeurope")];
const CLUSTERS: usize = 9;

const KINDS: [CallKind; 14] = [
    CallKind::ListClusters,
    CallKind::GetCluster,
    CallKind::PutCluster,
    CallKind::ClusterUpgradeProfile,
    CallKind::UserCredential,
    CallKind::AbortCluster,
    CallKind::ListPools,
    CallKind::GetPool,
    CallKind::PutPool,
    CallKind::PoolUpgradeProfile,
    CallKind::UpgradeNodeImage,
    CallKind::AbortPool,
    CallKind::KubernetesVersions,
    CallKind::OperationStatus,
];

/// The same numbers in each run (Knuth's MMIX generator).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }
}

fn world() -> World {
    let clusters: String = (0..CLUSTERS)
        .map(|index| {
            let (subscription, location) = REGIONS[index % REGIONS.len()];
            format!(
                "\n- {{ subscription: {subscription}, resourceGroup: g, name: c{index}, location: {location}, \
                 kubernetesVersion: 1.34.4, pools: [{{ name: p0, mode: System }}, {{ name: p1 }}] }}"
            )
        })
        .collect();
    World::new(&Scenario::parse(&format!("throttling: true\nclusters: {clusters}")).unwrap())
}

/// One request, as our client describes it and as Azure understands it.
fn request(kind: CallKind, index: usize, pool: usize) -> (Call, AzureCall) {
    let (subscription, location) = REGIONS[index % REGIONS.len()];
    let (subscription, whole) = (subscription.to_owned(), format!("/subscriptions/{subscription}"));
    let id =
        format!("{whole}/resourcegroups/g/providers/microsoft.containerservice/managedclusters/c{index}");
    let (cluster, location) = (ClusterKey(id.clone()), location.to_owned());
    let pool = PoolKey { cluster: cluster.clone(), name: format!("p{pool}") };
    let of_pool = format!("{id}/agentpools/{}", pool.name);
    let (body, if_match) = (serde_json::Value::Null, None);
    let (scope, call) = match kind {
        CallKind::ListClusters if index < REGIONS.len() => {
            let resource_group = Some("g".to_owned());
            (
                format!("{whole}/resourcegroups/g"),
                AzureCall::ListClusters { subscription, resource_group, skip: 0 },
            )
        }
        CallKind::ListClusters => {
            (whole, AzureCall::ListClusters { subscription, resource_group: None, skip: 0 })
        }
        CallKind::GetCluster => (id, AzureCall::GetCluster { cluster }),
        CallKind::PutCluster => (id, AzureCall::PutCluster { cluster, body, if_match }),
        CallKind::ClusterUpgradeProfile => (id, AzureCall::ClusterUpgradeProfile { cluster }),
        CallKind::UserCredential => (id, AzureCall::UserCredential { cluster }),
        CallKind::AbortCluster => (id, AzureCall::AbortCluster { cluster }),
        CallKind::ListPools => (id, AzureCall::ListPools { cluster, skip: 0 }),
        CallKind::GetPool => (of_pool, AzureCall::GetPool { pool }),
        CallKind::PutPool => (of_pool, AzureCall::PutPool { pool, body, if_match }),
        CallKind::PoolUpgradeProfile => (of_pool, AzureCall::PoolUpgradeProfile { pool }),
        CallKind::UpgradeNodeImage => (of_pool, AzureCall::UpgradeNodeImage { pool }),
        CallKind::AbortPool => (of_pool, AzureCall::AbortPool { pool }),
        CallKind::KubernetesVersions => (whole, AzureCall::KubernetesVersions { subscription, location }),
        CallKind::OperationStatus => {
            (whole, AzureCall::Operation { subscription, location, id: "o".to_owned() })
        }
        CallKind::AvailablePoolVersions
        | CallKind::ListMachines
        | CallKind::GetMachine
        | CallKind::ListMaintenanceConfigurations
        | CallKind::GetMaintenanceConfiguration
        | CallKind::NodeImageVersions
        | CallKind::OperationResult
        | CallKind::ListPermissions
        | CallKind::ListLocks => unreachable!("the operator does not ask for it: KINDS leaves it out"),
    };
    (Call { kind, scope }, call)
}

/// What our client tells of an answer.
fn answered(answer: &Answer) -> Answered {
    Answered {
        status: Some(answer.status),
        retry_after: answer.retry_after.map(|seconds| Duration::from_secs(seconds.into())),
        remaining_reads: answer.remaining.map(|remaining| remaining.reads.into()),
        remaining_writes: answer.remaining.map(|remaining| remaining.writes.into()),
        ..Answered::default()
    }
}

/// What came of a day of calls.
#[derive(Debug, Default)]
struct Day {
    hours: i64,
    sent: u32,
    held_back: u32,
    refused: u32,
}

/// Bursts of calls of one kind, some of which wait until they may be sent while others give up, and
/// pauses. Without limits everything is sent at once.
fn day(seed: u64, limited: bool) -> Day {
    let (mut dice, mut world, mut limits, mut day) = (Dice(seed), world(), Limits::default(), Day::default());
    let start: Timestamp = "2026-12-05T22:00:00Z".parse().unwrap();
    let mut now = start;
    for _ in 0..400 {
        let (kind, cluster) = (KINDS[dice.roll(KINDS.len())], dice.roll(CLUSTERS));
        let spread = dice.roll(2) == 0;
        let is_patient = dice.roll(4) == 0;
        for _ in 0..dice.roll(120) {
            let cluster = if spread { dice.roll(CLUSTERS) } else { cluster };
            let (call, azure_call) = request(kind, cluster, dice.roll(2));
            let urgency = if dice.roll(3) == 0 { Urgency::Inventory } else { Urgency::Upgrade };
            let ticket = limits.enter(&call, urgency);
            while limited && let Err(wait) = limits.take(now, &ticket) {
                assert!(!wait.refused, "{wait:?}");
                day.held_back += 1;
                if !is_patient {
                    break;
                }
                now = wait.until;
            }
            let may_go = !limited || is_patient || limits.take(now, &ticket).is_ok();
            limits.leave(&ticket);
            if may_go {
                day.sent += 1;
                let answer = world.call(now, "operator", azure_call);
                day.refused += u32::from(answer.status == 429);
                limits.answered(now, &call, &answered(&answer));
            }
        }
        let pause = [0, 10, 200, 3_000, 60_000][dice.roll(5)];
        now += SignedDuration::from_millis(i64::try_from(dice.roll(pause + 1)).unwrap());
    }
    day.hours = now.duration_since(start).as_hours();
    day
}

#[test]
fn azure_refuses_nothing_that_our_limits_let_through() {
    let mut total = Day::default();
    for seed in 0..2 {
        let day = day(seed, true);
        assert_eq!(day.refused, 0, "seed {seed}: {day:?}");
        total.sent += day.sent;
        total.held_back += day.held_back;
        total.hours += day.hours;
    }
    assert!(total.sent > 10_000 && total.held_back > 10_000 && total.hours > 10, "{total:?}");
}

/// So that the test above could fail.
#[test]
fn without_limits_azure_refuses_much() {
    let day = day(0, false);
    assert!(day.refused > 1000, "{day:?}");
}

/// Another tool has spent nearly all reads with our identity: how many of our next 200 are refused.
fn refused_after_another_tool(listens: bool) -> usize {
    let (mut world, mut limits) = (world(), Limits::default());
    let mut now: Timestamp = "2026-12-05T22:00:00Z".parse().unwrap();
    let (call, azure_call) = request(CallKind::ListClusters, REGIONS.len(), 0);
    for _ in 0..240 {
        assert_eq!(world.call(now, "operator", azure_call.clone()).status, 200);
    }
    let mut refused = 0;
    for _ in 0..200 {
        let ticket = limits.enter(&call, Urgency::Upgrade);
        while let Err(wait) = limits.take(now, &ticket) {
            now = wait.until;
        }
        let answer = world.call(now, "operator", azure_call.clone());
        refused += usize::from(answer.status == 429);
        if listens {
            limits.answered(now, &call, &answered(&answer));
        }
    }
    refused
}

#[test]
fn what_another_tool_spends_is_learned_from_the_answers() {
    assert_eq!(refused_after_another_tool(true), 0);
    assert!(refused_after_another_tool(false) > 100, "so that it could fail");
}
