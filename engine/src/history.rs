//! What is remembered of the upgrades of one cluster, in its AKSCluster: step by step, how long each took.
//! Told from the record of an upgrade whenever a step of it has ended. Pure.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    ledger::{Ledger, StepRecord, StepState, written::is_zero},
    planted::{PlantedBug, planted},
};

/// How many upgrades are remembered.
const UPGRADES: usize = 12;
/// How many bytes they may take, as JSON.
const BYTES: usize = 12 * 1024;
/// How many steps of one upgrade are remembered: those that ended last.
const STEPS: usize = 40;
/// How long the words of a failure may be, in bytes.
const WORDS: usize = 240;

/// What is remembered of one upgrade.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UpgradeRecord {
    /// Name of the ClusterUpgrade.
    #[schemars(length(max = 253))]
    pub upgrade: String,
    /// Tells it from another that had the name before.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 64))]
    pub uid: String,
    /// The rollout that it was of, if a plan had made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub rollout: Option<String>,
    /// When it began.
    pub started_at: Timestamp,
    /// When its last step and soak were over; absent of one that has not come to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// Whether a person has left its cluster out before all was done.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub skipped: bool,
    /// The steps that have ended, as they went.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 40))]
    pub steps: Vec<PastStep>,
    /// How many earlier steps are not told any more.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[schemars(range(min = 0))]
    pub left_out: i32,
    /// Pools that did not get the image which was pinned for the rollout.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), inner(length(max = 512)))]
    pub deviations: Vec<String>,
}

/// A step that has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PastStep {
    /// What it changed: `control plane` or `pool NAME`.
    #[schemars(length(max = 32))]
    pub subject: String,
    /// The version or image before.
    #[schemars(length(max = 256))]
    pub from: String,
    /// The version or image after.
    #[schemars(length(max = 256))]
    pub to: String,
    /// When its intent was first recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When nodes and gates had shown that it is done; absent of one that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// How many attempts it took, when more than one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 2))]
    pub attempts: Option<i32>,
    /// Why it failed, or had failed before somebody asked for another try.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub failure: Option<String>,
}

impl UpgradeRecord {
    /// What there is to remember of an upgrade; `None` as long as no step of it has ended, and of one that
    /// found nothing to do.
    #[must_use]
    pub fn of(upgrade: &str, uid: &str, rollout: Option<&str>, ledger: &Ledger) -> Option<Self> {
        let has_ended = |record: &&StepRecord| match record.state {
            StepState::Succeeded | StepState::Failed | StepState::Dropped => true,
            StepState::Planned | StepState::Running => false,
        };
        let ended: Vec<&StepRecord> = ledger.steps.iter().filter(has_ended).collect();
        if ended.is_empty() && ledger.deviations.is_empty() {
            return None;
        }
        let left_out = ended.len().saturating_sub(STEPS);
        Some(Self {
            upgrade: upgrade.to_owned(),
            uid: uid.to_owned(),
            rollout: rollout.map(str::to_owned),
            started_at: ledger.started_at.or_else(|| ended.first()?.started_at)?,
            finished_at: ledger.finished_at,
            skipped: ledger.is_skipped(),
            steps: ended[left_out..].iter().map(|record| past(record, ledger)).collect(),
            left_out: i32::try_from(left_out).unwrap_or(i32::MAX),
            deviations: ledger.deviations.clone(),
        })
    }

    /// When the last thing happened that is told of.
    #[must_use]
    pub fn last_change(&self) -> Timestamp {
        let ends = self.steps.iter().filter_map(|step| step.finished_at);
        ends.chain(self.finished_at).max().unwrap_or(self.started_at)
    }

    fn is_of(&self, other: &Self) -> bool {
        self.upgrade == other.upgrade && self.uid == other.uid
    }

    /// What is known now, without losing what has failed before: `retry` makes an upgrade forget that.
    fn update(&mut self, now: Self) {
        let before = std::mem::replace(self, now);
        self.left_out = self.left_out.max(before.left_out);
        for failed in before.steps.into_iter().filter(|step| step.failure.is_some()) {
            match self.steps.iter_mut().find(|step| step.is_of(&failed)) {
                Some(step) if step.failure.is_none() => step.failure = failed.failure,
                Some(_) => {}
                None => self.steps.push(failed),
            }
        }
        self.steps.sort_by_key(|step| step.started_at.unwrap_or(Timestamp::MAX));
        let too_many = self.steps.len().saturating_sub(STEPS);
        self.steps.drain(..too_many);
        self.left_out = self.left_out.saturating_add(i32::try_from(too_many).unwrap_or(i32::MAX));
    }
}

impl PastStep {
    fn is_of(&self, other: &Self) -> bool {
        (&self.subject, &self.to, self.started_at) == (&other.subject, &other.to, other.started_at)
    }
}

fn past(record: &StepRecord, ledger: &Ledger) -> PastStep {
    let operation = ledger.operation.as_ref().filter(|operation| operation.step_id == record.id);
    let failure = operation.and_then(|operation| operation.failure.as_ref());
    let failure = failure.filter(|_| record.state == StepState::Failed);
    PastStep {
        subject: record.step.subject(),
        from: record.step.from.clone(),
        to: record.step.to.clone(),
        started_at: record.started_at,
        // What was rolled back had ended before.
        finished_at: record.finished_at.filter(|_| record.state != StepState::Failed),
        attempts: (record.attempts > 1).then_some(record.attempts),
        failure: failure.map(|failure| short(&failure.message)),
    }
}

/// As much of a sentence as is remembered.
pub(crate) fn short(words: &str) -> String {
    if words.len() <= WORDS {
        return words.to_owned();
    }
    let end = (0..=WORDS).rev().find(|end| words.is_char_boundary(*end)).unwrap_or(0);
    format!("{}…", &words[..end])
}

/// Adds what is known of an upgrade to what is remembered of its cluster, newest first, and forgets the oldest
/// where there is too much. Tells whether anything has changed.
pub fn remember_upgrade(history: &mut Vec<UpgradeRecord>, record: UpgradeRecord) -> bool {
    if planted(PlantedBug::LoseHistory) {
        return false;
    }
    let before = history.clone();
    match history.iter_mut().find(|known| known.is_of(&record)) {
        Some(known) => known.update(record),
        None => history.push(record),
    }
    history.sort_by_key(|record| std::cmp::Reverse(record.started_at));
    history.truncate(UPGRADES);
    while history.len() > 1 && serde_json::to_vec(history).is_ok_and(|text| text.len() > BYTES) {
        history.pop();
    }
    *history != before
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn step(pool: &str, state: StepState) -> StepRecord {
        let step = crate::step::Step {
            kind: crate::step::StepKind::NodePoolVersion,
            pool: Some(pool.to_owned()),
            from: "1.34.4".to_owned(),
            to: "1.35.3".to_owned(),
        };
        StepRecord {
            id: step.id(),
            step,
            state,
            started_at: Some(at("2026-12-05T22:00:00Z")),
            finished_at: (state == StepState::Succeeded).then(|| at("2026-12-05T22:30:00Z")),
            attempts: 1,
            nodes: 3,
            repair: false,
        }
    }

    fn ledger(steps: Vec<StepRecord>) -> Ledger {
        Ledger { started_at: Some(at("2026-12-05T21:59:00Z")), steps, ..Ledger::default() }
    }

    fn record(name: &str, ledger: &Ledger) -> Option<UpgradeRecord> {
        UpgradeRecord::of(name, "1", Some("p-1"), ledger)
    }

    #[test]
    fn only_what_has_ended_is_told() {
        assert_eq!(record("u", &ledger(vec![step("a", StepState::Planned)])), None);
        assert_eq!(record("u", &ledger(vec![step("a", StepState::Running)])), None);
        let told = record("u", &ledger(vec![step("a", StepState::Succeeded), step("b", StepState::Running)]))
            .unwrap();
        assert_eq!((told.steps.len(), told.steps[0].subject.as_str(), told.finished_at), (1, "pool a", None));
        assert_eq!(told.last_change(), "2026-12-05T22:30:00Z".parse().unwrap());
    }

    #[test]
    fn a_cluster_that_was_left_out_is_told_as_such() {
        let mut known = ledger(vec![step("a", StepState::Succeeded), step("b", StepState::Dropped)]);
        let skipped = |ledger: &Ledger| serde_json::to_value(record("u", ledger).unwrap()).unwrap();
        known.control.skipped = true;
        assert_eq!(skipped(&known).get("skipped"), None, "what was begun is being put back");
        known.finished_at = Some(at("2026-12-05T22:40:00Z"));
        assert_eq!(skipped(&known)["skipped"], true);
        known.control.skipped = false;
        assert_eq!(skipped(&known).get("skipped"), None, "absent where it is not so");
    }

    #[test]
    fn a_failed_step_says_why() {
        let mut failed = ledger(vec![step("a", StepState::Failed)]);
        let id = failed.steps[0].id.clone();
        failed.operation = serde_json::from_value(json!({"stepId": id, "phase": "Intent", "attempt": 3,
            "intentAt": "2026-12-05T22:00:00Z", "deadline": "2026-12-05T22:00:00Z", "since": "2026-12-05T22:00:00Z",
            "failure": {"message": "é".repeat(300)}}))
        .unwrap();
        let told = record("u", &failed).unwrap();
        let words = told.steps[0].failure.clone().unwrap();
        assert!(words.len() <= 256 && words.ends_with('…'), "{words}");
        assert_eq!(told.steps[0].finished_at, None);
    }

    #[test]
    fn what_has_failed_is_told_also_after_another_try() {
        let why = |words: &str| Some(words.to_owned());
        let mut failed = record("u", &ledger(vec![step("a", StepState::Failed)])).unwrap();
        failed.steps[0].failure = why("a node did not come up");
        let mut history = vec![failed.clone()];
        let running = ledger(vec![step("a", StepState::Running), step("b", StepState::Dropped)]);
        assert!(remember_upgrade(&mut history, record("u", &running).unwrap()));
        assert_eq!(history[0].steps.iter().filter(|step| step.failure.is_some()).count(), 1, "not over yet");
        let done = record("u", &ledger(vec![step("a", StepState::Succeeded)])).unwrap();
        assert!(remember_upgrade(&mut history, done.clone()));
        assert!(!remember_upgrade(&mut history, done), "nothing new");
        let told = &history[0].steps[0];
        assert!(told.finished_at.is_some() && told.failure == why("a node did not come up"), "{told:?}");
        failed.steps[0].failure = why("no quota");
        assert!(remember_upgrade(&mut history, failed));
        assert_eq!(history[0].steps[0].failure, why("no quota"), "the last failure");
    }

    #[test]
    fn an_upgrade_is_told_once_and_the_newest_first() {
        let mut history = Vec::new();
        let first = record("u", &ledger(vec![step("a", StepState::Succeeded)])).unwrap();
        assert!(remember_upgrade(&mut history, first.clone()));
        assert!(!remember_upgrade(&mut history, first.clone()), "nothing new");
        let more =
            record("u", &ledger(vec![step("a", StepState::Succeeded), step("b", StepState::Succeeded)]))
                .unwrap();
        assert!(remember_upgrade(&mut history, more));
        assert_eq!((history.len(), history[0].steps.len()), (1, 2));
        let again = UpgradeRecord { uid: "2".to_owned(), started_at: first.last_change(), ..first };
        assert!(remember_upgrade(&mut history, again.clone()));
        assert_eq!(history[0], again, "another upgrade of the same name");
    }

    #[test]
    fn it_stays_small() {
        let steps: Vec<StepRecord> =
            (0..100).map(|number| step(&format!("p{number}"), StepState::Succeeded)).collect();
        let large = ledger(steps);
        let mut history = Vec::new();
        for number in 0..30 {
            remember_upgrade(&mut history, record(&format!("u{number}"), &large).unwrap());
        }
        let bytes = serde_json::to_vec(&history).unwrap().len();
        assert!(bytes <= BYTES && !history.is_empty(), "{bytes}");
        assert_eq!(
            (history[0].steps.len(), history[0].left_out, history[0].steps[39].subject.as_str()),
            (40, 60, "pool p99")
        );
    }
}
