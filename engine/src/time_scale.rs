//! Maps the real clock to the time that operator and simulator agree on.
//!
//! Pure arithmetic: whoever owns a clock passes the real instant in. With
//! [`TimeScale::real`] the two are the same; a scaled one lets three weekends
//! pass in minutes. Touches nothing.

use std::{fmt, str::FromStr, time::Duration};

use jiff::{SignedDuration, Timestamp};

/// A start instant and a rate: how much scaled time passes in one real second.
///
/// Its text form is `START,REAL_START,RATE`, for example
/// `2026-12-05T22:00:00Z,2026-11-22T18:00:00Z,60`: at the real instant
/// 18:00 the scaled clock shows 22:00 on 5 December, and each real second is a minute.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TimeScale {
    start: Timestamp,
    real_start: Timestamp,
    rate: f64,
}

impl TimeScale {
    /// The real time, unscaled.
    #[must_use]
    pub const fn real() -> Self {
        Self { start: Timestamp::UNIX_EPOCH, real_start: Timestamp::UNIX_EPOCH, rate: 1.0 }
    }

    /// A clock that shows `start` at `real_start` and runs `rate` times as fast.
    ///
    /// # Errors
    /// When the rate is not a finite number of at least one.
    pub fn new(start: Timestamp, real_start: Timestamp, rate: f64) -> Result<Self, InvalidTimeScale> {
        if !rate.is_finite() || rate < 1.0 {
            return Err(InvalidTimeScale::Rate(rate));
        }
        Ok(Self { start, real_start, rate })
    }

    /// How much scaled time passes in one real second.
    #[must_use]
    pub const fn rate(&self) -> f64 {
        self.rate
    }

    /// Whether this is anything but the real time.
    #[must_use]
    pub fn is_scaled(&self) -> bool {
        *self != Self::real()
    }

    /// The scaled instant at the real instant `real`.
    #[must_use]
    pub fn at(&self, real: Timestamp) -> Timestamp {
        if !self.is_scaled() {
            return real;
        }
        let elapsed = real.duration_since(self.real_start).as_secs_f64() * self.rate;
        SignedDuration::try_from_secs_f64(elapsed)
            .ok()
            .and_then(|elapsed| self.start.checked_add(elapsed).ok())
            .unwrap_or(Timestamp::MAX)
    }

    /// How long to wait really for `scaled` to pass.
    #[must_use]
    pub fn real_duration(&self, scaled: Duration) -> Duration {
        scaled.div_f64(self.rate)
    }

    /// How much scaled time passes in `real`.
    #[must_use]
    pub fn scaled_duration(&self, real: Duration) -> Duration {
        Duration::try_from_secs_f64(real.as_secs_f64() * self.rate).unwrap_or(Duration::MAX)
    }
}

impl fmt::Display for TimeScale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{},{},{}", self.start, self.real_start, self.rate)
    }
}

/// Why a text is not a [`TimeScale`].
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum InvalidTimeScale {
    /// Not three parts.
    #[error(
        "expected START,REAL_START,RATE such as 2026-12-05T22:00:00Z,2026-11-22T18:00:00Z,60, found {0:?}"
    )]
    Parts(String),
    /// An instant that is not RFC 3339.
    #[error("{0:?} is not an instant such as 2026-12-05T22:00:00Z")]
    Instant(String),
    /// A rate below one, or not a number.
    #[error("the rate {0} is not a number of at least 1")]
    Rate(f64),
}

impl FromStr for TimeScale {
    type Err = InvalidTimeScale;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let [start, real_start, rate] = text
            .split(',')
            .collect::<Vec<_>>()
            .try_into()
            .map_err(|_| InvalidTimeScale::Parts(text.to_owned()))?;
        let instant =
            |text: &str| text.trim().parse().map_err(|_| InvalidTimeScale::Instant(text.to_owned()));
        let rate = rate.trim().parse().map_err(|_| InvalidTimeScale::Rate(f64::NAN))?;
        Self::new(instant(start)?, instant(real_start)?, rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_at_its_rate_and_survives_its_text_form() {
        let scale: TimeScale = "2026-12-05T22:00:00Z,2026-11-22T18:00:00Z,60".parse().unwrap();
        let at = |real: &str| scale.at(real.parse().unwrap()).to_string();
        assert_eq!(at("2026-11-22T18:00:00Z"), "2026-12-05T22:00:00Z");
        assert_eq!(at("2026-11-22T18:01:30Z"), "2026-12-05T23:30:00Z");
        assert_eq!(scale.real_duration(Duration::from_secs(600)), Duration::from_secs(10));
        assert_eq!(scale.to_string().parse(), Ok(scale));
    }

    #[test]
    fn refuses_what_is_not_a_scale() {
        let refused = |text: &str| text.parse::<TimeScale>().unwrap_err().to_string();
        assert!(refused("now,60").contains("START,REAL_START,RATE"));
        assert!(refused("soon,2026-11-22T18:00:00Z,60").contains("\"soon\""));
        assert!(refused("2026-12-05T22:00:00Z,2026-11-22T18:00:00Z,0").contains("at least 1"));
    }
}
