//! Plans against an exhaustive search: no way rolls fewer pools, and every state on the way
//! is one that AKS allows.

use std::collections::{BTreeMap, VecDeque};

use proptest::prelude::*;

use super::*;
use crate::{
    offers::{OfferedVersion, RegionVersion},
    policy::{OrderRule, PoolMatch},
    target::Scope,
    testing::{cluster, pool},
};

const FIRST: u64 = 30;
const SKEW: u64 = 3;
const NAMES: [&str; 4] = ["a", "b", "c", "d"];

/// Minors of the control plane and of each pool.
type Layout = (u64, Vec<u64>);

fn is_allowed((control_plane, pools): &Layout) -> bool {
    pools.iter().all(|pool| pool <= control_plane && control_plane - pool <= SKEW)
}

/// The fewest pool moves from each layout to one where everything is at `goal`, one control-plane
/// minor at a time: a search with moves of weight one (pools) and zero (control plane).
fn fewest_moves(start: &Layout, goal: u64) -> usize {
    let mut best: BTreeMap<Layout, usize> = BTreeMap::from([(start.clone(), 0)]);
    let mut queue = VecDeque::from([start.clone()]);
    while let Some(layout) = queue.pop_front() {
        let so_far = best[&layout];
        let (control_plane, pools) = &layout;
        let hop = (*control_plane < goal).then(|| ((control_plane + 1, pools.clone()), so_far));
        let moves = (0..pools.len()).flat_map(|index| {
            (pools[index] + 1..=*control_plane).map(move |minor| {
                let mut moved = pools.clone();
                moved[index] = minor;
                ((*control_plane, moved), so_far + 1)
            })
        });
        for (next, cost) in hop.into_iter().chain(moves) {
            if is_allowed(&next) && best.get(&next).is_none_or(|known| cost < *known) {
                best.insert(next.clone(), cost);
                queue.push_back(next);
            }
        }
    }
    best[&(goal, vec![goal; start.1.len()])]
}

fn at(minor: u64) -> KubernetesVersion {
    format!("1.{minor}.5").parse().unwrap()
}

fn one_minor_at_a_time(from: u64, goal: u64) -> Offers {
    let next = |minor: u64| if minor < goal { vec![at(minor + 1)] } else { Vec::new() };
    Offers {
        control_plane: next(from)
            .into_iter()
            .map(|version| OfferedVersion { version, preview: false })
            .collect(),
        region: (FIRST..=goal)
            .map(|minor| RegionVersion {
                version: at(minor),
                preview: false,
                support_plans: None,
                upgrades: next(minor),
            })
            .collect(),
        ..Offers::default()
    }
}

fn cluster_of((control_plane, pools): &Layout) -> Cluster {
    let pools = pools.iter().zip(NAMES).map(|(minor, name)| {
        let mut pool = pool(name, "Linux", "User", &at(*minor).to_string(), "image");
        pool.os_sku = "Ubuntu2404".to_owned();
        pool
    });
    Cluster { version: at(*control_plane), pools: pools.collect(), ..cluster("1.33.0") }
}

fn plan_of(layout: &Layout, goal: u64, policy: &Policy) -> Plan {
    let target = Target {
        scope: Scope::Full,
        kubernetes: Some(at(goal)),
        node_image: NodeImagePolicy::Latest,
        max_image_age: None,
    };
    let offers = one_minor_at_a_time(layout.0, goal);
    plan(&cluster_of(layout), &target, policy, &offers, "2026-11-20T12:00:00Z".parse().unwrap()).unwrap()
}

/// Walks the plan, checks every state on the way, and returns the number of pool moves.
fn walk(layout: &Layout, goal: u64, plan: &Plan) -> usize {
    let (mut control_plane, pools) = layout.clone();
    let mut pools: BTreeMap<&str, u64> = NAMES.into_iter().zip(pools).collect();
    let mut moves = 0;
    for PlannedStep { step, .. } in &plan.steps {
        let to = step.to.parse::<KubernetesVersion>().unwrap().minor().minor;
        let from = step.from.parse::<KubernetesVersion>().unwrap().minor().minor;
        match &step.pool {
            None => {
                assert_eq!((from, to), (control_plane, control_plane + 1), "{layout:?} {step:?}");
                control_plane = to;
            }
            Some(name) => {
                let pool = pools.get_mut(name.as_str()).unwrap();
                assert_eq!(from, *pool, "{layout:?} {step:?}");
                assert!(to > *pool, "{layout:?} {step:?}");
                *pool = to;
                moves += 1;
            }
        }
        assert!(is_allowed(&(control_plane, pools.values().copied().collect())), "{layout:?} {step:?}");
    }
    assert_eq!(control_plane, goal);
    assert!(pools.values().all(|minor| *minor == goal), "{layout:?}");
    moves
}

/// Every layout of up to four pools over five minors that AKS allows. Pools are alike, so
/// only their sorted versions matter.
fn layouts() -> Vec<Layout> {
    let mut found = Vec::new();
    for control_plane in FIRST..FIRST + 5 {
        let minors: Vec<u64> = (control_plane.saturating_sub(SKEW).max(FIRST)..=control_plane).collect();
        let mut pools: Vec<Vec<u64>> = vec![Vec::new()];
        for _ in 0..NAMES.len() {
            pools = pools
                .iter()
                .flat_map(|pools| {
                    let from = pools.last().copied().unwrap_or(FIRST);
                    minors
                        .iter()
                        .filter(move |minor| **minor >= from)
                        .map(|minor| [&pools[..], &[*minor]].concat())
                })
                .collect();
            found.extend(pools.iter().map(|pools| (control_plane, pools.clone())));
        }
    }
    found
}

#[test]
fn no_way_rolls_fewer_pools_and_skew_holds_throughout() {
    let mut compared = 0;
    for layout in layouts() {
        for goal in layout.0..=FIRST + 6 {
            let plan = plan_of(&layout, goal, &Policy::default());
            assert_eq!(
                walk(&layout, goal, &plan),
                fewest_moves(&layout, goal),
                "{layout:?} to {goal}: {plan:?}"
            );
            compared += 1;
        }
    }
    assert!(compared > 700, "{compared}");
}

proptest! {
    #[test]
    fn order_is_respected_between_control_plane_hops(
        control_plane in FIRST..FIRST + 8,
        behind in prop::collection::vec(0..=SKEW, 1..=4),
        hops in 0..8_u64,
        first in prop::sample::select(NAMES.to_vec()),
        second in prop::sample::select(NAMES.to_vec()),
    ) {
        let layout = (control_plane, behind.iter().map(|by| control_plane.saturating_sub(*by).max(FIRST)).collect());
        let goal = control_plane + hops;
        let rule = |name: &str| OrderRule {
            matches: PoolMatch { names: vec![name.to_owned()], ..PoolMatch::default() },
            ..OrderRule::default()
        };
        let policy = Policy { order: vec![rule(first), rule(second)], ..Policy::default() };
        let plan = plan_of(&layout, goal, &policy);
        walk(&layout, goal, &plan);
        let cluster = cluster_of(&layout);
        for stretch in plan.steps.split(|planned| planned.step.kind == StepKind::ControlPlane) {
            let places: Vec<_> = stretch
                .iter()
                .map(|planned| policy.place(cluster.pool(planned.step.pool.as_ref().unwrap()).unwrap()))
                .collect();
            prop_assert!(places.is_sorted(), "{:?}", stretch);
        }
    }

    #[test]
    fn the_same_inputs_give_the_same_plan_and_a_done_cluster_an_empty_one(
        control_plane in FIRST..FIRST + 5,
        behind in prop::collection::vec(0..=SKEW, 1..=4),
    ) {
        let layout: Layout =
            (control_plane, behind.iter().map(|by| control_plane.saturating_sub(*by).max(FIRST)).collect());
        let goal = FIRST + 5;
        prop_assert_eq!(plan_of(&layout, goal, &Policy::default()), plan_of(&layout, goal, &Policy::default()));
        let done = (goal, vec![goal; layout.1.len()]);
        prop_assert!(plan_of(&done, goal, &Policy::default()).steps.is_empty());
    }
}
