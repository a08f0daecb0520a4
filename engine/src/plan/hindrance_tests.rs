//! Tables of what stands in the way, is done in another way, or is only said: one row a situation.

use super::*;
use crate::{
    cluster::{PoolType, Power, ProvisioningState},
    offers::{OfferedVersion, SupportPlans},
    policy::PoolMatch,
    target::{NodeImagePolicy, Scope},
    testing::{NEW_LINUX, cluster, offers, version},
};

/// A cluster with its offers, to be changed by the row, and what is wanted.
struct Row {
    cluster: Cluster,
    offers: Offers,
    target: Target,
    policy: Policy,
}

fn row(at: &str, scope: Scope, to: Option<&str>) -> Row {
    let kubernetes = to.map(version);
    Row {
        cluster: cluster(at),
        offers: offers(at),
        target: Target {
            scope,
            kubernetes,
            node_image: NodeImagePolicy::Latest,
            images: std::collections::BTreeMap::new(),
            max_image_age: None,
        },
        policy: Policy::default(),
    }
}

impl Row {
    fn with(mut self, change: impl FnOnce(&mut Cluster)) -> Self {
        change(&mut self.cluster);
        self
    }

    fn offering(mut self, change: impl FnOnce(&mut Offers)) -> Self {
        change(&mut self.offers);
        self
    }

    fn without(mut self, name: &str) -> Self {
        self.policy.exclude.push(PoolMatch { names: vec![name.to_owned()], ..PoolMatch::default() });
        self
    }

    fn outline(&self) -> Outline {
        let now = "2026-11-20T12:00:00Z".parse().unwrap();
        outline(&self.cluster, &self.target, &self.policy, &self.offers, now)
    }

    fn steps(&self) -> Vec<String> {
        let Outline { plan, refusals } = self.outline();
        assert!(refusals.is_empty(), "{refusals:?}");
        plan.steps.iter().map(|planned| planned.step.id()).collect()
    }

    /// Reason, pool and words of the only refusal, and the steps of the others.
    fn refused(&self) -> (&'static str, Option<String>, String, Vec<String>) {
        let Outline { plan, refusals } = self.outline();
        assert_eq!(refusals.len(), 1, "{refusals:#?}");
        let refusal = &refusals[0];
        let steps = plan.steps.iter().map(|planned| planned.step.id()).collect();
        (refusal.reason(), refusal.pool().map(str::to_owned), refusal.to_string(), steps)
    }

    fn left(&self, pool: &str) -> &'static str {
        let plan = self.outline().plan;
        let left = plan.left_alone.iter().find(|left| left.pool.as_deref() == Some(pool));
        left.map_or("not left alone", |left| left.why.reason())
    }

    fn warnings(&self) -> Vec<String> {
        self.outline().plan.warnings
    }
}

fn failed(pool: &'static str) -> impl FnOnce(&mut Cluster) {
    move |cluster| {
        let pool = cluster.pools.iter_mut().find(|found| found.name == pool).unwrap();
        pool.provisioning_state = ProvisioningState::Failed;
    }
}

#[test]
fn a_failed_pool_is_repaired_before_the_control_plane_moves() {
    let before = row("1.34.4", Scope::Full, Some("1.35.2")).with(failed("system"));
    let expected = ["pool-system-1.34.4", "cp-1.35.2", "pool-linux1-1.35.2", "pool-linux2-1.35.2"];
    assert_eq!(before.steps()[..4], expected);
    assert_eq!(before.steps()[4], "pool-system-1.35.2", "and moves like the others afterwards");
    let plan = before.outline().plan;
    assert_eq!(plan.steps[0].why, "repairs its failed operation before the control plane moves");
    assert_eq!((plan.steps[0].nodes, plan.steps[0].repair), (3, true));
}

#[test]
fn a_step_that_comes_first_anyway_repairs_a_failed_pool() {
    let mut behind = row("1.35.2", Scope::Full, Some("1.35.2")).with(failed("win1"));
    behind.cluster.pools[3].version = version("1.34.4");
    let plan = behind.outline().plan;
    assert_eq!(behind.steps()[3], "pool-win1-1.35.2");
    assert_eq!(plan.steps[3].why, "to the target, after its control plane; repairs its failed operation");
    // At the target already, its version is sent again, and its image looked at after that.
    let at_target = row("1.35.2", Scope::Full, Some("1.35.2")).with(failed("win1"));
    assert_eq!(at_target.steps()[3], "pool-win1-1.35.2");
    assert_eq!(at_target.outline().plan.steps[3].why, "repairs its failed operation");
    // Forced to move before the first hop.
    let mut forced = row("1.35.2", Scope::Full, Some("1.36.2")).with(failed("linux1"));
    forced.cluster.pools[0].version = version("1.32.9");
    assert_eq!(forced.steps()[..2], ["pool-linux1-1.35.2", "cp-1.36.2"]);
}

#[test]
fn failed_pools_that_must_not_be_repaired_are_refused() {
    let images = row("1.34.4", Scope::NodeImage, None).with(failed("linux2"));
    let (reason, pool, words, steps) = images.refused();
    assert_eq!((reason, pool.as_deref()), ("PoolNotReady", Some("linux2")));
    assert!(words.contains("az aks nodepool upgrade --kubernetes-version 1.34.4"), "{words}");
    assert_eq!(steps, ["image-linux1", "image-system", "image-win1"], "the others are shown");
    let excluded = row("1.34.4", Scope::Full, Some("1.35.2")).with(failed("win1")).without("win1");
    let (reason, _, words, _) = excluded.refused();
    assert_eq!(reason, "PoolNotReady");
    assert!(words.contains("left alone (spec.nodePools.exclude[0])"), "{words}");
    let alone = row("1.34.4", Scope::ControlPlane, Some("1.35.2")).with(failed("win1"));
    assert!(alone.refused().2.contains("spec.target.scope is ControlPlane"));
    let images = row("1.34.4", Scope::NodeImage, None).with(failed("win1")).without("win1");
    assert_eq!(images.left("win1"), "Excluded");
    assert_eq!(images.steps().len(), 3, "nothing writes to the cluster");
}

#[test]
fn an_aborted_pool_waits_for_a_person() {
    let aborted = row("1.34.4", Scope::Full, Some("1.35.2"))
        .with(|cluster| cluster.pools[1].provisioning_state = ProvisioningState::Canceled);
    let (reason, pool, words, _) = aborted.refused();
    assert_eq!((reason, pool.as_deref()), ("PoolAborted", Some("linux2")));
    assert!(words.contains("somebody aborted") && words.contains("--kubernetes-version 1.34.4"), "{words}");
}

#[test]
fn provisioned_nodes_are_watched_and_not_commanded() {
    let provisioning = row("1.34.4", Scope::Full, Some("1.36.2")).with(|cluster| {
        cluster.node_provisioning = true;
        cluster.pools[0].mode = "Machines".to_owned();
        cluster.pools[0].version = version("1.32.9");
    });
    assert_eq!(provisioning.left("linux1"), "NodeAutoProvisioning");
    assert!(!provisioning.steps().iter().any(|step| step.contains("linux1")), "follows between the hops");
    let left = provisioning.outline().plan.left_alone;
    assert_eq!((left[1].pool.as_deref(), &left[1].why), (None, &Stays::Provisioned));
    assert!(left[1].why.to_string().contains("the upgrade is done without them"));
    // Before the first hop they have not followed yet.
    let behind = row("1.35.2", Scope::Full, Some("1.36.2")).with(|cluster| {
        cluster.pools[0].mode = "Machines".to_owned();
        cluster.pools[0].version = version("1.32.9");
        cluster.pools[0].provisioning_state = ProvisioningState::Failed;
    });
    let (reason, pool, words, _) = behind.refused();
    assert_eq!((reason, pool.as_deref()), ("Skew", Some("linux1")));
    assert!(words.contains("kubectl get nodeclaims"), "{words}");
    assert!(!behind.outline().refusals[0].is_invalid_spec(), "it passes by itself");
}

#[test]
fn a_stopped_pool_follows_when_it_is_started_but_must_not_fall_too_far_behind() {
    let stop = |cluster: &mut Cluster| cluster.pools[0].power = Power::Stopped;
    let stopped = row("1.33.8", Scope::Full, Some("1.36.2")).with(stop);
    assert_eq!(stopped.left("linux1"), "PoolStopped");
    assert_eq!(stopped.steps().len(), 6);
    let behind = row("1.33.8", Scope::Full, Some("1.36.2"))
        .with(stop)
        .with(|cluster| cluster.pools[0].version = version("1.32.9"));
    let (reason, _, words, steps) = behind.refused();
    assert_eq!(reason, "Skew");
    assert!(words.contains("start it (az aks nodepool start) or delete it"), "{words}");
    assert_eq!(steps.len(), 6, "the rest is shown");
}

#[test]
fn a_snapshot_is_not_taken_from_its_pool_without_a_word() {
    let pin = |cluster: &mut Cluster| cluster.pools[0].snapshot = Some("golden".to_owned());
    let pinned = row("1.34.4", Scope::Full, Some("1.35.2")).with(pin);
    let (reason, pool, words, steps) = pinned.refused();
    assert_eq!((reason, pool.as_deref()), ("Pinned", Some("linux1")));
    assert!(words.contains("snapshot golden") && words.contains("--snapshot-id"), "{words}");
    assert_eq!(steps.len(), 4, "control plane and the other pools");
    let images = row("1.34.4", Scope::NodeImage, None).with(pin);
    assert_eq!(images.left("linux1"), "Pinned");
    assert_eq!(images.steps().len(), 3);
    let excluded = row("1.34.4", Scope::Full, Some("1.35.2")).with(pin).without("linux1");
    assert_eq!(excluded.left("linux1"), "Excluded");
    assert_eq!(excluded.steps().len(), 4);
}

#[test]
fn pools_of_single_machines_are_upgraded_and_availability_sets_refused() {
    let of = |pool_type| {
        row("1.34.4", Scope::Full, Some("1.35.2")).with(|cluster| cluster.pools[0].pool_type = pool_type)
    };
    assert_eq!(of(PoolType::VirtualMachines).steps()[1], "pool-linux1-1.35.2");
    let (reason, pool, words, _) = of(PoolType::AvailabilitySet).refused();
    assert_eq!((reason, pool.as_deref()), ("AvailabilitySet", Some("linux1")));
    assert!(words.contains("--migrate-vmas-to-vms"), "{words}");
}

#[test]
fn versions_that_cannot_be_reached_say_why() {
    let refused = |row: Row| {
        let (reason, pool, words, steps) = row.refused();
        assert!(pool.is_none() && steps.is_empty(), "{pool:?} {steps:?}");
        (reason, words)
    };
    let (reason, words) = refused(row("1.34.4", Scope::Full, Some("1.36.9")));
    assert_eq!(reason, "NotOffered", "{words}");

    let renewed = |cluster: &mut Cluster| {
        cluster.pools.iter_mut().for_each(|pool| pool.os_sku = "Ubuntu2404".to_owned());
    };
    let over = row("1.35.2", Scope::Full, Some("1.37.0")).with(renewed).offering(|offers| {
        offers.region.iter_mut().for_each(|entry| entry.preview = entry.version.minor().minor > 35);
    });
    let (reason, words) = refused(over);
    assert_eq!(reason, "OverPreview");
    assert!(words.contains("leads over the preview 1.36.2"), "{words}");

    let long_term = row("1.34.4", Scope::Full, Some("1.35.2")).offering(|offers| {
        offers.control_plane.clear();
        offers.region[5].support_plans = Some(SupportPlans::AKSLongTermSupport);
    });
    let (reason, words) = refused(long_term);
    assert_eq!(reason, "LongTermOnly");
    assert!(words.contains("--k8s-support-plan AKSLongTermSupport"), "{words}");

    let mut back = row("1.31.9", Scope::Full, Some("1.35.2"));
    back.offers.control_plane = vec![OfferedVersion { version: version("1.34.4"), preview: false }];
    let (reason, words) = refused(back);
    assert_eq!(reason, "WholeClusterOnly");
    assert!(words.contains("az aks upgrade --kubernetes-version 1.34.4"), "{words}");
}

#[test]
fn pools_go_to_no_version_that_their_region_has_not() {
    let behind = |cluster: &mut Cluster| {
        cluster.pools.iter_mut().for_each(|pool| pool.version = version("1.33.8"));
    };
    let gone = |offers: &mut Offers| offers.region.retain(|entry| entry.version != version("1.34.4"));
    let below = row("1.35.2", Scope::NodePools, Some("1.34.4")).with(behind);
    assert_eq!(below.steps().len(), 4);
    let (reason, pool, words, _) = below.offering(gone).refused();
    assert_eq!((reason, pool), ("PoolsNotOffered", None));
    assert!(words.contains("name 1.35.2, the version of the control plane"), "{words}");
    let as_its_own = row("1.34.4", Scope::NodePools, Some("1.34.4")).with(behind).offering(gone);
    assert_eq!(as_its_own.steps().len(), 4, "the control plane's own version is always there");
}

#[test]
fn a_channel_forbids_hops_and_is_mentioned_otherwise() {
    let channel = |cluster: &mut Cluster| cluster.auto_upgrade_channel = Some("stable".to_owned());
    assert_eq!(row("1.34.4", Scope::Full, Some("1.35.2")).with(channel).refused().0, "AutoUpgrade");
    let there = row("1.35.2", Scope::Full, Some("1.35.2")).with(channel);
    assert_eq!(there.steps().len(), 4, "images of a control plane that stays");
    assert!(there.warnings()[0].contains("auto-upgrade channel is \"stable\""), "{:?}", there.warnings());
}

#[test]
fn the_channel_for_images_is_mentioned_where_it_matters() {
    let os = |row: Row, channel: &str| {
        let channel = Some(channel.to_owned());
        row.with(|cluster| cluster.node_os_upgrade_channel = channel).warnings().join("; ")
    };
    let images = || row("1.34.4", Scope::NodeImage, None);
    assert!(os(images(), "NodeImage").contains("may be first"));
    assert_eq!(os(images(), "Unmanaged"), "");
    let mut skip = row("1.34.4", Scope::Full, Some("1.35.2"));
    assert_eq!(
        os(row("1.34.4", Scope::Full, Some("1.35.2")), "NodeImage"),
        "",
        "nearly every cluster has it"
    );
    skip.target.node_image = NodeImagePolicy::Skip;
    assert!(os(skip, "SecurityPatch").contains("nodeImage is Skip, but"));
}

#[test]
fn slips_and_operations_under_way_are_mentioned() {
    let row = row("1.34.4", Scope::NodeImage, None).without("linuxl").without("win1").with(|cluster| {
        cluster.pools[1].provisioning_state = ProvisioningState::Busy("Scaling".to_owned());
    });
    assert_eq!(
        row.warnings(),
        [
            "pool linux2 is Scaling: nothing starts before that has ended",
            "spec.nodePools.exclude[0] names pool linuxl, which the cluster does not have"
        ]
    );
}

#[test]
fn one_refusal_hides_neither_the_others_nor_the_rest() {
    let many = row("1.36.0", Scope::Full, Some("1.37.0")).with(|cluster| {
        cluster.power = Power::Stopped;
        cluster.pools[0].snapshot = Some("golden".to_owned());
        cluster.pools[1].os_sku = "Ubuntu2404".to_owned();
        cluster.pools[2].os_sku = "Ubuntu2404".to_owned();
        cluster.pools[2].provisioning_state = ProvisioningState::Canceled;
        cluster.pools[1].node_image = NEW_LINUX.to_owned();
    });
    let Outline { plan, refusals } = many.outline();
    let told: Vec<(&str, Option<&str>)> = refusals.iter().map(|r| (r.reason(), r.pool())).collect();
    let expected = [
        ("ClusterStopped", None),
        ("Pinned", Some("linux1")),
        ("PoolAborted", Some("system")),
        ("OsSkuEnds", Some("win1")),
    ];
    assert_eq!(told, expected);
    let ids: Vec<String> = plan.steps.iter().map(|planned| planned.step.id()).collect();
    assert_eq!(ids, ["cp-1.37.0", "pool-linux2-1.37.0"]);
}
