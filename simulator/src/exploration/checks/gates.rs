//! Rule 7: nothing goes on past a gate that fails or has no data, and gates are watched for as long as was
//! asked.

use std::time::Duration;

use engine::{Ledger, PoolMatch, Step, StepKind, StepRecord};
use jiff::Timestamp;
use serde_json::Value;

use super::{
    Checks,
    asked::{describe, pool_of},
    deeds::Before,
    nodes::newly_done,
    rules,
};
use crate::{effects::ClusterKey, exploration::sim::State, world::Call};

/// How old may be what the operator knew of workloads when it acted: reads of Azure and writes of records
/// lie in between, each of which may be slow.
pub(super) const KNOWLEDGE: Duration = Duration::from_secs(600);
/// What recorded seconds and slow writes take off a soak.
const ROUNDED: Duration = Duration::from_secs(5);

impl Checks {
    /// A step is sent past its gate only where it mends what it would have to wait for.
    pub(super) fn passed_its_gate(state: &mut State, call: &Call, sent_at: Timestamp, before: &Before) {
        let mends = before.step.as_ref().is_some_and(|step| {
            let watched = &state.checks.watched[before.upgrade];
            mends(&before.document, step, watched.accepted.contains(&step.id()), watched.asked_to_repair)
        });
        if !mends && !Self::could_pass(state, before.upgrade, (sent_at - KNOWLEDGE, sent_at)) {
            let what = format!("{} although the gate cannot have passed", describe(call));
            Self::violated(state, rules::GATES, what);
        }
    }

    /// A record was written: what it says is over was judged.
    pub(super) fn judged(state: &mut State, index: usize, before: &Ledger, after: &Ledger) {
        if before.retry_token != after.retry_token {
            state.checks.watched[index].asked_to_repair = true;
        }
        if before.baseline.is_none() && after.baseline.is_some() {
            state.checks.watched[index].baseline_at = Some(state.now);
        }
        if before.baseline.is_some() && before.baseline != after.baseline {
            Self::violated(state, rules::GATES, "the baseline was taken a second time".to_owned());
        }
        let soak = state.hub.upgrades[index].request.policy.soak;
        let finished = before.finished_at.is_none() && after.finished_at.is_some();
        // Of what is left out nothing is waited for.
        let finished = finished && !after.is_skipped();
        let has_soaked = finished && !soak.is_zero() && after.progress().0 > 0;
        let over = match newly_done(before, after) {
            Some(record) => {
                state.checks.watched[index].asked_to_repair = false;
                record.id.clone()
            }
            None if has_soaked => "the upgrade".to_owned(),
            None => return,
        };
        let from = state.checks.earliest(state.now, KNOWLEDGE);
        if !Self::could_pass(state, index, (from, state.now)) {
            let what = format!("{over} is recorded as done although the gate cannot have passed");
            Self::violated(state, rules::GATES, what);
        }
    }

    /// Whether the gate could have passed at some instant of a span.
    fn could_pass(state: &State, index: usize, span: (Timestamp, Timestamp)) -> bool {
        let Some(baseline) = &state.hub.upgrades[index].record.ledger.baseline else { return true };
        let Some(key) = state.checks.key_of(index) else { return true };
        let since = state.checks.watched[index].baseline_at.unwrap_or(baseline.taken_at);
        state.workloads.could_pass(&key, (baseline.taken_at, since), span)
    }

    /// An operation is aborted because of gates when these have failed for as long as they may since Azure took it:
    /// what was seen of them before says nothing of it. Where clocks jump, nobody can say how long that was.
    pub(super) fn aborts_when_gates_have_failed(
        state: &mut State,
        index: usize,
        before: &Ledger,
        after: &Ledger,
    ) {
        let (Some(abort), None) = (&after.control.abort, &before.control.abort) else { return };
        let since = after.operation.as_ref().and_then(|operation| operation.submitted_at);
        let Some(since) = since.filter(|_| abort.because.is_some() && !state.clocks_jumped) else { return };
        if state.now + ROUNDED < since + state.hub.upgrades[index].request.policy.progress_deadline {
            let failed = state.now.duration_since(since);
            let what = format!("a gate aborts what Azure has taken only {failed:#} before");
            Self::violated(state, rules::ABORT, what);
        }
    }

    /// Workloads are watched for as long as was asked, after a pool and after the whole; where clocks jump,
    /// nobody can say how long that was.
    pub(super) fn soaks(state: &mut State, index: usize, before: &Ledger, after: &Ledger) {
        let mut over = None;
        if let Some(StepRecord { id, step, .. }) = newly_done(before, after) {
            let soak = state.checks.key_of(index).map(|key| pool_soak(state, index, &key, step));
            let watched = &mut state.checks.watched[index];
            let verified = watched.verified.as_ref().filter(|(known, _)| known == id);
            let since = verified.map_or(state.now, |(_, since)| *since);
            over = soak.map(|soak| (id.clone(), since, soak));
            watched.last_success = Some(state.now);
        }
        if before.finished_at.is_none() && after.finished_at.is_some() && !after.is_skipped() {
            let soak = state.hub.upgrades[index].request.policy.soak;
            let since = state.checks.watched[index].last_success;
            over = over.or(since.map(|since| ("the upgrade".to_owned(), since, soak)));
        }
        let Some((what, since, soak)) = over.filter(|_| !state.clocks_jumped) else { return };
        if state.now + ROUNDED < since + soak {
            let watched = state.now.duration_since(since);
            let what = format!("{what} is done after {watched:#} instead of {soak:?}");
            Self::violated(state, rules::SOAKS, what);
        }
    }
}

/// Whether a step mends what the workloads may be waiting for: Azure has half done this very step, or a
/// person has asked to have it repaired, and Azure calls it done although it is sent again.
fn mends(document: &Value, step: &Step, was_accepted: bool, asked_to_repair: bool) -> bool {
    let shown = match &step.pool {
        None => Some(&document["properties"]),
        Some(pool) => pool_of(document, pool),
    };
    let Some(shown) = shown else { return false };
    let version = if step.pool.is_none() { "kubernetesVersion" } else { "orchestratorVersion" };
    let half_done = ["Failed", "Canceled"].iter().any(|broken| shown["provisioningState"] == **broken);
    let claims_to_be_done = match step.kind {
        StepKind::NodePoolImage => shown["nodeImageVersion"] != *step.from,
        StepKind::ControlPlane | StepKind::NodePoolVersion | StepKind::NodePoolRollback => {
            shown[version] == *step.version_after()
        }
    };
    (half_done && (was_accepted || claims_to_be_done)) || (claims_to_be_done && asked_to_repair)
}

/// How long workloads are to be watched after a step of a pool: the first rule that fits decides.
fn pool_soak(state: &State, index: usize, key: &ClusterKey, step: &Step) -> Duration {
    // After a rollback nothing goes on until somebody asks for it: there is nothing to hold back.
    let Some(name) = step.pool.as_ref().filter(|_| !step.is_rollback()) else { return Duration::ZERO };
    let Some(shown) = state.world.properties(key, Some(name)) else { return Duration::ZERO };
    let text = |field: &str| shown.get(field).and_then(Value::as_str).unwrap_or_default();
    let order = &state.hub.upgrades[index].request.policy.order;
    let rule = order.iter().find(|rule| fits(&rule.matches, name, (text("mode"), text("osType"))));
    rule.map_or(Duration::ZERO, |rule| rule.soak)
}

fn fits(wanted: &PoolMatch, name: &str, (mode, os_type): (&str, &str)) -> bool {
    (wanted.names.is_empty() || wanted.names.iter().any(|known| known == name))
        && wanted.mode.as_deref().is_none_or(|wanted| wanted == mode)
        && wanted.os_type.as_deref().is_none_or(|wanted| wanted == os_type)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_is_half_done_or_to_be_repaired_goes_past_a_gate() {
        let pool = |state: &str, version: &str| {
            let pool = json!({"name": "a", "provisioningState": state, "orchestratorVersion": version});
            json!({"properties": {"agentPoolProfiles": [pool]}})
        };
        let step = Step {
            kind: StepKind::NodePoolVersion,
            pool: Some("a".to_owned()),
            from: "1.34.2".to_owned(),
            to: "1.35.1".to_owned(),
        };
        let mends = |state, version, accepted, asked| mends(&pool(state, version), &step, accepted, asked);
        assert!(mends("Failed", "1.35.1", true, false), "a drain was blocked half way");
        assert!(!mends("Failed", "1.34.2", false, false), "what failed was something else");
        assert!(!mends("Succeeded", "1.34.2", true, false), "it was refused, and nothing was done");
        assert!(!mends("Succeeded", "1.34.2", true, true), "there is nothing to repair yet");
        assert!(!mends("Succeeded", "1.35.1", true, false), "nobody has asked");
        assert!(mends("Succeeded", "1.35.1", true, true), "the nodes are old, and somebody has asked");
    }

    #[test]
    fn the_first_rule_that_fits_is_told_by_all_that_it_names() {
        let windows = PoolMatch { os_type: Some("Windows".to_owned()), ..PoolMatch::default() };
        assert!(fits(&windows, "win1", ("User", "Windows")) && !fits(&windows, "linux0", ("User", "Linux")));
        let named = PoolMatch { names: vec!["a".to_owned()], mode: Some("User".to_owned()), ..windows };
        assert!(!fits(&named, "a", ("System", "Windows")) && !fits(&named, "b", ("User", "Windows")));
    }
}
