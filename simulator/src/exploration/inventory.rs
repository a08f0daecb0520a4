//! The inventory of the clusters of a continuous plan: what the operator's AKSClusters would hold, read now and
//! then by whoever leads. Reads of it are no reads of an upgrade: nobody counts them.

use std::{sync::Arc, time::Duration};

use azure_mgmt_containerservice::ClusterId;
use engine::{Cluster, Fleet as _, Offers, OffersNeeded};
use jiff::Timestamp;

use super::{
    azure::Azure,
    checks::Checks,
    hub::Upgrade,
    replica::clock,
    sim::{Here, State},
};
use crate::effects::ClusterKey;

/// As the operator's controller of AKSClusters has it.
const LISTING_AGE: Duration = Duration::from_secs(3600);
const OFFERS_AGE: Duration = Duration::from_secs(6 * 3600);
/// What Azure offers a region is remembered for four hours: only what was read as long after the last release
/// shows it for sure.
const SETTLED: Duration = Duration::from_secs(5 * 3600);
/// When something could not be read.
const FAILED_PAUSE: Duration = Duration::from_secs(60);

/// What is known of one cluster, and from when on it is registered at all.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) registered_at: Timestamp,
    pub(super) cluster: Option<(Cluster, Timestamp)>,
    pub(super) offers: Option<(Offers, Timestamp)>,
    /// When it cannot be read.
    pub(super) blind: Option<(Timestamp, Timestamp)>,
    /// What was so when it was read, and when that was read first: nothing is read again where that has been the
    /// same for long. Only of a long run in which nobody else changes anything.
    read: Option<((u64, u64), Timestamp)>,
}

impl Known {
    pub(super) fn new(registered_at: Timestamp, blind: Option<(Timestamp, Timestamp)>) -> Self {
        Self { registered_at, cluster: None, offers: None, blind, read: None }
    }

    /// Whether it cannot be read now.
    pub(super) fn is_blind(&self, now: Timestamp) -> bool {
        self.blind.is_some_and(|(from, until)| from <= now && now < until)
    }

    /// Whether somebody has registered it by now.
    pub(super) fn is_registered(&self, now: Timestamp) -> bool {
        now >= self.registered_at
    }
}

/// One cluster that is looked at.
pub(super) struct Watch {
    pub(super) here: Here,
    pub(super) azure: Arc<Azure>,
    pub(super) index: usize,
    pub(super) key: ClusterKey,
    pub(super) id: ClusterId,
}

impl Watch {
    /// Looks at it until the replica ends.
    pub(super) async fn run(self) {
        self.here.latency(10, 1000).await;
        loop {
            let registered_at = self.here.state().inventory[self.index].registered_at;
            let now = self.here.state().now;
            if now < registered_at {
                let pause = Duration::try_from(registered_at.duration_since(now)).unwrap_or_default();
                self.here.idle(pause).await;
                continue;
            }
            let pause = match self.look().await {
                Ok(pause) => pause,
                Err(NotRead) => FAILED_PAUSE,
            };
            self.here.idle(pause).await;
        }
    }

    async fn look(&self) -> Result<Duration, NotRead> {
        let (is_long, stamp, now) = {
            let state = self.here.state();
            if state.inventory[self.index].is_blind(state.now) {
                return Err(NotRead);
            }
            (state.is_long, self.stamp(&state), clock(&state, self.here.replica))
        };
        let known = self.here.state().inventory[self.index].clone();
        let same_since = known.read.filter(|(read, _)| *read == stamp).map(|(_, since)| since);
        if is_long && same_since.is_some_and(|since| now >= since + SETTLED) {
            let mut state = self.here.state();
            let noted = &mut state.inventory[self.index];
            noted.cluster = noted.cluster.take().map(|(cluster, _)| (cluster, now));
            noted.offers = noted.offers.take().map(|(offers, _)| (offers, now));
            return Ok(OFFERS_AGE.min(LISTING_AGE * 2));
        }
        let fleet = self.azure.fleet(&self.here, &self.id);
        let cluster = fleet.cluster().await.map_err(|_| NotRead)?;
        let upgraded_at = upgraded_at(&self.here.state().hub.upgrades[self.index]);
        let is_old = |read_at: Timestamp| {
            now >= read_at + OFFERS_AGE || upgraded_at.is_some_and(|at| read_at < at && at <= now)
        };
        let due = known.offers.as_ref().is_none_or(|(_, read_at)| is_old(*read_at)) || is_long;
        let offers = if due && cluster.busy_with().is_none() {
            let offers = fleet.offers(&cluster, &OffersNeeded::all(&cluster)).await.map_err(|_| NotRead)?;
            Some((offers, now))
        } else {
            known.offers.clone()
        };
        let mut state = self.here.state();
        let noted = &mut state.inventory[self.index];
        let is_new = noted.cluster.as_ref().map(|(cluster, _)| cluster) != Some(&cluster)
            || noted.offers.as_ref().map(|(offers, _)| offers) != offers.as_ref().map(|(offers, _)| offers)
            || due;
        let is_busy = cluster.busy_with().is_some();
        (noted.cluster, noted.offers) = (Some((cluster, now)), offers);
        noted.read = (is_long && !is_busy).then_some((stamp, same_since.unwrap_or(now)));
        Checks::note_need(&mut state, self.index);
        if is_new {
            state.hub.plan_watchers().into_iter().for_each(|task| state.wake(task));
        }
        Ok(LISTING_AGE)
    }

    /// What can change what is read, where nobody but the operator changes clusters.
    fn stamp(&self, state: &State) -> (u64, u64) {
        (state.world.releases_seen(&self.key), state.hub.upgrades[self.index].writes)
    }
}

/// It could not be read.
struct NotRead;

/// When the last upgrade of a cluster did something that it tells of.
pub(super) fn upgraded_at(upgrade: &Upgrade) -> Option<Timestamp> {
    let of_present =
        upgrade.place.and_then(|_| engine::UpgradeRecord::of("u", "", None, &upgrade.record.ledger));
    of_present.map(|record| record.last_change()).max(upgrade.upgraded_at)
}
