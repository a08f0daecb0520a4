//! How far one cluster of a rollout is, as its ClusterUpgrade tells. Pure.

use crate::{
    ledger::{Baseline, Ledger, Phase},
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
    /// What it waits on, in one word: [`crate::WaitingOn::reason`].
    pub reason: String,
    /// What it waits on, in one sentence.
    pub message: String,
}

/// Reasons of a step that Azure, read just before, was not working on.
const IDLE_REASONS: [&str; 6] =
    ["Suspended", "Retrying", "DrainBlocked", "OperationBlocked", "OperationFailed", "ExternalChange"];
const SOAKING: &str = "Soaking";

impl RolloutMember {
    pub(super) fn of_wave(&self) -> Member {
        Member { name: self.name.clone(), state: self.state() }
    }

    /// How far its cluster is.
    #[must_use]
    pub fn state(&self) -> MemberState {
        let stands = |reason| self.standing.as_ref().is_some_and(|standing| standing.reason == reason);
        if self.is_finished() {
            MemberState::Succeeded
        } else if self.is_stopped() {
            MemberState::Stopped
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

    /// Whether a step has to end before the record may go.
    ///
    /// One that was not sent, or was refused, would never end: with `suspend` set it is not sent again.
    /// It was decided about with `suspend` in view if its standing is current.
    pub(super) fn is_busy(&self) -> bool {
        let Some(operation) = &self.ledger.operation else { return false };
        let suspended = self.place.suspended || self.suspended_by_hand;
        let idle = self
            .standing
            .as_ref()
            .is_some_and(|standing| standing.is_current && IDLE_REASONS.contains(&standing.reason.as_str()));
        !(operation.phase == Phase::Intent && suspended && idle)
    }

    /// What was unhealthy before the first step, unless the upgrade came to its end: what it broke must
    /// not pass for having been broken before.
    pub(super) fn unfinished_baseline(&self) -> Option<&Baseline> {
        let baseline = self.ledger.baseline.as_ref().or(self.inherited_baseline.as_ref());
        baseline.filter(|_| !self.is_finished())
    }
}
