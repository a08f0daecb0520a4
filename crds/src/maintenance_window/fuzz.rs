//! Whatever is written into a MaintenanceWindow, it is a window or told to be none, and no reading of it
//! panics.

use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{MaintenanceWindow, window_of};

/// A text that is nearly right, or anything.
fn text(right: &'static [&'static str]) -> impl Strategy<Value = String> {
    let nearly = (prop::sample::select(right), any::<prop::sample::Index>(), any::<char>()).prop_map(
        |(text, index, other)| {
            let mut chars: Vec<char> = text.chars().collect();
            let place = index.index(chars.len());
            chars[place] = other;
            chars.into_iter().collect()
        },
    );
    prop_oneof![4 => prop::sample::select(right).prop_map(str::to_owned), 2 => nearly, 1 => ".{0,40}"]
}

fn moment() -> impl Strategy<Value = String> {
    text(&[
        "2026-12-05T22:00",
        "2026-12-06T04:00:00",
        "2026-12-05T21:00:00Z",
        "9999-12-31T23:59",
        "0000-01-01T00:00",
        "2027-03-28T02:30",
        "2026-12-06T22:00:00+14:00",
    ])
}

fn time() -> impl Strategy<Value = String> {
    text(&["22:00", "00:00", "02:30", "23:59"])
}

fn date() -> impl Strategy<Value = String> {
    text(&["2026-12-24", "2027-01-06", "9999-12-31", "0001-01-01", "2028-02-29"])
}

/// Fields of a cron expression in any number, standard or not.
fn cron() -> impl Strategy<Value = String> {
    let field =
        text(&["*", "0", "30", "22", "6", "SAT", "1-5", "*/2", "31", "2", "L", "5#3", "1,15", "29", "7"]);
    prop::collection::vec(field, 0..7).prop_map(|fields| fields.join(" "))
}

fn start() -> impl Strategy<Value = Value> {
    let weekday = || prop::sample::select(vec!["Monday", "Saturday", "Sunday"]);
    let index = prop::sample::select(vec!["First", "Third", "Last"]);
    prop_oneof![
        (prop::collection::vec(weekday(), 0..3), time())
            .prop_map(|(days, time)| json!({"weekly": {"daysOfWeek": days, "startTime": time}})),
        (any::<i32>(), time())
            .prop_map(|(day, time)| json!({"monthly": {"dayOfMonth": day, "startTime": time}})),
        (1..=31, time()).prop_map(|(day, time)| json!({"monthly": {"dayOfMonth": day, "startTime": time}})),
        (index, weekday(), time()).prop_map(|(week, day, time)| {
            json!({"monthly": {"weekIndex": week, "dayOfWeek": day, "startTime": time}})
        }),
        cron().prop_map(|cron| json!({"cron": cron})),
        (moment(), moment()).prop_map(|(from, until)| json!({"once": {"from": from, "until": until}})),
        Just(json!({})),
    ]
}

fn exclusion() -> impl Strategy<Value = Value> {
    prop_oneof![
        (date(), prop::option::of(date()))
            .prop_map(|(first, last)| json!({"days": {"first": first, "last": last}})),
        (moment(), moment()).prop_map(|(from, until)| json!({"period": {"from": from, "until": until}})),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn anything_is_a_window_or_told_to_be_none(
        zone in text(&["Europe/Berlin", "UTC", "america/new_york", "Pacific/Apia", "Etc/GMT+12"]),
        minutes in prop::option::of(0..12_000_u64),
        starts in prop::collection::vec(start(), 0..4),
        exclusions in prop::collection::vec(exclusion(), 0..3),
        now in -400_000_000_000_i64..300_000_000_000,
    ) {
        let object = json!({"apiVersion": "tidegate.dev/v1alpha1", "kind": "MaintenanceWindow",
            "metadata": {"name": "w", "namespace": "platform"},
            "spec": {"timeZone": zone, "starts": starts, "exclusions": exclusions}});
        let mut object: MaintenanceWindow = serde_json::from_value(object).unwrap();
        object.spec.duration = minutes.map(|minutes| crate::Duration(Duration::from_secs(minutes * 60)));
        match window_of(&object) {
            Ok(window) => {
                let now = jiff::Timestamp::from_second(now.clamp(-300_000_000_000, 250_000_000_000)).unwrap();
                let openings: Vec<_> = window.openings(now).take(5).collect();
                prop_assert!(openings.iter().all(|o| o.from < o.until && o.until > now), "{openings:?}");
                prop_assert!(openings.windows(2).all(|pair| pair[0].until <= pair[1].from), "{openings:?}");
            }
            Err(problems) => {
                prop_assert!(!problems.is_empty());
                for problem in &problems {
                    prop_assert!(problem.field.starts_with("spec.") && problem.problem.len() < 600, "{problem}");
                }
            }
        }
    }
}
