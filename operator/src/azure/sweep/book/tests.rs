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
    assert_eq!(book.due(at(150)), (vec![], None), "not looked at for longer than any pause: not in flight");
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
fn r19_a_clock_that_is_set_back_stops_nothing() {
    let mut book = Book::new(Duration::ZERO);
    book.watch("s", KEY, named("weu-1"), at(1000));
    book.due(at(1000));
    book.take("s", listing(1000, &[(KEY, "a")]));
    assert!(!book.last("s").unwrap().is_recent(at(100)));
    assert_eq!(book.due(at(100)), (vec!["s".to_owned()], None), "however often it is asked");
    book.take("s", listing(100, &[(KEY, "a")]));
    assert_eq!(book.due(at(101)), (vec![], Some(at(115))));
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
