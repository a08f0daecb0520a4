//! One image for a whole rollout: an upgrade waits for it where its region does not have it yet, and ends without
//! it where it can never be had.

use std::collections::BTreeMap;

use super::*;
use crate::{
    Stance,
    testing::{NEW_LINUX, NEW_WINDOWS, world::World},
};

const NEWER: &str = "AKSUbuntu-2204gen2containerd-202611.17.0";

fn pinned(linux: &str) -> Request {
    let pins = [("AKSUbuntu-2204gen2containerd", linux), ("AKSWindows-2022-containerd", NEW_WINDOWS)];
    let images: BTreeMap<String, String> =
        pins.map(|(family, image)| (family.to_owned(), image.to_owned())).into();
    Request { node_image: NodeImagePolicy::Consistent, images, ..request(Scope::NodeImage, None) }
}

/// The region gets another image.
fn release(world: &World, image: &str) {
    for offered in world.state().images.values_mut().filter(|offered| offered.starts_with("AKSUbuntu")) {
        image.clone_into(offered);
    }
}

#[test]
fn the_image_comes_to_the_region_while_the_upgrade_waits() {
    let world = World::at("1.34.4");
    let request = pinned(NEWER);
    let waiting = world.until_reason(&request, "WaitingForImage");
    assert_eq!((waiting.stance(), waiting.look_again(world.state().now)), (Stance::Parked, 30 * MINUTE));
    assert!(waiting.to_string().contains(NEWER) && waiting.to_string().len() <= 200, "{waiting}");
    assert_eq!(world.state().done, ["image-win1"], "what can be done is done");
    release(&world, NEWER);
    let ledger = world.finish(&request);
    assert!(ledger.deviations.is_empty() && ledger.steps.len() == 4, "{ledger:?}");
    assert!(
        world.state().cluster.pools.iter().all(|pool| pool.os_type == "Windows" || pool.node_image == NEWER)
    );
}

#[test]
fn where_the_region_has_gone_past_it_the_pools_are_recorded_as_deviating() {
    let world = World::at("1.34.4");
    let request = pinned(NEW_LINUX);
    release(&world, NEWER);
    let ledger = world.finish(&request);
    assert_eq!(world.state().done, ["image-win1"]);
    assert_eq!(ledger.deviations.len(), 3);
    assert!(
        ledger.deviations[0].starts_with("pool linux1: the rollout takes image"),
        "{:?}",
        ledger.deviations
    );
    assert!(ledger.deviations.iter().all(|words| words.len() <= 512));
}

#[test]
fn a_retry_goes_on_with_the_image_of_the_rollout() {
    let no = failure(Some(400), "InvalidParameter", "The value of parameter nodeImage is invalid.");
    let world = World::at("1.34.4").answers([crate::testing::world::Answer::Refuse(no, None)]);
    let request = pinned(NEW_LINUX);
    world.until_reason(&request, "OperationFailed");
    release(&world, NEWER);
    let ledger = world.finish(&retried(&request, "again"));
    let moved: Vec<_> = ledger.steps.iter().filter(|record| record.step.to == NEWER).collect();
    assert!(moved.is_empty(), "{moved:?}");
    assert!(!ledger.deviations.is_empty());
}
