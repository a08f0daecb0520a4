//! The operator reads maintenance configurations on its own; here both readings are compared.

use azure_mgmt_containerservice::{MaintenanceConfiguration, View as _};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Open, Windows};

const WEEKDAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const WEEKS: [&str; 5] = ["First", "Second", "Third", "Fourth", "Last"];

fn schedule() -> impl Strategy<Value = Value> {
    let weekday = || prop::sample::select(&WEEKDAYS[..]);
    prop_oneof![
        (1..=7_i64).prop_map(|days| json!({"daily": {"intervalDays": days}})),
        (1..=4_i64, weekday())
            .prop_map(|(weeks, day)| { json!({"weekly": {"intervalWeeks": weeks, "dayOfWeek": day}}) }),
        (1..=6_i64, 1..=31_i64).prop_map(|(months, day)| {
            json!({"absoluteMonthly": {"intervalMonths": months, "dayOfMonth": day}})
        }),
        (1..=6_i64, prop::sample::select(&WEEKS[..]), weekday()).prop_map(|(months, week, day)| {
            json!({"relativeMonthly": {"intervalMonths": months, "weekIndex": week, "dayOfWeek": day}})
        }),
    ]
}

/// A day of 2026 to 2028.
fn date() -> impl Strategy<Value = String> {
    (2026..2029, 1..=12, 1..=28).prop_map(|(year, month, day)| format!("{year}-{month:02}-{day:02}"))
}

fn present_form() -> impl Strategy<Value = Value> {
    let dates = prop::collection::vec((date(), date()), 0..4).prop_map(|spans| {
        let ordered = spans.into_iter().map(|(a, b)| (a.clone().min(b.clone()), a.max(b)));
        ordered.map(|(start, end)| json!({"start": start, "end": end})).collect::<Vec<_>>()
    });
    let offset = (any::<bool>(), 0..=13, prop::sample::select(vec![0, 30, 45]));
    let offset = offset.prop_map(|(east, hours, minutes)| {
        format!("{}{hours:02}:{minutes:02}", if east { '+' } else { '-' })
    });
    (schedule(), 4..=24, offset, date(), 0..24, 0..60, dates).prop_map(
        |(schedule, hours, offset, start, hour, minute, dates)| {
            json!({"maintenanceWindow": {
                "schedule": schedule, "durationHours": hours, "utcOffset": offset, "startDate": start,
                "startTime": format!("{hour:02}:{minute:02}"), "notAllowedDates": dates,
            }})
        },
    )
}

fn older_form() -> impl Strategy<Value = Value> {
    let slots = (prop::sample::select(&WEEKDAYS[..]), prop::collection::btree_set(0..24, 1..6));
    let slots = slots.prop_map(|(day, hours)| json!({"day": day, "hourSlots": hours}));
    let spans = prop::collection::vec((0..20_000_i64, 1..600_i64), 0..4).prop_map(|spans| {
        let instant = |hours: i64| (beginning() + SignedDuration::from_hours(hours)).to_string();
        let spans = spans.into_iter();
        spans
            .map(|(from, length)| json!({"start": instant(from), "end": instant(from + length)}))
            .collect::<Vec<_>>()
    });
    (prop::collection::vec(slots, 1..4), spans)
        .prop_map(|(slots, spans)| json!({"timeInWeek": slots, "notAllowedTime": spans}))
}

fn beginning() -> Timestamp {
    "2026-11-01T00:00:00Z".parse().unwrap()
}

/// What the simulator tells, up to an instant.
fn simulated(windows: &Windows, after: Timestamp, end: Timestamp) -> Vec<(Timestamp, Timestamp)> {
    let open = |now: Timestamp| windows.next_open(now).filter(|open| open.from < end);
    let first = open(after);
    std::iter::successors(first, |last| open(last.until)).map(|Open { from, until }| (from, until)).collect()
}

/// Both tell what never closes in pieces, each in its own: what touches is put together.
fn joined(pieces: impl IntoIterator<Item = (Timestamp, Timestamp)>) -> Vec<(Timestamp, Timestamp)> {
    let mut joined: Vec<(Timestamp, Timestamp)> = Vec::new();
    for (from, until) in pieces {
        match joined.last_mut() {
            Some(last) if last.1 >= from => last.1 = last.1.max(until),
            Some(_) | None => joined.push((from, until)),
        }
    }
    joined
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// In any form, from any instant on: the same openings for six weeks, and the same next one after.
    #[test]
    fn simulator_and_operator_read_the_same_openings(
        properties in prop_oneof![3 => present_form(), 1 => older_form()],
        hours in 0..24 * 800_i64,
    ) {
        let after = beginning() + SignedDuration::from_hours(hours);
        let end = after + SignedDuration::from_hours(24 * 42);
        let windows = Windows::read(&properties).expect("a form that AKS knows");
        let document = json!({"name": "default", "properties": properties});
        let read = azure_fleet::maintenance([&MaintenanceConfiguration::read(&document)]).general;
        let read = read.expect("default is a name that binds").unwrap();

        let cut = |(from, until): (Timestamp, Timestamp)| (from.max(after), until.min(end));
        let expected = joined(simulated(&windows, after, end).into_iter().map(cut));
        let found = read.openings(after).take_while(|opening| opening.from < end);
        let found = joined(found.map(|opening| cut((opening.from, opening.until))));
        prop_assert_eq!(&found, &expected, "{} after {}", properties, after);
        let next = windows.next_open(end).map(|open| open.from.max(end));
        let told = read.openings(end).next().map(|opening| opening.from.max(end));
        prop_assert_eq!(told, next, "{} after {}", properties, end);
    }
}
