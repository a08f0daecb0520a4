//! Why nothing is started right now: one enum for the condition, the event, the metric,
//! the command line and the page. Each variant says when it is looked at again.

mod pace;
mod words;

use std::time::Duration;

use jiff::Timestamp;

use crate::{
    control::{Halt, HaltedAfter},
    failure::{Blocker, Failure, FailureClass},
    observation::{HeldBack, Unreadable},
    refusal::Refusal,
    schedule::{Bounds, Freeze},
    settings::Restore,
    step::{Step, StepKind},
};

/// What an upgrade waits on.
#[derive(Clone, Debug, PartialEq)]
pub enum WaitingOn {
    /// Its plan has not started its wave, or the wave is full.
    Wave(String),
    /// `spec.suspend` is set.
    Suspended,
    /// No window is open, or none for as long as the step takes.
    Window {
        /// The step.
        step: Step,
        /// The window that is next open for long enough; empty where none is asked for.
        window: String,
        /// The cluster's own maintenance configuration that must be open, too, where one binds.
        own: Option<String>,
        /// When that is.
        opens: Timestamp,
        /// Whether one is open, and closes too soon.
        too_soon: bool,
    },
    /// Somebody has frozen the cluster.
    Frozen(Freeze),
    /// Nothing is to start before this instant.
    NotBefore(Timestamp),
    /// No window is ever open for as long as a step takes.
    WindowTooShort {
        /// What the step changes.
        subject: String,
        /// For how long a window must stay open.
        needs: Duration,
        /// What leaves no more than that.
        bounds: Bounds,
        /// The longest that there is; zero when nothing opens any more.
        longest: Duration,
    },
    /// The cluster's own maintenance configuration of that name cannot be understood, and binds a step.
    OwnWindowMisread {
        /// The name.
        name: &'static str,
        /// The field, and what is wrong with it.
        why: String,
    },
    /// Another ClusterUpgrade works on the same cluster.
    OtherUpgrade(String),
    /// Somebody else's operation runs on the cluster.
    ClusterBusy(String),
    /// Azure could not be read.
    AzureUnreadable(String),
    /// Azure says that the cluster does not exist.
    ClusterGone,
    /// Decisions followed each other without end: a mistake of ours.
    Undecided,
    /// Azure is not called, because our share of one of its limits is used up.
    HeldBack {
        /// The step that is not sent; `None` when something is not read.
        step: Option<Step>,
        /// Which limit, and until when.
        held: HeldBack,
        /// Whether this has taken longer than a step may.
        overdue: bool,
    },
    /// The step is about to be sent to Azure: whether it was, only the answer tells.
    Sending(Step),
    /// Azure works on the step.
    Operation(Step),
    /// A failure that passes by itself; tried again.
    Retry {
        /// The step.
        step: Step,
        /// What Azure said.
        failure: Failure,
        /// When it is tried again.
        at: Timestamp,
        /// Whether that has taken longer than a step may.
        overdue: bool,
    },
    /// Azure says done, the nodes do not show it yet.
    Nodes {
        /// The step.
        step: Step,
        /// What is missing.
        problems: Vec<String>,
        /// Whether this has taken longer than it should.
        overdue: bool,
    },
    /// Nothing is known of the workloads.
    GateInconclusive(String),
    /// Workloads are unavailable, which may still pass.
    GateSettling(Vec<String>),
    /// Workloads that were healthy before are not, and that does not pass.
    GateFailed(Vec<String>),
    /// Gates are watched until this instant.
    Soaking(Timestamp),
    /// A pool is to get the image that is pinned for its rollout, and its region does not have it yet.
    PinnedImage {
        /// The pool.
        pool: String,
        /// The image.
        pinned: String,
    },
    /// It cannot start.
    Refused(Vec<Refusal>),
    /// So many workloads are unhealthy that a baseline would say nothing.
    TooManyUnhealthy(usize),
    /// The specification names a version that Azure does not have, or the like.
    InvalidSpec(String),
    /// Azure will not do the step until somebody changes something.
    Blocked {
        /// The step.
        step: Step,
        /// What Azure said.
        failure: Failure,
        /// What stands in the way.
        blockers: Vec<Blocker>,
    },
    /// The step failed as often as it may.
    OperationFailed {
        /// The step.
        step: Step,
        /// What Azure said.
        failure: Failure,
    },
    /// The step takes longer than `stepTimeout`; it is not aborted.
    StepTimeout(Step),
    /// The operation in flight is being aborted.
    Aborting {
        /// The step.
        step: Step,
        /// Why Azure has not taken it yet.
        problem: Option<String>,
        /// When Azure is asked again.
        at: Option<Timestamp>,
        /// Whether that does not pass by itself.
        stuck: bool,
    },
    /// Something was aborted or rolled back: nothing goes on until `retry`.
    Halted(Halt),
    /// A version moved, and not by us.
    ExternalChange(String),
    /// Azure changes settings for the next step; names what they belong to.
    ChangingSettings(String),
    /// Settings that were changed for a step are put back.
    RestoringSettings {
        /// What they belong to.
        subject: String,
        /// What Azure said last, when it did not take them.
        failure: Option<Failure>,
        /// When it is tried again.
        at: Option<Timestamp>,
        /// Whether it has failed in a way that does not pass soon.
        stuck: bool,
    },
}

/// Settings that Azure accepts so often in a row and does not show are no matter of chance.
const RESTORE_ATTEMPTS: i32 = 5;

/// How an upgrade stands: decides which conditions are True.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stance {
    /// Nothing to do now; Ready, so that Helm, Flux and Argo CD do not wait for days.
    Parked,
    /// Something is going on.
    Working,
    /// A person has to do something.
    Stopped,
}

impl WaitingOn {
    /// What was changed for a step is being put back.
    #[must_use]
    pub fn restoring(record: &Restore) -> Self {
        if let (Some(hold), Some(until)) = (&record.hold, record.not_before) {
            let held = HeldBack { why: hold.why.clone(), until };
            return Self::HeldBack { step: None, held, overdue: false };
        }
        let passes =
            |failure: &Failure| matches!(failure.class(), FailureClass::Transient | FailureClass::Busy);
        let stuck = match &record.failure {
            // What passes by itself needs nobody, however often.
            Some(failure) => !passes(failure),
            None => record.is_given_back() && record.attempts >= RESTORE_ATTEMPTS,
        };
        let (failure, at) = (record.failure.clone(), record.not_before);
        Self::RestoringSettings { subject: record.subject(), failure, at, stuck }
    }

    /// Azure could not be read.
    #[must_use]
    pub fn unreadable(why: &Unreadable) -> Self {
        match why {
            Unreadable::HeldBack(held) => Self::HeldBack { step: None, held: held.clone(), overdue: false },
            Unreadable::NotAsked | Unreadable::Failed(_) | Unreadable::Gone(_) => {
                Self::AzureUnreadable(why.to_string())
            }
        }
    }

    /// Nothing is known of the workloads.
    #[must_use]
    pub fn inconclusive(why: &Unreadable) -> Self {
        match why {
            // Where the cluster's API is, Azure says.
            Unreadable::HeldBack(_) => Self::unreadable(why),
            Unreadable::NotAsked | Unreadable::Failed(_) | Unreadable::Gone(_) => {
                Self::GateInconclusive(why.to_string())
            }
        }
    }

    /// The reason in conditions, events and metrics.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Wave(_) => "WaitingForWave",
            Self::Suspended => "Suspended",
            Self::Window { .. } => "WaitingForWindow",
            Self::Frozen(_) => "Frozen",
            Self::NotBefore(_) => "NotBefore",
            Self::WindowTooShort { .. } => "WindowTooShort",
            Self::OtherUpgrade(_) => "WaitingForOtherUpgrade",
            Self::ClusterBusy(_) => "WaitingForCluster",
            Self::AzureUnreadable(_) => "AzureUnreachable",
            Self::ClusterGone => "ClusterGone",
            Self::Undecided => "Undecided",
            Self::HeldBack { .. } => "WaitingForAzureLimit",
            Self::Sending(_) => "SendingStep",
            Self::Operation(step) => match step.kind {
                StepKind::ControlPlane => "UpgradingControlPlane",
                StepKind::NodePoolVersion => "UpgradingNodePool",
                StepKind::NodePoolImage => "UpgradingNodeImage",
                StepKind::NodePoolRollback => "RollingBackNodePool",
            },
            Self::Aborting { stuck: false, .. } => "Aborting",
            Self::Aborting { stuck: true, .. } => "AbortFailed",
            Self::Halted(Halt { after: HaltedAfter::RefusedRollback, .. }) => "RollbackRefused",
            Self::Halted(Halt { because: Some(_), .. }) => "GateFailed",
            Self::Halted(Halt { after: HaltedAfter::Abort, .. }) => "Aborted",
            Self::Halted(Halt { after: HaltedAfter::Rollback, .. }) => "RolledBack",
            Self::Retry { overdue: false, .. } => "Retrying",
            Self::Nodes { overdue: false, .. } | Self::GateSettling(_) => "Verifying",
            Self::Nodes { overdue: true, .. } => "NodesNotUpdated",
            Self::GateInconclusive(_) => "GateInconclusive",
            Self::GateFailed(_) => "GateFailed",
            Self::Soaking(_) => "Soaking",
            Self::PinnedImage { .. } => "WaitingForImage",
            Self::Refused(refusals) if refusals.iter().any(Refusal::is_invalid_spec) => "InvalidSpec",
            Self::Refused(_) | Self::TooManyUnhealthy(_) => "PreflightBlocked",
            // `clusterWindows: Respect` cannot be carried out.
            Self::InvalidSpec(_) | Self::OwnWindowMisread { .. } => "InvalidSpec",
            Self::Blocked { blockers, .. } if blockers.iter().any(is_drain) => "DrainBlocked",
            Self::Blocked { .. } => "OperationBlocked",
            Self::OperationFailed { .. } => "OperationFailed",
            Self::StepTimeout(_) | Self::Retry { overdue: true, .. } => "StepTimeout",
            Self::ExternalChange(_) => "ExternalChange",
            Self::ChangingSettings(_) => "ChangingSettings",
            Self::RestoringSettings { stuck: false, .. } => "RestoringSettings",
            Self::RestoringSettings { stuck: true, .. } => "RestoreFailed",
        }
    }

    /// How the upgrade stands.
    #[must_use]
    pub fn stance(&self) -> Stance {
        match self {
            Self::Wave(_)
            | Self::Suspended
            | Self::Window { .. }
            | Self::Frozen(_)
            | Self::NotBefore(_)
            | Self::OtherUpgrade(_)
            | Self::Soaking(_)
            | Self::PinnedImage { .. } => Stance::Parked,
            Self::ClusterBusy(_)
            | Self::AzureUnreadable(_)
            | Self::HeldBack { overdue: false, .. }
            | Self::Sending(_)
            | Self::Operation(_)
            | Self::Retry { overdue: false, .. }
            | Self::Nodes { overdue: false, .. }
            | Self::GateInconclusive(_)
            | Self::GateSettling(_)
            | Self::ChangingSettings(_)
            | Self::Aborting { stuck: false, .. }
            | Self::RestoringSettings { stuck: false, .. } => Stance::Working,
            Self::Nodes { overdue: true, .. }
            | Self::HeldBack { overdue: true, .. }
            | Self::Retry { overdue: true, .. }
            | Self::ClusterGone
            | Self::Undecided
            | Self::GateFailed(_)
            | Self::Refused(_)
            | Self::TooManyUnhealthy(_)
            | Self::WindowTooShort { .. }
            | Self::OwnWindowMisread { .. }
            | Self::InvalidSpec(_)
            | Self::Blocked { .. }
            | Self::OperationFailed { .. }
            | Self::StepTimeout(_)
            | Self::ExternalChange(_)
            | Self::Aborting { stuck: true, .. }
            | Self::Halted(_)
            | Self::RestoringSettings { stuck: true, .. } => Stance::Stopped,
        }
    }
}

fn is_drain(blocker: &Blocker) -> bool {
    matches!(blocker, Blocker::Pod { .. } | Blocker::DisruptionBudget { .. })
}
