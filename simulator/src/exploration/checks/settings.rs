//! Rule 6: settings that were changed for a step are on record for as long as they are not as before.
//!
//! As before: as in the beginning, or as somebody else has made them since. That is looked at whenever
//! Azure or the record has changed, and by the clock for what takes too long.

use std::{collections::BTreeMap, time::Duration};

use engine::{HaltedAfter, Phase, Restore, StepState};
use jiff::Timestamp;
use serde_json::Value;

use super::{Checks, rules};
use crate::{
    effects::ClusterKey,
    exploration::{hub::Record, sim::State},
    world::World,
};

/// For how long settings may stay changed when nothing needs them any more, and nothing is in the way:
/// what was sent may show two minutes later, and a read may be a minute old.
const PUT_BACK: Duration = Duration::from_secs(15 * 60);
/// How much longer where Azure has refused to take them back: as long as it is left alone with what was in the way.
const REFUSED: Duration = Duration::from_secs(30 * 60);
/// How much longer where clocks were wrong.
const JUMPED: Duration = Duration::from_secs(2 * 3600);

/// Settings of upgrades: of each pool, and of the cluster under no name.
type Settings = BTreeMap<String, Value>;

impl Checks {
    /// Azure may show other settings than before: our own, or somebody else's, which are the ones to keep.
    pub(super) fn settings_may_have_changed(state: &mut State, index: usize, ours: bool) {
        let Some(key) = state.checks.key_of(index) else { return };
        let watched = &mut state.checks.watched[index];
        let shown = shown(&state.world, &key, &watched.settings);
        // A pool that somebody deletes takes its settings along.
        watched.settings.retain(|name, _| shown.contains_key(name));
        if shown != watched.shown && !ours {
            for (name, now) in &shown {
                let was = watched.shown.get(name).unwrap_or(&Value::Null);
                follow(watched.settings.entry(name.clone()).or_default(), was, now);
            }
        }
        watched.shown = shown;
        Self::settings_are_recorded(state, index);
    }

    /// Whatever is not as before is on record, with what was there before.
    pub(super) fn settings_are_recorded(state: &mut State, index: usize) {
        let watched = &mut state.checks.watched[index];
        watched.overridden = watched
            .settings
            .iter()
            .filter(|(name, before)| watched.shown.get(*name).is_some_and(|shown| !is_same(before, shown)))
            .map(|(name, _)| name.clone())
            .collect();
        if watched.overridden.is_empty() {
            watched.idle_overridden = None;
            return;
        }
        let watched = &state.checks.watched[index];
        let upgrade = &state.hub.upgrades[index];
        let unrecorded = watched.overridden.iter().find_map(|name| {
            let recorded = upgrade
                .record
                .ledger
                .restore
                .iter()
                .find(|known| known.pool.as_deref().unwrap_or_default() == *name);
            unrecorded(&watched.settings[name], &watched.shown[name], recorded)
                .map(|what| (name.clone(), what))
        });
        if let Some((name, what)) = unrecorded {
            let what = format!("{} {}: {what}", upgrade.name, subject(&name));
            Self::violated(state, rules::SETTINGS, what);
        }
    }

    /// A record was written: some of what it may say, it may only say when all is as before.
    pub(super) fn settings_are_back(state: &mut State, index: usize, before: &Record, after: &Record) {
        Self::settings_are_recorded(state, index);
        let Some(says) = says_that_they_are_back(before, after) else { return };
        let watched = &state.checks.watched[index];
        if let Some(name) = watched.overridden.first() {
            let (was, is) = (&watched.settings[name], watched.shown.get(name));
            let what = format!("{says}, {} had {was} and has {is:?}", subject(name));
            Self::violated(state, rules::SETTINGS, what);
        }
    }

    /// Time passes: what nothing needs any more is put back soon.
    pub(super) fn settings_come_back(state: &mut State, index: usize, key: &ClusterKey) {
        if state.checks.watched[index].overridden.is_empty() {
            return;
        }
        let upgrade = &state.hub.upgrades[index];
        let ledger = &upgrade.record.ledger;
        let needed = ledger.operation.as_ref().is_some_and(|operation| match operation.phase {
            Phase::Intent | Phase::Submitted | Phase::Verifying => true,
            Phase::Gating | Phase::Soaking => false,
        });
        let excused = needed
            || stays_aborted(state, index, key)
            || state.now < state.calm_from
            || state.world.is_busy(key)
            || Self::nobody_runs(state);
        let watched = &mut state.checks.watched[index];
        if excused {
            watched.idle_overridden = None;
            return;
        }
        let since: Timestamp = *watched.idle_overridden.get_or_insert(state.now);
        let was_refused = ledger.restore.iter().any(|record| record.failure.is_some());
        let refused = if was_refused { REFUSED } else { Duration::ZERO };
        let jumped = if state.clocks_jumped { JUMPED } else { Duration::ZERO };
        let allowed = PUT_BACK + refused + jumped;
        if state.now > since + allowed {
            let names = watched.overridden.join(", ");
            let what = format!(
                "{} has settings of a step since {since}, and needs them no more: {names}",
                upgrade.name
            );
            Self::violated(state, rules::SETTINGS, what);
        }
    }
}

/// Whether a rollback was refused of a pool that was aborted, or has failed: a write would have Azure go on with
/// what it was at.
fn stays_aborted(state: &State, index: usize, key: &ClusterKey) -> bool {
    let halt = state.hub.upgrades[index].record.ledger.control.halt.as_ref();
    let pools = state.world.cluster_view(key).map(|view| view.pools).unwrap_or_default();
    halt.is_some_and(|halt| halt.after == HaltedAfter::RefusedRollback)
        && pools.iter().any(|pool| pool.provisioning_state != "Succeeded")
}

/// The settings that Azure shows, of the resources that there were in the beginning, and still are.
fn shown(world: &World, key: &ClusterKey, known: &Settings) -> Settings {
    let of = |name: &String| {
        let properties = world.properties(key, (!name.is_empty()).then_some(name.as_str()))?;
        let goes = properties.get("provisioningState").is_some_and(|state| state == "Deleting");
        let settings = || properties.get("upgradeSettings").cloned().unwrap_or_default();
        (!goes).then(|| (name.clone(), settings()))
    };
    known.keys().filter_map(of).collect()
}

/// What somebody has changed is what is to be so.
fn follow(wanted: &mut Value, was: &Value, is: &Value) {
    if was == is {
        return;
    }
    let (Value::Object(old), Value::Object(new)) = (was, is) else {
        *wanted = is.clone();
        return;
    };
    if !wanted.is_object() {
        *wanted = Value::Object(serde_json::Map::new());
    }
    for key in old.keys().chain(new.keys().filter(|key| !old.contains_key(*key))) {
        let (old, new) = (old.get(key).unwrap_or(&Value::Null), new.get(key).unwrap_or(&Value::Null));
        if old != new {
            follow(&mut wanted[key], old, new);
        }
    }
}

/// The first setting that is not as before, and of which the record does not say so.
fn unrecorded(before: &Value, shown: &Value, recorded: Option<&Restore>) -> Option<String> {
    let (before, shown) = (leaves(before), leaves(shown));
    let names = before.keys().chain(shown.keys().filter(|name| !before.contains_key(*name)));
    names.filter(|name| before.get(*name) != shown.get(*name)).find_map(|name| {
        let (was, is) = (before.get(name), shown.get(name));
        let Some(recorded) = recorded else {
            return Some(format!("{name} went from {was:?} to {is:?}, and that is not recorded"));
        };
        let ours = recorded.ours.0.keys().any(|setting| setting.name() == name);
        let kept =
            recorded.before.0.iter().find(|(setting, _)| setting.name() == name).map(|(_, value)| value);
        let kept = kept.filter(|value| !is_default(name, value));
        (!ours || kept != was)
            .then(|| format!("{name} went from {was:?} to {is:?}, and what is recorded is {kept:?}"))
    })
}

/// What Azure uses where nothing is said, which is as good as saying it ("Upgrade options and
/// recommendations for AKS clusters").
const DEFAULTS: [(&str, &str); 6] = [
    ("maxSurge", "10%"),
    ("maxUnavailable", "0"),
    ("drainTimeoutInMinutes", "30"),
    ("nodeSoakDurationInMinutes", "0"),
    ("undrainableNodeBehavior", "Schedule"),
    ("forceUpgrade", "false"),
];

fn is_default(name: &str, value: &str) -> bool {
    DEFAULTS.contains(&(name, value))
}

/// Whether settings mean the same.
pub(super) fn is_same(one: &Value, other: &Value) -> bool {
    leaves(one) == leaves(other)
}

/// Settings by their names, as text, without those that say what goes without saying.
fn leaves(value: &Value) -> BTreeMap<String, String> {
    let mut found = all_leaves(value);
    found.retain(|name, value| !is_default(name, value));
    found
}

/// Settings by their names, as text; what is null is not there.
fn all_leaves(value: &Value) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for (key, value) in value.as_object().into_iter().flatten() {
        match value {
            Value::Null => {}
            Value::Object(_) => found.extend(all_leaves(value)),
            Value::String(text) => drop(found.insert(key.clone(), text.clone())),
            Value::Bool(_) | Value::Number(_) | Value::Array(_) => {
                drop(found.insert(key.clone(), value.to_string()));
            }
        }
    }
    found
}

/// What a new record says that is true only when all settings are as before.
fn says_that_they_are_back(before: &Record, after: &Record) -> Option<String> {
    let (before, after) = (&before.ledger, &after.ledger);
    let phase = |ledger: &engine::Ledger| ledger.operation.as_ref().map(|operation| operation.phase);
    let succeeded = |ledger: &engine::Ledger| {
        ledger.steps.iter().filter(|record| record.state == StepState::Succeeded).count()
    };
    if after.finished_at.is_some() && before.finished_at.is_none() {
        return Some("it is recorded as finished".to_owned());
    }
    if after.soak_until.is_some() && before.soak_until.is_none() {
        return Some("its soak begins".to_owned());
    }
    if phase(after) == Some(Phase::Soaking) && phase(before) != Some(Phase::Soaking) {
        return Some("the soak of a pool begins".to_owned());
    }
    if succeeded(after) > succeeded(before) {
        return Some("a step is recorded as done".to_owned());
    }
    let begun = after.current().filter(|_| before.operation.is_none());
    if let Some((_, record)) = begun {
        return Some(format!("{} begins", record.id));
    }
    let given_up = !before.restore.is_empty() && after.restore.is_empty();
    given_up.then(|| "nothing is recorded to be put back".to_owned())
}

fn subject(name: &str) -> String {
    if name.is_empty() { "the cluster".to_owned() } else { format!("pool {name}") }
}

#[cfg(test)]
mod tests {
    use engine::Setting;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_somebody_else_has_set_is_what_is_to_be_so() {
        let mut wanted = json!({"maxSurge": "1", "drainTimeoutInMinutes": 30});
        // Ours is 50 %; somebody sends it along and changes the other one.
        let was = json!({"maxSurge": "50%", "drainTimeoutInMinutes": 30});
        let is = json!({"maxSurge": "50%", "drainTimeoutInMinutes": 45});
        follow(&mut wanted, &was, &is);
        assert_eq!(wanted, json!({"maxSurge": "1", "drainTimeoutInMinutes": 45}));
        let mut nothing = Value::Null;
        follow(&mut nothing, &Value::Null, &json!({"overrideSettings": {"forceUpgrade": true}}));
        assert_eq!(nothing, json!({"overrideSettings": {"forceUpgrade": true}}));
    }

    #[test]
    fn each_setting_is_on_record_with_what_was_before() {
        let (before, shown) =
            (json!({"maxSurge": "1"}), json!({"maxSurge": "50%", "drainTimeoutInMinutes": 10}));
        let ours = [(Setting::MaxSurge, "50%"), (Setting::DrainTimeoutInMinutes, "10")].into();
        let good = Restore { ours, before: [(Setting::MaxSurge, "1")].into(), ..Restore::default() };
        assert_eq!(unrecorded(&before, &shown, Some(&good)), None);
        assert_eq!(unrecorded(&before, &before, None), None);
        assert!(unrecorded(&before, &shown, None).is_some());
        let wrong = Restore { before: [(Setting::MaxSurge, "2")].into(), ..good.clone() };
        assert!(unrecorded(&before, &shown, Some(&wrong)).is_some(), "what was before is wrong");
        let partly = Restore { ours: [(Setting::MaxSurge, "50%")].into(), ..good };
        assert!(unrecorded(&before, &shown, Some(&partly)).is_some(), "one is not on record");
        let (none, forced) = (Value::Null, json!({"overrideSettings": {"forceUpgrade": true}}));
        assert!(unrecorded(&none, &forced, None).is_some());
    }
}
