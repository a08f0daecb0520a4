//! Durations as users write them: `30d`, `1h30m`, `90s`.

use std::{borrow::Cow, fmt, str::FromStr};

use jiff::{SpanRelativeTo, Unit};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize, Serializer};

/// A length of time in days, hours, minutes and seconds. A day has 24 hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Duration(pub std::time::Duration);

/// A text that is not a duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a duration: write it like 45m, 1h30m or 30d")]
pub struct InvalidDuration(String);

/// What the API server admits; see the test that keeps it in step with the parser.
const PATTERN: &str = r"^([0-9]{1,6}d)?([0-9]{1,6}h)?([0-9]{1,6}m)?([0-9]{1,6}s)?$";

impl FromStr for Duration {
    type Err = InvalidDuration;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidDuration(text.to_owned());
        let span: jiff::Span = text.parse().map_err(|_| invalid())?;
        let length = span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| invalid())?;
        std::time::Duration::try_from(length).map(Self).map_err(|_| invalid())
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = i64::try_from(self.0.as_secs()).unwrap_or(i64::MAX);
        let span = jiff::Span::new()
            .try_seconds(seconds)
            .and_then(|span| span.round(jiff::SpanRound::new().largest(Unit::Day).days_are_24_hours()));
        match span {
            Ok(span) if seconds > 0 => {
                let text = format!("{span:#}").replace(' ', "");
                f.write_str(&text)
            }
            Ok(_) | Err(_) => write!(f, "{seconds}s"),
        }
    }
}

impl TryFrom<String> for Duration {
    type Error = InvalidDuration;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Duration> for String {
    fn from(duration: Duration) -> Self {
        duration.to_string()
    }
}

/// Writes hours and minutes, as a field wants it whose bounds are CEL, which knows no days: read as `24h`,
/// `1d` would be refused.
pub(crate) fn without_days<S: Serializer>(
    duration: &Option<Duration>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let text = duration.map(|Duration(length)| {
        let minutes = length.as_secs().div_ceil(60);
        match (minutes / 60, minutes % 60) {
            (0, minutes) => format!("{minutes}m"),
            (hours, 0) => format!("{hours}h"),
            (hours, minutes) => format!("{hours}h{minutes}m"),
        }
    });
    text.serialize(serializer)
}

impl JsonSchema for Duration {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "pattern": PATTERN, "minLength": 2, "maxLength": 32})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_pattern_admits_and_writes_it_back() {
        for (text, seconds, shown) in [
            ("30d", 2_592_000, "30d"),
            ("1h30m", 5_400, "1h30m"),
            ("90m", 5_400, "1h30m"),
            ("45s", 45, "45s"),
            ("0s", 0, "0s"),
        ] {
            let duration: Duration = text.parse().unwrap();
            assert_eq!(duration.0.as_secs(), seconds, "{text}");
            assert_eq!(duration.to_string(), shown);
            assert_eq!(duration.to_string().parse(), Ok(duration));
        }
    }

    #[test]
    fn refuses_what_is_not_a_duration() {
        for text in ["banana", "", "-5m", "5", "1y"] {
            let error = text.parse::<Duration>();
            assert!(error.is_err(), "{text}: {error:?}");
        }
    }
}
