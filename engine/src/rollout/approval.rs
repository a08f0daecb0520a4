//! Which approvals count for a wave, and why the others do not. Pure.
//!
//! An approval is one person's yes to one wave of one rollout. It names the rollout and the hash of the
//! plan, so that it says nothing of another rollout or of a plan that was changed. It is needed until the
//! first cluster of the wave is let start: one that is expired or deleted by then does not count, and what
//! becomes of it later changes nothing.

use std::{fmt, time::Duration};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Rollout;
use crate::planted::{PlantedBug, planted};

/// What a wave needs before its first cluster starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApprovalPolicy {
    /// Approvals of so many different people.
    pub required: u32,
    /// How long an approval counts after it was given; `None`: as long as the rollout.
    pub expire_after: Option<Duration>,
    /// Whether those who wrote the plan do not count.
    pub separate_author: bool,
}

/// One person's yes, as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    /// Name of the object.
    pub name: String,
    /// The wave.
    pub wave: String,
    /// The rollout.
    pub rollout: String,
    /// Hash of the plan that was approved.
    pub plan_hash: String,
    /// Who.
    pub approver: String,
    /// Why.
    pub reason: String,
    /// When the API server stored it, by the clock that the rollout goes by.
    pub given_at: Timestamp,
}

/// Why an approval does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotCounted {
    /// It is for another rollout.
    OtherRollout,
    /// The plan has been changed since.
    OtherPlan,
    /// It was given too long ago.
    Expired,
    /// The approver is an author of the plan.
    Author,
    /// The same person has approved before.
    Twice,
}

impl NotCounted {
    /// In one word.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::OtherRollout => "OtherRollout",
            Self::OtherPlan => "PlanChanged",
            Self::Expired => "Expired",
            Self::Author => "AuthorOfThePlan",
            Self::Twice => "ApprovedBefore",
        }
    }
}

impl fmt::Display for NotCounted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OtherRollout => "it is for another rollout than the present one",
            Self::OtherPlan => "the plan was changed after it was approved",
            Self::Expired => "it was given longer ago than approvals.expireAfter of the wave",
            Self::Author => "the approver is an author of the plan, and approvals.separateAuthor is set",
            Self::Twice => "the same person has approved the wave before",
        })
    }
}

/// What approvals come to for one wave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement<'a> {
    /// Those that count, the earliest first.
    pub counted: Vec<&'a Approval>,
    /// The others of the wave.
    pub ignored: Vec<(&'a Approval, NotCounted)>,
}

/// A wave that was let start by approvals: who gave them, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ApprovedWave {
    /// The wave.
    #[schemars(length(max = 63))]
    pub wave: String,
    /// When it was let start.
    pub at: Timestamp,
    /// Those whose approvals counted.
    #[schemars(length(max = 10))]
    pub by: Vec<Approver>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Approver {
    /// Who, as the API server knows them.
    #[schemars(length(max = 256))]
    pub name: String,
    /// Why.
    #[schemars(length(max = 256))]
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

/// Which approvals of a wave count now.
#[must_use]
pub fn judge_approvals<'a>(
    (wave, policy): (&str, &ApprovalPolicy),
    rollout: &Rollout,
    authors: &[String],
    approvals: &'a [Approval],
    now: Timestamp,
) -> Judgement<'a> {
    let mut of_wave: Vec<&Approval> = approvals.iter().filter(|approval| approval.wave == wave).collect();
    of_wave.sort_by_key(|approval| (approval.given_at, &approval.name));
    let mut judgement = Judgement { counted: Vec::new(), ignored: Vec::new() };
    for approval in of_wave {
        let is_expired = || policy.expire_after.is_some_and(|length| approval.given_at + length <= now);
        let is_author = || policy.separate_author && authors.contains(&approval.approver);
        let has_approved = |other: &&Approval| other.approver == approval.approver;
        let why = if approval.rollout != rollout.id && !planted(PlantedBug::CountOtherRollouts) {
            Some(NotCounted::OtherRollout)
        } else if approval.plan_hash != rollout.plan_hash && !planted(PlantedBug::CountOtherRollouts) {
            Some(NotCounted::OtherPlan)
        } else if is_expired() && !planted(PlantedBug::CountExpired) {
            Some(NotCounted::Expired)
        } else if is_author() && !planted(PlantedBug::CountAuthor) {
            Some(NotCounted::Author)
        } else if judgement.counted.iter().any(has_approved) && !planted(PlantedBug::CountTwice) {
            Some(NotCounted::Twice)
        } else {
            None
        };
        match why {
            Some(why) => judgement.ignored.push((approval, why)),
            None => judgement.counted.push(approval),
        }
    }
    judgement
}

impl Judgement<'_> {
    /// Whether they are enough.
    #[must_use]
    pub fn suffices(&self, policy: &ApprovalPolicy) -> bool {
        self.counted.len() >= usize::try_from(policy.required).unwrap_or(usize::MAX)
    }

    /// The first that does not count any more, and when; `None` when they stay.
    #[must_use]
    pub fn next_expiry(&self, policy: &ApprovalPolicy) -> Option<Timestamp> {
        let length = policy.expire_after?;
        self.counted.first().map(|approval| approval.given_at + length)
    }

    /// As it is recorded when a wave is let start by them: at most ten, nobody asks for more.
    pub(super) fn approvers(&self) -> Vec<Approver> {
        let approver = |approval: &&Approval| Approver {
            name: approval.approver.clone(),
            reason: approval.reason.clone(),
            at: approval.given_at,
        };
        self.counted.iter().take(10).map(approver).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rollout() -> Rollout {
        let rollout = serde_json::json!({"id": "p-2", "number": 2, "planHash": "b", "target": {},
            "startedAt": "2026-12-05T22:00:00Z"});
        serde_json::from_value(rollout).unwrap()
    }

    fn approval(name: &str, approver: &str, minute: u8) -> Approval {
        Approval {
            name: name.to_owned(),
            wave: "prod".to_owned(),
            rollout: "p-2".to_owned(),
            plan_hash: "b".to_owned(),
            approver: approver.to_owned(),
            reason: "CHG-1".to_owned(),
            given_at: format!("2026-12-05T22:{minute:02}:00Z").parse().unwrap(),
        }
    }

    fn policy() -> ApprovalPolicy {
        ApprovalPolicy { required: 2, expire_after: Some(Duration::from_secs(1800)), separate_author: true }
    }

    fn judged(approvals: &[Approval], minute: u8) -> (Vec<&str>, Vec<(&str, &'static str)>, bool) {
        let now = format!("2026-12-05T22:{minute:02}:00Z").parse().unwrap();
        let authors = ["ann".to_owned()];
        let judgement = judge_approvals(("prod", &policy()), &rollout(), &authors, approvals, now);
        (
            judgement.counted.iter().map(|approval| approval.name.as_str()).collect(),
            judgement.ignored.iter().map(|(approval, why)| (approval.name.as_str(), why.reason())).collect(),
            judgement.suffices(&policy()),
        )
    }

    #[test]
    fn two_people_are_enough_and_one_person_twice_is_not() {
        let (a, again, b) = (approval("1", "bea", 1), approval("2", "bea", 2), approval("3", "cem", 3));
        assert_eq!(
            judged(&[again.clone(), a.clone()], 5),
            (vec!["1"], vec![("2", "ApprovedBefore")], false),
            "the earlier one counts"
        );
        let all = [again, b, a];
        let (counted, _, suffices) = judged(&all, 5);
        assert_eq!((counted, suffices), (vec!["1", "3"], true));
    }

    #[test]
    fn what_does_not_count_says_why() {
        let cases = [
            (Approval { rollout: "p-1".to_owned(), ..approval("1", "bea", 1) }, "OtherRollout"),
            (Approval { plan_hash: "a".to_owned(), ..approval("1", "bea", 1) }, "PlanChanged"),
            (approval("1", "ann", 1), "AuthorOfThePlan"),
        ];
        for (approval, reason) in cases {
            assert_eq!(judged(&[approval], 5), (Vec::new(), vec![("1", reason)], false));
        }
        let elsewhere = Approval { wave: "canary".to_owned(), ..approval("1", "bea", 1) };
        assert_eq!(judged(&[elsewhere], 5), (Vec::new(), Vec::new(), false));
    }

    #[test]
    fn one_that_expires_does_not_count_from_that_instant_on() {
        let given = [approval("1", "bea", 1)];
        assert_eq!(judged(&given, 30).0, ["1"]);
        assert_eq!(judged(&given, 31).1, [("1", "Expired")]);
        let again = [approval("1", "bea", 1), approval("2", "bea", 20)];
        assert_eq!(judged(&again, 31).0, ["2"], "who has approved anew counts again");
        let now = "2026-12-05T22:25:00Z".parse().unwrap();
        let policy = policy();
        let judgement = judge_approvals(("prod", &policy), &rollout(), &[], &again, now);
        assert_eq!(judgement.next_expiry(&policy), Some("2026-12-05T22:31:00Z".parse().unwrap()));
    }
}
