//! The only place that reads a clock: the wall clock, or a scaled one that operator and
//! simulator share in tests and demo.

use std::time::{Duration, Instant};

use engine::TimeScale;
use jiff::{Timestamp, Unit};

/// Tells the time at a scale.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WallClock {
    scale: TimeScale,
}

impl WallClock {
    /// A clock at this scale.
    #[must_use]
    pub(crate) fn new(scale: TimeScale) -> Self {
        Self { scale }
    }

    /// The present, in whole seconds: what is recorded needs no more, and compares better.
    #[must_use]
    pub(crate) fn now(&self) -> Timestamp {
        let now = self.exact();
        now.round(jiff::TimestampRound::new().smallest(Unit::Second).mode(jiff::RoundMode::Trunc))
            .unwrap_or(now)
    }

    /// The present to the nanosecond: for limits, which count fractions of a second.
    #[must_use]
    pub(crate) fn exact(&self) -> Timestamp {
        self.scale.at(real_now())
    }

    /// The instant on this clock at a real one, such as the API server stamps.
    #[must_use]
    pub(crate) fn scaled(&self, real: Timestamp) -> Timestamp {
        self.scale.at(real)
    }

    /// How long to wait really.
    #[must_use]
    pub(crate) fn real_duration(&self, scaled: Duration) -> Duration {
        self.scale.real_duration(scaled)
    }

    /// How much time passes, at this scale, in `real`.
    #[must_use]
    pub(crate) fn scaled_duration(&self, real: Duration) -> Duration {
        self.scale.scaled_duration(real)
    }
}

/// The real present: for tokens and events, which others judge by their own clocks.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the place")]
pub(crate) fn real_now() -> Timestamp {
    Timestamp::now()
}

/// A point on the monotonic clock: for leases, which no change of the wall clock may prolong.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the place")]
pub(crate) fn monotonic() -> Instant {
    Instant::now()
}
