//! The answer to a call, as the front turns it into HTTP.

use serde_json::Value;

use crate::world::quirks::Delivery;

/// The answer to a call.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The body; null for none.
    pub body: Value,
    /// The operation that the call started.
    pub started: Option<Started>,
    /// Where the next page starts.
    pub next: Option<usize>,
    /// Seconds for which a throttled caller is to stay away.
    pub retry_after: Option<u32>,
    /// What the caller has left; nothing when the call was refused before it was counted.
    pub remaining: Option<Remaining>,
    /// How it travels.
    pub delivery: Delivery,
}

/// How many calls Azure Resource Manager still admits at once from this caller in this
/// subscription: `x-ms-ratelimit-remaining-subscription-reads` and `-writes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remaining {
    /// Reads: GET.
    pub reads: u16,
    /// Writes: everything else.
    pub writes: u16,
}

impl Remaining {
    /// While calls are not throttled: all but this one.
    pub(crate) const UNCOUNTED: Self = Self { reads: 249, writes: 199 };
}

/// A long-running operation, as the headers of the accepting answer name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Started {
    /// The operation's id.
    pub id: String,
    /// The region in its URL.
    pub location: String,
    /// Whether the answer carries `Location` too.
    pub with_result: bool,
}

impl Answer {
    pub(crate) fn new(status: u16, body: Value) -> Self {
        Self {
            status,
            body,
            started: None,
            next: None,
            retry_after: None,
            remaining: None,
            delivery: Delivery::default(),
        }
    }

    /// Whether the call was accepted.
    #[must_use]
    pub const fn is_success(&self) -> bool {
        self.status < 300
    }
}
