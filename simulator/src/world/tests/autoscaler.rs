//! The autoscaler acts by itself, also in the middle of an upgrade.

use super::*;
use crate::{effects::BlockedPod, world::NotScaled};

const POOLS: &str = "{ name: apps, count: 3, maxSurge: '1', kubernetesVersion: 1.34.2, \
                     autoscale: { min: 1, max: 5 } }";

impl Script {
    fn autoscale(&mut self, count: u64) -> Result<(), NotScaled> {
        self.world.autoscale(self.now, &cluster(), "apps", count)
    }

    fn count(&mut self) -> Value {
        self.get_pool("apps")["count"].clone()
    }
}

#[test]
fn nodes_come_and_go_without_an_operation() {
    let mut script = Script::with(POOLS, "");
    script.autoscale(5).unwrap();
    assert_eq!(script.count(), json!(5));
    script.pass(5);
    assert_eq!(script.nodes("apps").len(), 5);
    assert!(script.nodes("apps").iter().all(|node| node.ends_with("1.34.2")));
    script.autoscale(1).unwrap();
    script.pass(5);
    assert_eq!((script.nodes("apps"), script.count()), (vec!["000000 1.34.2".to_owned()], json!(1)));
    assert_eq!(script.get_pool("apps")["provisioningState"], "Succeeded");
}

#[test]
fn a_write_of_the_cluster_that_was_read_before_it_acted_leaves_the_size_alone() {
    let mut script = Script::with(POOLS, "");
    script.autoscale(5).unwrap();
    script.pass(5);
    let answer = script.put_cluster(|document| {
        document["properties"]["agentPoolProfiles"][0]["count"] = json!(3);
        document["properties"]["kubernetesVersion"] = json!("1.35.3");
    });
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(script.count(), json!(5));
    script.pass(30);
    assert_eq!((script.nodes("apps").len(), script.count()), (5, json!(5)));
}

#[test]
fn in_an_upgrade_new_nodes_are_new_and_nodes_in_work_stay() {
    let mut script = Script::with(POOLS, "");
    let answer = script.upgrade_pool("apps", "1.34.4");
    script.pass(4);
    script.autoscale(4).unwrap();
    script.pass(3);
    let nodes = script.nodes("apps");
    assert_eq!(nodes.len(), 5, "one is a surge node: {nodes:?}");
    assert!(nodes.iter().filter(|node| node.ends_with("1.34.4")).count() >= 2, "{nodes:?}");
    script.autoscale(1).unwrap();
    let stays = |node: &String| node.starts_with("000002 1.34.2");
    assert!(script.nodes("apps").iter().any(stays), "the upgrade is not done with it");
    script.pass(60);
    assert_eq!(script.status(&answer)["status"], "Succeeded");
    let nodes = script.nodes("apps");
    assert!(nodes.iter().all(|node| node.ends_with("1.34.4")), "{nodes:?}");
    assert_eq!(json!(nodes.len()), script.count(), "{nodes:?}");
}

#[test]
fn it_keeps_to_its_pools_and_their_bounds() {
    let mut script = Script::with(POOLS, "");
    assert_eq!(script.autoscale(6).unwrap_err().to_string(), "pool apps has between 1 and 5 nodes, not 6");
    let mut script = Script::new("");
    assert_eq!(script.autoscale(2), Err(NotScaled::Off("apps".to_owned())));
    let missing = script.world.autoscale(script.now, &cluster(), "none", 2).unwrap_err();
    assert!(missing.to_string().ends_with("/weu has no pool none"), "{missing}");
}

fn autoscaled(count: u32, autoscaler: &str) -> Script {
    Script::whole(
        "seed: 7",
        &format!(
            "kubernetesVersion: 1.34.4, autoscaler: {{ {autoscaler} }}, pools: [{{ name: apps, count: {count}, autoscale: {{ min: 2, max: 5 }}, kubernetesVersion: 1.34.2 }}, {{ name: fixed, count: 2 }}]"
        ),
    )
}

fn count(script: &mut Script) -> (u64, usize) {
    (script.get_pool("apps")["count"].as_u64().unwrap(), script.nodes("apps").len())
}

#[test]
fn a_pool_gets_its_sizes_at_the_instants_that_are_given() {
    let mut script = autoscaled(
        3,
        "at: [{ at: 2026-12-05T23:00:00Z, pool: apps, count: 5 }, { at: 2026-12-06T00:00:00Z, pool: apps, count: 2 }]",
    );
    let before = script.get_pool("apps");
    assert_eq!(
        (&before["enableAutoScaling"], &before["minCount"], &before["maxCount"]),
        (&json!(true), &json!(2), &json!(5))
    );
    script.pass(60);
    assert_eq!(count(&mut script), (5, 5));
    assert_eq!(script.world.view()[0].pools[0].nodes.iter().filter(|node| node.ready).count(), 3);
    script.pass(3);
    let properties = script.get_pool("apps");
    assert_eq!(script.nodes("apps")[4], "000004 1.34.2");
    assert_eq!(
        (&properties["provisioningState"], &properties["eTag"]),
        (&json!("Succeeded"), &before["eTag"])
    );
    script.pass(57);
    assert_eq!(count(&mut script), (2, 5));
    assert_eq!(script.nodes("apps")[2], "000002 1.34.2 c");
    script.pass(1);
    assert_eq!(script.nodes("apps"), ["000000 1.34.2", "000001 1.34.2"]);
    assert_eq!(script.nodes("fixed").len(), 2);
}

#[test]
fn a_pool_changes_now_and_then_within_its_bounds_and_the_same_for_the_same_seed() {
    let run = || {
        let mut script = autoscaled(3, "every: 1h");
        let counts = (0..48).map(|_| {
            script.pass(60);
            count(&mut script).0
        });
        counts.collect::<Vec<_>>()
    };
    let counts = run();
    assert_eq!(counts, run());
    assert!(counts.iter().all(|count| (2..=5).contains(count)), "{counts:?}");
    assert!(counts.windows(2).filter(|pair| pair[0] != pair[1]).count() > 10, "{counts:?}");
}

#[test]
fn during_an_upgrade_new_nodes_are_new_and_old_ones_stay_until_they_are_done() {
    let mut script = autoscaled(
        3,
        "at: [{ at: 2026-12-05T22:05:00Z, pool: apps, count: 4 }, { at: 2026-12-05T22:06:00Z, pool: apps, count: 2 }]",
    );
    let answer = script.upgrade_pool("apps", "1.34.4");
    script.pass(5);
    assert_eq!(script.nodes("apps")[4], "000004 1.34.4");
    // Nobody else may leave: the others are still to be upgraded.
    script.pass(1);
    assert_eq!(count(&mut script).0, 4);
    script.pass(60);
    assert_eq!(script.status(&answer)["status"], "Succeeded");
    assert_eq!(script.nodes("apps").iter().filter(|node| node.ends_with(" 1.34.4")).count(), 4);
}

#[test]
fn a_budget_keeps_a_node_that_was_to_leave() {
    let mut script = autoscaled(3, "at: [{ at: 2026-12-05T22:05:00Z, pool: apps, count: 2 }]");
    let endpoint = crate::world::Endpoint { server: "https://127.0.0.1:1".into(), ca_pem: "pem".into() };
    script.world.attach(script.now, &cluster(), endpoint);
    let blocked = || BlockedPod {
        namespace: "shop".into(),
        pod: "db-0".into(),
        budget: Some("db".into()),
        message: "Cannot evict pod".into(),
    };
    let effects = script.drive(30, |effect| {
        matches!(effect, Effect::DrainNode { .. }).then(|| Outcome::DrainBlocked(vec![blocked()]))
    });
    assert!(effects.iter().any(|effect| matches!(effect, Effect::UncordonNode { .. })));
    assert_eq!(count(&mut script), (3, 3));
    assert!(script.nodes("apps").iter().all(|node| node.ends_with(" 1.34.2")));
}

#[test]
fn what_is_due_while_a_cluster_is_stopped_passes_it_by() {
    let mut script = Script::whole(
        "",
        "kubernetesVersion: 1.34.4, powerState: Stopped, autoscaler: { every: 1h, at: [{ at: 2026-12-05T23:00:00Z, pool: apps, count: 5 }] }, pools: [{ name: apps, count: 3, autoscale: { min: 2, max: 5 } }]",
    );
    script.pass(180);
    assert_eq!(count(&mut script), (3, 3));
}
