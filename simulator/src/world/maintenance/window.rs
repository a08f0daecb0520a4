//! When a maintenance configuration lets AKS act by itself ("Use planned maintenance to schedule
//! and control upgrades"). Pure: a configuration and an instant in, the next open time out.
//!
//! A window belongs to the day on which it begins, in the configuration's fixed offset from UTC;
//! dates that are not allowed cut it.

use jiff::{
    SignedDuration, Timestamp, ToSpan,
    civil::{Date, DateTime, Time, Weekday},
    tz::Offset,
};
use serde_json::Value;

/// Windows looked at before it is said that none will ever open: some years of daily ones.
const MOST_WINDOWS: i64 = 1500;

/// A time in which AKS may begin something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Open {
    pub(crate) from: Timestamp,
    /// The first instant that no longer belongs to it.
    pub(crate) until: Timestamp,
}

/// The windows of one maintenance configuration.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Windows {
    schedule: Schedule,
    length: SignedDuration,
    offset: Offset,
    start: Date,
    time: Time,
    forbidden: Vec<(Timestamp, Timestamp)>,
}

/// On which days windows begin.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Schedule {
    Daily {
        every: i32,
    },
    Weekly {
        every: i32,
        day: Weekday,
    },
    MonthlyOn {
        every: i32,
        day: i8,
    },
    MonthlyThe {
        every: i32,
        week: i8,
        day: Weekday,
    },
    /// The older form: hours of days of the week.
    Slots(Vec<(Weekday, i8)>),
}

impl Windows {
    /// The windows of a configuration's `properties`; `None` when they are not in a form that AKS
    /// knows.
    pub(crate) fn read(properties: &Value) -> Option<Self> {
        let window = properties.get("maintenanceWindow").filter(|window| !window.is_null());
        let Some(window) = window else { return read_slots(properties) };
        let text = |field: &str| window.get(field).and_then(Value::as_str);
        let offset = text("utcOffset").map_or(Some(Offset::UTC), read_offset)?;
        Some(Self {
            schedule: read_schedule(window.get("schedule")?)?,
            length: SignedDuration::from_hours(window.get("durationHours")?.as_i64()?),
            offset,
            start: text("startDate").map_or(Ok(Date::constant(1970, 1, 1)), str::parse).ok()?,
            time: format!("{}:00", text("startTime")?).parse().ok()?,
            forbidden: read_dates(window.get("notAllowedDates"), offset)?,
        })
    }

    /// The first open time that has not ended at `now`; it may have begun before.
    pub(crate) fn next_open(&self, now: Timestamp) -> Option<Open> {
        let local = self.offset.to_datetime(now);
        // A window of two days before may still be open.
        let first = self.index_before(local.date().saturating_sub(2.days()));
        let windows = (first..first + MOST_WINDOWS).flat_map(|index| self.begins(index));
        let pieces = windows.filter_map(|begin| self.open_at(begin)).flat_map(|open| self.allowed(open));
        pieces.into_iter().find(|open| open.until > now)
    }

    /// The number of a window that begins on that day or before, as near as is simple to say.
    fn index_before(&self, day: Date) -> i64 {
        let days = i64::from((day - self.start).get_days());
        let months = i64::from(months_between(self.start, day));
        let index = match &self.schedule {
            Schedule::Daily { every } => days / i64::from(*every),
            Schedule::Weekly { every, .. } => days / (7 * i64::from(*every)) - 1,
            Schedule::MonthlyOn { every, .. } | Schedule::MonthlyThe { every, .. } => {
                months / i64::from(*every) - 1
            }
            Schedule::Slots(_) => days,
        };
        index.max(0)
    }

    /// Where the windows with this number begin.
    fn begins(&self, index: i64) -> Vec<DateTime> {
        let day = match &self.schedule {
            Schedule::Daily { every } => self.start.checked_add((index * i64::from(*every)).days()).ok(),
            Schedule::Weekly { every, day } => {
                let first = self.start.yesterday().and_then(|before| before.nth_weekday(1, *day));
                first.and_then(|first| first.checked_add((index * 7 * i64::from(*every)).days())).ok()
            }
            Schedule::MonthlyOn { every, day } => self.month(index, *every).map(|month| {
                let last = month.days_in_month();
                month.with().day((*day).min(last)).build().unwrap_or(month)
            }),
            Schedule::MonthlyThe { every, week, day } => {
                self.month(index, *every).and_then(|month| month.nth_weekday_of_month(*week, *day).ok())
            }
            Schedule::Slots(slots) => return self.slots_of(index, slots),
        };
        let day = day.filter(|day| *day >= self.start);
        day.map(|day| day.to_datetime(self.time)).into_iter().collect()
    }

    fn month(&self, index: i64, every: i32) -> Option<Date> {
        self.start.first_of_month().checked_add((index * i64::from(every)).months()).ok()
    }

    fn slots_of(&self, index: i64, slots: &[(Weekday, i8)]) -> Vec<DateTime> {
        let Ok(day) = self.start.checked_add(index.days()) else { return Vec::new() };
        let hours = slots.iter().filter(|(weekday, _)| *weekday == day.weekday());
        let mut begins = hours.map(|(_, hour)| day.at(*hour, 0, 0, 0)).collect::<Vec<_>>();
        begins.sort_unstable();
        begins
    }

    fn open_at(&self, begin: DateTime) -> Option<Open> {
        let from = self.offset.to_timestamp(begin).ok()?;
        Some(Open { from, until: from.checked_add(self.length).ok()? })
    }

    /// What is left of a window without the times that are not allowed.
    fn allowed(&self, open: Open) -> Vec<Open> {
        let mut pieces = vec![open];
        for (from, until) in &self.forbidden {
            let cut = pieces.into_iter().flat_map(|piece| {
                let before = Open { from: piece.from, until: piece.until.min(*from) };
                let after = Open { from: piece.from.max(*until), until: piece.until };
                [before, after]
            });
            pieces = cut.filter(|piece| piece.from < piece.until).collect();
        }
        pieces
    }
}

fn read_schedule(schedule: &Value) -> Option<Schedule> {
    let form = |name: &str| schedule.get(name).filter(|form| !form.is_null());
    let number =
        |form: &Value, field: &str| i32::try_from(form.get(field)?.as_i64()?).ok().filter(|n| *n > 0);
    let weekday = |form: &Value| read_weekday(form.get("dayOfWeek")?.as_str()?);
    if let Some(form) = form("daily") {
        Some(Schedule::Daily { every: number(form, "intervalDays")? })
    } else if let Some(form) = form("weekly") {
        Some(Schedule::Weekly { every: number(form, "intervalWeeks")?, day: weekday(form)? })
    } else if let Some(form) = form("absoluteMonthly") {
        let day = i8::try_from(number(form, "dayOfMonth")?).ok().filter(|day| *day <= 31)?;
        Some(Schedule::MonthlyOn { every: number(form, "intervalMonths")?, day })
    } else {
        let form = form("relativeMonthly")?;
        let week = match form.get("weekIndex")?.as_str()? {
            "First" => 1,
            "Second" => 2,
            "Third" => 3,
            "Fourth" => 4,
            "Last" => -1,
            _ => return None,
        };
        Some(Schedule::MonthlyThe { every: number(form, "intervalMonths")?, week, day: weekday(form)? })
    }
}

/// The older form, in UTC: `timeInWeek` with hours, `notAllowedTime` with instants.
fn read_slots(properties: &Value) -> Option<Windows> {
    let mut slots = Vec::new();
    for time in properties.get("timeInWeek")?.as_array()? {
        let day = read_weekday(time.get("day")?.as_str()?)?;
        for hour in time.get("hourSlots")?.as_array()? {
            let hour = i8::try_from(hour.as_i64()?).ok().filter(|hour| (0..24).contains(hour))?;
            slots.push((day, hour));
        }
    }
    let mut forbidden = Vec::new();
    for span in properties.get("notAllowedTime").and_then(Value::as_array).into_iter().flatten() {
        let instant = |field: &str| span.get(field)?.as_str()?.parse::<Timestamp>().ok();
        forbidden.push((instant("start")?, instant("end")?));
    }
    Some(Windows {
        schedule: Schedule::Slots(slots),
        length: SignedDuration::from_hours(1),
        offset: Offset::UTC,
        start: Date::constant(1970, 1, 1),
        time: Time::midnight(),
        forbidden,
    })
}

/// Dates in the configuration's own offset, the last one included.
fn read_dates(dates: Option<&Value>, offset: Offset) -> Option<Vec<(Timestamp, Timestamp)>> {
    let mut spans = Vec::new();
    for span in dates.and_then(Value::as_array).into_iter().flatten() {
        let date = |field: &str| span.get(field)?.as_str()?.parse::<Date>().ok();
        let from = date("start")?.to_datetime(Time::midnight());
        let until = date("end")?.tomorrow().ok()?.to_datetime(Time::midnight());
        spans.push((offset.to_timestamp(from).ok()?, offset.to_timestamp(until).ok()?));
    }
    Some(spans)
}

/// `+05:30`
fn read_offset(text: &str) -> Option<Offset> {
    let (sign, rest) = match text.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':')?;
    let seconds = hours.parse::<i32>().ok()? * 3600 + minutes.parse::<i32>().ok()? * 60;
    Offset::from_seconds(sign * seconds).ok()
}

fn read_weekday(text: &str) -> Option<Weekday> {
    Some(match text {
        "Monday" => Weekday::Monday,
        "Tuesday" => Weekday::Tuesday,
        "Wednesday" => Weekday::Wednesday,
        "Thursday" => Weekday::Thursday,
        "Friday" => Weekday::Friday,
        "Saturday" => Weekday::Saturday,
        "Sunday" => Weekday::Sunday,
        _ => return None,
    })
}

fn months_between(from: Date, to: Date) -> i32 {
    (i32::from(to.year()) - i32::from(from.year())) * 12 + i32::from(to.month()) - i32::from(from.month())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

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
            let schedule = json!({ "relativeMonthly": { "intervalMonths": 1, "weekIndex": index, "dayOfWeek": "Tuesday" } });
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
                Schedule::Weekly { every, day: weekday } => {
                    day.weekday() == *weekday && (days / 7) % every == 0
                }
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
}
