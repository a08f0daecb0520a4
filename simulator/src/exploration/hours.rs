//! Maintenance windows, as a seed has drawn them, and as told day by day without the operator's own reckoning.

use std::time::Duration;

use engine::{
    Window,
    calendar::{Exclusion, Moment, Start, Terms, Week},
};
use jiff::{
    Span as Days, Timestamp,
    civil::{Date, Time, Weekday},
    tz::TimeZone,
};

/// From one instant to another.
pub(super) type Stretch = (Timestamp, Timestamp);

/// How far ahead is looked for what is open now: longer than any window that is drawn.
pub(super) const AHEAD: i64 = 12;

/// A window.
#[derive(Clone, Debug)]
pub(super) struct Hours {
    pub(super) name: String,
    /// A name of the IANA database.
    pub(super) zone: String,
    pub(super) opens: Vec<Opens>,
    pub(super) length: Duration,
    /// It opens for this as well, once.
    pub(super) once: Option<Stretch>,
    /// It stays closed on these days, both included.
    pub(super) closed_days: Option<(Date, Date)>,
    /// It stays closed from one instant to another.
    pub(super) closed: Option<Stretch>,
}

/// It opens at a time of some days.
#[derive(Clone, Debug)]
pub(super) struct Opens {
    pub(super) on: On,
    pub(super) time: Time,
}

/// Some days.
#[derive(Clone, Debug)]
pub(super) enum On {
    Weekdays(Vec<Weekday>),
    /// Of each month; the last one of shorter months.
    DayOfMonth(i8),
    /// The n-th of each month.
    WeekdayOfMonth(Week, Weekday),
    /// As [`On::Weekdays`], said as a cron expression.
    CronWeekdays(Vec<Weekday>),
    /// From one day of each month to another, said as a cron expression.
    CronDays(i8, i8),
}

impl On {
    fn has(&self, day: Date) -> bool {
        match self {
            Self::Weekdays(days) | Self::CronWeekdays(days) => days.contains(&day.weekday()),
            Self::DayOfMonth(number) => day.day() == (*number).min(day.days_in_month()),
            Self::WeekdayOfMonth(week, weekday) => {
                let before = (day.day() - 1) / 7;
                let is_week = match week {
                    Week::First => before == 0,
                    Week::Second => before == 1,
                    Week::Third => before == 2,
                    Week::Fourth => before == 3,
                    Week::Last => day.day() + 7 > day.days_in_month(),
                };
                is_week && day.weekday() == *weekday
            }
            Self::CronDays(first, last) => (*first..=*last).contains(&day.day()),
        }
    }
}

impl Opens {
    /// As the operator gets it.
    fn start(&self) -> Start {
        let time = self.time;
        let (minute, hour) = (time.minute(), time.hour());
        match &self.on {
            On::Weekdays(days) => Start::Weekly { days: days.clone(), time },
            On::DayOfMonth(day) => Start::DayOfMonth { day: *day, time },
            On::WeekdayOfMonth(week, weekday) => {
                Start::WeekdayOfMonth { week: *week, weekday: *weekday, time }
            }
            On::CronWeekdays(days) => {
                let days: Vec<_> = days.iter().map(|day| day.to_sunday_zero_offset().to_string()).collect();
                Start::Cron(format!("{minute} {hour} * * {}", days.join(",")))
            }
            On::CronDays(first, last) => Start::Cron(format!("{minute} {hour} {first}-{last} * *")),
        }
    }
}

impl Hours {
    /// One that opens at a time of some days of each week.
    pub(super) fn weekly(
        name: &str,
        zone: &str,
        (days, time): (Vec<Weekday>, Time),
        length: Duration,
    ) -> Self {
        Self {
            name: name.to_owned(),
            zone: zone.to_owned(),
            opens: vec![Opens { on: On::Weekdays(days), time }],
            length,
            once: None,
            closed_days: None,
            closed: None,
        }
    }

    /// As the operator gets it.
    pub(super) fn window(&self) -> Window {
        let once = self
            .once
            .map(|(from, until)| Start::Once { from: Moment::Instant(from), until: Moment::Instant(until) });
        let days = self.closed_days.map(|(first, last)| Exclusion::Days { first, last });
        let period = self.closed.map(|(from, until)| Exclusion::Period {
            from: Moment::Instant(from),
            until: Moment::Instant(until),
        });
        let terms = Terms {
            name: self.name.clone(),
            time_zone: self.zone.clone(),
            duration: Some(self.length),
            starts: self.opens.iter().map(Opens::start).chain(once).collect(),
            exclusions: days.into_iter().chain(period).collect(),
        };
        Window::new(&terms).expect("a drawn window is a good one")
    }

    /// When it is open some days before and after an instant: each of its days by itself.
    pub(super) fn around(&self, at: Timestamp) -> Vec<Stretch> {
        let zone = TimeZone::get(&self.zone).expect("a zone that there is");
        let today = at.to_zoned(zone.clone()).date();
        let mut open = Vec::from_iter(self.once);
        for day in (-2..=AHEAD).filter_map(|days| today.checked_add(Days::new().days(days)).ok()) {
            for opens in self.opens.iter().filter(|opens| opens.on.has(day)) {
                // Compatible with RFC 5545: what a change of the clocks skips is moved on by as much, and of what
                // comes twice the first counts.
                let from = day.to_datetime(opens.time).to_zoned(zone.clone());
                open.extend(from.map(|from| (from.timestamp(), from.timestamp() + self.length)));
            }
        }
        self.closed_in(&zone).into_iter().fold(open, without)
    }

    fn closed_in(&self, zone: &TimeZone) -> Vec<Stretch> {
        let begin = |day: Date| Some(day.to_zoned(zone.clone()).ok()?.timestamp());
        let days = self.closed_days.and_then(|(first, last)| begin(first).zip(begin(last.tomorrow().ok()?)));
        days.into_iter().chain(self.closed).collect()
    }
}

/// What is left of these when one of them is taken away.
fn without(stretches: Vec<Stretch>, (from, until): Stretch) -> Vec<Stretch> {
    let left =
        stretches.into_iter().flat_map(|(begin, end)| [(begin, end.min(from)), (begin.max(until), end)]);
    left.filter(|(begin, end)| begin < end).collect()
}

/// Until when any of these goes on without a break from an instant that is in one of them.
pub(super) fn end(stretches: &[Stretch], at: Timestamp) -> Option<Timestamp> {
    let mut until = None;
    loop {
        let reached = until.unwrap_or(at);
        let next =
            stretches.iter().filter(|(from, to)| *from <= reached && reached < *to).map(|(_, to)| *to).max();
        match next {
            Some(next) => until = Some(next),
            None => return until,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// Berlin, 22:00, for six hours.
    fn hours(on: On) -> Hours {
        let time = Time::constant(22, 0, 0, 0);
        let length = Duration::from_secs(6 * 3600);
        let weekly = Hours::weekly("w", "Europe/Berlin", (vec![], time), length);
        Hours { opens: vec![Opens { on, time }], ..weekly }
    }

    /// The days of January 2027, which begins with a Friday, on which it opens.
    fn january(on: &On) -> Vec<i8> {
        let first = jiff::civil::date(2027, 1, 1);
        first.series(Days::new().days(1)).take(31).filter(|day| on.has(*day)).map(Date::day).collect()
    }

    #[test]
    fn days_are_told_one_by_one() {
        let friday = Weekday::Friday;
        assert_eq!(january(&On::Weekdays(vec![friday])), [1, 8, 15, 22, 29]);
        assert_eq!(january(&On::CronWeekdays(vec![friday])), [1, 8, 15, 22, 29]);
        assert_eq!(january(&On::DayOfMonth(31)), [31]);
        assert!(On::DayOfMonth(31).has(jiff::civil::date(2027, 2, 28)));
        let weeks = [Week::First, Week::Second, Week::Third, Week::Fourth, Week::Last];
        let nth = weeks.map(|week| january(&On::WeekdayOfMonth(week, friday))[0]);
        assert_eq!(nth, [1, 8, 15, 22, 29]);
        assert_eq!(january(&On::WeekdayOfMonth(Week::Last, Weekday::Monday)), [25]);
        assert_eq!(january(&On::CronDays(3, 5)), [3, 4, 5]);
    }

    #[test]
    fn what_is_closed_is_cut_out_of_every_opening() {
        let third = hours(On::DayOfMonth(3));
        let all = (at("2027-01-03T21:00:00Z"), at("2027-01-04T03:00:00Z"));
        assert_eq!(third.around(at("2027-01-02T00:00:00Z")), [all]);
        let closed = Hours { closed: Some((all.0 + 60 * Duration::from_secs(60), all.1)), ..third.clone() };
        assert_eq!(closed.around(all.0), [(all.0, at("2027-01-03T22:00:00Z"))]);
        let day = jiff::civil::date(2027, 1, 4);
        let by_day = Hours { closed_days: Some((day, day)), ..third.clone() };
        assert_eq!(by_day.around(all.0), [(all.0, at("2027-01-03T23:00:00Z"))], "midnight in Berlin");
        let once = (at("2027-01-05T10:00:00Z"), at("2027-01-05T11:00:00Z"));
        assert_eq!(Hours { once: Some(once), ..third }.around(all.0), [once, all]);
    }

    #[test]
    fn the_operator_gets_the_same_window() {
        let weekdays = vec![Weekday::Tuesday, Weekday::Sunday];
        let on = [
            On::Weekdays(weekdays.clone()),
            On::CronWeekdays(weekdays),
            On::DayOfMonth(31),
            On::WeekdayOfMonth(Week::Last, Weekday::Friday),
            On::CronDays(28, 31),
        ];
        for on in on {
            let hours = hours(on);
            let opening = hours.window().openings(at("2027-01-20T00:00:00Z")).next().unwrap();
            let told = hours.around(opening.from);
            assert!(told.contains(&(opening.from, opening.until)), "{hours:?}: {opening:?}, {told:?}");
        }
    }
}
