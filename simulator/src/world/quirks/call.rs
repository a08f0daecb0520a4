//! A call on its way through the quirks.

use jiff::Timestamp;

use super::subject::Subject;
use crate::{
    effects::ClusterKey,
    world::{Answer, Call, World, resources::cluster::Cluster},
};

impl World {
    /// Answers a call as the quirks of the moment have it.
    pub(in crate::world) fn answer(&mut self, now: Timestamp, caller: &str, call: Call) -> Answer {
        let operations = &self.quirks.operations;
        let subject = Subject::new(&call, |id| operations.get(id).cloned());
        self.quirks.struck.clear();
        let mut answer = match self.quirks.refuse(now, &subject) {
            Some(refused) => refused,
            None => self.answer_admitted(now, caller, call, &subject),
        };
        self.quirks.deliver(now, &subject, &mut answer);
        answer
    }

    fn answer_admitted(&mut self, now: Timestamp, caller: &str, call: Call, subject: &Subject) -> Answer {
        if let Err(refusal) = self.manager.admit(&call) {
            return refusal.into();
        }
        let remaining = match self.admit(now, caller, &call) {
            Ok(remaining) => remaining,
            Err(throttled) => return *throttled,
        };
        let mut answer = match self.quirks.empty_page(now, subject) {
            Some(empty) => empty,
            None => self.carry_out(now, call, subject),
        };
        answer.remaining = remaining;
        if let (Some(started), Some(cluster)) = (&answer.started, &subject.cluster) {
            self.quirks.operations.insert(started.id.clone(), cluster.clone());
        }
        if answer.is_success() {
            self.quirks.alter(now, subject, &mut answer);
        }
        self.quirks.lose(now, subject, &mut answer);
        answer
    }

    fn carry_out(&mut self, now: Timestamp, call: Call, subject: &Subject) -> Answer {
        let usual = self.page_size;
        self.page_size = self.quirks.page_size(now, subject).unwrap_or(usual);
        let stale = self.quirks.stale(now, subject);
        let present = self.exchange(stale);
        self.quirks.present = Some(subject.name);
        let answer = self.dispatch(now, call).unwrap_or_else(Answer::from);
        self.quirks.present = None;
        // Only reads are stale, so nothing changed in the old states meanwhile.
        let _stale = self.exchange(present);
        self.page_size = usual;
        answer
    }

    /// Puts these clusters in the places of the present ones, and returns those.
    fn exchange(&mut self, clusters: Vec<(ClusterKey, Cluster)>) -> Vec<(ClusterKey, Cluster)> {
        let places = clusters.into_iter().filter_map(|(key, cluster)| {
            let place = self.clusters.get_mut(&key)?;
            Some((key, std::mem::replace(place, cluster)))
        });
        places.collect()
    }
}
