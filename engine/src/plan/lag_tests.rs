//! Tables of what is planned where Azure shows versions that are not there.

use super::*;
use crate::{
    cluster::ProvisioningState,
    observation::ServerVersion,
    target::{NodeImagePolicy, Scope},
    testing::{NEW_LINUX, NEW_WINDOWS, cluster, offers, version},
};

/// What the API server, and the oldest nodes of pools, run.
fn lag(server: Option<&str>, pools: &[(&str, &str)]) -> Lag {
    let server = server.map(version);
    Lag {
        control_plane: server.map(|build| ServerVersion { minor: build.minor(), build: Some(build) }),
        pools: pools.iter().map(|(pool, runs)| ((*pool).to_owned(), version(runs))).collect(),
    }
}

fn outlined(cluster: &Cluster, lag: &Lag, scope: Scope, to: &str) -> Outline {
    let kubernetes = Some(version(to));
    let target = Target {
        scope,
        kubernetes,
        node_image: NodeImagePolicy::Latest,
        images: std::collections::BTreeMap::new(),
        max_image_age: None,
    };
    let (policy, offers) = (Policy::default(), offers(&cluster.version.to_string()));
    outline_of((cluster, lag), &target, &policy, &offers, "2026-11-20T12:00:00Z".parse().unwrap())
}

fn planned(cluster: &Cluster, lag: &Lag, scope: Scope, to: &str) -> Vec<PlannedStep> {
    let Outline { plan, refusals } = outlined(cluster, lag, scope, to);
    assert!(refusals.is_empty(), "{refusals:?}");
    plan.steps
}

fn ids(steps: &[PlannedStep]) -> Vec<String> {
    steps.iter().map(|planned| planned.step.id()).collect()
}

/// Its images are the newest.
fn fresh(at: &str) -> Cluster {
    let mut cluster = cluster(at);
    for pool in &mut cluster.pools {
        pool.node_image = if pool.os_type == "Windows" { NEW_WINDOWS } else { NEW_LINUX }.to_owned();
    }
    cluster
}

#[test]
fn a_pool_gets_a_repair_that_says_both_versions() {
    let steps = planned(&fresh("1.34.4"), &lag(None, &[("linux2", "1.33.8")]), Scope::Full, "1.34.4");
    assert_eq!(ids(&steps), ["pool-linux2-1.34.4"]);
    let PlannedStep { step, why, nodes, repair } = &steps[0];
    assert_eq!(why, "repairs that Azure shows 1.34.4 and nodes run 1.33.8");
    assert_eq!((step.from.as_str(), *nodes, *repair), ("1.33.8", 3, true));
}

#[test]
fn a_pool_that_moves_anyway_is_repaired_by_that() {
    let mut behind = fresh("1.35.2");
    behind.pools[1].version = version("1.34.4");
    let steps = planned(&behind, &lag(None, &[("linux2", "1.33.8")]), Scope::NodePools, "1.35.2");
    assert_eq!(ids(&steps), ["pool-linux2-1.35.2"]);
    let expected =
        "to the target, after its control plane; repairs that Azure shows 1.34.4 and nodes run 1.33.8";
    assert_eq!((steps[0].why.as_str(), steps[0].repair), (expected, false));
    assert_eq!(steps[0].step.from, "1.34.4", "what Azure shows is what it is checked against");
}

#[test]
fn a_pool_is_repaired_before_the_control_plane_moves() {
    let pools = lag(None, &[("system", "1.32.9")]);
    let steps = planned(&fresh("1.34.4"), &pools, Scope::Full, "1.35.2");
    assert_eq!(ids(&steps)[..2], ["pool-system-1.34.4", "cp-1.35.2"]);
    let expected = "repairs that Azure shows 1.34.4 and nodes run 1.32.9 before the control plane moves";
    assert_eq!(steps[0].why, expected);
    assert_eq!(steps.len(), 6, "and moves like the others afterwards");
    // Too far behind in truth: it is brought to where the control plane is.
    let mut behind = fresh("1.35.2");
    behind.pools[0].version = version("1.33.8");
    let steps = planned(&behind, &lag(None, &[("linux1", "1.32.9")]), Scope::Full, "1.36.2");
    assert_eq!(ids(&steps)[..2], ["pool-linux1-1.35.2", "cp-1.36.2"]);
}

#[test]
fn a_control_plane_is_repaired_first_of_all() {
    let steps = planned(&fresh("1.35.2"), &lag(Some("1.34.4"), &[]), Scope::Full, "1.36.2");
    assert_eq!(ids(&steps)[..3], ["cp-1.35.2", "cp-1.36.2", "pool-linux1-1.36.2"]);
    assert_eq!(steps[0].why, "repairs that Azure shows 1.35.2 and the API server runs 1.34.4");
    assert_eq!((steps[0].step.from.as_str(), steps[0].repair), ("1.34.4", true));
    let alone = planned(&fresh("1.35.2"), &lag(Some("1.34.4"), &[]), Scope::ControlPlane, "1.35.2");
    assert_eq!(ids(&alone), ["cp-1.35.2"]);
    // A write to the cluster takes up what pools have left undone: they come first where AKS lets them.
    let mut mixed = fresh("1.35.2");
    mixed.pools[0].version = version("1.34.4");
    mixed.pools[1].provisioning_state = ProvisioningState::Failed;
    let lagging = lag(Some("1.34.4"), &[("linux1", "1.33.8")]);
    let steps = planned(&mixed, &lagging, Scope::Full, "1.35.2");
    let expected = ["pool-linux1-1.34.4", "cp-1.35.2", "pool-linux1-1.35.2", "pool-linux2-1.35.2"];
    assert_eq!(ids(&steps), expected);
}

#[test]
fn what_runs_and_is_new_enough_is_left_as_it_is() {
    let lagging = lag(Some("1.34.2"), &[("linux1", "1.34.2")]);
    assert_eq!(planned(&fresh("1.34.4"), &lagging, Scope::Full, "1.34.2"), []);
    let mut stopped = fresh("1.34.4");
    stopped.pools[0].power = crate::Power::Stopped;
    assert_eq!(planned(&stopped, &lag(None, &[("linux1", "1.33.8")]), Scope::Full, "1.34.4"), []);
    assert_eq!(
        planned(&fresh("1.34.4"), &lag(None, &[("linux1", "1.33.8")]), Scope::ControlPlane, "1.34.4"),
        []
    );
}

#[test]
fn what_forbids_a_hop_forbids_the_repair_of_a_control_plane() {
    let mut automatic = fresh("1.35.2");
    automatic.auto_upgrade_channel = Some("patch".to_owned());
    let refusals = |scope, to| {
        let outline = outlined(&automatic, &lag(Some("1.34.4"), &[]), scope, to);
        outline.refusals.iter().map(Refusal::reason).collect::<Vec<_>>()
    };
    assert_eq!(refusals(Scope::Full, "1.35.2"), ["AutoUpgrade"]);
    assert!(refusals(Scope::NodePools, "1.34.4").is_empty(), "no pool becomes newer than what runs");
    automatic.pools[0].version = version("1.34.4");
    let behind = outlined(&automatic, &lag(Some("1.34.4"), &[]), Scope::NodePools, "1.35.2").refusals;
    let expected = Refusal::ControlPlaneBehind { shown: version("1.35.2"), runs: "1.34.4".to_owned() };
    assert_eq!(behind, [expected]);
}
