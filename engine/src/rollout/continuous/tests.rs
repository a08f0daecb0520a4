//! Tables of when a rollout starts, and over which clusters.

use proptest::{collection, prelude::*};

use super::*;
use crate::{
    cluster::ProvisioningState,
    testing::{NEW_LINUX, NEW_WINDOWS, cluster, offers, version},
};

const NOW: &str = "2026-11-20T22:00:00Z";

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

fn wanted(scope: Scope, to: Option<&str>) -> Wanted {
    Wanted {
        scope,
        kubernetes: to.map(|to| KubernetesRequest::Version(to.parse().unwrap())),
        node_image: NodeImagePolicy::Latest,
        max_image_age: None,
        policy: Policy::default(),
    }
}

/// A cluster with the newest images.
fn renewed(at: &str) -> Cluster {
    let mut cluster = cluster(at);
    for pool in &mut cluster.pools {
        pool.node_image = if pool.os_type == "Windows" { NEW_WINDOWS } else { NEW_LINUX }.to_owned();
    }
    cluster
}

fn known<'a>(name: &'a str, cluster: &'a Cluster, offers: &'a Offers) -> Inventory<'a> {
    let read_at = now() - Duration::from_secs(600);
    let (cluster, offers) = (Some((cluster, read_at)), Some((offers, read_at)));
    Inventory { name, cluster, offers, upgraded_at: None, awaited: true }
}

fn names(outlook: &Outlook) -> String {
    outlook.clusters.iter().cloned().collect::<Vec<_>>().join(" ")
}

#[test]
fn clusters_that_are_behind_start_a_rollout_and_others_stay_out_of_it() {
    let (old, new) = (cluster("1.34.4"), renewed("1.35.2"));
    let (old_offers, new_offers) = (offers("1.34.4"), offers("1.35.2"));
    let all = [known("a", &old, &old_offers), known("b", &new, &new_offers)];
    let outlook = watch(&wanted(Scope::Full, Some("1.35")), &all, None, now()).unwrap();
    assert_eq!((names(&outlook).as_str(), outlook.target.kubernetes.as_deref()), ("a", Some("1.35.2")));
    let outlook = watch(&wanted(Scope::Full, Some("1.35")), &all[1..], None, now()).unwrap();
    assert_eq!((names(&outlook).as_str(), outlook.watching.reason()), ("", "UpToDate"));
    assert_eq!(outlook.watching.stance(), None);
}

#[test]
fn each_channel_is_resolved_anew() {
    let at = renewed("1.35.2");
    let offers = offers("1.35.2");
    let all = [known("a", &at, &offers)];
    for (channel, target, starts) in [
        (Channel::Rapid, Some("1.36.2"), "a"),
        (Channel::Stable, Some("1.35.2"), ""),
        (Channel::Patch, None, ""),
    ] {
        let wanted =
            Wanted { kubernetes: Some(KubernetesRequest::Channel(channel)), ..wanted(Scope::Full, None) };
        let outlook = watch(&wanted, &all, None, now()).unwrap();
        assert_eq!(
            (outlook.target.kubernetes.as_deref(), names(&outlook).as_str()),
            (target, starts),
            "{channel:?}"
        );
    }
    let behind = renewed("1.33.0");
    let offers = crate::testing::offers("1.33.0");
    let wanted =
        Wanted { kubernetes: Some(KubernetesRequest::Channel(Channel::Patch)), ..wanted(Scope::Full, None) };
    let outlook = watch(&wanted, &[known("a", &behind, &offers)], None, now()).unwrap();
    assert_eq!(names(&outlook), "a", "1.33.8 is there");
}

#[test]
fn an_image_alone_is_reason_only_where_images_are_the_matter_or_it_is_old() {
    // Images of 1 September and 11 August; the newest of 10 and 12 November.
    let (old, mut young) = (cluster("1.35.2"), cluster("1.35.2"));
    for pool in &mut young.pools {
        pool.node_image =
            if pool.os_type == "Windows" { NEW_WINDOWS } else { "AKSUbuntu-2204gen2containerd-202611.03.0" }
                .to_owned();
    }
    let offers = offers("1.35.2");
    let starts = |wanted: &Wanted, cluster: &Cluster| {
        let outlook = watch(wanted, &[known("a", cluster, &offers)], None, now()).unwrap();
        (!outlook.clusters.is_empty(), outlook.watching.next.map(|next| next.to_string()))
    };
    let day = |days: u64| Some(Duration::from_secs(days * 86_400));
    let images = |days| Wanted { max_image_age: days, ..wanted(Scope::NodeImage, None) };
    let full = |days| Wanted { max_image_age: days, ..wanted(Scope::Full, Some("1.35")) };
    assert!(starts(&images(None), &old).0 && starts(&images(None), &young).0);
    assert!(
        starts(&images(day(30)), &old).0 && starts(&full(None), &old).0 && starts(&full(day(30)), &old).0
    );
    let quiet = (false, Some("2026-12-04T00:00:00Z".to_owned()));
    assert_eq!(
        starts(&images(day(30)), &young),
        quiet,
        "the day on which 3 November is more than 30 days ago"
    );
    assert_eq!(starts(&full(None), &young), quiet);
    assert!(starts(&full(day(14)), &young).0);
    let skips = Wanted { node_image: NodeImagePolicy::Skip, ..full(None) };
    assert_eq!(starts(&skips, &old), (false, None));
}

#[test]
fn nothing_starts_on_old_knowledge() {
    let old = cluster("1.34.4");
    let offers = offers("1.34.4");
    let fresh = known("a", &old, &offers);
    let hours = |hours: u64| now() - Duration::from_secs(hours * 3600);
    let later = now() + Duration::from_secs(3600);
    for (inventory, reason) in [
        (Inventory { cluster: None, ..fresh }, "WaitingForInventory"),
        (Inventory { offers: None, ..fresh }, "WaitingForInventory"),
        (Inventory { cluster: Some((&old, hours(3))), ..fresh }, "WaitingForInventory"),
        (Inventory { offers: Some((&offers, hours(13))), ..fresh }, "WaitingForInventory"),
        (Inventory { offers: Some((&offers, later)), ..fresh }, "WaitingForInventory"),
        (Inventory { upgraded_at: Some(now() - Duration::from_secs(60)), ..fresh }, "WaitingForInventory"),
    ] {
        let outlook = watch(&wanted(Scope::Full, Some("1.35")), &[inventory], None, now()).unwrap();
        assert_eq!((names(&outlook).as_str(), outlook.watching.reason()), ("", reason), "{inventory:?}");
        assert!(outlook.watching.to_string().len() <= 200);
    }
    let upgraded = Inventory { upgraded_at: Some(hours(1)), ..fresh };
    assert_eq!(names(&watch(&wanted(Scope::Full, Some("1.35")), &[upgraded], None, now()).unwrap()), "a");
}

#[test]
fn nobody_starts_before_those_that_are_about_to_be_known() {
    let (old, offers) = (cluster("1.34.4"), offers("1.34.4"));
    let mut busy = cluster("1.34.4");
    busy.provisioning_state = ProvisioningState::Busy("Updating".to_owned());
    let production = known("b", &old, &offers);
    let long_ago = now() - Duration::from_secs(13 * 3600);
    let canary = Inventory { name: "a", offers: Some((&offers, long_ago)), ..production };
    let look = |canary| {
        let outlook = watch(&wanted(Scope::Full, Some("1.35")), &[canary, production], None, now()).unwrap();
        (names(&outlook), outlook.watching.reason(), outlook.watching.unknown)
    };
    let unknown = vec!["a".to_owned()];
    assert_eq!(look(canary), (String::new(), "WaitingForInventory", unknown.clone()));
    // One that cannot be read holds up nobody, nor does one in which something runs.
    let cannot_be_read = Inventory { awaited: false, ..canary };
    assert_eq!(look(cannot_be_read), ("b".to_owned(), "WaitingForInventory", unknown.clone()));
    let busy = Inventory { cluster: Some((&busy, long_ago)), ..canary };
    assert_eq!(look(busy), ("b".to_owned(), "WaitingForInventory", unknown));
    assert_eq!(
        look(Inventory { offers: production.offers, ..canary }),
        ("a b".to_owned(), "UpToDate", vec![])
    );
}

#[test]
fn what_cannot_start_is_left_out_and_told() {
    let (mut stopped, old) = (cluster("1.34.4"), cluster("1.34.4"));
    stopped.power = crate::Power::Stopped;
    let offers = offers("1.34.4");
    let all = [known("a", &stopped, &offers), known("b", &old, &offers)];
    let outlook = watch(&wanted(Scope::Full, Some("1.35")), &all, None, now()).unwrap();
    assert_eq!(names(&outlook), "b");
    let outlook = watch(&wanted(Scope::Full, Some("1.35")), &all[..1], None, now()).unwrap();
    assert_eq!((outlook.watching.reason(), outlook.clusters.len()), ("PreflightBlocked", 0));
    assert!(
        outlook
            .watching
            .to_string()
            .starts_with("cluster a needs an upgrade and cannot start: the cluster is stopped")
    );
    let mut done = renewed("1.35.2");
    done.power = crate::Power::Stopped;
    let outlook = watch(
        &wanted(Scope::Full, Some("1.35")),
        &[known("a", &done, &crate::testing::offers("1.35.2"))],
        None,
        now(),
    );
    assert_eq!(outlook.unwrap().watching.reason(), "UpToDate", "it needs nothing");
}

#[test]
fn what_runs_ahead_what_is_busy_and_what_others_left_broken_start_nothing() {
    let ahead = renewed("1.36.2");
    let mut busy = cluster("1.34.4");
    busy.pools[0].provisioning_state = "Upgrading".to_owned().into();
    let mut broken = renewed("1.35.2");
    broken.pools[0].provisioning_state = crate::ProvisioningState::Failed;
    for (cluster, reason) in [(&ahead, "UpToDate"), (&busy, "WaitingForInventory"), (&broken, "UpToDate")] {
        let offers = offers(&cluster.version.to_string());
        let outlook =
            watch(&wanted(Scope::Full, Some("1.35")), &[known("a", cluster, &offers)], None, now()).unwrap();
        assert_eq!((names(&outlook).as_str(), outlook.watching.reason()), ("", reason));
    }
}

#[test]
fn what_the_last_rollout_has_left_starts_none_by_itself_until_the_target_moves_or_a_week_has_passed() {
    let old = cluster("1.34.4");
    let offers = offers("1.34.4");
    let all = [known("a", &old, &offers), known("b", &old, &offers)];
    let left = |clusters: &[&str], to: &str, hours: u64| Left {
        target: ResolvedTarget { kubernetes: Some(to.to_owned()), ..ResolvedTarget::default() },
        rests_since: now() - Duration::from_secs(hours * 3600),
        clusters: clusters.iter().map(|name| (*name).to_owned()).collect(),
        found_at_target: BTreeSet::new(),
    };
    let look = |left: &Left, all: &[Inventory<'_>]| {
        watch(&wanted(Scope::Full, Some("1.35")), all, Some(left), now()).unwrap()
    };
    let rests = look(&left(&["a"], "1.35.2", 1), &all[..1]);
    assert_eq!((names(&rests).as_str(), rests.watching.reason()), ("", "LeftBehind"));
    assert_eq!(rests.watching.next, Some(now() + Duration::from_secs((7 * 24 - 1) * 3600)));
    assert_eq!(names(&look(&left(&["a"], "1.35.0", 1), &all[..1])), "a", "the target has moved");
    assert_eq!(names(&look(&left(&["a"], "1.35.2", 7 * 24), &all[..1])), "a");
    assert_eq!(names(&look(&left(&["a"], "1.35.2", 1), &all)), "a b", "it goes along with others");
}

#[test]
fn a_target_that_azure_does_not_have_is_an_error_and_one_region_bounds_the_others() {
    let old = cluster("1.34.4");
    let (west, mut east) = (offers("1.34.4"), offers("1.34.4"));
    let all = [known("a", &old, &west)];
    assert!(watch(&wanted(Scope::Full, Some("1.40")), &all, None, now()).is_err());
    east.region.retain(|entry| entry.version != version("1.35.2"));
    let all = [known("a", &old, &west), known("b", &old, &east)];
    let outlook = watch(&wanted(Scope::Full, Some("1.35")), &all, None, now()).unwrap();
    assert_eq!(outlook.target.kubernetes.as_deref(), Some("1.35.0"));
}

#[test]
fn what_one_cluster_was_told_of_an_image_all_of_its_region_know() {
    let (a, b) = (renewed("1.35.2"), renewed("1.35.2"));
    let mut c = renewed("1.35.2");
    c.location = "northeurope".to_owned();
    let (before, mut after) = (offers("1.35.2"), offers("1.35.2"));
    let newer = "AKSUbuntu-2204gen2containerd-202611.17.0";
    after.images.insert("system".to_owned(), newer.to_owned());
    let all = [known("a", &a, &before), known("b", &b, &after), known("c", &c, &before)];
    let outlook = watch(&wanted(Scope::NodeImage, None), &all, None, now()).unwrap();
    assert_eq!(names(&outlook), "a b");
}

#[test]
fn consistent_images_are_pinned_for_all_regions() {
    let old = cluster("1.35.2");
    let (west, mut east) = (offers("1.35.2"), offers("1.35.2"));
    let newer = "AKSUbuntu-2204gen2containerd-202611.17.0";
    for image in east.images.values_mut().filter(|image| **image == NEW_LINUX) {
        *image = newer.to_owned();
    }
    let all = [known("a", &old, &west), known("b", &old, &east)];
    let wanted = Wanted { node_image: NodeImagePolicy::Consistent, ..wanted(Scope::NodeImage, None) };
    let outlook = watch(&wanted, &all, None, now()).unwrap();
    assert_eq!(outlook.target.images["AKSUbuntu-2204gen2containerd"], newer);
    assert_eq!(outlook.target.images["AKSWindows-2022-containerd"], NEW_WINDOWS);
    assert_eq!(names(&outlook), "a b", "a has a Windows pool that can go now");
}

#[test]
fn a_cluster_in_which_a_rollout_found_nothing_is_no_reason_for_another_for_a_day_unless_the_target_moves() {
    let old = cluster("1.34.4");
    let offers = offers("1.34.4");
    let all = [known("a", &old, &offers), known("b", &old, &offers)];
    let left = |found: &[&str], to: &str, minutes: u64| Left {
        target: ResolvedTarget { kubernetes: Some(to.to_owned()), ..ResolvedTarget::default() },
        rests_since: now() - Duration::from_secs(minutes * 60),
        clusters: BTreeSet::new(),
        found_at_target: found.iter().map(|name| (*name).to_owned()).collect(),
    };
    let look = |left: &Left, all: &[Inventory<'_>]| {
        watch(&wanted(Scope::Full, Some("1.35")), all, Some(left), now()).unwrap()
    };
    // What is known of it was read before that, or after: that the upgrade found nothing weighs more.
    for minutes in [0, 1, 11, 24 * 60 - 1] {
        let rests = look(&left(&["a"], "1.35.2", minutes), &all[..1]);
        assert_eq!((names(&rests).as_str(), rests.watching.reason()), ("", "WaitingForInventory"));
        assert_eq!(rests.watching.next, Some(now() + Duration::from_secs((24 * 60 - minutes) * 60)));
        assert!(rests.watching.to_string().contains("found nothing to do in a,"), "{}", rests.watching);
        assert!(rests.watching.to_string().len() <= 200);
        assert!(rests.watching.stance().is_some(), "it is not said to be up to date");
    }
    assert_eq!(names(&look(&left(&["a"], "1.35.2", 24 * 60), &all[..1])), "a", "it is asked again");
    assert_eq!(names(&look(&left(&["a"], "1.35.0", 1), &all[..1])), "a", "the target has moved");
    assert_eq!(names(&look(&left(&["a"], "1.35.2", 1), &all)), "a b", "it goes along with others");
    let both = Left { clusters: BTreeSet::from(["b".to_owned()]), ..left(&["a"], "1.35.2", 1) };
    let rests = look(&both, &all);
    assert_eq!((names(&rests).as_str(), rests.watching.reason()), ("", "LeftBehind"));
}

proptest! {
    /// Whatever the inventory believes, and however often it is looked at: rollouts that find nothing to do
    /// begin once a day, and once for each target.
    #[test]
    fn rollouts_that_find_nothing_do_not_follow_each_other(
        pauses in collection::vec(1_u64..5 * 3600, 1..120), moves in collection::vec(any::<bool>(), 2),
    ) {
        let old = cluster("1.34.4");
        let (without, with) = (offers("1.34.4"), offers("1.34.4"));
        let without = Offers {
            region: without.region.iter().filter(|known| known.version != version("1.35.2")).cloned().collect(),
            ..without
        };
        let (mut at, mut left, mut begun) = (now(), None::<Left>, Vec::new());
        for (number, pause) in pauses.iter().enumerate() {
            at += Duration::from_secs(*pause);
            let is_moved = moves[usize::from(number > 60)];
            let offers = if is_moved { &without } else { &with };
            let (cluster, offers) = (Some((&old, at)), Some((offers, at)));
            let known = Inventory { name: "a", cluster, offers, upgraded_at: None, awaited: true };
            let outlook = watch(&wanted(Scope::Full, Some("1.35")), &[known], left.as_ref(), at).unwrap();
            if outlook.clusters.is_empty() {
                prop_assert!(outlook.watching.next.is_some_and(|next| next > at), "it is looked at again");
                continue;
            }
            begun.push(at);
            left = Some(Left {
                target: outlook.target, rests_since: at, clusters: BTreeSet::new(), found_at_target: outlook.clusters,
            });
        }
        let days = pauses.iter().sum::<u64>() / 86_400 + 1;
        prop_assert!(u64::try_from(begun.len()).unwrap() <= days + 1, "{begun:?}");
    }
}
