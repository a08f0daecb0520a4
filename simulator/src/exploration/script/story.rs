//! What of a run is told to people, and in which words: one line for each thing that matters.

use super::trigger;
use crate::{
    effects::ClusterKey,
    exploration::{
        checks::{Before, describe},
        hub::Record,
        sim::State,
    },
    world::{Answer, Call},
};
use engine::{Ledger, Phase, Restore, Settings, StepState};

/// The record of an upgrade was written.
pub(in crate::exploration) fn saved(state: &mut State, index: usize, before: &Record, after: &Record) {
    let name = state.hub.upgrades[index].cluster.clone();
    let lines = [
        put_back(&before.ledger, &after.ledger),
        done(&before.ledger, &after.ledger),
        planned(&before.ledger, &after.ledger),
        unhealthy(&before.ledger, &after.ledger),
        begins(&before.ledger, after),
        overridden(&before.ledger, &after.ledger),
        adopted(&before.ledger, &after.ledger),
        standing(before, after),
        (after.ledger.finished_at.is_some() && before.ledger.finished_at.is_none())
            .then(|| "is done".to_owned()),
    ];
    for line in lines.into_iter().flatten() {
        state.tell(&name, &line);
    }
}

/// Steps that are done now.
fn done(before: &Ledger, after: &Ledger) -> Option<String> {
    let succeeded = |ledger: &Ledger, id: &str| {
        ledger.steps.iter().any(|record| record.id == id && record.state == StepState::Succeeded)
    };
    let new = after
        .steps
        .iter()
        .find(|record| record.state == StepState::Succeeded && !succeeded(before, &record.id))?;
    // Recorded as an intent only: Azure was never known to work on it.
    let unseen = before
        .current()
        .is_some_and(|(operation, record)| record.id == new.id && operation.phase == Phase::Intent);
    Some(if unseen { format!("finds {} done already", new.id) } else { format!("{} is done", new.id) })
}

/// The steps, when they are not those that were planned before.
fn planned(before: &Ledger, after: &Ledger) -> Option<String> {
    let done: Vec<&String> = after
        .steps
        .iter()
        .filter(|record| record.state == StepState::Succeeded)
        .map(|record| &record.id)
        .collect();
    let pending = |ledger: &Ledger| -> Vec<String> {
        let steps = ledger.steps.iter().filter(|record| record.state != StepState::Succeeded);
        steps.map(|record| record.id.clone()).filter(|id| !done.contains(&id)).collect()
    };
    let (was, is) = (pending(before), pending(after));
    if was == is || is.is_empty() {
        return None;
    }
    let steps = if is.len() == 1 { "step" } else { "steps" };
    Some(format!("plans {} {steps}: {}", is.len(), is.join(", ")))
}

/// What was already broken before the first step.
fn unhealthy(before: &Ledger, after: &Ledger) -> Option<String> {
    let baseline = after.baseline.as_ref().filter(|_| before.baseline.is_none())?;
    let are =
        |words: &[String]| format!("notes what is unhealthy before the first step: {}", words.join(", "));
    (!baseline.unhealthy.is_empty()).then(|| are(&baseline.unhealthy))
}

/// An intent, or another attempt. Why it stops there is told by how the upgrade stands.
fn begins(before: &Ledger, after: &Record) -> Option<String> {
    let (operation, record) = after.ledger.current()?;
    let known = before.current().filter(|(_, known)| known.id == record.id);
    let words = record.words();
    match known {
        None => Some(format!("records its intent: {words}")),
        Some((known, _)) if known.attempt < operation.attempt => {
            Some(format!("counts attempt {} as failed", known.attempt))
        }
        Some((known, _)) if known.phase != Phase::Intent && operation.phase == Phase::Intent => {
            (!after.stopped).then(|| format!("goes back to its intent: {words}"))
        }
        Some(_) => None,
    }
}

/// Settings that are to be overridden for a step.
fn overridden(before: &Ledger, after: &Ledger) -> Option<String> {
    let new = not_in(after, before)?;
    let (ours, theirs) = (in_words(&new.ours), in_words(&new.before));
    Some(format!("notes what to put back of {}, {theirs}, before it sets {ours}", subject(new)))
}

/// Settings that are as they were again.
fn put_back(before: &Ledger, after: &Ledger) -> Option<String> {
    Some(format!("has put back the settings of {}", subject(not_in(before, after)?)))
}

/// The first settings to put back that one record has and the other one has not.
fn not_in<'a>(one: &'a Ledger, other: &Ledger) -> Option<&'a Restore> {
    one.restore.iter().find(|restore| other.restore.iter().all(|known| known.pool != restore.pool))
}

fn subject(restore: &Restore) -> String {
    restore.pool.as_ref().map_or("the cluster".to_owned(), |pool| format!("pool {pool}"))
}

fn in_words(settings: &Settings) -> String {
    let words: Vec<String> =
        settings.0.iter().map(|(setting, value)| format!("{}={value}", setting.name())).collect();
    if words.is_empty() { "nothing".to_owned() } else { words.join(" ") }
}

/// What it found to be running already.
fn adopted(before: &Ledger, after: &Ledger) -> Option<String> {
    let (operation, record) = after.current()?;
    let (known, _) = before.current().filter(|(_, known)| known.id == record.id)?;
    if known.phase != Phase::Intent {
        return None;
    }
    match operation.phase {
        Phase::Submitted if operation.azure_operation.is_none() => {
            Some(format!("finds that Azure is at {} already, and adopts that", record.id))
        }
        Phase::Verifying | Phase::Gating | Phase::Soaking => {
            Some(format!("finds that {} is done already, and looks at the nodes", record.id))
        }
        Phase::Submitted | Phase::Intent => None,
    }
}

/// Why nothing is started now. That a step is sent, and that Azure then works on it, needs no line.
fn standing(before: &Record, after: &Record) -> Option<String> {
    let (reason, words) = after.standing.as_ref()?;
    let was = before.standing.as_ref();
    let same_reason = was.is_some_and(|(known, _)| known == reason);
    let same_words = was.is_some_and(|(_, known)| known == words);
    let told = if after.stopped { !same_reason || !same_words } else { !same_reason };
    let is_intent = |record: &Record| {
        record.ledger.operation.as_ref().is_none_or(|operation| operation.phase == Phase::Intent)
    };
    let sent = is_intent(before) || is_intent(after);
    if !told || reason == "SendingStep" || sent && reason.starts_with("Upgrading") {
        return None;
    }
    Some(format!("{} ({reason}): {words}", if after.stopped { "STOPS" } else { "waits" }))
}

/// What Azure says to a change that it was asked for.
pub(in crate::exploration) fn answered(
    state: &mut State,
    call: &Call,
    before: Option<&Before>,
    answer: &Answer,
) {
    let Answer { status, body, delivery, .. } = answer;
    let code = body["code"].as_str().or(body["error"]["code"].as_str()).unwrap_or_default();
    let mut asked = describe(call);
    if before.is_some_and(Before::is_about_settings) {
        asked = format!("{} (settings)", asked.split(" to ").next().unwrap_or_default());
    }
    let mut words = if answer.is_success() {
        trigger::after_change(state, asked.clone());
        format!("accepts {asked}")
    } else {
        format!("refuses {asked}: {status} {code}")
    };
    if let Some(instead) = &delivery.instead {
        words.push_str(&format!(", and the gateway says {} instead", instead.status));
    }
    if delivery.lost {
        words.push_str(", and its answer is lost");
    }
    state.tell("azure", words.trim_end());
}

/// An operation is over.
pub(in crate::exploration) fn ended(state: &mut State, cluster: &str, operation: &str) {
    let views = state.world.operations();
    let view = views.iter().find(|view| view.id == operation);
    let status = view.map_or("and is forgotten", |view| view.status.as_str());
    state.tell("azure", &format!("{cluster} operation has ended: {status}"));
}

/// How everything is in the end: of each upgrade, and what its nodes really run.
pub(in crate::exploration) fn stands(state: &mut State) {
    for index in 0..state.hub.upgrades.len() {
        let upgrade = &state.hub.upgrades[index];
        let (done, all) = upgrade.record.ledger.progress();
        let how = match (&upgrade.record.standing, upgrade.record.ledger.finished_at) {
            (_, Some(_)) => "is done".to_owned(),
            (Some((reason, _)), None) if upgrade.record.stopped => format!("has stopped ({reason})"),
            (Some((reason, _)), None) => format!("waits ({reason})"),
            (None, None) => "has not begun".to_owned(),
        };
        let (name, key) = (upgrade.cluster.clone(), state.checks.key_of(index));
        let nodes = key.and_then(|key| layout(state, &key)).unwrap_or_default();
        state.timeline.end(&name, &format!("{how}, {done} of {all} steps: {nodes}"));
    }
}

fn layout(state: &State, key: &ClusterKey) -> Option<String> {
    let view = state.world.cluster_view(key)?;
    let mut words = vec![format!("control plane {}", view.kubernetes_version)];
    for pool in &view.pools {
        let mut shown: Vec<String> = pool
            .nodes
            .iter()
            .map(|node| {
                let image = node.node_image.rsplit('-').next().unwrap_or_default();
                format!("{} ({image})", node.kubernetes_version)
            })
            .collect();
        shown.sort();
        shown.dedup();
        words.push(format!("{} {}", pool.name, shown.join(" and ")));
    }
    Some(words.join(", "))
}
