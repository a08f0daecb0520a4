//! On which days a window opens.

use jiff::civil::{Date, Weekday};

use super::cron::Cron;

/// Which such weekday of the month.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Week {
    /// The first.
    First,
    /// The second.
    Second,
    /// The third.
    Third,
    /// The fourth.
    Fourth,
    /// The last, be it the fourth or the fifth.
    Last,
}

/// Days that recur. None is before `since`, and intervals are counted from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Days {
    pub(super) since: Date,
    /// Every so many days, weeks or months: at least 1.
    pub(super) every: i32,
    pub(super) on: On,
}

/// Which days of an interval.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum On {
    /// Each one.
    Day,
    /// These days of the week; weeks begin with the weekday of `since`.
    Weekdays(Vec<Weekday>),
    /// This day of the month, or its last one where it is shorter.
    DayOfMonth(i8),
    /// The n-th such day of the month.
    WeekdayOfMonth(Week, Weekday),
    /// Those of a cron expression, which has no intervals.
    Cron(Cron),
}

impl Days {
    /// Days that recur in every week or month, from the beginning of time.
    pub(super) fn always(on: On) -> Self {
        Self { since: Date::MIN, every: 1, on }
    }

    /// Whether the day is one of them.
    pub(super) fn contains(&self, day: Date) -> bool {
        day >= self.since && self.on.contains(day) && self.intervals_until(day) % self.every == 0
    }

    /// How many days, weeks or months lie between `since` and the day.
    fn intervals_until(&self, day: Date) -> i32 {
        // With an interval of one, every day is in it: `since` may be too far away to be counted from.
        if self.every == 1 {
            return 0;
        }
        match self.on {
            On::Day | On::Cron(_) => (day - self.since).get_days(),
            On::Weekdays(_) => (day - self.since).get_days() / 7,
            On::DayOfMonth(_) | On::WeekdayOfMonth(..) => months(day) - months(self.since),
        }
    }
}

impl On {
    fn contains(&self, day: Date) -> bool {
        match self {
            Self::Day => true,
            Self::Cron(cron) => cron.contains(day),
            Self::Weekdays(weekdays) => weekdays.contains(&day.weekday()),
            Self::DayOfMonth(wanted) => day.day() == (*wanted).min(day.days_in_month()),
            Self::WeekdayOfMonth(week, weekday) => day.weekday() == *weekday && week.contains(day),
        }
    }
}

impl Week {
    /// Whether the day is in this week of its month, weeks being counted from the 1st, or back from the end.
    fn contains(self, day: Date) -> bool {
        let is = |number| (day.day() - 1) / 7 == number;
        match self {
            Self::First => is(0),
            Self::Second => is(1),
            Self::Third => is(2),
            Self::Fourth => is(3),
            Self::Last => day.day() > day.days_in_month() - 7,
        }
    }
}

fn months(day: Date) -> i32 {
    i32::from(day.year()) * 12 + i32::from(day.month())
}
