use jiff::{Timestamp, civil::Weekday};

use super::*;
use crate::{
    calendar::{Exclusion, Moment, Start, Terms},
    testing::{freeze, weekly, weekly_in},
};

const HOUR: Duration = Duration::from_secs(3600);

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn saturday() -> Schedule {
    Schedule { windows: vec![weekly("weekend", &[Weekday::Saturday], "22:00", 6)], ..Schedule::default() }
}

fn ask(schedule: &Schedule, now: &str, needs: Duration) -> Answer {
    schedule.answer(&Ask { now: at(now), needs, freezes: &schedule.freezes, cluster: None })
}

fn closed(window: &str, opens: &str, too_soon: bool) -> Answer {
    Answer::Closed { window: window.to_owned(), own: None, opens: at(opens), too_soon }
}

/// No window of the plan is open for longer.
fn never(longest: Duration) -> Answer {
    Answer::Never { bounds: Bounds::Windows, longest }
}

#[test]
fn without_windows_it_is_always_time() {
    assert_eq!(ask(&Schedule::default(), "2026-11-20T22:00:00Z", 500 * HOUR), Answer::Start);
}

#[test]
fn r12_a_window_over_midnight_is_open_from_its_start_until_its_end_and_no_longer() {
    let schedule = saturday();
    // Berlin is an hour ahead in winter.
    let next = closed("weekend", "2026-11-28T21:00:00Z", false);
    for (now, expected) in [
        ("2026-11-21T20:59:59Z", closed("weekend", "2026-11-21T21:00:00Z", false)),
        ("2026-11-21T21:00:00Z", Answer::Start),
        ("2026-11-22T02:59:59Z", Answer::Start),
        ("2026-11-22T03:00:00Z", next.clone()),
        ("2026-11-22T22:00:00Z", next),
    ] {
        assert_eq!(ask(&schedule, now, Duration::ZERO), expected, "{now}");
    }
}

#[test]
fn r12_a_step_starts_only_when_it_fits_into_what_remains() {
    let schedule = saturday();
    for (now, hours, expected) in [
        ("2026-11-21T21:00:00Z", 6, Answer::Start),
        // Who looks has to read first.
        ("2026-11-21T21:01:00Z", 6, Answer::Start),
        ("2026-11-21T21:01:01Z", 6, closed("weekend", "2026-11-28T21:00:00Z", true)),
        ("2026-11-22T01:01:00Z", 2, Answer::Start),
        ("2026-11-22T01:01:01Z", 2, closed("weekend", "2026-11-28T21:00:00Z", true)),
        ("2026-11-21T12:00:00Z", 7, never(6 * HOUR)),
        ("2026-11-22T01:00:01Z", 7, never(6 * HOUR)),
    ] {
        assert_eq!(ask(&schedule, now, hours * HOUR), expected, "{now}, {hours} hours");
    }
}

#[test]
fn r12_the_clock_change_makes_an_opening_neither_longer_nor_shorter() {
    let schedule =
        Schedule { windows: vec![weekly("night", &[Weekday::Sunday], "01:00", 4)], ..Schedule::default() };
    // On 28 March 2027 the clocks go from two to three, on 31 October back.
    for (opens, needs) in [("2027-03-28T00:00:00Z", 4), ("2027-10-30T23:00:00Z", 4)] {
        assert_eq!(ask(&schedule, opens, needs * HOUR), Answer::Start, "{opens}");
        let late = at(opens) + Duration::from_secs(61);
        assert_ne!(ask(&schedule, &late.to_string(), needs * HOUR), Answer::Start, "{opens}");
    }
}

#[test]
fn windows_open_by_union_and_a_step_may_go_on_from_one_into_the_next() {
    let windows = vec![
        weekly("early", &[Weekday::Saturday], "20:00", 3),
        weekly("late", &[Weekday::Saturday], "23:00", 3),
        weekly_in("UTC", "monday", &[Weekday::Monday], "12:00", 1),
    ];
    let schedule = Schedule { windows, ..Schedule::default() };
    assert_eq!(ask(&schedule, "2026-11-21T19:00:00Z", 6 * HOUR), Answer::Start);
    let next = closed("monday", "2026-11-23T12:00:00Z", false);
    assert_eq!(ask(&schedule, "2026-11-22T08:00:00Z", HOUR), next);
    let longer = closed("early", "2026-11-28T19:00:00Z", false);
    assert_eq!(ask(&schedule, "2026-11-22T08:00:00Z", 2 * HOUR), longer, "monday's hour is too short");
}

#[test]
fn freezes_cut_windows_and_not_before_begins_them() {
    let mut schedule = saturday();
    schedule.freezes = vec![freeze("holidays", "2026-11-21T23:00:00Z", Some("2026-11-22T01:00:00Z"))];
    assert_eq!(ask(&schedule, "2026-11-21T21:00:00Z", 2 * HOUR), Answer::Start);
    let after = closed("weekend", "2026-11-22T01:00:00Z", true);
    assert_eq!(ask(&schedule, "2026-11-21T21:01:01Z", 2 * HOUR), after, "the freeze ends what is open");
    let frozen = Answer::Frozen(schedule.freezes[0].clone());
    assert_eq!(ask(&schedule, "2026-11-21T23:00:00Z", HOUR), frozen);
    assert_eq!(ask(&schedule, "2026-11-22T00:59:59Z", HOUR), frozen);
    assert_eq!(ask(&schedule, "2026-11-22T01:00:00Z", HOUR), Answer::Start);
    // One without an end leaves nothing: that is no window that is too short.
    schedule.freezes = vec![freeze("incident", "2026-11-21T20:00:00Z", None)];
    let incident = Answer::Frozen(schedule.freezes[0].clone());
    assert_eq!(ask(&schedule, "2026-11-21T12:00:00Z", HOUR), incident);
    assert_eq!(ask(&schedule, "2026-11-21T12:00:00Z", 7 * HOUR), never(6 * HOUR));
    schedule.freezes.clear();
    schedule.not_before = Some(at("2026-11-21T23:30:00Z"));
    let early = Answer::NotBefore(at("2026-11-21T23:30:00Z"));
    assert_eq!(ask(&schedule, "2026-11-21T22:00:00Z", HOUR), early);
    assert_eq!(ask(&schedule, "2026-11-21T23:30:00Z", HOUR), Answer::Start);
}

#[test]
fn of_several_freezes_that_is_named_which_holds_longest() {
    let freezes = vec![
        freeze("short", "2026-11-20T00:00:00Z", Some("2026-11-21T00:00:00Z")),
        freeze("open", "2026-11-20T00:00:00Z", None),
        freeze("long", "2026-11-20T00:00:00Z", Some("2026-12-21T00:00:00Z")),
    ];
    let schedule = Schedule { freezes: freezes.clone(), ..Schedule::default() };
    assert_eq!(ask(&schedule, "2026-11-20T22:00:00Z", HOUR), Answer::Frozen(freezes[1].clone()));
    // Without windows, a freeze to come is what a step must fit in before.
    let soon = vec![freeze("soon", "2026-11-20T23:00:00Z", Some("2026-11-21T00:00:00Z"))];
    let schedule = Schedule { freezes: soon, ..Schedule::default() };
    assert_eq!(ask(&schedule, "2026-11-20T22:00:00Z", HOUR), Answer::Start);
    let after = closed("", "2026-11-21T00:00:00Z", true);
    assert_eq!(ask(&schedule, "2026-11-20T22:01:01Z", HOUR), after);
}

const OWN: &str = "aksManagedAutoUpgradeSchedule";

/// Within a window of the cluster's own.
fn within(schedule: &Schedule, own: &Window, now: &str, needs: Duration) -> Answer {
    schedule.answer(&Ask { now: at(now), needs, freezes: &[], cluster: Some(own) })
}

fn both_open(window: &str, opens: &str, too_soon: bool) -> Answer {
    Answer::Closed { window: window.to_owned(), own: Some(OWN.to_owned()), opens: at(opens), too_soon }
}

#[test]
fn the_clusters_own_windows_are_intersected_and_named() {
    let schedule = saturday();
    let own = weekly_in("UTC", OWN, &[Weekday::Sunday], "00:00", 8);
    let ask = |now: &str, hours| within(&schedule, &own, now, hours * HOUR);
    // Berlin's window is open until three in UTC.
    assert_eq!(ask("2026-11-21T21:00:00Z", 1), both_open("weekend", "2026-11-22T00:00:00Z", false));
    assert_eq!(ask("2026-11-22T00:00:00Z", 3), Answer::Start);
    assert_eq!(ask("2026-11-22T00:30:00Z", 3), both_open("weekend", "2026-11-29T00:00:00Z", true));
    let both = |longest| Answer::Never { bounds: Bounds::Both(OWN.to_owned()), longest };
    assert_eq!(ask("2026-11-22T00:30:00Z", 4), both(3 * HOUR));
    let apart = weekly_in("UTC", OWN, &[Weekday::Tuesday], "00:00", 8);
    assert_eq!(within(&schedule, &apart, "2026-11-22T00:30:00Z", HOUR), both(Duration::ZERO));
    // Without windows of the plan, it is the cluster's alone.
    let always = Schedule::default();
    let opens = both_open("", "2026-11-29T00:00:00Z", false);
    assert_eq!(within(&always, &own, "2026-11-22T08:00:00Z", HOUR), opens);
    let longest = Answer::Never { bounds: Bounds::Own(OWN.to_owned()), longest: 8 * HOUR };
    assert_eq!(within(&always, &own, "2026-11-22T08:00:00Z", 9 * HOUR), longest);
}

#[test]
fn of_windows_that_follow_each_other_that_is_named_which_is_open_with_the_clusters_own() {
    let windows = vec![
        weekly_in("UTC", "early", &[Weekday::Saturday], "18:00", 4),
        weekly_in("UTC", "late", &[Weekday::Saturday], "22:00", 6),
    ];
    let schedule = Schedule { windows, ..Schedule::default() };
    let own = weekly_in("UTC", OWN, &[Weekday::Sunday], "00:00", 8);
    let opens = both_open("late", "2026-11-22T00:00:00Z", false);
    assert_eq!(within(&schedule, &own, "2026-11-21T19:00:00Z", HOUR), opens);
}

#[test]
fn a_window_that_is_over_for_good_says_so_and_one_that_cannot_be_used_lets_nothing_start() {
    let once = Window::new(&Terms {
        name: "once".to_owned(),
        time_zone: "Europe/Berlin".to_owned(),
        duration: None,
        starts: vec![Start::Once {
            from: Moment::Local("2026-11-21T22:00".parse().unwrap()),
            until: Moment::Local("2026-11-22T04:00".parse().unwrap()),
        }],
        exclusions: vec![Exclusion::Period {
            from: Moment::Instant(at("2026-11-21T22:00:00Z")),
            until: Moment::Instant(at("2026-11-21T23:00:00Z")),
        }],
    })
    .unwrap();
    let mut schedule = Schedule { windows: vec![once], ..Schedule::default() };
    assert_eq!(ask(&schedule, "2026-11-21T21:00:00Z", HOUR), Answer::Start);
    assert_eq!(
        ask(&schedule, "2026-11-21T21:00:00Z", 4 * HOUR),
        closed("once", "2026-11-21T23:00:00Z", true)
    );
    for needs in [Duration::ZERO, HOUR] {
        let over = never(Duration::ZERO);
        assert_eq!(ask(&schedule, "2026-11-22T03:00:00Z", needs), over);
    }
    schedule.unusable = Some("there is no MaintenanceWindow x".to_owned());
    let unusable = Answer::Unusable("there is no MaintenanceWindow x".to_owned());
    assert_eq!(ask(&schedule, "2026-11-21T21:00:00Z", HOUR), unusable);
    assert!(schedule.is_closed(at("2026-11-21T21:00:00Z")));
}

#[test]
fn a_window_far_ahead_is_found() {
    let far = Window::new(&Terms {
        name: "yearly".to_owned(),
        time_zone: "UTC".to_owned(),
        duration: None,
        starts: vec![Start::Once {
            from: Moment::Instant(at("2027-10-01T00:00:00Z")),
            until: Moment::Instant(at("2027-10-01T08:00:00Z")),
        }],
        exclusions: Vec::new(),
    })
    .unwrap();
    let schedule = Schedule { windows: vec![far], ..Schedule::default() };
    let expected = closed("yearly", "2027-10-01T00:00:00Z", false);
    assert_eq!(ask(&schedule, "2026-11-21T21:00:00Z", 2 * HOUR), expected);
}

#[test]
fn what_is_asked_for_goes_before_what_is_expected() {
    let cluster = crate::testing::cluster("1.33.8");
    let step = Step {
        kind: crate::StepKind::ControlPlane,
        pool: None,
        from: "1.33.8".to_owned(),
        to: "1.34.4".to_owned(),
    };
    let mut schedule = Schedule::default();
    assert_eq!(schedule.needs(&step, &cluster, &Policy::default()), Duration::from_secs(1200));
    schedule.minimum_remaining = Some(2 * HOUR);
    assert_eq!(schedule.needs(&step, &cluster, &Policy::default()), 2 * HOUR);
}
