//! Rule R7: what a step costs in writes of its record and in reads of its cluster.
//!
//! Five writes, and six reads, do for a step that nothing disturbs. Whatever disturbs it may cost more,
//! but only so much each time: a record that is written, or a cluster that is read, because of a poll shows
//! here.

use engine::{Ledger, Operation, Phase};
use jiff::Timestamp;

use super::{Checks, rules};
use crate::exploration::{hub::Record, sim::State};

/// Writes of the record for one step: intent, accepted, done by Azure, soaking, done.
const WRITES: u32 = 5;
/// Reads of cluster and pool for one step.
const READS: u32 = 6;
/// Writes that come of one disturbance: that it is there, and that it is over.
const WRITES_EACH: u32 = 2;
/// Reads that come of one disturbance.
const READS_EACH: u32 = 8;
/// Seconds after which a step that waits for long may be read once more: as often as one that waits for a
/// person is, and far less often than it is looked at. An old listing makes for a read, too.
const READS_EVERY: i64 = 300;

/// Reasons to wait that every step has.
const USUAL: [&str; 6] = [
    "UpgradingControlPlane",
    "UpgradingNodePool",
    "UpgradingNodeImage",
    "Verifying",
    "Soaking",
    "ChangingSettings",
];

/// What the step in flight has cost so far.
#[derive(Debug, Default)]
pub(super) struct Effort {
    pub(super) reads: u32,
    writes: u32,
    disturbed: u32,
    /// When it began.
    began: Option<Timestamp>,
    /// Reads that had failed, of any cluster, when it began: the listing is everybody's.
    failed_reads: u32,
}

impl Checks {
    /// A record was written.
    pub(super) fn counts_effort(state: &mut State, index: usize, before: &Record, after: &Record) {
        let (now, failed_reads, jumped) = (state.now, state.checks.failed_reads, state.clocks_jumped);
        let effort = &mut state.checks.watched[index].effort;
        let Some(operation) = after.ledger.operation.as_ref().or(before.ledger.operation.as_ref()) else {
            return;
        };
        if before.ledger.operation.as_ref().map(|known| &known.step_id) != Some(&operation.step_id) {
            *effort = Effort { failed_reads, began: Some(now), ..Effort::default() };
        }
        effort.writes += 1;
        effort.disturbed += u32::from(is_disturbance(before, after));
        let failed = failed_reads - effort.failed_reads;
        let took = effort.began.map_or(0, |began| now.duration_since(began).as_secs());
        let waits = u32::try_from(took / READS_EVERY).unwrap_or_default();
        let Effort { reads, writes, disturbed, .. } = *effort;
        let id = operation.step_id.clone();
        if writes > WRITES + WRITES_EACH * disturbed {
            let what = format!("{id} took {writes} writes of its record, disturbed {disturbed} times");
            Self::violated(state, rules::EFFORT, what);
        }
        // Whoever's clock was set back waits until it has caught up with what others have recorded, and looks meanwhile.
        if !jumped && reads > READS + READS_EACH * (disturbed + failed) + waits {
            let what =
                format!("{id} took {reads} reads, disturbed {disturbed} times and by {failed} failures");
            Self::violated(state, rules::EFFORT, what);
        }
    }
}

/// Whether a new record tells of something that not every step has.
fn is_disturbance(before: &Record, after: &Record) -> bool {
    let reason = |record: &Record| record.standing.as_ref().map(|(reason, _)| reason.clone());
    let unusual = reason(after).filter(|reason| !USUAL.contains(&reason.as_str()));
    let news = after.standing != before.standing && unusual.is_some();
    // Somebody has edited the specification, and the record says that this was seen.
    let edited = after.observed != before.observed;
    news || edited
        || went_back(&before.ledger, &after.ledger)
        || of_settings_or_people(&before.ledger, &after.ledger)
}

/// The step has failed, was not sent, or was claimed once more.
fn went_back(before: &Ledger, after: &Ledger) -> bool {
    let (Some(old), Some(new)) = (&before.operation, &after.operation) else { return false };
    let Operation { attempt, claims, resubmissions, failure, hold, .. } = old;
    let again = *claims > 0 && *claims != new.claims;
    again
        || (attempt, resubmissions) != (&new.attempt, &new.resubmissions)
        || (failure, hold) != (&new.failure, &new.hold)
        || number(new.phase) < number(old.phase)
}

const fn number(phase: Phase) -> u8 {
    match phase {
        Phase::Intent => 0,
        Phase::Submitted => 1,
        Phase::Verifying => 2,
        Phase::Gating => 3,
        Phase::Soaking => 4,
    }
}

/// Settings are changed or put back, somebody has asked for another try, or gates have begun to fail.
fn of_settings_or_people(before: &Ledger, after: &Ledger) -> bool {
    before.restore != after.restore
        || before.retry_token != after.retry_token
        || before.gates_failing_since != after.gates_failing_since
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(reason: &str, words: &str) -> Record {
        Record { standing: Some((reason.to_owned(), words.to_owned())), ..Record::default() }
    }

    #[test]
    fn only_what_not_every_step_has_is_a_disturbance() {
        let usual = standing("UpgradingNodePool", "a");
        assert!(!is_disturbance(&usual, &standing("Verifying", "b")));
        assert!(!is_disturbance(&usual, &standing("UpgradingNodePool", "other words")), "that is a poll");
        assert!(is_disturbance(&usual, &standing("GateFailed", "b")));
        let retried = Ledger { retry_token: Some("1".to_owned()), ..Ledger::default() };
        assert!(is_disturbance(&usual, &Record { ledger: retried, ..usual.clone() }));
        assert!(is_disturbance(&usual, &Record { observed: 2, ..usual.clone() }));
    }
}
