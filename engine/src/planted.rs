//! Bugs that are planted on purpose, so that a test can prove that the simulation finds such ones.
//!
//! Only with the feature `planted-bugs`, which nothing but that test turns on: without it
//! [`planted`] is a constant, and no place where it is asked is left in the program. No part of this crate's
//! interface.

/// A bug, named after what the code does then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlantedBug {
    /// Sends a step that was not claimed by a write before.
    SubmitUnclaimed,
    /// Goes on when the claim was lost to somebody else.
    IgnoreConflict,
    /// Does not read again what it has claimed.
    SkipRecheck,
    /// Sends a step although Azure shows that it is done.
    SendWhatIsDone,
    /// Takes every operation that runs for its own.
    AdoptAnything,
    /// Sends a step although an operation runs.
    SendWhileBusy,
    /// Writes without a precondition.
    IgnoreETag,
    /// Drops the tags when it writes a cluster back.
    LoseTags,
    /// Drops the node labels when it writes a pool back.
    LoseNodeLabels,
    /// Takes Azure's word, and does not look at the nodes.
    TrustAzure,
    /// Builds upon the versions that Azure shows, and does not look whether they are there.
    BelieveWhatIsShown,
    /// Counts nodes, and does not look at what they show.
    OnlyCountNodes,
    /// Does not look at the version that nodes run.
    IgnoreKubelet,
    /// Does not look at the image that nodes run.
    IgnoreImage,
    /// Does not count nodes.
    IgnoreMissingNodes,
    /// Takes a word for an operation that runs for one that says that all is well.
    BusyIsDone,
    /// Takes a step that another operation has pushed aside for done.
    PreemptedIsDone,
    /// Takes workloads that cannot be read for healthy.
    UnreadableIsHealthy,
    /// Takes a gate that fails for one that passes.
    FailingGatePasses,
    /// Asks no gate about a step whose intent is recorded.
    SkipGateOfIntent,
    /// Takes the baseline anew with each `retry`.
    RetakeBaseline,
    /// Takes a gate that has failed once for one that fails for ever.
    GateStaysFailed,
    /// Does not wait for the end of a soak.
    SkipSoak,
    /// Does not wait for the end of the soak of a pool.
    SkipPoolSoak,
    /// Never says that a step takes too long.
    ForgetDeadline,
    /// Tries failed steps again without end.
    EndlessAttempts,
    /// Takes a step that failed for one that passes by itself.
    FailedIsTransient,
    /// Stops at what passes by itself.
    TransientIsFinal,
    /// Stops at what is blocked, and does not go on when it is not any more.
    BlockedIsFinal,
    /// Forgets what it was at when something goes wrong.
    ForgetOnError,
    /// Does not see the annotation `tidegate.dev/retry`.
    IgnoreRetry,
    /// Does not see `spec.suspend`.
    IgnoreSuspend,
    /// Goes on deciding about what is done.
    WorkAfterDone,
    /// Acts without holding the lease.
    IgnoreLease,
    /// Takes versions that others have changed for its own.
    IgnoreExternalChange,
    /// Does not account for what its own steps have moved.
    ForgetOwnMoves,
    /// Leaves images as they are.
    LeaveImages,
    /// Puts node pools before their control plane.
    PoolsFirst,
    /// Keeps steps of older plans.
    KeepOldPlans,
    /// Waits without saying what for.
    WaitWithoutReason,
    /// Tells what Azure says with the instants and ids in it.
    TellInstants,
    /// Writes its record with every look.
    WriteEveryLook,
    /// Waits without looking again.
    NeverLookAgain,
    /// Changes settings for a step without recording what they were.
    OverrideUnrecorded,
    /// Does not put back the settings that it has changed for a step.
    ForgetRestore,
    /// Rounds a wave's percentage down to no cluster.
    RoundToZero,
    /// Rounds a wave's percentage up.
    RoundUp,
    /// Starts more clusters of a wave than it allows at once.
    IgnoreRunning,
    /// Starts a wave before the one before it is done.
    NextWaveEarly,
    /// Starts clusters although one has stopped.
    IgnoreStopped,
    /// Lets a deleted upgrade go without putting back what it has changed.
    ForgetRestoreOnDeletion,
    /// Goes on with an upgrade that is being deleted.
    IgnoreDeletion,
    /// Upgrades pools that are left out.
    TouchLeftOut,
    /// Does not move pools that would fall too far behind their control plane.
    IgnoreSkew,
    /// Starts steps at any time.
    IgnoreWindows,
    /// Takes the times of windows for those of UTC.
    IgnoreZone,
    /// Overlooks when windows stay closed.
    IgnoreExclusions,
    /// Takes a window that has opened for one that stays open.
    ForgetWindowEnd,
    /// Starts steps although they do not fit into what remains of a window.
    IgnoreFit,
    /// Does not look at the cluster's own maintenance windows.
    IgnoreClusterWindows,
    /// Takes a maintenance configuration of the cluster's own that it does not understand for none.
    OverlookMisread,
    /// Does not see freezes.
    IgnoreFreezes,
    /// Does not look for freezes right before it sends a step.
    OldFreezes,
    /// Does not see `spec.schedule.notBefore`.
    IgnoreNotBefore,
    /// Sends a step whose intent is recorded at any time.
    IgnoreScheduleOfIntent,
    /// Does not see the annotation `tidegate.dev/abort`.
    IgnoreAbort,
    /// Sends an abort although its claim was not written.
    AbortUnrecorded,
    /// Aborts whatever runs on the resource of its step.
    AbortAnything,
    /// Goes on by itself after an abort or a rollback.
    IgnoreHalt,
    /// Takes a pool back to whatever it had longest ago.
    RollBackToAny,
    /// Takes a pool back although Azure does not any more.
    RollBackTooLate,
    /// Goes on with a cluster that is left out.
    GoOnAfterSkip,
    /// Leaves a cluster out with the settings that a step has changed.
    SkipLeavesSettings,
    /// Rounds a wave's failure budget up.
    BudgetRoundsUp,
    /// Lets one more cluster fail than the budget allows.
    BudgetOffByOne,
    /// Takes a wave for done although every cluster has failed.
    AllFailedSucceeds,
    /// Starts clusters of one place at once.
    IgnoreSpacing,
    /// Starts a cluster that an older rollout of another plan has.
    YoungerPlanWins,
    /// Counts approvals that have expired.
    CountExpired,
    /// Counts the approvals of one person more than once.
    CountTwice,
    /// Counts approvals of other rollouts.
    CountOtherRollouts,
    /// Counts the approval of an author of the plan.
    CountAuthor,
    /// Starts a wave without its approvals.
    ForgetApproval,
    /// Starts a wave by approvals as they were read before it was claimed.
    ApproveUnread,
    /// Hands the retry of a plan to clusters that have not stopped, too.
    RetryAll,
    /// Hands the retry of a plan on with every look.
    RetryAgain,
    /// Starts another rollout of a continuous plan while one runs.
    StartWhileRunning,
    /// Leaves clusters out of later rollouts that were not in the first.
    ForgetLateClusters,
    /// Starts another rollout of a continuous plan although a cluster has stopped.
    RestartWhatStopped,
    /// Starts a rollout for any newer image, however young the old one is.
    RollForAnyImage,
    /// Starts a rollout on an inventory that has grown old.
    StartOnOldKnowledge,
    /// Never starts a second rollout of a continuous plan.
    NeverStartAgain,
    /// Does not remember what a rollout did once it has ended.
    LoseHistory,
    /// Takes any image although one is pinned for the whole rollout.
    IgnorePins,
}

impl PlantedBug {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::SubmitUnclaimed,
        Self::IgnoreConflict,
        Self::SkipRecheck,
        Self::SendWhatIsDone,
        Self::AdoptAnything,
        Self::SendWhileBusy,
        Self::IgnoreETag,
        Self::LoseTags,
        Self::LoseNodeLabels,
        Self::TrustAzure,
        Self::BelieveWhatIsShown,
        Self::OnlyCountNodes,
        Self::IgnoreKubelet,
        Self::IgnoreImage,
        Self::IgnoreMissingNodes,
        Self::BusyIsDone,
        Self::PreemptedIsDone,
        Self::UnreadableIsHealthy,
        Self::FailingGatePasses,
        Self::SkipGateOfIntent,
        Self::RetakeBaseline,
        Self::GateStaysFailed,
        Self::SkipSoak,
        Self::SkipPoolSoak,
        Self::ForgetDeadline,
        Self::EndlessAttempts,
        Self::FailedIsTransient,
        Self::TransientIsFinal,
        Self::BlockedIsFinal,
        Self::ForgetOnError,
        Self::IgnoreRetry,
        Self::IgnoreSuspend,
        Self::WorkAfterDone,
        Self::IgnoreLease,
        Self::IgnoreExternalChange,
        Self::ForgetOwnMoves,
        Self::LeaveImages,
        Self::PoolsFirst,
        Self::KeepOldPlans,
        Self::WaitWithoutReason,
        Self::TellInstants,
        Self::WriteEveryLook,
        Self::NeverLookAgain,
        Self::OverrideUnrecorded,
        Self::ForgetRestore,
        Self::RoundToZero,
        Self::RoundUp,
        Self::IgnoreRunning,
        Self::NextWaveEarly,
        Self::IgnoreStopped,
        Self::ForgetRestoreOnDeletion,
        Self::IgnoreDeletion,
        Self::TouchLeftOut,
        Self::IgnoreSkew,
        Self::IgnoreWindows,
        Self::IgnoreZone,
        Self::IgnoreExclusions,
        Self::ForgetWindowEnd,
        Self::IgnoreFit,
        Self::IgnoreClusterWindows,
        Self::OverlookMisread,
        Self::IgnoreFreezes,
        Self::OldFreezes,
        Self::IgnoreNotBefore,
        Self::IgnoreScheduleOfIntent,
        Self::IgnoreAbort,
        Self::AbortUnrecorded,
        Self::AbortAnything,
        Self::IgnoreHalt,
        Self::RollBackToAny,
        Self::RollBackTooLate,
        Self::GoOnAfterSkip,
        Self::SkipLeavesSettings,
        Self::BudgetRoundsUp,
        Self::BudgetOffByOne,
        Self::AllFailedSucceeds,
        Self::IgnoreSpacing,
        Self::YoungerPlanWins,
        Self::CountExpired,
        Self::CountTwice,
        Self::CountOtherRollouts,
        Self::CountAuthor,
        Self::ForgetApproval,
        Self::ApproveUnread,
        Self::RetryAll,
        Self::RetryAgain,
        Self::StartWhileRunning,
        Self::ForgetLateClusters,
        Self::RestartWhatStopped,
        Self::RollForAnyImage,
        Self::StartOnOldKnowledge,
        Self::NeverStartAgain,
        Self::LoseHistory,
        Self::IgnorePins,
    ];
}

/// Whether this bug is planted: it never is.
#[cfg(not(feature = "planted-bugs"))]
#[inline]
#[must_use]
pub const fn planted(_: PlantedBug) -> bool {
    false
}

#[cfg(feature = "planted-bugs")]
pub use switch::{planted, with};

#[cfg(feature = "planted-bugs")]
mod switch {
    use std::cell::Cell;

    use super::PlantedBug;

    thread_local! {
        static PLANTED: Cell<Option<PlantedBug>> = const { Cell::new(None) };
    }

    /// Whether this bug is planted in this thread.
    #[must_use]
    pub fn planted(bug: PlantedBug) -> bool {
        PLANTED.get() == Some(bug)
    }

    /// Runs `body` with a bug planted, in this thread only.
    pub fn with<T>(bug: PlantedBug, body: impl FnOnce() -> T) -> T {
        PLANTED.set(Some(bug));
        let result = body();
        PLANTED.set(None);
        result
    }
}
