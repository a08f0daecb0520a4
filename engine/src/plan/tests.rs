//! Tables of plans: what is done, in which order, and what is refused in which words.

use std::time::Duration;

use super::*;
use crate::{
    cluster::{Power, ProvisioningState},
    offers::OfferedVersion,
    policy::{OrderRule, PoolMatch},
    target::{NodeImagePolicy, Scope},
    testing::{NEW_LINUX, NEW_WINDOWS, OLD_LINUX, cluster, offers, pool, version},
};

const NOW: &str = "2026-11-20T12:00:00Z";

fn target(scope: Scope, to: Option<&str>) -> Target {
    let kubernetes = to.map(version);
    Target {
        scope,
        kubernetes,
        node_image: NodeImagePolicy::Latest,
        images: std::collections::BTreeMap::new(),
        max_image_age: None,
    }
}

fn planned(cluster: &Cluster, target: &Target, policy: &Policy) -> Result<Plan, Vec<Refusal>> {
    plan(cluster, target, policy, &offers(&cluster.version.to_string()), NOW.parse().unwrap())
}

fn ids(plan: &Plan) -> Vec<String> {
    plan.steps.iter().map(|planned| planned.step.id()).collect()
}

fn steps(cluster: &Cluster, scope: Scope, to: Option<&str>, policy: &Policy) -> Vec<String> {
    ids(&planned(cluster, &target(scope, to), policy).unwrap())
}

/// The words of all refusals, one a line.
fn refusal(cluster: &Cluster, scope: Scope, to: Option<&str>, policy: &Policy) -> String {
    let refusals = planned(cluster, &target(scope, to), policy).unwrap_err();
    refusals.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn named(names: &[&str]) -> PoolMatch {
    PoolMatch { names: names.iter().map(|name| (*name).to_owned()).collect(), ..PoolMatch::default() }
}

fn ordered(matches: Vec<PoolMatch>) -> Policy {
    let rule = |matches| OrderRule { matches, ..OrderRule::default() };
    Policy { order: matches.into_iter().map(rule).collect(), ..Policy::default() }
}

fn excluding(names: &[&str]) -> Policy {
    Policy { exclude: vec![named(names)], ..Policy::default() }
}

fn why_left(plan: &Plan, name: &str) -> String {
    let left = plan.left_alone.iter().find(|left| left.pool.as_deref() == Some(name));
    left.map(|left| left.why.to_string()).unwrap_or_default()
}

#[test]
fn three_minors_roll_each_pool_once_and_the_control_plane_minor_by_minor() {
    let expected = [
        "cp-1.34.4",
        "cp-1.35.2",
        "cp-1.36.2",
        "pool-linux1-1.36.2",
        "pool-linux2-1.36.2",
        "pool-system-1.36.2",
        "pool-win1-1.36.2",
    ];
    let plan = planned(&cluster("1.33.0"), &target(Scope::Full, Some("1.36.2")), &Policy::default()).unwrap();
    assert_eq!(ids(&plan), expected);
    assert_eq!(plan.steps[0].step.from, "1.33.0");
    assert_eq!(plan.steps[2].step.from, "1.35.2");
    assert_eq!(plan.steps[3].step.from, "1.33.0", "a pool skips minors");
    assert_eq!(plan.steps[3].nodes, 3);
    assert!(plan.steps.iter().all(|planned| !planned.why.is_empty()));
    assert!(plan.left_alone.is_empty() && plan.warnings.is_empty(), "{plan:?}");
}

#[test]
fn four_minors_force_the_pools_in_between_and_only_those_that_need_it() {
    let mut behind = cluster("1.33.8");
    for pool in &mut behind.pools {
        pool.version = version(if pool.name == "linux2" { "1.33.0" } else { "1.32.9" });
    }
    let expected = [
        "cp-1.34.4",
        "cp-1.35.2",
        "pool-linux1-1.35.2",
        "pool-system-1.35.2",
        "pool-win1-1.35.2",
        "cp-1.36.2",
        "pool-linux1-1.36.2",
        "pool-linux2-1.36.2",
        "pool-system-1.36.2",
        "pool-win1-1.36.2",
    ];
    assert_eq!(steps(&behind, Scope::Full, Some("1.36.2"), &Policy::default()), expected);
    let plan = planned(&behind, &target(Scope::Full, Some("1.36.2")), &Policy::default()).unwrap();
    assert_eq!(plan.steps[2].why, "must not be more than 3 minors behind control plane 1.36.2");
}

#[test]
fn order_places_pools_and_names_break_ties() {
    let system_first = ordered(vec![
        PoolMatch { mode: Some("System".to_owned()), ..PoolMatch::default() },
        PoolMatch { os_type: Some("windows".to_owned()), ..PoolMatch::default() },
    ]);
    let pools =
        |policy: &Policy| -> Vec<String> { steps(&cluster("1.34.4"), Scope::NodeImage, None, policy) };
    assert_eq!(pools(&system_first), ["image-system", "image-win1", "image-linux1", "image-linux2"]);
    assert_eq!(
        pools(&ordered(vec![named(&["linux2"])])),
        ["image-linux2", "image-linux1", "image-system", "image-win1"]
    );
    assert_eq!(
        pools(&ordered(vec![PoolMatch::default(), named(&["win1"])])),
        ["image-linux1", "image-linux2", "image-system", "image-win1"],
        "the first match places a pool"
    );
}

#[test]
fn order_holds_between_version_and_image_steps() {
    let mut mixed = cluster("1.34.4");
    mixed.pools[1].version = version("1.33.8");
    let policy = ordered(vec![named(&["system"]), named(&["linux2"])]);
    assert_eq!(
        steps(&mixed, Scope::Full, Some("1.34.4"), &policy),
        ["image-system", "pool-linux2-1.34.4", "image-linux1", "image-win1"]
    );
}

#[test]
fn an_excluded_pool_stays_and_must_not_break_the_skew() {
    let policy = excluding(&["win1"]);
    let plan = planned(&cluster("1.33.0"), &target(Scope::Full, Some("1.36.2")), &policy).unwrap();
    assert!(!ids(&plan).iter().any(|id| id.contains("win1")));
    assert_eq!(why_left(&plan, "win1"), "spec.nodePools.exclude[0]");

    let mut behind = cluster("1.33.0");
    behind.pools[3].version = version("1.32.9");
    let words = refusal(&behind, Scope::Full, Some("1.36.2"), &policy);
    assert_eq!(words.lines().count(), 1, "once per pool: {words}");
    assert!(words.contains("pool win1 is left alone and would be more than 3 minors behind"), "{words}");
    assert!(words.contains("1.36.2") && words.contains("spec.nodePools.exclude"), "{words}");
}

#[test]
fn each_scope_does_its_part_and_no_more() {
    let none = Policy::default();
    assert_eq!(steps(&cluster("1.34.2"), Scope::ControlPlane, Some("1.35.2"), &none), ["cp-1.35.2"]);
    let mut behind = cluster("1.35.2");
    behind.pools.iter_mut().for_each(|pool| pool.version = version("1.33.8"));
    assert_eq!(
        steps(&behind, Scope::NodePools, Some("1.35.2"), &none)[..2],
        ["pool-linux1-1.35.2", "pool-linux2-1.35.2"]
    );
    assert_eq!(
        steps(&behind, Scope::NodePools, Some("1.34.4"), &none)[..2],
        ["pool-linux1-1.34.4", "pool-linux2-1.34.4"],
        "below the control plane is allowed"
    );
    assert!(steps(&behind, Scope::NodeImage, None, &none).iter().all(|id| id.starts_with("image-")));
    let words = refusal(&behind, Scope::NodePools, Some("1.36.0"), &none);
    assert!(words.contains("spec.target.scope is NodePools") && words.contains("scope Full"), "{words}");
}

#[test]
fn a_control_plane_alone_does_not_leave_its_pools_too_far_behind() {
    let mut behind = cluster("1.35.2");
    behind.pools.iter_mut().for_each(|pool| pool.version = version("1.32.9"));
    let words = refusal(&behind, Scope::ControlPlane, Some("1.36.2"), &Policy::default());
    assert_eq!(words.lines().count(), 4);
    assert!(words.contains("pool win1 is left alone") && words.contains("scope Full"), "{words}");
}

#[test]
fn a_version_step_brings_the_image_and_the_other_pools_get_their_own_step() {
    let mut mixed = cluster("1.34.4");
    mixed.pools[0].version = version("1.33.8");
    mixed.pools[1].node_image = NEW_LINUX.to_owned();
    let plan = planned(&mixed, &target(Scope::Full, Some("1.34.4")), &Policy::default()).unwrap();
    assert_eq!(ids(&plan), ["pool-linux1-1.34.4", "image-system", "image-win1"]);
    assert_eq!((&*plan.steps[2].step.to, plan.steps[2].nodes), (NEW_WINDOWS, 3));
    assert_eq!(why_left(&plan, "linux2"), "its version and image are what is wanted");

    let skip = Target { node_image: NodeImagePolicy::Skip, ..target(Scope::Full, Some("1.34.4")) };
    let plan = planned(&mixed, &skip, &Policy::default()).unwrap();
    assert_eq!(ids(&plan), ["pool-linux1-1.34.4"]);
    assert_eq!(why_left(&plan, "win1"), "spec.target.nodeImage is Skip");
}

#[test]
fn young_images_are_left_alone() {
    let days = |days: u64| Target {
        images: std::collections::BTreeMap::new(),
        max_image_age: Some(Duration::from_secs(days * 86_400)),
        ..target(Scope::NodeImage, None)
    };
    let mut cluster = cluster("1.34.4");
    cluster.pools[0].node_image = "AKSUbuntu-2204gen2containerd-202611.01.0".to_owned();
    cluster.pools[1].node_image = "something-else".to_owned();
    let plan = planned(&cluster, &days(30), &Policy::default()).unwrap();
    assert_eq!(ids(&plan), ["image-linux2", "image-system", "image-win1"], "no date: not known to be young");
    assert_eq!(why_left(&plan, "linux1"), "its image is of 2026-11-01, younger than maxImageAge (30 days)");
    assert_eq!(ids(&planned(&cluster, &days(18), &Policy::default()).unwrap())[0], "image-linux1");
}

#[test]
fn an_image_that_azure_does_not_name_is_not_guessed() {
    let mut cluster = cluster("1.34.4");
    cluster.pools.push(pool("fresh", "Linux", "User", "1.34.4", OLD_LINUX));
    let plan = planned(&cluster, &target(Scope::NodeImage, None), &Policy::default()).unwrap();
    assert_eq!(why_left(&plan, "fresh"), "Azure names no newest image for it");
}

#[test]
fn stopped_pools_get_no_step() {
    let mut cluster = cluster("1.34.2");
    cluster.pools[0].power = Power::Stopped;
    let plan = planned(&cluster, &target(Scope::Full, Some("1.34.4")), &Policy::default()).unwrap();
    assert!(!ids(&plan).iter().any(|id| id.contains("linux1")), "{plan:?}");
    assert!(why_left(&plan, "linux1").contains("stopped"));
}

#[test]
fn pools_whose_nodes_azure_makes_get_no_step() {
    let mut cluster = cluster("1.34.2");
    cluster.pools[0].mode = "Machines".to_owned();
    let plan = planned(&cluster, &target(Scope::Full, Some("1.34.4")), &Policy::default()).unwrap();
    assert!(!ids(&plan).iter().any(|id| id.contains("linux1")), "{plan:?}");
    assert!(why_left(&plan, "linux1").contains("auto-provisioning"));
}

#[test]
fn a_pool_of_which_azure_says_no_count_is_refused_unless_it_is_left_alone() {
    let mut cluster = cluster("1.33.0");
    cluster.pools[0].count = None;
    for target in [target(Scope::Full, Some("1.36.2")), target(Scope::NodeImage, None)] {
        let refusals = planned(&cluster, &target, &Policy::default()).unwrap_err();
        let unknown = Refusal::CountUnknown { pool: "linux1".to_owned() };
        assert_eq!(refusals, [unknown], "once, however many steps the pool has");
        assert!(!refusals[0].is_invalid_spec());
    }
    cluster.pools[0].mode = "Machines".to_owned();
    assert!(planned(&cluster, &target(Scope::Full, Some("1.34.4")), &Policy::default()).is_ok());
}

#[test]
fn a_newer_patch_of_the_same_minor_counts_as_reached() {
    let none = Policy::default();
    let mut ahead = cluster("1.34.4");
    ahead.pools.iter_mut().for_each(|pool| pool.node_image = NEW_LINUX.to_owned());
    ahead.pools[3].node_image = NEW_WINDOWS.to_owned();
    assert!(steps(&ahead, Scope::Full, Some("1.34.2"), &none).is_empty());
    ahead.pools[0].version = version("1.34.2");
    assert!(steps(&ahead, Scope::Full, Some("1.34.2"), &none).is_empty(), "it is what was asked for");
    ahead.pools[0].version = version("1.33.8");
    assert_eq!(steps(&ahead, Scope::Full, Some("1.34.2"), &none), ["pool-linux1-1.34.2"]);
}

#[test]
fn takes_a_skip_that_azure_offers_but_none_that_no_pool_could_follow() {
    let skip = |from: &str, to: &str, plan_of_support: &str| {
        let mut offers = offers(from);
        offers.control_plane.push(OfferedVersion { version: version(to), preview: false });
        let cluster = Cluster { support_plan: Some(plan_of_support.to_owned()), ..cluster(from) };
        let target = target(Scope::Full, Some(to));
        let plan = plan(&cluster, &target, &Policy::default(), &offers, NOW.parse().unwrap()).unwrap();
        (ids(&plan)[..2].to_vec(), plan.steps[0].why.clone())
    };
    let (steps, why) = skip("1.33.8", "1.36.2", "AKSLongTermSupport");
    assert_eq!(steps, ["cp-1.36.2", "pool-linux1-1.36.2"]);
    assert_eq!(
        why,
        "Azure offers to skip 2 minors; pools stay at 1.33 meanwhile: 3 minors behind is allowed"
    );
    let (steps, _) = skip("1.32.9", "1.36.2", "AKSLongTermSupport");
    assert_eq!(steps, ["cp-1.33.8", "cp-1.34.4"], "four minors at once would break the skew");
    let (steps, _) = skip("1.33.8", "1.36.2", "KubernetesOfficial");
    assert_eq!(steps, ["cp-1.34.4", "cp-1.35.2"], "others go minor by minor");
}

#[test]
fn refusals_name_the_field_and_what_would_be_right() {
    let none = Policy::default();
    let words = refusal(&cluster("1.35.2"), Scope::Full, Some("1.34.4"), &none);
    assert!(
        words.contains("spec.target.kubernetes.version is 1.34.4") && words.contains("name 1.35.2 or newer")
    );
    let words = refusal(&cluster("1.34.4"), Scope::Full, Some("1.36.9"), &none);
    assert!(words.contains("spec.target.kubernetes.version is 1.36.9") && words.contains("get-upgrades"));

    let stopped = Cluster { power: Power::Stopped, ..cluster("1.34.2") };
    assert!(refusal(&stopped, Scope::NodeImage, None, &none).contains("az aks start"));
    let automatic = Cluster { automatic: true, ..cluster("1.34.2") };
    assert!(refusal(&automatic, Scope::Full, Some("1.34.4"), &none).contains("AKS Automatic"));
    let channel = Cluster { auto_upgrade_channel: Some("patch".to_owned()), ..cluster("1.34.2") };
    assert!(refusal(&channel, Scope::Full, Some("1.34.4"), &none).contains("--auto-upgrade-channel none"));
    assert!(planned(&channel, &target(Scope::NodeImage, None), &none).is_ok());
    let mut failed = cluster("1.34.2");
    failed.provisioning_state = ProvisioningState::Failed;
    failed.pools[2].provisioning_state = ProvisioningState::Canceled;
    let words = refusal(&failed, Scope::Full, Some("1.34.4"), &none);
    assert!(
        words.contains("the cluster is in state Failed")
            && words.contains("pool system is in state Canceled")
    );
}

#[test]
fn an_os_sku_that_ends_is_refused_with_a_way_out() {
    let none = Policy::default();
    let at = cluster("1.36.2");
    let words = refusal(&at, Scope::Full, Some("1.37.0"), &none);
    assert_eq!(words.lines().count(), 4, "{words}");
    assert!(words.contains("pool win1 runs Windows2022, which ends with Kubernetes 1.36"), "{words}");
    assert!(words.contains("move its workloads to a new pool"), "{words}");
    assert!(words.contains("pool system runs Ubuntu2204") && words.contains("--os-sku"), "{words}");
    assert!(
        planned(&cluster("1.35.2"), &target(Scope::Full, Some("1.36.2")), &none).is_ok(),
        "its last minor"
    );

    let mut renewed = at.clone();
    for pool in &mut renewed.pools[..3] {
        pool.os_sku = "Ubuntu2404".to_owned();
    }
    let plan = planned(&renewed, &target(Scope::Full, Some("1.37.0")), &excluding(&["win1"])).unwrap();
    assert_eq!(
        plan.warnings,
        [
            "1.37.0 is a preview: without support, and without a way back",
            "pool win1 runs Windows2022, which ends with Kubernetes 1.36: it cannot follow to 1.37.0"
        ]
    );
    let plan = planned(&at, &target(Scope::ControlPlane, Some("1.37.0")), &none).unwrap();
    assert_eq!((plan.steps.len(), plan.warnings.len()), (1, 5), "pools may stay behind, but not for ever");
    assert_eq!(why_left(&plan, "win1"), "spec.target.scope is ControlPlane");
}

#[test]
fn a_change_of_the_operating_system_is_announced() {
    let mut cluster = cluster("1.34.4");
    cluster.pools[0].os_sku = "Ubuntu".to_owned();
    let plan = planned(&cluster, &target(Scope::Full, Some("1.35.2")), &Policy::default()).unwrap();
    assert_eq!(plan.warnings, ["pool linux1 runs Ubuntu, which becomes 24.04 with Kubernetes 1.35"]);
}

#[test]
fn nothing_to_do_is_an_empty_plan() {
    let mut cluster = cluster("1.34.4");
    for pool in &mut cluster.pools {
        pool.node_image = if pool.os_type == "Windows" { NEW_WINDOWS } else { NEW_LINUX }.to_owned();
    }
    let plan = planned(&cluster, &target(Scope::Full, Some("1.34.4")), &Policy::default()).unwrap();
    assert!(plan.steps.is_empty());
    assert_eq!(plan.left_alone.len(), 4);
}
