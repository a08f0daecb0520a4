//! How steps are written down: without what follows from something else.
//!
//! An upgrade may have 300 steps, and an object that is read and written often, and watched by many,
//! should stay small: 40 kB with all of them. A finished step of a pool is written as
//! `{pool: system, from: 1.33.8, to: 1.34.4, startedAt: ..., took: 10m, nodes: 3}`, a planned one without
//! its times. What is left out:
//! - the id, which follows from kind, pool and target;
//! - the kind, unless only the image changes;
//! - the state of steps that went as they should: done if it `took` a time, planned if it has no start;
//! - `from` where the step before of the same pool, or of the control plane, says it with its `to`;
//! - one attempt, or none of a step that has not started.
//!
//! Images keep their names in full, although they share their beginnings: no pool gets more than one
//! image step, so that there are few, and people search for these names.

use std::collections::BTreeMap;

use jiff::{
    SignedDuration, Timestamp,
    fmt::friendly::{Spacing, SpanPrinter},
};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{StepRecord, StepState};
use crate::step::{Step, StepKind};

/// One step and how it went.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct WrittenStep {
    /// The node pool, unless the control plane is meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 12))]
    pool: Option<String>,
    /// What it changes; absent: the version, of the control plane or of the pool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kind: Option<StepKind>,
    /// The version or image before; absent: where the step before of the same pool led.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    from: Option<String>,
    /// The version or image after.
    #[schemars(length(max = 256))]
    to: String,
    /// How far it is; absent: succeeded if it took a time, else planned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    state: Option<StepState>,
    /// When its intent was first recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    started_at: Option<Timestamp>,
    /// How long it took until nodes and gates had shown that it is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^([0-9]+[dhms])+$"), length(max = 32))]
    took: Option<String>,
    /// How many attempts it took, if it started and took not one; retries after transient failures do
    /// not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1000))]
    attempts: Option<i32>,
    /// How many nodes it replaces.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[schemars(range(min = 0, max = 5000))]
    nodes: i32,
    /// It sends what Azure shows already: what runs was found to be older, or an operation had failed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    repair: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
pub(crate) fn is_zero(number: &i32) -> bool {
    *number == 0
}

/// Where the last step of each pool, and of the control plane, led.
type Ends = BTreeMap<Option<String>, String>;

pub(super) fn serialize<S: Serializer>(steps: &[StepRecord], serializer: S) -> Result<S::Ok, S::Error> {
    let mut ends = Ends::new();
    serializer.collect_seq(steps.iter().map(|record| write(record, &mut ends)))
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<StepRecord>, D::Error> {
    let written = Vec::<WrittenStep>::deserialize(deserializer)?;
    let mut ends = Ends::new();
    written.into_iter().map(|step| read(step, &mut ends)).collect()
}

fn write(record: &StepRecord, ends: &mut Ends) -> WrittenStep {
    // A step that is new here must find its place in what is written.
    let StepRecord { id: _, step, state, started_at, finished_at, attempts, nodes, repair } = record;
    let Step { kind, pool, from, to } = step;
    let took = started_at.zip(*finished_at).map(|(start, end)| end.duration_since(start));
    let before = ends.insert(pool.clone(), to.clone());
    WrittenStep {
        pool: pool.clone(),
        kind: Some(*kind).filter(|kind| *kind != usual_kind(pool.as_ref())),
        from: Some(from.clone()).filter(|from| before.as_ref() != Some(from)),
        to: to.clone(),
        state: Some(*state).filter(|state| *state != usual_state(took.is_some())),
        started_at: *started_at,
        took: took.map(|took| {
            let printer = SpanPrinter::new().spacing(Spacing::None);
            printer.duration_to_string(&SignedDuration::from_secs(took.as_secs()))
        }),
        attempts: Some(*attempts).filter(|attempts| *attempts != usual_attempts(started_at.is_some())),
        nodes: *nodes,
        repair: *repair,
    }
}

fn read<E: de::Error>(written: WrittenStep, ends: &mut Ends) -> Result<StepRecord, E> {
    let WrittenStep { pool, kind, from, to, state, started_at, took, attempts, nodes, repair } = written;
    let took: Option<SignedDuration> = match took {
        Some(text) => Some(text.parse().map_err(|error| E::custom(format!("took {text:?}: {error}")))?),
        None => None,
    };
    let finished_at = match started_at.zip(took) {
        Some((start, took)) => Some(start.checked_add(took).map_err(E::custom)?),
        None => None,
    };
    let before = ends.insert(pool.clone(), to.clone());
    let from = from.or(before).ok_or_else(|| {
        E::custom(format!("the first step of {} has no from", pool.as_deref().unwrap_or("the control plane")))
    })?;
    let kind = kind.unwrap_or_else(|| usual_kind(pool.as_ref()));
    let step = Step { kind, pool, from, to };
    Ok(StepRecord {
        id: step.id(),
        step,
        state: state.unwrap_or_else(|| usual_state(took.is_some())),
        finished_at,
        attempts: attempts.unwrap_or_else(|| usual_attempts(started_at.is_some())),
        started_at,
        nodes,
        repair,
    })
}

fn usual_kind(pool: Option<&String>) -> StepKind {
    if pool.is_none() { StepKind::ControlPlane } else { StepKind::NodePoolVersion }
}

fn usual_state(took: bool) -> StepState {
    if took { StepState::Succeeded } else { StepState::Planned }
}

fn usual_attempts(started: bool) -> i32 {
    i32::from(started)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::Ledger;

    fn written(steps: &Value) -> Ledger {
        serde_json::from_value(json!({ "steps": steps })).unwrap()
    }

    #[test]
    fn says_what_does_not_follow_from_something_else() {
        let steps = json!([
            {"from": "1.33.8", "to": "1.34.4", "startedAt": "2026-12-05T22:00:00Z", "took": "10m"},
            {"pool": "system", "from": "1.33.8", "to": "1.34.4", "startedAt": "2026-12-05T22:10:00Z",
                "took": "1h2m3s", "attempts": 2, "nodes": 3},
            {"to": "1.35.3", "state": "Failed", "startedAt": "2026-12-06T22:00:00Z"},
            {"pool": "system", "to": "1.35.3", "nodes": 3},
            {"pool": "win1", "kind": "NodePoolImage", "from": "A-1", "to": "A-2"},
        ]);
        let ledger = written(&steps);
        let ids: Vec<&str> = ledger.steps.iter().map(|record| record.id.as_str()).collect();
        assert_eq!(ids, ["cp-1.34.4", "pool-system-1.34.4", "cp-1.35.3", "pool-system-1.35.3", "image-win1"]);
        let [first, second, third, fourth, _] = &ledger.steps[..] else { panic!("five steps") };
        assert_eq!((first.state, first.attempts), (StepState::Succeeded, 1));
        assert_eq!(second.finished_at, Some("2026-12-05T23:12:03Z".parse().unwrap()));
        assert_eq!((third.step.from.as_str(), third.attempts), ("1.34.4", 1));
        assert_eq!(
            (fourth.state, fourth.attempts, fourth.step.from.as_str()),
            (StepState::Planned, 0, "1.34.4")
        );
        assert_eq!(serde_json::to_value(&ledger).unwrap()["steps"], steps, "and writes it the same");
    }

    #[test]
    fn refuses_what_says_too_little() {
        let refused =
            |step: Value| serde_json::from_value::<Ledger>(json!({"steps": [step]})).unwrap_err().to_string();
        assert_eq!(refused(json!({"to": "1.35.3"})), "the first step of the control plane has no from");
        assert!(refused(json!({"from": "1", "to": "2", "took": "banana"})).starts_with("took \"banana\""));
        let start = "2026-12-05T22:00:00Z";
        let endless = json!({"from": "1", "to": "2", "startedAt": start, "took": "99999999999h"});
        assert!(!refused(endless).is_empty(), "beyond the last instant there is");
    }

    fn records() -> impl Strategy<Value = Vec<StepRecord>> {
        let version = || prop_oneof![Just("1.33.8"), Just("1.34.4"), Just("1.35.3")].prop_map(str::to_owned);
        let state = prop_oneof![
            Just(StepState::Planned),
            Just(StepState::Running),
            Just(StepState::Failed),
            Just(StepState::Succeeded)
        ];
        let pool = prop_oneof![Just(None), Just(Some("a".to_owned())), Just(Some("b".to_owned()))];
        let start = prop::option::of((0..4_000_000_i64, prop::option::of(0..900_000_i64)));
        let kind = (any::<bool>(), any::<bool>());
        let record = (pool, kind, version(), version(), state, start, 0..3_i32, 0..4_i32);
        let record = record.prop_map(|(pool, (image, repair), from, to, state, times, attempts, nodes)| {
            let usual = usual_kind(pool.as_ref());
            let kind = if image && pool.is_some() { StepKind::NodePoolImage } else { usual };
            let at = |seconds| Timestamp::from_second(1_790_000_000 + seconds).unwrap();
            let step = Step { kind, pool, from, to };
            let started_at = times.map(|(start, _)| at(start));
            let finished_at = times.and_then(|(start, took)| Some(at(start + took?)));
            StepRecord { id: step.id(), step, state, started_at, finished_at, attempts, nodes, repair }
        });
        prop::collection::vec(record, 0..8)
    }

    proptest! {
        #[test]
        fn nothing_is_lost(steps in records()) {
            let ledger = Ledger { steps, ..Ledger::default() };
            let text = serde_json::to_string(&ledger).unwrap();
            prop_assert_eq!(serde_json::from_str::<Ledger>(&text).unwrap(), ledger, "{}", text);
        }
    }
}
