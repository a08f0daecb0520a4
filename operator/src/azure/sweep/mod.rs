//! One listing for the whole fleet: clusters in flight are watched by listing their subscription, not
//! by reading each of them. Nothing is asked while nothing is in flight.
//!
//! Azure lists by subscription or resource group, not by region: one listing shows all regions.

mod book;

use std::{
    collections::BTreeMap,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use azure_fleet::steady;
use azure_mgmt_containerservice::{Client, ClusterId, Error, HeldBack};
use engine::{Cluster, Glance, Reading};
use futures::{FutureExt as _, Stream, StreamExt as _, stream, stream::FuturesUnordered};
use jiff::Timestamp;
use tokio::sync::{Notify, mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::clock::WallClock;
use book::{Book, Changes, Listing};

pub(crate) use book::ObjectName;

/// How long one look waits for a listing that is on its way, in real time; then it reads by itself.
const PATIENCE: Duration = Duration::from_secs(10);
/// Wake-ups that wait to be taken. One that finds no room is lost: everybody looks again in time.
const WAKE_UPS: usize = 4096;
/// Listings are made no more often, whatever the scale of time: others work on this machine, too.
const SHORTEST_REAL_PAUSE: Duration = Duration::from_millis(200);

/// Lists subscriptions while somebody looks at their clusters. Clones share everything.
#[derive(Clone)]
pub(crate) struct Sweeper {
    shared: Arc<Shared>,
}

struct Shared {
    client: Client,
    clock: WallClock,
    book: Mutex<Book>,
    /// Something new is wanted.
    wanted: Notify,
    /// Counts the listings that came in, or were put off.
    arrived: watch::Sender<u64>,
    upgrades: mpsc::Sender<ObjectName>,
    clusters: mpsc::Sender<ObjectName>,
}

/// Who is to look again, because a listing showed something new.
pub(crate) struct WakeUps {
    /// ClusterUpgrades.
    pub(crate) upgrades: mpsc::Receiver<ObjectName>,
    /// AKSClusters.
    pub(crate) clusters: mpsc::Receiver<ObjectName>,
}

impl Sweeper {
    /// A sweeper, to be [run](Self::run), and its wake-ups.
    #[must_use]
    pub(crate) fn new(client: Client, clock: WallClock) -> (Self, WakeUps) {
        let (upgrades, woken_upgrades) = mpsc::channel(WAKE_UPS);
        let (clusters, woken_clusters) = mpsc::channel(WAKE_UPS);
        let (wanted, (arrived, _)) = (Notify::new(), watch::channel(0));
        let book = Mutex::new(Book::new(clock.scaled_duration(SHORTEST_REAL_PAUSE)));
        let shared = Shared { client, clock, book, wanted, arrived, upgrades, clusters };
        let wake_ups = WakeUps { upgrades: woken_upgrades, clusters: woken_clusters };
        (Self { shared: Arc::new(shared) }, wake_ups)
    }

    /// Lists what is due, until `stop`.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let mut listings = FuturesUnordered::new();
        loop {
            let now = self.shared.clock.now();
            let (due, next) = self.book().due(now);
            listings.extend(due.into_iter().map(|subscription| self.list(subscription).boxed()));
            let pause = next.map(|next| self.real_pause(next, now));
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.shared.wanted.notified() => {}
                () = after(pause) => {}
                Some(()) = listings.next() => {}
            }
        }
    }

    /// The cluster as a listing shows it that was begun after `since`, or that is recent. Its
    /// subscription stays listed for a while after, on behalf of `upgrade`.
    pub(crate) async fn glance(
        &self,
        id: &ClusterId,
        upgrade: &ObjectName,
        since: Option<Timestamp>,
    ) -> Glance {
        let (subscription, key) = keys(id);
        let now = self.shared.clock.now();
        self.book().watch(&subscription, &key, upgrade.clone(), now);
        self.shared.wanted.notify_one();
        let Some(since) = since else {
            let listing = self.recent(&subscription, |listing| listing.is_recent(now)).await;
            return listing.map_or(Glance::Unavailable, |listing| shown(&listing, &key));
        };
        match self.book().last(&subscription).filter(|last| last.began > since && last.has_begun(now)) {
            Some(listing) => shown(&listing, &key),
            None => Glance::Pending,
        }
    }

    /// The cluster as the inventory shows it, and when that was: from a listing begun at `oldest` or later, or
    /// by itself where no listing shows it. Changes wake `object` from now on.
    pub(crate) async fn inventory(
        &self,
        id: &ClusterId,
        object: ObjectName,
        oldest: Timestamp,
        read: impl Future<Output = Reading<Cluster>>,
    ) -> Reading<(Timestamp, Cluster)> {
        let (subscription, key) = keys(id);
        self.book().register(&key, object, self.shared.clock.now());
        let listing = self.recent(&subscription, |listing| listing.began >= oldest).await;
        if let Some(listing) = listing
            && let Glance::Seen(cluster) = shown(&listing, &key)
        {
            return Ok((listing.began, *cluster));
        }
        if let Some(known) = self.book().read_by_itself(&key, oldest) {
            return Ok(known);
        }
        let now = self.shared.clock.now();
        let cluster = read.await?;
        self.book().keep(&key, now, cluster.clone());
        Ok((now, cluster))
    }

    /// The last listing if it is `good`, else the next one that was begun after this call; `None` when that
    /// takes too long, as it does while our share of Azure's limits is used up.
    async fn recent(&self, subscription: &str, good: impl Fn(&Listing) -> bool) -> Option<Arc<Listing>> {
        let (called, patience) = (self.shared.clock.now(), self.shared.clock.scaled_duration(PATIENCE));
        let mut arrived = self.shared.arrived.subscribe();
        let look = async {
            loop {
                let last = self.book().last(subscription);
                if let Some(last) = last.filter(|last| last.began >= called || good(last)) {
                    return Some(last);
                }
                if self.book().postponed_until(subscription).is_some_and(|until| until > called + patience) {
                    return None;
                }
                self.book().want(subscription);
                self.shared.wanted.notify_one();
                // The sender lives as long as `self`.
                drop(arrived.changed().await);
            }
        };
        tokio::time::timeout(PATIENCE, look).await.ok().flatten()
    }

    async fn list(&self, subscription: String) {
        let Shared { client, clock, arrived, .. } = &*self.shared;
        let began = clock.now();
        let answer = client.managed_clusters().list(&subscription).await;
        let clusters = match answer {
            Ok(documents) => Ok(documents
                .iter()
                .filter_map(|document| {
                    let view = document.view();
                    Some((view.id.as_ref()?.to_lowercase(), azure_fleet::cluster(view)))
                })
                .collect::<BTreeMap<String, Reading<Cluster>>>()),
            Err(Error::HeldBack(HeldBack { retry_after, .. })) => {
                self.book().postpone(&subscription, clock.now() + retry_after);
                // So that nobody waits for it.
                arrived.send_modify(|looks| *looks = looks.wrapping_add(1));
                return;
            }
            Err(error) => {
                let why = steady(&azure_fleet::failure(&error).message);
                tracing::warn!(subscription, why, "clusters cannot be listed: each is read by itself");
                Err(why)
            }
        };
        let changes = self.book().take(&subscription, Listing { began, clusters });
        self.wake(changes);
        arrived.send_modify(|listings| *listings = listings.wrapping_add(1));
    }

    /// Wakes an upgrade although no listing shows anything new.
    pub(crate) fn wake_upgrade(&self, upgrade: ObjectName) {
        self.wake(Changes { upgrades: [upgrade].into(), clusters: [].into() });
    }

    fn wake(&self, Changes { upgrades, clusters }: Changes) {
        for (names, sender) in [(upgrades, &self.shared.upgrades), (clusters, &self.shared.clusters)] {
            for name in names {
                if sender.try_send(name).is_err() {
                    tracing::debug!("a wake-up found no room");
                }
            }
        }
    }

    fn real_pause(&self, next: Timestamp, now: Timestamp) -> Duration {
        self.shared.clock.real_duration(Duration::try_from(next.duration_since(now)).unwrap_or_default())
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.shared.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The shared listings as one upgrade looks at them: changes wake it.
pub(crate) struct Watch {
    pub(crate) sweeper: Sweeper,
    pub(crate) upgrade: ObjectName,
}

impl azure_fleet::Listing for Watch {
    async fn glance(&self, cluster: &ClusterId, since: Option<Timestamp>) -> Glance {
        self.sweeper.glance(cluster, &self.upgrade, since).await
    }
}

/// The subscription and the cluster, in lower case: ids differ in case between calls.
fn keys(id: &ClusterId) -> (String, String) {
    (id.subscription().to_lowercase(), id.as_str().to_lowercase())
}

fn shown(listing: &Listing, key: &str) -> Glance {
    let reading = listing.clusters.as_ref().ok().and_then(|clusters| clusters.get(key));
    match reading {
        Some(Ok(cluster)) => Glance::Seen(Box::new(cluster.clone())),
        Some(Err(_)) | None => Glance::Unavailable,
    }
}

/// The wake-ups as a stream.
pub(crate) fn wake_ups(mut names: mpsc::Receiver<ObjectName>) -> impl Stream<Item = ObjectName> + Send {
    stream::poll_fn(move |context| names.poll_recv(context))
}

async fn after(pause: Option<Duration>) {
    match pause {
        Some(pause) => tokio::time::sleep(pause).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
