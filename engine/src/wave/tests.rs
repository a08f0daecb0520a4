//! Tables of waves: who starts, and how a wave stands.

use super::*;
use MemberState::{Claimed, Left, Running, Soaking, Stopped, Succeeded, Waiting};

fn now() -> Timestamp {
    "2026-12-05T22:00:00Z".parse().unwrap()
}

fn wave(max_concurrent: Share, states: &[MemberState]) -> Wave {
    let members = states.iter().enumerate();
    let member = |(n, state): (usize, &MemberState)| Member {
        name: format!("c{n}"),
        state: *state,
        works: *state == Running,
        place: None,
        started_at: None,
    };
    Wave {
        name: "w".to_owned(),
        missing: 0,
        max_concurrent,
        failure_budget: Share::Number(0),
        lacks_approval: false,
        members: members.map(member).collect(),
    }
}

fn with_budget(budget: Share, states: &[MemberState]) -> Wave {
    Wave { failure_budget: budget, ..wave(Share::Number(1), states) }
}

fn starts(waves: &[Wave]) -> Vec<String> {
    decide_rollout(waves, false, now()).start
}

fn states(waves: &[Wave]) -> Vec<WaveState> {
    decide_rollout(waves, false, now()).waves
}

#[test]
fn starts_no_more_than_allowed_and_soaking_frees_a_place() {
    assert_eq!(starts(&[wave(Share::Number(2), &[Waiting, Waiting, Waiting])]), ["c0", "c1"]);
    assert_eq!(starts(&[wave(Share::Number(2), &[Running, Waiting, Waiting])]), ["c1"]);
    assert!(starts(&[wave(Share::Number(1), &[Running, Waiting])]).is_empty());
    assert_eq!(starts(&[wave(Share::Number(1), &[Soaking, Waiting])]), ["c1"]);
}

#[test]
fn the_next_wave_waits_for_all_of_the_one_before() {
    let next = || wave(Share::Number(1), &[Waiting]);
    for unfinished in [Running, Soaking, Stopped] {
        let waves = [wave(Share::Number(1), &[Succeeded, unfinished]), next()];
        assert!(starts(&waves).is_empty(), "{unfinished:?}");
        assert_eq!(states(&waves)[1], WaveState::Pending);
    }
    assert_eq!(starts(&[wave(Share::Number(1), &[Succeeded, Succeeded]), next()]), ["c0"]);
}

#[test]
fn a_wave_whose_clusters_are_gone_has_not_succeeded() {
    let gone = Wave { missing: 1, ..wave(Share::Number(1), &[]) };
    let decision = decide_rollout(&[gone, wave(Share::Number(1), &[Waiting])], false, now());
    assert_eq!((decision.start, decision.waves[0]), (Vec::new(), WaveState::Stopped));
}

#[test]
fn a_stopped_cluster_and_suspend_start_nothing_new() {
    assert!(starts(&[wave(Share::Number(3), &[Stopped, Running, Waiting])]).is_empty());
    assert!(decide_rollout(&[wave(Share::Number(3), &[Waiting])], true, now()).start.is_empty());
}

#[test]
fn within_the_budget_the_others_go_on_and_past_it_nobody_in_the_plan() {
    let one = |states: &[MemberState]| with_budget(Share::Number(1), states);
    assert_eq!(starts(&[one(&[Stopped, Waiting, Waiting])]), ["c1"], "it takes no place");
    assert!(starts(&[one(&[Stopped, Stopped, Waiting])]).is_empty());
    let later = [one(&[Waiting, Waiting]), with_budget(Share::Number(0), &[Stopped, Waiting])];
    assert!(starts(&later).is_empty(), "a later wave's cluster cannot start: nobody does");
    let missing = Wave { missing: 1, ..one(&[Stopped, Waiting]) };
    assert!(starts(&[missing]).is_empty(), "one that is gone is a failure, too");
}

#[test]
fn a_tenth_of_twenty_stops_with_the_third() {
    let failed = |number: usize| {
        let states: Vec<MemberState> =
            (0..20).map(|index| if index < number { Stopped } else { Waiting }).collect();
        starts(&[with_budget(Share::Percent(10), &states)]).len()
    };
    assert_eq!([0, 1, 2, 3].map(failed), [1, 1, 1, 0]);
}

#[test]
fn how_a_wave_with_failures_ends() {
    let (two, next) = (|states: &[MemberState]| with_budget(Share::Number(2), states), [Waiting, Waiting]);
    let table: [(&[MemberState], WaveState, usize); 6] = [
        (&[Stopped, Succeeded, Succeeded], WaveState::CompletedWithFailures, 1),
        (&[Stopped, Running, Succeeded], WaveState::RollingOut, 0),
        (&[Stopped, Soaking, Succeeded], WaveState::Soaking, 0),
        (&[Stopped, Stopped], WaveState::Stopped, 0),
        (&[Stopped, Left], WaveState::Stopped, 0),
        (&[Stopped, Left, Succeeded], WaveState::CompletedWithFailures, 1),
    ];
    for (states_of, expected, started) in table {
        let waves = [two(states_of), two(&next)];
        assert_eq!((states(&waves)[0], starts(&waves).len()), (expected, started), "{states_of:?}");
    }
}

#[test]
fn clusters_that_are_not_registered_any_more_hold_up_nobody() {
    let waves = [wave(Share::Number(1), &[Succeeded, Left]), wave(Share::Number(1), &[Waiting])];
    assert_eq!((states(&waves)[0], starts(&waves).len()), (WaveState::Succeeded, 1));
    let empty = [wave(Share::Number(1), &[]), wave(Share::Number(1), &[Waiting])];
    assert_eq!(starts(&empty), ["c0"], "so does a wave without clusters");
}

#[test]
fn a_wave_waits_for_its_approvals_when_its_turn_has_come() {
    let lacks = |states: &[MemberState]| Wave { lacks_approval: true, ..wave(Share::Number(1), states) };
    let waves = [wave(Share::Number(1), &[Running]), lacks(&[Waiting])];
    assert_eq!(states(&waves)[1], WaveState::Pending);
    let waves = [wave(Share::Number(1), &[Succeeded]), lacks(&[Waiting])];
    assert_eq!((states(&waves)[1], starts(&waves).len()), (WaveState::WaitingForApproval, 0));
    assert_eq!(states(&[lacks(&[])]), [WaveState::Succeeded], "nothing to approve");
}

#[test]
fn a_cluster_of_an_older_rollout_is_not_started_and_holds_up_no_other() {
    let waves = [wave(Share::Number(1), &[Claimed, Waiting]), wave(Share::Number(1), &[Waiting])];
    assert_eq!((starts(&waves), states(&waves)[0]), (vec!["c1".to_owned()], WaveState::RollingOut));
    let done = [wave(Share::Number(1), &[Claimed, Succeeded]), wave(Share::Number(1), &[Waiting])];
    assert!(starts(&done).is_empty(), "the wave is not done without it");
}

#[test]
fn clusters_of_one_place_start_apart() {
    let mut one = wave(Share::Number(3), &[Waiting, Waiting, Waiting, Waiting]);
    let at = |member: &mut Member, place: &str, started: Option<Timestamp>| {
        member.place = Some(place.to_owned());
        member.started_at = started;
    };
    for (member, place) in one.members.iter_mut().zip(["weu", "weu", "neu", "weu"]) {
        at(member, place, None);
    }
    let decision = decide_rollout(&[one.clone()], false, now());
    assert_eq!(decision.start, ["c0", "c2"], "the second of a place lets others go first");
    assert_eq!(decision.next_start, Some(now() + START_SPACING));
    one.members[0].state = Running;
    one.members[0].works = true;
    at(&mut one.members[0], "weu", Some(now() - Duration::from_secs(20)));
    let decision = decide_rollout(&[one.clone()], false, now());
    assert_eq!(decision.start, ["c2"]);
    assert_eq!(decision.next_start, Some(now() + Duration::from_secs(40)));
    at(&mut one.members[0], "weu", Some(now() - START_SPACING));
    assert_eq!(decide_rollout(&[one.clone()], false, now()).start, ["c1", "c2"]);
    at(&mut one.members[0], "weu", Some(now() + Duration::from_secs(3600)));
    assert_eq!(starts(&[one]), ["c1", "c2"], "a clock that was wrong holds up nobody");
}
