//! When a maintenance configuration lets AKS act by itself ("Use planned maintenance to schedule
//! and control upgrades"). Pure: a configuration and an instant in, the next open time out.
//!
//! A window belongs to the day on which it begins, in the configuration's fixed offset from UTC;
//! dates that are not allowed cut it.

mod read;

use jiff::{
    SignedDuration, Timestamp, ToSpan,
    civil::{Date, DateTime, Time, Weekday},
    tz::Offset,
};

/// Windows looked at before it is said that none will ever open: some years of daily ones.
const MOST_WINDOWS: i64 = 1500;

/// A time in which AKS may begin something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Open {
    pub(crate) from: Timestamp,
    /// The first instant that no longer belongs to it.
    pub(crate) until: Timestamp,
}

/// The windows of one maintenance configuration.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Windows {
    schedule: Schedule,
    length: SignedDuration,
    offset: Offset,
    start: Date,
    time: Time,
    forbidden: Vec<(Timestamp, Timestamp)>,
}

/// On which days windows begin.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Schedule {
    Daily {
        every: i32,
    },
    Weekly {
        every: i32,
        day: Weekday,
    },
    MonthlyOn {
        every: i32,
        day: i8,
    },
    MonthlyThe {
        every: i32,
        week: i8,
        day: Weekday,
    },
    /// The older form: hours of days of the week.
    Slots(Vec<(Weekday, i8)>),
}

impl Windows {
    /// The first open time that has not ended at `now`; it may have begun before.
    pub(crate) fn next_open(&self, now: Timestamp) -> Option<Open> {
        let local = self.offset.to_datetime(now);
        // A window of two days before may still be open.
        let first = self.index_before(local.date().saturating_sub(2.days()));
        let windows = (first..first + MOST_WINDOWS).flat_map(|index| self.begins(index));
        let pieces = windows.filter_map(|begin| self.open_at(begin)).flat_map(|open| self.allowed(open));
        pieces.into_iter().find(|open| open.until > now)
    }

    /// The number of a window that begins on that day or before, as near as is simple to say.
    fn index_before(&self, day: Date) -> i64 {
        let days = i64::from((day - self.start).get_days());
        let months = i64::from(months_between(self.start, day));
        let index = match &self.schedule {
            Schedule::Daily { every } => days / i64::from(*every),
            Schedule::Weekly { every, .. } => days / (7 * i64::from(*every)) - 1,
            Schedule::MonthlyOn { every, .. } | Schedule::MonthlyThe { every, .. } => {
                months / i64::from(*every) - 1
            }
            Schedule::Slots(_) => days,
        };
        index.max(0)
    }

    /// Where the windows with this number begin.
    fn begins(&self, index: i64) -> Vec<DateTime> {
        let day = match &self.schedule {
            Schedule::Daily { every } => self.start.checked_add((index * i64::from(*every)).days()).ok(),
            Schedule::Weekly { every, day } => {
                let first = self.start.yesterday().and_then(|before| before.nth_weekday(1, *day));
                first.and_then(|first| first.checked_add((index * 7 * i64::from(*every)).days())).ok()
            }
            Schedule::MonthlyOn { every, day } => self.month(index, *every).map(|month| {
                let last = month.days_in_month();
                month.with().day((*day).min(last)).build().unwrap_or(month)
            }),
            Schedule::MonthlyThe { every, week, day } => {
                self.month(index, *every).and_then(|month| month.nth_weekday_of_month(*week, *day).ok())
            }
            Schedule::Slots(slots) => return self.slots_of(index, slots),
        };
        let day = day.filter(|day| *day >= self.start);
        day.map(|day| day.to_datetime(self.time)).into_iter().collect()
    }

    fn month(&self, index: i64, every: i32) -> Option<Date> {
        self.start.first_of_month().checked_add((index * i64::from(every)).months()).ok()
    }

    fn slots_of(&self, index: i64, slots: &[(Weekday, i8)]) -> Vec<DateTime> {
        let Ok(day) = self.start.checked_add(index.days()) else { return Vec::new() };
        let hours = slots.iter().filter(|(weekday, _)| *weekday == day.weekday());
        let mut begins = hours.map(|(_, hour)| day.at(*hour, 0, 0, 0)).collect::<Vec<_>>();
        begins.sort_unstable();
        begins
    }

    fn open_at(&self, begin: DateTime) -> Option<Open> {
        let from = self.offset.to_timestamp(begin).ok()?;
        Some(Open { from, until: from.checked_add(self.length).ok()? })
    }

    /// What is left of a window without the times that are not allowed.
    fn allowed(&self, open: Open) -> Vec<Open> {
        let mut pieces = vec![open];
        for (from, until) in &self.forbidden {
            let cut = pieces.into_iter().flat_map(|piece| {
                let before = Open { from: piece.from, until: piece.until.min(*from) };
                let after = Open { from: piece.from.max(*until), until: piece.until };
                [before, after]
            });
            pieces = cut.filter(|piece| piece.from < piece.until).collect();
        }
        pieces
    }
}

fn months_between(from: Date, to: Date) -> i32 {
    (i32::from(to.year()) - i32::from(from.year())) * 12 + i32::from(to.month()) - i32::from(from.month())
}

#[cfg(test)]
mod agreement;
#[cfg(test)]
mod tests;
