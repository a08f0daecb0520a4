//! What is known of one cluster: from the shared listing, from Azure's offers, and from its own API.

use std::time::Duration;

use azure_fleet::{held_back, steady, with_causes};
use azure_mgmt_containerservice::{ClusterId, Error as AzureError};
use crds::{AKSCluster, AKSClusterStatus};
use engine::{Clock as _, Cluster, Fleet as _, HeldBack, OffersNeeded, Unreadable};
use jiff::Timestamp;
use kube::ResourceExt;

use crate::{
    context::Context,
    target::{TargetCluster, TargetError},
};

/// How old what is shown of Azure may become when nothing happens: with one listing for a whole
/// subscription, that is one call an hour. Upgrades look for themselves.
const LISTING_AGE: Duration = Duration::from_secs(3600);
/// How old it may be for a cluster that is new here: long enough for many that are registered at once.
const FIRST_LISTING_AGE: Duration = Duration::from_secs(60);
/// How old the noted time of a listing may become while newer ones show the same.
const NOTED_AGE: Duration = Duration::from_secs(15 * 60);
/// How old what Azure offers may become: images come out weekly, patches monthly, and each cluster and
/// pool must be asked about by itself.
const OFFERS_AGE: Duration = Duration::from_secs(6 * 3600);

/// How a look at a cluster ended.
pub(super) enum Look {
    /// Azure and the cluster's API could be read.
    Seen,
    /// Something could not be: the reason in one word, and in more.
    No(&'static str, String),
    /// Our share of Azure's limits is used up: nothing new is known.
    HeldBack(HeldBack),
}

impl Look {
    pub(super) const fn no(reason: &'static str, why: String) -> Self {
        Self::No(reason, why)
    }

    fn unreadable(why: Unreadable) -> Self {
        match why {
            Unreadable::HeldBack(held) => Self::HeldBack(held),
            why @ (Unreadable::NotAsked | Unreadable::Failed(_) | Unreadable::Gone(_)) => {
                Self::No("AzureUnreachable", why.to_string())
            }
        }
    }

    fn of_azure(error: &AzureError, now: Timestamp) -> Self {
        if let AzureError::HeldBack(held) = error {
            return Self::HeldBack(held_back(held, now));
        }
        Self::No("AzureUnreachable", steady(&with_causes(error)))
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
    let (read_at, seen) = match seen {
        Ok(seen) => seen,
        Err(why) => return Look::unreadable(why),
    };
    let stale = offers_are_stale(next, &seen, context.now());
    note(next, &seen, read_at);
    if stale {
        match fleet.read_offers(&seen, &OffersNeeded::all(&seen)).await {
            Ok(offers) => (next.offers, next.offers_read_at) = (Some(offers), Some(context.now())),
            Err(error) => return Look::of_azure(&error, context.now()),
        }
    }
    reach(context, cluster, id).await
}

/// Notes what was seen, and when. That alone is no change worth a write, unless what was noted has grown old.
fn note(next: &mut AKSClusterStatus, seen: &Cluster, read_at: Timestamp) {
    let grown_old = next.cluster_read_at.is_none_or(|noted| read_at >= noted + NOTED_AGE || read_at < noted);
    if grown_old || next.cluster.as_ref() != Some(seen) {
        next.cluster_read_at = Some(read_at);
    }
    next.cluster = Some(seen.clone());
}

/// Whether the cluster's own API can be read.
async fn reach(context: &Context, cluster: &AKSCluster, id: &ClusterId) -> Look {
    match context.access.client(&context.inventory, cluster, id).await {
        Err(error) if error.is_invalid_spec() => Look::no("InvalidSpec", error.to_string()),
        Err(TargetError::Credential(AzureError::HeldBack(held))) => {
            Look::HeldBack(held_back(&held, context.now()))
        }
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
    // A time in the future: the clock was ahead when they were read.
    let is_old =
        |read: Timestamp| Duration::try_from(now.duration_since(read)).map_or(true, |age| age >= OFFERS_AGE);
    // What an upgrade has moved since says more, too: whether there is anything left to do.
    let upgraded = status.history.first().map(engine::UpgradeRecord::last_change);
    let is_before = |read: Timestamp| upgraded.is_some_and(|upgraded| read < upgraded && upgraded <= now);
    let due = status.offers_read_at.is_none_or(|read| is_old(read) || is_before(read));
    due && seen.busy_with().is_none()
}

#[cfg(test)]
mod tests {
    use azure_mgmt_containerservice::HeldBack as NotSent;
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
            cluster_read_at: Some(at("2026-12-05T22:00:00Z")),
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
        assert!(offers_are_stale(&mut status, &idle, at("2026-12-05T21:00:00Z")), "the clock was set back");
        status.offers_read_at = Some(Timestamp::MAX);
        assert!(offers_are_stale(&mut status, &idle, at("2026-12-05T22:00:00Z")), "or somebody wrote that");
    }

    #[test]
    fn the_time_of_the_listing_is_noted_when_it_shows_something_new_or_the_noted_one_is_old() {
        let (same, other) = (cluster("1.34.4", "Succeeded"), cluster("1.34.4", "Upgrading"));
        let noted = |seen: &Cluster, read_at: &str| {
            let mut status = status();
            note(&mut status, seen, at(read_at));
            assert_eq!(status.cluster.as_ref(), Some(seen));
            status.cluster_read_at.unwrap().to_string()
        };
        assert_eq!(noted(&other, "2026-12-05T22:00:15Z"), "2026-12-05T22:00:15Z");
        assert_eq!(
            noted(&same, "2026-12-05T22:14:59Z"),
            "2026-12-05T22:00:00Z",
            "a look alone writes nothing"
        );
        assert_eq!(noted(&same, "2026-12-05T22:15:00Z"), "2026-12-05T22:15:00Z");
        assert_eq!(noted(&same, "2026-12-05T21:00:00Z"), "2026-12-05T21:00:00Z", "the clock was set back");
        let mut first = AKSClusterStatus::default();
        note(&mut first, &same, at("2026-12-05T22:00:00Z"));
        assert_eq!(first.cluster_read_at, Some(at("2026-12-05T22:00:00Z")));
    }

    #[test]
    fn held_back_is_not_unreachable() {
        let (now, until) = (at("2026-12-05T22:00:00Z"), at("2026-12-05T22:01:26Z"));
        let why = "the share of Azure's limit for reads of one cluster is used up";
        let held = HeldBack { why: why.to_owned(), until };
        let expected = |look: Look| matches!(look, Look::HeldBack(found) if found == held);
        assert!(expected(Look::unreadable(Unreadable::HeldBack(held.clone()))), "a listing's fallback");
        let limit = "for reads of one cluster".to_owned();
        let error = NotSent { limit, retry_after: Duration::from_millis(85_100) };
        assert!(expected(Look::of_azure(&error.into(), now)), "offers");
        assert!(matches!(Look::unreadable(Unreadable::failed("503")), Look::No("AzureUnreachable", _)));
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
