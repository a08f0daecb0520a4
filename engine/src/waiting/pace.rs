//! When a wait passes by itself, and when it is looked at again.

use std::time::Duration;

use jiff::Timestamp;

use super::WaitingOn;
use crate::{
    instants::FAR_AHEAD,
    planted::{PlantedBug, planted},
};

/// All that one limit holds back come again at about the same time, and few of them are let through: not
/// more often than this.
const CROWD_PAUSE: Duration = Duration::from_secs(10);

/// Clusters wait for their windows for days, many at a time: they are looked at no more often than it takes to
/// tell of a version that somebody moves meanwhile.
const PARKED_PAUSE: Duration = Duration::from_secs(1800);

impl WaitingOn {
    /// When it passes by itself, where that is known beforehand.
    #[must_use]
    pub fn passes_at(&self) -> Option<Timestamp> {
        match self {
            Self::Window { opens: at, .. }
            | Self::NotBefore(at)
            | Self::Soaking(at)
            | Self::Retry { at, .. } => Some(*at),
            Self::HeldBack { held, .. } => Some(held.until),
            Self::Frozen(freeze) => freeze.until,
            Self::RestoringSettings { at, .. } | Self::Aborting { at, .. } => *at,
            Self::Wave(_)
            | Self::Suspended
            | Self::OtherUpgrade(_)
            | Self::ClusterBusy(_)
            | Self::AzureUnreadable(_)
            | Self::Sending(_)
            | Self::Operation(_)
            | Self::Nodes { .. }
            | Self::GateSettling(_)
            | Self::GateInconclusive(_)
            | Self::GateFailed(_)
            | Self::Blocked { .. }
            | Self::StepTimeout(_)
            | Self::PinnedImage { .. }
            | Self::Refused(_)
            | Self::TooManyUnhealthy(_)
            | Self::WindowTooShort { .. }
            | Self::OwnWindowMisread { .. }
            | Self::InvalidSpec(_)
            | Self::OperationFailed { .. }
            | Self::Halted(_)
            | Self::ExternalChange(_)
            | Self::ClusterGone
            | Self::Undecided
            | Self::ChangingSettings(_) => None,
        }
    }

    /// After how long it is looked at again, if nothing wakes it before.
    #[must_use]
    pub fn look_again(&self, now: Timestamp) -> Duration {
        if planted(PlantedBug::NeverLookAgain) {
            return Duration::ZERO;
        }
        let passes_in = self.passes_at().map(|at| {
            // Whatever a clock that was wrong has written: no wait is longer than our longest pause.
            let pause = Duration::try_from(at.duration_since(now)).unwrap_or_default();
            pause.clamp(Duration::from_secs(1), FAR_AHEAD)
        });
        let until = |otherwise| passes_in.unwrap_or(otherwise);
        match self {
            // Woken by the change of its own specification; the time is a safety net.
            Self::Wave(_) | Self::Suspended => Duration::from_secs(600),
            // Also woken when the window or the freeze is changed. Meanwhile somebody may move a version.
            Self::Window { .. } | Self::NotBefore(_) | Self::Frozen(_) => {
                until(PARKED_PAUSE).min(PARKED_PAUSE)
            }
            // AKS sends no Retry-After on operations: 30 s is what its own tools poll at.
            Self::Operation(_)
            | Self::Sending(_)
            | Self::ClusterBusy(_)
            | Self::OtherUpgrade(_)
            | Self::AzureUnreadable(_)
            | Self::ChangingSettings(_) => Duration::from_secs(30),
            Self::RestoringSettings { .. } => until(Duration::ZERO).max(Duration::from_secs(30)),
            // An abort takes seconds, and Azure's operation may end meanwhile.
            Self::Aborting { .. } => until(Duration::from_secs(15)).min(Duration::from_secs(30)),
            Self::Nodes { .. } | Self::GateSettling(_) | Self::GateInconclusive(_) => Duration::from_secs(15),
            Self::Retry { .. } => until(Duration::from_secs(60)),
            Self::HeldBack { .. } => until(CROWD_PAUSE).max(CROWD_PAUSE),
            Self::Soaking(_) => until(Duration::from_secs(60)).min(Duration::from_secs(60)),
            Self::GateFailed(_) | Self::Blocked { .. } | Self::StepTimeout(_) => Duration::from_secs(60),
            // Images come to a region within days; what Azure offers is kept for half an hour.
            Self::PinnedImage { .. } => Duration::from_secs(1800),
            Self::Refused(_)
            | Self::TooManyUnhealthy(_)
            | Self::WindowTooShort { .. }
            | Self::OwnWindowMisread { .. }
            | Self::InvalidSpec(_)
            | Self::OperationFailed { .. }
            | Self::Halted(_)
            | Self::ExternalChange(_)
            | Self::ClusterGone
            | Self::Undecided => Duration::from_secs(300),
        }
    }
}
