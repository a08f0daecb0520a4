//! Who waits for which bucket, in which order. Touches nothing.
//!
//! Each bucket has a line for each urgency. A call stands in the line of the bucket that holds it up, at
//! the place that its number gives it: it keeps its turn when it comes from one bucket to the next.

use std::collections::{BTreeMap, BTreeSet};

use super::{Ticket, Urgency, table::Key};

/// All lines that are not empty.
#[derive(Debug, Default)]
pub(super) struct Lines {
    issued: u64,
    waiting: BTreeMap<(Key, Urgency), BTreeSet<u64>>,
}

impl Lines {
    /// The number of the next ticket.
    pub(super) fn number(&mut self) -> u64 {
        self.issued += 1;
        self.issued
    }

    /// How many of its urgency wait for this bucket and came before.
    pub(super) fn ahead(&self, key: &Key, ticket: &Ticket) -> i32 {
        let line = self.waiting.get(&(key.clone(), ticket.urgency));
        let ahead = line.map_or(0, |line| line.range(..ticket.number).count());
        i32::try_from(ahead).unwrap_or(i32::MAX)
    }

    /// It waits for this bucket now, and for no other.
    pub(super) fn join(&mut self, key: &Key, ticket: &Ticket) {
        self.leave(ticket);
        self.waiting.entry((key.clone(), ticket.urgency)).or_default().insert(ticket.number);
    }

    /// It waits no longer.
    pub(super) fn leave(&mut self, ticket: &Ticket) {
        for key in &ticket.buckets {
            let key = (key.clone(), ticket.urgency);
            if let Some(line) = self.waiting.get_mut(&key) {
                line.remove(&ticket.number);
                if line.is_empty() {
                    self.waiting.remove(&key);
                }
            }
        }
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}
