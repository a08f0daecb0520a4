//! Cron expressions: five fields, as in the schedule of a Kubernetes CronJob.
//!
//! The crate `cronexpr` reads them, and says which days they mean; it knows jiff alone. It is asked in UTC
//! with what clocks show in the window's zone, so that the rules for changes of the clocks are those
//! of all other windows. Some that it takes are refused, because they would surprise:
//! - `L`, `W`, `#`, `H` and a zone are no standard cron; 1.7.0 never finds the last day of December;
//! - both days of the month and of the week: cron means either of them, most people both;
//! - several minutes: no window is meant to open many times an hour.

use cronexpr::{Crontab, FallbackTimezoneOption, ParseOptions};
use jiff::{
    Timestamp,
    civil::{Date, Time},
    tz::Offset,
};

/// An expression of which it is known that it fires.
#[derive(Clone, Debug)]
pub(super) struct Cron {
    text: String,
    tab: Crontab,
    /// When it fires on each of its days.
    times: Vec<Time>,
}

impl PartialEq for Cron {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Cron {}

impl Cron {
    /// Reads an expression.
    ///
    /// # Errors
    /// What is wrong with it, and what would be right.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let fields: Vec<&str> = text.split_ascii_whitespace().collect();
        let wrong = |why: &str| {
            format!(
                "{text:?} {why}: write minute, hour, day of month, month and day of week, for example \"0 22 * * 6\""
            )
        };
        let [minute, _, day_of_month, _, day_of_week] = fields[..] else {
            return Err(wrong("does not have five fields"));
        };
        if fields.iter().any(|field| !is_standard(field)) {
            return Err(wrong(
                "is not standard cron, which has digits, names of three letters, and * , - / (monthly has the last day of a month and the n-th weekday)",
            ));
        }
        if minute.parse::<u8>().is_err() {
            return Err(wrong("opens more than once an hour, or in none: its minute is to be one number"));
        }
        if day_of_month != "*" && day_of_week != "*" {
            return Err(wrong(
                "has both a day of the month and a day of the week, and cron would open on either: leave one of them *, or take monthly",
            ));
        }
        let mut options = ParseOptions::default();
        options.fallback_timezone_option = FallbackTimezoneOption::UTC;
        let tab = cronexpr::parse_crontab_with(&fields.join(" "), options)
            .map_err(|error| wrong(&format!("is not a cron expression ({})", reason(&error))))?;
        let mut cron = Self { text: text.to_owned(), tab, times: Vec::new() };
        let first = cron.first_day().ok_or_else(|| wrong("never opens: no month has such a day"))?;
        cron.times = (0..24)
            .filter_map(|hour| Time::new(hour, minute.parse().ok()?, 0, 0).ok())
            .filter(|time| cron.fires(first, *time))
            .collect();
        Ok(cron)
    }

    /// When it opens on its days.
    pub(super) fn times(&self) -> &[Time] {
        &self.times
    }

    /// Whether it opens on a day.
    pub(super) fn contains(&self, day: Date) -> bool {
        self.times.first().is_some_and(|time| self.fires(day, *time))
    }

    fn fires(&self, day: Date, time: Time) -> bool {
        let shown = Offset::UTC.to_timestamp(day.to_datetime(time));
        shown.is_ok_and(|shown| self.tab.matches(shown).unwrap_or(false))
    }

    /// A day on which it opens. Four years with a leap day are searched, in which there is every date, and
    /// every weekday in every month: one that does not open in them never does.
    fn first_day(&self) -> Option<Date> {
        const BEFORE_LEAP_YEAR: Timestamp = Timestamp::constant(1_704_067_199, 0);
        Some(self.tab.find_next(BEFORE_LEAP_YEAR).ok()?.date())
    }
}

/// Digits, signs, and names of three letters, in which no sign beyond standard cron can hide.
fn is_standard(field: &str) -> bool {
    let words = field.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| !word.is_empty());
    field.chars().all(|c| c.is_ascii_alphanumeric() || "*,-/".contains(c))
        && words.into_iter().all(|word| word.len() == 3)
}

/// The reason without the expression and the mark below it.
fn reason(error: &cronexpr::Error) -> String {
    let text = error.to_string();
    text.rsplit("^ ").next().unwrap_or(&text).to_owned()
}
