//! What was listed, who watches what, and when a subscription is listed next. Pure: time comes in.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use engine::{Cluster, Reading};
use jiff::Timestamp;

/// Between the beginnings of two listings of up to [`CLUSTERS_PER_CALL`] clusters, and at most.
///
/// Steps take minutes; a listing of many pages is made less often, so that at most one call in
/// fifteen seconds falls upon a limit of one a second.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(15);
const LONGEST_INTERVAL: Duration = Duration::from_secs(120);
/// So many clusters fit into one page of a list, about.
const CLUSTERS_PER_CALL: usize = 100;
/// How long a look at a cluster keeps its subscription listed: longer than the longest pause between
/// two looks at a cluster in flight.
const WATCHED: Duration = Duration::from_secs(150);
/// How long a look for the inventory counts: longer than three pauses between two looks. An object that is
/// deleted, or stands for another cluster now, looks no more.
const REGISTERED: Duration = Duration::from_secs(20 * 60);

/// A namespace and a name.
pub(crate) type ObjectName = (String, String);

/// The clusters of a subscription as one listing showed them.
#[derive(Debug)]
pub(super) struct Listing {
    /// When it was begun: what it shows is at least as new.
    pub(super) began: Timestamp,
    /// The clusters by their ids in lower case; or why there are none.
    pub(super) clusters: Result<BTreeMap<String, Reading<Cluster>>, String>,
}

impl Listing {
    fn cluster(&self, key: &str) -> Option<&Reading<Cluster>> {
        self.clusters.as_ref().ok()?.get(key)
    }

    /// How long after its beginning the next one is due.
    fn interval(&self) -> Duration {
        let clusters = self.clusters.as_ref().map_or(0, BTreeMap::len);
        let calls = u32::try_from(clusters.div_ceil(CLUSTERS_PER_CALL).max(1)).unwrap_or(u32::MAX);
        SHORTEST_INTERVAL.saturating_mul(calls).min(LONGEST_INTERVAL)
    }

    /// Whether it was begun before now. One from the future was begun before the clock was set back: how old it
    /// is cannot be told.
    pub(super) fn has_begun(&self, now: Timestamp) -> bool {
        self.began <= now
    }

    /// Whether it is recent enough to go on waiting by.
    pub(super) fn is_recent(&self, now: Timestamp) -> bool {
        self.has_begun(now) && now < self.began + self.interval() * 2
    }
}

/// All subscriptions.
#[derive(Debug)]
pub(super) struct Book {
    /// Between the beginnings of two listings, whatever else.
    shortest: Duration,
    subscriptions: BTreeMap<String, Subscription>,
    /// The objects that stand for a cluster in the inventory, and until when, by its id.
    registered: Lookers,
    /// Clusters that no listing shows, as last read by themselves, by id.
    single: BTreeMap<String, (Timestamp, Cluster)>,
}

#[derive(Debug, Default)]
struct Subscription {
    last: Option<Arc<Listing>>,
    is_listing: bool,
    /// The upgrades that watch a cluster, and until when, by the cluster's id.
    watched: Lookers,
    /// Somebody waits for a listing, whoever is watched.
    is_wanted: bool,
    /// Our share of Azure's limits is used up until then.
    not_before: Option<Timestamp>,
}

/// Who is to look again because a listing showed something new.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Changes {
    /// Upgrades.
    pub(super) upgrades: BTreeSet<ObjectName>,
    /// Clusters of the inventory.
    pub(super) clusters: BTreeSet<ObjectName>,
}

impl Book {
    /// An empty book; two listings of a subscription begin at least `shortest` apart.
    pub(super) fn new(shortest: Duration) -> Self {
        Self {
            shortest: shortest.max(SHORTEST_INTERVAL),
            subscriptions: BTreeMap::new(),
            registered: BTreeMap::new(),
            single: BTreeMap::new(),
        }
    }

    /// Notes that an upgrade looks at a cluster in flight.
    pub(super) fn watch(&mut self, subscription: &str, key: &str, upgrade: ObjectName, now: Timestamp) {
        let watched = &mut self.subscriptions.entry(subscription.to_owned()).or_default().watched;
        watched.entry(key.to_owned()).or_default().insert(upgrade, now + WATCHED);
    }

    /// Notes which object stands for a cluster in the inventory.
    pub(super) fn register(&mut self, key: &str, object: ObjectName, now: Timestamp) {
        self.registered.entry(key.to_owned()).or_default().insert(object, now + REGISTERED);
    }

    /// A cluster that no listing shows, if it was read by itself at `oldest` or later, and when.
    pub(super) fn read_by_itself(&self, key: &str, oldest: Timestamp) -> Option<(Timestamp, Cluster)> {
        self.single.get(key).filter(|(at, _)| *at >= oldest).cloned()
    }

    /// Keeps a cluster that was read by itself.
    pub(super) fn keep(&mut self, key: &str, at: Timestamp, cluster: Cluster) {
        self.single.insert(key.to_owned(), (at, cluster));
    }

    /// The last listing of a subscription.
    pub(super) fn last(&self, subscription: &str) -> Option<Arc<Listing>> {
        self.subscriptions.get(subscription)?.last.clone()
    }

    /// Until when no listing of a subscription is made, because our share of Azure's limits is used up.
    pub(super) fn postponed_until(&self, subscription: &str) -> Option<Timestamp> {
        self.subscriptions.get(subscription)?.not_before
    }

    /// Asks for a listing as soon as one is allowed.
    pub(super) fn want(&mut self, subscription: &str) {
        self.subscriptions.entry(subscription.to_owned()).or_default().is_wanted = true;
    }

    /// The subscriptions to list now, and the instant at which to ask again.
    pub(super) fn due(&mut self, now: Timestamp) -> (Vec<String>, Option<Timestamp>) {
        forget(&mut self.registered, now);
        self.single.retain(|key, _| self.registered.contains_key(key));
        let (mut due, mut next) = (Vec::new(), None::<Timestamp>);
        let shortest = self.shortest;
        for (name, subscription) in &mut self.subscriptions {
            let Some(at) = subscription.due_at(now, shortest) else { continue };
            if at <= now {
                subscription.is_listing = true;
                due.push(name.clone());
            } else {
                next = Some(next.map_or(at, |next| next.min(at)));
            }
        }
        (due, next)
    }

    /// A listing could not be made, because our share of Azure's limits is used up until then. The last
    /// one stays.
    pub(super) fn postpone(&mut self, subscription: &str, until: Timestamp) {
        let entry = self.subscriptions.entry(subscription.to_owned()).or_default();
        (entry.is_listing, entry.not_before) = (false, Some(until));
    }

    /// Takes a listing, and tells whom it concerns.
    pub(super) fn take(&mut self, subscription: &str, listing: Listing) -> Changes {
        let Self { subscriptions, registered, single, .. } = self;
        single.retain(|key, _| listing.cluster(key).is_none());
        let entry = subscriptions.entry(subscription.to_owned()).or_default();
        entry.is_listing = false;
        (entry.is_wanted, entry.not_before) = (false, None);
        let listing = Arc::new(listing);
        let before = entry.last.replace(Arc::clone(&listing));
        let mut changes = Changes::default();
        let Some(before) = before else { return changes };
        for (key, now) in listing.clusters.as_ref().into_iter().flatten() {
            if before.cluster(key) == Some(now) {
                continue;
            }
            changes.add(key, &entry.watched, registered);
        }
        if listing.clusters.is_ok() {
            let of_this = format!("/subscriptions/{subscription}/");
            // After a gap nobody knows what was there before: all that are missing look.
            let is_gone = |key: &&String| match &before.clusters {
                Ok(before) => before.contains_key(*key),
                Err(_) => key.starts_with(&of_this),
            };
            let missing = |key: &&String| listing.cluster(key).is_none();
            for key in registered.keys().chain(entry.watched.keys()).filter(missing).filter(is_gone) {
                changes.add(key, &entry.watched, registered);
            }
        }
        changes
    }
}

/// Objects by the id of their cluster, and until when each counts.
type Lookers = BTreeMap<String, BTreeMap<ObjectName, Timestamp>>;

fn forget(lookers: &mut Lookers, now: Timestamp) {
    lookers.retain(|_, objects| {
        objects.retain(|_, until| now < *until);
        !objects.is_empty()
    });
}

impl Changes {
    fn add(&mut self, key: &str, watched: &Lookers, registered: &Lookers) {
        let of = |lookers: &Lookers| lookers.get(key).into_iter().flat_map(BTreeMap::keys).cloned().collect();
        let (upgrades, clusters): (Vec<_>, Vec<_>) = (of(watched), of(registered));
        self.upgrades.extend(upgrades);
        self.clusters.extend(clusters);
    }
}

impl Subscription {
    /// `None` when there is nothing to list for, or a listing is on its way.
    fn due_at(&mut self, now: Timestamp, shortest: Duration) -> Option<Timestamp> {
        forget(&mut self.watched, now);
        if self.is_listing || (self.watched.is_empty() && !self.is_wanted) {
            return None;
        }
        let Some(last) = &self.last else { return Some(self.not_before.unwrap_or(now).max(now)) };
        let pause = if self.is_wanted { shortest } else { last.interval().max(shortest) };
        let due = if last.has_begun(now) { last.began + pause } else { now };
        Some(self.not_before.map_or(due, |at| due.max(at)))
    }
}

#[cfg(test)]
mod tests;
