//! What is asked of an upgrade besides to go on: to leave its cluster out, to abort what runs, to roll a pool back.
//!
//! People ask by annotations, each value of which is acted on once; the failure policy asks when a gate fails.
//! Here is what is asked, and what is recorded of it.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{failure::Failure, ledger::written::is_zero, version::KubernetesVersion};

/// How long what was refused, or why something was done, may be told at most, in characters.
const WORDS: usize = 512;

/// Values of the annotations by which people control an upgrade; each is acted on once, and echoed in its status.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// `tidegate.dev/skip`: leave the cluster out.
    pub skip: Option<String>,
    /// `tidegate.dev/abort`: abort the operation in flight.
    pub abort: Option<String>,
    /// `tidegate.dev/rollback-pool`: `POOL` or `POOL/TOKEN`.
    pub rollback: Option<String>,
}

/// What was asked for besides to go on, and what has come of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Control {
    /// The value of the annotation `tidegate.dev/skip` that was acted on last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub skip_token: Option<String>,
    /// The value of the annotation `tidegate.dev/abort` that was acted on last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub abort_token: Option<String>,
    /// The value of the annotation `tidegate.dev/rollback-pool` that was acted on last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub rollback_token: Option<String>,
    /// Why what was asked for last was not done, in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub refused: Option<String>,
    /// The operation in flight is aborted: recorded before Azure is asked to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abort: Option<Abort>,
    /// Why nothing goes on until `retry`. While a pool is rolled back: what will be the case then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub halt: Option<Halt>,
    /// The cluster is left out: nothing is begun any more, and once what was changed is put back all is over.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub skipped: bool,
}

impl Control {
    /// Whether nothing was ever asked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// An abort of the operation in flight.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Abort {
    /// The gates that failed, if that is why; else a person has asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub because: Option<String>,
    /// When it was asked for, or claimed last.
    pub intent_at: Timestamp,
    /// How often it was claimed before Azure was called.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[schemars(range(min = 0, max = 1_000_000))]
    pub claims: i32,
    /// When Azure accepted it last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_at: Option<Timestamp>,
    /// Azure is not asked again before this instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// What Azure said last when it did not take it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
}

impl Abort {
    /// Whether Azure has not taken it, and is asked again later: only the operation's end is news until then.
    pub(crate) fn is_tried_later(&self, now: Timestamp) -> bool {
        self.failure.is_some() && self.not_before.is_some_and(|at| now < at)
    }
}

/// Nothing goes on until `retry`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Halt {
    /// What was done.
    pub after: HaltedAfter,
    /// To what, and what came of it, in a sentence.
    #[schemars(length(max = 512))]
    pub words: String,
    /// The gates that failed, if that is why; else a person has asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub because: Option<String>,
}

/// What was done before everything was halted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum HaltedAfter {
    /// The operation in flight was aborted, or had ended when it was to be.
    Abort,
    /// A node pool was rolled back.
    Rollback,
    /// A node pool was to be rolled back, and Azure does not do it.
    RefusedRollback,
}

impl Halt {
    /// With its texts cut to their limits.
    #[must_use]
    pub fn new(after: HaltedAfter, words: &str, because: Option<&str>) -> Self {
        Self { after, words: bounded(words), because: because.map(bounded) }
    }
}

/// A version and image that a node pool had before, as Azure lists them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecentlyUsed {
    /// The Kubernetes version.
    pub version: KubernetesVersion,
    /// The node image.
    pub image: String,
    /// When the pool left it, if Azure says.
    pub left_at: Option<Timestamp>,
}

/// `text` in as many characters as a record has room for.
pub(crate) fn bounded(text: &str) -> String {
    text.chars().take(WORDS).collect()
}
