//! Effects on their way out, and the answers of clusters that have no driver.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::effects::{BlockedPod, ClusterKey, Effect, EffectId, Outcome};

/// Numbers effects, remembers those that are not answered yet.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    next: u64,
    in_flight: BTreeMap<EffectId, (ClusterKey, Effect)>,
    out: Vec<(ClusterKey, EffectId, Effect)>,
    answers: BTreeMap<(Timestamp, EffectId), Outcome>,
}

/// Who carries out the effects of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Driver {
    /// Somebody outside.
    Outside,
    /// Nobody: the model answers, at once where nothing blocks.
    Model,
}

impl Outbox {
    /// Sends an effect out, or answers it; `blocked_by` blocks a drain of the model.
    pub(crate) fn emit(
        &mut self,
        now: Timestamp,
        cluster: &ClusterKey,
        driver: Driver,
        effect: Effect,
        blocked_by: &[BlockedPod],
    ) -> EffectId {
        let id = EffectId(self.next);
        self.next += 1;
        match driver {
            Driver::Outside => self.out.push((cluster.clone(), id, effect.clone())),
            Driver::Model => {
                let mut answer = (now, Outcome::Done);
                if let (Effect::DrainNode { deadline, .. }, false) = (&effect, blocked_by.is_empty()) {
                    answer = ((*deadline).max(now), Outcome::DrainBlocked(blocked_by.to_vec()));
                }
                self.answers.insert((answer.0, id), answer.1);
            }
        }
        self.in_flight.insert(id, (cluster.clone(), effect));
        id
    }

    /// Nobody waits for the effect any more: the model does not answer it. What somebody outside
    /// answers still counts.
    pub(crate) fn cancel(&mut self, id: EffectId) {
        let before = self.answers.len();
        self.answers.retain(|(_, answered), _| *answered != id);
        if self.answers.len() < before {
            self.in_flight.remove(&id);
        }
    }

    /// The effects since the last time.
    pub(crate) fn take(&mut self) -> Vec<(ClusterKey, EffectId, Effect)> {
        std::mem::take(&mut self.out)
    }

    /// What an outcome belongs to; nothing when it was answered before.
    pub(crate) fn settle(&mut self, id: EffectId) -> Option<(ClusterKey, Effect)> {
        self.in_flight.remove(&id)
    }

    /// When the model answers next.
    pub(crate) fn next_answer(&self) -> Option<Timestamp> {
        self.answers.keys().next().map(|(at, _)| *at)
    }

    /// The model's next answer, if it is due.
    pub(crate) fn due_answer(&mut self, now: Timestamp) -> Option<(EffectId, Outcome)> {
        let entry = self.answers.first_entry()?;
        if entry.key().0 > now {
            return None;
        }
        let ((_, id), outcome) = entry.remove_entry();
        Some((id, outcome))
    }
}
