//! Stopping and starting by hand: what a cluster's or a pool's document says about power.
//!
//! It happens at once and without an operation; nodes stay as they are.

use super::World;
use crate::effects::ClusterKey;

/// Why power cannot be changed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PowerError {
    /// No such cluster.
    #[error("no such cluster: {0}; give its ARM id")]
    NoCluster(String),
    /// No such pool.
    #[error("pool: {0:?} is not a pool of this cluster")]
    NoPool(String),
    /// Something is going on.
    #[error("an operation is under way in this cluster; wait for its end")]
    Busy,
}

impl World {
    /// Stops or starts a cluster, or one pool of it.
    ///
    /// # Errors
    /// When there is no such cluster or pool, or an operation is under way.
    pub fn set_power(
        &mut self,
        key: &ClusterKey,
        pool: Option<&str>,
        running: bool,
    ) -> Result<(), PowerError> {
        let cluster = self.clusters.get(key).ok_or_else(|| PowerError::NoCluster(key.0.clone()))?;
        if cluster.work.is_some() {
            return Err(PowerError::Busy);
        }
        if let Some(name) = pool.filter(|name| !cluster.pools.contains_key(*name)) {
            return Err(PowerError::NoPool(name.to_owned()));
        }
        self.show_power(key, pool, !running);
        if let Some(cluster) = self.clusters.get_mut(key) {
            cluster.touch(pool, &mut self.ids);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::Value;

    use super::*;
    use crate::{
        scenario::Scenario,
        world::{Call, PoolKey},
    };

    #[test]
    fn power_changes_at_once_and_shows_in_the_document() {
        let yaml = "clusters: [{ subscription: s, resourceGroup: g, name: c, kubernetesVersion: 1.34.4, pools: [{ name: a }] }]";
        let mut world = World::new(&Scenario::parse(yaml).unwrap());
        let key = world.view()[0].id.to_lowercase();
        let key = ClusterKey(key);
        let mut tags = Vec::new();
        let mut look = |world: &mut World| {
            let body =
                world.call(Timestamp::UNIX_EPOCH, "me", Call::GetCluster { cluster: key.clone() }).body;
            tags.push(body["eTag"].clone());
            let properties = &body["properties"];
            let code = |value: &Value| value["powerState"]["code"].as_str().unwrap().to_owned();
            (code(properties), code(&properties["agentPoolProfiles"][0]))
        };
        assert_eq!(look(&mut world), ("Running".into(), "Running".into()));
        world.set_power(&key, None, false).unwrap();
        assert_eq!(look(&mut world), ("Stopped".into(), "Stopped".into()));
        world.set_power(&key, None, true).unwrap();
        world.set_power(&key, Some("a"), false).unwrap();
        assert_eq!(look(&mut world), ("Running".into(), "Stopped".into()));
        tags.dedup();
        assert_eq!(tags.len(), 3, "each change has an eTag of its own");

        assert_eq!(world.set_power(&key, Some("b"), true), Err(PowerError::NoPool("b".into())));
        world.set_power(&key, Some("a"), true).unwrap();
        let image = Call::UpgradeNodeImage { pool: PoolKey { cluster: key.clone(), name: "a".into() } };
        world.call(Timestamp::UNIX_EPOCH, "me", image);
        assert_eq!(world.set_power(&key, None, false), Err(PowerError::Busy));
    }
}
