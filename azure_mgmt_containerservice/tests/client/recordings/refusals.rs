//! Every distinct error and operation body that was recorded or transcribed, through the client.

use std::sync::{Arc, Mutex};

use azure_mgmt_containerservice::{ApiError, OperationState, OperationStatus, OperationUrl};
use serde_json::Value;

use super::{folder, lines};
use crate::support::{Arm, Reply, cluster};

fn text(body: &Value) -> String {
    body.as_str().map_or_else(|| body.to_string(), str::to_owned)
}

#[tokio::test]
async fn every_recorded_error_is_an_error_with_its_code_and_words() {
    let Some(mut entries) = lines("unique_error_responses.jsonl") else { return };
    let folder = folder().expect("checked above");
    let more =
        std::fs::read_to_string(folder.join("error_bodies_from_docs_and_issues.json")).expect("the list");
    entries.extend(serde_json::from_str::<Vec<Value>>(&more).expect("JSON"));
    let next: Arc<Mutex<Reply>> = Arc::default();
    let answers = Arc::clone(&next);
    let arm = Arm::start(move |_| Some(answers.lock().expect("no panic").clone())).await;
    let client = arm.client();
    let mut read = 0;
    for entry in entries {
        let Some(status) = entry["status"].as_u64().and_then(|status| u16::try_from(status).ok()) else {
            continue; // the body of an operation: below
        };
        let body = text(&entry["body"]);
        *next.lock().expect("no panic") = (status, Vec::new(), body.clone());
        let error = client.managed_clusters().put(&cluster(), &Value::Null, None).await.unwrap_err();
        let api = error.api().unwrap_or_else(|| panic!("{error}")).clone();
        assert_eq!(api.status, Some(status));
        check(&api, &body);
        read += 1;
    }
    assert!(read >= 34, "only {read} bodies");
}

/// Code, subcode, target and message are as recorded, and so is what the details say.
fn check(error: &ApiError, body: &str) {
    let Ok(recorded) = serde_json::from_str::<Value>(body) else {
        assert_eq!((error.message.as_str(), &error.code), ("HTML body", &None));
        return;
    };
    let recorded = recorded.get("error").unwrap_or(&recorded);
    let word = |name: &str| recorded[name].as_str().filter(|text| !text.is_empty());
    assert_eq!(error.code.as_deref(), word("code"), "{body}");
    assert_eq!(error.subcode.as_deref(), word("subcode"), "{body}");
    assert_eq!(error.target.as_deref(), word("target"), "{body}");
    assert_eq!(Some(error.message.as_str()), word("message"), "{body}");
    let details = recorded["details"].as_array().map(Vec::as_slice).unwrap_or_default();
    assert_eq!(error.details.len(), details.len(), "{body}");
    for (detail, recorded) in error.details.iter().zip(details) {
        assert_eq!(Some(detail.message.as_str()), recorded["message"].as_str(), "{body}");
        assert!(error.summary().contains(&detail.message), "{error}");
    }
}

#[tokio::test]
async fn every_recorded_operation_body_is_a_status_or_a_refusal() {
    let Some(entries) = lines("unique_operation_status_bodies.jsonl") else { return };
    let next: Arc<Mutex<Reply>> = Arc::default();
    let answers = Arc::clone(&next);
    let arm = Arm::start(move |_| Some(answers.lock().expect("no panic").clone())).await;
    let url = OperationUrl::new(format!("{}operations/1", arm.url));
    let (mut preempted, mut refused, mut with_error) = (0, 0, 0);
    for entry in &entries {
        let status = u16::try_from(entry["status"].as_u64().expect("a status")).expect("a status");
        *next.lock().expect("no panic") = (status, Vec::new(), text(&entry["body"]));
        match arm.client().operations().status(&url).await {
            Ok(read) => {
                let body: Value = serde_json::from_str(&text(&entry["body"])).expect("JSON");
                check_status(&read, &body);
                preempted += usize::from(read.was_preempted());
                with_error += usize::from(read.error.is_some() && read.state == OperationState::Succeeded);
            }
            Err(error) => {
                assert_eq!(error.status(), Some(status), "{error}");
                assert!(status >= 500, "{error}");
                refused += 1;
            }
        }
    }
    // Among them HTML pages, and operations that succeeded with an error in their bodies.
    assert!(
        entries.len() >= 36 && refused >= 4 && preempted >= 2 && with_error >= 8,
        "{refused} {preempted} {with_error}"
    );
}

fn check_status(read: &OperationStatus, body: &Value) {
    let word = body["status"].as_str().expect("a status");
    let expected = match word {
        "Succeeded" => OperationState::Succeeded,
        "Failed" => OperationState::Failed,
        "Canceled" => OperationState::Canceled,
        running => OperationState::InProgress(running.to_owned()),
    };
    assert_eq!(read.state, expected);
    assert_eq!(read.name.as_deref(), body["name"].as_str());
    assert_eq!(read.start_time.is_some(), body["startTime"].is_string(), "{body}");
    assert_eq!(read.end_time.is_some(), body["endTime"].is_string(), "{body}");
    match (&read.error, body.get("error")) {
        (Some(error), Some(recorded)) => assert_eq!(error.code.as_deref(), recorded["code"].as_str()),
        (read, recorded) => assert_eq!(read.is_some(), recorded.is_some(), "{body}"),
    }
    if read.was_preempted() {
        assert_eq!(read.state, OperationState::Succeeded);
    }
}
