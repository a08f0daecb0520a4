//! What is known of one cluster: from the shared listing, from Azure's offers, and from its own API.

use std::time::Duration;

use azure_fleet::{steady, with_causes};
use azure_mgmt_containerservice::{ClusterId, Error as AzureError};
use crds::{AKSCluster, AKSClusterStatus};
use engine::{Clock as _, Cluster, Fleet as _, OffersNeeded};
use jiff::Timestamp;
use kube::ResourceExt;

use crate::{context::Context, target::TargetCluster};

/// How old what is shown of Azure may become when nothing happens: with one listing for a whole
/// subscription, that is one call an hour. Upgrades look for themselves.
const LISTING_AGE: Duration = Duration::from_secs(3600);
/// How old it may be for a cluster that is new here: long enough for many that are registered at once.
const FIRST_LISTING_AGE: Duration = Duration::from_secs(60);
/// How old what Azure offers may become: images come out weekly, patches monthly, and each cluster and
/// pool must be asked about by itself.
const OFFERS_AGE: Duration = Duration::from_secs(6 * 3600);

/// How a look at a cluster ended.
pub(super) enum Look {
    /// Azure and the cluster's API could be read.
    Seen,
    /// Something could not be: the reason in one word, and in more.
    No(&'static str, String),
    /// Our share of Azure's limits is used up, says this: nothing new is known.
    HeldBack(String),
}

impl Look {
    pub(super) const fn no(reason: &'static str, why: String) -> Self {
        Self::No(reason, why)
    }

    fn of_azure(error: &AzureError) -> Self {
        let why = steady(&with_causes(error));
        if matches!(error, AzureError::HeldBack(_)) {
            Self::HeldBack(why)
        } else {
            Self::No("AzureUnreachable", why)
        }
    }
}

/// Reads what is known of a cluster into `next`, as far as it can be read.
pub(super) async fn take(
    context: &Context,
    cluster: &AKSCluster,
    id: &ClusterId,
    next: &mut AKSClusterStatus,
) -> Look {
    let fleet = context.inventory(id);
    let known = cluster.status.as_ref().and_then(|status| status.observed_generation);
    let is_new = next.cluster.is_none() || next.observed_generation != known;
    let age = if is_new { FIRST_LISTING_AGE } else { LISTING_AGE };
    let object = (cluster.namespace().unwrap_or_default(), cluster.name_any());
    let seen = context.sweeper.inventory(id, object, context.now() - age, fleet.cluster()).await;
    let seen = match seen {
        Ok(seen) => seen,
        Err(why) => return Look::no("AzureUnreachable", why.to_string()),
    };
    let stale = offers_are_stale(next, &seen, context.now());
    next.cluster = Some(seen.clone());
    if stale {
        match fleet.read_offers(&seen, &OffersNeeded::all(&seen)).await {
            Ok(offers) => (next.offers, next.offers_read_at) = (Some(offers), Some(context.now())),
            Err(error) => return Look::of_azure(&error),
        }
    }
    reach(context, cluster, id).await
}

/// Whether the cluster's own API can be read.
async fn reach(context: &Context, cluster: &AKSCluster, id: &ClusterId) -> Look {
    match context.access.client(&context.inventory, cluster, id).await {
        Err(error) if error.is_invalid_spec() => Look::no("InvalidSpec", error.to_string()),
        Err(error) if error.is_held_back() => Look::HeldBack(with_causes(&error)),
        Err(error) => Look::no("ClusterUnreachable", steady(&with_causes(&error))),
        Ok(client) => match TargetCluster::new(Ok(client)).readable().await {
            Ok(()) => Look::Seen,
            Err(why) => {
                context.access.forget(id);
                Look::no("ClusterUnreachable", why.to_string())
            }
        },
    }
}

/// Whether what Azure offers is to be asked for again; keeps of it what still holds.
///
/// A cluster that moves is not asked about: what it moves to is what matters, and that is asked for
/// by the upgrade. After a move the versions of its region tell where it may go next.
fn offers_are_stale(status: &mut AKSClusterStatus, seen: &Cluster, now: Timestamp) -> bool {
    let Some(offers) = &mut status.offers else { return true };
    if status.cluster.as_ref().is_some_and(|before| before.version != seen.version) {
        *offers = offers.after(&seen.version);
    }
    let due = status.offers_read_at.is_none_or(|read| now >= read + OFFERS_AGE);
    due && seen.busy_with().is_none()
}

#[cfg(test)]
mod tests {
    use engine::{Offers, RegionVersion};

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn cluster(version: &str, state: &str) -> Cluster {
        serde_json::from_value(serde_json::json!({
            "name": "weu", "location": "westeurope", "version": version, "provisioningState": state,
            "power": "Running", "pools": [],
        }))
        .unwrap()
    }

    fn status() -> AKSClusterStatus {
        let region = |version: &str, upgrades: &[&str]| RegionVersion {
            version: version.parse().unwrap(),
            preview: false,
            support_plans: None,
            upgrades: upgrades.iter().map(|upgrade| upgrade.parse().unwrap()).collect(),
        };
        let region = vec![region("1.34.4", &["1.35.3"]), region("1.35.3", &["1.36.2"])];
        AKSClusterStatus {
            cluster: Some(cluster("1.34.4", "Succeeded")),
            offers: Some(Offers { region, ..Offers::default() }.after(&"1.34.4".parse().unwrap())),
            offers_read_at: Some(at("2026-12-05T22:00:00Z")),
            ..AKSClusterStatus::default()
        }
    }

    #[test]
    fn offers_are_read_first_and_then_every_six_hours_while_nothing_moves() {
        let (idle, moving) = (cluster("1.34.4", "Succeeded"), cluster("1.34.4", "Upgrading"));
        let mut status = status();
        assert!(offers_are_stale(&mut AKSClusterStatus::default(), &idle, at("2026-12-05T22:00:00Z")));
        assert!(!offers_are_stale(&mut status, &idle, at("2026-12-06T03:59:59Z")));
        assert!(offers_are_stale(&mut status, &idle, at("2026-12-06T04:00:00Z")));
        assert!(!offers_are_stale(&mut status, &moving, at("2026-12-07T04:00:00Z")));
    }

    #[test]
    fn after_an_upgrade_the_region_tells_where_to_go_next_and_azure_is_not_asked() {
        let mut status = status();
        let stale =
            offers_are_stale(&mut status, &cluster("1.35.3", "Succeeded"), at("2026-12-05T23:00:00Z"));
        assert!(!stale);
        let next = status.offers.unwrap().control_plane;
        assert_eq!(next.iter().map(|offer| offer.version.to_string()).collect::<Vec<_>>(), ["1.36.2"]);
    }
}
