//! Rollouts in a small world, told as stories, and tables of how far a cluster is.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::*;
use crate::{Failure, MemberState, Phase, Step, StepKind, WaitingOn};

mod approvals;
mod budgets;
mod continuous;
mod crashes;
mod replicas;
mod world;

use world::World;

const INSTANT: &str = "2026-12-05T22:00:00Z";

/// A member that was made and is of wave `w`.
fn member(admitted: bool) -> RolloutMember {
    RolloutMember {
        name: "p-1-a".to_owned(),
        version: "1".to_owned(),
        cluster: "a".to_owned(),
        rollout: "p-1".to_owned(),
        wave: "w".to_owned(),
        place: Place { admitted, ..Place::default() },
        suspended_by_hand: false,
        retry: None,
        claimed_by: None,
        registered: true,
        inherited_baseline: None,
        ledger: crate::Ledger::default(),
        standing: None,
    }
}

fn standing(stopped: bool, reason: &str) -> Option<MemberStanding> {
    let words = |text: &str| text.to_owned();
    Some(MemberStanding {
        is_current: true,
        stopped,
        parked: false,
        reason: words(reason),
        message: words("because"),
        since: INSTANT.parse().unwrap(),
        next_attempt: None,
        eta: None,
    })
}

fn operation(phase: Phase) -> Option<crate::Operation> {
    operation_since(phase, INSTANT.parse().unwrap())
}

fn operation_since(phase: Phase, since: Timestamp) -> Option<crate::Operation> {
    let operation: Value = json!({"stepId": "image-a", "phase": phase, "attempt": 1, "intentAt": INSTANT,
        "deadline": INSTANT, "since": since});
    Some(serde_json::from_value(operation).unwrap())
}

#[test]
fn how_far_a_cluster_is() {
    let at = |admitted, in_flight: bool, stopped, reason: &str| {
        let mut member = member(admitted);
        member.ledger.operation = in_flight.then(|| operation(Phase::Soaking)).flatten();
        member.standing = standing(stopped, reason).filter(|_| !reason.is_empty());
        member
    };
    let mut finished = at(true, false, true, "GateFailed");
    finished.ledger.finished_at = Some(INSTANT.parse().unwrap());
    let table = [
        (at(false, false, false, ""), MemberState::Waiting),
        (at(false, false, false, "WaitingForWave"), MemberState::Waiting),
        (at(true, false, false, "WaitingForWave"), MemberState::Running),
        (at(true, false, false, ""), MemberState::Running),
        (at(true, false, false, "Soaking"), MemberState::Soaking),
        (at(true, true, false, "Soaking"), MemberState::Running),
        (at(true, false, false, "GateInconclusive"), MemberState::Running),
        (at(true, false, true, "GateFailed"), MemberState::Stopped),
        (at(false, false, true, "InvalidSpec"), MemberState::Stopped),
        (finished, MemberState::Succeeded),
    ];
    for (member, state) in table {
        assert_eq!(member.state(), state, "{member:?}");
    }
}

/// A member with a step in flight.
fn in_flight(is_current: bool, suspended: bool, phase: Phase, reason: &str) -> RolloutMember {
    let mut member = RolloutMember { suspended_by_hand: suspended, ..member(true) };
    member.ledger.operation = operation(phase);
    member.standing = standing(false, reason).map(|standing| MemberStanding { is_current, ..standing });
    member
}

#[test]
fn a_step_that_was_not_sent_does_not_hold_up_an_edited_plan() {
    let step = Step {
        kind: StepKind::NodePoolImage,
        pool: Some("a".to_owned()),
        from: String::new(),
        to: String::new(),
    };
    let failure = Failure::new(None, None, None, "no");
    let (at, blockers) = (INSTANT.parse().unwrap(), Vec::new());
    let idle = [
        WaitingOn::Suspended,
        WaitingOn::Retry { step: step.clone(), failure: failure.clone(), at, overdue: false },
        WaitingOn::Retry { step: step.clone(), failure: failure.clone(), at, overdue: true },
        WaitingOn::Blocked { step: step.clone(), failure: failure.clone(), blockers },
        WaitingOn::OperationFailed { step: step.clone(), failure },
        WaitingOn::ExternalChange(String::new()),
    ];
    let idle = idle.iter().map(WaitingOn::reason).chain(["DrainBlocked"]);
    for reason in idle {
        assert!(!in_flight(true, true, Phase::Intent, reason).is_busy(), "{reason}");
    }
    assert!(in_flight(false, true, Phase::Intent, "Suspended").is_busy(), "suspend has not been seen yet");
    assert!(in_flight(true, false, Phase::Intent, "Retrying").is_busy(), "it may be sent any moment");
    for reason in ["UpgradingNodeImage", "WaitingForCluster", "AzureUnreachable"] {
        let busy = in_flight(true, true, Phase::Intent, reason).is_busy();
        assert!(busy, "{reason}: Azure may be working on it");
    }
    for phase in [Phase::Submitted, Phase::Verifying, Phase::Gating, Phase::Soaking] {
        for reason in ["GateFailed", "StepTimeout"] {
            assert!(in_flight(true, true, phase, reason).is_busy(), "{phase:?}");
        }
        let gone = in_flight(true, false, phase, WaitingOn::ClusterGone.reason());
        assert!(!gone.is_busy(), "{phase:?}: with its cluster went what ran there");
    }
    assert!(!member(true).is_busy(), "nothing was begun");
    assert_eq!(WaitingOn::Soaking(at).reason(), "Soaking");
}

#[test]
fn clusters_start_as_they_are_named_and_the_missing_are_counted() {
    let world = World::new();
    world.settle();
    let (request, rollout) = world.read();
    let running = rollout.clone().map(|rollout| Rollout { ended_at: None, ..rollout });
    let mut upgrades = world.upgrades();
    upgrades.retain(|member| member.cluster != "b");
    let now = INSTANT.parse().unwrap();
    let seen = Seen { rollout: rollout.as_ref(), upgrades: &upgrades, approvals: &[] };
    assert_eq!(seen.waves(&request, now)[0].missing, 0, "when all is done, upgrades may go");
    let waves = Seen { rollout: running.as_ref(), ..seen }.waves(&request, now);
    let names = |wave: &Wave| wave.members.iter().map(|member| member.name.clone()).collect::<Vec<_>>();
    assert_eq!((names(&waves[0]), waves[0].missing), (vec!["p-1-a".to_owned()], 1));
    assert_eq!(names(&waves[1]), ["p-1-e", "p-1-c", "p-1-d"], "e is named first, the rest by name");
}

#[test]
fn a_rollout_comes_to_its_end_and_nothing_is_written_then() {
    let world = World::new();
    world.settle();
    assert!(world.upgrades().iter().all(|member| member.state() == MemberState::Succeeded));
    assert_eq!(world.upgrades().len(), 5);
    let writes = world.writes();
    for _ in 0..3 {
        world.reconcile().unwrap();
        world.tick();
    }
    assert_eq!(world.writes(), writes);
}

#[test]
fn a_suspended_plan_is_held_once_and_goes_on_where_it_was() {
    let world = World::new();
    world.reconcile().unwrap();
    world.suspend(true);
    world.reconcile().unwrap();
    assert!(world.upgrades().iter().all(|member| member.place.suspended));
    let writes = world.writes();
    for _ in 0..3 {
        world.tick();
        world.reconcile().unwrap();
    }
    assert_eq!(world.writes(), writes);
    world.suspend(false);
    world.settle();
}

#[test]
fn nothing_starts_past_a_cluster_that_has_stopped() {
    let world = World::new();
    world.stop("a");
    for _ in 0..10 {
        world.reconcile().unwrap();
        world.tick();
    }
    let state = |cluster: &str| {
        world.upgrades().iter().find(|member| member.cluster == cluster).map(RolloutMember::state)
    };
    assert_eq!([state("a"), state("b")], [Some(MemberState::Stopped), Some(MemberState::Waiting)]);
    world.repair();
    world.settle();
}

#[test]
fn an_edited_plan_waits_for_the_step_in_flight_and_takes_over_the_baseline() {
    let world = World::new();
    world.reconcile().unwrap();
    world.tick();
    world.edit();
    let progress = world.reconcile().unwrap();
    let Some(Obstacle::EarlierRollout(busy)) = progress.obstacle else { panic!("{progress:?}") };
    assert_eq!(busy.name, "p-1-a");
    world.settle();
    let upgrades = world.upgrades();
    assert!(upgrades.iter().all(|member| member.rollout == "p-2"), "the earlier ones are gone");
    let inherited: Vec<_> = upgrades
        .iter()
        .filter(|member| member.inherited_baseline.is_some())
        .map(|member| member.cluster.as_str())
        .collect();
    assert_eq!(inherited, ["a"], "only what was begun and not ended has one");
}

#[test]
fn a_step_that_has_stopped_is_the_one_that_an_edited_plan_shows() {
    let world = World::new();
    world.widen();
    world.reconcile().unwrap();
    world.tick();
    world.stop("b");
    world.tick();
    world.state().members.get_mut("p-1-b").unwrap().standing = standing(true, "NodesNotUpdated");
    world.edit();
    let progress = world.reconcile().unwrap();
    let Some(Obstacle::EarlierRollout(busy)) = progress.obstacle else { panic!("{progress:?}") };
    assert_eq!((busy.name.as_str(), busy.is_stopped()), ("p-1-b", true));
}

#[test]
fn suspend_reaches_members_of_a_plan_that_is_wrong() {
    let world = World::new();
    world.reconcile().unwrap();
    world.edit();
    world.suspend(true);
    world.state().refuses = true;
    let progress = world.reconcile().unwrap();
    assert_eq!(progress.obstacle, Some(Obstacle::Refused("the plan is wrong")));
    assert!(world.upgrades().iter().all(|member| member.place.suspended));
}

#[test]
fn a_plan_that_is_edited_and_wrong_holds_its_clusters_until_it_is_right_again() {
    let world = World::new();
    for _ in 0..3 {
        world.reconcile().unwrap();
        world.tick();
    }
    let edition = world.state().edition;
    world.edit();
    world.state().refuses = true;
    let progress = world.reconcile().unwrap();
    assert_eq!(progress.obstacle, Some(Obstacle::Refused("the plan is wrong")));
    assert!(world.upgrades().iter().all(|member| member.place.suspended || member.is_finished()));
    // The edit is taken back: the same rollout goes on.
    world.edit();
    let mut state = world.state();
    (state.edition, state.refuses) = (edition, false);
    drop(state);
    world.settle();
    assert_eq!(world.state().record.as_ref().unwrap().id, "p-1");
}

#[test]
fn a_name_that_is_taken_is_told_and_waited_for() {
    let world = World::new();
    world.state().taken = Some("p-1-c".to_owned());
    let progress = world.reconcile().unwrap();
    assert_eq!(progress.obstacle, Some(Obstacle::NameTaken("p-1-c".to_owned())));
    assert!(
        world.upgrades().iter().all(|member| !member.place.admitted),
        "nothing starts before all are made"
    );
    world.state().taken = None;
    world.settle();
}
