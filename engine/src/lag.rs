//! What control plane and nodes really run, where that is older than what Azure shows.
//!
//! Azure shows the target of an upgrade from the moment at which it accepts it, in `current…` fields as
//! well, and goes on showing it when the operation was preempted, or failed, and nothing was done
//! (Azure/AKS#3558). Only API server and kubelets tell what is so.

use std::collections::BTreeMap;

use crate::{
    cluster::{Cluster, NodePool},
    observation::{Inside, Node, ServerVersion},
    version::KubernetesVersion,
};

/// What runs, where that is older than what Azure shows; empty when all is as Azure says, or not known
/// to be otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lag {
    /// What the API server is.
    pub(crate) control_plane: Option<ServerVersion>,
    /// The oldest kubelet of pools, by name.
    pub(crate) pools: BTreeMap<String, KubernetesVersion>,
}

impl Lag {
    /// What a look into the cluster has shown.
    ///
    /// Newer than shown is no lag: a listing of Azure's may be a minute old.
    ///
    /// # Errors
    /// What is missing, when nobody can tell.
    pub(crate) fn of(cluster: &Cluster, inside: &Inside) -> Result<Self, String> {
        let control_plane = inside.server.clone().filter(|server| server.is_older_than(&cluster.version));
        let mut pools = BTreeMap::new();
        for pool in &cluster.pools {
            let Some(nodes) = inside.nodes.get(&pool.name) else { continue };
            let oldest = oldest_kubelet(pool, nodes)?.filter(|oldest| oldest.is_older_than(&pool.version));
            pools.extend(oldest.map(|oldest| (pool.name.clone(), oldest)));
        }
        Ok(Self { control_plane, pools })
    }

    /// Whether all is as Azure says.
    pub(crate) fn is_none(&self) -> bool {
        self.control_plane.is_none() && self.pools.is_empty()
    }
}

/// The oldest kubelet of a pool, as far as its nodes prove anything; `None` when there are none.
///
/// Nodes on their way out prove nothing. Surge nodes do: they are new already, so that old ones are left
/// from an upgrade that did not come to its end. Nodes that are not Ready count: they are to be replaced
/// like the others.
fn oldest_kubelet<'a>(pool: &NodePool, nodes: &'a [Node]) -> Result<Option<KubernetesVersion>, String> {
    let should_have = pool.count.unwrap_or_default();
    if nodes.is_empty() && should_have > 0 {
        let name = &pool.name;
        return Err(format!("pool {name} should have {should_have} nodes, and its cluster shows none"));
    }
    let mut oldest: Option<&'a KubernetesVersion> = None;
    for node in nodes.iter().filter(|node| !node.leaving) {
        let Some(kubelet) = &node.kubelet else {
            return Err(format!("node {} does not say which kubelet it runs", node.name));
        };
        if oldest.is_none_or(|oldest| kubelet.is_older_than(oldest)) {
            oldest = Some(kubelet);
        }
    }
    Ok(oldest.cloned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{OLD_LINUX, cluster, version};

    fn node(kubelet: Option<&str>, leaving: bool) -> Node {
        Node {
            name: "aks-linux1-0".to_owned(),
            kubelet: kubelet.map(version),
            image: OLD_LINUX.to_owned(),
            ready: false,
            schedulable: false,
            quarantined: false,
            leaving,
        }
    }

    fn of_pool(nodes: Vec<Node>) -> Result<Option<String>, String> {
        let inside = Inside { server: None, nodes: [("linux1".to_owned(), nodes)].into() };
        let lag = Lag::of(&cluster("1.34.4"), &inside)?;
        Ok(lag.pools.get("linux1").map(ToString::to_string))
    }

    #[test]
    fn a_pool_is_as_old_as_its_oldest_node() {
        let new = || node(Some("1.34.4"), false);
        assert_eq!(of_pool(vec![new(), new()]), Ok(None));
        let mixed = vec![new(), node(Some("1.34.2"), false), node(Some("1.33.8"), false)];
        assert_eq!(of_pool(mixed), Ok(Some("1.33.8".to_owned())));
        let newer = vec![node(Some("1.35.0"), false)];
        assert_eq!(of_pool(newer), Ok(None), "the listing of Azure is the older one");
    }

    #[test]
    fn nodes_on_their_way_out_prove_nothing() {
        assert_eq!(of_pool(vec![node(Some("1.34.4"), false), node(Some("1.33.8"), true)]), Ok(None));
        assert_eq!(of_pool(vec![node(Some("1.33.8"), true)]), Ok(None), "scaled to zero right now");
    }

    #[test]
    fn what_is_not_shown_is_not_known() {
        let none = of_pool(Vec::new()).unwrap_err();
        assert_eq!(none, "pool linux1 should have 3 nodes, and its cluster shows none");
        assert!(of_pool(vec![node(None, false)]).unwrap_err().contains("which kubelet"));
        let mut empty = cluster("1.34.4");
        empty.pools[0].count = Some(0);
        let inside = Inside { server: None, nodes: [("linux1".to_owned(), Vec::new())].into() };
        assert!(Lag::of(&empty, &inside).unwrap().is_none(), "a pool may be empty");
    }

    #[test]
    fn an_api_server_is_older_by_its_build_or_by_what_it_serves() {
        let older = |minor: &str, build: Option<&str>| {
            let server = ServerVersion { minor: minor.parse().unwrap(), build: build.map(version) };
            let inside = Inside { server: Some(server), ..Inside::default() };
            Lag::of(&cluster("1.34.4"), &inside).unwrap().control_plane.map(|server| server.to_string())
        };
        assert_eq!(older("1.34", Some("1.34.2")).as_deref(), Some("1.34.2"));
        assert_eq!(older("1.33", Some("1.34.4")).as_deref(), Some("1.34.4"), "it emulates 1.33");
        assert_eq!(older("1.33", None).as_deref(), Some("1.33"));
        assert_eq!(older("1.34", None), None);
        assert_eq!(older("1.35", Some("1.35.0")), None);
        assert_eq!(older("1.34", Some("1.34.4-akslts")), None, "no preview of 1.34.4");
    }
}
