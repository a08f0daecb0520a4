//! When an upgrade's steps may start, as a seed has drawn it, and as told without the operator's own reckoning.

use std::time::Duration;

use engine::{Estimates, Freeze, Schedule};
use jiff::{Span as Days, Timestamp};

use super::hours::{AHEAD, Hours, Stretch, end};

/// A cluster's own maintenance configuration: daily, at a fixed offset.
#[derive(Clone, Debug)]
pub(super) struct Own {
    pub(super) name: &'static str,
    /// The hour at which it opens, and for how many hours it stays open.
    pub(super) hour: i8,
    pub(super) hours: i64,
    /// Hours ahead of UTC.
    pub(super) offset: i8,
    /// Its times are in a resource of their own, which the operator does not read: it must not guess them.
    pub(super) elsewhere: bool,
}

impl Own {
    fn around(&self, at: Timestamp) -> Vec<Stretch> {
        let zone = jiff::tz::Offset::constant(self.offset).to_time_zone();
        let today = at.to_zoned(zone.clone()).date();
        let days = (-2..=AHEAD).filter_map(|days| today.checked_add(Days::new().days(days)).ok());
        let length = Duration::from_secs(self.hours.unsigned_abs() * 3600);
        days.filter_map(|day| Some(day.at(self.hour, 0, 0, 0).to_zoned(zone.clone()).ok()?.timestamp()))
            .map(|from| (from, from + length))
            .collect()
    }
}

/// When the steps of one upgrade may start.
#[derive(Clone, Debug, Default)]
pub(super) struct Timing {
    pub(super) windows: Vec<Hours>,
    pub(super) own: Vec<Own>,
    pub(super) ignores_own: bool,
    pub(super) not_before: Option<Timestamp>,
    pub(super) minimum_remaining: Option<Duration>,
}

impl Timing {
    /// Whether it says anything at all.
    pub(super) fn is_always(&self) -> bool {
        self.windows.is_empty() && self.own.is_empty() && self.not_before.is_none()
    }

    /// As the operator reads it.
    pub(super) fn schedule(&self, freezes: Vec<Freeze>, estimates: Estimates) -> Schedule {
        Schedule {
            windows: self.windows.iter().map(Hours::window).collect(),
            unusable: None,
            respects_cluster: !self.ignores_own,
            freezes,
            not_before: self.not_before,
            minimum_remaining: self.minimum_remaining,
            estimates,
        }
    }

    /// Until when it is open at an instant, for a step of that kind; `None` when it is closed.
    pub(super) fn open_until(&self, at: Timestamp, images: bool) -> Option<Timestamp> {
        if self.not_before.is_some_and(|from| at < from) {
            return None;
        }
        let windows: Vec<Stretch> = self.windows.iter().flat_map(|hours| hours.around(at)).collect();
        let windows = if self.windows.is_empty() { Some(Timestamp::MAX) } else { end(&windows, at) };
        let of_kind =
            if images { "aksManagedNodeOSUpgradeSchedule" } else { "aksManagedAutoUpgradeSchedule" };
        let own = self.own.iter().filter(|_| !self.ignores_own);
        let own = own
            .clone()
            .find(|own| own.name == of_kind)
            .or_else(|| own.clone().find(|own| own.name == "default"));
        let own = own
            .map_or(Some(Timestamp::MAX), |own| if own.elsewhere { None } else { end(&own.around(at), at) });
        Some(windows?.min(own?))
    }
}

/// A freeze, as somebody makes it and takes it away.
#[derive(Clone, Debug)]
pub(super) struct HubFreeze {
    pub(super) freeze: Freeze,
    /// The only upgrade whose cluster it selects; all without.
    pub(super) only: Option<usize>,
    pub(super) made_at: Timestamp,
    pub(super) lifted_at: Option<Timestamp>,
}

impl HubFreeze {
    /// Whether it is there for the cluster of an upgrade.
    pub(super) fn selects(&self, upgrade: usize) -> bool {
        self.lifted_at.is_none() && self.only.is_none_or(|only| only == upgrade)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::{Time, Weekday};

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn what_is_open_is_told_from_the_days_alone() {
        let hours = |zone: &str, days: &[Weekday], hour, length: u64| {
            let starts = (days.to_vec(), Time::constant(hour, 0, 0, 0));
            Hours::weekly("w", zone, starts, Duration::from_secs(length * 3600))
        };
        let windows = vec![
            hours("Europe/Berlin", &[Weekday::Saturday], 22, 6),
            hours("Europe/Berlin", &[Weekday::Sunday], 4, 2),
        ];
        let timing = Timing { windows, ..Timing::default() };
        assert_eq!(timing.open_until(at("2026-11-21T20:59:59Z"), false), None);
        let end = Some(at("2026-11-22T05:00:00Z"));
        assert_eq!(timing.open_until(at("2026-11-21T21:00:00Z"), false), end, "one goes on with the other");
        assert_eq!(timing.open_until(at("2026-11-22T05:00:00Z"), false), None);
        let own = Own { name: "default", hour: 23, hours: 4, offset: 1, elsewhere: false };
        let timing = Timing { own: vec![own.clone()], ..timing };
        assert_eq!(timing.open_until(at("2026-11-21T21:30:00Z"), true), None);
        assert_eq!(timing.open_until(at("2026-11-21T22:00:00Z"), true), Some(at("2026-11-22T02:00:00Z")));
        let unknown = Timing { own: vec![Own { elsewhere: true, ..own }], ..timing.clone() };
        assert_eq!(
            unknown.open_until(at("2026-11-21T22:00:00Z"), true),
            None,
            "nobody knows when it is open"
        );
        let ignoring = Timing { ignores_own: true, ..timing };
        assert_eq!(ignoring.open_until(at("2026-11-21T21:30:00Z"), true), end);
    }
}
