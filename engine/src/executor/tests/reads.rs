//! How closely a cluster is looked at: waiting costs no read of its own, acting always does.

use super::*;
use crate::{
    Phase,
    testing::world::{OPERATION, World, start},
};

#[test]
fn two_reads_a_step_and_a_third_where_a_pool_comes_after_a_wait() {
    for lag in [0, 10] {
        let world = World::at("1.33.0");
        world.state().lag = lag * MINUTE;
        let steps = world.finish(&full("1.36")).steps.len();
        let state = world.state();
        println!("nodes that lag {lag} minutes: {} reads for {steps} steps", state.reads);
        assert!(state.reads >= 2 * steps, "one before each is sent, one when it is done: {}", state.reads);
        let at_most = if lag == 0 { 2 } else { 3 };
        assert!(state.reads <= at_most * steps, "{} reads for {steps} steps", state.reads);
    }
}

#[test]
fn without_listings_each_look_is_a_read() {
    let world = World::at("1.34.2");
    world.state().listing = None;
    world.finish(&full("1.35"));
    world.state().assert_nothing_twice();
    assert!(world.state().reads > 100, "{}", world.state().reads);
}

#[test]
fn an_end_that_only_a_listing_shows_is_read_live_before_anything_follows() {
    let world = World::at("1.34.2");
    let request = control_plane("1.34.4");
    world.advance(&request);
    world.pass(MINUTE);
    // A listing that says it is done already, as one from a cache might.
    let mut done = world.state().cluster.clone();
    done.provisioning_state = crate::ProvisioningState::Succeeded;
    let now = world.state().now;
    world.state().listing = Some((now, done));
    let before = world.state().reads;
    let waiting = world.advance(&request).unwrap().waiting;
    assert!(waiting.as_ref().is_some_and(is_operation), "{waiting:?}");
    assert_eq!(world.state().reads, before + 1);
    assert_eq!(world.state().stored.operation.as_ref().unwrap().phase, Phase::Submitted);
}

#[test]
fn a_listing_from_before_the_step_says_nothing_about_it() {
    let world = World::at("1.34.2");
    world.state().listing_every = Duration::from_secs(120);
    let request = control_plane("1.34.4");
    world.advance(&request);
    world.pass(MINUTE);
    assert_eq!(world.state().listing.as_ref().unwrap().0, start(), "it shows the cluster idle and old");
    let before = world.state().reads;
    let waiting = world.advance(&request).unwrap().waiting;
    assert!(waiting.as_ref().is_some_and(is_operation), "{waiting:?}");
    assert_eq!(world.state().reads, before, "and the next one is waited for");
    world.finish(&request);
    world.state().assert_nothing_twice();
}

#[test]
fn r2_a_listing_that_lags_neither_repeats_a_step_nor_cries_wolf() {
    let world = World::at("1.33.0");
    world.state().listing_every = OPERATION / 2;
    let request = Request { policy: Policy { soak: 30 * MINUTE, ..Policy::default() }, ..full("1.36") };
    let request =
        Request { policy: Policy { order: pool_soak("linux1", 7 * MINUTE), ..request.policy }, ..request };
    world.finish(&request);
    let state = world.state();
    state.assert_nothing_twice();
    let changed = |(_, reason): &(_, Option<String>)| reason.as_deref() == Some("ExternalChange");
    assert!(!state.writes.iter().any(changed), "{:?}", state.writes);
}

#[test]
fn a_change_by_somebody_else_is_seen_in_the_listing_and_read_live() {
    let world = World::at("1.34.2");
    let soak = Policy { order: pool_soak("linux1", 20 * MINUTE), ..Policy::default() };
    let request = Request { policy: soak, ..full("1.35") };
    world.until_reason(&request, "Soaking");
    world.state().pool("win1").version = "1.35.2".parse().unwrap();
    world.until_reason(&request, "ExternalChange");
}

#[test]
fn only_offers_that_can_change_the_plan_are_asked_for() {
    let world = World::at("1.34.2");
    world.finish(&full("1.35"));
    let asked = &world.state().asked;
    let images: Vec<_> = asked.iter().filter(|needed| !needed.images.is_empty()).collect();
    assert!(images.is_empty(), "each pool gets the newest image with its version: {images:?}");
    let control_plane = asked.iter().filter(|needed| needed.control_plane).count();
    assert_eq!(control_plane, 1, "once, for the only hop: {asked:?}");

    let world = World::at("1.34.2");
    world.finish(&request(Scope::NodeImage, None));
    let asked = &world.state().asked;
    assert!(asked.iter().all(|needed| !needed.control_plane));
    assert_eq!(asked[0].images.len(), 4);
    assert_eq!(asked.last().unwrap().images.len(), 0, "a pool that was rolled is not asked about again");
}

#[test]
fn somebody_elses_long_operation_after_ours_is_watched_in_listings() {
    let world = World::at("1.34.2");
    world.state().lag = 60 * MINUTE;
    let request = control_plane("1.34.4");
    world.until_reason(&request, "Verifying");
    world.pass(4 * MINUTE);
    world.state().cluster.provisioning_state = crate::ProvisioningState::Busy("Upgrading".to_owned());
    world.until_reason(&request, "UpgradingControlPlane");
    world.pass(4 * MINUTE);
    let before = world.state().reads;
    for _ in 0..20 {
        world.pass(MINUTE);
        assert_eq!(world.advance(&request).unwrap().waiting.unwrap().reason(), "UpgradingControlPlane");
    }
    assert_eq!(world.state().reads, before, "no live read while nothing changes");
}
