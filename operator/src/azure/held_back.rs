//! What becomes of a step that a limit holds back, ours or Azure's.

use std::time::Duration;

use azure_fleet::{failure, held_back, steady};
use azure_mgmt_containerservice::{Error, HeldBack};
use engine::{Ledger, Observation, Request, Scope, View, WaitingOn, not_sent, refused};
use jiff::Timestamp;

use super::limits::{Limit, Wait};

/// One step whose intent is recorded.
fn ledger(now: Timestamp) -> Ledger {
    let step = serde_json::json!({
        "pool": "apps", "from": "1.34.4", "to": "1.35.3", "state": "Running", "startedAt": now,
    });
    let operation = serde_json::json!({
        "stepId": "pool-apps-1.35.3", "phase": "Intent", "attempt": 1, "since": now, "intentAt": now,
        "deadline": now + jiff::SignedDuration::from_hours(6),
    });
    serde_json::from_value(serde_json::json!({ "steps": [step], "operation": operation })).unwrap()
}

#[test]
fn a_step_that_was_held_back_is_no_attempt_and_says_which_limit_it_waits_for() {
    let now: Timestamp = "2026-12-05T22:00:00Z".parse().unwrap();
    let (limit, retry_after) = ("for writes of one node pool".to_owned(), Duration::from_millis(85_100));
    let held = held_back(&HeldBack { limit, retry_after }, now);
    assert_eq!(held.until, now + Duration::from_secs(86), "in whole seconds, and not too early");

    let (request, before, seen) = (Request::new(Scope::Full, None), ledger(now), Observation::default());
    let view = View { request: &request, ledger: &before, seen: &seen, now };
    let after = not_sent(&before, &held, &view);
    let (operation, record) = after.current().unwrap();
    assert_eq!((operation.attempt, record.attempts, operation.held), (1, 1, false));
    assert_eq!((operation.not_before, &operation.failure), (Some(held.until), &None));
    let waiting = WaitingOn::HeldBack { step: Some(record.step.clone()), held, overdue: false };
    assert_eq!(
        waiting.to_string(),
        "pool apps is not sent to Azure yet: the share of Azure's limit for writes of one node pool is used up"
    );
}

/// It stands in conditions and in the record.
#[test]
fn whatever_the_limit_is_called_it_is_told_the_same_each_time_and_fits() {
    for (limit, refused) in Limit::ALL.into_iter().flat_map(|limit| [(limit, false), (limit, true)]) {
        let words = Wait { limit, until: Timestamp::UNIX_EPOCH, refused }.words();
        let held = HeldBack { limit: words.clone(), retry_after: Duration::ZERO };
        let why = held_back(&held, Timestamp::UNIX_EPOCH).why;
        assert!(why.contains(&words) && why.len() <= 256, "{why}");
        assert_eq!(steady(&why), why);
    }
}

#[test]
fn a_refusal_by_azure_carries_its_retry_after_and_is_no_attempt() {
    let body = br#"{"code":"Throttled","message":"try again in 86 seconds"}"#;
    let error = Error::Api {
        error: Box::new(azure_mgmt_containerservice::ApiError::from_body(429, body)),
        retry_after: Some(Duration::from_secs(86)),
        request_id: None,
    };
    let now: Timestamp = "2026-12-05T22:00:00Z".parse().unwrap();
    let (request, before, seen) = (Request::new(Scope::Full, None), ledger(now), Observation::default());
    let view = View { request: &request, ledger: &before, seen: &seen, now };
    let after = refused(&before, &failure(&error), error.retry_after(), &view);
    let operation = after.operation.unwrap();
    let pause = operation.not_before.unwrap().duration_since(now).as_secs();
    assert!(
        operation.attempt == 1 && (86..=86 * 5 / 4).contains(&pause),
        "{pause} s: not before, and spread"
    );
}
