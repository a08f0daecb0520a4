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

    /// Whether it is recent enough to go on waiting by.
    pub(super) fn is_recent(&self, now: Timestamp) -> bool {
        // One from the future was begun before the clock was set back: how old it is cannot be told.
        self.began <= now && now < self.began + self.interval() * 2
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
        let due = last.began.min(now) + pause;
        Some(self.not_before.map_or(due, |at| due.max(at)))
    }
}

#[cfg(test)]
mod tests {
    use engine::Unreadable;

    use super::*;

    const KEY: &str = "/subscriptions/s/c";

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn listing(began: i64, words: &[(&str, &str)]) -> Listing {
        let clusters =
            words.iter().map(|(key, word)| ((*key).to_owned(), Err(Unreadable::Failed((*word).to_owned()))));
        Listing { began: at(began), clusters: Ok(clusters.collect()) }
    }

    fn named(name: &str) -> ObjectName {
        ("fleet".to_owned(), name.to_owned())
    }

    #[test]
    fn nothing_is_listed_when_nobody_looks() {
        let mut book = Book::new(Duration::ZERO);
        assert_eq!(book.due(at(0)), (vec![], None));
        book.register(KEY, named("weu"), at(0));
        assert_eq!(book.due(at(0)), (vec![], None), "an inventory alone asks for nothing");
        book.watch("s", KEY, named("weu-1"), at(0));
        assert_eq!(book.due(at(0)), (vec!["s".to_owned()], None));
        assert_eq!(book.due(at(1)), (vec![], None), "one listing at a time");
        book.take("s", listing(0, &[(KEY, "a")]));
        assert_eq!(book.due(at(1)), (vec![], Some(at(15))));
        assert_eq!(book.due(at(15)).0, ["s"]);
        book.take("s", listing(15, &[(KEY, "a")]));
        assert_eq!(
            book.due(at(150)),
            (vec![], None),
            "not looked at for longer than any pause: not in flight"
        );
    }

    #[test]
    fn who_cannot_wait_gets_one_early_but_not_faster_than_that() {
        let mut book = Book::new(Duration::ZERO);
        book.want("s");
        assert_eq!(book.due(at(0)).0, ["s"]);
        book.take("s", listing(0, &[]));
        assert_eq!(book.due(at(100)), (vec![], None), "once is enough");
        book.want("s");
        assert_eq!(book.due(at(10)), (vec![], Some(at(15))));
        assert_eq!(book.due(at(15)).0, ["s"]);
    }

    #[test]
    fn what_is_held_back_is_listed_later_and_the_last_listing_stays() {
        let mut book = Book::new(Duration::ZERO);
        book.watch("s", KEY, named("weu-1"), at(0));
        book.due(at(0));
        book.take("s", listing(0, &[(KEY, "a")]));
        assert_eq!(book.due(at(15)).0, ["s"]);
        book.postpone("s", at(75));
        assert_eq!(book.due(at(20)), (vec![], Some(at(75))));
        assert_eq!(book.last("s").unwrap().began, at(0));
        assert_eq!(book.due(at(75)).0, ["s"]);
    }

    #[test]
    fn a_clock_that_is_set_back_stops_nothing() {
        let mut book = Book::new(Duration::ZERO);
        book.watch("s", KEY, named("weu-1"), at(1000));
        book.due(at(1000));
        book.take("s", listing(1000, &[(KEY, "a")]));
        assert!(!book.last("s").unwrap().is_recent(at(100)));
        assert_eq!(book.due(at(100)), (vec![], Some(at(115))));
    }

    #[test]
    fn large_subscriptions_are_listed_less_often() {
        let names: Vec<String> = (0..1000).map(|number| format!("/subscriptions/s/{number}")).collect();
        let of = |count: usize| {
            let words: Vec<(&str, &str)> = names[..count].iter().map(|name| (name.as_str(), "a")).collect();
            listing(0, &words).interval().as_secs()
        };
        assert_eq!([of(0), of(100), of(101), of(350), of(1000)], [15, 15, 30, 60, 120]);
        assert!(listing(0, &[]).is_recent(at(29)) && !listing(0, &[]).is_recent(at(30)));
    }

    #[test]
    fn changes_wake_those_whom_they_concern() {
        let mut book = Book::new(Duration::ZERO);
        let other = "/subscriptions/s/d";
        book.watch("s", KEY, named("upgrade"), at(0));
        book.register(KEY, named("weu"), at(0));
        book.register(other, named("neu"), at(0));
        let first = book.take("s", listing(0, &[(KEY, "a"), (other, "a")]));
        assert_eq!(first, Changes::default(), "who is new has just looked");
        let second = book.take("s", listing(15, &[(KEY, "b"), (other, "a")]));
        assert_eq!(second.upgrades, BTreeSet::from([named("upgrade")]));
        assert_eq!(second.clusters, BTreeSet::from([named("weu")]));
        let failed = Listing { began: at(30), clusters: Err("503".to_owned()) };
        assert_eq!(book.take("s", failed), Changes::default());
        let third = book.take("s", listing(45, &[(KEY, "b"), (other, "a")]));
        assert_eq!(third.clusters, BTreeSet::from([named("weu"), named("neu")]), "after a gap all look");
    }

    #[test]
    fn a_cluster_that_is_no_longer_listed_wakes_those_whom_it_concerns() {
        let mut book = Book::new(Duration::ZERO);
        let (hidden, elsewhere) = ("/subscriptions/s/hidden", "/subscriptions/t/d");
        book.watch("s", KEY, named("upgrade"), at(0));
        for (key, name) in [(KEY, "weu"), (hidden, "hidden"), (elsewhere, "elsewhere")] {
            book.register(key, named(name), at(0));
        }
        book.take("s", listing(0, &[(KEY, "a")]));
        let gone = book.take("s", listing(15, &[]));
        assert_eq!(gone.clusters, BTreeSet::from([named("weu")]));
        assert_eq!(gone.upgrades, BTreeSet::from([named("upgrade")]));
        assert_eq!(book.take("s", listing(30, &[])), Changes::default(), "once is enough");

        book.take("s", listing(45, &[(KEY, "a")]));
        let failed = Listing { began: at(60), clusters: Err("503".to_owned()) };
        assert_eq!(book.take("s", failed), Changes::default(), "nothing is known");
        let after_a_gap = book.take("s", listing(75, &[]));
        assert_eq!(after_a_gap.clusters, BTreeSet::from([named("weu"), named("hidden")]));
    }

    #[test]
    fn objects_that_look_no_more_are_forgotten() {
        let mut book = Book::new(Duration::ZERO);
        let cluster: Cluster = serde_json::from_value(serde_json::json!({
            "name": "weu", "location": "westeurope", "version": "1.34.4", "provisioningState": "Succeeded",
            "power": "Running", "pools": [],
        }))
        .unwrap();
        for (key, name) in [(KEY, "deleted"), (KEY, "weu"), ("/subscriptions/s/d", "deleted-too")] {
            book.register(key, named(name), at(0));
            book.keep(key, at(0), cluster.clone());
        }
        book.take("s", listing(0, &[(KEY, "a"), ("/subscriptions/s/d", "a")]));
        book.keep("/subscriptions/s/d", at(0), cluster);
        book.register(KEY, named("weu"), at(900));
        book.due(at(1199));
        assert_eq!(book.registered.values().map(BTreeMap::len).sum::<usize>(), 3);
        book.due(at(1200));
        assert_eq!(book.registered.values().map(BTreeMap::len).sum::<usize>(), 1);
        assert!(book.single.is_empty());
        let changes = book.take("s", listing(1200, &[(KEY, "b"), ("/subscriptions/s/d", "b")]));
        assert_eq!(changes.clusters, BTreeSet::from([named("weu")]));
    }
}
