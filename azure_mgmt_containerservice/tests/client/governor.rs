//! Every request passes the governor, each page of a list by itself.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use azure_mgmt_containerservice::{Answered, Call, CallKind, Error, Governor, HeldBack};
use serde_json::json;

use crate::support::{Arm, CLUSTER, cluster};

/// Lets `left` calls pass, and notes what came of them.
#[derive(Debug)]
struct Turnstile {
    left: Mutex<u32>,
    notes: Mutex<Vec<(Call, Answered)>>,
}

#[async_trait::async_trait]
impl Governor for Turnstile {
    async fn admit(&self, _: &Call) -> Result<(), HeldBack> {
        let mut left = self.left.lock().expect("no panic");
        if *left == 0 {
            return Err(HeldBack { limit: "of the test".to_owned(), retry_after: Duration::from_secs(7) });
        }
        *left -= 1;
        Ok(())
    }

    fn answered(&self, call: &Call, answer: &Answered) {
        let answer = Answered { took: Duration::ZERO, ..answer.clone() };
        self.notes.lock().expect("no panic").push((call.clone(), answer));
    }
}

#[tokio::test]
async fn each_page_is_a_call_and_what_is_held_back_is_not_sent() {
    let arm = Arm::start(|request| {
        let link = format!("https://{}/page/{}", request.header("host")?, request.path.len());
        let remaining = vec![("x-ms-ratelimit-remaining-subscription-reads", "249".to_owned())];
        Some((200, remaining, json!({"value": [], "nextLink": link}).to_string()))
    })
    .await;
    let turnstile = Arc::new(Turnstile { left: Mutex::new(2), notes: Mutex::default() });
    let client = arm.client().with_governor(turnstile.clone());
    let error = client.managed_clusters().list("S-1").await.unwrap_err();
    assert!(matches!(&error, Error::HeldBack(held) if held.limit == "of the test"), "{error}");
    assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
    assert!(!error.is_outcome_unknown());
    assert_eq!(arm.seen().len(), 2);
    let notes = turnstile.notes.lock().unwrap().clone();
    let call = Call { kind: CallKind::ListClusters, scope: "/subscriptions/s-1".to_owned() };
    let answer = Answered { status: Some(200), remaining_reads: Some(249), ..Answered::default() };
    assert_eq!(notes, [(call.clone(), answer.clone()), (call.clone(), answer)]);
    assert_eq!(call.subscription(), "s-1");
}

#[tokio::test]
async fn a_refusal_is_learned_with_its_retry_after() {
    let throttled = json!({"code": "Throttled", "message": "later"});
    let arm = Arm::answering((429, vec![("retry-after", "17".to_owned())], throttled.to_string())).await;
    let turnstile = Arc::new(Turnstile { left: Mutex::new(9), notes: Mutex::default() });
    let client = arm.client().with_governor(turnstile.clone());
    client.agent_pools().upgrade_node_image(&cluster(), "Apps").await.unwrap_err();
    let (call, answer) = turnstile.notes.lock().unwrap()[0].clone();
    assert_eq!(call.scope, format!("{}/agentpools/apps", CLUSTER.to_lowercase()));
    assert_eq!((answer.status, answer.retry_after), (Some(429), Some(Duration::from_secs(17))));
    assert_eq!(answer.code.as_deref(), Some("Throttled"));
}
