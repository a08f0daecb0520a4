//! A table written by hand from Microsoft's documentation: each row is a maintenance configuration as
//! Azure shows it, and when maintenance may run.

use azure_mgmt_containerservice::View as _;
use serde_json::{Value, json};

use super::*;

fn named(name: &str, properties: &Value) -> MaintenanceConfiguration {
    MaintenanceConfiguration::read(&json!({"name": name, "properties": properties}))
}

fn read(properties: &Value) -> Result<Window, InvalidWindow> {
    window(&named("aksManagedAutoUpgradeSchedule", properties))
}

/// The first openings that end after an instant.
fn told(properties: &Value, after: &str, count: usize) -> Vec<String> {
    let window = read(properties).unwrap();
    assert_eq!(window.name(), "aksManagedAutoUpgradeSchedule");
    let openings = window.openings(after.parse().unwrap()).take(count);
    let shown = |opening: engine::Opening| {
        format!("{} to {}", opening.from.strftime("%a %F %H:%M"), opening.until.strftime("%a %F %H:%M"))
    };
    openings.map(shown).collect()
}

/// A document of the present form; `rest` is added to it.
fn present(schedule: &Value, rest: &Value) -> Value {
    let mut window =
        json!({"schedule": schedule, "durationHours": 4, "startDate": "2026-01-01", "startTime": "01:00"});
    for (field, value) in rest.as_object().unwrap() {
        window[field.as_str()] = value.clone();
    }
    json!({"maintenanceWindow": window})
}

/// A document, the instant after which its openings are told, and these, in UTC.
type Row = (Value, &'static str, &'static [&'static str]);

/// "Use planned maintenance ...": its examples, word for word, with the days looked up in a calendar.
fn examples() -> Vec<Row> {
    let tuesdays = json!([{"start": "2021-05-26", "end": "2021-05-30"}]);
    let christmas = json!([{"start": "2023-12-23", "end": "2024-01-05"}]);
    vec![
        // Every Monday from 1:00 AM to 5:00 AM, in UTC.
        (
            present(
                &json!({"weekly": {"intervalWeeks": 1, "dayOfWeek": "Monday"}}),
                &json!({"utcOffset": "+00:00"}),
            ),
            "2026-11-23T05:00:00Z",
            &["Mon 2026-11-30 01:00 to Mon 2026-11-30 05:00", "Mon 2026-12-07 01:00 to Mon 2026-12-07 05:00"],
        ),
        // Every third Friday between 12:00 AM and 8:00 AM, in UTC+5:30: Thursday evening in UTC.
        (
            present(
                &json!({"weekly": {"intervalWeeks": 3, "dayOfWeek": "Friday"}}),
                &json!({"utcOffset": "+05:30", "durationHours": 8, "startTime": "00:00", "startDate": "2026-11-23"}),
            ),
            "2026-11-20T00:00:00Z",
            &["Thu 2026-11-26 18:30 to Fri 2026-11-27 02:30", "Thu 2026-12-17 18:30 to Fri 2026-12-18 02:30"],
        ),
        // Every Tuesday from 1:00 AM to 5:00 AM, but not from 2021-05-26 to 2021-05-30, which has no Tuesday.
        (
            present(
                &json!({"weekly": {"intervalWeeks": 1, "dayOfWeek": "Tuesday"}}),
                &json!({"startDate": "2021-05-01", "notAllowedDates": tuesdays}),
            ),
            "2021-05-25T00:00:00Z",
            &["Tue 2021-05-25 01:00 to Tue 2021-05-25 05:00", "Tue 2021-06-01 01:00 to Tue 2021-06-01 05:00"],
        ),
        // Every three months on the first between 9:00 AM and 1:00 PM in UTC-08, not over Christmas.
        (
            present(
                &json!({"absoluteMonthly": {"intervalMonths": 3, "dayOfMonth": 1}}),
                &json!({"utcOffset": "-08:00", "startTime": "09:00", "startDate": "2023-10-01", "notAllowedDates": christmas}),
            ),
            "2023-09-30T00:00:00Z",
            &["Sun 2023-10-01 17:00 to Sun 2023-10-01 21:00", "Mon 2024-04-01 17:00 to Mon 2024-04-01 21:00"],
        ),
        // Every three days.
        (
            present(&json!({"daily": {"intervalDays": 3}}), &json!({"startDate": "2026-11-23"})),
            "2026-11-23T05:00:00Z",
            &["Thu 2026-11-26 01:00 to Thu 2026-11-26 05:00", "Sun 2026-11-29 01:00 to Sun 2026-11-29 05:00"],
        ),
        // Every two weeks on Friday.
        (
            present(
                &json!({"weekly": {"intervalWeeks": 2, "dayOfWeek": "Friday"}}),
                &json!({"startDate": "2026-11-27"}),
            ),
            "2026-11-01T00:00:00Z",
            &["Fri 2026-11-27 01:00 to Fri 2026-11-27 05:00", "Fri 2026-12-11 01:00 to Fri 2026-12-11 05:00"],
        ),
        // Every two months on the last Monday.
        (
            present(
                &json!({"relativeMonthly": {"intervalMonths": 2, "dayOfWeek": "Monday", "weekIndex": "Last"}}),
                &json!({"startDate": "2026-11-01"}),
            ),
            "2026-11-01T00:00:00Z",
            &["Mon 2026-11-30 01:00 to Mon 2026-11-30 05:00", "Mon 2027-01-25 01:00 to Mon 2027-01-25 05:00"],
        ),
    ]
}

/// The descriptions of the REST API, and what follows from them.
fn descriptions() -> Vec<Row> {
    let new_year = json!([{"start": "2026-12-23", "end": "2027-01-03"}]);
    let slots = json!({
        "timeInWeek": [{"day": "Monday", "hourSlots": [0, 1]}, {"day": "Sunday", "hourSlots": [23]},
            {"day": "Monday", "hourSlots": [4]}],
        "notAllowedTime": [{"start": "2026-11-30T00:30:00Z", "end": "2026-11-30T01:00:00Z"}],
    });
    vec![
        // With +02:00 and dates from 12-23 to 01-03, closed from 12-22 22:00 to 01-03 22:00 in UTC.
        (
            present(
                &json!({"daily": {"intervalDays": 1}}),
                &json!({"utcOffset": "+02:00", "startTime": "20:00", "durationHours": 6, "notAllowedDates": new_year}),
            ),
            "2026-12-22T00:00:00Z",
            &[
                "Tue 2026-12-22 18:00 to Tue 2026-12-22 22:00",
                "Sun 2027-01-03 22:00 to Mon 2027-01-04 00:00",
                "Mon 2027-01-04 18:00 to Tue 2027-01-05 00:00",
            ],
        ),
        // The first Tuesday and the fourth Sunday, in months that begin on them.
        (
            present(
                &json!({"relativeMonthly": {"intervalMonths": 1, "dayOfWeek": "Tuesday", "weekIndex": "First"}}),
                &json!({}),
            ),
            "2026-11-23T00:00:00Z",
            &["Tue 2026-12-01 01:00 to Tue 2026-12-01 05:00", "Tue 2027-01-05 01:00 to Tue 2027-01-05 05:00"],
        ),
        (
            present(
                &json!({"relativeMonthly": {"intervalMonths": 1, "dayOfWeek": "Sunday", "weekIndex": "Fourth"}}),
                &json!({}),
            ),
            "2026-11-01T00:00:00Z",
            &["Sun 2026-11-22 01:00 to Sun 2026-11-22 05:00", "Sun 2026-12-27 01:00 to Sun 2026-12-27 05:00"],
        ),
        // No day is before the start date, and one on it counts.
        (
            present(
                &json!({"absoluteMonthly": {"intervalMonths": 1, "dayOfMonth": 15}}),
                &json!({"startDate": "2026-12-15"}),
            ),
            "2026-11-01T00:00:00Z",
            &["Tue 2026-12-15 01:00 to Tue 2026-12-15 05:00", "Fri 2027-01-15 01:00 to Fri 2027-01-15 05:00"],
        ),
        // 24 hours each day: always.
        (
            present(
                &json!({"daily": {"intervalDays": 1}}),
                &json!({"startDate": "2026-11-01", "durationHours": 24,
                "notAllowedDates": [{"start": "2026-11-10", "end": "2026-11-10"}]}),
            ),
            "2026-11-05T00:00:00Z",
            &["Sun 2026-11-01 01:00 to Tue 2026-11-10 00:00"],
        ),
        // Slot 0 is 00:00 to 01:00; two entries of one day add up; neighbours are one opening.
        (
            slots,
            "2026-11-28T00:00:00Z",
            &[
                "Sun 2026-11-29 23:00 to Mon 2026-11-30 00:30",
                "Mon 2026-11-30 01:00 to Mon 2026-11-30 02:00",
                "Mon 2026-11-30 04:00 to Mon 2026-11-30 05:00",
                "Sun 2026-12-06 23:00 to Mon 2026-12-07 02:00",
            ],
        ),
    ]
}

#[test]
fn openings_are_those_of_the_documentation() {
    for (properties, after, expected) in examples().into_iter().chain(descriptions()) {
        assert_eq!(told(&properties, after, expected.len()), expected, "{properties}");
    }
}

#[test]
fn what_is_not_known_is_no_window() {
    let weekly = json!({"weekly": {"intervalWeeks": 1, "dayOfWeek": "Friday"}});
    let table = [
        (json!({}), "timeInWeek: names no hour"),
        (
            json!({"maintenanceWindowId": "/subscriptions/x"}),
            "maintenanceWindowId: its schedule is in a resource",
        ),
        (
            json!({"notAllowedTime": [{"start": "2026-12-01T00:00:00Z", "end": "2026-12-02T00:00:00Z"}]}),
            "timeInWeek: names no hour",
        ),
        (
            json!({"timeInWeek": [{"day": "Someday", "hourSlots": [1]}]}),
            "timeInWeek[0].day: is missing or not understood",
        ),
        (
            json!({"timeInWeek": [{"day": "Monday", "hourSlots": [1]}], "notAllowedTime": [{"start": "soon"}]}),
            "notAllowedTime[0]: is missing",
        ),
        (present(&json!({"hourly": {}}), &json!({})), "maintenanceWindow.schedule: is none of daily"),
        (
            present(&json!({"weekly": {"intervalWeeks": 1}}), &json!({})),
            "maintenanceWindow.schedule.weekly.dayOfWeek",
        ),
        (
            present(&json!({"daily": {"intervalDays": 0}}), &json!({})),
            "maintenanceWindow.schedule.daily.intervalDays: 0 is not",
        ),
        (
            present(&json!({"daily": {"intervalDays": 2}}), &json!({"startDate": null})),
            "maintenanceWindow.startDate: is missing, from which",
        ),
        (
            present(&json!({"absoluteMonthly": {"intervalMonths": 1, "dayOfMonth": 32}}), &json!({})),
            "maintenanceWindow.schedule.absoluteMonthly.dayOfMonth: 32 is not",
        ),
        (
            present(
                &json!({"relativeMonthly": {"intervalMonths": 1, "dayOfWeek": "Monday", "weekIndex": "Fifth"}}),
                &json!({}),
            ),
            "maintenanceWindow.schedule.relativeMonthly.weekIndex",
        ),
        (present(&weekly, &json!({"durationHours": 168})), "maintenanceWindow.durationHours: 168 is not"),
        (present(&weekly, &json!({"durationHours": null})), "maintenanceWindow.durationHours: is missing"),
        (present(&weekly, &json!({"utcOffset": "8"})), "maintenanceWindow.utcOffset"),
        (present(&weekly, &json!({"startTime": "noon"})), "maintenanceWindow.startTime"),
        (
            present(&weekly, &json!({"notAllowedDates": [{"start": "2026-12-24"}]})),
            "maintenanceWindow.notAllowedDates[0]: is missing",
        ),
        (
            present(&weekly, &json!({"notAllowedDates": [{"start": "2026-12-24", "end": "2026-12-23"}]})),
            "maintenanceWindow.notAllowedDates[0]: does not end after it starts",
        ),
    ];
    for (properties, words) in table {
        let problem = read(&properties).expect_err(&properties.to_string()).to_string();
        assert!(problem.starts_with(words), "{words:?} is missing in {problem:?}");
        assert!(problem.len() <= 94, "it is cut where it is told: {problem}");
    }
}

#[test]
fn one_that_is_not_understood_says_nothing_of_the_others() {
    let mondays = json!({"timeInWeek": [{"day": "Monday", "hourSlots": [1]}]});
    let linked = json!({"maintenanceWindowId": "/subscriptions/x"});
    let all = maintenance(&[
        named("AKSManagedNodeOSUpgradeSchedule", &linked),
        named("default", &mondays),
        named("somebodyElses", &linked),
    ]);
    assert_eq!(all.versions, None);
    assert_eq!(all.images.map(|own| own.unwrap_err().field), Some("maintenanceWindowId".to_owned()));
    assert_eq!(all.general.map(|own| own.unwrap().name().to_owned()), Some("default".to_owned()));
}
