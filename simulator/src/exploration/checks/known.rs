//! Rules 1 and R2: what the operator knew of a cluster when it sent a change.
//!
//! Azure refuses what overlaps with another operation, so that what is asked is judged, not what becomes
//! of it: by what Azure has last shown to this very process. What began since that read, or what an old
//! answer hid, nobody could know.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use super::{
    Checks,
    asked::{Asked, describe, pools},
    deeds::Credit,
    rules,
};
use crate::{
    effects::ClusterKey,
    exploration::sim::State,
    world::{Answer, Call},
};

/// What a process has read of a cluster.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// The cluster as last shown, with each pool as last shown.
    document: Value,
    /// When the cluster was read, and each pool by itself.
    read_at: BTreeMap<Option<String>, Timestamp>,
}

impl Known {
    fn take(&mut self, now: Timestamp, pool: Option<&str>, body: &Value) {
        self.read_at.insert(pool.map(str::to_owned), now);
        let Some(name) = pool else {
            self.document = body.clone();
            return;
        };
        let mut shown = body["properties"].clone();
        shown["name"] = name.into();
        let Some(pools) = self.document["properties"]["agentPoolProfiles"].as_array_mut() else { return };
        match pools.iter_mut().find(|pool| pool["name"] == name) {
            Some(pool) => *pool = shown,
            None => pools.push(shown),
        }
    }

    /// What is under way, as far as was shown.
    fn busy_with(&self) -> Option<String> {
        let is_busy = |properties: &Value| {
            let state = properties["provisioningState"].as_str()?;
            (!["Succeeded", "Failed", "Canceled"].contains(&state)).then(|| state.to_owned())
        };
        let of_cluster = is_busy(&self.document["properties"]).map(|state| format!("the cluster is {state}"));
        let mut of_pools = pools(&self.document)
            .filter_map(|pool| Some(format!("pool {} is {}", pool["name"].as_str()?, is_busy(pool)?)));
        of_cluster.or_else(|| of_pools.next())
    }
}

impl Checks {
    /// The cluster, or pool of a cluster, that a call reads live.
    pub(in crate::exploration) fn subject_of_read(call: &Call) -> Option<(ClusterKey, Option<String>)> {
        if let Call::GetCluster { cluster } = call {
            return Some((cluster.clone(), None));
        }
        let Call::GetPool { pool } = call else { return None };
        Some((pool.cluster.clone(), Some(pool.name.clone())))
    }

    /// A read was answered: of a cluster, of a pool, or of something else.
    pub(in crate::exploration) fn after_read(
        state: &mut State,
        replica: usize,
        read: Option<&(ClusterKey, Option<String>)>,
        answer: &Answer,
    ) {
        let arrives = !answer.delivery.lost && answer.delivery.instead.is_none();
        let is_good = answer.is_success() && arrives;
        state.checks.failed_reads += u32::from(!is_good);
        let Some((cluster, pool)) = read else { return };
        if let Some(index) = state.checks.index_of(cluster) {
            state.checks.watched[index].effort.reads += 1;
        }
        if is_good {
            let known = state.checks.known.entry((replica, cluster.clone())).or_default();
            known.take(state.now, pool.as_deref(), &answer.body);
        }
    }

    /// The cluster as a process has last read it.
    pub(super) fn known(&self, replica: usize, cluster: &ClusterKey) -> Option<&Value> {
        self.known.get(&(replica, cluster.clone())).map(|known| &known.document)
    }

    /// 1 and R2: a change is about to be judged by Azure.
    pub(super) fn knows_of_nothing(
        state: &mut State,
        call: &Call,
        (replica, cluster): (usize, &ClusterKey),
        credit: Option<&Credit>,
    ) {
        let Some(known) = state.checks.known.get(&(replica, cluster.clone())) else {
            let what = format!("{} is asked for, and the cluster was never read", describe(call));
            return Self::violated(state, rules::READ_AGAIN, what);
        };
        // An image step writes no document, and is judged by the whole cluster.
        let document = Asked::of(call).and_then(|asked| match asked {
            Asked::Pool { name, .. } | Asked::Rollback { name, .. } => Some(name.to_owned()),
            Asked::ControlPlane { .. } | Asked::Image { .. } => None,
        });
        let read_at = known.read_at.get(&document).copied();
        let is_fresh = credit.is_none_or(|credit| read_at.is_some_and(|at| at >= credit.at));
        if let Some(busy) = known.busy_with() {
            let what = format!("{} is asked for, and Azure had shown that {busy}", describe(call));
            Self::violated(state, rules::ONE_OPERATION, what);
        } else if !is_fresh {
            let what = format!("{} is asked for, and was not read since it was claimed", describe(call));
            Self::violated(state, rules::READ_AGAIN, what);
        } else if let Some(document) = state.checks.known(replica, cluster).cloned() {
            Self::asks_for_good_versions(state, call, &document);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_shown_last_counts() {
        let pool = |state: &str| json!({"properties": {"provisioningState": state}});
        let shown = json!({"properties": {"provisioningState": "Succeeded",
            "agentPoolProfiles": [{"name": "a", "provisioningState": "Failed"}]}});
        let mut known = Known::default();
        known.take(Timestamp::UNIX_EPOCH, None, &shown);
        assert_eq!(known.busy_with(), None, "what has failed is over");
        known.take(Timestamp::UNIX_EPOCH, Some("a"), &pool("UpgradingNodeImageVersion"));
        assert_eq!(known.busy_with().as_deref(), Some("pool a is UpgradingNodeImageVersion"));
        known.take(Timestamp::UNIX_EPOCH, Some("a"), &pool("Succeeded"));
        assert_eq!(known.busy_with(), None);
        known.take(Timestamp::UNIX_EPOCH, None, &json!({"properties": {"provisioningState": "Upgrading"}}));
        assert_eq!(known.busy_with().as_deref(), Some("the cluster is Upgrading"));
    }
}
