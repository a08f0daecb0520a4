//! Arithmetic with instants that are on record, where people may have written any, and clocks that were wrong.

use std::time::Duration;

use jiff::Timestamp;

/// The longest that we wait because Azure, or our share of one of its limits, asks for it. Whatever asks for more
/// is asked again by then; Azure's own limits recover within an hour.
const LONGEST_ASKED: Duration = Duration::from_secs(2 * 3600);
/// Further ahead is nothing that we write: no pause is longer than [`LONGEST_ASKED`] and a quarter of it, and no
/// two clocks that do their work differ by so much.
pub(crate) const FAR_AHEAD: Duration = Duration::from_secs(3 * 3600);

/// So much later; the last instant there is where that would be beyond it.
pub(crate) fn later(at: Timestamp, by: Duration) -> Timestamp {
    at.saturating_add(by).unwrap_or(Timestamp::MAX)
}

/// A pause that somebody asks for, as long as one may be.
pub(crate) fn asked(pause: Option<Duration>) -> Duration {
    pause.unwrap_or_default().min(LONGEST_ASKED)
}

/// An instant until which somebody asks us to wait, as far ahead as one may be.
pub(crate) fn asked_until(until: Timestamp, now: Timestamp) -> Timestamp {
    until.min(later(now, LONGEST_ASKED))
}

/// Whether it is so far ahead that only a clock that was wrong can have written it.
pub(crate) fn is_far_ahead(at: Timestamp, now: Timestamp) -> bool {
    at > later(now, FAR_AHEAD)
}
