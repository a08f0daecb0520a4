//! Rules about what the operator records and says.

use engine::{Control, Ledger, Progress, WaitingOn};

use super::{Checks, rules};
use crate::exploration::{hub::Record, sim::State};

/// Bytes of the record of an upgrade with up to four pools.
const LARGEST: usize = 6 * 1024;

/// Whether a finished record says what it said before, but for what has been asked for in vain since.
fn is_as_it_was(old: &Ledger, new: &Ledger) -> bool {
    let Control { skip_token, abort_token, rollback_token, refused, .. } = new.control.clone();
    let control = Control { skip_token, abort_token, rollback_token, refused, ..old.control.clone() };
    let told = Ledger { retry_token: new.retry_token.clone(), control, ..old.clone() };
    let tokens = |ledger: &Ledger| {
        let Control { skip_token, abort_token, rollback_token, .. } = ledger.control.clone();
        (ledger.retry_token.clone(), skip_token, abort_token, rollback_token)
    };
    old == new || (told == *new && tokens(old) != tokens(new))
}

impl Checks {
    /// A replica has written a record.
    pub(in crate::exploration) fn after_save(
        state: &mut State,
        (replica, index): (usize, usize),
        before: &Record,
        after: &Record,
    ) {
        Self::tell_changes(state, index, before, after);
        Self::note_claim(state, (replica, index), before, after);
        Self::note_standing(state, index);
        let (old, new) = (&before.ledger, &after.ledger);
        Self::shows_in_the_nodes(state, index, old, new);
        Self::is_really_under_way(state, index, old, new);
        Self::judged(state, index, old, new);
        Self::soaks(state, index, old, new);
        Self::begins_nothing_while_it_soaks(state, index, old, new);
        Self::aborts_when_gates_have_failed(state, index, old, new);
        Self::settings_are_back(state, index, before, after);
        Self::stops_for_others(state, index, old, new);
        Self::accuses_nobody_wrongly(state, index, after);
        Self::bears_failures(state, index, old, new);
        Self::note_halt(state, index, old, new);
        Self::found_something(state, index, (old, new));
        Self::counts_effort(state, index, before, after);
        Self::stays_small(state, index, after);
        Self::keeps_to_its_words(state, index, after);
        Self::tells_each_step_once(state, index, after);
        if old.finished_at.is_some() && !is_as_it_was(old, new) {
            let name = state.hub.upgrades[index].name.clone();
            Self::violated(state, rules::FINISHED, format!("{name} was finished, and its record changed"));
        }
        Self::follow_step(state, index, after);
    }

    /// A reconciliation came to its end.
    pub(in crate::exploration) fn after_advance(state: &mut State, index: usize, progress: &Progress) {
        let name = state.hub.upgrades[index].name.clone();
        match &progress.waiting {
            None if progress.ledger.finished_at.is_none() && !state.hub.upgrades[index].request.abandoned => {
                Self::violated(state, rules::REASON, format!("{name} rests without being done"));
            }
            Some(WaitingOn::Undecided) => {
                Self::violated(state, rules::REASON, format!("{name} comes to no decision"));
            }
            Some(waiting) if waiting.look_again(state.now).is_zero() => {
                let what = format!("{name} waits on {} and never looks again", waiting.reason());
                Self::violated(state, rules::REASON, what);
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

    fn tells_each_step_once(state: &mut State, index: usize, after: &Record) {
        let mut ids: Vec<&str> = after.ledger.steps.iter().map(|record| record.id.as_str()).collect();
        ids.sort_unstable();
        if let Some([id, _]) = ids.windows(2).find(|pair| pair[0] == pair[1]) {
            let what = format!("{} tells twice of {id}", state.hub.upgrades[index].name);
            Self::violated(state, rules::RECORDS, what);
        }
    }

    fn stays_small(state: &mut State, index: usize, after: &Record) {
        let bytes = serde_json::to_vec(&after.ledger).map_or(usize::MAX, |bytes| bytes.len());
        if bytes > LARGEST {
            let name = state.hub.upgrades[index].name.clone();
            Self::violated(state, rules::RECORDS, format!("{name} has a record of {bytes} bytes"));
        }
    }
}
