//! The token buckets of the AKS resource provider ("Throttling limits on AKS resource provider
//! APIs"), refilled in simulated time. Off unless the scenario turns them on.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::call::{Answer, Call, PoolKey, Refusal};
use crate::effects::ClusterKey;

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
    /// Takes one call out of its bucket, or says how long to stay away.
    pub(crate) fn admit(&mut self, now: Timestamp, call: &Call) -> Result<(), Box<Answer>> {
        let (name, limit) = bucket(call);
        let bucket = self.buckets.entry(name).or_insert(Bucket { calls: limit.burst, at: now });
        let passed = now.duration_since(bucket.at).as_secs_f64().max(0.0);
        bucket.calls = (bucket.calls + passed / limit.seconds_per_call).min(limit.burst);
        bucket.at = now;
        if bucket.calls >= 1.0 {
            bucket.calls -= 1.0;
            return Ok(());
        }
        let wait = ((1.0 - bucket.calls) * limit.seconds_per_call).ceil().max(1.0);
        let refusal = Refusal::aks(
            429,
            "Throttled",
            "",
            format!(
                "The request is throttled. Please try again after {wait} seconds. For more information, see aka.ms/aks/throttling"
            ),
        );
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 1 and 60")]
        let retry_after = Some(wait as u32);
        Err(Box::new(Answer { retry_after, ..Answer::from(refusal) }))
    }
}

/// The bucket of a call: its name and its limit.
fn bucket(call: &Call) -> (String, Limit) {
    match call {
        Call::ListClusters { subscription, resource_group: None, skip: _ } => {
            (format!("list {subscription}"), LIST_IN_SUBSCRIPTION)
        }
        Call::ListClusters { subscription, resource_group: Some(group), skip: _ } => {
            (format!("list {subscription}/{group}"), LIST_IN_GROUP)
        }
        Call::GetCluster { cluster } => (format!("get {}", cluster.0), GET_CLUSTER),
        Call::PutCluster { cluster, .. } => (format!("put {}", cluster.0), PUT_CLUSTER),
        Call::PutPool { pool: PoolKey { cluster, name }, .. } => {
            (format!("put {}/{name}", cluster.0), PUT_POOL)
        }
        Call::Operation { location, .. } | Call::OperationResult { location, .. } => {
            (format!("operations {location}"), OPERATION)
        }
        Call::KubernetesVersions { location } => (format!("other {location}"), OTHER),
        Call::ClusterUpgradeProfile { cluster }
        | Call::ListPools { cluster, .. }
        | Call::AbortCluster { cluster }
        | Call::MaintenanceConfigurations { cluster }
        | Call::UserCredential { cluster }
        | Call::GetPool { pool: PoolKey { cluster, .. } }
        | Call::PoolUpgradeProfile { pool: PoolKey { cluster, .. } }
        | Call::UpgradeNodeImage { pool: PoolKey { cluster, .. } }
        | Call::AbortPool { pool: PoolKey { cluster, .. } } => {
            (format!("other {}", subscription(cluster)), OTHER)
        }
    }
}

fn subscription(cluster: &ClusterKey) -> &str {
    cluster.0.split('/').nth(2).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn a_bucket_empties_says_when_to_come_back_and_fills_again() {
        let mut throttle = Throttle::default();
        let now = Timestamp::UNIX_EPOCH;
        let put = Call::PutPool {
            pool: PoolKey { cluster: ClusterKey("c".into()), name: "p".into() },
            body: serde_json::Value::Null,
            if_match: None,
        };
        for _ in 0..20 {
            throttle.admit(now, &put).unwrap();
        }
        let refused = throttle.admit(now, &put).unwrap_err();
        assert_eq!((refused.status, refused.retry_after), (429, Some(60)));
        assert_eq!(refused.body["code"], "Throttled");
        throttle.admit(now, &Call::GetCluster { cluster: ClusterKey("c".into()) }).unwrap();
        throttle.admit(now + SignedDuration::from_mins(1), &put).unwrap();
    }
}
