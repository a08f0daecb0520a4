//! When a rollout will probably have ended: its waves one after the other, of each so many clusters at once. Pure.

use std::{cmp::Reverse, collections::BinaryHeap, time::Duration};

use jiff::Timestamp;

use super::Outlay;

/// What a wave still has before it.
#[derive(Clone, Debug)]
pub struct UpcomingWave<'a> {
    /// How many of its clusters are worked on at once.
    pub at_once: usize,
    /// When those that are worked on have ended, as far as that is known.
    pub running: Vec<Option<Timestamp>>,
    /// Those that wait, in the order in which they start: what each goes through.
    pub waiting: Vec<Outlay<'a>>,
    /// How long each is watched after its last step.
    pub soak: Duration,
}

/// When all waves have ended; `None` when that is not known of one of them.
#[must_use]
pub fn end_of_rollout(waves: &[UpcomingWave<'_>], now: Timestamp) -> Option<Timestamp> {
    waves.iter().try_fold(now, |begins, wave| end_of_wave(wave, begins))
}

fn end_of_wave(wave: &UpcomingWave<'_>, begins: Timestamp) -> Option<Timestamp> {
    let running: Vec<Timestamp> = wave.running.iter().copied().collect::<Option<_>>()?;
    let mut ends = running.iter().copied().fold(begins, Timestamp::max);
    // What is watched only is no longer worked on; it counts as if it were, or nobody knew when its steps end.
    let mut places: BinaryHeap<Reverse<Timestamp>> = running.into_iter().map(Reverse).collect();
    let free = wave.at_once.max(1).saturating_sub(places.len()).min(wave.waiting.len());
    places.extend(std::iter::repeat_n(Reverse(begins), free));
    for outlay in &wave.waiting {
        let Reverse(place) = places.pop()?;
        let done = outlay.end_if_started(place.max(begins))?;
        places.push(Reverse(done));
        ends = ends.max(done.checked_add(wave.soak).ok()?);
    }
    Some(ends)
}
