//! The only place that reads the real clock.

use jiff::Timestamp;

/// The real instant.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the clock")]
pub fn now() -> Timestamp {
    Timestamp::now()
}
