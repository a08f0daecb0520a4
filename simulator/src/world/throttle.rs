//! The token buckets in front of every call, refilled in simulated time. Off unless the scenario
//! turns them on.
//!
//! Two layers, as in Azure: Azure Resource Manager counts reads and writes per subscription and
//! principal ("Understand how Azure Resource Manager throttles requests"), the AKS resource
//! provider counts calls per subscription or resource in each region ("Throttling limits on AKS
//! resource provider APIs"). A call that the second layer refuses has been counted by the first.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::call::{Answer, Call, PoolKey, Refusal, Remaining};

/// How many calls a bucket holds, and how many seconds the next one takes.
#[derive(Clone, Copy, Debug)]
struct Limit {
    burst: f64,
    seconds_per_call: f64,
}

const fn limit(burst: f64, seconds_per_call: f64) -> Limit {
    Limit { burst, seconds_per_call }
}

const LIST_IN_SUBSCRIPTION: Limit = limit(500.0, 1.0);
const LIST_IN_GROUP: Limit = limit(60.0, 1.0);
const GET_CLUSTER: Limit = limit(60.0, 1.0);
const PUT_CLUSTER: Limit = limit(20.0, 60.0);
const PUT_POOL: Limit = limit(20.0, 60.0);
const OPERATION: Limit = limit(200.0, 0.5);
const OTHER: Limit = limit(60.0, 1.0);

const READS: Limit = limit(250.0, 0.04);
const WRITES: Limit = limit(200.0, 0.1);

/// All buckets that were used so far.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    buckets: BTreeMap<String, Bucket>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    calls: f64,
    at: Timestamp,
}

impl Throttle {
    /// Takes one call out of its buckets, or says how long to stay away.
    ///
    /// `location` is the region of the cluster that the call is about, where there is one.
    pub(crate) fn admit(
        &mut self,
        now: Timestamp,
        caller: &str,
        call: &Call,
        location: Option<&str>,
    ) -> Result<Remaining, Box<Answer>> {
        let subscription = call.subscription();
        let principal = format!("{subscription} {caller}");
        let (reads, writes) = (format!("reads {principal}"), format!("writes {principal}"));
        let (name, size, kind) =
            if call.is_read() { (&reads, READS, "read") } else { (&writes, WRITES, "write") };
        let taken = self.take(now, name, size);
        let remaining =
            Remaining { reads: self.left(now, &reads, READS), writes: self.left(now, &writes, WRITES) };
        if let Err(wait) = taken {
            return Err(refuse(wait, remaining, by_resource_manager(wait, &subscription, caller, kind)));
        }
        let Some(bucket) = bucket(call, &subscription, location.unwrap_or_default()) else {
            return Ok(remaining);
        };
        match self.take(now, &bucket.name, bucket.limit) {
            Ok(()) => Ok(remaining),
            Err(wait) => Err(refuse(wait, remaining, by_provider(wait, &subscription, bucket.handler))),
        }
    }

    /// Takes one call out of a bucket, or says how many seconds the next one takes.
    fn take(&mut self, now: Timestamp, name: &str, limit: Limit) -> Result<(), u32> {
        let bucket = self.buckets.entry(name.to_owned()).or_insert(Bucket { calls: limit.burst, at: now });
        bucket.refill(now, limit);
        if bucket.calls >= 1.0 {
            bucket.calls -= 1.0;
            return Ok(());
        }
        let wait = ((1.0 - bucket.calls) * limit.seconds_per_call).ceil().max(1.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 1 and 60")]
        Err(wait as u32)
    }

    fn left(&self, now: Timestamp, name: &str, limit: Limit) -> u16 {
        let full = Bucket { calls: limit.burst, at: now };
        let mut bucket = self.buckets.get(name).copied().unwrap_or(full);
        bucket.refill(now, limit);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 250")]
        let left = bucket.calls.floor() as u16;
        left
    }
}

impl Bucket {
    fn refill(&mut self, now: Timestamp, limit: Limit) {
        let passed = now.duration_since(self.at).as_secs_f64().max(0.0);
        self.calls = (self.calls + passed / limit.seconds_per_call).min(limit.burst);
        self.at = self.at.max(now);
    }
}

fn refuse(wait: u32, remaining: Remaining, refusal: Refusal) -> Box<Answer> {
    Box::new(Answer { retry_after: Some(wait), remaining: Some(remaining), ..Answer::from(refusal) })
}

fn by_resource_manager(wait: u32, subscription: &str, caller: &str, kind: &str) -> Refusal {
    let message = format!(
        "Number of '{kind}' requests for subscription '{subscription}' actor '{caller}' exceeded. Please try again \
         after '{wait}' seconds after additional tokens are available. Refer to https://aka.ms/arm-throttling for \
         additional information."
    );
    Refusal::arm(429, "SubscriptionRequestsThrottled", message)
}

fn by_provider(wait: u32, subscription: &str, handler: &str) -> Refusal {
    let message = format!(
        "The {handler} request limit has been exceeded for SubID='{subscription}', please retry again in {wait} \
         seconds. For more information, please visit aka.ms/aks/throttling"
    );
    Refusal::aks(429, "Throttled", "", message)
}

/// A bucket of the AKS resource provider, and what its refusal calls it.
struct Named {
    name: String,
    limit: Limit,
    handler: &'static str,
}

/// The bucket of a call; none for what Azure Resource Manager answers itself.
fn bucket(call: &Call, subscription: &str, location: &str) -> Option<Named> {
    let named = |name: String, limit: Limit, handler: &'static str| Named { name, limit, handler };
    Some(match call {
        Call::Manager(_) => return None,
        Call::ListClusters { resource_group: None, .. } => {
            named(format!("list {subscription}"), LIST_IN_SUBSCRIPTION, "ListManagedClustersHandler.GET")
        }
        Call::ListClusters { resource_group: Some(group), .. } => named(
            format!("list {subscription}/{}", group.to_lowercase()),
            LIST_IN_GROUP,
            "ListManagedClustersByResourceGroupHandler.GET",
        ),
        Call::GetCluster { cluster } => {
            named(format!("get {}", cluster.0), GET_CLUSTER, "GetManagedClusterHandler.GET")
        }
        Call::PutCluster { cluster, .. } => {
            named(format!("put {}", cluster.0), PUT_CLUSTER, "PutManagedClusterHandler.PUT")
        }
        Call::PutPool { pool: PoolKey { cluster, name }, .. } => {
            named(format!("put {}/{name}", cluster.0), PUT_POOL, "PutAgentPoolHandler.PUT")
        }
        Call::Operation { location, .. } | Call::OperationResult { location, .. } => {
            let name = format!("operations {subscription}/{}", location.to_lowercase());
            named(name, OPERATION, "GetOperationStatusHandler.GET")
        }
        Call::KubernetesVersions { location, .. } | Call::NodeImageVersions { location, .. } => {
            named(format!("other {subscription}/{}", location.to_lowercase()), OTHER, "ContainerService.GET")
        }
        Call::ClusterUpgradeProfile { .. }
        | Call::PatchCluster { .. }
        | Call::DeleteCluster { .. }
        | Call::StopCluster { .. }
        | Call::StartCluster { .. }
        | Call::ListPools { .. }
        | Call::DeletePool { .. }
        | Call::AvailablePoolVersions { .. }
        | Call::ListMachines { .. }
        | Call::GetMachine { .. }
        | Call::AbortCluster { .. }
        | Call::MaintenanceConfigurations { .. }
        | Call::MaintenanceConfiguration { .. }
        | Call::PutMaintenanceConfiguration { .. }
        | Call::DeleteMaintenanceConfiguration { .. }
        | Call::UserCredential { .. }
        | Call::AdminCredential { .. }
        | Call::MonitoringCredential { .. }
        | Call::AccessProfile { .. }
        | Call::GetPool { .. }
        | Call::PoolUpgradeProfile { .. }
        | Call::UpgradeNodeImage { .. }
        | Call::AbortPool { .. } => {
            let name = format!("other {subscription}/{}", location.to_lowercase());
            named(name, OTHER, if call.is_read() { "ContainerService.GET" } else { "ContainerService.POST" })
        }
    })
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use proptest::prelude::*;

    use super::*;
    use crate::effects::ClusterKey;

    const REGION: Option<&str> = Some("westeurope");

    fn cluster(name: &str) -> ClusterKey {
        ClusterKey(format!(
            "/subscriptions/s/resourcegroups/g/providers/microsoft.containerservice/managedclusters/{name}"
        ))
    }

    fn put_pool() -> Call {
        let pool = PoolKey { cluster: cluster("c"), name: "p".into() };
        Call::PutPool { pool, body: serde_json::Value::Null, if_match: None }
    }

    fn get(name: &str) -> Call {
        Call::GetCluster { cluster: cluster(name) }
    }

    fn operation(location: &str) -> Call {
        Call::Operation { subscription: "S".into(), location: location.into(), id: "o".into() }
    }

    /// How many calls are admitted at once.
    fn burst(throttle: &mut Throttle, now: Timestamp, call: &Call, location: Option<&str>) -> usize {
        (0..1000).take_while(|_| throttle.admit(now, "me", call, location).is_ok()).count()
    }

    #[test]
    fn a_bucket_empties_says_when_to_come_back_and_fills_again() {
        let mut throttle = Throttle::default();
        let now = Timestamp::UNIX_EPOCH;
        assert_eq!(burst(&mut throttle, now, &put_pool(), REGION), 20);
        let refused = throttle.admit(now, "me", &put_pool(), REGION).unwrap_err();
        assert_eq!((refused.status, refused.retry_after), (429, Some(60)));
        assert_eq!(refused.body["code"], "Throttled");
        assert!(refused.body["message"].as_str().unwrap().contains("PutAgentPoolHandler.PUT"));
        throttle.admit(now, "me", &get("c"), REGION).unwrap();
        throttle.admit(now + SignedDuration::from_mins(1), "me", &put_pool(), REGION).unwrap();
    }

    #[test]
    fn every_bucket_of_the_table_has_its_size_and_scope() {
        let mut throttle = Throttle::default();
        let now = Timestamp::UNIX_EPOCH;
        let list = |group: Option<&str>| Call::ListClusters {
            subscription: "s".into(),
            resource_group: group.map(str::to_owned),
            skip: 0,
        };
        let versions =
            |location: &str| Call::KubernetesVersions { subscription: "s".into(), location: location.into() };
        let table = [
            (get("a"), 60),
            (get("b"), 60),
            (list(Some("g")), 60),
            (list(Some("h")), 60),
            (Call::PutCluster { cluster: cluster("a"), body: serde_json::Value::Null, if_match: None }, 20),
            (operation("westeurope"), 200),
            (operation("northeurope"), 200),
            (versions("westeurope"), 60),
            (versions("northeurope"), 60),
        ];
        for (index, (call, size)) in table.into_iter().enumerate() {
            // Each with a principal's bucket of its own.
            let caller = format!("caller {index}");
            let admitted =
                (0..1000).take_while(|_| throttle.admit(now, &caller, &call, REGION).is_ok()).count();
            assert_eq!(admitted, size, "{call:?}");
        }
        // What is about one cluster shares the region's bucket with the region's versions.
        let profile = Call::ClusterUpgradeProfile { cluster: cluster("a") };
        assert_eq!(throttle.admit(now, "else", &profile, REGION).unwrap_err().body["code"], "Throttled");
        throttle.admit(now, "else", &profile, Some("eastus")).unwrap();
    }

    #[test]
    fn the_front_door_counts_reads_and_writes_of_each_principal() {
        let mut throttle = Throttle::default();
        let now = Timestamp::UNIX_EPOCH;
        let list = Call::ListClusters { subscription: "s".into(), resource_group: None, skip: 0 };
        assert_eq!(burst(&mut throttle, now, &list, None), 250);
        let refused = throttle.admit(now, "me", &list, None).unwrap_err();
        assert_eq!((refused.status, refused.retry_after), (429, Some(1)));
        assert_eq!(refused.body["error"]["code"], "SubscriptionRequestsThrottled");
        assert_eq!(refused.remaining, Some(Remaining { reads: 0, writes: 200 }));
        // Somebody else has a bucket of his own; writes have another one.
        assert_eq!(throttle.admit(now, "you", &list, None), Ok(Remaining { reads: 249, writes: 200 }));
        assert_eq!(throttle.admit(now, "me", &put_pool(), REGION), Ok(Remaining { reads: 0, writes: 199 }));
        let later = now + SignedDuration::from_secs(1);
        assert_eq!(throttle.admit(later, "me", &list, None), Ok(Remaining { reads: 24, writes: 200 }));
    }

    #[test]
    fn another_principal_or_another_case_is_no_way_around_a_bucket() {
        let mut throttle = Throttle::default();
        let now = Timestamp::UNIX_EPOCH;
        assert_eq!(burst(&mut throttle, now, &operation("westeurope"), None), 200);
        let other_case =
            Call::Operation { subscription: "s".into(), location: "WestEurope".into(), id: "o".into() };
        assert_eq!(throttle.admit(now, "you", &other_case, None).unwrap_err().body["code"], "Throttled");
    }

    proptest! {
        /// Whatever the rhythm: never more than what the bucket held and what has flown in since.
        #[test]
        fn buckets_never_give_more_than_burst_and_refill(
            waits in prop::collection::vec(0_i64..90_000, 1..200),
            kind in 0_usize..3,
        ) {
            let (call, burst, seconds) = match kind {
                0 => (put_pool(), 20.0, 60.0),
                1 => (get("c"), 60.0, 1.0),
                _ => (operation("westeurope"), 200.0, 0.5),
            };
            let mut throttle = Throttle::default();
            let start = Timestamp::UNIX_EPOCH;
            let mut now = start;
            let mut admitted = 0.0;
            for (index, wait) in waits.into_iter().enumerate() {
                now += SignedDuration::from_millis(wait);
                match throttle.admit(now, &format!("caller {}", index / 100), &call, REGION) {
                    Ok(_) => admitted += 1.0,
                    Err(refused) => {
                        // Who comes back when told to is let in.
                        let wait = refused.retry_after.expect("a 429 says when to come back");
                        let back = now + SignedDuration::from_secs(wait.into());
                        let mut then = Throttle { buckets: throttle.buckets.clone() };
                        prop_assert!(then.admit(back, "patient", &call, REGION).is_ok());
                    }
                }
                let refilled = now.duration_since(start).as_secs_f64() / seconds;
                prop_assert!(admitted <= burst + refilled + 1e-6);
            }
        }
    }
}
