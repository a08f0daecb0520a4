//! How often a record is written, and how large it grows. An object as the API server stores it, which
//! holds more than the record, is measured in `tests/tests/records.rs`.

use super::*;
use crate::{
    Ledger, Phase, StepState,
    testing::{NEW_LINUX, OLD_LINUX, cluster, pool, world::World},
};

fn size(ledger: &Ledger) -> usize {
    serde_json::to_vec(ledger).unwrap().len()
}

fn largest(world: &World) -> usize {
    world.state().writes.iter().map(|(ledger, _)| size(ledger)).max().unwrap()
}

/// The most writes that any one step took, from its intent to the next one's, and in total.
fn writes(world: &World) -> (usize, usize) {
    let state = world.state();
    let mut of_steps = std::collections::BTreeMap::<String, usize>::new();
    for (ledger, _) in &state.writes {
        if let Some(operation) = &ledger.operation {
            *of_steps.entry(operation.step_id.clone()).or_default() += 1;
        }
    }
    (of_steps.values().copied().max().unwrap(), state.writes.len())
}

#[test]
fn a_step_takes_at_most_five_writes_however_long_it_takes() {
    let quick = World::at("1.33.0");
    let steps = quick.finish(&full("1.36")).steps.len();
    let slow = World::at("1.33.0");
    slow.state().lag = 10 * MINUTE;
    slow.finish(&full("1.36"));
    let soaking = World::at("1.33.0");
    soaking.state().lag = 10 * MINUTE;
    let mut request = full("1.36");
    request.policy.order = pool_soak("linux2", 30 * MINUTE);
    soaking.finish(&request);
    for (name, world, most) in [("quick", &quick, 2), ("slow nodes", &slow, 4), ("soaking", &soaking, 4)] {
        let (of_a_step, all) = writes(world);
        println!("{name}: at most {of_a_step} writes for a step, {all} for {steps} steps");
        assert!(of_a_step <= most && of_a_step <= 5, "{name}: {of_a_step}");
        assert!(all <= 5 * steps, "{name}: {all} writes for {steps} steps");
    }
}

#[test]
fn the_record_of_four_pools_stays_small() {
    let world = World::at("1.33.0");
    let ledger = world.finish(&full("1.36"));
    let size = largest(&world);
    println!("four pools, {} steps: {size} bytes", ledger.steps.len());
    assert!(size < 2_000, "{size}");
}

#[test]
fn a_hundred_pools_and_three_hundred_steps_fit() {
    let mut large = cluster("1.33.0");
    let name = |number| format!("linuxpool{number:03}");
    large.pools = (0..100).map(|number| pool(&name(number), "Linux", "User", "1.33.0", OLD_LINUX)).collect();
    let world = World::of(large);
    assert!(world.state().images.values().all(|image| image == NEW_LINUX));
    let mut ledger = world.finish(&full("1.36"));
    println!("{} steps, as planned: {} bytes", ledger.steps.len(), largest(&world));

    // Three versions one after the other, which no plan needs.
    let steps = std::mem::take(&mut ledger.steps);
    let of_pools = steps.into_iter().filter(|record| record.step.pool.is_some());
    for record in of_pools.take(100) {
        let versions = ["1.33.0", "1.34.4", "1.35.2", "1.36.2"];
        ledger.steps.extend(versions.windows(2).map(|hop| {
            let mut record = record.clone();
            (record.step.from, record.step.to) = (hop[0].to_owned(), hop[1].to_owned());
            record.id = record.step.id();
            record
        }));
    }
    assert!(
        ledger.steps.len() == 300 && ledger.steps.iter().all(|record| record.state == StepState::Succeeded)
    );
    println!("300 steps: {} bytes", size(&ledger));
    assert!(size(&ledger) < 36_000, "{}", size(&ledger));
}

#[test]
fn no_record_holds_a_signature_and_a_restarted_operator_still_learns_why_a_step_failed() {
    let world = World::at("1.34.2").answers([crate::testing::world::Answer::FailLater(drain_blocked())]);
    let request = control_plane("1.34.4");
    world.until(&request, is_operation);
    let operation = world.state().stored.operation.clone().unwrap();
    assert_eq!(operation.phase, Phase::Submitted);
    let name = operation.azure_operation.unwrap();
    assert!(name.starts_with("westeurope/") && name.len() < 64, "{name}");
    // Each run starts from what is stored, as a restarted operator does.
    let waiting = world.until_reason(&request, "DrainBlocked");
    assert!(waiting.to_string().contains("checkout-pdb"), "{waiting}");
}
