//! The people around the operator: they look at what has stopped, mend it, and ask for another try.

use std::time::Duration;

use super::{
    case::Case,
    checks::{Checks, needs_a_person},
    happening::{Deed, Happening},
    sim::{Event, State},
};

/// How often somebody looks.
const ROUND: Duration = Duration::from_secs(3600);
/// More tries than this and nobody believes in it any more.
const PATIENCE: u32 = 24;

/// How often each upgrade was asked to try again.
#[derive(Debug)]
pub(super) struct People {
    asked: Vec<u32>,
}

impl People {
    pub(super) fn new(case: &Case) -> Self {
        Self { asked: vec![0; case.upgrades.len()] }
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

    /// Somebody goes through the upgrades: those that were suspended go on, those that wait for a person
    /// are tried again. What passes by itself must do so: nobody helps it.
    pub(super) fn look(state: &mut State) {
        Self::suspend_plan(state, false);
        for index in 0..state.hub.upgrades.len() {
            let upgrade = &state.hub.upgrades[index];
            if upgrade.is_over() {
                continue;
            }
            let reason = upgrade.record.standing.as_ref().map(|(reason, _)| reason.as_str());
            if upgrade.request.suspend {
                Self::resume(state, index);
            } else if upgrade.record.stopped && reason.is_some_and(needs_a_person) {
                Self::repair(state, index);
                Self::retry(state, index);
            }
        }
        state.schedule_in(ROUND, Event::PersonLooks);
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
        let token = format!("retry-{asked}");
        let name = state.hub.upgrades[index].name.clone();
        state.tell("person", &format!("sets tidegate.dev/retry={token} on {name}"));
        let tasks = state.hub.edit(index, |request| request.retry = Some(token));
        tasks.into_iter().for_each(|task| state.wake(task));
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
