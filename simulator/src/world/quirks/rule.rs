//! One rule at work: whether an occasion is one of its own, and whether it strikes then.

use jiff::Timestamp;

use super::{QuirkView, dice::Dice};
use crate::{
    effects::ClusterKey,
    scenario::{CallName, QuirkRule},
};

/// A rule with what it remembers.
#[derive(Clone, Debug)]
pub(super) struct Active {
    pub(super) id: u64,
    /// The cluster whose own rule it is.
    cluster: Option<ClusterKey>,
    pub(super) rule: QuirkRule,
    occasions: u32,
    pub(super) struck: u32,
    dice: Dice,
}

impl Active {
    pub(super) const fn new(id: u64, seed: u64, rule: QuirkRule, cluster: Option<ClusterKey>) -> Self {
        Self { id, cluster, rule, occasions: 0, struck: 0, dice: Dice::new(seed, id) }
    }

    /// Counts the occasion when it is one of the rule's own, and says whether it strikes.
    pub(super) fn strikes(
        &mut self,
        now: Timestamp,
        call: Option<CallName>,
        cluster: Option<&ClusterKey>,
    ) -> bool {
        if !self.is_in_force(now) || !self.is_about_call(call) || !self.is_about(cluster) {
            return false;
        }
        self.occasions = self.occasions.saturating_add(1);
        let turn = self.rule.every.is_none_or(|every| self.occasions.is_multiple_of(every));
        let left = self.rule.times.is_none_or(|times| self.struck < times);
        // The draw comes last, and only when the rest holds: its sequence is that of possible strikes.
        let strikes = turn && left && self.rule.probability.is_none_or(|odds| self.dice.happens(odds));
        if strikes {
            self.struck = self.struck.saturating_add(1);
        }
        strikes
    }

    /// Whether the rule may be about this cluster; without one, only a rule about all is.
    pub(super) fn is_about(&self, cluster: Option<&ClusterKey>) -> bool {
        match (cluster, &self.cluster) {
            (Some(cluster), Some(own)) => cluster == own,
            (Some(cluster), None) => self.rule.is_about(cluster),
            (None, own) => own.is_none() && self.rule.clusters.is_empty(),
        }
    }

    pub(super) fn is_in_force(&self, now: Timestamp) -> bool {
        self.rule.from.is_none_or(|from| now >= from) && self.rule.until.is_none_or(|until| now < until)
    }

    fn is_about_call(&self, call: Option<CallName>) -> bool {
        self.rule.calls.is_empty() || call.is_none_or(|call| self.rule.calls.contains(&call))
    }

    pub(super) fn view(&self) -> QuirkView {
        QuirkView {
            id: self.id,
            cluster: self.cluster.as_ref().map(|cluster| cluster.0.clone()),
            rule: self.rule.clone(),
            occasions: self.occasions,
            struck: self.struck,
        }
    }
}
