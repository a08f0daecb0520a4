//! When work may start: the openings of maintenance windows, the user's own and those of AKS.
//!
//! Decides from a validated window and an instant which openings follow, and touches nothing. All are
//! computed from civil dates and times in the window's zone, with the time zone database that is
//! built in: a replica on a machine without one, or with an older one, says the same.

mod aks;
#[cfg(test)]
mod clock;
mod cron;
mod days;
mod exclusions;
mod joined;
#[cfg(test)]
mod properties;
mod spans;
mod terms;
#[cfg(test)]
mod tests;
mod zone;

use jiff::{SignedDuration, Timestamp, civil::Time, tz::TimeZone};

pub use aks::{AksHours, AksSchedule, AksWindow};
pub use days::Week;
pub use terms::{Exclusion, InvalidWindow, Moment, Start, Terms};

use days::Days;
use joined::Joined;
use spans::{Span, Spans};

/// A time in which steps may start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// The name of the window that is open.
    pub window: String,
    /// The first instant in it.
    pub from: Timestamp,
    /// The first instant that is no longer in it.
    pub until: Timestamp,
}

/// A maintenance window that has been checked: it names a zone, lasts, and opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    name: String,
    zone: TimeZone,
    recurring: Vec<Recurrence>,
    once: Vec<Span>,
    /// In order, and apart from each other.
    closed: Vec<Span>,
}

/// What opens again and again: at these times of these days, for so long.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Recurrence {
    days: Days,
    times: Vec<Time>,
    length: SignedDuration,
}

impl Window {
    /// Its name, which its openings carry.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The zone of its dates and times.
    #[must_use]
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// The openings that end after `after`, in order and apart from each other.
    ///
    /// The first may have begun before. What overlaps or touches is one opening, and an exclusion in the
    /// middle of one leaves two. Ends ten years after `after`: see [`spans::LOOK_AHEAD`].
    pub fn openings(&self, after: Timestamp) -> impl Iterator<Item = Opening> {
        let joined = Joined::new(Spans::new(self, after));
        let left = joined.flat_map(|span| exclusions::without(span, &self.closed));
        left.filter(move |span| span.until > after).map(|Span { from, until }| Opening {
            window: self.name.clone(),
            from,
            until,
        })
    }
}
