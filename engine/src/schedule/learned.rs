//! How long a step took, as two records in a row tell. Pure.

use std::time::Duration;

use crate::{
    ledger::{Ledger, Operation, Phase, StepRecord, StepState},
    step::Step,
};

/// The step that Azure was done with, and whose nodes showed it, between two records; and how long it took since
/// Azure had accepted it.
///
/// None for what was not begun by us, of which nobody knows when it began, and for repairs, which may have found
/// nothing to do.
#[must_use]
pub fn learned<'a>(before: &'a Ledger, after: &Ledger) -> Option<(&'a Step, Duration)> {
    let (operation, record) = before.current()?;
    let Operation { phase, claims, repair, submitted_at, .. } = operation;
    let was_at_work = matches!(phase, Phase::Submitted | Phase::Verifying);
    if !was_at_work || *claims == 0 || *repair {
        return None;
    }
    let is_shown = |phase: Phase| matches!(phase, Phase::Gating | Phase::Soaking);
    let ended = match &after.operation {
        Some(same) if same.step_id == record.id => is_shown(same.phase).then_some(same.since)?,
        Some(_) | None => {
            let done = |known: &&StepRecord| known.id == record.id && known.state == StepState::Succeeded;
            after.steps.iter().find(done)?.finished_at?
        }
    };
    let took = Duration::try_from(ended.duration_since((*submitted_at)?)).ok()?;
    Some((&record.step, took))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn ledger(operation: Value, state: &str) -> Ledger {
        let mut step = json!({"pool": "linux1", "from": "1.33.8", "to": "1.34.4",
            "startedAt": "2026-11-20T22:00:00Z", "state": state});
        if state == "Succeeded" {
            step["took"] = "1h30m".into();
        }
        let mut value = json!({ "steps": [step] });
        if operation.is_object() {
            value["operation"] = operation;
        }
        serde_json::from_value(value).unwrap()
    }

    fn operation(phase: &str, more: Value) -> Value {
        let mut operation = json!({"stepId": "pool-linux1-1.34.4", "phase": phase, "attempt": 1, "claims": 1,
            "intentAt": "2026-11-20T22:00:00Z", "submittedAt": "2026-11-20T22:05:00Z",
            "deadline": "2026-11-21T04:00:00Z", "since": "2026-11-20T22:45:00Z"});
        more.as_object().unwrap().iter().for_each(|(key, value)| operation[key] = value.clone());
        operation
    }

    fn minutes(before: &Ledger, after: &Ledger) -> Option<u64> {
        learned(before, after).map(|(step, took)| {
            assert_eq!(step.pool.as_deref(), Some("linux1"));
            took.as_secs() / 60
        })
    }

    #[test]
    fn from_accepted_until_the_nodes_show_it() {
        let at_work = |more| ledger(operation("Verifying", more), "Running");
        let gating = ledger(operation("Gating", json!({})), "Running");
        let done = ledger(Value::Null, "Succeeded");
        assert_eq!(minutes(&at_work(json!({})), &gating), Some(40));
        assert_eq!(minutes(&at_work(json!({})), &done), Some(85), "all in one go");
        assert_eq!(minutes(&gating, &done), None, "what is waited for then is no work");
        assert_eq!(minutes(&at_work(json!({})), &at_work(json!({}))), None);
        let failed = ledger(operation("Intent", json!({})), "Running");
        assert_eq!(minutes(&at_work(json!({})), &failed), None);
        assert_eq!(minutes(&at_work(json!({"claims": 0})), &gating), None, "begun by somebody else");
        assert_eq!(minutes(&at_work(json!({"repair": true})), &gating), None);
    }
}
