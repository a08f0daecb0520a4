//! Waiting with a deadline. The clock is tokio's.

use std::time::Duration;

use tokio::time::Instant;

/// How often something is asked whether it is ready.
pub(crate) const POLL: Duration = Duration::from_millis(50);

/// How long a component may take to become ready. Generous: a loaded machine with two cores that
/// starts a dozen at once needs half a minute.
pub(crate) const READY_WITHIN: Duration = Duration::from_secs(120);

/// A moment after which waiting ends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline(Instant);

impl Deadline {
    /// The moment `duration` from now.
    pub(crate) fn after(duration: Duration) -> Self {
        Self(Instant::now() + duration)
    }

    /// Whether it has passed.
    pub(crate) fn passed(self) -> bool {
        Instant::now() >= self.0
    }
}
