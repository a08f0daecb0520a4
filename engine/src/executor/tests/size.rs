//! How often a record is written, and how large it grows.

use super::*;
use crate::{
    Ledger,
    testing::{NEW_LINUX, OLD_LINUX, cluster, pool, world::World},
};

fn largest(world: &World) -> usize {
    let size = |ledger: &Ledger| serde_json::to_vec(ledger).unwrap().len();
    world.state().writes.iter().map(|(ledger, _)| size(ledger)).max().unwrap()
}

#[test]
fn a_step_takes_at_most_five_writes_however_long_it_takes() {
    let world = World::at("1.33.0");
    world.state().lag = 10 * MINUTE;
    let ledger = world.finish(&full("1.36"));
    let (writes, steps) = (world.state().writes.len(), ledger.steps.len());
    println!("nodes that lag ten minutes: {writes} writes for {steps} steps");
    assert!(writes <= 5 * steps, "{writes} writes for {steps} steps");

    let quick = World::at("1.33.0");
    quick.finish(&full("1.36"));
    let writes = quick.state().writes.len();
    println!("nodes that do not lag: {writes} writes for {steps} steps");
    assert!(writes <= 2 * steps + 1, "{writes} writes for {steps} steps");
}

#[test]
fn the_record_of_four_pools_stays_below_six_kilobytes() {
    let world = World::at("1.33.0");
    world.finish(&full("1.36"));
    let size = largest(&world);
    println!("four pools, with a signed address of 3.5 kB: {size} bytes");
    assert!(size < 6_000 + 3_600, "{size}");
    let without: usize = world
        .state()
        .writes
        .iter()
        .map(|(ledger, _)| {
            let mut ledger = ledger.clone();
            if let Some(operation) = &mut ledger.operation {
                operation.async_operation = None;
            }
            serde_json::to_vec(&ledger).unwrap().len()
        })
        .max()
        .unwrap();
    println!("four pools, without it: {without} bytes");
    assert!(without < 6_000, "{without}");
}

#[test]
fn a_hundred_pools_fit() {
    let mut large = cluster("1.33.0");
    large.pools = (0..100)
        .map(|number| pool(&format!("linuxpool{number:03}"), "Linux", "User", "1.33.0", OLD_LINUX))
        .collect();
    let world = World::of(large);
    assert!(world.state().images.values().all(|image| image == NEW_LINUX));
    let ledger = world.finish(&full("1.36"));
    let size = largest(&world);
    println!("{} steps: {size} bytes", ledger.steps.len());
    assert!(size < 40_000, "{size}");
}
