//! Rules about what the operator records and says.

use std::time::Duration;

use engine::{Ledger, Phase, Progress, StepState};

use super::{Checks, is_really_done};
use crate::exploration::{hub::Record, sim::State};

/// How long ago it may have been really so: what is recorded was seen before, over slow calls.
const SEEN: Duration = Duration::from_secs(600);
/// Bytes of the record of an upgrade with up to four pools.
const LARGEST: usize = 6 * 1024;

impl Checks {
    /// A record was written.
    pub(in crate::exploration) fn after_save(
        state: &mut State,
        index: usize,
        before: &Record,
        after: &Record,
    ) {
        Self::tell_changes(state, index, before, after);
        Self::note_claim(state, index, before, after);
        Self::shows_in_the_nodes(state, index, before, after);
        Self::stays_small(state, index, after);
        Self::tells_each_step_once(state, index, after);
        Self::after_record(state, index, &before.ledger, &after.ledger);
        let retries = i32::try_from(state.hub.upgrades[index].request.policy.retries).unwrap_or(i32::MAX);
        if let Some(operation) = &after.ledger.operation
            && operation.attempt > retries.saturating_add(1)
        {
            let what =
                format!("attempt {} of {} with {retries} retries", operation.attempt, operation.step_id);
            Self::violated(state, "attempts are bounded", what);
        }
        if before.ledger.finished_at.is_some() && before.ledger != after.ledger {
            let name = state.hub.upgrades[index].name.clone();
            Self::violated(state, "done is done", format!("{name} was finished, and its record changed"));
        }
        let watched = &mut state.checks.watched[index];
        let in_flight = after.ledger.current().map(|(_, record)| record.step.clone());
        if watched.in_flight != in_flight {
            (watched.in_flight, watched.really, watched.under_way) = (in_flight, (false, None), None);
        }
        Self::after_event(state);
    }

    /// A reconciliation came to its end.
    pub(in crate::exploration) fn after_advance(state: &mut State, index: usize, progress: &Progress) {
        let name = state.hub.upgrades[index].name.clone();
        match &progress.waiting {
            None if progress.ledger.finished_at.is_none() && !state.hub.upgrades[index].request.abandoned => {
                Self::violated(
                    state,
                    "8 every wait has a reason",
                    format!("{name} rests without being done"),
                );
            }
            Some(waiting) if waiting.look_again(state.now).is_zero() => {
                let what = format!("{name} waits on {} and never looks again", waiting.reason());
                Self::violated(state, "8 every wait has a reason", what);
            }
            Some(_) | None => {}
        }
    }

    fn tell_changes(state: &mut State, index: usize, before: &Record, after: &Record) {
        if state.timeline.is_story() {
            return crate::exploration::script::saved(state, index, before, after);
        }
        let name = state.hub.upgrades[index].name.clone();
        let phase = |ledger: &Ledger| {
            let (operation, record) = ledger.current()?;
            Some(format!("{} {:?} attempt {}", record.id, operation.phase, operation.attempt))
        };
        let (was, is) = (phase(&before.ledger), phase(&after.ledger));
        if was != is {
            state.tell(&name, &format!("records {}", is.as_deref().unwrap_or("nothing in flight")));
        }
        if before.standing != after.standing {
            let (reason, words) = after.standing.clone().unwrap_or_default();
            state.tell(&name, &format!("waits on {reason}: {words}"));
        }
        if after.ledger.finished_at.is_some() && before.ledger.finished_at.is_none() {
            state.tell(&name, "is done");
        }
    }

    fn note_claim(state: &mut State, index: usize, before: &Record, after: &Record) {
        let claim = |ledger: &Ledger| {
            let operation = ledger.operation.as_ref().filter(|operation| operation.phase == Phase::Intent)?;
            Some((operation.step_id.clone(), operation.claims, operation.intent_at))
        };
        let Some(new) = claim(&after.ledger).filter(|(_, claims, _)| *claims > 0) else { return };
        if claim(&before.ledger).as_ref() != Some(&new) {
            *state.checks.watched[index].claimed.entry(new.0).or_default() += 1;
        }
    }

    /// 10: done means that the nodes show it.
    fn shows_in_the_nodes(state: &mut State, index: usize, before: &Record, after: &Record) {
        let succeeded = |ledger: &Ledger, id: &str| {
            ledger.steps.iter().any(|record| record.id == id && record.state == StepState::Succeeded)
        };
        let in_flight = before.ledger.current().map(|(_, record)| record.clone());
        let Some(record) = in_flight else { return };
        if succeeded(&before.ledger, &record.id) || !succeeded(&after.ledger, &record.id) {
            return;
        }
        let key = state.checks.clusters.iter().find(|(_, number)| **number == index);
        let Some(key) = key.map(|(key, _)| key.clone()) else { return };
        let soak = Duration::from_secs(3600);
        let seen = state.checks.watched[index].really.1;
        let recently = seen.is_some_and(|seen| state.now < seen + SEEN + soak);
        if !is_really_done(state, &key, &record.step) && !recently {
            let what = format!("{} is recorded as done, and the nodes never showed it", record.id);
            Self::violated(state, "10 done means that the nodes show it", what);
        }
    }

    fn tells_each_step_once(state: &mut State, index: usize, after: &Record) {
        let mut ids: Vec<&str> = after.ledger.steps.iter().map(|record| record.id.as_str()).collect();
        ids.sort_unstable();
        if let Some([id, _]) = ids.windows(2).find(|pair| pair[0] == pair[1]) {
            let what = format!("{} tells twice of {id}", state.hub.upgrades[index].name);
            Self::violated(state, "records stay small", what);
        }
    }

    fn stays_small(state: &mut State, index: usize, after: &Record) {
        let bytes = serde_json::to_vec(&after.ledger).map_or(usize::MAX, |bytes| bytes.len());
        if bytes > LARGEST {
            let name = state.hub.upgrades[index].name.clone();
            Self::violated(state, "records stay small", format!("{name} has a record of {bytes} bytes"));
        }
    }
}
