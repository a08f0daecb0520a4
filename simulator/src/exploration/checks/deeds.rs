//! Rules about what the operator does in Azure.

use std::time::Duration;

use engine::{KubernetesVersion, Phase, Step, StepKind, allowed_skew};
use jiff::Timestamp;
use serde_json::Value;

use super::{Checks, is_really_done};
use crate::{
    effects::ClusterKey,
    exploration::sim::State,
    world::{Answer, Call},
};

/// How old may be what the operator knew of workloads when it acted: reads of Azure and writes of records
/// lie in between, each of which may be slow.
pub(super) const KNOWLEDGE: Duration = Duration::from_secs(300);

/// What was so when the operator asked for a change.
pub(in crate::exploration) struct Before {
    cluster: ClusterKey,
    upgrade: usize,
    document: Value,
    done: bool,
    step: Option<Step>,
    /// The call changes settings, and nothing else.
    settings: bool,
}

impl Before {
    /// Whether the call changes settings of upgrades, and nothing else.
    pub(in crate::exploration) const fn is_about_settings(&self) -> bool {
        self.settings
    }
}

/// A change that an upgrade asks for.
enum Asked<'a> {
    ControlPlane { to: &'a str },
    Pool { name: &'a str, to: &'a str },
    Image { pool: &'a str },
}

impl<'a> Asked<'a> {
    fn of(call: &'a Call) -> Option<Self> {
        let version = |body: &'a Value, field: &str| body["properties"][field].as_str().unwrap_or_default();
        if let Call::PutCluster { body, .. } = call {
            return Some(Self::ControlPlane { to: version(body, "kubernetesVersion") });
        }
        if let Call::PutPool { pool, body, .. } = call {
            return Some(Self::Pool { name: &pool.name, to: version(body, "orchestratorVersion") });
        }
        if let Call::UpgradeNodeImage { pool } = call {
            return Some(Self::Image { pool: &pool.name });
        }
        None
    }

    /// Whether a step asks for it.
    fn is_for(&self, step: &Step) -> bool {
        let same_pool = |name: &str| step.pool.as_deref() == Some(name);
        match (self, step.kind) {
            (Self::ControlPlane { to }, StepKind::ControlPlane) => step.to == *to,
            (Self::Pool { name, to }, StepKind::NodePoolVersion) => same_pool(name) && step.to == *to,
            (Self::Image { pool }, StepKind::NodePoolImage) => same_pool(pool),
            (Self::ControlPlane { .. } | Self::Pool { .. } | Self::Image { .. }, _) => false,
        }
    }

    /// The id of a step that asks for it.
    fn step_id(&self) -> String {
        match self {
            Self::ControlPlane { to } => format!("cp-{to}"),
            Self::Pool { name, to } => format!("pool-{name}-{to}"),
            Self::Image { pool } => format!("image-{pool}"),
        }
    }
}

/// A call, in words.
pub(in crate::exploration) fn describe(call: &Call) -> String {
    let cluster = call.cluster().and_then(|key| key.0.rsplit('/').next()).unwrap_or_default();
    match Asked::of(call) {
        Some(Asked::ControlPlane { to }) => format!("{cluster} control plane to {to}"),
        Some(Asked::Pool { name, to }) => format!("{cluster} pool {name} to {to}"),
        Some(Asked::Image { pool }) => format!("{cluster} pool {pool} to the newest image"),
        None => format!("{call:?}"),
    }
}

/// Whether a call that asks for no other version changes settings of upgrades.
fn changes_settings(call: &Call, document: &Value) -> Option<bool> {
    if let Call::PutCluster { body, .. } = call {
        return changes((&document["properties"], &body["properties"]), "kubernetesVersion");
    }
    let Call::PutPool { pool, body, .. } = call else { return None };
    let pools = document["properties"]["agentPoolProfiles"].as_array().into_iter().flatten();
    let shown = pools.into_iter().find(|shown| shown["name"] == *pool.name)?;
    changes((shown, &body["properties"]), "orchestratorVersion")
}

fn changes((shown, sent): (&Value, &Value), version: &str) -> Option<bool> {
    (shown[version] == sent[version]).then(|| shown["upgradeSettings"] != sent["upgradeSettings"])
}

impl Checks {
    /// The operator asks for a change, which is about to be answered.
    pub(in crate::exploration) fn before_mutation(state: &mut State, call: &Call) -> Option<Before> {
        state.checks.mutations += 1;
        let cluster = call.cluster()?.clone();
        let upgrade = *state.checks.clusters.get(&cluster)?;
        let document = state.world.document(&cluster)?;
        let record = &state.hub.upgrades[upgrade].record;
        let step = record.ledger.current().map(|(_, record)| record.step.clone());
        let is_intended =
            record.ledger.operation.as_ref().is_some_and(|operation| operation.phase == Phase::Intent);
        let step = step.filter(|step| Asked::of(call).is_some_and(|asked| asked.is_for(step)));
        let settings = match changes_settings(call, &document) {
            None => false,
            Some(changes) => changes || !is_intended || step.is_none(),
        };
        let step = step.filter(|_| !settings);
        // What was seen of the nodes is older than the call; and whether a repair is needed was seen when
        // somebody asked for it: when its answer is lost, it is sent again without another look.
        let repairs = record.ledger.operation.as_ref().and_then(|operation| operation.failure.as_ref());
        let repairs = repairs.is_some_and(|failure| failure.code.as_deref() == Some("NodesNotUpdated"));
        let seen =
            |step: &Step| state.workloads.is_blemished(&cluster, step, state.now - KNOWLEDGE, state.now);
        let done = step
            .as_ref()
            .is_some_and(|step| !repairs && is_really_done(state, &cluster, step) && !seen(step));
        Some(Before { cluster, upgrade, document, done, step, settings })
    }

    /// Azure has answered.
    pub(in crate::exploration) fn after_mutation(
        state: &mut State,
        call: &Call,
        answer: &Answer,
        (sent_at, before): (Timestamp, Option<Before>),
    ) {
        let Some(before) = before else {
            Self::violated(state, "2 intent first", format!("{} is nobody's step", describe(call)));
            return;
        };
        // A step that comes late, and is refused because it runs already, looks like a change of settings.
        if !before.settings || answer.is_success() {
            Self::is_recorded(state, call, &before);
        }
        if !answer.is_success() {
            return;
        }
        Self::is_alone(state, call, answer, &before);
        Self::is_needed(state, call, &before);
        Self::keeps_fields(state, call, &before);
        Self::keeps_skew(state, call, &before);
        Self::passed_its_gate(state, call, sent_at, &before);
        if !before.settings {
            Self::is_not_suspended(state, before.upgrade, sent_at, &describe(call));
        }
        Self::after_event(state);
    }

    /// 2: a claim is recorded for every submission, before it.
    fn is_recorded(state: &mut State, call: &Call, before: &Before) {
        if before.settings {
            return Self::settings_are_recorded(state, call, before);
        }
        let id = match &before.step {
            Some(step) => step.id(),
            // Its record has moved on while the call was on its way.
            None => Asked::of(call).map(|asked| asked.step_id()).unwrap_or_default(),
        };
        let watched = &mut state.checks.watched[before.upgrade];
        let sent = watched.sent.entry(id.clone()).or_default();
        *sent += 1;
        let (sent, claimed) = (*sent, watched.claimed.get(&id).copied().unwrap_or_default());
        if sent > claimed {
            let what = format!("{} was sent {sent} times on {claimed} claims", describe(call));
            Self::violated(state, "2 intent first", what);
        }
    }

    /// 2 and 6: what is changed, or given back, is recorded with what was there before.
    fn settings_are_recorded(state: &mut State, call: &Call, before: &Before) {
        let pool = if let Call::PutPool { pool, .. } = call { Some(pool.name.as_str()) } else { None };
        let ledger = &state.hub.upgrades[before.upgrade].record.ledger;
        if !ledger.restore.iter().any(|known| known.pool.as_deref() == pool) {
            let what = format!("{} changes settings that are not recorded", describe(call));
            Self::violated(state, "2 intent first", what);
        }
    }

    /// 1: one mutation in flight per cluster.
    fn is_alone(state: &mut State, call: &Call, answer: &Answer, before: &Before) {
        let last = state.checks.watched[before.upgrade].operation.clone();
        if let Some(last) = last.filter(|last| state.world.is_running(last)) {
            let what = format!("{} while operation {last} runs", describe(call));
            Self::violated(state, "1 one operation per cluster", what);
        }
        if let Some(started) = &answer.started {
            let watched = &mut state.checks.watched[before.upgrade];
            (watched.operation, watched.is_running) = (Some(started.id.clone()), true);
        }
    }

    /// 9: nothing is done twice.
    fn is_needed(state: &mut State, call: &Call, before: &Before) {
        if before.done {
            Self::violated(state, "9 nothing twice", format!("{} although it was done", describe(call)));
        }
    }

    /// 5: fields that are not ours come back as they were.
    fn keeps_fields(state: &mut State, call: &Call, before: &Before) {
        let Some(after) = state.world.document(&before.cluster) else { return };
        let mut changed = Vec::new();
        differences(&before.document, &after, "", &mut changed);
        changed.retain(|path| !is_ours(path));
        // Whether they come back is looked at in the end.
        changed.retain(|path| !path.split('.').any(|part| part == "upgradeSettings"));
        if !changed.is_empty() {
            let what = format!("{} changed {}", describe(call), changed.join(", "));
            Self::violated(state, "5 fields that are not ours", what);
        }
    }

    /// 4: a pool is never newer than its control plane, nor further behind than Azure allows.
    fn keeps_skew(state: &mut State, call: &Call, before: &Before) {
        let Some(document) = state.world.document(&before.cluster) else { return };
        let version = |value: &Value| value.as_str().and_then(|text| text.parse::<KubernetesVersion>().ok());
        let Some(control_plane) = version(&document["properties"]["kubernetesVersion"]) else { return };
        let pools = document["properties"]["agentPoolProfiles"].as_array().cloned().unwrap_or_default();
        for pool in &pools {
            let Some(at) = version(&pool["orchestratorVersion"]) else { continue };
            let behind = control_plane.minor().ahead_of(at.minor());
            if at > control_plane || behind > allowed_skew(control_plane.minor()) {
                let what =
                    format!("{} leaves {} at {at} below {control_plane}", describe(call), pool["name"]);
                Self::violated(state, "4 version skew", what);
            }
        }
    }

    /// 7: nothing starts past a failing gate, or one without data.
    fn passed_its_gate(state: &mut State, call: &Call, sent_at: Timestamp, before: &Before) {
        let ledger = &state.hub.upgrades[before.upgrade].record.ledger;
        let Some(baseline) = ledger.baseline.as_ref().filter(|_| !before.settings) else { return };
        // What Azure has half done, or a person has asked to repair, is what the workloads may wait for.
        let is_repair = ledger.operation.as_ref().is_none_or(|operation| operation.repair);
        if is_repair || is_half_done(call, &before.document) {
            return;
        }
        let known = (sent_at - KNOWLEDGE, sent_at);
        let since = state.checks.watched[before.upgrade].baseline_at.unwrap_or(baseline.taken_at);
        if !state.workloads.could_pass(&before.cluster, (baseline.taken_at, since), known) {
            let what = format!("{} although the gate cannot have passed", describe(call));
            Self::violated(state, "7 gates", what);
        }
    }
}

/// Whether what a call is to change had been begun before, and has come to no good end.
fn is_half_done(call: &Call, document: &Value) -> bool {
    let broken = |state: &Value| matches!(state.as_str(), Some("Failed" | "Canceled"));
    let properties = &document["properties"];
    let pool = |name: &str| {
        let mut pools = properties["agentPoolProfiles"].as_array().into_iter().flatten();
        pools.find(|pool| pool["name"] == name).cloned().unwrap_or_default()
    };
    match Asked::of(call) {
        Some(Asked::ControlPlane { to }) => {
            broken(&properties["provisioningState"]) && properties["kubernetesVersion"] == to
        }
        Some(Asked::Pool { name, to }) => {
            broken(&pool(name)["provisioningState"]) && pool(name)["orchestratorVersion"] == to
        }
        // The image shows only in the end that it was begun.
        Some(Asked::Image { pool: name }) => broken(&pool(name)["provisioningState"]),
        None => false,
    }
}

/// Fields that an upgrade changes by itself.
fn is_ours(path: &str) -> bool {
    const OURS: [&str; 10] = [
        "provisioningState",
        "eTag",
        "etag",
        "kubernetesVersion",
        "currentKubernetesVersion",
        "orchestratorVersion",
        "currentOrchestratorVersion",
        "nodeImageVersion",
        "powerState",
        "recentlyUsedVersions",
    ];
    path.split('.').any(|part| OURS.contains(&part))
}

/// The paths at which two documents differ.
fn differences(before: &Value, after: &Value, path: &str, found: &mut Vec<String>) {
    match (before, after) {
        (Value::Object(old), Value::Object(new)) => {
            for key in old.keys().chain(new.keys().filter(|key| !old.contains_key(*key))) {
                let (old, new) = (old.get(key).unwrap_or(&Value::Null), new.get(key).unwrap_or(&Value::Null));
                differences(old, new, &format!("{path}.{key}"), found);
            }
        }
        (Value::Array(old), Value::Array(new)) if old.len() == new.len() => {
            for (index, (old, new)) in old.iter().zip(new).enumerate() {
                differences(old, new, &format!("{path}.{index}"), found);
            }
        }
        (old, new) if old == new => {}
        _ => found.push(path.to_owned()),
    }
}
