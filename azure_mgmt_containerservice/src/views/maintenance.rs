//! The view of a cluster's own maintenance window: the schedule of today, and the legacy lists of hours.

use jiff::{
    Timestamp,
    civil::{Date, Time, Weekday},
    fmt::strtime,
    tz::Offset,
};
use serde_json::Value;

use super::{integer, objects, parsed, text};
use crate::View;

/// A maintenance configuration: what is read of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MaintenanceConfiguration {
    /// `default`, `aksManagedAutoUpgradeSchedule` or `aksManagedNodeOSUpgradeSchedule`.
    pub name: Option<String>,
    /// The window; absent on legacy configurations, and on those linked to a shared window.
    pub maintenance_window: Option<MaintenanceWindow>,
    /// A window that is a resource of its own, by its id: its schedule is not in this document.
    pub maintenance_window_id: Option<String>,
    /// Legacy: hours of the week, in UTC, in which maintenance may run.
    pub time_in_week: Vec<HourSlots>,
    /// Legacy: spans in which it may not.
    pub not_allowed_time: Vec<TimeSpan>,
}

/// When maintenance may run. What Azure's documentation calls required can still be not known here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MaintenanceWindow {
    /// How it recurs; not known when it has none of the four forms.
    pub schedule: Option<Schedule>,
    /// How long it is open, 4 to 24 hours.
    pub duration_hours: Option<i64>,
    /// The offset of all its dates and times, the same in summer and winter; zero when Azure gives none.
    pub utc_offset: Option<Offset>,
    /// The first day; absent when it holds from the beginning.
    pub start_date: Option<Date>,
    /// When it opens on its days.
    pub start_time: Option<Time>,
    /// Days on which it stays closed, both ends included.
    pub not_allowed_dates: Vec<DateSpan>,
}

/// How a window recurs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Schedule {
    /// Every so many days.
    Daily {
        /// 1 to 7.
        interval_days: Option<i64>,
    },
    /// On one day, every so many weeks.
    Weekly {
        /// 1 to 4.
        interval_weeks: Option<i64>,
        /// The day.
        day_of_week: Option<Weekday>,
    },
    /// On a day of the month, every so many months.
    AbsoluteMonthly {
        /// 1 to 6.
        interval_months: Option<i64>,
        /// 1 to 31.
        day_of_month: Option<i64>,
    },
    /// On the first, second, third, fourth or last such day of the month, every so many months.
    RelativeMonthly {
        /// 1 to 6.
        interval_months: Option<i64>,
        /// `First`, `Second`, `Third`, `Fourth` or `Last`.
        week_index: Option<String>,
        /// The day.
        day_of_week: Option<Weekday>,
    },
}

/// Days from `start` to `end`, both included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DateSpan {
    /// The first day.
    pub start: Option<Date>,
    /// The last day.
    pub end: Option<Date>,
}

/// Legacy: the hours of one day of the week. Slot 1 is 01:00 to 02:00.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HourSlots {
    /// The day.
    pub day: Option<Weekday>,
    /// The hours, 0 to 23.
    pub hour_slots: Vec<i64>,
}

/// Legacy: from one instant to another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimeSpan {
    /// Its beginning.
    pub start: Option<Timestamp>,
    /// Its end.
    pub end: Option<Timestamp>,
}

impl View for MaintenanceConfiguration {
    fn read(document: &Value) -> Self {
        let window = document.pointer("/properties/maintenanceWindow").filter(|window| window.is_object());
        Self {
            name: text(document, "/name"),
            maintenance_window: window.map(MaintenanceWindow::read),
            maintenance_window_id: text(document, "/properties/maintenanceWindowId"),
            time_in_week: objects(document, "/properties/timeInWeek").map(HourSlots::read).collect(),
            not_allowed_time: objects(document, "/properties/notAllowedTime")
                .map(|span| TimeSpan { start: parsed(span, "/start"), end: parsed(span, "/end") })
                .collect(),
        }
    }
}

impl MaintenanceWindow {
    fn read(window: &Value) -> Self {
        let offset = |text: String| strtime::parse("%:z", text).ok()?.offset();
        Self {
            schedule: window.get("schedule").and_then(Schedule::read),
            duration_hours: integer(window, "/durationHours"),
            utc_offset: text(window, "/utcOffset").map_or(Some(Offset::UTC), offset),
            start_date: parsed(window, "/startDate"),
            start_time: parsed(window, "/startTime"),
            not_allowed_dates: objects(window, "/notAllowedDates")
                .map(|span| DateSpan { start: parsed(span, "/start"), end: parsed(span, "/end") })
                .collect(),
        }
    }
}

impl Schedule {
    fn read(schedule: &Value) -> Option<Self> {
        let form = |name| schedule.get(name).filter(|form| form.is_object());
        if let Some(daily) = form("daily") {
            return Some(Self::Daily { interval_days: integer(daily, "/intervalDays") });
        }
        if let Some(weekly) = form("weekly") {
            let interval_weeks = integer(weekly, "/intervalWeeks");
            return Some(Self::Weekly { interval_weeks, day_of_week: weekday(weekly, "/dayOfWeek") });
        }
        if let Some(monthly) = form("absoluteMonthly") {
            let interval_months = integer(monthly, "/intervalMonths");
            return Some(Self::AbsoluteMonthly {
                interval_months,
                day_of_month: integer(monthly, "/dayOfMonth"),
            });
        }
        form("relativeMonthly").map(|monthly| Self::RelativeMonthly {
            interval_months: integer(monthly, "/intervalMonths"),
            week_index: text(monthly, "/weekIndex"),
            day_of_week: weekday(monthly, "/dayOfWeek"),
        })
    }
}

impl HourSlots {
    fn read(item: &Value) -> Self {
        let slots = item.get("hourSlots").and_then(Value::as_array).into_iter().flatten();
        Self {
            day: weekday(item, "/day"),
            hour_slots: slots.filter_map(Value::as_i64).filter(|hour| (0..24).contains(hour)).collect(),
        }
    }
}

fn weekday(value: &Value, pointer: &str) -> Option<Weekday> {
    Some(match text(value, pointer)?.to_ascii_lowercase().as_str() {
        "monday" => Weekday::Monday,
        "tuesday" => Weekday::Tuesday,
        "wednesday" => Weekday::Wednesday,
        "thursday" => Weekday::Thursday,
        "friday" => Weekday::Friday,
        "saturday" => Weekday::Saturday,
        "sunday" => Weekday::Sunday,
        _ => return None,
    })
}
