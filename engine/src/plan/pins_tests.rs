//! One image for a whole rollout: what a pool gets a step for while its region has that image, not yet, or
//! something newer.

use std::collections::BTreeMap;

use super::*;
use crate::{
    target::{NodeImagePolicy, Scope},
    testing::{NEW_LINUX, NEW_WINDOWS, OLD_LINUX, cluster, offers, version},
};

const NEWER: &str = "AKSUbuntu-2204gen2containerd-202611.17.0";
const NOW: &str = "2026-11-20T22:00:00Z";

/// All families are pinned to what Azure offers, but for Linux.
fn target(scope: Scope, to: Option<&str>, linux: &str) -> Target {
    let pins = [("AKSUbuntu-2204gen2containerd", linux), ("AKSWindows-2022-containerd", NEW_WINDOWS)];
    Target {
        scope,
        kubernetes: to.map(version),
        node_image: NodeImagePolicy::Consistent,
        images: pins.map(|(family, image)| (family.to_owned(), image.to_owned())).into(),
        max_image_age: None,
    }
}

/// Steps by their ids, and why pools are left alone.
fn planned(cluster: &Cluster, target: &Target) -> (String, BTreeMap<String, &'static str>) {
    let offers = offers(&cluster.version.to_string());
    let plan = plan(cluster, target, &Policy::default(), &offers, NOW.parse().unwrap()).unwrap();
    let left =
        plan.left_alone.iter().filter_map(|left| Some((left.pool.clone()?, left.why.reason()))).collect();
    let steps: Vec<String> = plan.steps.iter().map(|planned| planned.step.id()).collect();
    (steps.join(" "), left)
}

#[test]
fn a_pool_is_rolled_while_its_region_has_the_pinned_image() {
    let (steps, left) = planned(&cluster("1.34.4"), &target(Scope::NodeImage, None, NEW_LINUX));
    assert_eq!(steps, "image-linux1 image-linux2 image-system image-win1");
    assert!(left.is_empty(), "{left:?}");
    let (steps, _) = planned(&cluster("1.34.4"), &target(Scope::Full, Some("1.35.2"), NEW_LINUX));
    assert_eq!(steps, "cp-1.35.2 pool-linux1-1.35.2 pool-linux2-1.35.2 pool-system-1.35.2 pool-win1-1.35.2");
}

#[test]
fn where_the_region_does_not_have_it_yet_the_pool_waits_and_the_others_go_first() {
    let (steps, left) = planned(&cluster("1.34.4"), &target(Scope::NodeImage, None, NEWER));
    assert_eq!(steps, "image-win1");
    assert!(["linux1", "linux2", "system"].iter().all(|pool| left[*pool] == "ImageAwaited"), "{left:?}");
    let (steps, left) = planned(&cluster("1.34.4"), &target(Scope::Full, Some("1.35.2"), NEWER));
    assert_eq!(steps, "cp-1.35.2 pool-win1-1.35.2", "a new version would bring another image, too");
    assert_eq!(left["linux1"], "ImageAwaited");
}

#[test]
fn where_the_region_has_something_newer_the_pinned_image_can_never_be_had() {
    let pinned = "AKSUbuntu-2204gen2containerd-202611.03.0";
    let (steps, left) = planned(&cluster("1.34.4"), &target(Scope::Full, Some("1.35.2"), pinned));
    assert_eq!((steps.as_str(), left["system"]), ("cp-1.35.2 pool-win1-1.35.2", "ImageSuperseded"));
}

#[test]
fn a_pool_that_has_the_pinned_image_or_a_newer_one_is_done() {
    let mut cluster = cluster("1.34.4");
    cluster.pools[0].node_image = "AKSUbuntu-2204gen2containerd-202611.03.0".to_owned();
    cluster.pools[1].node_image = "AKSUbuntu-2204gen2containerd-202611.05.0".to_owned();
    cluster.pools[2].node_image = NEW_LINUX.to_owned();
    let pinned = target(Scope::NodeImage, None, "AKSUbuntu-2204gen2containerd-202611.03.0");
    let (steps, left) = planned(&cluster, &pinned);
    assert_eq!(steps, "image-win1");
    assert!(["linux1", "linux2", "system"].iter().all(|pool| left[*pool] == "Done"), "{left:?}");
}

#[test]
fn a_pool_that_waits_for_its_image_counts_for_skew_and_a_broken_one_is_repaired() {
    let mut behind = cluster("1.32.9");
    behind.version = version("1.35.2");
    let offers = offers("1.35.2");
    let far = Target { kubernetes: Some(version("1.36.2")), ..target(Scope::Full, None, NEWER) };
    let refused = plan(&behind, &far, &Policy::default(), &offers, NOW.parse().unwrap()).unwrap_err();
    assert!(matches!(refused[0], Refusal::Skew { .. }), "{refused:?}");
    let mut broken = cluster("1.34.4");
    broken.pools[0].provisioning_state = crate::ProvisioningState::Failed;
    let (steps, _) = planned(&broken, &target(Scope::NodePools, Some("1.34.4"), NEWER));
    assert!(steps.contains("pool-linux1-1.34.4"), "{steps}");
}

#[test]
fn a_family_that_is_not_pinned_takes_the_newest() {
    let mut target = target(Scope::NodeImage, None, NEWER);
    target.images.clear();
    let (steps, _) = planned(&cluster("1.34.4"), &target);
    assert_eq!(steps, "image-linux1 image-linux2 image-system image-win1");
    assert!(OLD_LINUX < NEW_LINUX);
}
