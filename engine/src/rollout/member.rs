//! How far one cluster of a rollout is, as its ClusterUpgrade tells. Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::{
    ledger::{Baseline, Ledger, Phase, StepState},
    planted::{PlantedBug, planted},
    wave::{Member, MemberState},
};

/// A ClusterUpgrade of a plan, as it was read.
#[derive(Clone, Debug, PartialEq)]
pub struct RolloutMember {
    /// Its name.
    pub name: String,
    /// What guards a change of it: another version is another state of the object.
    pub version: String,
    /// The cluster.
    pub cluster: String,
    /// The rollout that it belongs to.
    pub rollout: String,
    /// Its wave.
    pub wave: String,
    /// What the plan says of it.
    pub place: Place,
    /// Whether a person holds it.
    pub suspended_by_hand: bool,
    /// The token of the last retry that was asked of it.
    pub retry: Option<String>,
    /// The ClusterUpgrade of an older rollout of another plan that has its cluster.
    pub claimed_by: Option<String>,
    /// Whether its cluster is registered.
    pub registered: bool,
    /// The baseline that it was made with.
    pub inherited_baseline: Option<Baseline>,
    /// What is recorded of its cluster's upgrade.
    pub ledger: Ledger,
    /// How it stands, if that was told yet.
    pub standing: Option<MemberStanding>,
}

/// What a plan says of a ClusterUpgrade that it has made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Whether its wave has let it start.
    pub admitted: bool,
    /// When it did, if that was recorded.
    pub admitted_at: Option<Timestamp>,
    /// Whether the plan holds it: suspended, or the rollout over.
    pub suspended: bool,
    /// [`crate::Rollout::admissions`] when this was written. Whoever holds clusters for a plan that has
    /// changed writes those anew that are held already under an earlier count: a change that somebody
    /// else claimed before, and that is still on its way, finds another version then.
    pub claim: i64,
}

/// How a ClusterUpgrade says that it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberStanding {
    /// Whether it is told of the specification as it is now.
    pub is_current: bool,
    /// A person has to do something.
    pub stopped: bool,
    /// Nothing is to do now.
    pub parked: bool,
    /// What it waits on, in one word: [`crate::WaitingOn::reason`].
    pub reason: String,
    /// What it waits on, in one sentence.
    pub message: String,
    /// Since when it has had this reason.
    pub since: Timestamp,
    /// When what it waits on passes by itself, where that is known.
    pub next_attempt: Option<Timestamp>,
    /// When it will probably have ended, where that is known.
    pub eta: Option<Timestamp>,
}

/// Reasons of a step that Azure, read just before, was not working on.
const IDLE_REASONS: [&str; 9] = [
    "Suspended",
    "Retrying",
    "StepTimeout",
    "DrainBlocked",
    "OperationBlocked",
    "OperationFailed",
    "ExternalChange",
    "Aborted",
    "GateFailed",
];
/// With its cluster went whatever ran in it.
const GONE: &str = "ClusterGone";
const SOAKING: &str = "Soaking";

impl RolloutMember {
    pub(super) fn of_wave(&self, places: &BTreeMap<String, String>) -> Member {
        Member {
            name: self.name.clone(),
            state: self.state(),
            works: self.works(),
            place: places.get(&self.cluster).cloned(),
            started_at: self.place.admitted_at,
        }
    }

    /// Whether something may be going on in its cluster: one that has failed takes up no place of
    /// `maxConcurrent`, or it would stop the others within the failure budget, unless Azure works on it.
    fn works(&self) -> bool {
        let in_azure = |phase| matches!(phase, Phase::Submitted);
        let operation = self.ledger.operation.as_ref().map(|operation| operation.phase);
        match self.state() {
            MemberState::Running => true,
            MemberState::Stopped => operation.is_some_and(in_azure),
            MemberState::Waiting
            | MemberState::Claimed
            | MemberState::Soaking
            | MemberState::Left
            | MemberState::Skipped
            | MemberState::Succeeded => false,
        }
    }

    /// Whether anything was done to its cluster, or may have been.
    fn has_begun(&self) -> bool {
        let Ledger { steps, operation, restore, .. } = &self.ledger;
        let begun = steps.iter().any(|step| step.state != StepState::Planned);
        begun || operation.is_some() || !restore.is_empty()
    }

    /// How far its cluster is. This is where it is decided what a failure is, which counts against the
    /// failure budget: a ClusterUpgrade that waits for a person, whatever for
    /// ([`crate::WaitingOn::stance`]). It is not upgraded, and will not be by itself.
    #[must_use]
    pub fn state(&self) -> MemberState {
        let stands = |reason| self.standing.as_ref().is_some_and(|standing| standing.reason == reason);
        if self.is_skipped() {
            MemberState::Skipped
        } else if self.is_finished() {
            MemberState::Succeeded
        } else if !self.registered && !self.has_begun() {
            MemberState::Left
        } else if self.is_stopped() && !planted(PlantedBug::IgnoreStopped) {
            MemberState::Stopped
        } else if !self.place.admitted && self.claimed_by.is_some() {
            MemberState::Claimed
        } else if !self.place.admitted {
            MemberState::Waiting
        } else if !self.ledger.in_flight() && stands(SOAKING) {
            MemberState::Soaking
        } else {
            MemberState::Running
        }
    }

    /// Whether it says that a person has to do something.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.standing.as_ref().is_some_and(|standing| standing.stopped)
    }

    pub(super) fn is_finished(&self) -> bool {
        self.ledger.finished_at.is_some()
    }

    /// When it came to its end, or when a step of it last came to something. By what is recorded: the reason that it
    /// tells is another whenever somebody holds it, and nothing is done to its cluster by that.
    pub(super) fn last_change(&self) -> Option<Timestamp> {
        let Ledger { finished_at, steps, operation, .. } = &self.ledger;
        let in_flight = operation.as_ref().map(|operation| operation.since);
        let steps = steps.iter().filter_map(|step| step.finished_at);
        finished_at.or_else(|| steps.chain(in_flight).max())
    }

    /// Whether it goes on, or will by itself. The plan holds what is to make way for another rollout.
    pub(super) fn goes_on(&self) -> bool {
        let goes_on = matches!(self.state(), MemberState::Running | MemberState::Soaking);
        goes_on && !self.place.suspended
    }

    /// Whether it is done, or not waited for any more.
    pub(super) fn is_settled(&self) -> bool {
        self.is_finished() || self.state() == MemberState::Left
    }

    /// Whether it has come to its end without a step: its cluster was at the target, or could not be brought
    /// nearer to it.
    pub(super) fn found_nothing(&self) -> bool {
        let has_done = self.ledger.steps.iter().any(|step| step.state != StepState::Planned);
        self.is_finished() && !self.is_skipped() && !has_done
    }

    /// Whether a person has left its cluster out, and all that was begun has ended.
    pub(super) fn is_skipped(&self) -> bool {
        self.ledger.is_skipped()
    }

    /// Whether a step has to end before the record may go.
    ///
    /// One that was not sent, or was refused, would never end: with `suspend` set it is not sent again.
    /// It was decided about with `suspend` in view if its standing is current.
    pub(super) fn is_busy(&self) -> bool {
        let Some(operation) = &self.ledger.operation else { return false };
        let suspended = self.place.suspended || self.suspended_by_hand;
        let reason = self.standing.as_ref().filter(|standing| standing.is_current);
        let reason = reason.map(|standing| standing.reason.as_str());
        let idle = reason.is_some_and(|reason| IDLE_REASONS.contains(&reason));
        !(reason == Some(GONE) || (operation.phase == Phase::Intent && suspended && idle))
    }

    /// What was unhealthy before the first step, unless the upgrade came to its end: what it broke must
    /// not pass for having been broken before.
    pub(super) fn unfinished_baseline(&self) -> Option<&Baseline> {
        let baseline = self.ledger.baseline.as_ref().or(self.inherited_baseline.as_ref());
        baseline.filter(|_| !self.is_finished() || self.is_skipped())
    }
}
