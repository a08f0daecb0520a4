//! The autoscaler acts by itself, also in the middle of an upgrade.

use super::*;
use crate::world::NotScaled;

const POOLS: &str = "{ name: apps, count: 3, maxSurge: '1', kubernetesVersion: 1.34.2, \
                     extra: { enableAutoScaling: true, minCount: 1, maxCount: 5 } }";

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
