//! Openings of windows, one small table a rule.

use std::time::Duration;

use jiff::{Timestamp, civil::Weekday};

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn time(text: &str) -> Time {
    format!("{text}:00").parse().unwrap()
}

/// A window of six hours in Berlin.
fn terms(starts: Vec<Start>) -> Terms {
    Terms {
        name: "weekend-nights".to_owned(),
        time_zone: "Europe/Berlin".to_owned(),
        duration: Some(Duration::from_secs(6 * 3600)),
        starts,
        exclusions: Vec::new(),
    }
}

fn weekly(day: Weekday, start: &str) -> Start {
    Start::Weekly { days: vec![day], time: time(start) }
}

fn saturdays() -> Start {
    weekly(Weekday::Saturday, "22:00")
}

fn cron(text: &str) -> Start {
    Start::Cron(text.to_owned())
}

fn local(text: &str) -> Moment {
    Moment::Local(text.parse().unwrap())
}

/// The first openings after an instant, in local time.
fn told(terms: &Terms, after: &str, count: usize) -> Vec<String> {
    let window = Window::new(terms).unwrap();
    let openings = window.openings(at(after)).take(count);
    let shown =
        |instant: Timestamp| window.zone().to_datetime(instant).strftime("%a %m-%d %H:%M").to_string();
    openings.map(|opening| format!("{} to {}", shown(opening.from), shown(opening.until))).collect()
}

fn refused(terms: &Terms) -> Vec<String> {
    Window::new(terms).unwrap_err().iter().map(ToString::to_string).collect()
}

#[test]
fn a_weekly_window_opens_each_week_and_ends_the_next_day() {
    let terms = terms(vec![saturdays()]);
    let expected = ["Sat 12-05 22:00 to Sun 12-06 04:00", "Sat 12-12 22:00 to Sun 12-13 04:00"];
    assert_eq!(told(&terms, "2026-12-01T00:00:00Z", 2), expected);
    assert_eq!(told(&terms, "2026-12-06T02:59:59Z", 2), expected, "it is still open");
    assert_eq!(told(&terms, "2026-12-06T03:00:00Z", 1), expected[1..], "it has just ended");
}

#[test]
fn monthly_windows_open_each_month_once() {
    let on_31st = terms(vec![Start::DayOfMonth { day: 31, time: time("22:00") }]);
    let expected = ["Sun 01-31 22:00 to Mon 02-01 04:00", "Sun 02-28 22:00 to Mon 03-01 04:00"];
    assert_eq!(told(&on_31st, "2027-01-10T00:00:00Z", 2), expected);
    let on =
        |week| terms(vec![Start::WeekdayOfMonth { week, weekday: Weekday::Sunday, time: time("01:00") }]);
    let first = ["Sun 03-07 01:00 to Sun 03-07 07:00", "Sun 04-04 01:00 to Sun 04-04 07:00"];
    assert_eq!(told(&on(Week::First), "2027-03-01T00:00:00Z", 2), first);
    // It ends at eight: there is no time between two and three.
    let last = ["Sun 03-28 01:00 to Sun 03-28 08:00", "Sun 04-25 01:00 to Sun 04-25 07:00"];
    assert_eq!(told(&on(Week::Last), "2027-03-08T00:00:00Z", 2), last);
}

#[test]
fn a_one_off_opens_once() {
    let once = Start::Once { from: local("2026-12-05T22:00"), until: local("2026-12-07T04:00") };
    let terms = Terms { duration: None, ..terms(vec![once]) };
    assert_eq!(told(&terms, "2026-12-01T00:00:00Z", 2), ["Sat 12-05 22:00 to Mon 12-07 04:00"]);
    assert!(told(&terms, "2026-12-07T03:00:00Z", 2).is_empty());
}

/// In Berlin, 2027-03-28 has no time from 2:00 to 3:00, and 2027-10-31 has it twice.
#[test]
fn a_skipped_start_moves_by_the_gap_and_a_repeated_one_counts_the_first_time() {
    let nights = terms(vec![cron("30 2 * * *")]);
    let window = Window::new(&nights).unwrap();
    let from = |after: &str| {
        let openings = window.openings(at(after)).take(3);
        openings.map(|opening| (opening.from.to_string(), opening.until.to_string())).collect::<Vec<_>>()
    };
    let table = [
        // 02:30+01:00, then 03:30+02:00, then 02:30+02:00: always six hours.
        (
            "2027-03-27T00:00:00Z",
            [
                ("2027-03-27T01:30:00Z", "2027-03-27T07:30:00Z"),
                ("2027-03-28T01:30:00Z", "2027-03-28T07:30:00Z"),
                ("2027-03-29T00:30:00Z", "2027-03-29T06:30:00Z"),
            ],
        ),
        // 02:30+02:00 twice, of which one night has it twice, then 02:30+01:00.
        (
            "2027-10-30T00:00:00Z",
            [
                ("2027-10-30T00:30:00Z", "2027-10-30T06:30:00Z"),
                ("2027-10-31T00:30:00Z", "2027-10-31T06:30:00Z"),
                ("2027-11-01T01:30:00Z", "2027-11-01T07:30:00Z"),
            ],
        ),
    ];
    for (after, expected) in table {
        assert_eq!(from(after), expected.map(|(from, until)| (from.to_owned(), until.to_owned())));
    }
}

#[test]
fn two_starts_that_mean_one_instant_open_once() {
    let terms = Terms {
        duration: Some(Duration::from_secs(600)),
        ..terms(vec![cron("30 2 * * *"), cron("30 3 * * *")])
    };
    let expected = ["Sun 03-28 03:30 to Sun 03-28 03:40", "Mon 03-29 02:30 to Mon 03-29 02:40"];
    assert_eq!(told(&terms, "2027-03-28T00:00:00Z", 2), expected);
}

#[test]
fn what_overlaps_or_touches_is_one_opening() {
    let table = [
        (vec![saturdays(), weekly(Weekday::Sunday, "02:00")], "Sat 12-05 22:00 to Sun 12-06 08:00"),
        (vec![saturdays(), weekly(Weekday::Sunday, "04:00")], "Sat 12-05 22:00 to Sun 12-06 10:00"),
        (vec![saturdays(), weekly(Weekday::Sunday, "04:01")], "Sat 12-05 22:00 to Sun 12-06 04:00"),
    ];
    for (starts, expected) in table {
        assert_eq!(told(&terms(starts), "2026-12-05T00:00:00Z", 1), [expected]);
    }
}

#[test]
fn one_that_never_closes_has_weeks_left_whenever_it_is_asked() {
    let days = (0..7).map(|day| Weekday::from_monday_zero_offset(day).unwrap()).collect();
    let starts = vec![Start::Weekly { days, time: time("00:00") }];
    let always = Terms { duration: Some(Duration::from_secs(24 * 3600)), ..terms(starts) };
    let window = Window::new(&always).unwrap();
    for hours in 0..2000 {
        let now = at("2026-12-01T00:00:00Z") + SignedDuration::from_hours(hours);
        let open = window.openings(now).next().unwrap();
        assert!(open.from <= now && open.until.duration_since(now) >= SignedDuration::from_hours(24 * 27));
    }
}

#[test]
fn an_exclusion_in_the_middle_leaves_two_openings() {
    let instant = |text: &str| Moment::Instant(at(text));
    let period =
        Exclusion::Period { from: instant("2026-12-05T23:00:00Z"), until: instant("2026-12-06T01:00:00Z") };
    let day = "2026-12-12".parse().unwrap();
    let days = Exclusion::Days { first: day, last: day };
    let terms = Terms { exclusions: vec![days, period], ..terms(vec![saturdays()]) };
    let expected = [
        "Sat 12-05 22:00 to Sun 12-06 00:00",
        "Sun 12-06 02:00 to Sun 12-06 04:00",
        // Only the Saturday is excluded.
        "Sun 12-13 00:00 to Sun 12-13 04:00",
    ];
    assert_eq!(told(&terms, "2026-12-01T00:00:00Z", 3), expected);
}

#[test]
fn cron_is_that_of_kubernetes() {
    let first = |text: &str| told(&terms(vec![cron(text)]), "2026-12-01T12:00:00Z", 1).concat();
    for (text, expected) in [
        ("0 22 * * 6", "Sat 12-05 22:00 to Sun 12-06 04:00"),
        ("0 22 * * SAT", "Sat 12-05 22:00 to Sun 12-06 04:00"),
        ("15 1 * * 0", "Sun 12-06 01:15 to Sun 12-06 07:15"),
        ("15 1 * * 7", "Sun 12-06 01:15 to Sun 12-06 07:15"),
        ("0 22 31 * *", "Thu 12-31 22:00 to Fri 01-01 04:00"),
        ("0 22 * 12 *", "Tue 12-01 22:00 to Wed 12-02 04:00"),
        ("0 22 24-26/2 dec *", "Thu 12-24 22:00 to Fri 12-25 04:00"),
        ("0 22 29 2 *", "Tue 02-29 22:00 to Wed 03-01 04:00"),
        ("0  */12 * *  MON,TUE", "Tue 12-01 12:00 to Tue 12-01 18:00"),
    ] {
        assert_eq!(first(text), expected, "{text}");
    }
}

#[test]
fn a_cron_that_would_surprise_is_refused_with_what_would_be_right() {
    for (text, why) in [
        ("0 22 30 2 *", "never opens: no month has such a day"),
        ("0 22 31 4,6,9,11 *", "never opens"),
        ("0 22 * *", "does not have five fields"),
        ("0 0 22 * * 6", "does not have five fields"),
        ("@weekly", "does not have five fields"),
        ("0 22 L * *", "not standard cron"),
        ("0 22 * * 5#2", "not standard cron"),
        ("0 22 15W * *", "not standard cron"),
        ("0 22 * * ?", "not standard cron"),
        ("* 22 * * 6", "its minute is to be one number"),
        ("*/15 22 * * 6", "its minute is to be one number"),
        ("0 22 1-7 * 6", "cron would open on either"),
        ("60 22 * * 6", "not a cron expression (value must be in range 0..=59; found 60)"),
        ("0 24 * * 6", "not a cron expression (value must be in range 0..=23"),
        ("0 22 * * 6-2", "not a cron expression (range must be in ascending order"),
        ("0 22 * FOO *", "not a cron expression"),
        ("0 22 * * 6 UTC", "does not have five fields"),
    ] {
        let problems = refused(&terms(vec![saturdays(), cron(text)])).concat();
        assert!(problems.starts_with("starts[1].cron: "), "{problems}");
        assert!(problems.contains(why) && problems.contains("\"0 22 * * 6\""), "{problems}");
        assert!(!problems.contains('\n'), "{problems}");
    }
}

#[test]
fn a_zone_that_is_not_there_is_refused_with_the_nearest_names() {
    for (name, suggested) in [
        ("Europe/Berlni", "did you mean Europe/Berlin?"),
        ("Berlin", "did you mean Europe/Berlin?"),
        ("new york", "did you mean America/New_York?"),
        ("Asia/Calcuta", "Asia/Calcutta"),
        ("Eurpoe/London", "Europe/London"),
        ("CEST", "CET"),
        ("+01:00", "such as Europe/Berlin or UTC"),
        ("Local", "such as Europe/Berlin or UTC"),
        ("", "such as Europe/Berlin or UTC"),
    ] {
        let problems = refused(&Terms { time_zone: name.to_owned(), ..terms(vec![saturdays()]) }).concat();
        assert!(problems.starts_with(&format!("timeZone: there is no time zone {name:?}")), "{problems}");
        assert!(problems.contains(suggested), "{suggested} is missing in {problems}");
    }
}

#[test]
fn all_that_is_wrong_is_told_in_order() {
    let once = Start::Once { from: local("2026-12-06T22:00"), until: local("2026-12-05T22:00") };
    let (first, last) = ("2026-12-31".parse().unwrap(), "2026-12-24".parse().unwrap());
    let wrong = Terms {
        time_zone: "Mars/Base".to_owned(),
        duration: Some(Duration::ZERO),
        exclusions: vec![Exclusion::Days { first, last }],
        ..terms(vec![saturdays(), once, cron("never")])
    };
    let fields = ["timeZone", "duration", "starts[1].once", "starts[2].cron", "exclusions[0].days"];
    let told = refused(&wrong);
    assert_eq!(told.len(), fields.len(), "{told:?}");
    assert!(told.iter().zip(fields).all(|(told, field)| told.starts_with(&format!("{field}: "))), "{told:?}");
    for (seconds, right) in [(0, "never opens"), (7 * 24 * 3600, "week or more"), (u64::MAX, "week or more")]
    {
        let terms = Terms { duration: Some(Duration::from_secs(seconds)), ..terms(vec![saturdays()]) };
        assert!(refused(&terms).concat().contains(right), "{seconds}");
    }
    let longest =
        Terms { duration: Some(Duration::from_secs(7 * 24 * 3600 - 1)), ..terms(vec![saturdays()]) };
    assert!(Window::new(&longest).is_ok());
}

#[test]
fn exclusions_that_leave_nothing_are_refused() {
    let days = |first: &str, last: &str| {
        vec![Exclusion::Days { first: first.parse().unwrap(), last: last.parse().unwrap() }]
    };
    let once = || Start::Once { from: local("2026-12-05T22:00"), until: local("2026-12-06T04:00") };
    let with = |starts, exclusions| Terms { exclusions, ..terms(starts) };
    assert_eq!(refused(&with(vec![once()], days("2026-12-05", "2026-12-06"))).len(), 1);
    assert!(Window::new(&with(vec![once()], days("2026-12-05", "2026-12-05"))).is_ok(), "until 4 is left");
    let forever = refused(&with(vec![once(), saturdays()], days("2026-01-01", "2036-12-31")));
    assert!(forever.concat().starts_with("exclusions: remove every opening"), "{forever:?}");
    assert!(Window::new(&with(vec![saturdays()], days("2026-01-01", "2030-12-31"))).is_ok());
    // Twice five years, without a gap.
    let twice = [days("2026-01-01", "2030-12-31"), days("2031-01-01", "2036-12-31")].concat();
    assert_eq!(refused(&with(vec![saturdays()], twice)).len(), 1);
}

#[test]
fn the_ends_of_the_calendar_do_no_harm() {
    let window = Window::new(&terms(vec![saturdays(), cron("0 22 31 * *")])).unwrap();
    for after in [Timestamp::MIN, Timestamp::UNIX_EPOCH, Timestamp::MAX] {
        let openings: Vec<_> = window.openings(after).take(3).collect();
        assert!(openings.windows(2).all(|pair| pair[0].until < pair[1].from), "{openings:?}");
    }
    assert_eq!(window.openings(Timestamp::MAX).count(), 0);
}
