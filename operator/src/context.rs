//! What every controller has at hand.

use std::{sync::Arc, time::Duration};

use azure_fleet::{AzureFleet, Listing, NoListing, OfferCache, held_back, steady, with_causes};
use azure_mgmt_containerservice::{Client as AzureClient, ClusterId, Error as AzureError};
use crds::AKSCluster;
use engine::{Clock, Unreadable};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::{
    Client,
    runtime::events::{Event, EventType, Recorder},
};

use crate::{
    azure::{ObjectName, Sweeper, Watch},
    clock::WallClock,
    leader::Leadership,
    target::{TargetAccess, TargetCluster, TargetError},
    telemetry::Metrics,
    timing::Timing,
};

/// What every controller has at hand.
pub(crate) struct Context {
    /// The cluster where Tidegate's resources live.
    pub hub: Client,
    /// The same cluster, without a timeout for answers: for watches.
    pub watches: Client,
    /// Azure Resource Manager, for clusters that are being upgraded.
    pub azure: AzureClient,
    /// The same, for everything else: it leaves half of what Azure's limits allow to upgrades.
    pub inventory: AzureClient,
    /// The listings that all upgrades share.
    pub sweeper: Sweeper,
    /// What Azure offers, as last read.
    pub offers: Arc<OfferCache>,
    /// Windows and freezes.
    pub timing: Timing,
    /// The way to target clusters.
    pub access: TargetAccess,
    /// The clock.
    pub clock: WallClock,
    /// Whether this process may act.
    pub leadership: Leadership,
    /// The metrics.
    pub metrics: Metrics,
    /// Publishes events.
    pub recorder: Recorder,
}

impl Context {
    /// The cluster in Azure, as an upgrade looks at it.
    #[must_use]
    pub(crate) fn fleet(&self, id: &ClusterId, upgrade: ObjectName) -> AzureFleet<Watch> {
        let watch = Watch { sweeper: self.sweeper.clone(), upgrade };
        self.azure_fleet(self.azure.clone(), id, watch)
    }

    /// The cluster in Azure, as the inventory looks at it.
    #[must_use]
    pub(crate) fn inventory(&self, id: &ClusterId) -> AzureFleet<NoListing> {
        self.azure_fleet(self.inventory.clone(), id, NoListing)
    }

    fn azure_fleet<L: Listing>(&self, client: AzureClient, id: &ClusterId, listing: L) -> AzureFleet<L> {
        let clock = self.clock;
        AzureFleet::new(client, id.clone(), self.offers.clone(), Arc::new(move || clock.now()), listing)
    }

    /// The cluster's own API. A cluster that cannot be reached is one that cannot be read,
    /// unless its specification is at fault.
    ///
    /// # Errors
    /// When the specification of the access is invalid.
    pub(crate) async fn target(
        &self,
        cluster: &AKSCluster,
        id: &ClusterId,
    ) -> Result<TargetCluster, TargetError> {
        match self.access.client(&self.azure, cluster, id).await {
            Ok(client) => Ok(TargetCluster::new(Ok(client))),
            Err(error) if error.is_invalid_spec() => Err(error),
            Err(TargetError::Credential(AzureError::HeldBack(held))) => {
                let held = held_back(&held, self.clock.now());
                Ok(TargetCluster::new(Err(Unreadable::HeldBack(held))))
            }
            Err(error) => Ok(TargetCluster::new(Err(Unreadable::Failed(steady(&with_causes(&error)))))),
        }
    }

    /// How long to wait really.
    #[must_use]
    pub(crate) fn after(&self, scaled: Duration) -> Duration {
        // Not below this, whatever the scale: others work on this machine, too.
        self.clock.real_duration(scaled).max(Duration::from_millis(200))
    }

    /// Publishes an event. One that cannot be published is logged, and lost: the status tells the same.
    pub(crate) async fn publish(&self, about: &ObjectReference, warning: bool, reason: &str, note: &str) {
        let event = Event {
            type_: if warning { EventType::Warning } else { EventType::Normal },
            reason: reason.to_owned(),
            note: Some(bounded(note, 1000)),
            action: "Upgrade".to_owned(),
            secondary: None,
        };
        if let Err(error) = self.recorder.publish(&event, about).await {
            tracing::warn!(%error, reason, "an event could not be published");
        }
    }
}

impl Clock for Context {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn may_act(&self) -> bool {
        self.leadership.held()
    }
}

/// At most so many bytes, cut at a character.
#[must_use]
pub(crate) fn bounded(text: &str, bytes: usize) -> String {
    if text.len() <= bytes {
        return text.to_owned();
    }
    let mut end = bytes.saturating_sub(3);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", &text[..end])
}
