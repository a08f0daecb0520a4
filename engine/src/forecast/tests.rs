use jiff::civil::Weekday;
use serde_json::json;

use super::*;
use crate::policy::OrderRule;
use crate::schedule::{Answer, Ask};
use crate::testing::{cluster, freeze, weekly};

const HOUR: Duration = Duration::from_secs(3600);

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(minutes * 60)
}

fn weekend() -> Schedule {
    Schedule { windows: vec![weekly("weekend", &[Weekday::Saturday], "22:00", 6)], ..Schedule::default() }
}

/// A control plane (20 minutes), three Linux nodes (38) and three Windows nodes (68).
fn ledger(states: [&str; 3]) -> Ledger {
    let pools = [None, Some("linux1"), Some("win1")];
    let steps: Vec<_> = std::iter::zip(pools, states)
        .map(|(pool, state)| json!({"pool": pool, "from": "1.33.8", "to": "1.34.4", "state": state}))
        .collect();
    serde_json::from_value(json!({ "steps": steps })).unwrap()
}

fn steps() -> Vec<Step> {
    ledger(["Planned"; 3]).steps.into_iter().map(|record| record.step).collect()
}

fn window() -> WaitingOn {
    WaitingOn::Window {
        step: ledger(["Planned"; 3]).steps[0].step.clone(),
        window: "weekend".to_owned(),
        own: None,
        opens: at("2026-11-21T21:00:00Z"),
        too_soon: false,
    }
}

fn forecast(
    ledger: &Ledger,
    waiting: Option<&WaitingOn>,
    schedule: &Schedule,
    now: &str,
) -> Option<Timestamp> {
    let (cluster, policy) = (cluster("1.33.8"), Policy::default());
    let steps = &steps();
    Outlay { cluster: &cluster, policy: &policy, schedule, steps }.end_of_upgrade(ledger, waiting, at(now))
}

#[test]
fn steps_start_when_they_may_and_one_that_no_longer_fits_starts_with_the_next_window() {
    let planned = ledger(["Planned"; 3]);
    let waiting = window();
    let ends = |schedule: &Schedule| forecast(&planned, Some(&waiting), schedule, "2026-11-20T12:00:00Z");
    assert_eq!(ends(&weekend()), Some(at("2026-11-21T21:00:00Z") + minutes(20 + 38 + 68)));
    let two_hours = Schedule {
        windows: vec![weekly("weekend", &[Weekday::Saturday], "22:00", 2)],
        ..Schedule::default()
    };
    assert_eq!(ends(&two_hours), Some(at("2026-11-28T21:00:00Z") + minutes(68)), "win1 does not fit");
    let long = Schedule { minimum_remaining: Some(2 * HOUR), ..two_hours };
    assert_eq!(ends(&long), Some(at("2026-12-05T21:00:00Z") + minutes(68)), "one in each window");
    let unrecorded = forecast(&Ledger::default(), Some(&waiting), &weekend(), "2026-11-20T12:00:00Z");
    assert_eq!(unrecorded, ends(&weekend()), "those that would be planned, before any is");
    let never = Schedule { minimum_remaining: Some(7 * HOUR), ..weekend() };
    assert_eq!(ends(&never), None);
}

#[test]
fn freezes_are_waited_for_as_far_as_they_end() {
    let planned = ledger(["Planned"; 3]);
    let ends = |until| {
        let freezes = vec![freeze("sale", "2026-11-21T21:30:00Z", until)];
        forecast(&planned, Some(&window()), &Schedule { freezes, ..weekend() }, "2026-11-20T12:00:00Z")
    };
    assert_eq!(
        ends(Some("2026-11-21T23:00:00Z")),
        Some(at("2026-11-21T23:00:00Z") + minutes(38 + 68)),
        "the control plane before it, the pools after it"
    );
    assert_eq!(ends(None), None, "it ends when somebody ends it");
}

#[test]
fn what_is_in_flight_has_so_much_left_and_is_never_late_at_once() {
    let mut running = ledger(["Succeeded", "Running", "Planned"]);
    let operation = |phase: &str| {
        let instant = "2026-11-21T22:00:00Z";
        let operation = json!({"stepId": "pool-linux1-1.34.4", "phase": phase, "attempt": 1, "since": instant,
            "intentAt": instant, "submittedAt": instant, "deadline": "2026-11-22T22:00:00Z"});
        serde_json::from_value(operation).unwrap()
    };
    running.operation = Some(operation("Submitted"));
    let waiting = WaitingOn::Operation(running.steps[1].step.clone());
    let ends = |ledger: &Ledger, now| forecast(ledger, Some(&waiting), &Schedule::default(), now);
    let expected = at("2026-11-21T22:00:00Z") + minutes(38 + 68);
    assert_eq!(ends(&running, "2026-11-21T22:00:00Z"), Some(expected));
    assert_eq!(ends(&running, "2026-11-21T22:30:00Z"), Some(expected));
    let late = at("2026-11-21T23:30:00Z") + minutes(38) / 10 + minutes(68);
    assert_eq!(ends(&running, "2026-11-21T23:30:00Z"), Some(late));
    running.operation = Some(operation("Verifying"));
    assert_eq!(ends(&running, "2026-11-21T22:30:00Z"), Some(at("2026-11-21T22:30:00Z") + minutes(5 + 68)));
}

#[test]
fn the_soak_counts_and_what_needs_a_person_or_its_turn_has_no_end() {
    let (cluster, planned) = (cluster("1.33.8"), ledger(["Succeeded", "Succeeded", "Planned"]));
    let (policy, schedule) = (Policy { soak: 24 * HOUR, ..Policy::default() }, Schedule::default());
    let outlay = Outlay { cluster: &cluster, policy: &policy, schedule: &schedule, steps: &[] };
    let now = at("2026-11-21T22:00:00Z");
    let working = WaitingOn::AzureUnreadable("throttled".to_owned());
    assert_eq!(outlay.end_of_upgrade(&planned, Some(&working), now), Some(now + minutes(68) + 24 * HOUR));
    let until = now + 3 * HOUR;
    let soaking = Ledger { soak_until: Some(until), ..ledger(["Succeeded"; 3]) };
    assert_eq!(outlay.end_of_upgrade(&soaking, Some(&WaitingOn::Soaking(until)), now), Some(until));
    for waiting in [
        WaitingOn::Suspended,
        WaitingOn::Wave("w".to_owned()),
        WaitingOn::GateFailed(Vec::new()),
        WaitingOn::InvalidSpec("spec".to_owned()),
    ] {
        assert_eq!(outlay.end_of_upgrade(&planned, Some(&waiting), now), None, "{waiting}");
    }
    assert_eq!(outlay.end_of_upgrade(&planned, None, now), None, "nothing is decided yet, or all is done");
    assert_eq!(
        outlay.end_of_upgrade(&Ledger::default(), Some(&working), now),
        None,
        "nothing is known of its steps"
    );
}

#[test]
fn the_soak_of_a_pool_counts_before_the_next_step() {
    let (cluster, schedule) = (cluster("1.33.8"), Schedule::default());
    let order = vec![OrderRule { soak: minutes(30), ..OrderRule::default() }];
    let policy = Policy { order, ..Policy::default() };
    let outlay = Outlay { cluster: &cluster, policy: &policy, schedule: &schedule, steps: &[] };
    let now = at("2026-11-21T22:00:00Z");
    let passing = WaitingOn::AzureUnreadable("throttled".to_owned());
    let ends = |ledger: &Ledger| outlay.end_of_upgrade(ledger, Some(&passing), now).unwrap();
    assert_eq!(ends(&ledger(["Planned"; 3])), now + minutes(20 + 38 + 30 + 68 + 30));
    let mut running = ledger(["Succeeded", "Running", "Planned"]);
    for (phase, left) in [("Submitted", 38 + 30), ("Verifying", 5 + 30), ("Gating", 5 + 30), ("Soaking", 30)]
    {
        let operation = json!({"stepId": "pool-linux1-1.34.4", "phase": phase, "attempt": 1, "since": now,
            "intentAt": now, "submittedAt": now, "deadline": now});
        running.operation = Some(serde_json::from_value(operation).unwrap());
        assert_eq!(ends(&running), now + minutes(left + 68 + 30), "{phase}");
    }
}

#[test]
fn the_next_start_is_the_first_minute_that_answers_so() {
    let freezes = vec![
        freeze("a", "2026-11-21T23:00:00Z", Some("2026-11-22T01:00:00Z")),
        freeze("b", "2026-11-27T00:00:00Z", Some("2026-11-28T22:00:00Z")),
    ];
    let schedule = Schedule {
        windows: vec![
            weekly("weekend", &[Weekday::Saturday], "22:00", 6),
            weekly("noon", &[Weekday::Wednesday], "12:00", 2),
        ],
        freezes,
        not_before: Some(at("2026-11-19T00:00:00Z")),
        ..Schedule::default()
    };
    for (hours, expected) in [
        (1, "2026-11-21T21:00:00Z"),
        (2, "2026-11-21T21:00:00Z"),
        (3, "2026-11-28T22:00:00Z"),
        (5, "2026-11-28T22:00:00Z"),
        (6, "2026-12-05T21:00:00Z"),
    ] {
        assert_eq!(
            schedule.next_start(at("2026-11-18T11:30:00Z"), hours * HOUR),
            Some(at(expected)),
            "{hours} hours"
        );
    }
    let may_start = |now, needs| {
        schedule.answer(&Ask { now, needs, freezes: &schedule.freezes, cluster: None }) == Answer::Start
    };
    let from = at("2026-11-20T00:00:00Z");
    for hours in [1, 2, 4] {
        let mut first = from;
        while !may_start(first, hours * HOUR) {
            first += minutes(1);
        }
        assert_eq!(schedule.next_start(from, hours * HOUR), Some(first), "{hours} hours");
    }
}

#[test]
fn waves_follow_each_other_and_of_each_so_many_clusters_run_at_once() {
    let now = at("2026-11-21T22:00:00Z");
    let (cluster, policy, schedule) = (cluster("1.33.8"), Policy::default(), Schedule::default());
    let frozen = Schedule { freezes: vec![freeze("f", "2026-11-01T00:00:00Z", None)], ..Schedule::default() };
    // Three times twenty minutes.
    let steps = vec![ledger(["Planned"; 3]).steps[0].step.clone(); 3];
    let waits = |schedule| Outlay { cluster: &cluster, policy: &policy, schedule, steps: &steps };
    let wave = |at_once, running: Vec<Option<Timestamp>>, waiting: usize, soak| UpcomingWave {
        at_once,
        running,
        waiting: (0..waiting).map(|_| waits(&schedule)).collect(),
        soak,
    };
    let none = Duration::ZERO;
    let ends =
        |waves: &[UpcomingWave<'_>]| end_of_rollout(waves, now).map(|end| end.duration_since(now).as_mins());
    assert_eq!(ends(&[]), Some(0));
    assert_eq!(ends(&[wave(4, vec![], 12, none)]), Some(180));
    assert_eq!(ends(&[wave(5, vec![], 12, none)]), Some(180));
    assert_eq!(ends(&[wave(1, vec![], 1, 24 * HOUR), wave(2, vec![], 3, none)]), Some(25 * 60 + 120));
    let running = vec![Some(now + minutes(10)), Some(now + minutes(90))];
    assert_eq!(ends(&[wave(2, running, 2, none)]), Some(130), "both by the place that is free first");
    assert_eq!(ends(&[wave(2, vec![None], 2, none)]), None, "of one it is not known");
    let late = UpcomingWave { waiting: vec![waits(&frozen)], ..wave(2, vec![], 0, none) };
    assert_eq!(ends(&[late]), None);
}

#[test]
fn a_forecast_that_is_about_as_good_is_not_told_anew() {
    let now = at("2026-11-21T22:00:00Z");
    let shown = now + 10 * HOUR;
    let next = |off: i64, now| {
        let forecast = shown + jiff::SignedDuration::from_mins(off);
        (steady_eta(Some(shown), Some(forecast), now), forecast)
    };
    for off in [0, 30, -30, 55] {
        assert_eq!(next(off, now).0, Some(shown), "{off} minutes of ten hours");
    }
    for off in [75, -75] {
        let (told, forecast) = next(off, now);
        assert_eq!(told, Some(forecast), "{off} minutes of ten hours");
    }
    let soon = shown - minutes(20);
    assert_eq!(next(9, soon).0, Some(shown));
    let (told, forecast) = next(12, soon);
    assert_eq!(told, Some(forecast), "12 minutes of 20");
    assert_eq!(next(3, shown).0, Some(shown + minutes(3)), "what is past is told anew");
    assert_eq!(steady_eta(Some(shown), None, now), None);
    assert_eq!(steady_eta(None, Some(now), now), Some(now + minutes(1)), "never the past");
}
