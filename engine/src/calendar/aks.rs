//! The maintenance configurations of AKS, as windows.
//!
//! Rules after "Use planned maintenance to schedule and control upgrades for your AKS cluster", and the
//! descriptions of the REST API's `MaintenanceWindow`, `Schedule` and `TimeInWeek`:
//! - all dates and times are those of a fixed offset, the same in summer and winter;
//! - a window begins on its day, and lasts its hours into the next one;
//! - intervals are counted from `startDate`, before which nothing opens;
//! - `notAllowedDates` are whole days of the same offset, the last one included;
//! - the older form names hours of days of the week in UTC (slot 1 is 01:00 to 02:00), entries of one day
//!   add up, and `notAllowedTime` are instants.
//!
//! Nothing is said of the 31st in a shorter month: it is taken for the last day, as Azure's other
//! schedules do.

use jiff::{
    SignedDuration, Timestamp,
    civil::{Date, Time, Weekday},
    tz::{Offset, TimeZone},
};

use super::{
    InvalidWindow, Recurrence, Week, Window,
    days::{Days, On},
    exclusions,
    spans::Span,
};

/// A longer interval or length than Azure knows today is taken, up to this.
const LARGEST_INTERVAL: i64 = 1000;
const MOST_HOURS: i64 = 7 * 24 - 1;

/// A maintenance configuration of the present form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AksWindow {
    /// Its name.
    pub name: String,
    /// How it recurs.
    pub schedule: AksSchedule,
    /// How long it is open.
    pub duration_hours: i64,
    /// The offset of all its dates and times.
    pub utc_offset: Offset,
    /// The first day; without one it holds from the beginning of time.
    pub start_date: Option<Date>,
    /// When it opens.
    pub start_time: Time,
    /// Days on which it stays closed: the first and the last.
    pub not_allowed_dates: Vec<(Date, Date)>,
}

/// How a maintenance configuration recurs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AksSchedule {
    /// Every so many days.
    Daily {
        /// The number.
        interval_days: i64,
    },
    /// On a day, every so many weeks.
    Weekly {
        /// The number.
        interval_weeks: i64,
        /// The day.
        day_of_week: Weekday,
    },
    /// On a day of the month, every so many months.
    AbsoluteMonthly {
        /// The number.
        interval_months: i64,
        /// 1 to 31.
        day_of_month: i64,
    },
    /// On the n-th such day of the month, every so many months.
    RelativeMonthly {
        /// The number.
        interval_months: i64,
        /// Which.
        week_index: Week,
        /// The day.
        day_of_week: Weekday,
    },
}

/// A maintenance configuration of the older form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AksHours {
    /// Its name.
    pub name: String,
    /// Hours of days of the week, 0 to 23.
    pub time_in_week: Vec<(Weekday, Vec<i64>)>,
    /// When it stays closed: the beginning and the end.
    pub not_allowed_time: Vec<(Timestamp, Timestamp)>,
}

impl Window {
    /// The window of a maintenance configuration.
    ///
    /// # Errors
    /// When a number is none that such a configuration can have; the field is Azure's.
    pub fn of_aks(window: &AksWindow) -> Result<Self, InvalidWindow> {
        let AksWindow { name, schedule, duration_hours, utc_offset, start_date, start_time, .. } = window;
        let (on, every) = schedule.parts()?;
        let since = match start_date {
            Some(date) => *date,
            None if every == 1 => Date::MIN,
            None => return Err(wrong("startDate", "is missing, from which the interval is counted")),
        };
        let hours = in_range("durationHours", *duration_hours, MOST_HOURS)?;
        let zone = TimeZone::fixed(*utc_offset);
        let mut closed = Vec::new();
        for (index, (first, last)) in window.not_allowed_dates.iter().enumerate() {
            let midnight = |day: Date| zone.to_timestamp(day.to_datetime(Time::midnight())).ok();
            let span = midnight(*first).zip(last.tomorrow().ok().and_then(midnight));
            closed.push(ordered(span).ok_or_else(|| not_ordered("notAllowedDates", index))?);
        }
        Ok(Self {
            name: name.clone(),
            recurring: vec![Recurrence {
                days: Days { since, every, on },
                times: vec![*start_time],
                length: SignedDuration::from_hours(hours.into()),
            }],
            once: Vec::new(),
            closed: exclusions::apart(closed),
            zone,
        })
    }

    /// The window of a maintenance configuration of the older form.
    ///
    /// # Errors
    /// When an hour is none, there is none at all, or a span ends before it begins.
    pub fn of_aks_hours(window: &AksHours) -> Result<Self, InvalidWindow> {
        let mut recurring = Vec::new();
        for (index, (day, hours)) in window.time_in_week.iter().enumerate() {
            let times = hours.iter().map(|hour| Time::new(i8::try_from(*hour).ok()?, 0, 0, 0).ok());
            let times = times.collect::<Option<Vec<_>>>().ok_or_else(|| {
                wrong(format!("timeInWeek[{index}].hourSlots"), "are not hours from 0 to 23")
            })?;
            let days = Days::always(On::Weekdays(vec![*day]));
            recurring.push(Recurrence { days, times, length: SignedDuration::from_hours(1) });
        }
        if recurring.iter().all(|recurrence| recurrence.times.is_empty()) {
            return Err(wrong("timeInWeek", "names no hour in which maintenance is allowed"));
        }
        let mut closed = Vec::new();
        for (index, span) in window.not_allowed_time.iter().enumerate() {
            closed.push(ordered(Some(*span)).ok_or_else(|| not_ordered("notAllowedTime", index))?);
        }
        Ok(Self {
            name: window.name.clone(),
            zone: TimeZone::UTC,
            recurring,
            once: Vec::new(),
            closed: exclusions::apart(closed),
        })
    }
}

impl AksSchedule {
    /// Which days of an interval, and how long that is.
    fn parts(&self) -> Result<(On, i32), InvalidWindow> {
        let interval = |field: &str, number| in_range(&format!("schedule.{field}"), number, LARGEST_INTERVAL);
        Ok(match self {
            Self::Daily { interval_days } => (On::Day, interval("daily.intervalDays", *interval_days)?),
            Self::Weekly { interval_weeks, day_of_week } => {
                (On::Weekdays(vec![*day_of_week]), interval("weekly.intervalWeeks", *interval_weeks)?)
            }
            Self::AbsoluteMonthly { interval_months, day_of_month } => {
                let day = in_range("schedule.absoluteMonthly.dayOfMonth", *day_of_month, 31)?;
                let day = i8::try_from(day).unwrap_or(31);
                (On::DayOfMonth(day), interval("absoluteMonthly.intervalMonths", *interval_months)?)
            }
            Self::RelativeMonthly { interval_months, week_index, day_of_week } => (
                On::WeekdayOfMonth(*week_index, *day_of_week),
                interval("relativeMonthly.intervalMonths", *interval_months)?,
            ),
        })
    }
}

fn ordered(span: Option<(Timestamp, Timestamp)>) -> Option<Span> {
    span.filter(|(from, until)| from < until).map(|(from, until)| Span { from, until })
}

fn not_ordered(field: &str, index: usize) -> InvalidWindow {
    wrong(format!("{field}[{index}]"), "does not end after it starts")
}

fn in_range(field: &str, number: i64, largest: i64) -> Result<i32, InvalidWindow> {
    let known = i32::try_from(number).ok().filter(|_| (1..=largest).contains(&number));
    known.ok_or_else(|| wrong(field, format!("{number} is not a number from 1 to {largest}")))
}

fn wrong(field: impl Into<String>, problem: impl Into<String>) -> InvalidWindow {
    InvalidWindow { field: field.into(), problem: problem.into() }
}
