//! What a look is worth while our share of Azure's limits is used up. Nothing of this reaches a network.

use azure_core::{
    credentials::{AccessToken, TokenCredential, TokenRequestOptions},
    error::{Error as CoreError, ErrorKind},
};
use azure_mgmt_containerservice::{Answered, Call, ClientOptions, Cloud, Governor};
use engine::{HeldBack as NotRead, TimeScale, Unreadable};

use super::*;
use crate::clock::real_now;

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

/// Lets no call pass for an hour.
#[derive(Debug)]
struct Closed;

#[async_trait::async_trait]
impl Governor for Closed {
    async fn admit(&self, _: &Call) -> Result<(), HeldBack> {
        Err(HeldBack { limit: "of the test".to_owned(), retry_after: Duration::from_secs(3600) })
    }

    fn answered(&self, _: &Call, _: &Answered) {}
}

fn named(name: &str) -> ObjectName {
    ("fleet".to_owned(), name.to_owned())
}

fn now() -> Timestamp {
    "2026-12-05T22:00:00Z".parse().unwrap()
}

fn sweeper() -> Sweeper {
    // Another test may have got here first.
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let client = Client::new(ClientOptions::new(Cloud::Public), Arc::new(NoToken)).unwrap();
    let clock = WallClock::new(TimeScale::new(now(), real_now(), 1.0).unwrap());
    Sweeper::new(client.with_governor(Arc::new(Closed)), clock).0
}

/// A look waits ten seconds for a listing that is on its way, in one of the few places of its controller.
#[tokio::test]
async fn nobody_waits_for_a_listing_that_is_put_off_and_the_reason_stays_what_it_is() {
    let (sweeper, now) = (sweeper(), now());
    let id: ClusterId = ID.parse().unwrap();
    let held = Unreadable::HeldBack(NotRead { why: "the limit of the test".to_owned(), until: now });

    let stop = CancellationToken::new();
    let looks = async {
        for _ in 0..3 {
            assert_eq!(sweeper.glance(&id, &named("upgrade"), None).await, Glance::Unavailable);
            let read = async { Err(held.clone()) };
            let seen = sweeper.inventory(&id, named("weu-1"), now, read).await;
            assert_eq!(seen, Err(held.clone()), "held back is not unreachable");
        }
        stop.cancel();
    };
    let both = futures::future::join(sweeper.clone().run(stop.clone()), looks);
    tokio::time::timeout(PATIENCE / 2, both).await.expect("six looks take no time");
}

#[tokio::test]
async fn r19_a_listing_from_before_the_clock_was_set_back_is_not_newer_than_what_was_sent_since() {
    let sweeper = sweeper();
    let id: ClusterId = ID.parse().unwrap();
    let cluster: Cluster = serde_json::from_value(serde_json::json!({
        "name": "weu-1", "location": "westeurope", "version": "1.34.4", "provisioningState": "Succeeded",
        "power": "Running", "pools": [],
    }))
    .unwrap();
    let glance = async |began: Timestamp| {
        let clusters = Ok([(ID.to_lowercase(), Ok(cluster.clone()))].into());
        sweeper.book().take("s-1", Listing { began, clusters });
        sweeper.glance(&id, &named("upgrade"), Some(now() - Duration::from_secs(60))).await
    };
    assert_eq!(glance(now() + Duration::from_secs(3600)).await, Glance::Pending);
    assert!(matches!(glance(now() - Duration::from_secs(30)).await, Glance::Seen(_)));
    assert_eq!(glance(now() - Duration::from_secs(90)).await, Glance::Pending);
}
