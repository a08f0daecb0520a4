//! From a cluster's maintenance configuration, as Azure shows it, to a window.
//!
//! What is missing or not understood is an error, never a guess: a window that is thought to be open, and
//! is not, would let a step start against the owner's word.

use azure_mgmt_containerservice::{MaintenanceConfiguration, MaintenanceWindow, Schedule};
use engine::{
    Maintenance, Window,
    calendar::{AksHours, AksSchedule, AksWindow, InvalidWindow, Week},
};

/// A cluster's maintenance configurations, each by itself: one that is not understood says nothing of the others,
/// and one whose name binds nothing is not looked into.
#[must_use]
pub fn maintenance<'a>(views: impl IntoIterator<Item = &'a MaintenanceConfiguration>) -> Maintenance {
    let mut all = Maintenance::default();
    for view in views {
        if let Some(place) = all.of_name(view.name.as_deref().unwrap_or_default()) {
            *place = Some(window(view));
        }
    }
    all
}

/// The window of a maintenance configuration, of any form; its name is that of the configuration.
///
/// # Errors
/// When it is not known when it opens: the field is named.
fn window(view: &MaintenanceConfiguration) -> Result<Window, InvalidWindow> {
    let name = view.name.clone().unwrap_or_default();
    match (&view.maintenance_window, &view.maintenance_window_id) {
        (Some(window), _) => {
            present_form(&name, window).map_err(|error| in_window(error, "maintenanceWindow."))
        }
        (None, Some(_)) => Err(wrong(
            "maintenanceWindowId",
            "its schedule is in a resource of its own, which Tidegate does not read",
        )),
        (None, None) => older_form(&name, view),
    }
}

fn present_form(name: &str, window: &MaintenanceWindow) -> Result<Window, InvalidWindow> {
    let schedule = window
        .schedule
        .as_ref()
        .ok_or_else(|| wrong("schedule", "is none of daily, weekly, absoluteMonthly and relativeMonthly"))?;
    let mut not_allowed_dates = Vec::new();
    for (index, span) in window.not_allowed_dates.iter().enumerate() {
        let known = span.start.zip(span.end);
        not_allowed_dates.push(known.ok_or_else(|| unknown(&format!("notAllowedDates[{index}]")))?);
    }
    Window::of_aks(&AksWindow {
        name: name.to_owned(),
        schedule: schedule_of(schedule)?,
        duration_hours: window.duration_hours.ok_or_else(|| unknown("durationHours"))?,
        utc_offset: window.utc_offset.ok_or_else(|| unknown("utcOffset"))?,
        start_date: window.start_date,
        start_time: window.start_time.ok_or_else(|| unknown("startTime"))?,
        not_allowed_dates,
    })
}

fn schedule_of(schedule: &Schedule) -> Result<AksSchedule, InvalidWindow> {
    let number = |field: &str, value: Option<i64>| value.ok_or_else(|| unknown(&format!("schedule.{field}")));
    Ok(match schedule {
        Schedule::Daily { interval_days } => {
            AksSchedule::Daily { interval_days: number("daily.intervalDays", *interval_days)? }
        }
        Schedule::Weekly { interval_weeks, day_of_week } => AksSchedule::Weekly {
            interval_weeks: number("weekly.intervalWeeks", *interval_weeks)?,
            day_of_week: day_of_week.ok_or_else(|| unknown("schedule.weekly.dayOfWeek"))?,
        },
        Schedule::AbsoluteMonthly { interval_months, day_of_month } => AksSchedule::AbsoluteMonthly {
            interval_months: number("absoluteMonthly.intervalMonths", *interval_months)?,
            day_of_month: number("absoluteMonthly.dayOfMonth", *day_of_month)?,
        },
        Schedule::RelativeMonthly { interval_months, week_index, day_of_week } => {
            AksSchedule::RelativeMonthly {
                interval_months: number("relativeMonthly.intervalMonths", *interval_months)?,
                week_index: week(week_index.as_deref())?,
                day_of_week: day_of_week.ok_or_else(|| unknown("schedule.relativeMonthly.dayOfWeek"))?,
            }
        }
    })
}

fn week(text: Option<&str>) -> Result<Week, InvalidWindow> {
    let known = [
        ("First", Week::First),
        ("Second", Week::Second),
        ("Third", Week::Third),
        ("Fourth", Week::Fourth),
        ("Last", Week::Last),
    ];
    let found = known.into_iter().find(|(name, _)| text.is_some_and(|text| text.eq_ignore_ascii_case(name)));
    found.map(|(_, week)| week).ok_or_else(|| unknown("schedule.relativeMonthly.weekIndex"))
}

fn older_form(name: &str, view: &MaintenanceConfiguration) -> Result<Window, InvalidWindow> {
    let mut time_in_week = Vec::new();
    for (index, slots) in view.time_in_week.iter().enumerate() {
        let day = slots.day.ok_or_else(|| unknown(&format!("timeInWeek[{index}].day")))?;
        time_in_week.push((day, slots.hour_slots.clone()));
    }
    let mut not_allowed_time = Vec::new();
    for (index, span) in view.not_allowed_time.iter().enumerate() {
        let known = span.start.zip(span.end);
        not_allowed_time.push(known.ok_or_else(|| unknown(&format!("notAllowedTime[{index}]")))?);
    }
    Window::of_aks_hours(&AksHours { name: name.to_owned(), time_in_week, not_allowed_time })
}

fn in_window(error: InvalidWindow, prefix: &str) -> InvalidWindow {
    InvalidWindow { field: format!("{prefix}{}", error.field), ..error }
}

fn unknown(field: &str) -> InvalidWindow {
    wrong(field, "is missing or not understood")
}

fn wrong(field: &str, problem: &str) -> InvalidWindow {
    InvalidWindow { field: field.to_owned(), problem: problem.to_owned() }
}

#[cfg(test)]
mod tests;
