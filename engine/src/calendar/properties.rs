//! In every zone of the IANA database, over all changes of its clocks from 2024 to 2030: each window opens
//! exactly once, when the clock shows its time, and at no other.

#![expect(clippy::disallowed_methods, reason = "how long it takes is told, and decides nothing")]

use std::time::{Duration, Instant};

use jiff::{
    SignedDuration, Timestamp, ToSpan,
    civil::{Date, DateTime, Time, Weekday},
    tz::TimeZone,
};
use proptest::prelude::*;

use super::{
    clock::{Clock, changes, distinct_zones, is_in, zones},
    spans::Span,
    *,
};

fn window(zone: &str, minutes: u64, starts: Vec<Start>, exclusions: Vec<Exclusion>) -> Window {
    let duration = Some(Duration::from_secs(minutes * 60));
    let terms = Terms { name: "w".to_owned(), time_zone: zone.to_owned(), duration, starts, exclusions };
    Window::new(&terms).unwrap_or_else(|wrong| panic!("{terms:?}: {wrong:?}"))
}

/// Whether a start that is not once has this day: said in another way than the calendar does.
fn has(start: &Start, day: Date) -> bool {
    match start {
        Start::Weekly { days, .. } => days.contains(&day.weekday()),
        Start::DayOfMonth { day: wanted, .. } => {
            let is_last = day.tomorrow().unwrap().month() != day.month();
            day.day() == *wanted || (is_last && day.day() < *wanted)
        }
        Start::WeekdayOfMonth { week, weekday, .. } => {
            let of_month = day.first_of_month();
            let nth = match week {
                Week::First => 1,
                Week::Second => 2,
                Week::Third => 3,
                Week::Fourth => 4,
                Week::Last => -1,
            };
            of_month.nth_weekday_of_month(nth, *weekday).unwrap() == day
        }
        Start::Cron(text) => {
            let fields: Vec<&str> = text.split(' ').collect();
            let is = |field: &str, number: i8| field == "*" || field.parse() == Ok(number);
            is(fields[2], day.day())
                && is(fields[3], day.month())
                && is(fields[4], day.weekday().to_sunday_zero_offset())
        }
        Start::Once { .. } => false,
    }
}

fn time_of(start: &Start) -> Time {
    match start {
        Start::Weekly { time, .. } | Start::DayOfMonth { time, .. } | Start::WeekdayOfMonth { time, .. } => {
            *time
        }
        Start::Cron(text) => {
            let fields: Vec<i8> = text.split(' ').take(2).map(|field| field.parse().unwrap()).collect();
            Time::constant(fields[1], fields[0], 0, 0)
        }
        Start::Once { .. } => Time::midnight(),
    }
}

/// All kinds of starts that recur, each on this day and at this time.
fn on(day: Date, time: Time) -> Vec<Start> {
    let week = [Week::First, Week::Second, Week::Third, Week::Fourth, Week::Last];
    let week = week[usize::try_from((day.day() - 1) / 7).unwrap()];
    let weekday = day.weekday();
    vec![
        Start::Weekly { days: vec![weekday], time },
        Start::DayOfMonth { day: day.day(), time },
        Start::WeekdayOfMonth { week, weekday, time },
        Start::Cron(format!("{} {} * * *", time.minute(), time.hour())),
    ]
}

/// Times of a day that its change of clocks touches, and some that it does not.
fn interesting(zone: &TimeZone, transition: Timestamp) -> Vec<DateTime> {
    let before = zone.to_datetime(transition - SignedDuration::from_mins(1));
    let after = zone.to_datetime(transition);
    let (low, high) = (before.min(after), before.max(after));
    let middle = low + low.duration_until(high) / 2;
    let at = |local: DateTime| local.date().to_datetime(Time::constant(local.hour(), local.minute(), 0, 0));
    let mut times = vec![low, low + 1.minute(), middle, high - 1.minute(), high, high + 1.minute()];
    times.push(low.date().to_datetime(Time::midnight()));
    times.push(before.date().yesterday().unwrap().to_datetime(Time::constant(22, 0, 0, 0)));
    let mut times: Vec<_> = times.into_iter().map(at).collect();
    times.sort_unstable();
    times.dedup();
    times
}

/// The openings of one start around a change of clocks, compared with the clock's; how many there are.
fn compare(zone: &str, start: &Start, clock: &Clock) -> usize {
    let days = &clock.days;
    let shown = |day: Date, time| clock.first_shown(day.to_datetime(time));
    let expected = days.iter().filter(|day| has(start, **day));
    let expected: Vec<Timestamp> = expected.filter_map(|day| shown(*day, time_of(start))).collect();
    let first = shown(days[0], Time::midnight()).unwrap();
    let end = shown(days[days.len() - 1].tomorrow().unwrap(), Time::midnight()).unwrap();
    let window = window(zone, 150, vec![start.clone()], Vec::new());
    let openings = window.openings(first).filter(|opening| opening.from >= first);
    let openings: Vec<Opening> = openings.take_while(|opening| opening.from < end).collect();
    let found: Vec<Timestamp> = openings.iter().map(|opening| opening.from).collect();
    assert_eq!(found, expected, "{zone}: {start:?}");
    assert!(openings.iter().all(|opening| opening.until.duration_since(opening.from).as_mins() == 150));
    found.len()
}

#[test]
fn around_each_change_of_the_clocks_every_window_opens_once_when_its_time_is_shown() {
    const WATCHED: SignedDuration = SignedDuration::from_hours(24 * 3);
    let (begun, zones) = (Instant::now(), distinct_zones());
    let (mut seen, mut openings) = (0, 0);
    for (name, zone) in &zones {
        for (change, _) in changes(zone) {
            seen += 1;
            let clock = Clock::watch(zone, change - WATCHED / 2, WATCHED);
            for (index, local) in interesting(zone, change).into_iter().enumerate() {
                // Each kind at some time of each change.
                let kinds = on(local.date(), local.time());
                let two = [&kinds[index % 4], &kinds[(index + 1) % 4]];
                openings += two.into_iter().map(|start| compare(name, start, &clock)).sum::<usize>();
            }
        }
    }
    let took = begun.elapsed();
    println!("{} zones that differ, {seen} changes of clocks, {openings} openings in {took:?}", zones.len());
    assert!(zones.len() > 60 && seen > 400 && openings > 5_000);
}

/// From the beginning of 2024 to the end of 2030: a window opens on each of its days, once, at its time, and
/// never else. What a clock skips or shows twice is compared above.
#[test]
fn over_seven_years_every_window_opens_on_each_of_its_days() {
    let (begun, zones) = (Instant::now(), distinct_zones());
    let (first, last) = (Date::constant(2024, 1, 1), Date::constant(2030, 12, 31));
    let time = |hour, minute| Time::constant(hour, minute, 0, 0);
    let starts = [
        Start::Weekly { days: vec![Weekday::Saturday, Weekday::Sunday], time: time(22, 0) },
        Start::DayOfMonth { day: 31, time: time(0, 30) },
        Start::WeekdayOfMonth { week: Week::Last, weekday: Weekday::Sunday, time: time(1, 30) },
        Start::Cron("30 2 * * 0".to_owned()),
        Start::Cron("15 12 29 2 *".to_owned()),
    ];
    let days = |start: &Start| -> Vec<Date> {
        first.series(1.day()).take_while(|day| *day <= last).filter(|day| has(start, *day)).collect()
    };
    let days = starts.each_ref().map(days);
    assert_eq!(days.each_ref().map(Vec::len), [730, 84, 84, 365, 2]);
    let mut count = 0;
    for (name, zone) in &zones {
        for (start, days) in starts.iter().zip(&days) {
            count += opens_on(name, zone, start, days);
        }
    }
    println!("{} zones that differ, {count} openings in {:?}", zones.len(), begun.elapsed());
}

/// How many openings there are, when they are at the start's time of each of these days.
fn opens_on(name: &str, zone: &TimeZone, start: &Start, days: &[Date]) -> usize {
    let (first, last) = (Date::constant(2024, 1, 1), Date::constant(2030, 12, 31));
    let after = zone.to_timestamp(first.to_datetime(Time::midnight())).unwrap();
    let window = window(name, 60, vec![start.clone()], Vec::new());
    let openings = window.openings(after).filter(|opening| opening.from >= after);
    let shown = openings.map(|opening| zone.to_datetime(opening.from));
    let shown: Vec<DateTime> = shown.take_while(|local| local.date() <= last).collect();
    assert_eq!(shown.len(), days.len(), "{name}: {start:?}");
    for (shown, day) in shown.iter().zip(days) {
        let wanted = day.to_datetime(time_of(start));
        let skipped = *shown > wanted && zone.to_ambiguous_timestamp(wanted).is_ambiguous();
        assert!(*shown == wanted || skipped, "{name}: {wanted}, not {shown}");
    }
    shown.len()
}

/// Every name of the database is that of a window's zone, in any case.
#[test]
fn every_zone_can_be_named() {
    let zones = zones();
    for (name, zone) in &zones {
        let starts = vec![Start::Cron("0 22 * * 6".to_owned())];
        let window = window(&name.to_uppercase(), 60, starts, Vec::new());
        let opening = window.openings(Timestamp::UNIX_EPOCH).next().unwrap();
        assert_eq!(zone.to_datetime(opening.from).to_string(), "1970-01-03T22:00:00", "{name}");
    }
    assert!(zones.len() > 500, "{}", zones.len());
}

fn start() -> impl Strategy<Value = Start> {
    let time = (0..24_i8, 0..60_i8).prop_map(|(hour, minute)| Time::constant(hour, minute, 0, 0));
    let weekday = || (0..7_i8).prop_map(|day| Weekday::from_monday_zero_offset(day).unwrap());
    let week = prop::sample::select(vec![Week::First, Week::Second, Week::Third, Week::Fourth, Week::Last]);
    prop_oneof![
        (prop::collection::vec(weekday(), 1..4), time.clone())
            .prop_map(|(days, time)| Start::Weekly { days, time }),
        (1..=31_i8, time.clone()).prop_map(|(day, time)| Start::DayOfMonth { day, time }),
        (week, weekday(), time.clone()).prop_map(|(week, weekday, time)| Start::WeekdayOfMonth {
            week,
            weekday,
            time
        }),
        time.prop_map(|time| Start::Cron(format!("{} {} * * *", time.minute(), time.hour()))),
    ]
}

/// A time in minutes after the watch began.
fn period() -> impl Strategy<Value = (i64, i64)> {
    (0..60 * 24 * 12_i64, 1..60 * 48_i64).prop_map(|(from, length)| (from, from + length))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    /// Any window, cut by any exclusions, watched minute by minute around a change of clocks.
    #[test]
    fn it_is_open_whenever_one_of_its_times_has_begun_and_not_ended(
        pick in any::<prop::sample::Selector>(),
        change in any::<prop::sample::Index>(),
        starts in prop::collection::vec(start(), 1..4),
        once in prop::collection::vec(period(), 0..3),
        excluded in prop::collection::vec(period(), 0..4),
        minutes in prop_oneof![1..180_u64, 1..60 * 24 * 7_u64],
    ) {
        const WATCHED: SignedDuration = SignedDuration::from_hours(24 * 18);
        let (name, zone) = pick.select(zones());
        let changes = changes(&zone);
        let around = match changes.as_slice() {
            [] => "2027-03-01T00:00:00Z".parse().unwrap(),
            changes => change.get(changes).0,
        };
        let from: Timestamp = around - WATCHED / 2;
        let clock = Clock::watch(&zone, from, WATCHED);
        let days = &clock.days;
        let seen = clock.first_shown(days[7].to_datetime(Time::midnight())).unwrap();
        let instant = |minute: i64| seen + SignedDuration::from_mins(minute);
        let spans = |periods: &[(i64, i64)]| -> Vec<Span> {
            periods.iter().map(|(from, until)| Span { from: instant(*from), until: instant(*until) }).collect()
        };
        let (once, closed) = (spans(&once), spans(&excluded));
        let mut open = once.clone();
        for start in &starts {
            let begins = days.iter().filter(|day| has(start, **day));
            let begins = begins.filter_map(|day| clock.first_shown(day.to_datetime(time_of(start))));
            let length = SignedDuration::from_mins(i64::try_from(minutes).unwrap());
            open.extend(begins.map(|from| Span { from, until: from + length }));
        }
        let moments = |span: &Span| (Moment::Instant(span.from), Moment::Instant(span.until));
        let once = once.iter().map(moments).map(|(from, until)| Start::Once { from, until });
        let starts = starts.into_iter().chain(once).collect();
        let exclusions = closed.iter().map(moments).map(|(from, until)| Exclusion::Period { from, until });
        let window = window(&name, minutes, starts, exclusions.collect());

        let end = *days.last().unwrap();
        let end = clock.first_shown(end.to_datetime(Time::midnight())).unwrap();
        let openings: Vec<Opening> = window.openings(seen).take_while(|opening| opening.from < end).collect();
        for pair in openings.windows(2) {
            prop_assert!(pair[0].until < pair[1].from, "{pair:?} is one opening, or not in order");
        }
        let found: Vec<Span> = openings.iter().map(|o| Span { from: o.from, until: o.until }).collect();
        for minute in clock.minutes().filter(|minute| *minute >= seen && *minute < end) {
            let expected = is_in(&open, minute) && !is_in(&closed, minute);
            prop_assert_eq!(is_in(&found, minute), expected, "{} at {}", name, minute);
        }
        // Asked after an opening, it says the same; when one ends that lasts for weeks is not looked for.
        let parts = |openings: &[Opening]| -> Vec<Span> {
            openings.iter().map(|o| Span { from: o.from, until: o.until.min(end) }).collect()
        };
        for (index, opening) in openings.iter().enumerate().filter(|(_, opening)| opening.until < end) {
            let later: Vec<Opening> = window.openings(opening.until).take_while(|o| o.from < end).collect();
            prop_assert_eq!(parts(&later), parts(&openings[index + 1..]), "after {:?}", opening);
        }
    }
}
