//! What clusters looked like a while ago, for reads that are answered from a cache.
//!
//! Kept only while a rule asks for it, only for its clusters, and only as far back as it looks.

use std::collections::{BTreeMap, VecDeque};

use jiff::{SignedDuration, Timestamp};

use super::{Quirks, subject::Subject};
use crate::{effects::ClusterKey, scenario::QuirkName, world::resources::cluster::Cluster};

/// How old answers are when the rule does not say.
const AGE_SECONDS: u32 = 60;

/// Earlier states of clusters, oldest first; each holds from its instant on.
pub(super) type History = BTreeMap<ClusterKey, VecDeque<(Timestamp, Cluster)>>;

impl Quirks {
    /// Takes down what changed.
    pub(in crate::world) fn observe(&mut self, now: Timestamp, clusters: &BTreeMap<ClusterKey, Cluster>) {
        if !self.has(QuirkName::StaleReads) {
            self.history.clear();
            return;
        }
        for (key, cluster) in clusters {
            let Some(oldest) = self.oldest(now, key) else {
                self.history.remove(key);
                continue;
            };
            let states = self.history.entry(key.clone()).or_default();
            if states.back().is_none_or(|(_, last)| !shows_the_same(last, cluster)) {
                states.push_back((now, cluster.clone()));
            }
            while states.get(1).is_some_and(|(at, _)| *at <= oldest) {
                states.pop_front();
            }
        }
    }

    /// The clusters as this call is to see them.
    pub(super) fn stale(&mut self, now: Timestamp, subject: &Subject) -> Vec<(ClusterKey, Cluster)> {
        let keys = match &subject.cluster {
            Some(cluster) => vec![cluster.clone()],
            None => self.history.keys().cloned().collect(),
        };
        let stale = keys.into_iter().filter_map(|key| {
            if !QuirkName::StaleReads.meets(subject.name) {
                return None;
            }
            let (rule, _) = self.strike(now, QuirkName::StaleReads, Some(subject.name), Some(&key))?;
            let at = before(now, rule.seconds);
            let states = self.history.get(&key)?;
            let state = states.iter().rfind(|(since, _)| *since <= at).or_else(|| states.front())?;
            Some((key, state.1.clone()))
        });
        stale.collect()
    }

    /// How far back a rule looks for this cluster; none when no rule does.
    fn oldest(&self, now: Timestamp, cluster: &ClusterKey) -> Option<Timestamp> {
        let rules = self.rules.iter();
        let rules =
            rules.filter(|rule| rule.rule.quirk == QuirkName::StaleReads && rule.is_about(Some(cluster)));
        let rules = rules.filter(|rule| rule.rule.until.is_none_or(|until| now < until));
        rules.map(|rule| before(now, rule.rule.seconds)).min()
    }
}

fn before(now: Timestamp, seconds: Option<u32>) -> Timestamp {
    now.saturating_sub(SignedDuration::from_secs(seconds.unwrap_or(AGE_SECONDS).into())).unwrap_or(now)
}

fn shows_the_same(one: &Cluster, other: &Cluster) -> bool {
    one.document == other.document
        && one.pools.len() == other.pools.len()
        && one.pools.iter().zip(&other.pools).all(|((name, one), (other_name, other))| {
            name == other_name && one.properties == other.properties
        })
}
