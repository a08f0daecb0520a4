//! A freeze: between two instants nothing starts.

use jiff::Timestamp;

/// Between two instants no step of the cluster starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Freeze {
    /// Name of the UpgradeFreeze.
    pub name: String,
    /// Why, in words of whoever made it.
    pub reason: String,
    /// When it begins.
    pub from: Timestamp,
    /// When it is over; `None` for one that holds until somebody takes it away.
    pub until: Option<Timestamp>,
}

impl Freeze {
    /// Whether it holds at an instant.
    #[must_use]
    pub fn holds(&self, at: Timestamp) -> bool {
        self.from <= at && self.until.is_none_or(|until| at < until)
    }

    /// Whether it is over at an instant.
    #[must_use]
    pub fn is_over(&self, at: Timestamp) -> bool {
        self.until.is_some_and(|until| until <= at)
    }
}
