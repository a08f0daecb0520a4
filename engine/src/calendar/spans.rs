//! Each single time that a window describes, in the order in which they begin.

use std::collections::BTreeSet;

use jiff::{
    SignedDuration, Timestamp, ToSpan,
    civil::{Date, Time},
};

use super::{Window, zone};

/// How far ahead openings are looked for. The rarest start is that of 29 February, which is at most eight
/// years away (2096 to 2104); whoever asks wants the next opening, or the next few. Going through ten
/// years costs some milliseconds, and only when nothing opens in them.
pub(super) const LOOK_AHEAD: SignedDuration = SignedDuration::from_hours(24 * 3653);

/// How far back, for what is still open: longer than any single time that recurs (less than a week), so
/// that times that follow each other without a break for some weeks are seen to be one opening.
const LOOK_BACK: SignedDuration = SignedDuration::from_hours(24 * 28);

/// From one instant to another, the second not included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Span {
    pub(crate) from: Timestamp,
    pub(crate) until: Timestamp,
}

/// The single times of a window, those of each day after the day before.
pub(super) struct Spans<'a> {
    window: &'a Window,
    /// The next day to be looked at; `None` when there is none.
    day: Option<Date>,
    last_day: Date,
    /// Known, and not given out yet.
    pending: BTreeSet<Span>,
}

impl<'a> Spans<'a> {
    /// Those that have not ended long before `after`.
    pub(super) fn new(window: &'a Window, after: Timestamp) -> Self {
        let first = after.saturating_sub(LOOK_BACK).unwrap_or(Timestamp::MIN);
        let last = after.saturating_add(LOOK_AHEAD).unwrap_or(Timestamp::MAX);
        let once = window.once.iter().filter(|span| span.until > after && span.from <= last);
        Self {
            window,
            day: (!window.recurring.is_empty()).then(|| window.zone.to_datetime(first).date()),
            last_day: window.zone.to_datetime(last).date(),
            pending: once.copied().collect(),
        }
    }

    /// Adds the times that begin on a day.
    fn look_at(&mut self, day: Date) {
        for recurrence in self.window.recurring.iter().filter(|recurrence| recurrence.days.contains(day)) {
            for time in &recurrence.times {
                let from = zone::start(&self.window.zone, day.to_datetime(*time));
                let until = from.and_then(|from| from.checked_add(recurrence.length).ok());
                self.pending.extend(from.zip(until).map(|(from, until)| Span { from, until }));
            }
        }
    }
}

impl Iterator for Spans<'_> {
    type Item = Span;

    fn next(&mut self) -> Option<Span> {
        loop {
            let Some(day) = self.day else { return self.pending.pop_first() };
            // A start that was moved over a gap can come after one of the next day; none comes before
            // the day of its own begins.
            if let Some(first) = self.pending.first()
                && zone::start(&self.window.zone, day.to_datetime(Time::midnight()))
                    .is_some_and(|begins| first.from < begins)
            {
                return self.pending.pop_first();
            }
            self.look_at(day);
            self.day = day.checked_add(1.day()).ok().filter(|day| *day <= self.last_day);
        }
    }
}
