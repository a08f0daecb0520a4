//! From a MaintenanceWindow to the engine's window: what its schema cannot judge is judged here.

use engine::{
    Window,
    calendar::{Exclusion, Moment, Start, Terms, Week},
};
use jiff::civil::Weekday;
use kube::ResourceExt;

use crate::{
    DayOfWeek, ExcludedDays, InvalidField, MaintenanceWindow, MonthlyStart, Period, WeekIndex,
    WindowExclusion, WindowStart,
};

/// The window of a MaintenanceWindow; its openings carry the object's name.
///
/// # Errors
/// Every field that means nothing, and what would be right.
pub fn window_of(object: &MaintenanceWindow) -> Result<Window, Vec<InvalidField>> {
    let spec = &object.spec;
    let mut wrong = Vec::new();
    let mut starts = Vec::new();
    for (index, start) in spec.starts.iter().enumerate() {
        match start_of(start) {
            Ok(start) => starts.push(start),
            Err(problem) => wrong.push(problem.within("starts", index)),
        }
    }
    let mut exclusions = Vec::new();
    for (index, exclusion) in spec.exclusions.iter().enumerate() {
        match exclusion_of(exclusion) {
            Ok(exclusion) => exclusions.push(exclusion),
            Err(problem) => wrong.push(problem.within("exclusions", index)),
        }
    }
    // The places in what is left out would be those of others.
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let duration = spec.duration.map(|duration| duration.0);
    let terms =
        Terms { name: object.name_any(), time_zone: spec.time_zone.clone(), duration, starts, exclusions };
    Window::new(&terms).map_err(|problems| {
        let field = |field: &str| format!("spec.{field}");
        let problems = problems.into_iter();
        problems.map(|wrong| InvalidField { field: field(&wrong.field), problem: wrong.problem }).collect()
    })
}

/// A field of an entry of a list, and what is wrong with it.
struct Problem(&'static str, String);

impl Problem {
    fn within(self, list: &str, index: usize) -> InvalidField {
        let Self(field, problem) = self;
        InvalidField { field: format!("spec.{list}[{index}]{field}"), problem }
    }
}

fn start_of(start: &WindowStart) -> Result<Start, Problem> {
    let WindowStart { weekly, monthly, cron, once } = start;
    match (weekly, monthly, cron, once) {
        (Some(weekly), None, None, None) => Ok(Start::Weekly {
            days: weekly.days_of_week.iter().copied().map(weekday).collect(),
            time: time(".weekly.startTime", &weekly.start_time)?,
        }),
        (None, Some(monthly), None, None) => monthly_of(monthly),
        (None, None, Some(cron), None) => Ok(Start::Cron(cron.clone())),
        (None, None, None, Some(Period { from, until })) => {
            Ok(Start::Once { from: moment(".once.from", from)?, until: moment(".once.until", until)? })
        }
        _ => Err(Problem("", "exactly one of weekly, monthly, cron and once is needed".to_owned())),
    }
}

fn monthly_of(monthly: &MonthlyStart) -> Result<Start, Problem> {
    let time = time(".monthly.startTime", &monthly.start_time)?;
    match (monthly.day_of_month, monthly.week_index, monthly.day_of_week) {
        (Some(day), None, None) => {
            // What is no day is told as one beyond all, which the engine refuses.
            Ok(Start::DayOfMonth { day: i8::try_from(day).unwrap_or(i8::MAX), time })
        }
        (None, Some(index), Some(day)) => {
            Ok(Start::WeekdayOfMonth { week: week(index), weekday: weekday(day), time })
        }
        _ => Err(Problem(".monthly", "either dayOfMonth, or weekIndex and dayOfWeek, are needed".to_owned())),
    }
}

fn exclusion_of(exclusion: &WindowExclusion) -> Result<Exclusion, Problem> {
    match (&exclusion.days, &exclusion.period) {
        (Some(ExcludedDays { first, last }), None) => Ok(Exclusion::Days {
            first: date(".days.first", first)?,
            last: last
                .as_ref()
                .map_or_else(|| date(".days.first", first), |last| date(".days.last", last))?,
        }),
        (None, Some(Period { from, until })) => Ok(Exclusion::Period {
            from: moment(".period.from", from)?,
            until: moment(".period.until", until)?,
        }),
        _ => Err(Problem("", "exactly one of days and period is needed".to_owned())),
    }
}

fn time(field: &'static str, text: &str) -> Result<jiff::civil::Time, Problem> {
    let parsed = (text.len() == 5).then(|| format!("{text}:00").parse().ok()).flatten();
    parsed.ok_or_else(|| Problem(field, format!("{text:?} is not a time such as \"22:00\"")))
}

fn date(field: &'static str, text: &str) -> Result<jiff::civil::Date, Problem> {
    let parsed = (text.len() == 10).then(|| text.parse().ok()).flatten();
    parsed.ok_or_else(|| Problem(field, format!("{text:?} is not a date such as \"2026-12-20\"")))
}

/// With an offset it is an instant, else a local time.
fn moment(field: &'static str, text: &str) -> Result<Moment, Problem> {
    let seconds = text.get(19..).is_some_and(|offset| !offset.is_empty());
    let parsed =
        if seconds { text.parse().ok().map(Moment::Instant) } else { text.parse().ok().map(Moment::Local) };
    let right = "a local time such as 2026-12-05T22:00, or an instant such as 2026-12-05T21:00:00Z";
    parsed.ok_or_else(|| Problem(field, format!("{text:?} is not {right}")))
}

fn weekday(day: DayOfWeek) -> Weekday {
    match day {
        DayOfWeek::Monday => Weekday::Monday,
        DayOfWeek::Tuesday => Weekday::Tuesday,
        DayOfWeek::Wednesday => Weekday::Wednesday,
        DayOfWeek::Thursday => Weekday::Thursday,
        DayOfWeek::Friday => Weekday::Friday,
        DayOfWeek::Saturday => Weekday::Saturday,
        DayOfWeek::Sunday => Weekday::Sunday,
    }
}

fn week(index: WeekIndex) -> Week {
    match index {
        WeekIndex::First => Week::First,
        WeekIndex::Second => Week::Second,
        WeekIndex::Third => Week::Third,
        WeekIndex::Fourth => Week::Fourth,
        WeekIndex::Last => Week::Last,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn window(spec: Value) -> Result<Window, Vec<String>> {
        let object = json!({"apiVersion": "tidegate.dev/v1alpha1", "kind": "MaintenanceWindow",
            "metadata": {"name": "nights", "namespace": "platform"}, "spec": spec});
        let problems = window_of(&serde_json::from_value(object).unwrap());
        problems.map_err(|problems| problems.iter().map(ToString::to_string).collect())
    }

    fn with(starts: &Value, rest: &[(&str, Value)]) -> Value {
        let mut spec = json!({"timeZone": "Europe/Berlin", "duration": "6h", "starts": starts});
        for (field, value) in rest {
            spec[*field] = value.clone();
        }
        spec
    }

    fn saturdays() -> Value {
        json!([{"weekly": {"daysOfWeek": ["Saturday"], "startTime": "22:00"}}])
    }

    /// The first three openings after the beginning of December 2026.
    fn told(spec: Value) -> Vec<String> {
        let openings = window(spec).unwrap();
        let openings = openings.openings("2026-12-01T00:00:00Z".parse().unwrap()).take(3);
        openings.map(|opening| format!("{} {} {}", opening.window, opening.from, opening.until)).collect()
    }

    #[test]
    fn every_kind_of_start_reaches_the_engine() {
        let table = [
            (
                saturdays(),
                ["2026-12-05T21:00:00Z 2026-12-06T03:00:00Z", "2026-12-12T21:00:00Z 2026-12-13T03:00:00Z"],
            ),
            (
                json!([{"monthly": {"dayOfMonth": 31, "startTime": "01:30"}}]),
                ["2026-12-31T00:30:00Z 2026-12-31T06:30:00Z", "2027-01-31T00:30:00Z 2027-01-31T06:30:00Z"],
            ),
            (
                json!([{"monthly": {"weekIndex": "Last", "dayOfWeek": "Sunday", "startTime": "01:00"}}]),
                ["2026-12-27T00:00:00Z 2026-12-27T06:00:00Z", "2027-01-31T00:00:00Z 2027-01-31T06:00:00Z"],
            ),
            (
                json!([{"cron": "0 22 * * TUE,WED"}]),
                ["2026-12-01T21:00:00Z 2026-12-02T03:00:00Z", "2026-12-02T21:00:00Z 2026-12-03T03:00:00Z"],
            ),
            (
                json!([{"once": {"from": "2026-12-05T22:00", "until": "2026-12-06T22:00:00"}},
                    {"once": {"from": "2026-12-08T22:00:00+01:00", "until": "2026-12-09T22:00:00Z"}}]),
                ["2026-12-05T21:00:00Z 2026-12-06T21:00:00Z", "2026-12-08T21:00:00Z 2026-12-09T22:00:00Z"],
            ),
        ];
        for (starts, expected) in table {
            let expected = expected.map(|opening| format!("nights {opening}"));
            assert_eq!(told(with(&starts, &[]))[..2], expected, "{starts}");
        }
    }

    #[test]
    fn exclusions_are_days_or_periods() {
        let exclusions = json!([
            {"days": {"first": "2026-12-05"}},
            {"days": {"first": "2026-12-12", "last": "2026-12-14"}},
            {"period": {"from": "2026-12-19T23:00", "until": "2026-12-20T03:00:00"}},
        ]);
        let left = told(with(&saturdays(), &[("exclusions", exclusions)]));
        let expected = [
            "nights 2026-12-05T23:00:00Z 2026-12-06T03:00:00Z",
            "nights 2026-12-19T21:00:00Z 2026-12-19T22:00:00Z",
            "nights 2026-12-20T02:00:00Z 2026-12-20T03:00:00Z",
        ];
        assert_eq!(left, expected);
    }

    #[test]
    fn what_means_nothing_is_named_with_what_would_be_right() {
        let at = |from: &str, until: &str| json!({"from": from, "until": until});
        let table: [(Value, &[&str]); 14] = [
            (
                with(&saturdays(), &[("timeZone", json!("Europe/Berlni"))]),
                &["spec.timeZone", "Europe/Berlin?"],
            ),
            (with(&saturdays(), &[("timeZone", json!("Mars/Base"))]), &["spec.timeZone", "Mars/Base", "UTC"]),
            (with(&saturdays(), &[("duration", json!("0s"))]), &["spec.duration", "never opens", "6h"]),
            (with(&saturdays(), &[("duration", json!("7d"))]), &["spec.duration", "shorter than 7 days"]),
            (with(&saturdays(), &[("duration", Value::Null)]), &["spec.duration", "missing"]),
            (with(&json!([]), &[]), &["spec.starts", "never opens"]),
            (with(&json!([{}]), &[]), &["spec.starts[0]", "exactly one of"]),
            (with(&json!([{"cron": "0 22 30 2 *"}]), &[]), &["spec.starts[0].cron", "never opens"]),
            (with(&json!([{"cron": "every day"}]), &[]), &["spec.starts[0].cron", "0 22 * * 6"]),
            (
                with(&json!([{"monthly": {"dayOfMonth": 32, "startTime": "01:00"}}]), &[]),
                &["spec.starts[0].monthly.dayOfMonth", "32"],
            ),
            (
                with(&json!([{"once": at("2026-12-06T22:00", "2026-12-05T22:00")}]), &[]),
                &["spec.starts[0].once", "is not before until"],
            ),
            (
                with(&json!([{"once": at("2026-02-30T22:00", "2026-12-05T22:00")}]), &[]),
                &["spec.starts[0].once.from", "2026-02-30T22:00", "2026-12-05T22:00"],
            ),
            (
                with(
                    &saturdays(),
                    &[("exclusions", json!([{"days": {"first": "2026-12-07", "last": "2026-12-06"}}]))],
                ),
                &["spec.exclusions[0].days", "2026-12-07", "after the last"],
            ),
            (
                with(
                    &saturdays(),
                    &[("exclusions", json!([{"days": {"first": "2020-01-01", "last": "2099-12-31"}}]))],
                ),
                &["spec.exclusions", "every opening"],
            ),
        ];
        for (spec, words) in table {
            let problems = window(spec.clone()).expect_err(&spec.to_string());
            assert_eq!(problems.len(), 1, "{problems:?}");
            for word in words {
                assert!(problems[0].contains(word), "{word:?} is missing in {:?}", problems[0]);
            }
        }
    }
}
