//! Windows of all forms, and by going through the hours one by one.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{read::read_weekday, *};

fn windows(schedule: Value, rest: &[(&str, Value)]) -> Windows {
    let mut window = json!({
        "schedule": schedule,
        "durationHours": 4,
        "utcOffset": "+00:00",
        "startDate": "2026-12-01",
        "startTime": "22:00",
    });
    for (field, value) in rest {
        window[*field] = value.clone();
    }
    Windows::read(&json!({ "maintenanceWindow": window })).unwrap()
}

/// The windows after an instant, as text.
fn next(windows: &Windows, from: &str, count: usize) -> Vec<String> {
    let mut now: Timestamp = from.parse().unwrap();
    let mut found = Vec::new();
    for _ in 0..count {
        let open = windows.next_open(now).unwrap();
        found.push(format!(
            "{} to {}",
            open.from.strftime("%a %m-%d %H:%M"),
            open.until.strftime("%a %H:%M")
        ));
        now = open.until;
    }
    found
}

#[test]
fn daily_windows_pass_midnight_and_count_from_the_first_day() {
    let windows = windows(json!({ "daily": { "intervalDays": 3 } }), &[]);
    let expected = ["Tue 12-01 22:00 to Wed 02:00", "Fri 12-04 22:00 to Sat 02:00"];
    assert_eq!(next(&windows, "2026-11-01T00:00:00Z", 2), expected);
    assert_eq!(next(&windows, "2026-12-02T01:59:59Z", 2), expected);
    assert_eq!(next(&windows, "2026-12-02T02:00:00Z", 1), expected[1..]);
}

#[test]
fn weekly_windows_keep_their_weeks() {
    let windows = windows(json!({ "weekly": { "intervalWeeks": 2, "dayOfWeek": "Friday" } }), &[]);
    let expected =
        ["Fri 12-04 22:00 to Sat 02:00", "Fri 12-18 22:00 to Sat 02:00", "Fri 01-01 22:00 to Sat 02:00"];
    assert_eq!(next(&windows, "2026-12-01T00:00:00Z", 3), expected);
    assert_eq!(next(&windows, "2026-12-12T00:00:00Z", 2), expected[1..]);
}

#[test]
fn monthly_windows_by_date_take_the_last_day_of_a_short_month() {
    let schedule = json!({ "absoluteMonthly": { "intervalMonths": 2, "dayOfMonth": 31 } });
    let windows = windows(schedule, &[]);
    let expected =
        ["Thu 12-31 22:00 to Fri 02:00", "Sun 02-28 22:00 to Mon 02:00", "Fri 04-30 22:00 to Sat 02:00"];
    assert_eq!(next(&windows, "2026-12-01T00:00:00Z", 3), expected);
}

#[test]
fn a_month_whose_day_is_over_at_the_start_has_no_window() {
    let schedule = json!({ "absoluteMonthly": { "intervalMonths": 1, "dayOfMonth": 5 } });
    let windows = windows(schedule, &[("startDate", json!("2026-12-06"))]);
    assert_eq!(next(&windows, "2026-12-01T00:00:00Z", 1), ["Tue 01-05 22:00 to Wed 02:00"]);
}

#[test]
fn monthly_windows_by_weekday_count_from_either_end() {
    let on = |index: &str| {
        let schedule =
            json!({ "relativeMonthly": { "intervalMonths": 1, "weekIndex": index, "dayOfWeek": "Tuesday" } });
        next(&windows(schedule, &[]), "2026-12-01T00:00:00Z", 2)
    };
    assert_eq!(on("First"), ["Tue 12-01 22:00 to Wed 02:00", "Tue 01-05 22:00 to Wed 02:00"]);
    assert_eq!(on("Last"), ["Tue 12-29 22:00 to Wed 02:00", "Tue 01-26 22:00 to Wed 02:00"]);
}

#[test]
fn the_offset_moves_windows_and_dates_that_are_not_allowed() {
    let windows = windows(
        json!({ "daily": { "intervalDays": 1 } }),
        &[
            ("utcOffset", json!("+02:00")),
            ("startTime", json!("23:00")),
            ("notAllowedDates", json!([{ "start": "2026-12-23", "end": "2027-01-03" }])),
        ],
    );
    // 23:00 there is 21:00; at midnight, 22:00, it is over.
    let expected =
        ["Mon 12-21 21:00 to Tue 01:00", "Tue 12-22 21:00 to Tue 22:00", "Sun 01-03 22:00 to Mon 01:00"];
    assert_eq!(next(&windows, "2026-12-21T20:00:00Z", 3), expected);
}

#[test]
fn the_older_form_has_hours_of_days_and_instants() {
    let windows = Windows::read(&json!({
        "timeInWeek": [{ "day": "Saturday", "hourSlots": [1, 2] }, { "day": "Monday", "hourSlots": [23] }],
        "notAllowedTime": [{ "start": "2026-12-05T01:30:00Z", "end": "2026-12-06T00:00:00Z" }],
    }))
    .unwrap();
    let expected =
        ["Sat 12-05 01:00 to Sat 01:30", "Mon 12-07 23:00 to Tue 00:00", "Sat 12-12 01:00 to Sat 02:00"];
    assert_eq!(next(&windows, "2026-12-01T00:00:00Z", 3), expected);
}

#[test]
fn what_is_not_a_configuration_has_no_windows() {
    assert_eq!(Windows::read(&json!({})), None);
    let odd = json!({ "schedule": { "hourly": {} }, "durationHours": 4, "startTime": "00:00" });
    assert_eq!(Windows::read(&json!({ "maintenanceWindow": odd })), None);
    let never = windows(
        json!({ "daily": { "intervalDays": 1 } }),
        &[("notAllowedDates", json!([{ "start": "2020-01-01", "end": "2040-01-01" }]))],
    );
    assert_eq!(never.next_open("2026-12-01T00:00:00Z".parse().unwrap()), None);
}

fn schedules() -> impl Strategy<Value = (Value, Schedule)> {
    let weekday = prop::sample::select(vec!["Monday", "Wednesday", "Sunday"]);
    prop_oneof![
        (1..10_i32).prop_map(|every| {
            (json!({ "daily": { "intervalDays": every } }), Schedule::Daily { every })
        }),
        (1..5_i32, weekday.clone()).prop_map(|(every, day)| {
            let schedule = Schedule::Weekly { every, day: read_weekday(day).unwrap() };
            (json!({ "weekly": { "intervalWeeks": every, "dayOfWeek": day } }), schedule)
        }),
        (1..4_i32, 1..=31_i8).prop_map(|(every, day)| {
            let json = json!({ "absoluteMonthly": { "intervalMonths": every, "dayOfMonth": day } });
            (json, Schedule::MonthlyOn { every, day })
        }),
        (1..4_i32, weekday).prop_map(|(every, day)| {
            let json = json!({ "relativeMonthly": { "intervalMonths": every, "weekIndex": "Last", "dayOfWeek": day } });
            (json, Schedule::MonthlyThe { every, week: -1, day: read_weekday(day).unwrap() })
        }),
    ]
}

/// Whether a window begins on a day, said in another way.
fn begins_on(schedule: &Schedule, start: Date, day: Date) -> bool {
    let days = (day - start).get_days();
    let months = months_between(start, day);
    day >= start
        && match schedule {
            Schedule::Daily { every } => days % every == 0,
            Schedule::Weekly { every, day: weekday } => day.weekday() == *weekday && (days / 7) % every == 0,
            Schedule::MonthlyOn { every, day: wanted } => {
                months % every == 0 && day.day() == (*wanted).min(day.days_in_month())
            }
            Schedule::MonthlyThe { every, week: _, day: weekday } => {
                let last = day.saturating_add(7.days()).month() != day.month();
                months % every == 0 && day.weekday() == *weekday && last
            }
            Schedule::Slots(_) => false,
        }
}

proptest! {
    /// Going through the hours one by one finds the same.
    #[test]
    fn the_next_open_hour_is_the_first_one(
        (schedule, read) in schedules(),
        offset in -11..=11_i64,
        hour in 0..24_i64,
        length in 4..=24_i64,
        now in 0..2000_i64,
    ) {
        let start = Date::constant(2026, 12, 1);
        let windows = windows(schedule, &[
            ("utcOffset", json!(format!("{}{:02}:00", if offset < 0 { '-' } else { '+' }, offset.abs()))),
            ("startTime", json!(format!("{hour:02}:00"))),
            ("durationHours", json!(length)),
        ]);
        let now = "2026-11-20T00:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_hours(now);
        let is_open = |at: Timestamp| {
            let local = windows.offset.to_datetime(at);
            (0..=1).any(|back| {
                let day = local.date().saturating_sub(i64::from(back).days());
                let since = i64::from(local.hour()) + 24 * i64::from(back) - hour;
                begins_on(&read, start, day) && (0..length).contains(&since)
            })
        };
        let hours = (0..24 * 130).map(|hours| now + SignedDuration::from_hours(hours));
        let first = hours.into_iter().find(|at| is_open(*at));
        let found = windows.next_open(now).map(|open| open.from.max(now));
        prop_assert_eq!(found, first);
    }
}
