//! Which clusters of a rollout may start now, and how its waves stand.
//!
//! Waves run one after the other; within a wave at most `maxConcurrent` clusters are worked on. Clusters
//! that have failed stop the start of any other once they are more than their wave's `failureBudget`;
//! a wave whose first cluster has not started waits for its approvals; clusters of one place are started
//! apart from each other.

use std::{collections::BTreeMap, fmt, time::Duration};

use jiff::Timestamp;

use crate::planted::{PlantedBug, planted};

mod share;

pub use share::Share;

/// Clusters of one subscription and region are started at least so far apart.
///
/// What is wrong with such a place (a quota that is used up, a policy, no capacity) Azure tells within
/// seconds of the first request: after a minute it is known, and counted as a failure, before the next
/// cluster runs into it. Upgrades take hours, so that a minute costs nothing.
pub const START_SPACING: Duration = Duration::from_secs(60);

/// One wave of a rollout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wave {
    /// Its name.
    pub name: String,
    /// How many of its clusters may be worked on at once.
    pub max_concurrent: Share,
    /// How many of its clusters may fail before nothing starts any more.
    pub failure_budget: Share,
    /// Whether approvals are missing, and none of its clusters has started.
    pub lacks_approval: bool,
    /// Its clusters, in the order in which they start.
    pub members: Vec<Member>,
    /// How many it had at the start that cannot be seen any more.
    pub missing: usize,
}

/// A cluster of a wave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Name of its ClusterUpgrade.
    pub name: String,
    /// How far it is.
    pub state: MemberState,
    /// Whether something may be going on in its cluster: it takes one of the places of `maxConcurrent`.
    pub works: bool,
    /// Its subscription and region, if they are known.
    pub place: Option<String>,
    /// When its wave let it start.
    pub started_at: Option<Timestamp>,
}

/// How far a cluster of a wave is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MemberState {
    /// Not started.
    Waiting,
    /// Not started: an older rollout of another plan has the cluster.
    Claimed,
    /// Worked on.
    Running,
    /// All steps are done, its workloads are watched.
    Soaking,
    /// It has failed: a person has to do something.
    Stopped,
    /// It is not registered any more, and nothing was begun on it: neither a success nor a failure.
    Left,
    /// Done.
    Succeeded,
    /// Left out by a person: neither done nor failed.
    Skipped,
}

/// How a wave stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaveState {
    /// Waits for the wave before it.
    Pending,
    /// Its turn has come, and its approvals are missing.
    WaitingForApproval,
    /// Its clusters are worked on.
    RollingOut,
    /// All steps are done, workloads are watched.
    Soaking,
    /// More clusters have failed than its budget allows, or all.
    Stopped,
    /// Clusters have failed, within its budget; all others have succeeded. The next wave may start.
    CompletedWithFailures,
    /// All its clusters have succeeded.
    Succeeded,
}

impl WaveState {
    /// Whether the next wave may start.
    #[must_use]
    pub fn is_done(self) -> bool {
        matches!(self, Self::Succeeded | Self::CompletedWithFailures)
    }
}

impl fmt::Display for WaveState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// The decision about a rollout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RolloutDecision {
    /// The ClusterUpgrades to start now.
    pub start: Vec<String>,
    /// How each wave stands, in order.
    pub waves: Vec<WaveState>,
    /// When the next one may start that is only kept apart from another.
    pub next_start: Option<Timestamp>,
}

/// Decides which clusters start now. `suspended` starts none.
#[must_use]
pub fn decide_rollout(waves: &[Wave], suspended: bool, now: Timestamp) -> RolloutDecision {
    let mut decision = RolloutDecision { start: Vec::new(), waves: Vec::new(), next_start: None };
    let mut earlier_done = true;
    // Nowhere in the plan, also when it is a later wave's cluster that cannot start.
    let stopped = waves.iter().any(Wave::is_over_budget) && !planted(PlantedBug::IgnoreStopped);
    let mut spacing = Spacing::of(waves, now);
    for wave in waves {
        let state = if earlier_done { wave.state() } else { WaveState::Pending };
        if state == WaveState::RollingOut && !suspended && !stopped {
            decision.start.extend(wave.to_start(&mut spacing));
        }
        earlier_done &= state.is_done() || planted(PlantedBug::NextWaveEarly);
        decision.waves.push(state);
    }
    decision.next_start = spacing.next;
    decision
}

/// When the clusters of each place were last let start.
struct Spacing<'a> {
    now: Timestamp,
    last: BTreeMap<&'a str, Timestamp>,
    next: Option<Timestamp>,
}

impl<'a> Spacing<'a> {
    fn of(waves: &'a [Wave], now: Timestamp) -> Self {
        let mut last = BTreeMap::new();
        for member in waves.iter().flat_map(|wave| &wave.members) {
            let (Some(place), Some(at)) = (&member.place, member.started_at) else { continue };
            // One that started in the future did so by a clock that went wrong.
            if at <= now {
                let known = last.entry(place.as_str()).or_insert(at);
                *known = at.max(*known);
            }
        }
        Self { now, last, next: None }
    }

    /// Whether this one may start now; if so, the others of its place are kept apart from it.
    fn lets_start(&mut self, member: &'a Member) -> bool {
        let Some(place) = member.place.as_deref() else { return true };
        let free_at = self.last.get(place).map(|last| *last + START_SPACING);
        let waits = free_at.filter(|free_at| *free_at > self.now && !planted(PlantedBug::IgnoreSpacing));
        if let Some(free_at) = waits {
            self.next = Some(self.next.map_or(free_at, |next| next.min(free_at)));
            return false;
        }
        self.last.insert(place, self.now);
        true
    }
}

impl Wave {
    /// How many of its clusters are in a state.
    #[must_use]
    pub fn count(&self, state: MemberState) -> usize {
        self.members.iter().filter(|member| member.state == state).count()
    }

    /// How many clusters it had when the rollout started: of these are the percentages.
    #[must_use]
    pub fn size(&self) -> usize {
        self.members.len() + self.missing
    }

    /// How many of its clusters have failed. What became of one that is gone is not known: no success.
    #[must_use]
    pub fn failed(&self) -> usize {
        self.count(MemberState::Stopped) + self.missing
    }

    /// How many of its clusters may fail.
    #[must_use]
    pub fn budget(&self) -> usize {
        self.failure_budget.budget_of(self.size())
    }

    /// Whether more have failed than may, or all: then nothing starts any more.
    #[must_use]
    pub fn is_over_budget(&self) -> bool {
        let failed = self.failed();
        let all = self.size() - self.left_out();
        let allowed = self.budget() + usize::from(planted(PlantedBug::BudgetOffByOne));
        failed > allowed || failed > 0 && failed == all && !planted(PlantedBug::AllFailedSucceeds)
    }

    /// How many of its clusters are neither a success nor a failure, and are waited for by nobody.
    fn left_out(&self) -> usize {
        self.count(MemberState::Left) + self.count(MemberState::Skipped)
    }

    fn state(&self) -> WaveState {
        let [succeeded, soaking] =
            [MemberState::Succeeded, MemberState::Soaking].map(|state| self.count(state));
        let left = self.left_out();
        let (failed, settled) = (self.failed(), succeeded + left + self.failed());
        if self.is_over_budget() {
            WaveState::Stopped
        } else if settled == self.size() && failed > 0 {
            WaveState::CompletedWithFailures
        } else if settled == self.size() {
            WaveState::Succeeded
        } else if settled + soaking == self.size() {
            WaveState::Soaking
        } else if self.lacks_approval {
            WaveState::WaitingForApproval
        } else {
            WaveState::RollingOut
        }
    }

    fn to_start<'a>(&'a self, spacing: &mut Spacing<'a>) -> Vec<String> {
        let working = self.members.iter().filter(|member| member.works).count();
        let free = self.max_concurrent.of(self.size()).saturating_sub(working);
        let free = if planted(PlantedBug::IgnoreRunning) { usize::MAX } else { free };
        let may_start = |member: &Member| {
            member.state == MemberState::Waiting
                || member.state == MemberState::Claimed && planted(PlantedBug::YoungerPlanWins)
        };
        let waiting = self.members.iter().filter(|member| may_start(member));
        let apart = waiting.filter(|member| spacing.lets_start(member));
        apart.take(free).map(|member| member.name.clone()).collect()
    }
}

#[cfg(test)]
mod tests;
