//! What there is to tell of each approval of a plan. Pure.
//!
//! Every approval that names the plan is told whether it counts, whatever the plan needs: nobody is left waiting
//! for an approval that does nothing.

use crds::UpgradeApprovalStatus;
use engine::{Approval, NotCounted, RequestedWave, Rollout, RolloutRequest, judge_approvals};
use jiff::Timestamp;

use super::super::Progress;

/// An approval that names the plan, as last seen.
#[derive(Clone, Debug)]
pub(super) struct Given {
    pub(super) approval: Approval,
    /// Whether it is older than the plan.
    pub(super) is_older: bool,
    /// What its status says.
    pub(super) told: Option<UpgradeApprovalStatus>,
}

/// What is to be written, by the name of the approval: nothing of one that says so already.
pub(super) fn told(
    (request, progress): (&RolloutRequest, &Progress),
    all: &[Given],
    now: Timestamp,
) -> Vec<(String, UpgradeApprovalStatus)> {
    let (older, present): (Vec<&Given>, Vec<&Given>) = all.iter().partition(|given| given.is_older);
    let mut told: Vec<(String, UpgradeApprovalStatus)> = Vec::new();
    let mut tell = |approval: &Approval, status| told.push((approval.name.clone(), status));
    for given in older {
        let words = "it is older than the plan: it was given to an earlier one of the same name";
        tell(&given.approval, not_counted("OlderThanThePlan", words));
    }
    for given in &present {
        let approval = &given.approval;
        match request.waves.iter().find(|wave| wave.name == approval.wave) {
            None => {
                let words = format!("the plan has no wave {}", approval.wave);
                tell(approval, not_counted("UnknownWave", &words));
            }
            Some(wave) if wave.approvals.is_none() => {
                let words = format!("wave {} needs no approval", wave.name);
                tell(approval, not_counted("NotNeeded", &words));
            }
            Some(_) => {}
        }
    }
    for wave in request.waves.iter().filter(|wave| wave.approvals.is_some()) {
        let given: Vec<&Given> =
            present.iter().filter(|given| given.approval.wave == wave.name).copied().collect();
        of_wave((request, progress), wave, &given, now)
            .into_iter()
            .for_each(|(approval, status)| tell(approval, status));
    }
    told.retain(|(name, status)| {
        !all.iter().any(|given| given.approval.name == *name && given.told.as_ref() == Some(status))
    });
    told
}

/// The approvals of a wave that needs some.
fn of_wave<'a>(
    (request, progress): (&RolloutRequest, &Progress),
    wave: &RequestedWave,
    given: &[&'a Given],
    now: Timestamp,
) -> Vec<(&'a Approval, UpgradeApprovalStatus)> {
    let (Some(policy), Some(rollout)) = (&wave.approvals, &progress.rollout) else {
        return given.iter().map(|given| (&given.approval, ignored(NotCounted::OtherRollout))).collect();
    };
    if progress.judgement(request, wave, now).is_none() {
        return given
            .iter()
            .filter_map(|given| Some((&given.approval, of_started(given, rollout)?)))
            .collect();
    }
    let approvals: Vec<Approval> = given.iter().map(|given| given.approval.clone()).collect();
    let judgement = judge_approvals((&wave.name, policy), rollout, &request.authors, &approvals, now);
    let status = |approval: &Approval| match judgement.ignored.iter().find(|(one, _)| *one == approval) {
        Some((_, why)) => ignored(*why),
        None => counted(approval),
    };
    given.iter().map(|given| (&given.approval, status(&given.approval))).collect()
}

/// An approval of a wave that has started. What was told of it before stays: nothing of it is judged any more.
fn of_started(given: &Given, rollout: &Rollout) -> Option<UpgradeApprovalStatus> {
    let Given { approval, is_older: _, told } = given;
    if approval.rollout != rollout.id {
        return Some(ignored(NotCounted::OtherRollout));
    }
    if approval.plan_hash != rollout.plan_hash {
        return Some(ignored(NotCounted::OtherPlan));
    }
    let wave = rollout.approved.iter().find(|approved| approved.wave == approval.wave);
    let mut by = wave.iter().flat_map(|approved| &approved.by);
    if by.any(|by| by.name == approval.approver && by.at == approval.given_at) {
        return Some(counted(approval));
    }
    let judged = [NotCounted::Expired, NotCounted::Author, NotCounted::Twice].map(NotCounted::reason);
    if told.as_ref().is_some_and(|told| told.counts || judged.contains(&told.reason.as_str())) {
        return None;
    }
    let words = format!("wave {} has started without it", approval.wave);
    Some(not_counted("AlreadyStarted", &words))
}

fn counted(approval: &Approval) -> UpgradeApprovalStatus {
    let message = format!("it counts for wave {} of rollout {}", approval.wave, approval.rollout);
    UpgradeApprovalStatus { counts: true, reason: "Counted".to_owned(), message }
}

fn ignored(why: NotCounted) -> UpgradeApprovalStatus {
    not_counted(why.reason(), &why.to_string())
}

fn not_counted(reason: &str, message: &str) -> UpgradeApprovalStatus {
    UpgradeApprovalStatus { counts: false, reason: reason.to_owned(), message: message.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::{super::super::member::tests::upgrade, *};
    use engine::{ApprovalPolicy, RolloutMember, Share};
    use serde_json::{Value, json};

    const NOW: &str = "2026-12-05T22:00:00Z";

    fn wave(name: &str, required: u32) -> RequestedWave {
        let approvals =
            (required > 0).then_some(ApprovalPolicy { required, expire_after: None, separate_author: false });
        RequestedWave {
            name: name.to_owned(),
            max_concurrent: Share::Number(1),
            failure_budget: Share::Number(0),
            approvals,
            order: Vec::new(),
        }
    }

    fn given(name: &str, wave: &str, rollout: &str) -> Given {
        let words = str::to_owned;
        let (plan_hash, reason) = (words("0"), words("CHG-1"));
        let (wave, rollout, given_at) = (words(wave), words(rollout), NOW.parse().unwrap());
        let approval =
            Approval { name: words(name), wave, rollout, plan_hash, approver: words(name), reason, given_at };
        Given { approval, is_older: false, told: None }
    }

    fn progress(approved: Value, upgrades: Vec<RolloutMember>) -> Progress {
        let rollout = json!({"id": "p-1", "number": 1, "planHash": "0", "target": {}, "startedAt": NOW,
            "approved": approved});
        let rollout = Some(serde_json::from_value(rollout).unwrap());
        Progress { rollout, upgrades, approvals: Vec::new(), obstacle: None }
    }

    /// Name and reason of each that is told; whether it counts goes with the reason.
    fn reasons(waves: &[RequestedWave], progress: &Progress, all: &[Given]) -> Vec<(String, String)> {
        let request = RolloutRequest { waves: waves.to_vec(), ..RolloutRequest::default() };
        let told = told((&request, progress), all, NOW.parse().unwrap());
        let word = |(name, status): (String, UpgradeApprovalStatus)| {
            assert_eq!(status.counts, status.reason == "Counted");
            (name, status.reason)
        };
        told.into_iter().map(word).collect()
    }

    fn said(all: &[(String, String)]) -> Vec<(&str, &str)> {
        all.iter().map(|(name, reason)| (name.as_str(), reason.as_str())).collect()
    }

    #[test]
    fn each_approval_is_told_whether_it_counts() {
        let mut older = given("older", "prod", "p-1");
        older.is_older = true;
        let all = [
            given("good", "prod", "p-1"),
            given("old", "prod", "p-0"),
            given("lost", "prd", "p-1"),
            given("idle", "canary", "p-1"),
            older,
        ];
        let waves = [wave("canary", 0), wave("prod", 2)];
        let mut told = reasons(&waves, &progress(json!([]), Vec::new()), &all);
        told.sort();
        let expected = [
            ("good", "Counted"),
            ("idle", "NotNeeded"),
            ("lost", "UnknownWave"),
            ("old", "OtherRollout"),
            ("older", "OlderThanThePlan"),
        ];
        assert_eq!(said(&told), expected);
        let nothing = Progress { rollout: None, ..progress(json!([]), Vec::new()) };
        assert_eq!(said(&reasons(&waves, &nothing, &all[..1])), [("good", "OtherRollout")]);
    }

    #[test]
    fn a_plan_that_needs_no_approval_says_so() {
        let all = [given("idle", "canary", "p-1"), given("lost", "prod", "p-1")];
        let told = reasons(&[wave("canary", 0)], &progress(json!([]), Vec::new()), &all);
        assert_eq!(said(&told), [("idle", "NotNeeded"), ("lost", "UnknownWave")]);
    }

    #[test]
    fn one_that_comes_when_its_wave_has_started_is_told_so_and_what_counted_stays() {
        let by =
            json!([{"wave": "w", "at": NOW, "by": [{"name": "recorded", "reason": "CHG-1", "at": NOW}]}]);
        let started = progress(by, vec![upgrade("a", true, &json!({}))]);
        let told = |name: &str, status: UpgradeApprovalStatus| Given {
            told: Some(status),
            ..given(name, "w", "p-1")
        };
        let all = [
            given("late", "w", "p-1"),
            given("other", "w", "p-0"),
            given("recorded", "w", "p-1"),
            told("counted", counted(&given("counted", "w", "p-1").approval)),
            told("expired", ignored(NotCounted::Expired)),
            told("guessed", ignored(NotCounted::OtherRollout)),
        ];
        assert_eq!(
            said(&reasons(&[wave("w", 1)], &started, &all)),
            [
                ("late", "AlreadyStarted"),
                ("other", "OtherRollout"),
                ("recorded", "Counted"),
                ("guessed", "AlreadyStarted")
            ]
        );
    }

    #[test]
    fn what_is_told_already_is_not_written_again() {
        let mut all = [given("late", "w", "p-1"), given("good", "v", "p-1"), given("lost", "u", "p-1")];
        let started = progress(json!([]), vec![upgrade("a", true, &json!({}))]);
        let request = RolloutRequest { waves: vec![wave("w", 1), wave("v", 1)], ..RolloutRequest::default() };
        let now = NOW.parse().unwrap();
        for (name, status) in told((&request, &started), &all, now) {
            let known = all.iter_mut().find(|given| given.approval.name == name).unwrap();
            known.told = Some(status);
        }
        assert!(all.iter().all(|given| given.told.is_some()));
        assert_eq!(told((&request, &started), &all, now), []);
    }
}
