//! Maintenance configurations: what AKS takes, refuses and shows.
//!
//! Rules after "Use planned maintenance to schedule maintenance windows for your AKS cluster" and the
//! schema of `MaintenanceConfiguration`.

pub(in crate::world) mod window;

use std::collections::BTreeMap;

use jiff::{Timestamp, civil::Date, civil::Time, tz::TimeZone};
use serde_json::{Map, Value, json};

/// The one that also binds AKS's own weekly releases; it may be of the older form.
const DEFAULT: &str = "default";

/// The names that AKS knows.
const NAMES: [&str; 3] = [DEFAULT, "aksManagedAutoUpgradeSchedule", "aksManagedNodeOSUpgradeSchedule"];

const WEEKDAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const WEEKS: [&str; 5] = ["First", "Second", "Third", "Fourth", "Last"];

/// The forms of a schedule, each with its numbers and their largest values.
const SCHEDULES: [(&str, &[(&str, u64)]); 4] = [
    ("daily", &[("intervalDays", 7)]),
    ("weekly", &[("intervalWeeks", 4)]),
    ("absoluteMonthly", &[("intervalMonths", 6), ("dayOfMonth", 31)]),
    ("relativeMonthly", &[("intervalMonths", 6)]),
];

/// The maintenance configurations of a cluster: their properties by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Maintenance {
    by_name: BTreeMap<String, Value>,
}

impl Maintenance {
    /// Those of a scenario, which have been checked.
    pub(crate) fn new(configurations: &[Value]) -> Self {
        let by_name = configurations.iter().filter_map(|configuration| {
            let properties = configuration.get("properties")?;
            Some((configuration.get("name")?.as_str()?.to_owned(), properties.clone()))
        });
        Self { by_name: by_name.collect() }
    }

    /// The properties of one; names are not case-sensitive.
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.find(name).map(|(_, properties)| properties)
    }

    fn find(&self, name: &str) -> Option<(&String, &Value)> {
        self.by_name.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))
    }

    /// All of them, as a list shows them; `cluster` is the id that their ids begin with.
    pub(crate) fn render_all(&self, cluster: &str) -> Value {
        let all = self.by_name.iter().map(|(name, properties)| render(cluster, name, properties));
        json!({ "value": all.collect::<Vec<_>>() })
    }

    /// One of them; names are not case-sensitive.
    pub(crate) fn render(&self, cluster: &str, name: &str) -> Option<Value> {
        let (name, properties) = self.find(name)?;
        Some(render(cluster, name, properties))
    }

    /// Makes or replaces one, which has been checked; a window without a first day begins today.
    pub(crate) fn put(&mut self, now: Timestamp, name: &str, mut properties: Map<String, Value>) -> String {
        let name = NAMES.into_iter().find(|known| known.eq_ignore_ascii_case(name)).unwrap_or(name);
        properties.retain(|_, value| !value.is_null());
        if let Some(window) = properties.get_mut("maintenanceWindow")
            && window.get("startDate").is_none_or(Value::is_null)
        {
            window["startDate"] = json!(now.to_zoned(TimeZone::UTC).date().to_string());
        }
        self.by_name.insert(name.to_owned(), Value::Object(properties));
        name.to_owned()
    }

    /// Whether it was there.
    pub(crate) fn remove(&mut self, name: &str) -> bool {
        let before = self.by_name.len();
        self.by_name.retain(|known, _| !known.eq_ignore_ascii_case(name));
        self.by_name.len() < before
    }
}

fn render(cluster: &str, name: &str, properties: &Value) -> Value {
    json!({
        "id": format!("{cluster}/maintenanceConfigurations/{name}"),
        "name": name,
        "properties": properties,
    })
}

/// What is wrong with a maintenance configuration: the field, and what would be right.
pub(crate) type Problem = (String, String);

/// Checks the name and the properties of a maintenance configuration.
pub(crate) fn check(name: &str, properties: &Value) -> Result<(), Problem> {
    if !NAMES.iter().any(|known| known.eq_ignore_ascii_case(name)) {
        return Err(wrong("name", format!("{name:?} is not one of {}", NAMES.join(", "))));
    }
    let given = |field: &str| properties.get(field).filter(|value| !value.is_null());
    let default = name.eq_ignore_ascii_case(DEFAULT);
    for (field, check) in [
        ("timeInWeek", check_time_in_week as fn(&Value) -> Result<(), Problem>),
        ("notAllowedTime", check_spans),
    ] {
        let Some(value) = given(field) else { continue };
        if !default {
            return Err(wrong(
                field,
                format!("is for the configuration {DEFAULT} alone; give maintenanceWindow"),
            ));
        }
        check(value)?;
    }
    match given("maintenanceWindow") {
        Some(window) => check_window(window),
        None if default && given("timeInWeek").is_some() => Ok(()),
        // The resource that it names has the times. This world has none of these: AKS's own upgrades come at any.
        None if given("maintenanceWindowId").is_some_and(Value::is_string) => Ok(()),
        None => Err(wrong("maintenanceWindow", "is missing")),
    }
}

fn check_time_in_week(value: &Value) -> Result<(), Problem> {
    let days = value.as_array().ok_or_else(|| wrong("timeInWeek", "is not a list of days with hourSlots"))?;
    for (index, day) in days.iter().enumerate() {
        let field = format!("timeInWeek[{index}]");
        one_of(&format!("{field}.day"), &day["day"], &WEEKDAYS)?;
        let slots = day["hourSlots"].as_array().filter(|slots| !slots.is_empty());
        if !slots.is_some_and(|slots| slots.iter().all(|slot| slot.as_u64().is_some_and(|hour| hour < 24))) {
            return Err(wrong(format!("{field}.hourSlots"), "is not a list of hours from 0 to 23"));
        }
    }
    Ok(())
}

fn check_spans(value: &Value) -> Result<(), Problem> {
    let instant = |value: &Value| value.as_str()?.parse::<Timestamp>().ok();
    for (index, span) in value.as_array().into_iter().flatten().enumerate() {
        match (instant(&span["start"]), instant(&span["end"])) {
            (Some(start), Some(end)) if start < end => {}
            _ => {
                return Err(wrong(
                    format!("notAllowedTime[{index}]"),
                    "has no start before its end, for example 2026-12-24T00:00:00Z",
                ));
            }
        }
    }
    Ok(())
}

fn check_window(window: &Value) -> Result<(), Problem> {
    let field = |name: &str| format!("maintenanceWindow.{name}");
    check_schedule(&window["schedule"])?;
    if !window["durationHours"].as_u64().is_some_and(|hours| (4..=24).contains(&hours)) {
        return Err(wrong(
            field("durationHours"),
            format!("{} is not a number from 4 to 24", window["durationHours"]),
        ));
    }
    let start = window["startTime"].as_str().unwrap_or_default();
    if start.len() != 5 || format!("{start}:00").parse::<Time>().is_err() {
        return Err(wrong(field("startTime"), format!("{start:?} is not a time such as \"09:00\"")));
    }
    if let Some(offset) = window["utcOffset"].as_str() {
        let hours = offset.strip_prefix(['+', '-']).filter(|hours| hours.len() == 5);
        if hours.is_none_or(|hours| format!("{hours}:00").parse::<Time>().is_err()) {
            return Err(wrong(field("utcOffset"), format!("{offset:?} is not an offset such as \"-08:00\"")));
        }
    }
    let date = |value: &Value| value.as_str()?.parse::<Date>().ok();
    if !window["startDate"].is_null() && date(&window["startDate"]).is_none() {
        return Err(wrong(
            field("startDate"),
            format!("{} is not a date such as 2026-12-24", window["startDate"]),
        ));
    }
    for (index, span) in window["notAllowedDates"].as_array().into_iter().flatten().enumerate() {
        match (date(&span["start"]), date(&span["end"])) {
            (Some(start), Some(end)) if start <= end => {}
            _ => {
                return Err(wrong(
                    field(&format!("notAllowedDates[{index}]")),
                    "has no start that is not after its end, for example 2026-12-24",
                ));
            }
        }
    }
    Ok(())
}

fn check_schedule(schedule: &Value) -> Result<(), Problem> {
    let given =
        SCHEDULES.iter().filter(|(form, _)| schedule.get(*form).is_some_and(|value| !value.is_null()));
    let [(form, numbers)] = given.collect::<Vec<_>>()[..] else {
        let forms = SCHEDULES.map(|(form, _)| form).join(", ");
        return Err(wrong("maintenanceWindow.schedule", format!("has not exactly one of {forms}")));
    };
    let field = |name: &str| format!("maintenanceWindow.schedule.{form}.{name}");
    let value = &schedule[form];
    for (name, largest) in *numbers {
        if !value[name].as_u64().is_some_and(|number| (1..=*largest).contains(&number)) {
            return Err(wrong(field(name), format!("{} is not a number from 1 to {largest}", value[name])));
        }
    }
    match *form {
        "weekly" => one_of(&field("dayOfWeek"), &value["dayOfWeek"], &WEEKDAYS),
        "relativeMonthly" => {
            one_of(&field("dayOfWeek"), &value["dayOfWeek"], &WEEKDAYS)?;
            one_of(&field("weekIndex"), &value["weekIndex"], &WEEKS)
        }
        _ => Ok(()),
    }
}

fn one_of(field: &str, value: &Value, known: &[&str]) -> Result<(), Problem> {
    if value.as_str().is_some_and(|value| known.contains(&value)) {
        return Ok(());
    }
    Err(wrong(field, format!("{value} is not one of {}", known.join(", "))))
}

fn wrong(field: impl Into<String>, problem: impl Into<String>) -> Problem {
    (field.into(), problem.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(change: impl FnOnce(&mut Value)) -> Value {
        let mut window = json!({
            "schedule": { "weekly": { "intervalWeeks": 1, "dayOfWeek": "Friday" } },
            "durationHours": 8,
            "utcOffset": "+05:30",
            "startTime": "00:00",
        });
        change(&mut window);
        json!({ "maintenanceWindow": window })
    }

    #[test]
    fn every_form_of_a_schedule_is_taken() {
        for schedule in [
            json!({ "daily": { "intervalDays": 2 } }),
            json!({ "weekly": { "intervalWeeks": 4, "dayOfWeek": "Monday" } }),
            json!({ "absoluteMonthly": { "intervalMonths": 3, "dayOfMonth": 31 } }),
            json!({ "relativeMonthly": { "intervalMonths": 1, "weekIndex": "Last", "dayOfWeek": "Tuesday" } }),
        ] {
            let properties = window(|window| window["schedule"] = schedule.clone());
            assert_eq!(check("aksManagedAutoUpgradeSchedule", &properties), Ok(()), "{schedule}");
        }
        let legacy = json!({
            "timeInWeek": [{ "day": "Monday", "hourSlots": [1, 23] }],
            "notAllowedTime": [{ "start": "2026-12-24T00:00:00Z", "end": "2026-12-27T00:00:00Z" }],
        });
        assert_eq!(check("default", &legacy), Ok(()));
        let linked =
            json!({ "maintenanceWindowId": "/subscriptions/s/resourceGroups/rg/providers/p/windows/w" });
        assert_eq!(check("aksManagedNodeOSUpgradeSchedule", &linked), Ok(()));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_field() {
        let wrong = |name: &str, properties: &Value| check(name, properties).unwrap_err();
        let auto = |change: fn(&mut Value)| wrong("aksManagedAutoUpgradeSchedule", &window(change));
        assert!(wrong("weekly", &window(|_| ())).1.contains("aksManagedNodeOSUpgradeSchedule"));
        assert_eq!(wrong("default", &json!({})).0, "maintenanceWindow");
        assert_eq!(auto(|window| window["durationHours"] = json!(3)).0, "maintenanceWindow.durationHours");
        assert_eq!(auto(|window| window["startTime"] = json!("9:00")).0, "maintenanceWindow.startTime");
        assert_eq!(auto(|window| window["utcOffset"] = json!("8")).0, "maintenanceWindow.utcOffset");
        assert_eq!(auto(|window| window["startDate"] = json!("tomorrow")).0, "maintenanceWindow.startDate");
        let day = auto(|window| window["schedule"]["weekly"]["dayOfWeek"] = json!("Someday"));
        assert_eq!(day.0, "maintenanceWindow.schedule.weekly.dayOfWeek");
        let both = auto(|window| window["schedule"]["daily"] = json!({ "intervalDays": 1 }));
        assert!(both.1.contains("exactly one"));
        let legacy = json!({ "timeInWeek": [{ "day": "Monday", "hourSlots": [24] }] });
        assert_eq!(wrong("default", &legacy).0, "timeInWeek[0].hourSlots");
        assert_eq!(wrong("aksManagedAutoUpgradeSchedule", &legacy).0, "timeInWeek");
    }
}
