//! The quirks of the moment: which rules there are, and when each of them strikes.
//!
//! [`Quirks`] is asked at each occasion: before a call is carried out ([`refusals`]), while it is
//! ([`lists`], [`history`]), and when its answer leaves ([`documents`], [`delivery`]). What an
//! operation does differently ([`operations`]) asks with [`Quirks::strikes`]. Draws come from
//! the scenario's seed, one generator for each rule: the same inputs strike the same way, whatever other
//! rules there are.

mod call;
mod delivery;
mod dice;
mod documents;
mod fields;
mod history;
mod lists;
pub(in crate::world) mod operations;
mod refusals;
mod rule;
mod subject;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

pub use delivery::Delivery;

use history::History;
use lists::Emptied;
use rule::Active;
use subject::Subject;

use crate::{
    effects::ClusterKey,
    scenario::{CallName, QuirkName, QuirkRule, Scenario},
};

/// A rule, and how often it has struck.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct QuirkView {
    /// Number of the rule.
    pub id: u64,
    /// The only cluster that it is about, when it is one of that cluster's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// The rule as it was given.
    #[serde(flatten)]
    pub rule: QuirkRule,
    /// How often it could have struck.
    pub occasions: u32,
    /// How often it did.
    pub struck: u32,
}

/// All rules of a world.
#[derive(Debug)]
pub(crate) struct Quirks {
    seed: u64,
    next: u64,
    rules: Vec<Active>,
    /// Whose an operation is.
    operations: BTreeMap<String, ClusterKey>,
    emptied: Emptied,
    history: History,
    /// The call that is being carried out.
    present: Option<CallName>,
    /// What struck since the last answer.
    struck: Vec<QuirkName>,
}

impl Quirks {
    /// The rules of a scenario.
    pub(crate) fn new(scenario: &Scenario) -> Self {
        let mut quirks = Self {
            seed: scenario.seed,
            next: 1,
            rules: Vec::new(),
            operations: BTreeMap::new(),
            emptied: Emptied::default(),
            history: History::default(),
            present: None,
            struck: Vec::new(),
        };
        for rule in &scenario.quirks {
            quirks.add(rule.clone(), None);
        }
        for cluster in &scenario.clusters {
            for rule in &cluster.quirks {
                quirks.add(rule.clone(), Some(cluster.key()));
            }
        }
        quirks
    }

    /// Adds a rule that has been checked; its number.
    pub(crate) fn add(&mut self, rule: QuirkRule, cluster: Option<ClusterKey>) -> u64 {
        let id = self.next;
        self.next += 1;
        self.rules.push(Active::new(id, self.seed, rule, cluster));
        id
    }

    /// Takes a rule away; false when there is none of that number.
    pub(crate) fn remove(&mut self, id: u64) -> bool {
        let before = self.rules.len();
        self.rules.retain(|rule| rule.id != id);
        before != self.rules.len()
    }

    pub(crate) fn view(&self) -> Vec<QuirkView> {
        self.rules.iter().map(Active::view).collect()
    }

    /// Whether a quirk strikes an operation of this cluster; the rule with its parameters.
    ///
    /// Each asking is one occasion. While a call is being carried out its name has to be one of the rule's
    /// calls; outside of one, as for what clusters do by themselves, every name is.
    pub(crate) fn strikes(
        &mut self,
        now: Timestamp,
        quirk: QuirkName,
        cluster: &ClusterKey,
    ) -> Option<QuirkRule> {
        let (rule, _) = self.strike(now, quirk, self.present, Some(cluster))?;
        Some(rule)
    }

    /// Whether a rule with this quirk is in force for the cluster; no occasion for it to strike.
    pub(crate) fn is_in_force(&self, now: Timestamp, quirk: QuirkName, cluster: &ClusterKey) -> bool {
        let mut rules = self.rules.iter().filter(|rule| rule.rule.quirk == quirk);
        rules.any(|rule| rule.is_in_force(now) && rule.is_about(Some(cluster)))
    }

    /// The first rule with this quirk that strikes, and how often it had struck before.
    fn strike(
        &mut self,
        now: Timestamp,
        quirk: QuirkName,
        call: Option<CallName>,
        cluster: Option<&ClusterKey>,
    ) -> Option<(QuirkRule, u32)> {
        let strikes = |rule: &mut &mut Active| rule.rule.quirk == quirk && rule.strikes(now, call, cluster);
        let struck = self.rules.iter_mut().find_map(|mut rule| strikes(&mut rule).then_some(rule))?;
        self.struck.push(quirk);
        Some((struck.rule.clone(), struck.struck - 1))
    }

    fn meet(&mut self, now: Timestamp, quirk: QuirkName, subject: &Subject) -> Option<(QuirkRule, u32)> {
        if !quirk.meets(subject.name) {
            return None;
        }
        self.strike(now, quirk, Some(subject.name), subject.cluster.as_ref())
    }

    fn has(&self, quirk: QuirkName) -> bool {
        self.rules.iter().any(|rule| rule.rule.quirk == quirk)
    }
}
