//! Plans of random clusters under random offers: patches with gaps, skips, previews, versions for
//! long-term support only, pools that are excluded, stopped, failed, pinned, provisioned or on an
//! operating system that ends. Every cluster gets a valid plan or a refusal.

use std::collections::BTreeMap;

use proptest::{prelude::*, sample::select};

use super::{
    brute_force::{Layout, Search},
    walk::Rules,
    *,
};
use crate::{
    cluster::{NodePool, PoolType, Power, ProvisioningState},
    decide::{Request, offers_needed},
    lag::Lag,
    ledger::Ledger,
    observation::ServerVersion,
    offers::{OfferedVersion, RegionVersion, SupportPlans},
    policy::{OrderRule, PoolMatch},
    step::StepKind,
    target::{KubernetesRequest, NodeImagePolicy, Scope},
    testing,
    version::{KubernetesVersion, Minor, VersionRequest},
};

const MINORS: std::ops::RangeInclusive<u64> = 31..=37;
const NAMES: [&str; 4] = ["a", "b", "c", "d"];
const NOW: &str = "2026-11-20T12:00:00Z";

/// A cluster, what is wanted of it, and what Azure offers.
#[derive(Clone, Debug)]
struct Case {
    cluster: Cluster,
    target: Target,
    policy: Policy,
    offers: Offers,
}

impl Case {
    fn outline(&self, offers: &Offers) -> Outline {
        outline(&self.cluster, &self.target, &self.policy, offers, NOW.parse().unwrap())
    }

    fn rules(&self) -> Rules<'_> {
        Rules { cluster: &self.cluster, target: &self.target, policy: &self.policy, offers: &self.offers }
    }
}

/// A patch of the region, with numbers that decide where it leads.
type Patch = (u64, u64, bool, Option<SupportPlans>, Vec<bool>);

fn patch() -> impl Strategy<Value = Patch> {
    let plans = select(vec![
        None,
        Some(SupportPlans::KubernetesOfficial),
        Some(SupportPlans::Both),
        Some(SupportPlans::Both),
        Some(SupportPlans::AKSLongTermSupport),
    ]);
    let leads = prop::collection::vec(prop::bool::weighted(0.7), 16);
    (MINORS, 0..4_u64, prop::bool::weighted(0.15), plans, leads)
}

fn version(minor: u64, patch: u64) -> KubernetesVersion {
    format!("1.{minor}.{patch}").parse().unwrap()
}

/// Up to 16 versions; each leads to some of those above it, at most four minors up.
fn region() -> impl Strategy<Value = Vec<RegionVersion>> {
    prop::collection::vec(patch(), 4..16).prop_map(|patches| {
        let known: BTreeMap<KubernetesVersion, Patch> =
            patches.into_iter().map(|patch| (version(patch.0, patch.1), patch)).collect();
        let entries = known.iter().map(|(version, (_, _, preview, plans, leads))| {
            let above = known.keys().filter(|to| *to > version && to.minor().ahead_of(version.minor()) <= 4);
            let upgrades = above.zip(leads).filter(|(_, leads)| **leads).map(|(to, _)| to.clone());
            RegionVersion {
                version: version.clone(),
                preview: *preview,
                support_plans: *plans,
                upgrades: upgrades.collect(),
            }
        });
        entries.collect()
    })
}

fn pools(control_plane: KubernetesVersion) -> impl Strategy<Value = Vec<NodePool>> {
    prop::collection::vec(pool(control_plane), 0..=4).prop_map(|mut pools| {
        for (pool, name) in pools.iter_mut().zip(NAMES) {
            pool.name = name.to_owned();
        }
        pools
    })
}

fn pool(control_plane: KubernetesVersion) -> impl Strategy<Value = NodePool> {
    let os_sku = select(vec!["Ubuntu", "Ubuntu2404", "Ubuntu2204", "Windows2019", "Windows2022"]);
    let state = select(vec![
        ProvisioningState::Succeeded,
        ProvisioningState::Succeeded,
        ProvisioningState::Succeeded,
        ProvisioningState::Failed,
        ProvisioningState::Canceled,
    ]);
    let rarely = || prop::bool::weighted(0.1);
    let flags = (rarely(), rarely(), rarely(), any::<bool>(), rarely());
    (0..=3_u64, 0..4_u64, os_sku, state, flags).prop_map(move |(behind, patch, os_sku, state, flags)| {
        let minor = control_plane.minor().minor.saturating_sub(behind).max(*MINORS.start());
        let own = version(minor, patch).min(control_plane.clone());
        let (stopped, machines, pinned, old, uncounted) = flags;
        NodePool {
            os_sku: os_sku.to_owned(),
            os_type: if os_sku.starts_with("Windows") { "Windows" } else { "Linux" }.to_owned(),
            pool_type: PoolType::VirtualMachines,
            snapshot: pinned.then(|| "golden".to_owned()),
            provisioning_state: state,
            count: (!uncounted).then_some(3),
            power: if stopped { Power::Stopped } else { Power::Running },
            mode: if machines { "Machines" } else { "User" }.to_owned(),
            ..testing::pool("", "Linux", "User", &own.to_string(), if old { "old" } else { "new" })
        }
    })
}

fn target(versions: Vec<KubernetesVersion>) -> impl Strategy<Value = Target> {
    let scope = select(vec![
        Scope::Full,
        Scope::Full,
        Scope::Full,
        Scope::NodePools,
        Scope::ControlPlane,
        Scope::NodeImage,
    ]);
    let image = select(vec![NodeImagePolicy::Latest, NodeImagePolicy::Latest, NodeImagePolicy::Skip]);
    (scope, select(versions), image).prop_map(|(scope, wanted, node_image)| Target {
        scope,
        kubernetes: (scope != Scope::NodeImage).then_some(wanted),
        node_image: if scope == Scope::NodeImage { NodeImagePolicy::Latest } else { node_image },
        images: std::collections::BTreeMap::new(),
        max_image_age: None,
    })
}

fn policy() -> impl Strategy<Value = Policy> {
    let names = prop::collection::vec(select(NAMES.to_vec()), 0..3);
    let excluded = prop::option::weighted(0.3, select(NAMES.to_vec()));
    (names, excluded).prop_map(|(order, excluded)| {
        let named = |name: &str| PoolMatch { names: vec![name.to_owned()], ..PoolMatch::default() };
        let rule = |name: &&str| OrderRule { matches: named(name), ..OrderRule::default() };
        Policy {
            order: order.iter().map(rule).collect(),
            exclude: excluded.iter().map(|name| named(name)).collect(),
            ..Policy::default()
        }
    })
}

fn case() -> impl Strategy<Value = Case> {
    let start = region().prop_flat_map(|region| {
        let versions: Vec<KubernetesVersion> = region.iter().map(|entry| entry.version.clone()).collect();
        (Just(region), select(versions.clone()), target(versions))
    });
    let flags = (any::<bool>(), prop::bool::weighted(0.05), prop::bool::weighted(0.2));
    (start, flags, policy()).prop_flat_map(|((region, at, target), flags, policy)| {
        pools(at.clone()).prop_map(move |pools| {
            let (long_term, channel, node_provisioning) = flags;
            let here = region.iter().filter(|entry| entry.version == at).flat_map(|entry| &entry.upgrades);
            let preview = |to: &KubernetesVersion| region.iter().any(|e| e.version == *to && e.preview);
            let offered = here.map(|to| OfferedVersion { version: to.clone(), preview: preview(to) });
            let images = NAMES.map(|name| (name.to_owned(), "new".to_owned())).into();
            let offers = Offers { control_plane: offered.collect(), region: region.clone(), images };
            let cluster = Cluster {
                version: at.clone(),
                support_plan: long_term.then(|| "AKSLongTermSupport".to_owned()),
                auto_upgrade_channel: channel.then(|| "patch".to_owned()),
                node_provisioning,
                pools,
                ..testing::cluster("1.33.0")
            };
            Case { cluster, target: target.clone(), policy: policy.clone(), offers }
        })
    })
}

/// What really runs: so many minors behind what Azure shows, for the control plane and for each pool.
fn lag_of(case: &Case, (control_plane, pools): &(u64, Vec<u64>)) -> Lag {
    let older = |shown: &KubernetesVersion, minors: u64| {
        let minor = shown.minor().minor.saturating_sub(minors);
        (minors > 0).then(|| version(minor, 0)).filter(|runs| runs.is_older_than(shown))
    };
    let server = older(&case.cluster.version, *control_plane);
    let pools = case.cluster.pools.iter().zip(pools);
    Lag {
        control_plane: server.map(|build| ServerVersion { minor: build.minor(), build: Some(build) }),
        pools: pools
            .filter_map(|(pool, minors)| Some((pool.name.clone(), older(&pool.version, *minors)?)))
            .collect(),
    }
}

/// Everything that is wrong with a plan for a cluster that runs older versions than Azure shows.
fn left_behind(case: &Case, lag: &Lag, plan: &Plan) -> Vec<String> {
    let wanted = case.target.kubernetes.as_ref();
    let is_old = |runs: &KubernetesVersion| wanted.is_some_and(|wanted| runs.is_older_than(wanted));
    let place = |found: &dyn Fn(&PlannedStep) -> bool| plan.steps.iter().position(found);
    let hop = place(&|planned| planned.step.kind == StepKind::ControlPlane && !planned.repair);
    let mends = place(&|planned| planned.step.kind == StepKind::ControlPlane && planned.repair);
    let mut problems = Vec::new();
    let with_versions = taking_part(&case.cluster, &case.target, &case.policy)
        .filter(|_| case.target.scope.has_pool_versions());
    for pool in with_versions.filter(|pool| lag.pools.get(&pool.name).is_some_and(is_old)) {
        let first = place(&|planned| planned.step.pool.as_ref() == Some(&pool.name));
        if first.is_none() || hop.is_some_and(|hop| first > Some(hop)) {
            problems.push(format!("pool {} is not brought to what it shows in time", pool.name));
        }
    }
    let Some(runs) = &lag.control_plane else { return problems };
    let is_needed = case.target.scope.has_control_plane() && runs.build.as_ref().is_some_and(is_old);
    if is_needed && (mends.is_none() || hop.is_some_and(|hop| mends > Some(hop))) {
        problems.push("the control plane is not brought to what it shows first".to_owned());
    }
    let too_new = place(&|planned| {
        planned.step.kind == StepKind::NodePoolVersion
            && runs.is_older_than(&planned.step.to.parse().unwrap())
    });
    if too_new.is_some_and(|pool| mends.is_none_or(|mends| pool < mends)) {
        problems.push("a pool becomes newer than what its control plane runs".to_owned());
    }
    problems
}

/// The same case with nothing in its way but versions.
fn undisturbed(mut case: Case) -> Case {
    for pool in &mut case.cluster.pools {
        pool.os_sku = "Ubuntu2404".to_owned();
        pool.provisioning_state = ProvisioningState::Succeeded;
        pool.power = Power::Running;
        pool.mode = "User".to_owned();
        pool.snapshot = None;
        pool.count = Some(3);
    }
    case.cluster.auto_upgrade_channel = None;
    case.policy.exclude.clear();
    case.target.scope = Scope::Full;
    case
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, ..ProptestConfig::default() })]

    #[test]
    fn every_cluster_gets_a_valid_plan_or_a_refusal(case in case()) {
        let Outline { plan: planned, refusals } = case.outline(&case.offers);
        let strict = plan(&case.cluster, &case.target, &case.policy, &case.offers, NOW.parse().unwrap());
        if refusals.is_empty() {
            let broken = case.rules().broken_by(&planned);
            prop_assert!(broken.is_empty(), "{:#?}\n{:#?}", broken, planned);
            prop_assert_eq!(strict, Ok(planned));
        } else {
            for refusal in &refusals {
                let words = refusal.to_string();
                prop_assert!(words.contains(':'), "says what to do: {}", words);
                prop_assert_eq!(refusals.iter().filter(|other| *other == refusal).count(), 1, "{}", words);
            }
            prop_assert_eq!(strict, Err(refusals));
        }
    }

    /// The search that the layouts are compared with, under offers that nobody thought of.
    #[test]
    fn no_way_rolls_fewer_pools_whatever_is_on_offer(case in case()) {
        let case = undisturbed(case);
        let newest = case.offers.region.iter().map(|entry| &entry.version).max().unwrap().clone();
        let wanted = case.target.kubernetes.clone().filter(|wanted| *wanted > case.cluster.version);
        let wanted = wanted.unwrap_or(newest);
        prop_assume!(case.cluster.version < wanted);
        let long_term = case.cluster.is_long_term();
        let hops = |from: &KubernetesVersion| -> Vec<KubernetesVersion> {
            let first = *from == case.cluster.version;
            let region = &case.offers.region;
            let is_usable = |to: &&KubernetesVersion| {
                let entry = region.iter().find(|entry| entry.version == **to).unwrap();
                let for_us = first || long_term || entry.support_plans != Some(SupportPlans::AKSLongTermSupport);
                let near = to.minor().ahead_of(from.minor()) <= if long_term { 3 } else { 1 };
                for_us && near && **to <= wanted && (**to == wanted || !entry.preview)
            };
            let here = region.iter().filter(|entry| entry.version == *from).flat_map(|entry| &entry.upgrades);
            here.filter(is_usable).cloned().collect()
        };
        let mut search = Search {
            hops: &hops,
            minors: MINORS.map(|minor| Minor { major: 1, minor }).collect(),
            moves: vec![true; case.cluster.pools.len()],
            goal: wanted.clone(),
            seen: BTreeMap::new(),
        };
        let layout: Layout =
            (case.cluster.version.clone(), case.cluster.pools.iter().map(|pool| pool.version.minor()).collect());
        let target = Target { kubernetes: Some(wanted.clone()), ..case.target.clone() };
        let planned = Case { target, ..case.clone() }.outline(&case.offers);
        let moves = planned.plan.steps.iter().filter(|planned| planned.step.kind == StepKind::NodePoolVersion);
        // A pool that has the minor but not the patch moves once, which the search does not see.
        let same_minor = case.cluster.pools.iter().filter(|pool| pool.version.minor() == wanted.minor());
        let patches = same_minor.filter(|pool| pool.version < wanted).count();
        let hops_of = |plan: &Plan| plan.steps.iter().filter(|p| p.step.kind == StepKind::ControlPlane).count();
        let cost = planned.refusals.is_empty().then(|| (moves.count() - patches, hops_of(&planned.plan)));
        prop_assert_eq!(cost, search.cheapest(&layout), "{:#?}", planned);
    }

    #[test]
    fn what_lags_behind_is_repaired_in_time_or_refused(
        case in case(),
        minors in (0..3_u64, prop::collection::vec(0..4_u64, 4)),
    ) {
        let lag = lag_of(&case, &minors);
        let now = NOW.parse().unwrap();
        let known = (&case.cluster, &lag);
        let outline = outline_of(known, &case.target, &case.policy, &case.offers, now);
        if outline.refusals.is_empty() {
            let problems = left_behind(&case, &lag, &outline.plan);
            prop_assert!(problems.is_empty(), "{:#?}\n{:#?}\n{:#?}", problems, lag, outline.plan);
        } else {
            let by_azures_word = case.outline(&case.offers).refusals;
            let new = outline.refusals.iter().filter(|refusal| !by_azures_word.contains(refusal));
            for refusal in new {
                let words = refusal.reason();
                let known = ["ControlPlaneBehind", "AutoUpgrade", "CountUnknown", "PoolNotReady"];
                prop_assert!(known.contains(&words), "{}", refusal);
            }
        }
    }

    /// What is not asked for would not change the plan.
    #[test]
    fn a_plan_needs_no_offers_but_those_that_are_asked_for(case in case()) {
        let wanted = case.target.kubernetes.clone();
        let kubernetes = wanted.clone().map(|version| KubernetesRequest::Version(VersionRequest::Exact(version)));
        let request = Request {
            node_image: case.target.node_image,
            policy: case.policy.clone(),
            ..Request::new(case.target.scope, kubernetes)
        };
        let ledger = Ledger { target_version: wanted, ..Ledger::default() };
        let needed = offers_needed(&request, &ledger, &case.cluster);
        let mut read = case.offers.clone();
        read.images.retain(|pool, _| needed.images.contains(pool));
        if !needed.control_plane {
            read.control_plane.clear();
        }
        let (all, some) = (case.outline(&case.offers), case.outline(&read));
        if all.refusals.is_empty() {
            prop_assert_eq!(all, some);
        } else {
            prop_assert_eq!(all.refusals, some.refusals);
        }
    }
}
