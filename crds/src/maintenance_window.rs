//! MaintenanceWindow: when steps may start.

#[cfg(test)]
mod fuzz;
mod terms;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Duration, duration::without_days};

pub use terms::window_of;

/// When steps may start: recurring or one-off openings, in a time zone.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "tidegate.dev",
    version = "v1alpha1",
    kind = "MaintenanceWindow",
    plural = "maintenancewindows",
    shortname = "mw",
    category = "tidegate",
    namespaced,
    doc = "When steps may start: recurring or one-off openings, in a time zone.",
    status = "MaintenanceWindowStatus",
    derive = "PartialEq",
    validation = Rule::new("has(self.spec.duration) || self.spec.starts.all(start, has(start.once))").message("spec.duration is needed: only a start that is once says its own end"),
    validation = Rule::new("!has(self.spec.duration) || self.spec.starts.exists(start, !has(start.once))").message("spec.duration is not for starts that are once: each says its own end; leave it out"),
    printcolumn(name = "Zone", type_ = "string", json_path = ".spec.timeZone"),
    printcolumn(name = "Open", type_ = "boolean", json_path = ".status.open"),
    printcolumn(name = "From", type_ = "string", json_path = ".status.nextOpenings[0].localFrom"),
    printcolumn(name = "Until", type_ = "string", json_path = ".status.nextOpenings[0].localUntil"),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].reason"
    ),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].message",
        priority = 1
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct MaintenanceWindowSpec {
    /// The zone of all dates and times: a name of the IANA database such as `Europe/Berlin`.
    #[schemars(regex(pattern = "^[A-Za-z][A-Za-z0-9_+/-]*$"), length(min = 1, max = 64))]
    pub time_zone: String,
    /// How long it is open each time, in hours and minutes: longer than nothing and shorter than 7 days, in
    /// elapsed time. Not for `once`: refused where there is no other start.
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "without_days")]
    #[schemars(extend("pattern" = HOURS))]
    #[x_kube(validation = Rule::new("duration(self) > duration('0s') && duration(self) < duration('168h')")
        .message("duration must be longer than nothing and shorter than 7 days (168h)"))]
    pub duration: Option<Duration>,
    /// When it opens. What overlaps or touches is one opening.
    #[schemars(length(min = 1, max = 32))]
    pub starts: Vec<WindowStart>,
    /// When it stays closed: cut out of the openings.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    pub exclusions: Vec<WindowExclusion>,
}

/// CEL, which bounds it, knows no days.
const HOURS: &str = "^([0-9]{1,3}h)?([0-9]{1,4}m)?$";

/// When it opens: exactly one of its fields.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = Rule::new("[has(self.weekly), has(self.monthly), has(self.cron), has(self.once)].filter(given, given).size() == 1")
    .message("exactly one of weekly, monthly, cron and once is needed"))]
pub struct WindowStart {
    /// On days of the week.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weekly: Option<WeeklyStart>,
    /// On a day of each month.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monthly: Option<MonthlyStart>,
    /// As a cron expression of five fields, such as `0 22 * * 6`, says, in the window's time zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 9, max = 100))]
    pub cron: Option<String>,
    /// One time only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub once: Option<Period>,
}

/// On days of the week.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WeeklyStart {
    /// The days on which it opens; it may end on the next.
    #[schemars(length(min = 1, max = 7), extend("x-kubernetes-list-type" = "set"))]
    pub days_of_week: Vec<DayOfWeek>,
    /// When it opens, such as `22:00`.
    #[schemars(regex(pattern = TIME), length(max = 5))]
    pub start_time: String,
}

/// On a day of each month: the `dayOfMonth`, or the n-th `dayOfWeek`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = Rule::new("has(self.dayOfMonth) ? !has(self.weekIndex) && !has(self.dayOfWeek) : has(self.weekIndex) && has(self.dayOfWeek)")
    .message("either dayOfMonth, or weekIndex and dayOfWeek, are needed"))]
#[serde(rename_all = "camelCase")]
pub struct MonthlyStart {
    /// 1 to 31; in a shorter month its last day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 31))]
    pub day_of_month: Option<i32>,
    /// Which such day of the month.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub week_index: Option<WeekIndex>,
    /// The day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day_of_week: Option<DayOfWeek>,
    /// When it opens, such as `22:00`.
    #[schemars(regex(pattern = TIME), length(max = 5))]
    pub start_time: String,
}

const TIME: &str = "^([01][0-9]|2[0-3]):[0-5][0-9]$";

/// When it stays closed: exactly one of its fields.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = Rule::new("has(self.days) != has(self.period)")
    .message("exactly one of days and period is needed"))]
pub struct WindowExclusion {
    /// Whole days in the window's time zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days: Option<ExcludedDays>,
    /// From one point in time to another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<Period>,
}

/// Whole days, both included.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = Rule::new("!has(self.last) || self.first <= self.last")
    .message("first must not be after last"))]
pub struct ExcludedDays {
    /// The first, such as `2026-12-20`.
    #[schemars(regex(pattern = DATE), length(max = 10))]
    pub first: String,
    /// The last; without it, one day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = DATE), length(max = 10))]
    pub last: Option<String>,
}

const DATE: &str = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$";

/// From one point in time to another: both local times in the window's zone, such as `2026-12-05T22:00`, or
/// both instants, such as `2026-12-05T21:00:00Z`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    validation = Rule::new("self.from.matches('.{19}[Z+-]') == self.until.matches('.{19}[Z+-]')")
        .message("from and until must both be local times such as 2026-12-05T22:00, or both instants such as 2026-12-05T21:00:00Z"),
    validation = Rule::new("self.from.matches('.{19}[Z+-]') != self.until.matches('.{19}[Z+-]') || (self.from.matches('.{19}[Z+-]') ? timestamp(self.from) < timestamp(self.until) : self.from < self.until)")
        .message("from must be before until")
)]
pub struct Period {
    /// Its beginning.
    #[schemars(regex(pattern = MOMENT), length(max = 25))]
    pub from: String,
    /// Its end, which is no part of it.
    #[schemars(regex(pattern = MOMENT), length(max = 25))]
    pub until: String,
}

const MOMENT: &str = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2}(Z|[+-][0-9]{2}:[0-9]{2})?)?$";

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[expect(missing_docs, reason = "their names say it")]
pub enum DayOfWeek {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

/// Which such day of the month.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[expect(missing_docs, reason = "their names say it")]
pub enum WeekIndex {
    First,
    Second,
    Third,
    Fourth,
    Last,
}

/// How a window stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MaintenanceWindowStatus {
    /// The generation of the specification that this tells of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Whether it is open now; absent when the specification means nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open: Option<bool>,
    /// The next openings, at most 5; the first is the present one while it is open.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 5))]
    pub next_openings: Vec<WindowOpening>,
    /// `Ready` and `Stalled`.
    #[serde(default)]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

/// A time in which steps may start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WindowOpening {
    /// Its beginning.
    pub from: jiff::Timestamp,
    /// Its end, which is no part of it.
    pub until: jiff::Timestamp,
    /// Its beginning as clocks in the window's zone show it.
    #[schemars(length(max = 64))]
    pub local_from: String,
    /// Its end as clocks in the window's zone show it.
    #[schemars(length(max = 64))]
    pub local_until: String,
}
