//! Every layout of up to four pools over five minors, against an exhaustive search: no way rolls fewer
//! pools, and among those no way has fewer hops of the control plane; where there is no way, there is a
//! refusal.
//!
//! Nothing is left out by symmetry: pools have their own names and places in the order. The search
//! remembers what is left to pay from a state, so one search answers for all layouts with the same
//! number of pools and the same goal.

use std::collections::BTreeMap;

use super::{
    brute_force::{Cost, Layout, Search, is_allowed},
    walk::Rules,
    *,
};
use crate::{
    offers::{OfferedVersion, RegionVersion},
    policy::{OrderRule, PoolMatch},
    step::StepKind,
    target::{NodeImagePolicy, Scope},
    testing::{cluster, pool},
    version::{KubernetesVersion, Minor},
};

/// Layouts are over five minors from here; goals go two minors further.
const FIRST: u64 = 30;
const LAYOUTS: u64 = 5;
const LAST: u64 = FIRST + LAYOUTS + 1;
const NAMES: [&str; 4] = ["a", "b", "c", "d"];

/// Where a control plane may go.
struct World {
    name: &'static str,
    long_term: bool,
    hops: fn(u64) -> Vec<u64>,
}

const WORLDS: [World; 3] = [
    World { name: "one minor at a time", long_term: false, hops: |from| vec![from + 1] },
    World {
        name: "skips of up to two minors",
        long_term: true,
        hops: |from| (from + 1..=from + 3).collect(),
    },
    World { name: "skips and gaps", long_term: true, hops: gaps },
];

/// From every minor three further; from even ones also one, from every third also two.
fn gaps(from: u64) -> Vec<u64> {
    let one = (from.is_multiple_of(2)).then_some(from + 1);
    let two = (from % 3 == 1).then_some(from + 2);
    one.into_iter().chain(two).chain([from + 3]).collect()
}

fn at(minor: u64) -> KubernetesVersion {
    format!("1.{minor}.5").parse().unwrap()
}

impl World {
    fn hops_from(&self, from: &KubernetesVersion) -> Vec<KubernetesVersion> {
        (self.hops)(from.minor().minor).into_iter().filter(|to| *to <= LAST).map(at).collect()
    }

    fn offers(&self, from: &KubernetesVersion) -> Offers {
        let first = self.hops_from(from).into_iter();
        let entry = |minor| RegionVersion {
            version: at(minor),
            preview: false,
            support_plans: None,
            upgrades: self.hops_from(&at(minor)),
        };
        Offers {
            control_plane: first.map(|version| OfferedVersion { version, preview: false }).collect(),
            region: (FIRST..=LAST).map(entry).collect(),
            ..Offers::default()
        }
    }

    fn cluster(&self, (control_plane, pools): &Layout) -> Cluster {
        let pools = pools.iter().zip(NAMES).map(|(minor, name)| {
            let mut pool = pool(name, "Linux", "User", &at(minor.minor).to_string(), "image");
            pool.os_sku = "Ubuntu2404".to_owned();
            pool
        });
        Cluster {
            version: control_plane.clone(),
            support_plan: self.long_term.then(|| "AKSLongTermSupport".to_owned()),
            pools: pools.collect(),
            ..cluster("1.33.0")
        }
    }
}

fn named(name: &str) -> PoolMatch {
    PoolMatch { names: vec![name.to_owned()], ..PoolMatch::default() }
}

/// Pools d and b go first; at most one is left alone.
fn policy(excluded: Option<usize>) -> Policy {
    let rule = |name| OrderRule { matches: named(name), ..OrderRule::default() };
    let exclude = excluded.map(|index| named(NAMES[index]));
    Policy { order: vec![rule("d"), rule("b")], exclude: exclude.into_iter().collect(), ..Policy::default() }
}

/// Every layout with that many pools that AKS allows.
fn layouts(pools: u32) -> Vec<Layout> {
    let minor = |index: u64| Minor { major: 1, minor: FIRST + index };
    let all = (FIRST..FIRST + LAYOUTS).flat_map(|control_plane| {
        (0..LAYOUTS.pow(pools)).map(move |number| {
            let digits = (0..pools).map(|pool| number / LAYOUTS.pow(pool) % LAYOUTS);
            (at(control_plane), digits.map(minor).collect())
        })
    });
    all.filter(is_allowed).collect()
}

/// What the plan costs, after it was found to be valid; `None` when it is refused.
fn cost(world: &World, layout: &Layout, goal: u64, excluded: Option<usize>) -> Option<Cost> {
    let (cluster, offers, policy) = (world.cluster(layout), world.offers(&layout.0), policy(excluded));
    let target = Target {
        scope: Scope::Full,
        kubernetes: Some(at(goal)),
        node_image: NodeImagePolicy::Latest,
        images: std::collections::BTreeMap::new(),
        max_image_age: None,
    };
    let plan = match plan(&cluster, &target, &policy, &offers, "2026-11-20T12:00:00Z".parse().unwrap()) {
        Ok(plan) => plan,
        Err(refusals) => {
            assert!(!refusals.is_empty());
            return None;
        }
    };
    let rules = Rules { cluster: &cluster, target: &target, policy: &policy, offers: &offers };
    let broken = rules.broken_by(&plan);
    assert!(broken.is_empty(), "{}, {layout:?} to {goal}, without {excluded:?}: {broken:#?}", world.name);
    let moves = plan.steps.iter().filter(|planned| planned.step.kind == StepKind::NodePoolVersion).count();
    Some((moves, plan.steps.len() - moves))
}

/// Compares every layout with that many pools; the number of layouts, of plans, and of refusals.
fn compare(world: &World, pools: u32, excluded: Option<usize>) -> [usize; 3] {
    let layouts = layouts(pools);
    let mut moves = vec![true; usize::try_from(pools).unwrap()];
    if let Some(index) = excluded {
        moves[index] = false;
    }
    let [mut plans, mut refusals] = [0, 0];
    for goal in FIRST..=LAST {
        let hops = |from: &KubernetesVersion| world.hops_from(from);
        let mut search = Search {
            hops: &hops,
            minors: (FIRST..=LAST).map(|minor| Minor { major: 1, minor }).collect(),
            moves: moves.clone(),
            goal: at(goal),
            seen: BTreeMap::new(),
        };
        for layout in layouts.iter().filter(|(control_plane, _)| *control_plane <= at(goal)) {
            let cheapest = search.cheapest(layout);
            let planned = cost(world, layout, goal, excluded);
            let case = format!("{}, {layout:?} to {goal}, without {excluded:?}", world.name);
            assert_eq!(planned, cheapest, "{case}");
            if cheapest.is_some() { plans += 1 } else { refusals += 1 }
        }
    }
    [layouts.len(), plans, refusals]
}

fn compare_all(world: &World) {
    let [mut layouts, mut plans, mut refusals] = [0; 3];
    for pools in 0..=4 {
        let excluded = (0..usize::try_from(pools).unwrap()).map(Some);
        for excluded in std::iter::once(None).chain(excluded) {
            let [of_these, planned, refused] = compare(world, pools, excluded);
            layouts += if excluded.is_none() { of_these } else { 0 };
            plans += planned;
            refusals += refused;
        }
    }
    println!("{}: {layouts} layouts, {plans} plans are minimal, {refusals} refused rightly", world.name);
    assert_eq!((layouts, plans + refusals), (839, 14_765));
    assert!(plans > 8_000 && refusals > 500, "{plans} plans, {refusals} refusals");
}

#[test]
fn no_way_rolls_fewer_pools_one_minor_at_a_time() {
    compare_all(&WORLDS[0]);
}

#[test]
fn no_way_rolls_fewer_pools_with_skips() {
    compare_all(&WORLDS[1]);
}

#[test]
fn no_way_rolls_fewer_pools_with_skips_and_gaps() {
    compare_all(&WORLDS[2]);
}
