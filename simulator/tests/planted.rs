//! The simulation finds bugs: those that are planted (`engine/src/planted.rs`), each within so many seeds.
//!
//! Prints a table of which seed found each and by which invariant; `docs/simulation.md` shows it.
//! `PLANTED=TrustAzure,IgnoreETag` runs only those.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use engine::planted::{PlantedBug, with};
use simulator::exploration;

/// A bug that is not found in so many seeds would get through.
const SEEDS: u64 = 500;
/// Runs at a time.
const THREADS: usize = 2;

/// The first seed that finds a bug, and what it says. One that fails without the bug finds nothing.
fn first_found(bug: PlantedBug) -> Option<(u64, exploration::Violation)> {
    (0..SEEDS).find_map(|seed| {
        let run = with(bug, || exploration::run(seed, false));
        let violation = run.violation?;
        exploration::run(seed, false).violation.is_none().then_some((seed, violation))
    })
}

#[test]
fn the_simulation_finds_planted_bugs() {
    let only = std::env::var("PLANTED").unwrap_or_default();
    let chosen = |bug: &&PlantedBug| match only.as_str() {
        "" => true,
        only => only.split(',').any(|name| name == format!("{bug:?}")),
    };
    let bugs: Vec<PlantedBug> = PlantedBug::ALL.iter().filter(chosen).copied().collect();
    assert!(!bugs.is_empty(), "PLANTED={only} names no bug");
    let (next, found) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while let Some(bug) = bugs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let first = first_found(*bug);
                    println!(
                        "{bug:?}: {}",
                        first.as_ref().map_or("NOT FOUND".to_owned(), |(seed, violation)| format!(
                            "seed {seed}: {violation}"
                        ))
                    );
                    found.lock().unwrap().insert(format!("{bug:?}"), first);
                }
            });
        }
    });
    let found = found.into_inner().unwrap();
    println!("| planted bug | seed | invariant |\n|---|---|---|");
    for (bug, first) in &found {
        if let Some((seed, violation)) = first {
            println!("| {bug} | {seed} | {} |", violation.invariant);
        }
    }
    let missed: Vec<&String> =
        found.iter().filter(|(_, first)| first.is_none()).map(|(bug, _)| bug).collect();
    assert!(missed.is_empty(), "not found within {SEEDS} seeds: {missed:?}");
}
