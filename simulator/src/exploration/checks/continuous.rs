//! Rules about continuous plans: one rollout after the other, each when it is needed and soon enough, none for
//! what is not; and what is remembered of them is what was so.

use std::time::Duration;

use engine::{Ledger, Mode, NodeImagePolicy, Rollout, Scope, StepState};
use jiff::Timestamp;
use semver::Version;
use serde_json::Value;

use super::{Checks, plans::has_failed, rules};
use crate::{
    exploration::{hub::Upgrade, sim::State},
    world::Call,
};

const HOUR: Duration = Duration::from_secs(3600);
/// Within so much time a rollout starts for what a cluster needs: what Azure offers is asked for every six hours,
/// and reads may fail for a while.
const STARTS_WITHIN: Duration = Duration::from_secs(12 * 3600);
/// How old may be what a rollout starts on, as the documentation promises; and that clocks are off.
const KNOWLEDGE: Duration = Duration::from_secs(14 * 3600);
/// An image may come out between the look at what is offered, which is kept for half an hour, and the deed.
const OVERTAKEN: Duration = Duration::from_secs(2 * 3600);
/// A cluster in which nothing was to be done is no reason for another rollout, for nearly so long: clocks are off.
const FOUND_NOTHING: Duration = Duration::from_secs(23 * 3600);
/// An image alone, in a plan that says nothing of its age.
const ALONE_DAYS: u64 = 30;

impl Checks {
    /// Whether the plan of the case is a continuous one.
    pub(in crate::exploration) fn is_continuous(state: &State) -> bool {
        state.hub.plan.as_ref().is_some_and(|plan| plan.request.mode == Mode::Continuous)
    }

    /// What a cluster needs is noted when it was looked at, and once an hour.
    pub(in crate::exploration) fn note_need(state: &mut State, index: usize) {
        if !Self::is_continuous(state) {
            return;
        }
        let needs = really_needs(state, index);
        let now = state.now;
        if needs {
            state.checks.watched[index].needed_at = Some(now);
        }
        let runs = rollout_runs(state);
        let key = state.checks.keys[index].clone();
        let blind = state.inventory[index].blind.is_some_and(|(_, until)| now < until + HOUR);
        let registered = state.inventory[index].is_registered(now);
        // What a rollout has left undone, as somebody asked for it or because it has failed, is left in peace.
        let of = &state.hub.upgrades[index];
        let is_left = of.record.ledger.is_skipped() || has_failed(of, now);
        // What somebody else has left broken is theirs to mend.
        let broken = |pool: &crate::world::PoolView| pool.provisioning_state != "Succeeded";
        let is_broken = state.world.cluster_view(&key).is_some_and(|view| view.pools.iter().any(broken));
        let needs = needs && !is_broken;
        let found_nothing = state.checks.watched[index].found_nothing_at;
        let rests = found_nothing.is_some_and(|at| now < at + FOUND_NOTHING + 2 * HOUR);
        let is_due = needs
            && !awaits_images(state, index)
            && !is_left
            && !rests
            && !runs
            && registered
            && !blind
            && !state.world.is_busy(&key)
            && !Self::nobody_runs(state);
        let since = &mut state.checks.watched[index].due_since;
        *since = is_due.then(|| since.unwrap_or(now).max(state.calm_from));
        let since = *since;
        let suspended = state.hub.plan.as_ref().is_some_and(|plan| plan.request.suspend);
        if let Some(since) = since.filter(|since| !suspended && now > *since + STARTS_WITHIN) {
            let what = format!("cluster {index} needs an upgrade since {since}, and no rollout starts");
            Self::violated(state, rules::IN_TIME, what);
        }
    }

    /// The record of the plan is written, and names another rollout than before.
    pub(in crate::exploration) fn rollout_begins(state: &mut State, before: Option<&Rollout>, new: &Rollout) {
        let Some(before) = before.filter(|before| before.id != new.id) else { return };
        state.tell("plan", &format!("begins {}", new.id));
        let now = state.now;
        // The plan holds what had failed and is to make way.
        let is_held = |upgrade: &Upgrade| upgrade.place.is_some_and(|place| place.suspended);
        let goes_on =
            |upgrade: &&Upgrade| !upgrade.is_over() && !has_failed(upgrade, now) && !is_held(upgrade);
        let unfinished =
            state.hub.upgrades.iter().filter(goes_on).find(|upgrade| upgrade.rollout == before.id);
        if let Some(unfinished) = unfinished.map(|upgrade| upgrade.name.clone()) {
            let what = format!("{} begins and {unfinished} is not done", new.id);
            Self::violated(state, rules::ONE_ROLLOUT, what);
        }
    }

    /// A cluster is made part of a rollout.
    pub(in crate::exploration) fn joins_rollout(state: &mut State, index: usize) {
        if !Self::is_continuous(state) {
            return;
        }
        let (now, name) = (state.now, state.hub.upgrades[index].name.clone());
        if state.is_long {
            state.checks.long_target = state.world.stable_target().map(|target| target.to_string());
        }
        Self::note_need(state, index);
        state.checks.watched[index].due_since = None;
        let known = state.checks.watched[index].needed_at;
        if known.is_none_or(|at| now > at + KNOWLEDGE) {
            let what = format!("{name} is made, and there is nothing that its cluster needs");
            return Self::violated(state, rules::NOT_NEEDED, what);
        }
        let noted = &state.inventory[index];
        let oldest = noted.cluster.as_ref().map(|(_, at)| *at).min(noted.offers.as_ref().map(|(_, at)| *at));
        let listed = noted.cluster.as_ref().map(|(_, at)| *at + 4 * HOUR);
        let is_old = |at: Option<Timestamp>| at.is_none_or(|at| now > at);
        if is_old(oldest.map(|at| at + KNOWLEDGE)) || is_old(listed) {
            let what = format!("{name} is made of what was known at {oldest:?}");
            Self::violated(state, rules::OLD_KNOWLEDGE, what);
        }
    }

    /// An upgrade of a continuous plan has come to its end. One that has found nothing to do was made for nothing:
    /// that happens only where others have changed what was known, or a region has released something since, and
    /// not again for a day.
    pub(super) fn found_something(state: &mut State, index: usize, (old, new): (&Ledger, &Ledger)) {
        let ends = old.finished_at.is_none() && new.finished_at.is_some() && !new.is_skipped();
        // The image of its rollout could not be had any more, which is told of it.
        let deviates = !new.deviations.is_empty();
        let has_done = new.steps.iter().any(|step| step.state != StepState::Planned);
        if !ends || deviates || has_done || !Self::is_continuous(state) {
            return;
        }
        let now = state.now;
        let last = state.checks.watched[index].found_nothing_at.replace(now);
        let released = state.checks.keys.iter().filter_map(|key| state.world.released_at(key)).max();
        let key = &state.checks.keys[index];
        let moved = state.checks.moved.iter().any(|(of, _)| of == key);
        let is_excused = moved || released.is_some_and(|at| now < at + KNOWLEDGE);
        let again = last.filter(|last| now < *last + FOUND_NOTHING && released.is_none_or(|at| at < *last));
        let name = state.hub.upgrades[index].name.clone();
        if let Some(last) = again {
            let what = format!("{name} has found nothing to do, as the one at {last}");
            Self::violated(state, rules::FOR_NOTHING, what);
        } else if !is_excused {
            let what = format!("{name} has found nothing to do, and nobody else has done it");
            Self::violated(state, rules::FOR_NOTHING, what);
        }
    }

    /// A ClusterUpgrade of an earlier rollout goes.
    pub(in crate::exploration) fn goes_with_its_rollout(state: &mut State, of: &Upgrade) {
        let Some(plan) = &state.hub.plan else { return };
        let known = plan.history.iter().find(|known| known.id == of.rollout);
        let all =
            state.hub.past.iter().chain(&state.hub.upgrades).filter(|upgrade| upgrade.rollout == of.rollout);
        let finished = all.filter(|upgrade| has_succeeded(upgrade)).count();
        if known.is_none_or(|known| usize::try_from(known.succeeded).unwrap_or_default() < finished) {
            let what = format!("{} is deleted, and {known:?} is all that is told of {}", of.name, of.rollout);
            Self::violated(state, rules::HISTORY, what);
        }
    }

    /// Azure has taken an upgrade of a pool: it brings the newest image that the region has. What it left half
    /// done has no other way out.
    pub(super) fn takes_the_pinned_image(state: &mut State, index: usize, call: &Call, document: &Value) {
        let request = &state.hub.upgrades[index].request;
        if request.node_image != NodeImagePolicy::Consistent || request.images.is_empty() {
            return;
        }
        let Some(pool) = super::asked::Asked::of(call).and_then(|asked| asked.pool().map(str::to_owned))
        else {
            return;
        };
        let shown = super::asked::pool_of(document, &pool);
        let is_half_done = |shown: &Value| {
            ["Failed", "Canceled"].contains(&shown["provisioningState"].as_str()?).then_some(())
        };
        // Nor has what only shows that it is done.
        let record = &state.hub.upgrades[index].record.ledger;
        let repairs = record.current().is_some_and(|(_, begun)| begun.repair);
        if repairs || shown.and_then(is_half_done).is_some() {
            return;
        }
        let key = state.checks.keys[index].clone();
        let Some(newest) = state.world.newest_image(&key, &pool) else { return };
        let Some(pinned) = engine::family(&newest).and_then(|family| request.images.get(family)).cloned()
        else {
            return;
        };
        let is_fresh = state.world.released_at(&key).is_some_and(|at| state.now < at + OVERTAKEN);
        if newest != pinned && !is_fresh {
            let what = format!("pool {pool} gets {newest}, and {pinned} is pinned");
            Self::violated(state, rules::ONE_IMAGE, what);
        }
    }

    /// The time is over: nothing is left that was needed for long, and history tells what was.
    pub(super) fn is_converged(state: &mut State) {
        let Some(plan) = state.hub.plan.clone().filter(|_| Self::is_continuous(state)) else { return };
        for index in 0..state.hub.upgrades.len() {
            Self::note_need(state, index);
        }
        let ids: std::collections::BTreeSet<String> = state
            .hub
            .upgrades
            .iter()
            .filter(|upgrade| upgrade.place.is_some())
            .map(|upgrade| upgrade.rollout.clone())
            .collect();
        for id in ids {
            let done = state.hub.upgrades.iter().filter(|upgrade| upgrade.rollout == id);
            let done = done.filter(|upgrade| has_succeeded(upgrade)).count();
            let told = plan.history.iter().find(|known| known.id == id);
            let ended =
                plan.rollout.as_ref().is_some_and(|rollout| rollout.id != id || rollout.ended_at.is_some());
            if ended
                && done > 0
                && told.is_none_or(|told| usize::try_from(told.succeeded).unwrap_or_default() < done)
            {
                let what = format!(
                    "{id} has brought {done} clusters to their end, and {told:?} is all that is told"
                );
                Self::violated(state, rules::HISTORY, what);
            }
        }
    }
}

/// Whether a rollout is under way: it has not ended, or what had failed in it goes on.
fn rollout_runs(state: &State) -> bool {
    let ended = state.hub.plan.as_ref().and_then(|plan| plan.rollout.as_ref()?.ended_at).is_some();
    let mut unfinished =
        state.hub.upgrades.iter().filter(|upgrade| upgrade.place.is_some() && !upgrade.is_over());
    unfinished.any(|upgrade| !ended || !has_failed(upgrade, state.now))
}

/// Whether an upgrade has come to its end, and was not left out.
fn has_succeeded(upgrade: &Upgrade) -> bool {
    upgrade.record.ledger.finished_at.is_some() && !upgrade.record.ledger.is_skipped()
}

/// Whether other regions have an image that this cluster's has yet to get, and all are to have the same.
fn awaits_images(state: &State, index: usize) -> bool {
    if state.hub.upgrades[index].template.node_image != NodeImagePolicy::Consistent {
        return false;
    }
    let newest = |index: usize| -> Vec<String> {
        let key = &state.checks.keys[index];
        let pools = state.world.cluster_view(key).map(|view| view.pools).unwrap_or_default();
        pools.iter().filter_map(|pool| state.world.newest_image(key, &pool.name)).collect()
    };
    let own = newest(index);
    let is_overtaken = |other: &String| {
        let same = own.iter().find(|image| engine::family(image) == engine::family(other));
        same.is_some_and(|image| engine::published(image) < engine::published(other))
    };
    (0..state.checks.keys.len()).flat_map(newest).any(|other| is_overtaken(&other))
}

/// Whether a cluster is really behind what is wanted of it, told from the model and from what was drawn.
fn really_needs(state: &State, index: usize) -> bool {
    let (key, arrival) = (&state.checks.keys[index], &state.checks.arrivals[index]);
    let request = &state.hub.upgrades[index].template;
    let Some(view) = state.world.cluster_view(key) else { return false };
    let behind = |at: &str, to: &str| {
        let versions = Version::parse(at).ok().zip(Version::parse(to).ok());
        versions.is_some_and(|(at, to)| at < to)
    };
    let target = state.checks.long_target.as_ref().or(arrival.control_plane.as_ref());
    if request.scope.has_control_plane() && target.is_some_and(|to| behind(&view.kubernetes_version, to)) {
        return true;
    }
    view.pools.iter().any(|pool| {
        let to = state.checks.long_target.as_ref().or(arrival.pools.get(&pool.name));
        let version =
            request.scope.has_pool_versions() && to.is_some_and(|to| behind(&pool.orchestrator_version, to));
        version || needs_image(state, index, (&pool.name, &pool.node_image_version))
    })
}

fn needs_image(state: &State, index: usize, (pool, image): (&str, &str)) -> bool {
    let (key, arrival) = (&state.checks.keys[index], &state.checks.arrivals[index]);
    let request = &state.hub.upgrades[index].template;
    let newest = state.world.newest_image(key, pool);
    let Some(newest) = newest.filter(|_| request.scope.has_images() && arrival.renewed.contains(pool)) else {
        return false;
    };
    let limit = match (request.max_image_age, request.scope) {
        (Some(age), _) => Some(age.as_secs() / 86_400),
        (None, Scope::NodeImage) => None,
        (None, Scope::Full | Scope::NodePools | Scope::ControlPlane) => Some(ALONE_DAYS),
    };
    let age = engine::age_in_days(image, state.now).unwrap_or(u32::MAX);
    newest != image && limit.is_none_or(|limit| u64::from(age) > limit)
}
