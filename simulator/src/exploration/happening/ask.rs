//! What people ask of an upgrade besides to go on, at good moments and at bad ones.

use std::time::Duration;

use engine::Phase;

use crate::exploration::{
    happening::{AzureChange, Deed, Happening},
    sim::{Event, State},
};

/// How long somebody waits before asking for the same once more.
const AGAIN: Duration = Duration::from_secs(900);
/// How often somebody looks whether there is something to abort.
const LOOKS_AGAIN: Duration = Duration::from_secs(60);
/// After this Azure is done with an abort.
const ABORTED: Duration = Duration::from_secs(12);

/// What is asked for.
#[derive(Clone, Debug)]
pub(in crate::exploration) enum Ask {
    Skip,
    /// Once, or once more after a moment.
    Abort {
        again: Option<Duration>,
    },
    /// As somebody locks the cluster.
    AbortUnderLock,
    /// As somebody else has aborted what runs, and begun something of their own.
    AbortOfOthers,
    /// Again and again, so often at most, until it is not refused.
    RollBack {
        pool: String,
        times: u32,
    },
}

impl Ask {
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Abort { .. } => "abort",
            Self::AbortUnderLock => "abort under a lock",
            Self::AbortOfOthers => "abort of what others do",
            Self::RollBack { .. } => "rollback",
        }
    }

    /// Asks, so long from now.
    pub(super) fn make(self, state: &mut State, upgrade: usize, after: Duration) {
        if !after.is_zero() {
            return self.later(state, upgrade, after);
        }
        let Some(of) = state.hub.upgrades.get(upgrade).filter(|of| !of.gone) else { return };
        // People who come too late ask all the same, while things go wrong.
        let is_done = of.record.ledger.control.halt.is_some() && matches!(self, Self::RollBack { .. });
        let is_lost =
            state.checks.key_of(upgrade).is_some_and(|cluster| state.world.document(&cluster).is_none());
        if is_done || is_lost && !state.goes_wrong() || of.is_over() && !state.goes_wrong() {
            return;
        }
        match self {
            Self::AbortUnderLock => return lock(state, upgrade),
            Self::AbortOfOthers => return overtake(state, upgrade),
            Self::Skip | Self::Abort { .. } | Self::RollBack { .. } => {}
        }
        let token = format!("{}-{}", self.name(), of.generation);
        let value = if let Self::RollBack { pool, .. } = &self { format!("{pool}/{token}") } else { token };
        let words = format!("asks {} to {}: {value}", of.name, self.name());
        let is_over = of.is_over();
        state.tell("person", &words);
        let tasks = state.hub.edit(upgrade, |request| match &self {
            Self::Skip => request.asked.skip = Some(value),
            Self::Abort { .. } | Self::AbortUnderLock | Self::AbortOfOthers => {
                request.asked.abort = Some(value);
            }
            Self::RollBack { .. } => request.asked.rollback = Some(value),
        });
        state.checks.somebody_asks(state.now);
        tasks.into_iter().for_each(|task| state.wake(task));
        match self {
            Self::RollBack { pool, times: times @ 1.. } if !is_over => {
                Self::RollBack { pool, times: times - 1 }.later(state, upgrade, AGAIN);
            }
            Self::Abort { again: Some(pause) } => {
                Self::Abort { again: None }.later(state, upgrade, pause);
            }
            Self::RollBack { .. }
            | Self::Abort { again: None }
            | Self::AbortUnderLock
            | Self::AbortOfOthers
            | Self::Skip => {}
        }
    }

    fn later(self, state: &mut State, upgrade: usize, after: Duration) {
        let ask = Happening::Ask { upgrade, ask: self, after: Duration::ZERO };
        state.schedule_in(after, Event::Happens(ask));
    }
}

/// The step of an upgrade that Azure works on: its pool, if it has one. Until there is one, it is looked again.
fn awaited(state: &mut State, upgrade: usize, ask: Ask) -> Option<Option<String>> {
    let running = running(state, upgrade);
    if running.is_none() && state.goes_wrong() {
        ask.later(state, upgrade, LOOKS_AGAIN);
    }
    running
}

/// The same, now.
fn running(state: &State, upgrade: usize) -> Option<Option<String>> {
    let current = state.hub.upgrades[upgrade].record.ledger.current();
    let (_, record) = current.filter(|(operation, _)| operation.phase == Phase::Submitted)?;
    Some(record.step.pool.clone()).filter(|_| state.goes_wrong())
}

/// Somebody locks the cluster while Azure works on it, and somebody else wants that aborted.
fn lock(state: &mut State, upgrade: usize) {
    let Some(cluster) = state.checks.key_of(upgrade) else { return };
    if awaited(state, upgrade, Ask::AbortUnderLock).is_some() {
        AzureChange::Lock { cluster, locked: true }.carry_out(state);
        Ask::Abort { again: None }.make(state, upgrade, Duration::ZERO);
    }
}

/// Somebody else aborts what the upgrade has running, and begins something on the same resource; then the upgrade
/// is asked to abort what it does.
fn overtake(state: &mut State, upgrade: usize) {
    let Some(cluster) = state.checks.key_of(upgrade) else { return };
    let Some(pool) = awaited(state, upgrade, Ask::AbortOfOthers) else { return };
    let own = match pool.clone() {
        Some(pool) => Deed::RefreshImage { pool },
        None => Deed::UpdateCluster,
    };
    let abort = Deed::Abort { pool };
    if abort.carry_out(state, &cluster) != Some(true) {
        return;
    }
    let begins = Happening::Somebody { cluster, deed: own };
    state.schedule_in(ABORTED, Event::Happens(begins));
    Ask::Abort { again: None }.later(state, upgrade, ABORTED + Duration::from_millis(1));
}
