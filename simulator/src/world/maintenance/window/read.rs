//! Windows as maintenance configurations write them, in the present form and in the older one.

use jiff::{
    SignedDuration, Timestamp,
    civil::{Date, Time, Weekday},
    tz::Offset,
};
use serde_json::Value;

use super::{Schedule, Windows};

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

pub(super) fn read_weekday(text: &str) -> Option<Weekday> {
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
