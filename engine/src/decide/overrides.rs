//! Settings that a step overrides: what is recorded before, what is sent, and how it is put back.
//!
//! A step that writes the resource's document brings its settings along; an image step has none, and
//! a pool's step cannot bring those of the cluster: these need a write before. Afterwards they are
//! put back as soon as Azure is done with the step, before nodes and workloads are judged.
//!
//! A step that has stopped for a person is no reason to leave them, either, with one exception: a pool
//! in state Failed or Canceled. Any PUT makes Azure go on with what it had begun there, so putting
//! settings back would start again what is held, or what somebody has aborted, and with other
//! settings. It is done when the person has decided: on `retry` with the step's own end, on
//! deletion at once.

use std::time::Duration;

use super::{Decision, View, answer::refused, control::may_be_on_its_way, record};
use crate::{
    action::Action,
    cluster::{Cluster, ProvisioningState},
    failure::Failure,
    instants::later,
    ledger::{Ledger, Phase},
    observation::Unreadable,
    plan::Plan,
    planted::{PlantedBug, planted},
    policy::Policy,
    settings::{Restore, Setting, Settings},
    step::{Step, StepKind},
    waiting::{Stance, WaitingOn},
};

/// How long a write, or its lost answer, may be ahead of what is read: an old document would otherwise
/// pass for settings that were never changed, and they would stay changed for ever.
const SETTLES: Duration = Duration::from_secs(120);

/// How many settings are remembered that were left to others.
const REMEMBERED: usize = 32;

/// What AKS refuses for a pool although each setting by itself is right.
///
/// # Errors
/// Naming the setting, the pool, and what would be right.
pub(super) fn check(policy: &Policy, cluster: &Cluster, plan: &Plan) -> Result<(), String> {
    let pools = plan.steps.iter().filter_map(|planned| cluster.pool(planned.step.pool.as_ref()?));
    for pool in pools.filter(|pool| pool.mode.eq_ignore_ascii_case("System")) {
        if policy.pool_settings(pool).0.contains_key(&Setting::MaxUnavailable) {
            return Err(format!(
                "upgradeSettings.maxUnavailable cannot be used for pool {}: Azure does not take it for system pools; give match mode System a maxSurge in spec.nodePools.order",
                pool.name
            ));
        }
    }
    Ok(())
}

/// What is to be recorded before the step is sent.
pub(super) fn planned(view: &View<'_>, cluster: &Cluster, step: &Step) -> Vec<Restore> {
    let policy = &view.request.policy;
    let recorded =
        |pool: Option<&str>| view.ledger.restore.iter().find(|known| known.pool.as_deref() == pool);
    let mut all = Vec::new();
    if let Some(pool) = step.pool.as_ref().and_then(|name| cluster.pool(name)) {
        let (name, wanted) = (Some(pool.name.as_str()), policy.pool_settings(pool));
        all.extend(Restore::plan(name, &wanted, &pool.upgrade_settings, recorded(name)));
    }
    let wanted = policy.cluster_settings(view.now);
    all.extend(Restore::plan(None, &wanted, &cluster.override_settings, recorded(None)));
    let others = view.ledger.restore.iter().filter(|known| known.pool.is_some() && known.pool != step.pool);
    all.extend(others.cloned());
    all
}

/// Sends the step, or first the settings that it cannot bring along; what they were before is
/// recorded before either.
pub(super) fn submit(view: &View<'_>, cluster: &Cluster, step: &Step) -> Decision {
    let restore = planned(view, cluster, step);
    if restore != view.ledger.restore && !planted(PlantedBug::OverrideUnrecorded) {
        return record(Ledger { restore, ..view.ledger.clone() });
    }
    let brings = |known: &Restore| match step.kind {
        StepKind::ControlPlane | StepKind::NodePoolVersion | StepKind::NodePoolRollback => {
            known.pool == step.pool
        }
        StepKind::NodePoolImage => false,
    };
    let missing = restore.iter().find(|known| {
        !brings(known) && shown(cluster, known).is_some_and(|shown| !known.is_in_effect(shown))
    });
    match missing {
        Some(known) if known.sent_at.is_some_and(|at| view.now < later(at, SETTLES)) => {
            Decision::Wait(WaitingOn::ChangingSettings(known.subject()))
        }
        Some(known) if known.sent_at.is_some() => record(not_taken(view, known)),
        Some(known) => {
            Decision::Submit(Action::Override { pool: known.pool.clone(), settings: known.ours.changes() })
        }
        None => {
            let brought = restore.iter().find(|known| brings(known));
            let settings = brought.map(|known| known.ours.changes()).unwrap_or_default();
            Decision::Submit(Action::Step { step: step.clone(), settings })
        }
    }
}

/// Azure accepted settings and does not show them: that counts as an attempt, so it does not go on
/// for ever.
fn not_taken(view: &View<'_>, known: &Restore) -> Ledger {
    let message =
        format!("Azure has accepted upgrade settings of {} and does not show them", known.subject());
    let failure = Failure::new(None, Some("SettingsNotTaken"), None, &message);
    let mut ledger = refused(view.ledger, &failure, None, view);
    for record in ledger.restore.iter_mut().filter(|record| record.pool == known.pool) {
        record.sent_at = None;
    }
    ledger
}

/// What a busy cluster is busy with, when that is settings of the step whose intent is recorded.
pub(super) fn changing(ledger: &Ledger, cluster: &Cluster) -> Option<WaitingOn> {
    let is_busy = |known: &&Restore| {
        let state = match &known.pool {
            None => Some(&cluster.provisioning_state),
            Some(name) => cluster.pool(name).map(|pool| &pool.provisioning_state),
        };
        let in_effect = shown(cluster, known).is_some_and(|shown| known.is_in_effect(shown));
        in_effect && state.is_some_and(ProvisioningState::is_busy)
    };
    let begun = ledger.restore.iter().find(|known| known.attempts > 0);
    let overridden = || ledger.restore.iter().find(is_busy);
    let changing = |known: &Restore| WaitingOn::ChangingSettings(known.subject());
    begun.map(WaitingOn::restoring).or_else(|| overridden().map(changing))
}

/// A step whose intent waits for a person leaves nothing changed meanwhile, where that is safe.
pub(super) fn not_while_stopped(view: &View<'_>, cluster: &Cluster, decision: Decision) -> Decision {
    let Decision::Wait(waiting) = &decision else { return decision };
    let for_a_person = match waiting.stance() {
        Stance::Stopped | Stance::Parked => true,
        Stance::Working => false,
    };
    let pools = view.ledger.restore.iter().filter_map(|known| cluster.pool(known.pool.as_ref()?));
    let step_pool = view.ledger.current().and_then(|(_, record)| cluster.pool(record.step.pool.as_ref()?));
    let states = pools.chain(step_pool).map(|pool| &pool.provisioning_state);
    let is_whole = |state: &ProvisioningState| *state == ProvisioningState::Succeeded;
    if for_a_person && states.chain([&cluster.provisioning_state]).all(is_whole) {
        return restoring(view).unwrap_or(decision);
    }
    decision
}

/// Azure calls the step done: whatever its nodes show, and whoever has to look at them, they are waited for
/// with the settings put back. While Azure does that, the resource is busy, and nobody else has moved it.
pub(super) fn after_the_step(view: &View<'_>, cluster: &Cluster, is_done: bool) -> Option<Decision> {
    let begun = view.ledger.restore.iter().any(|known| known.attempts > 0);
    if is_done || (begun && cluster.busy_with().is_some()) { restoring(view) } else { None }
}

/// Puts back what was changed for a step. `None` when there is nothing to put back.
pub(super) fn restoring(view: &View<'_>) -> Option<Decision> {
    let known = view.ledger.restore.first().filter(|_| !planted(PlantedBug::ForgetRestore))?;
    let cluster = match &view.seen.cluster {
        Ok(cluster) => cluster,
        Err(Unreadable::Gone(_)) => {
            return Some(record(Ledger { restore: Vec::new(), ..view.ledger.clone() }));
        }
        Err(why) => return Some(Decision::Wait(WaitingOn::unreadable(why))),
    };
    if cluster.busy_with().is_some() {
        return Some(Decision::Wait(WaitingOn::restoring(known)));
    }
    let Some(shown) = shown(cluster, known) else { return Some(record(over(view, known, Vec::new()))) };
    let settings = known.undo(shown);
    if settings.is_empty() && may_still_come(view, known) {
        return Some(Decision::Wait(WaitingOn::restoring(known)));
    }
    if settings.is_empty() {
        return Some(record(over(view, known, known.changed_by_others(shown))));
    }
    if known.not_before.is_some_and(|at| view.now < at) {
        return Some(Decision::Wait(WaitingOn::restoring(known)));
    }
    Some(Decision::Submit(Action::Restore { pool: known.pool.clone(), settings }))
}

/// Whether our own change may have been made and not be shown yet.
fn may_still_come(view: &View<'_>, known: &Restore) -> bool {
    let operation = view.ledger.operation.as_ref();
    let claimed = operation.map(|operation| operation.intent_at);
    let accepted = operation.and_then(|operation| operation.submitted_at);
    let last = claimed.max(accepted).max(known.sent_at);
    let settles = last.is_some_and(|at| view.now < later(at, SETTLES));
    // Also a process that was stopped after its claim may still send it.
    let intent = operation.filter(|operation| operation.phase == Phase::Intent);
    let on_its_way = intent.is_some_and(|operation| may_be_on_its_way(operation, view.now));
    !known.is_given_back() && (settles || on_its_way)
}

/// Nothing is left to put back there.
fn over(view: &View<'_>, known: &Restore, changed_by_others: Vec<String>) -> Ledger {
    let mut ledger = view.ledger.clone();
    ledger.restore.retain(|record| record.pool != known.pool);
    for setting in changed_by_others {
        if !ledger.left_to_others.contains(&setting) && ledger.left_to_others.len() < REMEMBERED {
            ledger.left_to_others.push(setting);
        }
    }
    ledger
}

/// The settings of what is recorded; `None` when its pool does not exist.
fn shown<'a>(cluster: &'a Cluster, known: &Restore) -> Option<&'a Settings> {
    match &known.pool {
        None => Some(&cluster.override_settings),
        Some(name) => cluster.pool(name).map(|pool| &pool.upgrade_settings),
    }
}
