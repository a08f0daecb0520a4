//! The reference of the tests: clocks on a wall, watched minute by minute. It asks which time a clock shows at
//! an instant, never which instant a time means.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{
    SignedDuration, Timestamp, ToSpan,
    civil::{Date, DateTime},
    tz::{TimeZone, TimeZoneDatabase},
};

use super::spans::Span;

/// What a clock showed, at each minute of a time.
pub(super) struct Clock {
    shown: Vec<(Timestamp, DateTime)>,
    first: BTreeMap<DateTime, Timestamp>,
    /// The days that were shown from their beginning to their end, and those that were skipped.
    pub(super) days: Vec<Date>,
}

impl Clock {
    /// Watches a clock from an instant on.
    pub(super) fn watch(zone: &TimeZone, from: Timestamp, length: SignedDuration) -> Self {
        let minutes = (0..length.as_mins()).map(|minute| from + SignedDuration::from_mins(minute));
        let shown: Vec<_> = minutes.map(|at| (at, zone.to_datetime(at))).collect();
        let first = shown.iter().rev().map(|(at, local)| (*local, *at)).collect();
        let (before, last) = (shown[0].1.date(), shown[shown.len() - 1].1.date());
        let days = before.series(1.day()).take_while(|day| *day < last).skip(1).collect();
        Self { shown, first, days }
    }

    /// When a time was shown, the first time. One that was skipped counts as much after the skip as it is
    /// after the beginning of what was skipped.
    pub(super) fn first_shown(&self, wanted: DateTime) -> Option<Timestamp> {
        self.first.get(&wanted).copied().or_else(|| {
            let skips = self.shown.windows(2).find(|pair| pair[0].1 < wanted && wanted < pair[1].1)?;
            let gone = wanted.duration_since(skips[0].1 + 1.minute());
            Some(skips[1].0 + gone)
        })
    }

    /// The minutes that were watched.
    pub(super) fn minutes(&self) -> impl Iterator<Item = Timestamp> {
        self.shown.iter().map(|(at, _)| *at)
    }
}

/// All zones of the database by name.
pub(super) fn zones() -> Vec<(String, TimeZone)> {
    let database = TimeZoneDatabase::bundled();
    let names: Vec<String> = database.available().map(|name| name.as_str().to_owned()).collect();
    names.into_iter().map(|name| (name.clone(), database.get(&name).unwrap())).collect()
}

/// When its clocks change from 2024 to 2030, and what they show then.
pub(super) fn changes(zone: &TimeZone) -> Vec<(Timestamp, DateTime)> {
    let (from, until): (Timestamp, Timestamp) =
        ("2024-01-01T00:00:00Z".parse().unwrap(), "2031-01-01T00:00:00Z".parse().unwrap());
    let following = zone.following(from).map(|transition| transition.timestamp());
    following.take_while(|at| *at < until).map(|at| (at, zone.to_datetime(at))).collect()
}

/// The zones whose clocks differ at any time from 2024 to 2030, by the first of their names: what is true of
/// one is true of those that show the same.
pub(super) fn distinct_zones() -> Vec<(String, TimeZone)> {
    let mut seen = BTreeSet::new();
    let mut zones = zones();
    zones.retain(|(_, zone)| {
        let first = zone.to_datetime("2024-01-01T00:00:00Z".parse().unwrap());
        seen.insert((first, changes(zone)))
    });
    zones
}

/// Whether an instant is in one of these.
pub(super) fn is_in(spans: &[Span], at: Timestamp) -> bool {
    spans.iter().any(|span| span.from <= at && at < span.until)
}
