//! When an upgrade, or a rollout, will probably have ended. Pure.
//!
//! Takes every step for as long as it is expected to take, and starts it when it may. Nothing fails in a forecast,
//! and whoever is asked for approval gives it at once: where a person has to do something first, there is none.

mod rollout;

use std::time::Duration;

use jiff::{Timestamp, ToSpan as _, Unit};

pub use rollout::{UpcomingWave, end_of_rollout};

use crate::{
    cluster::Cluster,
    ledger::{Ledger, Operation, Phase, StepRecord, StepState},
    policy::Policy,
    schedule::Schedule,
    step::Step,
    waiting::{Stance, WaitingOn},
};

/// What Azure has done is seen in the nodes and judged by the gates within minutes, unless something is wrong.
const SETTLING: Duration = Duration::from_secs(5 * 60);
/// A forecast that is off by less is as good as another: it is not written anew.
const STEADY: Duration = Duration::from_secs(10 * 60);

/// What a cluster is expected to go through.
#[derive(Clone, Copy, Debug)]
pub struct Outlay<'a> {
    /// The cluster, as seen last.
    pub cluster: &'a Cluster,
    /// How its steps are done.
    pub policy: &'a Policy,
    /// When they may start, and how long such steps took.
    pub schedule: &'a Schedule,
    /// The steps that would be planned now; looked at where none is recorded yet.
    pub steps: &'a [Step],
}

impl Outlay<'_> {
    /// When steps that are started one after the other have ended, the first not before an instant.
    fn end_of_steps<'a>(
        &self,
        steps: impl IntoIterator<Item = &'a Step>,
        from: Timestamp,
    ) -> Option<Timestamp> {
        steps.into_iter().try_fold(from, |at, step| {
            let starts =
                self.schedule.next_start(at, self.schedule.needs(step, self.cluster, self.policy))?;
            starts.checked_add(self.takes(step) + self.soak_after(step)).ok()
        })
    }

    /// When all its steps have ended, if the first may start from an instant on. `None` when one of them may never
    /// start, or not until somebody ends a freeze.
    #[must_use]
    pub fn end_if_started(&self, from: Timestamp) -> Option<Timestamp> {
        self.end_of_steps(self.steps, from)
    }

    /// When an upgrade has ended, soak included. `None` when its steps are not known yet, when it waits for a person
    /// or for its turn, and when it is over.
    #[must_use]
    pub fn end_of_upgrade(
        &self,
        ledger: &Ledger,
        waiting: Option<&WaitingOn>,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let waiting = waiting.filter(|waiting| is_passing(waiting))?;
        if let (WaitingOn::Soaking(_), Some(until)) = (waiting, ledger.soak_until) {
            return Some(until);
        }
        let from = waiting.passes_at().map_or(now, |at| at.max(now));
        let in_flight = ledger.operation.as_ref().and_then(|operation| {
            Some((operation, ledger.steps.iter().find(|record| record.id == operation.step_id)?))
        });
        let ends = match in_flight {
            Some((operation, record)) => self.end_of_operation(operation, record, (from, now))?,
            None => from,
        };
        let planned = ledger.steps.iter().filter(|record| record.state == StepState::Planned);
        let ends = match ledger.steps.is_empty() {
            // Steps are recorded when the first of them may start.
            true => self.end_if_started(from).filter(|_| !self.steps.is_empty())?,
            false => self.end_of_steps(planned.map(|record| &record.step), ends)?,
        };
        ends.checked_add(self.policy.soak).ok()
    }

    fn end_of_operation(
        &self,
        operation: &Operation,
        record: &StepRecord,
        (from, now): (Timestamp, Timestamp),
    ) -> Option<Timestamp> {
        match operation.phase {
            Phase::Intent => self.end_of_steps([&record.step], from),
            Phase::Submitted => {
                let takes = self.takes(&record.step);
                let began = operation.submitted_at.unwrap_or(operation.since);
                let passed = Duration::try_from(now.duration_since(began)).unwrap_or_default();
                // What takes longer than expected takes a while longer.
                let left = takes.saturating_sub(passed).max(takes / 10);
                now.checked_add(left + self.soak_after(&record.step)).ok()
            }
            Phase::Verifying | Phase::Gating => {
                from.checked_add(SETTLING + self.soak_after(&record.step)).ok()
            }
            Phase::Soaking => {
                let until = operation.since.checked_add(self.soak_after(&record.step)).ok()?;
                Some(until.max(from))
            }
        }
    }

    /// For how long workloads are watched after a step, before the next.
    fn soak_after(&self, step: &Step) -> Duration {
        let pool = step.pool.as_ref().filter(|_| !step.is_rollback());
        let pool = pool.and_then(|name| self.cluster.pool(name));
        pool.map_or(Duration::ZERO, |pool| self.policy.pool_soak(pool))
    }

    fn takes(&self, step: &Step) -> Duration {
        self.schedule.estimates.of_step(step, self.cluster, self.policy)
    }
}

/// Whether it goes on without anybody.
fn is_passing(waiting: &WaitingOn) -> bool {
    let needs_nobody =
        !matches!(waiting, WaitingOn::Suspended | WaitingOn::Wave(_) | WaitingOn::OtherUpgrade(_));
    needs_nobody && waiting.stance() != Stance::Stopped
}

/// The forecast to show: in full minutes, and the one that is shown already as long as it is about as good, so that
/// a status is not written for each minute that something is early or late.
#[must_use]
pub fn steady_eta(
    shown: Option<Timestamp>,
    forecast: Option<Timestamp>,
    now: Timestamp,
) -> Option<Timestamp> {
    let forecast = forecast?;
    let next = forecast.round(Unit::Minute).unwrap_or(forecast);
    let allowed = Duration::try_from(next.duration_since(now)).map_or(STEADY, |ahead| STEADY.max(ahead / 10));
    let is_good = |shown: &Timestamp| *shown > now && shown.duration_since(next).unsigned_abs() <= allowed;
    Some(shown.filter(is_good).unwrap_or_else(|| next.max(now.saturating_add(1.minutes()).unwrap_or(now))))
}

#[cfg(test)]
mod tests;
