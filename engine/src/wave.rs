//! Which clusters of a rollout may start now.
//!
//! Waves run one after the other; within a wave at most `maxConcurrent` clusters are
//! worked on. A cluster that has stopped stops the start of any other.

use std::fmt;

use crate::planted::{PlantedBug, planted};

/// How many clusters of a wave may be worked on at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// So many.
    Number(u32),
    /// So many of a hundred.
    Percent(u32),
}

impl Share {
    /// Of so many clusters: percentages round down, but never to zero.
    #[must_use]
    pub fn of(self, total: usize) -> usize {
        match self {
            Self::Number(number) => usize::try_from(number).unwrap_or(usize::MAX),
            Self::Percent(_) if planted(PlantedBug::RoundUp) => 1 + total / 2,
            Self::Percent(percent) if planted(PlantedBug::RoundToZero) => {
                return total * usize::try_from(percent).unwrap_or(100) / 100;
            }
            Self::Percent(percent) => total.saturating_mul(usize::try_from(percent).unwrap_or(100)) / 100,
        }
        .max(1)
    }
}

/// One wave of a rollout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wave {
    /// Its name.
    pub name: String,
    /// How many of its clusters may be worked on at once.
    pub max_concurrent: Share,
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
}

/// How far a cluster of a wave is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MemberState {
    /// Not started.
    Waiting,
    /// Worked on.
    Running,
    /// All steps are done, its workloads are watched.
    Soaking,
    /// Stopped, a person has to do something.
    Stopped,
    /// Done.
    Succeeded,
}

/// How a wave stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaveState {
    /// Waits for the wave before it.
    Pending,
    /// Its clusters are worked on.
    RollingOut,
    /// All steps are done, workloads are watched.
    Soaking,
    /// A cluster has stopped.
    Stopped,
    /// All its clusters have succeeded.
    Succeeded,
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
}

/// Decides which clusters start now. `suspended` starts none.
#[must_use]
pub fn decide_rollout(waves: &[Wave], suspended: bool) -> RolloutDecision {
    let mut start = Vec::new();
    let mut states = Vec::with_capacity(waves.len());
    let mut earlier_done = true;
    let any_stopped = waves.iter().any(|wave| wave.missing > 0 || wave.count(MemberState::Stopped) > 0);
    for wave in waves {
        let state = if earlier_done { wave.state() } else { WaveState::Pending };
        if state == WaveState::RollingOut
            && !suspended
            && (!any_stopped || planted(PlantedBug::IgnoreStopped))
        {
            start.extend(wave.to_start());
        }
        earlier_done &= state == WaveState::Succeeded || planted(PlantedBug::NextWaveEarly);
        states.push(state);
    }
    RolloutDecision { start, waves: states }
}

impl Wave {
    /// How many of its clusters are in a state.
    #[must_use]
    pub fn count(&self, state: MemberState) -> usize {
        self.members.iter().filter(|member| member.state == state).count()
    }

    fn state(&self) -> WaveState {
        let (stopped, succeeded) = (self.count(MemberState::Stopped), self.count(MemberState::Succeeded));
        // What became of a cluster that is gone is not known: not a success.
        if stopped > 0 || self.missing > 0 {
            WaveState::Stopped
        } else if succeeded == self.members.len() {
            WaveState::Succeeded
        } else if succeeded + self.count(MemberState::Soaking) == self.members.len() {
            WaveState::Soaking
        } else {
            WaveState::RollingOut
        }
    }

    fn to_start(&self) -> impl Iterator<Item = String> {
        let free =
            self.max_concurrent.of(self.members.len()).saturating_sub(self.count(MemberState::Running));
        let free = if planted(PlantedBug::IgnoreRunning) { usize::MAX } else { free };
        let waiting = self.members.iter().filter(|member| member.state == MemberState::Waiting);
        waiting.take(free).map(|member| member.name.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use MemberState::{Running, Soaking, Stopped, Succeeded, Waiting};

    fn wave(max_concurrent: Share, states: &[MemberState]) -> Wave {
        let members = states.iter().enumerate();
        Wave {
            name: "w".to_owned(),
            missing: 0,
            max_concurrent,
            members: members.map(|(n, state)| Member { name: format!("c{n}"), state: *state }).collect(),
        }
    }

    fn starts(waves: &[Wave]) -> Vec<String> {
        decide_rollout(waves, false).start
    }

    #[test]
    fn percentages_round_down_but_never_to_zero() {
        assert_eq!(Share::Percent(25).of(7), 1);
        assert_eq!(Share::Percent(25).of(8), 2);
        assert_eq!(Share::Percent(1).of(3), 1);
        assert_eq!(Share::Percent(100).of(3), 3);
        assert_eq!(Share::Number(2).of(9), 2);
    }

    #[test]
    fn starts_no_more_than_allowed_and_soaking_frees_a_place() {
        assert_eq!(starts(&[wave(Share::Number(2), &[Waiting, Waiting, Waiting])]), ["c0", "c1"]);
        assert_eq!(starts(&[wave(Share::Number(2), &[Running, Waiting, Waiting])]), ["c1"]);
        assert!(starts(&[wave(Share::Number(1), &[Running, Waiting])]).is_empty());
        assert_eq!(starts(&[wave(Share::Number(1), &[Soaking, Waiting])]), ["c1"]);
    }

    #[test]
    fn the_next_wave_waits_for_all_of_the_one_before() {
        let next = || wave(Share::Number(1), &[Waiting]);
        for unfinished in [Running, Soaking, Stopped] {
            let waves = [wave(Share::Number(1), &[Succeeded, unfinished]), next()];
            assert!(starts(&waves).is_empty(), "{unfinished:?}");
            assert_eq!(decide_rollout(&waves, false).waves[1], WaveState::Pending);
        }
        assert_eq!(starts(&[wave(Share::Number(1), &[Succeeded, Succeeded]), next()]), ["c0"]);
    }

    #[test]
    fn a_wave_whose_clusters_are_gone_has_not_succeeded() {
        let gone = Wave { missing: 1, ..wave(Share::Number(1), &[]) };
        let decision = decide_rollout(&[gone, wave(Share::Number(1), &[Waiting])], false);
        assert_eq!((decision.start, decision.waves[0]), (Vec::new(), WaveState::Stopped));
    }

    #[test]
    fn a_stopped_cluster_and_suspend_start_nothing_new() {
        assert!(starts(&[wave(Share::Number(3), &[Stopped, Running, Waiting])]).is_empty());
        assert!(decide_rollout(&[wave(Share::Number(3), &[Waiting])], true).start.is_empty());
    }
}
