//! The steps of the present plan in the record, and the intent to do the first of them.

use std::collections::BTreeMap;

use super::{View, overrides};
use crate::{
    cluster::Cluster,
    ledger::{Ledger, Operation, Phase, StepRecord, StepState},
    plan::Plan,
    planted::{PlantedBug, planted},
    step::Step,
};

/// The intent to do a step, recorded before Azure is called.
pub(super) fn with_intent(view: &View<'_>, cluster: &Cluster, plan: &Plan, step: &Step) -> Ledger {
    let mut ledger =
        Ledger { steps: merged_steps(view.ledger, plan), soak_until: None, ..view.ledger.clone() };
    // A pool that was made meanwhile is accounted for from its first step on.
    if let (Some(expected), Some(pool)) =
        (&mut ledger.expected, step.pool.as_ref().and_then(|name| cluster.pool(name)))
    {
        expected.pools.entry(pool.name.clone()).or_insert_with(|| pool.version.clone());
    }
    let id = step.id();
    if let Some(record) = ledger.steps.iter_mut().find(|record| record.id == id) {
        record.state = StepState::Running;
        record.started_at = Some(view.now);
        record.attempts = 1;
    }
    ledger.operation = Some(operation_of(view, id));
    if !planted(PlantedBug::OverrideUnrecorded) {
        ledger.restore = overrides::planned(view, cluster, step);
    }
    ledger
}

/// The operation of a step that is begun now.
pub(super) fn operation_of(view: &View<'_>, step_id: String) -> Operation {
    Operation {
        step_id,
        phase: Phase::Intent,
        attempt: 1,
        intent_at: view.now,
        claims: 0,
        submitted_at: None,
        deadline: view.now + view.request.policy.step_timeout,
        azure_operation: None,
        not_before: None,
        resubmissions: 0,
        failure: None,
        hold: None,
        held: false,
        repair: false,
        policy_not_done: None,
        since: view.now,
    }
}

/// The steps that are done as they went, then those of the present plan.
pub(super) fn merged_steps(ledger: &Ledger, plan: &Plan) -> Vec<StepRecord> {
    let kept =
        |record: &&StepRecord| record.state == StepState::Succeeded || planted(PlantedBug::KeepOldPlans);
    let mut steps: Vec<StepRecord> = ledger.steps.iter().filter(kept).cloned().collect();
    let mut taken: BTreeMap<String, u32> = BTreeMap::new();
    for record in &steps {
        *taken.entry(record.id.clone()).or_default() += 1;
    }
    steps.extend(plan.steps.iter().map(|planned| StepRecord {
        id: planned.step.id(),
        step: planned.step.clone(),
        state: StepState::Planned,
        started_at: None,
        finished_at: None,
        attempts: 0,
        nodes: planned.nodes,
        repair: planned.repair,
    }));
    // A step that is needed a second time (somebody rolled a pool back) replaces its first record.
    let again: Vec<String> =
        plan.steps.iter().map(|planned| planned.step.id()).filter(|id| taken.contains_key(id)).collect();
    steps.retain(|record| record.state == StepState::Planned || !again.contains(&record.id));
    steps
}
