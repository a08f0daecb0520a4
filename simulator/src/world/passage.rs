//! The passage of time: whatever was due happens, in its order and at its own instant.

use jiff::Timestamp;

use super::World;
use crate::effects::{EffectId, Outcome};

impl World {
    /// Lets time pass until `now`; whatever was due happens at its own instant.
    pub fn advance(&mut self, now: Timestamp) {
        self.begin_releases(now);
        self.begin_autoscaling(now);
        while let Some(due) = self.next_deadline().filter(|due| *due <= now) {
            while let Some((id, outcome)) = self.outbox.due_answer(due) {
                self.settle(due, id, &outcome);
            }
            self.release(due);
            self.progress(due);
            self.scale(due);
            self.automate(due);
            // What it has begun makes its first steps.
            self.progress(due);
            self.quirks.observe(due, &self.clusters);
        }
        self.progress(now);
        while let Some((id, outcome)) = self.outbox.due_answer(now) {
            self.settle(now, id, &outcome);
            self.progress(now);
        }
        self.scale(now);
        self.automate(now);
        self.progress(now);
        self.quirks.observe(now, &self.clusters);
    }

    /// When something happens next by itself.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let busy = self.busy.iter().filter_map(|key| self.clusters.get(key));
        let works = busy.filter_map(|cluster| cluster.work.as_ref()?.deadline());
        let by_itself =
            [self.next_release(), self.auto_upgrade.next_at(), self.next_scaling(), self.next_drift()];
        let by_itself = by_itself.into_iter().flatten();
        works.chain(self.outbox.next_answer()).chain(by_itself).min()
    }

    pub(super) fn settle(&mut self, now: Timestamp, id: EffectId, outcome: &Outcome) {
        let Some((key, effect)) = self.outbox.settle(id) else {
            return;
        };
        if let Some(cluster) = self.clusters.get_mut(&key) {
            cluster.apply(&effect, outcome);
            if let Some(work) = &mut cluster.work {
                work.settle(id, outcome);
            }
        }
        if let Some(jobs) = self.side_jobs.get_mut(&key) {
            jobs.settle(id, outcome);
        }
        self.progress(now);
    }

    /// Nodes come and go by themselves, as far as they can now.
    fn scale(&mut self, now: Timestamp) {
        loop {
            self.choose_sizes(now);
            self.provision(now);
            let mut has_changed = self.advance_side_jobs(now);
            while let Some((id, outcome)) = self.outbox.due_answer(now) {
                self.settle(now, id, &outcome);
                has_changed = true;
            }
            if !has_changed {
                return;
            }
        }
    }

    fn progress(&mut self, now: Timestamp) {
        let Self { clusters, busy, outbox, operations, ids, quirks, auto_upgrade, manager, .. } = self;
        let mut any_gone = false;
        busy.retain(|key| {
            let Some(cluster) = clusters.get_mut(key) else {
                return false;
            };
            let stuck = cluster.work.as_mut().is_some_and(|work| work.quirks.is_stuck(now, quirks, key));
            if !stuck {
                cluster.progress(now, outbox, operations, ids);
                any_gone |= cluster.gone;
            }
            if cluster.work.is_none() {
                auto_upgrade.touch(key);
            }
            cluster.work.is_some()
        });
        if any_gone {
            clusters.values().filter(|cluster| cluster.gone).for_each(|gone| manager.remove_cluster(gone));
            clusters.retain(|_, cluster| !cluster.gone);
        }
    }
}
