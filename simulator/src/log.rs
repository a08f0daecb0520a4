//! What was asked of the management plane, for tests that count and for the demo.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use serde::Serialize;

use crate::scenario::QuirkName;

/// More calls than any test or demo makes; a bound, so that a runaway client cannot fill the memory.
const KEPT: usize = 200_000;

/// One call on the management plane.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LogEntry {
    /// The simulated instant.
    pub simulated: Timestamp,
    /// The real instant.
    pub real: Timestamp,
    /// HTTP method.
    pub method: String,
    /// Path without the query, which may hold a signature.
    pub path: String,
    /// HTTP status of the answer.
    pub status: u16,
    /// Whether it asked for a change.
    pub mutation: bool,
    /// Whether it was accepted.
    pub accepted: bool,
    /// The operation that it started.
    pub operation: Option<String>,
    /// Object id of whoever asked.
    pub caller: Option<String>,
    /// Whether the connection was cut before the answer.
    pub lost: bool,
    /// The quirks that had a hand in it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub quirks: Vec<QuirkName>,
    /// What it asked for that the simulator does not model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
}

/// The calls so far, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Log {
    entries: Mutex<VecDeque<LogEntry>>,
}

impl Log {
    pub(crate) fn add(&self, entry: LogEntry) {
        let mut entries = self.lock();
        if entries.len() == KEPT {
            entries.pop_front();
        }
        entries.push_back(entry);
    }

    pub(crate) fn entries(&self) -> Vec<LogEntry> {
        self.lock().iter().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<LogEntry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
