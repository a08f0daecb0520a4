//! What is remembered of rollouts: told from their ClusterUpgrades while these are there. Pure.

use std::collections::BTreeSet;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ApprovedWave, Approver, ResolvedTarget, Rollout, RolloutMember};
use crate::{
    history::short,
    ledger::{StepState, written::is_zero},
    planted::{PlantedBug, planted},
    step::StepKind,
    wave::MemberState,
};

/// How many rollouts are remembered.
const ROLLOUTS: usize = 24;
/// How many bytes of the plan's status they may take, as JSON.
const BYTES: usize = 8 * 1024;
/// How many failed clusters are named in each.
const FAILED: usize = 4;

/// What is remembered of one rollout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RolloutRecord {
    /// The rollout.
    #[schemars(length(max = 63))]
    pub id: String,
    /// What its target was resolved to.
    #[serde(default)]
    pub target: ResolvedTarget,
    /// The versions of control planes that it began from, oldest first; at most four.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 4), inner(length(max = 32)))]
    pub from: Vec<String>,
    /// How it ended, or that it has not.
    pub outcome: Outcome,
    /// When it started.
    pub started_at: Timestamp,
    /// When its last cluster was done, or when it made way for another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// How many clusters it had.
    #[schemars(range(min = 0))]
    pub clusters: i32,
    /// How many of them were done.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub succeeded: i32,
    /// How often a node pool was rolled.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub pools_rolled: i32,
    /// Clusters that had stopped, by name, with those that went on afterwards; at most four.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 4))]
    pub failed: Vec<FailedCluster>,
    /// How many pools have not got the image that was pinned for all of them.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[schemars(range(min = 0))]
    pub deviating_pools: i32,
    /// Who let its waves start, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub approvals: Vec<Approved>,
}

/// How a rollout ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Outcome {
    #[expect(missing_docs, reason = "it has not ended")]
    Running,
    #[expect(missing_docs, reason = "every wave was done")]
    Succeeded,
    #[expect(
        missing_docs,
        reason = "every wave was done, and clusters that failed within its budget are not"
    )]
    CompletedWithFailures,
    #[expect(missing_docs, reason = "the plan was changed before every wave was done")]
    Replaced,
}

/// A cluster that had stopped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FailedCluster {
    /// Its name.
    #[schemars(length(max = 253))]
    pub cluster: String,
    /// Why, in one word.
    #[schemars(length(max = 64))]
    pub reason: String,
    /// Why, in one sentence.
    #[serde(default)]
    #[schemars(length(max = 256))]
    pub message: String,
}

/// A person's yes to a wave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Approved {
    /// The wave.
    #[schemars(length(max = 63))]
    pub wave: String,
    /// Who.
    #[schemars(length(max = 256))]
    pub approver: String,
    /// Why, in their words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub reason: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// Whose approvals let its waves start; at most sixteen.
fn approvals(rollout: &Rollout) -> Vec<Approved> {
    let of_wave = |wave: &ApprovedWave| {
        let name = wave.wave.clone();
        let by = wave.by.clone().into_iter();
        by.map(move |Approver { name: approver, reason, at }| Approved {
            wave: name.clone(),
            approver,
            reason: Some(reason),
            at,
        })
    };
    rollout.approved.iter().flat_map(of_wave).take(16).collect()
}

impl RolloutRecord {
    /// What there is to remember of a rollout, from its ClusterUpgrades. `replaced_at` when another takes
    /// its place.
    #[must_use]
    pub fn of(rollout: &Rollout, upgrades: &[RolloutMember], replaced_at: Option<Timestamp>) -> Self {
        let members = || upgrades.iter().filter(|member| member.rollout == rollout.id);
        let planned: i64 = rollout.wave_sizes.iter().map(|size| i64::from(*size)).sum();
        let planned = i32::try_from(planned).unwrap_or(i32::MAX);
        let all_settled = number(members().count()) >= planned && members().all(RolloutMember::is_settled);
        let (ended_at, outcome) = match (rollout.ended_at, replaced_at) {
            // What had failed may have come to its end since.
            (Some(ended_at), _) => {
                let last = members().filter_map(|member| member.ledger.finished_at).max();
                let outcome = if all_settled { Outcome::Succeeded } else { Outcome::CompletedWithFailures };
                (last.max(Some(ended_at)), outcome)
            }
            (None, Some(_)) => (replaced_at, Outcome::Replaced),
            (None, None) => (None, Outcome::Running),
        };
        let from: BTreeSet<_> = members().filter_map(first_version).collect();
        Self {
            id: rollout.id.clone(),
            target: rollout.target.clone(),
            from: from.into_iter().take(4).map(|version| version.to_string()).collect(),
            outcome,
            started_at: rollout.started_at,
            ended_at,
            clusters: planned.max(number(members().count())),
            succeeded: number(
                members().filter(|member| member.is_finished() && !member.is_skipped()).count(),
            ),
            pools_rolled: number(members().map(pools_rolled).sum()),
            failed: members().filter_map(failed).take(FAILED).collect(),
            deviating_pools: number(members().map(|member| member.ledger.deviations.len()).sum()),
            approvals: approvals(rollout),
        }
    }

    /// What is known now, without losing what was known before: ClusterUpgrades may have been deleted since.
    fn update(&mut self, now: Self) {
        let Self { id: _, target: _, from, outcome, started_at: _, ended_at, clusters, succeeded, .. } = &now;
        let is_less =
            *succeeded < self.succeeded || *clusters < self.clusters || from.len() < self.from.len();
        if is_less {
            // Of a rollout that had ended nothing happens any more but that its ClusterUpgrades go.
            if self.outcome == Outcome::Running {
                (self.outcome, self.ended_at) = (*outcome, *ended_at);
            }
            self.succeeded = self.succeeded.max(*succeeded);
            self.pools_rolled = self.pools_rolled.max(now.pools_rolled);
        } else {
            let approvals = std::mem::take(&mut self.approvals);
            let failed_before = std::mem::take(&mut self.failed);
            // Nothing undoes that every cluster was done.
            let end = (self.outcome == Outcome::Succeeded).then_some((self.outcome, self.ended_at));
            *self = now;
            (self.outcome, self.ended_at) = end.unwrap_or((self.outcome, self.ended_at));
            if self.approvals.is_empty() {
                self.approvals = approvals;
            }
            let is_told =
                |failed: &FailedCluster| self.failed.iter().any(|known| known.cluster == failed.cluster);
            let others: Vec<_> = failed_before.into_iter().filter(|failed| !is_told(failed)).collect();
            self.failed.extend(others);
            self.failed.truncate(FAILED);
        }
    }
}

/// Adds what is known of a rollout to what is remembered, newest first, and forgets the oldest where there is
/// too much. A rollout without clusters is not worth remembering.
pub fn remember(history: &mut Vec<RolloutRecord>, record: RolloutRecord) {
    if record.clusters == 0 || planted(PlantedBug::LoseHistory) && record.ended_at.is_some() {
        return;
    }
    match history.iter_mut().find(|known| known.id == record.id) {
        Some(known) => known.update(record),
        None => history.insert(0, record),
    }
    history.truncate(ROLLOUTS);
    while history.len() > 1 && serde_json::to_vec(history).is_ok_and(|text| text.len() > BYTES) {
        history.pop();
    }
}

fn number(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

/// The version of the control plane before the upgrade.
fn first_version(member: &RolloutMember) -> Option<crate::KubernetesVersion> {
    let planned = member.ledger.steps.iter().find(|record| record.step.kind == StepKind::ControlPlane);
    let from = planned.and_then(|record| record.step.from.parse().ok());
    from.or_else(|| member.ledger.expected.as_ref().map(|expected| expected.control_plane.clone()))
}

fn pools_rolled(member: &RolloutMember) -> usize {
    let steps = member.ledger.steps.iter();
    steps.filter(|record| record.state == StepState::Succeeded && record.step.pool.is_some()).count()
}

fn failed(member: &RolloutMember) -> Option<FailedCluster> {
    let standing = member.standing.as_ref().filter(|_| member.state() == MemberState::Stopped)?;
    let message = short(&standing.message);
    Some(FailedCluster { cluster: member.cluster.clone(), reason: standing.reason.clone(), message })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rollout(number: i32) -> Rollout {
        serde_json::from_value(
            serde_json::json!({"id": format!("p-{number}"), "number": number, "planHash": "0",
            "target": {"kubernetes": "1.35.3"}, "startedAt": "2026-12-05T22:00:00Z", "waveSizes": [2]}),
        )
        .unwrap()
    }

    fn member(cluster: &str, ledger: serde_json::Value) -> RolloutMember {
        RolloutMember {
            name: format!("p-1-{cluster}"),
            version: "1".to_owned(),
            cluster: cluster.to_owned(),
            rollout: "p-1".to_owned(),
            wave: "w".to_owned(),
            place: super::super::Place { admitted: true, ..Default::default() },
            suspended_by_hand: false,
            retry: None,
            claimed_by: None,
            registered: true,
            inherited_baseline: None,
            ledger: serde_json::from_value(ledger).unwrap(),
            standing: None,
        }
    }

    fn done(cluster: &str) -> RolloutMember {
        let step = |pool: &str| {
            serde_json::json!({"from": "1.34.4", "to": "1.35.3", "pool": pool,
            "kind": "NodePoolVersion", "state": "Succeeded"})
        };
        member(
            cluster,
            serde_json::json!({"finishedAt": "2026-12-05T23:00:00Z", "steps": [step("a"), step("b")],
                "expected": {"controlPlane": "1.34.4", "pools": {}}}),
        )
    }

    fn stopped(cluster: &str) -> RolloutMember {
        let standing = super::super::MemberStanding {
            is_current: true,
            stopped: true,
            parked: false,
            reason: "DrainBlocked".to_owned(),
            message: "ä".repeat(400),
            since: Timestamp::UNIX_EPOCH,
            next_attempt: None,
            eta: None,
        };
        RolloutMember { standing: Some(standing), ..member(cluster, serde_json::json!({})) }
    }

    #[test]
    fn a_record_tells_what_its_upgrades_tell() {
        let record = RolloutRecord::of(&rollout(1), &[done("a"), stopped("b")], None);
        assert_eq!((record.clusters, record.succeeded, record.pools_rolled), (2, 1, 2));
        assert_eq!((record.outcome, record.from.join(" ").as_str()), (Outcome::Running, "1.34.4"));
        assert_eq!((record.failed.len(), record.failed[0].reason.as_str()), (1, "DrainBlocked"));
        assert!(record.failed[0].message.len() <= 256);
        let at = "2026-12-06T00:00:00Z".parse().ok();
        let replaced = RolloutRecord::of(&rollout(1), &[done("a"), stopped("b")], at);
        assert_eq!((replaced.outcome, replaced.ended_at), (Outcome::Replaced, at));
        let over = Rollout { ended_at: at, ..rollout(1) };
        assert_eq!(RolloutRecord::of(&over, &[done("a"), done("b")], None).outcome, Outcome::Succeeded);
    }

    #[test]
    fn what_was_known_is_not_lost_with_its_objects() {
        let at = "2026-12-06T00:00:00Z".parse().ok();
        let over = Rollout { ended_at: at, ..rollout(1) };
        let mut history = Vec::new();
        remember(&mut history, RolloutRecord::of(&rollout(1), &[done("a")], None));
        assert_eq!((history[0].outcome, history[0].succeeded), (Outcome::Running, 1));
        remember(&mut history, RolloutRecord::of(&over, &[done("a"), done("b")], None));
        let full = history.clone();
        assert_eq!((full[0].outcome, full[0].succeeded), (Outcome::Succeeded, 2));
        remember(&mut history, RolloutRecord::of(&over, &[], None));
        assert_eq!(history, full);
        remember(&mut history, RolloutRecord::of(&over, &[done("b")], None));
        assert_eq!(history, full);
    }

    #[test]
    fn what_had_stopped_is_told_also_when_it_went_on() {
        let mut history = Vec::new();
        remember(&mut history, RolloutRecord::of(&rollout(1), &[done("a"), stopped("b")], None));
        remember(&mut history, RolloutRecord::of(&rollout(1), &[stopped("a"), done("b")], None));
        let names: Vec<_> = history[0].failed.iter().map(|failed| failed.cluster.as_str()).collect();
        assert_eq!(names, ["a", "b"], "who is stopped now comes first");
    }

    #[test]
    fn a_failed_cluster_whose_object_goes_has_not_succeeded() {
        let at = "2026-12-06T00:00:00Z".parse().ok();
        let over = Rollout { ended_at: at, ..rollout(1) };
        let mut history = Vec::new();
        for upgrades in [&[done("a"), stopped("b")][..], &[done("a")]] {
            remember(&mut history, RolloutRecord::of(&over, upgrades, None));
            assert_eq!((history[0].outcome, history[0].succeeded), (Outcome::CompletedWithFailures, 1));
        }
        let left_out = member(
            "b",
            serde_json::json!({"finishedAt": "2026-12-07T00:00:00Z", "control": {"skipped": true}}),
        );
        let ended_at = left_out.ledger.finished_at;
        for upgrades in [&[done("a"), left_out][..], &[done("a")]] {
            remember(&mut history, RolloutRecord::of(&over, upgrades, None));
            assert_eq!((history[0].outcome, history[0].ended_at), (Outcome::Succeeded, ended_at));
        }
    }

    #[test]
    fn the_newest_come_first_and_the_oldest_are_forgotten() {
        let mut history = Vec::new();
        for number in 1..=40 {
            let members: Vec<_> = ["a", "b", "c", "d", "e"]
                .iter()
                .map(|name| RolloutMember { rollout: format!("p-{number}"), ..stopped(name) })
                .collect();
            remember(&mut history, RolloutRecord::of(&rollout(number), &members, None));
        }
        assert_eq!(history[0].id, "p-40");
        let bytes = serde_json::to_vec(&history).unwrap().len();
        assert!(bytes <= BYTES && history.len() > 4, "{bytes} bytes, {} rollouts", history.len());
        let mut short = Vec::new();
        for number in 1..=40 {
            remember(&mut short, RolloutRecord::of(&rollout(number), &[], None));
        }
        assert_eq!(short.len(), ROLLOUTS);
        let empty = RolloutRecord { clusters: 0, id: "p-41".to_owned(), ..short[0].clone() };
        remember(&mut short, empty);
        assert_eq!(short[0].id, "p-40", "nothing was to be done");
    }
}
