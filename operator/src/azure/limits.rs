//! How many calls Azure still answers, and which may be made now: one model of all of Azure's limits for
//! the whole fleet. Decides; touches nothing, and is told the time.
//!
//! A call takes from two buckets, or from none: one of AKS, one of Azure Resource Manager. What Azure says
//! about its buckets counts more than what we believe, when it is less. A new process believes that all
//! are full: what the one before it spent shows in Azure's first answers.

mod bucket;
mod lines;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod simulated;
mod table;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, time::Duration};

use azure_mgmt_containerservice::{Answered, Call};
use jiff::{SignedDuration, Timestamp};

use bucket::{Bucket, later};
use lines::Lines;
use table::{Key, aks_bucket, arm_bucket};

pub(crate) use table::Limit;

/// For how long a bucket is left alone when Azure refuses and does not say for how long: the slowest
/// bucket gains a call in that time, so whichever it was, it is not empty then.
const DEFAULT_STOP: Duration = Duration::from_secs(60);
/// The code of AKS's own refusals; Azure Resource Manager's have others, and gateways have none.
const AKS_CODE: &str = "Throttled";
/// So many buckets are looked through at least before those that are full again are forgotten.
const FEW: usize = 64;

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Urgency {
    /// A cluster that is being upgraded: all of our share.
    Upgrade,
    /// Everything else: half of our share, so that the other half is there for upgrades.
    Inventory,
}

/// Why a call may not be made now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wait {
    /// The limit that forbids it.
    pub limit: Limit,
    /// When it may probably be made.
    pub until: Timestamp,
    /// Whether Azure has refused a call, rather than that our share is used up.
    pub refused: bool,
}

/// A call that wants to be made: its place in the line.
#[derive(Debug)]
pub(crate) struct Ticket {
    number: u64,
    buckets: [Key; 2],
    urgency: Urgency,
}

/// What is left, for whoever watches.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Budget {
    /// The lowest remaining share, from 0 to 1, of the buckets of each kind of limit.
    pub shares: Vec<(Limit, f64)>,
    /// The lowest number of reads that Azure Resource Manager reported lately.
    pub arm_reads: Option<u32>,
    /// The same of writes.
    pub arm_writes: Option<u32>,
}

/// All buckets that are not full, and who waits for them.
#[derive(Debug, Default)]
pub(crate) struct Limits {
    buckets: BTreeMap<Key, Bucket>,
    lines: Lines,
    tidy_at: usize,
}

impl Limits {
    /// A call wants to be made. It keeps its place until it is let go by [`Self::take`] or leaves.
    pub(crate) fn enter(&mut self, call: &Call, urgency: Urgency) -> Ticket {
        let buckets = [aks_bucket(call), arm_bucket(call, call.kind.is_write())];
        Ticket { number: self.lines.number(), buckets, urgency }
    }

    /// Takes the call out of its buckets, both or none.
    ///
    /// # Errors
    /// When it has to wait, for its turn or for a bucket to fill; then ask again.
    pub(crate) fn take(&mut self, now: Timestamp, ticket: &Ticket) -> Result<(), Wait> {
        for key in &ticket.buckets {
            let ahead = self.lines.ahead(key, ticket);
            let wait = match self.check(now, key, ticket.urgency, ahead) {
                Some(wait) => wait,
                None if ahead == 0 => continue,
                // Those before it have only not woken up yet.
                None => Wait { limit: key.0, until: now, refused: false },
            };
            self.lines.join(key, ticket);
            return Err(wait);
        }
        for key in &ticket.buckets {
            let share = key.0.share();
            self.bucket(now, key).spend(share, now);
        }
        self.lines.leave(ticket);
        Ok(())
    }

    /// The call is not made after all.
    pub(crate) fn leave(&mut self, ticket: &Ticket) {
        self.lines.leave(ticket);
    }

    /// Learns the answer to a call.
    pub(crate) fn answered(&mut self, now: Timestamp, call: &Call, answer: &Answered) {
        for (write, left) in [(false, answer.remaining_reads), (true, answer.remaining_writes)] {
            let Some(left) = left else { continue };
            let key = arm_bucket(call, write);
            let bucket = self.bucket(now, &key);
            bucket.lower(key.0.share(), now, left);
            bucket.report(now, left);
        }
        if answer.status == Some(429) {
            let is_aks = answer.code.as_deref().is_some_and(|code| code.eq_ignore_ascii_case(AKS_CODE));
            let key = if is_aks { aks_bucket(call) } else { arm_bucket(call, call.kind.is_write()) };
            let pause = answer.retry_after.unwrap_or(DEFAULT_STOP);
            self.bucket(now, &key).stop(key.0.share(), now, pause);
        }
    }

    /// What is left now.
    #[must_use]
    pub(crate) fn budget(&self, now: Timestamp) -> Budget {
        let of = |limit| self.buckets.iter().filter(move |((kind, _), _)| *kind == limit);
        let lowest =
            |limit: Limit| of(limit).map(|(_, bucket)| bucket.left(limit.share(), now)).fold(1.0, f64::min);
        let reported = |limit| of(limit).filter_map(|(_, bucket)| bucket.reported(now)).min();
        Budget {
            shares: Limit::ALL.map(|limit| (limit, lowest(limit))).into(),
            arm_reads: reported(Limit::ArmReads),
            arm_writes: reported(Limit::ArmWrites),
        }
    }

    /// Why one more call may not be taken from this bucket after `ahead` others.
    fn check(&self, now: Timestamp, key: &Key, urgency: Urgency, ahead: i32) -> Option<Wait> {
        let bucket = self.buckets.get(key).copied().unwrap_or(Bucket::full(now));
        let wait: SignedDuration = bucket.wait(key.0.share(), now, urgency, ahead)?;
        Some(Wait { limit: key.0, until: later(now, wait), refused: bucket.is_stopped(now) })
    }

    fn bucket(&mut self, now: Timestamp, key: &Key) -> &mut Bucket {
        if self.buckets.len() >= self.tidy_at.max(FEW) {
            self.buckets.retain(|(limit, _), bucket| !bucket.is_idle(limit.share(), now));
            self.tidy_at = self.buckets.len() * 2;
        }
        self.buckets.entry(key.clone()).or_insert(Bucket::full(now))
    }
}

impl Wait {
    /// The limit in a sentence, after "Azure's limit": without numbers, so that it is the same each time.
    #[must_use]
    pub(crate) fn words(&self) -> String {
        let refused = if self.refused { " (Azure refused one with 429)" } else { "" };
        format!("{}{refused}", self.limit.words())
    }
}
