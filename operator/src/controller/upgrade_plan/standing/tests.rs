use super::{
    super::member::tests::{stands, upgrade},
    *,
};
use engine::{ApprovalPolicy, RequestedWave, RolloutRequest, Share};
use serde_json::{Value, json};

fn progress(members_recorded: bool, upgrades: Vec<RolloutMember>) -> Progress {
    let rollout = json!({"id": "p-1", "number": 1, "planHash": "0", "target": {},
        "startedAt": "2026-12-05T22:00:00Z", "membersRecorded": members_recorded,
        "waveSizes": [upgrades.len()]});
    let rollout = Some(serde_json::from_value(rollout).unwrap());
    Progress { rollout, upgrades, approvals: Vec::new(), obstacle: None }
}

fn told_with(
    (suspend, budget): (bool, u32),
    approvals: Option<ApprovalPolicy>,
    progress: &Progress,
) -> (&'static str, String, String) {
    let wave = RequestedWave {
        name: "w".to_owned(),
        max_concurrent: Share::Number(1),
        failure_budget: Share::Number(budget),
        approvals,
        order: Vec::new(),
    };
    let request = RolloutRequest {
        plan: "p".to_owned(),
        hash: "0".to_owned(),
        suspend,
        waves: vec![wave],
        ..RolloutRequest::default()
    };
    let now = "2026-12-05T22:00:00Z".parse().unwrap();
    let (waves, states) = (progress.waves(&request, now), progress.decide(&request, now).waves);
    let standing = standing(suspend, (&waves, &states), progress, None);
    let message = standing.in_words(300);
    (standing.phase(), standing.reason, message)
}

fn told(suspend: bool, progress: &Progress) -> (&'static str, String, String) {
    told_with((suspend, 0), None, progress)
}

fn done(name: &str) -> RolloutMember {
    upgrade(name, true, &json!({"finishedAt": "2026-12-05T23:00:00Z"}))
}

fn stopped(name: &str) -> RolloutMember {
    upgrade(name, true, &stands("Stopped", "DrainBlocked"))
}

#[test]
fn how_a_plan_stands() {
    let (phase, reason, _) = told(false, &progress(false, Vec::new()));
    assert_eq!((phase, reason.as_str()), ("Working", "Initializing"), "no members yet is not all done");
    let running = vec![upgrade("a", true, &json!({}))];
    assert_eq!(told(false, &progress(true, running)).1, "RollingOut");
    let soaking = vec![upgrade("a", true, &stands("Parked", "Soaking"))];
    assert_eq!(told(false, &progress(true, soaking)).0, "Parked");
    let (phase, reason, message) = told(false, &progress(true, vec![stopped("b"), stopped("a")]));
    assert_eq!((phase, reason.as_str(), message.as_str()), ("Stopped", "DrainBlocked", "cluster a: because"));
    assert_eq!(told(false, &progress(true, vec![done("a")])).0, "Succeeded");
    let suspended = progress(true, vec![upgrade("a", false, &json!({}))]);
    assert_eq!(told(true, &suspended).1, "Suspended");
}

#[test]
fn a_plan_waits_for_a_window_when_all_its_clusters_do() {
    let waits = |name| upgrade(name, true, &stands("Parked", "WaitingForWindow"));
    let (phase, reason, message) = told(false, &progress(true, vec![waits("b"), waits("a")]));
    assert_eq!((phase, reason.as_str()), ("Parked", "WaitingForWindow"));
    assert_eq!(message, "cluster a: because");
    let held_by_the_wave = upgrade("c", false, &json!({}));
    assert_eq!(told(false, &progress(true, vec![waits("a"), held_by_the_wave])).1, "WaitingForWindow");
    let works = upgrade("b", true, &stands("Working", "UpgradingNodePool"));
    assert_eq!(told(false, &progress(true, vec![waits("a"), works])).1, "RollingOut");
    let frozen = upgrade("a", true, &stands("Parked", "Frozen"));
    let (_, reason, message) = told(false, &progress(true, vec![frozen.clone(), done("b")]));
    assert_eq!((reason.as_str(), message.as_str()), ("Frozen", "cluster a: because"));
    let works = upgrade("b", true, &stands("Working", "UpgradingNodePool"));
    let (_, reason, message) = told(false, &progress(true, vec![frozen.clone(), works]));
    assert_eq!(reason, "RollingOut");
    assert!(message.ends_with("; clusters that wait: because"), "a freeze is told besides: {message}");
    let (_, reason, message) = told(false, &progress(true, vec![frozen, stopped("b")]));
    assert_eq!(reason, "DrainBlocked");
    assert!(message.ends_with("; clusters that wait: because"), "{message}");
}

#[test]
fn failures_within_and_beyond_the_budget() {
    let with = |budget, upgrades| {
        let (phase, reason, message) = told_with((false, budget), None, &progress(true, upgrades));
        (phase, reason, message)
    };
    let (phase, reason, message) = with(1, vec![stopped("a"), upgrade("b", true, &json!({})), done("c")]);
    assert_eq!((phase, reason.as_str()), ("Working", "RollingOut"));
    assert!(message.ends_with("; failed within the failure budget: a"), "{message}");
    let (phase, reason, message) = with(1, vec![stopped("b"), stopped("a"), done("c")]);
    assert_eq!((phase, reason.as_str()), ("Stopped", "FailureBudgetExceeded"));
    assert!(message.contains("than its failureBudget allows: a, b;"), "{message}");
    let (phase, reason, message) = with(2, vec![stopped("b"), stopped("a")]);
    assert_eq!((phase, reason.as_str()), ("Stopped", "FailureBudgetExceeded"));
    assert!(message.starts_with("every cluster of wave w has failed: a, b;"), "{message}");
    let (phase, reason, message) = with(1, vec![stopped("a"), done("b")]);
    assert_eq!((phase, reason.as_str()), ("Stopped", "CompletedWithFailures"), "not Succeeded");
    assert!(message.contains("these clusters have failed: a; repair them, then retry the plan"), "{message}");
    let (_, reason, message) = with(9, vec![stopped("a")]);
    assert_eq!((reason.as_str(), message.as_str()), ("DrainBlocked", "cluster a: because"));
    let many: Vec<RolloutMember> = (0..8).map(|n| stopped(&format!("c{n}"))).collect();
    assert!(with(9, many).2.contains("c0, c1, c2, c3, c4 and 3 more"));
}

#[test]
fn a_wave_that_waits_for_people_or_for_another_plan_is_parked() {
    let policy = ApprovalPolicy { required: 2, expire_after: None, separate_author: false };
    let waiting = progress(true, vec![upgrade("a", false, &json!({}))]);
    let (phase, reason, _) = told_with((false, 0), Some(policy), &waiting);
    assert_eq!((phase, reason.as_str()), ("Parked", "WaitingForApproval"));
    let claimed = |name: &str| RolloutMember {
        claimed_by: Some("old-1-a".to_owned()),
        ..upgrade(name, false, &json!({}))
    };
    let (phase, reason, message) = told(false, &progress(true, vec![claimed("a"), done("b")]));
    assert_eq!((phase, reason.as_str()), ("Parked", "WaitingForOtherUpgrade"));
    assert_eq!(message, "a waits for ClusterUpgrade old-1-a of an older rollout");
    let going_on = progress(true, vec![claimed("a"), upgrade("b", true, &json!({}))]);
    let (phase, reason, message) = told(false, &going_on);
    assert_eq!((phase, reason.as_str()), ("Working", "RollingOut"));
    assert!(message.contains("a waits for ClusterUpgrade old-1-a"), "{message}");
}

#[test]
fn what_hinders_a_plan_comes_first() {
    let hindered =
        |obstacle| told(false, &Progress { obstacle: Some(obstacle), ..progress(true, Vec::new()) });
    let earlier = |status: &Value| hindered(Obstacle::EarlierRollout(Box::new(upgrade("a", true, status))));
    let (phase, reason, _) = earlier(&json!({}));
    assert_eq!((phase, reason.as_str()), ("Working", "WaitingForEarlierRollout"));
    let (phase, reason, message) = earlier(&stands("Stopped", "GateFailed"));
    assert_eq!((phase, reason.as_str()), ("Stopped", "GateFailed"), "it would wait for ever: {message}");
    assert_eq!(hindered(Obstacle::NameTaken("p-1-a".to_owned())).0, "Working");
    let unknown = Invalid::Unobserved(vec!["a".to_owned()]);
    assert_eq!(hindered(Obstacle::Refused(unknown)).1, "WaitingForInventory");
    let field = crds::InvalidField { field: "spec.waves".to_owned(), problem: "is empty".to_owned() };
    let (phase, _, message) = hindered(Obstacle::Refused(Invalid::Spec(vec![field])));
    assert_eq!((phase, message.as_str()), ("Stopped", "spec.waves: is empty"));
}

#[test]
fn pools_without_the_image_of_the_rollout_are_told_of() {
    let deviating = json!({"finishedAt": "2026-12-05T23:00:00Z", "deviations": ["pool a: another image"]});
    let (phase, _, message) = told(false, &progress(true, vec![upgrade("a", true, &deviating)]));
    assert!(phase == "Succeeded" && message.contains("status.deviations"), "{message}");
}

#[test]
fn a_continuous_plan_says_what_it_watches() {
    let ended = progress(true, vec![done("a")]);
    let stands = |watching: &Watching| {
        let standing = standing(false, (&[], &[]), &ended, Some(watching));
        (standing.phase(), standing.reason)
    };
    assert_eq!(stands(&Watching::default()), ("Succeeded", "UpToDate".to_owned()));
    let hindered = vec![("b".to_owned(), "the cluster is stopped".to_owned())];
    let hindered = Watching { hindered, ..Watching::default() };
    assert_eq!(stands(&hindered), ("Stopped", "PreflightBlocked".to_owned()));
    let left = Watching { left: ["b".to_owned()].into(), ..Watching::default() };
    assert_eq!(stands(&left), ("Parked", "LeftBehind".to_owned()));
    let unknown = Watching { unknown: vec!["b".to_owned()], ..Watching::default() };
    assert_eq!(stands(&unknown), ("Working", "WaitingForInventory".to_owned()));
}
