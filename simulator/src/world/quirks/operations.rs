//! What quirks do to an operation: slow, stuck, preempted, forgotten too soon, or succeeded with an
//! error.
//!
//! Drawn once, when the operation begins; see [`QuirkName`] for where each was seen.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::Quirks;
use crate::{
    effects::ClusterKey,
    scenario::{Durations, QuirkName},
    world::operations::job::later,
};

/// How many times as long a slow operation takes when its rule does not say.
const SLOW: f64 = 5.0;

/// What quirks do to one operation.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct OperationQuirks {
    /// How many times as long it takes.
    slow: Option<f64>,
    /// It makes no progress while its rule is in force, until this instant at most.
    stuck: Option<Option<Timestamp>>,
    /// It ends Succeeded when a part of it is done.
    pub(crate) preempted: bool,
    /// When its URL stops being found.
    pub(crate) forgotten_at: Option<Timestamp>,
    /// The error in its body when it has succeeded.
    pub(crate) afterthought: Option<Value>,
}

impl OperationQuirks {
    /// What strikes an operation that begins now.
    pub(crate) fn draw(now: Timestamp, quirks: &mut Quirks, cluster: &ClusterKey) -> Self {
        let mut strikes = |quirk| quirks.strikes(now, quirk, cluster);
        let slow = strikes(QuirkName::SlowOperations).map(|rule| rule.factor.unwrap_or(SLOW));
        let stuck = strikes(QuirkName::StuckOperations).map(|rule| rule.until);
        let preempted = strikes(QuirkName::Preemption).is_some();
        let forgotten_at = strikes(QuirkName::ExpiredOperations).map(|rule| {
            let seconds = SignedDuration::from_secs(rule.seconds.unwrap_or(0).into());
            later(now, seconds)
        });
        let afterthought = strikes(QuirkName::ErrorInSucceeded).map(|rule| {
            json!({
                "code": rule.code.unwrap_or_else(|| "OverlaymgrReconcileError".to_owned()),
                "message": rule.message.unwrap_or_else(|| "Internal server error".to_owned()),
            })
        });
        Self { slow, stuck, preempted, forgotten_at, afterthought }
    }

    pub(crate) fn slow(&self, length: SignedDuration) -> SignedDuration {
        let Some(factor) = self.slow else {
            return length;
        };
        SignedDuration::try_from_secs_f64(length.as_secs_f64() * factor).unwrap_or(SignedDuration::MAX)
    }

    pub(crate) fn slow_all(&self, durations: &Durations) -> Durations {
        let Durations { control_plane, reimage_linux, reimage_windows, surge_create, delete, update } =
            *durations;
        Durations {
            control_plane: self.slow(control_plane),
            reimage_linux: self.slow(reimage_linux),
            reimage_windows: self.slow(reimage_windows),
            surge_create: self.slow(surge_create),
            delete: self.slow(delete),
            update: self.slow(update),
        }
    }

    /// Whether the operation makes no progress now; once that is over it is over for good.
    pub(crate) fn is_stuck(&mut self, now: Timestamp, quirks: &Quirks, cluster: &ClusterKey) -> bool {
        if self.stuck.is_some() && !quirks.is_in_force(now, QuirkName::StuckOperations, cluster) {
            self.stuck = None;
        }
        self.stuck.is_some()
    }

    /// When a stuck operation may go on by itself; `None` when it is not stuck.
    pub(crate) const fn stuck_until(&self) -> Option<Option<Timestamp>> {
        self.stuck
    }
}
