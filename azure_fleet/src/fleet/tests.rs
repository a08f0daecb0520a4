//! What is sent, and what is not: nothing of this reaches a network.

use std::time::Duration;

use azure_core::{
    credentials::{AccessToken, TokenCredential, TokenRequestOptions},
    error::{Error as CoreError, ErrorKind},
};
use azure_mgmt_containerservice::{Answered, Call, CallKind, ClientOptions, Cloud, Governor, HeldBack};
use serde_json::json;

use engine::{Changes, Setting, Step};

use super::*;
use crate::NoListing;

const ID: &str =
    "/subscriptions/s-1/resourceGroups/shop/providers/Microsoft.ContainerService/managedClusters/weu-1";

#[derive(Debug)]
struct NoToken;

#[async_trait::async_trait]
impl TokenCredential for NoToken {
    async fn get_token(
        &self,
        _: &[&str],
        _: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        Err(CoreError::with_message(ErrorKind::Credential, "nothing may be sent"))
    }
}

/// Lets no call pass, and notes each.
#[derive(Clone, Debug, Default)]
struct Closed(Arc<Mutex<Vec<CallKind>>>);

#[async_trait::async_trait]
impl Governor for Closed {
    async fn admit(&self, call: &Call) -> Result<(), HeldBack> {
        self.0.lock().unwrap().push(call.kind);
        Err(HeldBack { limit: "of the test".to_owned(), retry_after: Duration::from_millis(6_100) })
    }

    fn answered(&self, _: &Call, _: &Answered) {}
}

fn now() -> Timestamp {
    "2026-12-05T22:00:00Z".parse().unwrap()
}

fn fleet() -> (AzureFleet<NoListing>, Closed) {
    // The second test to get here finds it installed.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let closed = Closed::default();
    let client = Client::new(ClientOptions::new(Cloud::Public), Arc::new(NoToken)).unwrap();
    let client = client.with_governor(Arc::new(closed.clone()));
    let fleet = AzureFleet::new(client, ID.parse().unwrap(), Arc::default(), Arc::new(now), NoListing);
    (fleet, closed)
}

fn step(kind: StepKind, pool: &str) -> Action {
    let pool = (kind != StepKind::ControlPlane).then(|| pool.to_owned());
    let step = Step { kind, pool, from: "1.34.4".to_owned(), to: "1.35.3".to_owned() };
    Action::Step { step, settings: Changes::new() }
}

fn held_back() -> engine::HeldBack {
    let why = "the share of Azure's limit of the test is used up".to_owned();
    engine::HeldBack { why, until: now() + Duration::from_secs(7) }
}

#[tokio::test]
async fn a_document_is_written_only_for_the_step_that_it_was_read_for() {
    let (fleet, closed) = fleet();
    let apps = step(StepKind::NodePoolVersion, "apps");
    let read = || Held::Pool("apps".to_owned(), Document::from_value(json!({"name": "apps"})));
    let not_read = |answer: Result<Option<String>, Rejection>, subject: &str| {
        let Err(Rejection::Refused { failure, retry_after: None }) = answer else { panic!("{answer:?}") };
        let words = format!("{subject} was not read right before it was to be written: nothing was sent");
        assert_eq!((failure.message.as_str(), failure.class()), (&*words, engine::FailureClass::Transient));
    };
    not_read(fleet.submit(&apps).await, "pool apps");
    not_read(fleet.submit(&step(StepKind::ControlPlane, "")).await, "the cluster");
    *fleet.held() = Some((apps.clone(), read()));
    not_read(fleet.submit(&step(StepKind::NodePoolVersion, "batch")).await, "pool batch");
    not_read(fleet.submit(&apps).await, "pool apps");
    assert!(closed.0.lock().unwrap().is_empty(), "nothing was even tried");

    let settings = Changes::from([(Setting::MaxSurge, Some("1".to_owned()))]);
    let restore = Action::Restore { pool: Some("apps".to_owned()), settings };
    *fleet.held() = Some((restore, read()));
    not_read(fleet.submit(&apps).await, "pool apps");

    *fleet.held() = Some((apps.clone(), read()));
    assert_eq!(fleet.submit(&apps).await, Err(Rejection::HeldBack(held_back())));
    not_read(fleet.submit(&apps).await, "pool apps");
    assert_eq!(*closed.0.lock().unwrap(), [CallKind::PutPool]);
}

#[tokio::test]
async fn what_a_limit_holds_back_is_neither_unreachable_nor_refused() {
    let (fleet, closed) = fleet();
    let held = Unreadable::HeldBack(held_back());
    assert_eq!(fleet.cluster().await, Err(held.clone()));
    let cluster = json!({"name": "weu-1", "location": "westeurope", "version": "1.34.4",
        "provisioningState": "Succeeded", "power": "Running", "pools": []});
    let cluster: Cluster = serde_json::from_value(cluster).unwrap();
    let apps = step(StepKind::NodePoolVersion, "apps");
    assert_eq!(fleet.recheck(&apps, &cluster).await, Err(held.clone()));
    assert_eq!(fleet.offers(&cluster, &OffersNeeded::default()).await, Err(held.clone()));
    assert_eq!(fleet.operation("westeurope/1").await, Err(held));
    let image = step(StepKind::NodePoolImage, "apps");
    assert_eq!(fleet.submit(&image).await, Err(Rejection::HeldBack(held_back())));
    let asked = [
        CallKind::GetCluster,
        CallKind::GetPool,
        CallKind::KubernetesVersions,
        CallKind::OperationStatus,
        CallKind::UpgradeNodeImage,
    ];
    assert_eq!(*closed.0.lock().unwrap(), asked);
}

#[test]
fn an_operation_that_azure_will_never_tell_of_is_not_waited_for() {
    let refused = |status: u16| {
        let error =
            azure_mgmt_containerservice::ApiError::from_body(status, br#"{"code":"Any","message":"any"}"#);
        Error::Api { error: Box::new(error), retry_after: None, request_id: None }
    };
    for (status, never) in [(400, true), (403, true), (404, true), (410, true)].into_iter().chain([
        (401, false),
        (408, false),
        (429, false),
        (500, false),
        (503, false),
    ]) {
        assert_eq!(will_never_tell(&refused(status)), never, "{status}");
    }
    assert!(will_never_tell(&Error::Decode { what: "an operation", problem: "no status".to_owned() }));
    let after = Duration::from_secs(30);
    assert!(!will_never_tell(&Error::Timeout { host: "management.azure.com".to_owned(), after }));
}
