//! The soak after the last step: its place in the wave is somebody else's by then.

use jiff::civil::Weekday;

use super::*;
use crate::{
    Ledger, ProvisioningState, Schedule, Stance, Unreadable,
    testing::{
        NEW_LINUX,
        world::{World, workload},
    },
};

const HOUR: Duration = Duration::from_secs(3600);

fn breaks(world: &World, problem: Option<&str>) {
    world.state().workloads = Ok(vec![workload("checkout", problem)]);
}

fn soaks(request: Request, soak: Duration) -> Request {
    Request { policy: Policy { soak, ..request.policy }, ..request }
}

/// Saturday 22:00 to 04:00 in Berlin.
fn on_saturdays(request: Request) -> Request {
    let windows = vec![crate::testing::weekly("weekend", &[Weekday::Saturday], "22:00", 6)];
    Request { schedule: Schedule { windows, ..Schedule::default() }, ..request }
}

/// Runs to the end; only the soak is waited for. How long that took.
fn soaks_to_its_end(world: &World, request: &Request) -> (Ledger, Duration) {
    let began = world.state().now;
    let other = world.until(request, |waiting| waiting.reason() != "Soaking");
    assert_eq!(other, None);
    let ledger = world.state().stored.clone();
    let took = ledger.finished_at.unwrap().duration_since(began);
    (ledger, took.unsigned_abs())
}

#[test]
fn an_image_that_comes_out_during_the_last_soak_is_left_to_the_next_upgrade() {
    let world = World::at("1.34.4");
    world.state().pool("linux2").node_image = NEW_LINUX.to_owned();
    let request = soaks(request(Scope::NodeImage, None), HOUR);
    world.until_reason(&request, "Soaking");
    world.state().images.get_mut("linux2").unwrap().push_str(".next");
    let asked = world.state().asked.len();
    let (ledger, took) = soaks_to_its_end(&world, &request);
    assert_eq!((ledger.progress(), took), ((3, 3), HOUR));
    assert_eq!(world.state().sent, ["image-linux1", "image-system", "image-win1"]);
    let state = world.state();
    let mut images = state.asked[asked..].iter().flat_map(|needed| &needed.images);
    assert_eq!(images.next(), None, "what changes nothing is not asked for");
}

#[test]
fn nor_one_that_has_passed_its_age_meanwhile() {
    let world = World::at("1.34.4");
    // 18 days old at the start.
    world.state().pool("linux2").node_image = "AKSUbuntu-2204gen2containerd-202611.02.0".to_owned();
    let mut request = soaks(request(Scope::NodeImage, None), 24 * HOUR);
    request.max_image_age = Some(18 * 24 * HOUR);
    world.until_reason(&request, "Soaking");
    let (ledger, took) = soaks_to_its_end(&world, &request);
    assert_eq!((ledger.progress(), took), ((3, 3), 24 * HOUR));
}

#[test]
fn nor_is_an_image_waited_for_that_is_pinned_and_not_there_yet() {
    let world = World::at("1.34.4");
    let pinned = "AKSUbuntu-2204gen2containerd-202611.20.0".to_owned();
    world.state().pool("linux2").node_image = "AKSUbuntu-2204gen2containerd-202611.02.0".to_owned();
    let mut request = soaks(request(Scope::NodeImage, None), 24 * HOUR);
    request.node_image = NodeImagePolicy::Consistent;
    request.max_image_age = Some(18 * 24 * HOUR);
    request.images = [("AKSUbuntu-2204gen2containerd".to_owned(), pinned.clone())].into();
    for pool in ["linux1", "system"] {
        world.state().images.insert(pool.to_owned(), pinned.clone());
    }
    world.until_reason(&request, "Soaking");
    let (ledger, _) = soaks_to_its_end(&world, &request);
    assert_eq!(ledger.progress(), (3, 3));
}

#[test]
fn what_others_move_during_the_last_soak_is_told() {
    let world = World::at("1.34.2");
    let request = soaks(full("1.34.4"), HOUR);
    world.until_reason(&request, "Soaking");
    world.state().pool("linux2").version = "1.34.2".parse().unwrap();
    let waiting = world.until_reason(&request, "ExternalChange");
    assert!(waiting.to_string().contains("pool linux2 went from 1.34.4 to 1.34.2"), "{waiting}");
    world.finish(&retried(&request, "go on"));
    let state = world.state();
    assert_eq!(state.sent.iter().filter(|id| *id == "pool-linux2-1.34.4").count(), 2);
}

/// In the last soak of an upgrade that has its windows, with a pool that somebody has broken after they had closed.
fn broken_in_the_soak(soak: Duration) -> (World, Request) {
    let world = World::at("1.34.2");
    let request = on_saturdays(soaks(full("1.34.4"), soak));
    world.until_reason(&request, "Soaking");
    world.until(&request, |_| request.schedule.is_closed(world.state().now)).unwrap();
    world.state().pool("linux2").provisioning_state = ProvisioningState::Failed;
    (world, request)
}

#[test]
fn what_others_break_during_the_last_soak_is_repaired_in_the_next_window_and_soaked_again() {
    let (world, request) = broken_in_the_soak(24 * HOUR);
    let waiting = world.until_reason(&request, "WaitingForWindow");
    assert!(waiting.to_string().contains("2026-11-28T21:00:00Z"), "{waiting}");
    world.until_reason(&request, "Soaking");
    let (ledger, took) = soaks_to_its_end(&world, &request);
    assert_eq!(ledger.steps.iter().filter(|record| record.repair).count(), 1, "{:?}", ledger.steps);
    assert_eq!(took, 24 * HOUR);
}

#[test]
fn r11_workloads_stay_watched_for_the_whole_of_the_last_soak_whatever_else_has_come_up() {
    let (world, request) = broken_in_the_soak(24 * HOUR);
    world.until_reason(&request, "WaitingForWindow");
    breaks(&world, Some("image cannot be pulled"));
    let waiting = world.until_reason(&request, "GateFailed");
    assert_eq!(waiting.stance(), Stance::Stopped);
    world.state().workloads = Err(Unreadable::failed("deployments.apps is forbidden"));
    world.until_reason(&request, "GateInconclusive");
    breaks(&world, None);
    world.until_reason(&request, "WaitingForWindow");
    assert_eq!(world.state().stored.gates_failing_since, None);
    // Afterwards a cluster that waits for days is not asked for its workloads.
    world.pass(24 * HOUR);
    world.advance(&request).unwrap();
    assert!(!world.state().log.contains(&"workloads"), "{:?}", world.state().log);
    world.finish(&request);
}
