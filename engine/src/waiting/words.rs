//! What a wait is for, in a sentence that changes only when the matter does.

mod windows;

use std::fmt;

use super::WaitingOn;
use crate::{control::Halt, schedule::Freeze, steady::steady};

impl fmt::Display for WaitingOn {
    /// One sentence, without clock or counter, so that it changes only when the matter does.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wave(wave) => write!(f, "waits for its turn in wave {wave}"),
            Self::Suspended => f.write_str("suspended: spec.suspend is true"),
            Self::Window { step, window, own, opens, too_soon } => {
                let unfit = too_soon.then(|| step.subject());
                f.write_str(&windows::closed((window, own.as_deref()), *opens, unfit.as_deref()))
            }
            Self::Frozen(Freeze { name, reason, until, from: _ }) => {
                write!(f, "frozen by UpgradeFreeze {}", clipped(name, 63))?;
                if let Some(until) = until {
                    write!(f, " until {until}")?;
                }
                write!(f, ": {}", clipped(reason, 80))
            }
            Self::NotBefore(at) => write!(f, "spec.schedule.notBefore is {at}"),
            Self::WindowTooShort { subject, needs, bounds, longest } => {
                f.write_str(&windows::too_short(subject, bounds, *needs, *longest))
            }
            Self::OwnWindowMisread { name, why } => f.write_str(&windows::misread(name, why)),
            Self::OtherUpgrade(other) => write!(f, "ClusterUpgrade {other} works on the same cluster"),
            Self::ClusterBusy(what) => write!(f, "an operation that is not ours runs: {what}"),
            Self::AzureUnreadable(why) => write!(f, "Azure could not be read: {why}"),
            Self::ClusterGone => f.write_str(
                "Azure does not have this cluster any more: delete its AKSCluster, register it again if it lives under another id, or leave it out of the plan",
            ),
            Self::Undecided => f.write_str(
                "came to no decision, which is a mistake in Tidegate: report it with the output of tidegate explain; it is tried again every five minutes",
            ),
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
                let what = if step.is_rollback() { "rollback" } else { "upgrade" };
                write!(f, "the {what} of {} from {} to {} is about to be sent to Azure", step.subject(), step.from, step.to)
            }
            Self::Operation(step) if step.is_rollback() => {
                write!(f, "Azure takes {} back from {} to {}", step.subject(), step.from, step.to)
            }
            Self::Operation(step) => write!(f, "Azure upgrades {} from {} to {}", step.subject(), step.from, step.to),
            Self::Aborting { step, problem: None, .. } => {
                write!(f, "what Azure does to {} is being aborted; nothing is undone", step.subject())
            }
            Self::Aborting { step, problem: Some(problem), .. } => {
                let (subject, problem) = (step.subject(), steady(problem));
                write!(f, "what Azure does to {subject} is to be aborted, and goes on meanwhile: {problem}")
            }
            Self::Halted(Halt { words, because, .. }) => {
                write!(f, "{words}; nothing goes on until retry (annotation tidegate.dev/retry)")?;
                match because {
                    Some(broken) => {
                        write!(f, "; workloads that were healthy before the upgrade were not then: {broken}")
                    }
                    None => Ok(()),
                }
            }
            Self::Retry { step, failure, overdue: false, .. } => {
                write!(f, "{} will be tried again: {}", step.subject(), steady(&failure.message))
            }
            Self::Retry { step, failure, overdue: true, .. } => write!(
                f,
                "Azure has not taken {} for longer than spec.failurePolicy.stepTimeout; it is tried again: {}",
                step.subject(),
                steady(&failure.message)
            ),
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
            Self::PinnedImage { pool, pinned } => write!(
                f,
                "pool {pool} is to get image {pinned}, as the whole rollout does, and its region does not have it yet"
            ),
            Self::TooManyUnhealthy(_) => f.write_str(
                "too many workloads are unhealthy before the first step: repair them, or name their namespaces in spec.gates[].workloads.excludeNamespaces",
            ),
            Self::InvalidSpec(what) | Self::ExternalChange(what) => f.write_str(what),
            Self::Blocked { step, failure, blockers } => {
                write!(f, "Azure cannot {} {}: ", step.verb(), step.subject())?;
                if blockers.is_empty() {
                    return f.write_str(&steady(&failure.message));
                }
                let words: Vec<String> = blockers.iter().map(|blocker| steady(&blocker.to_string())).collect();
                f.write_str(&few(&words))
            }
            Self::OperationFailed { step, failure } => {
                write!(f, "Azure failed to {} {}: {}", step.verb(), step.subject(), steady(&failure.message))
            }
            Self::ChangingSettings(subject) => {
                write!(f, "the upgrade settings of {subject} are being changed for the next step")
            }
            Self::RestoringSettings { subject, failure, stuck, .. } => {
                let had = "the upgrade settings that it had before its step";
                match failure {
                    None if !stuck => write!(f, "{subject} gets back {had}"),
                    Some(failure) if !stuck => {
                        write!(f, "{subject} gets back {had}, which is tried again: {}", steady(&failure.message))
                    }
                    Some(failure) => {
                        write!(f, "{subject} could not get back {had}: {}", steady(&failure.message))
                    }
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

/// At most so many characters.
fn clipped(text: &str, longest: usize) -> String {
    if text.chars().count() <= longest {
        return text.to_owned();
    }
    text.chars().take(longest - 1).chain(['…']).collect()
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
