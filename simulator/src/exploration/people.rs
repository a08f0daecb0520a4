//! The people around the operator: they look at what has stopped, mend it, and ask for another try; they
//! approve waves.

use std::time::Duration;

use engine::{Approval, Freeze};
use jiff::Timestamp;

use super::{
    case::Case,
    checks::{Checks, GONE, needs_a_person},
    happening::{Deed, Happening},
    hub::{Record, Upgrade},
    sim::{Event, State},
    timing::HubFreeze,
};

/// How often somebody looks.
const ROUND: Duration = Duration::from_secs(3600);
/// More tries than this and nobody believes in it any more.
const PATIENCE: u32 = 24;

/// Whether nothing goes on until somebody asks for it.
fn is_halted(record: &Record) -> bool {
    record.ledger.control.halt.is_some()
}

/// Whether nothing but the cluster's own maintenance configurations can be in the way: by what is told, or since
/// as little as can be asked for does not fit into them.
fn asks_to_ignore(upgrade: &Upgrade) -> bool {
    let Some((_, words)) = &upgrade.record.standing else { return false };
    let makes_do = upgrade.timing.minimum_remaining == Some(MADE_DO);
    words.contains("set spec.schedule.clusterWindows: Ignore")
        || (makes_do && words.contains("clusterWindows: Ignore"))
}

/// What must remain of a window that is too short for what is expected.
const MADE_DO: Duration = Duration::from_secs(300);

/// How often each upgrade was asked to try again.
#[derive(Debug)]
pub(super) struct People {
    asked: Vec<u32>,
    /// Until when nobody lets it go on.
    held: Vec<Option<Timestamp>>,
}

impl People {
    pub(super) fn new(case: &Case) -> Self {
        Self { asked: vec![0; case.upgrades.len()], held: vec![None; case.upgrades.len()] }
    }

    /// Suspends the plan, or lets it go on.
    pub(super) fn suspend_plan(state: &mut State, suspend: bool) {
        let Some(plan) = &mut state.hub.plan else { return };
        if plan.request.suspend != suspend {
            plan.request.suspend = suspend;
            plan.version += 1;
            state.tell("person", &format!("sets spec.suspend={suspend} on the plan"));
            state.hub.plan_watchers().into_iter().for_each(|task| state.wake(task));
        }
    }

    /// Asks everything of the plan that has stopped for another try.
    pub(super) fn retry_plan(state: &mut State) {
        let Some(plan) = &mut state.hub.plan else { return };
        plan.version += 1;
        plan.request.retry = Some(format!("plan-retry-{}", plan.version));
        state.tell("person", "sets tidegate.dev/retry on the plan");
        state.hub.plan_watchers().into_iter().for_each(|task| state.wake(task));
    }

    /// Approves a wave of the rollout that runs; without one there is nothing to approve.
    pub(super) fn approve(state: &mut State, wave: usize, approver: &str) {
        let now = state.now;
        let Some(plan) = &mut state.hub.plan else { return };
        let (Some(rollout), Some(wave)) = (&plan.rollout, plan.request.waves.get(wave)) else { return };
        let (wave, number) = (wave.name.clone(), plan.approvals.len());
        plan.approvals.push(Approval {
            name: format!("approval-{number}"),
            wave: wave.clone(),
            rollout: rollout.id.clone(),
            plan_hash: rollout.plan_hash.clone(),
            approver: approver.to_owned(),
            reason: "as planned".to_owned(),
            given_at: now,
        });
        state.tell("person", &format!("{approver} approves {wave}"));
        state.hub.plan_watchers().into_iter().for_each(|task| state.wake(task));
    }

    /// Two people approve every wave of which nothing has started.
    fn approve_what_waits(state: &mut State) {
        let waves = state.hub.plan.as_ref().map_or(0, |plan| plan.request.waves.len());
        for wave in 0..waves {
            let Some(plan) = &state.hub.plan else { return };
            let (asked, rollout) =
                (&plan.request.waves[wave], plan.rollout.as_ref().map(|rollout| &rollout.id));
            let started = state.hub.upgrades.iter().any(|upgrade| {
                upgrade.wave == asked.name
                    && Some(&upgrade.rollout) == rollout
                    && upgrade.place.is_some_and(|place| place.admitted)
            });
            if asked.approvals.is_some() && !started {
                Self::approve(state, wave, "cem");
                Self::approve(state, wave, "dan");
            }
        }
    }

    /// Somebody goes through the upgrades: those that were suspended go on, those that wait for a person
    /// are tried again. What passes by itself must do so: nobody helps it.
    pub(super) fn look(state: &mut State) {
        Self::suspend_plan(state, false);
        Self::approve_what_waits(state);
        for index in 0..state.hub.upgrades.len() {
            Checks::note_need(state, index);
            let upgrade = &state.hub.upgrades[index];
            let is_idle = upgrade.place.is_none() && Checks::is_continuous(state);
            if upgrade.is_over() || is_idle {
                continue;
            }
            let reason = upgrade.record.standing.as_ref().map(|(reason, _)| reason.as_str());
            if Self::holds(state, index) {
                continue;
            }
            if upgrade.request.suspend {
                Self::resume(state, index);
            } else if reason == Some(GONE) && state.hub.plan.is_none() {
                state.schedule_in(Duration::ZERO, Event::Happens(Happening::Delete { upgrade: index }));
            } else if asks_to_ignore(upgrade) {
                Self::ignore_own(state, index);
            } else if reason == Some("WindowTooShort") {
                Self::make_do(state, index);
            } else if upgrade.record.stopped
                && (reason.is_some_and(needs_a_person) || is_halted(&upgrade.record))
            {
                Self::repair(state, index);
                Self::retry(state, index);
            }
        }
        let pause = if state.is_long { 24 * ROUND } else { ROUND };
        state.schedule_in(pause, Event::PersonLooks);
    }

    /// Does what the operator says when it refuses to begin: finishes what somebody aborted, or what failed.
    fn repair(state: &mut State, index: usize) {
        let refused = |(reason, _): &(String, String)| reason == "PreflightBlocked";
        let upgrade = &state.hub.upgrades[index];
        if !upgrade.record.standing.as_ref().is_some_and(refused) {
            return;
        }
        let Some(key) = state.checks.key_of(index) else { return };
        let Some(view) = state.world.cluster_view(&key) else { return };
        let broken = |word: &str| word == "Failed" || word == "Canceled";
        let pool = view.pools.into_iter().find(|pool| broken(&pool.provisioning_state));
        let deed = match pool {
            // In the order in which the operator names them: a pool does not get ahead of its control plane.
            _ if broken(&view.provisioning_state) => Deed::UpdateCluster,
            Some(pool) => Deed::UpgradePool { pool: pool.name, to: pool.orchestrator_version },
            None => return,
        };
        state.schedule_in(Duration::ZERO, Event::Happens(Happening::Somebody { cluster: key, deed }));
    }

    /// Asks for another try.
    pub(super) fn retry(state: &mut State, index: usize) {
        let Some(asked) = state.people.asked.get_mut(index).filter(|asked| **asked < PATIENCE) else {
            return;
        };
        *asked += 1;
        state.checks.somebody_asks(state.now);
        let token = format!("retry-{asked}");
        let name = state.hub.upgrades[index].name.clone();
        state.tell("person", &format!("sets tidegate.dev/retry={token} on {name}"));
        let tasks = state.hub.edit(index, |request| request.retry = Some(token));
        tasks.into_iter().for_each(|task| state.wake(task));
    }

    /// Freezes clusters; a freeze that is there already stays as it is.
    pub(super) fn freeze(state: &mut State, freeze: Freeze, only: Option<usize>) {
        let is_there = |known: &HubFreeze| known.freeze.name == freeze.name && known.lifted_at.is_none();
        if state.hub.freezes.iter().any(is_there) {
            return;
        }
        let until = freeze.until.map_or("for good".to_owned(), |until| format!("until {until}"));
        state.tell("person", &format!("makes {} from {} {until}", freeze.name, freeze.from));
        let made_at = state.now;
        state.hub.freezes.push(HubFreeze { freeze, only, made_at, lifted_at: None });
        Self::wake_all(state);
    }

    /// Takes a freeze away.
    pub(super) fn lift(state: &mut State, name: &str) {
        let now = state.now;
        let there =
            state.hub.freezes.iter_mut().find(|known| known.freeze.name == name && known.lifted_at.is_none());
        if let Some(known) = there {
            known.lifted_at = Some(now);
            state.tell("person", &format!("takes {name} away"));
            Self::wake_all(state);
        }
    }

    /// Watches of freezes wake every upgrade.
    fn wake_all(state: &mut State) {
        let tasks: Vec<_> =
            (0..state.hub.upgrades.len()).flat_map(|index| state.hub.watchers(index)).collect();
        tasks.into_iter().for_each(|task| state.wake(task));
    }

    /// Says what must remain of a window that is too short for what is expected.
    fn make_do(state: &mut State, index: usize) {
        let upgrade = &mut state.hub.upgrades[index];
        upgrade.timing.minimum_remaining = Some(MADE_DO);
        let name = upgrade.name.clone();
        state.tell("person", &format!("sets minimumRemaining on {name}"));
        let tasks = state.hub.edit(index, |_| ());
        tasks.into_iter().for_each(|task| state.wake(task));
    }

    /// Leaves the cluster's own maintenance configurations to AKS.
    fn ignore_own(state: &mut State, index: usize) {
        let upgrade = &mut state.hub.upgrades[index];
        upgrade.timing.ignores_own = true;
        let name = upgrade.name.clone();
        state.tell("person", &format!("sets clusterWindows: Ignore on {name}"));
        let tasks = state.hub.edit(index, |_| ());
        tasks.into_iter().for_each(|task| state.wake(task));
    }

    /// Suspends an upgrade until an instant.
    pub(super) fn hold(state: &mut State, index: usize, until: Timestamp) {
        if let Some(held) = state.people.held.get_mut(index) {
            *held = Some(until);
        }
        Self::suspend(state, index);
    }

    /// Whether nobody lets it go on yet.
    pub(super) fn holds(state: &State, index: usize) -> bool {
        let until = state.people.held.get(index).copied().flatten();
        until.is_some_and(|until| state.now < until)
    }

    /// Suspends an upgrade.
    pub(super) fn suspend(state: &mut State, index: usize) {
        Self::set_suspend(state, index, true);
    }

    /// Lets a suspended upgrade go on.
    pub(super) fn resume(state: &mut State, index: usize) {
        Self::set_suspend(state, index, false);
    }

    fn set_suspend(state: &mut State, index: usize, suspend: bool) {
        let Some(upgrade) = state.hub.upgrades.get(index) else { return };
        let words = format!("sets spec.suspend={suspend} on {}", upgrade.name);
        state.tell("person", &words);
        let tasks = state.hub.edit(index, |request| request.suspend = suspend);
        Checks::after_suspend(state, index, suspend);
        tasks.into_iter().for_each(|task| state.wake(task));
    }
}
