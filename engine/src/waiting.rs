//! Why nothing is started right now: one enum for the condition, the event, the metric,
//! the command line and the page. Each variant says when it is looked at again.

use std::{fmt, time::Duration};

use jiff::Timestamp;

use crate::{
    failure::{Blocker, Failure, FailureClass},
    observation::{HeldBack, Unreadable},
    planted::{PlantedBug, planted},
    refusal::Refusal,
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
    /// Another ClusterUpgrade works on the same cluster.
    OtherUpgrade(String),
    /// Somebody else's operation runs on the cluster.
    ClusterBusy(String),
    /// Azure could not be read.
    AzureUnreadable(String),
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

/// All that one limit holds back come again at about the same time, and few of them are let through: not
/// more often than this.
const CROWD_PAUSE: Duration = Duration::from_secs(10);

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
            Self::OtherUpgrade(_) => "WaitingForOtherUpgrade",
            Self::ClusterBusy(_) => "WaitingForCluster",
            Self::AzureUnreadable(_) => "AzureUnreachable",
            Self::HeldBack { .. } => "WaitingForAzureLimit",
            Self::Sending(_) => "SendingStep",
            Self::Operation(step) => match step.kind {
                StepKind::ControlPlane => "UpgradingControlPlane",
                StepKind::NodePoolVersion => "UpgradingNodePool",
                StepKind::NodePoolImage => "UpgradingNodeImage",
            },
            Self::Retry { .. } => "Retrying",
            Self::Nodes { overdue: false, .. } | Self::GateSettling(_) => "Verifying",
            Self::Nodes { overdue: true, .. } => "NodesNotUpdated",
            Self::GateInconclusive(_) => "GateInconclusive",
            Self::GateFailed(_) => "GateFailed",
            Self::Soaking(_) => "Soaking",
            Self::Refused(refusals) if refusals.iter().any(Refusal::is_invalid_spec) => "InvalidSpec",
            Self::Refused(_) | Self::TooManyUnhealthy(_) => "PreflightBlocked",
            Self::InvalidSpec(_) => "InvalidSpec",
            Self::Blocked { blockers, .. } if blockers.iter().any(is_drain) => "DrainBlocked",
            Self::Blocked { .. } => "OperationBlocked",
            Self::OperationFailed { .. } => "OperationFailed",
            Self::StepTimeout(_) => "StepTimeout",
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
            Self::Wave(_) | Self::Suspended | Self::OtherUpgrade(_) | Self::Soaking(_) => Stance::Parked,
            Self::ClusterBusy(_)
            | Self::AzureUnreadable(_)
            | Self::HeldBack { overdue: false, .. }
            | Self::Sending(_)
            | Self::Operation(_)
            | Self::Retry { .. }
            | Self::Nodes { overdue: false, .. }
            | Self::GateInconclusive(_)
            | Self::GateSettling(_)
            | Self::ChangingSettings(_)
            | Self::RestoringSettings { stuck: false, .. } => Stance::Working,
            Self::Nodes { overdue: true, .. }
            | Self::HeldBack { overdue: true, .. }
            | Self::GateFailed(_)
            | Self::Refused(_)
            | Self::TooManyUnhealthy(_)
            | Self::InvalidSpec(_)
            | Self::Blocked { .. }
            | Self::OperationFailed { .. }
            | Self::StepTimeout(_)
            | Self::ExternalChange(_)
            | Self::RestoringSettings { stuck: true, .. } => Stance::Stopped,
        }
    }

    /// After how long it is looked at again, if nothing wakes it before.
    #[must_use]
    pub fn look_again(&self, now: Timestamp) -> Duration {
        let until = |at: &Timestamp| {
            Duration::try_from(at.duration_since(now)).unwrap_or_default().max(Duration::from_secs(1))
        };
        if planted(PlantedBug::NeverLookAgain) {
            return Duration::ZERO;
        }
        match self {
            // Woken by the change of its own specification; the time is a safety net.
            Self::Wave(_) | Self::Suspended => Duration::from_secs(600),
            // AKS sends no Retry-After on operations: 30 s is what its own tools poll at.
            Self::Operation(_)
            | Self::Sending(_)
            | Self::ClusterBusy(_)
            | Self::OtherUpgrade(_)
            | Self::AzureUnreadable(_)
            | Self::ChangingSettings(_) => Duration::from_secs(30),
            Self::RestoringSettings { at, .. } => {
                at.as_ref().map_or(Duration::ZERO, until).max(Duration::from_secs(30))
            }
            Self::Nodes { .. } | Self::GateSettling(_) | Self::GateInconclusive(_) => Duration::from_secs(15),
            Self::Retry { at, .. } => until(at),
            Self::HeldBack { held, .. } => until(&held.until).max(CROWD_PAUSE),
            Self::Soaking(at) => until(at).min(Duration::from_secs(60)),
            Self::GateFailed(_) | Self::Blocked { .. } | Self::StepTimeout(_) => Duration::from_secs(60),
            Self::Refused(_)
            | Self::TooManyUnhealthy(_)
            | Self::InvalidSpec(_)
            | Self::OperationFailed { .. }
            | Self::ExternalChange(_) => Duration::from_secs(300),
        }
    }
}

impl fmt::Display for WaitingOn {
    /// One sentence, without clock or counter, so that it changes only when the matter does.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wave(wave) => write!(f, "waits for its turn in wave {wave}"),
            Self::Suspended => f.write_str("suspended: spec.suspend is true"),
            Self::OtherUpgrade(other) => write!(f, "ClusterUpgrade {other} works on the same cluster"),
            Self::ClusterBusy(what) => write!(f, "an operation that is not ours runs: {what}"),
            Self::AzureUnreadable(why) => write!(f, "Azure could not be read: {why}"),
            Self::HeldBack { step: None, held, .. } => write!(f, "Azure is not asked yet: {held}"),
            Self::HeldBack { step: Some(step), held, overdue: false } => {
                write!(f, "{} is not sent to Azure yet: {held}", step.subject())
            }
            Self::HeldBack { step: Some(step), held, overdue: true } => write!(
                f,
                "{} could not be sent to Azure for longer than spec.failurePolicy.stepTimeout: {held}; find out what else uses up this limit",
                step.subject()
            ),
            Self::Sending(step) => {
                write!(f, "the upgrade of {} from {} to {} is about to be sent to Azure", step.subject(), step.from, step.to)
            }
            Self::Operation(step) => write!(f, "Azure upgrades {} from {} to {}", step.subject(), step.from, step.to),
            Self::Retry { step, failure, .. } => {
                write!(f, "{} will be tried again: {}", step.subject(), failure.message)
            }
            Self::Nodes { step, problems, .. } => {
                write!(f, "{} is to show {}: {}", step.subject(), step.to, few(problems))
            }
            Self::GateInconclusive(why) => write!(f, "nothing is known of the workloads: {why}"),
            Self::GateSettling(broken) => write!(f, "workloads are not available yet: {}", few(broken)),
            Self::GateFailed(broken) => {
                write!(f, "workloads that were healthy before the upgrade are not now: {}", few(broken))
            }
            Self::Soaking(_) => f.write_str("the nodes are done; workloads are watched for the soak time"),
            Self::Refused(refusals) => {
                let words: Vec<String> = refusals.iter().map(ToString::to_string).collect();
                f.write_str(&few(&words))
            }
            Self::TooManyUnhealthy(_) => f.write_str(
                "too many workloads are unhealthy before the first step: repair them, or name their namespaces in spec.gates[].workloads.excludeNamespaces",
            ),
            Self::InvalidSpec(what) | Self::ExternalChange(what) => f.write_str(what),
            Self::Blocked { step, failure, blockers } => {
                write!(f, "Azure cannot upgrade {}: ", step.subject())?;
                if blockers.is_empty() {
                    return f.write_str(&failure.message);
                }
                let words: Vec<String> = blockers.iter().map(ToString::to_string).collect();
                f.write_str(&few(&words))
            }
            Self::OperationFailed { step, failure } => {
                write!(f, "Azure failed to upgrade {}: {}", step.subject(), failure.message)
            }
            Self::ChangingSettings(subject) => {
                write!(f, "the upgrade settings of {subject} are being changed for the next step")
            }
            Self::RestoringSettings { subject, failure, stuck, .. } => {
                let had = "the upgrade settings that it had before its step";
                match failure {
                    None if !stuck => write!(f, "{subject} gets back {had}"),
                    Some(failure) if !stuck => {
                        write!(f, "{subject} gets back {had}, which is tried again: {}", failure.message)
                    }
                    Some(failure) => write!(f, "{subject} could not get back {had}: {}", failure.message),
                    None => write!(
                        f,
                        "{subject} could not get back {had}: Azure takes them and does not show them"
                    ),
                }
            }
            Self::StepTimeout(step) => write!(
                f,
                "{} takes longer than spec.failurePolicy.stepTimeout; it goes on and is not aborted",
                step.subject()
            ),
        }
    }
}

/// At most five, so that a message stays readable and an object small.
fn few(words: &[String]) -> String {
    const SHOWN: usize = 5;
    let mut text = words.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("; ");
    if words.len() > SHOWN {
        text.push_str("; and more");
    }
    text
}

fn is_drain(blocker: &Blocker) -> bool {
    matches!(blocker, Blocker::Pod { .. } | Blocker::DisruptionBudget { .. })
}
