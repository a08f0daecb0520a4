//! The machines of a pool, as the management plane shows them.

use serde_json::{Value, json};

use crate::world::{
    World,
    call::{Answer, PoolKey, Refusal},
    resources::{
        cluster::Cluster,
        pool::{Pool, WorldNode},
    },
};

/// Addresses of machines begin after those that Azure keeps in each subnet.
const FIRST_ADDRESS: u64 = 4;

impl World {
    pub(in crate::world) fn list_machines(&self, key: &PoolKey) -> Result<Answer, Refusal> {
        let (cluster, pool) = self.pool(key)?;
        let mut nodes = pool.nodes.values().filter(|node| node.ready).collect::<Vec<_>>();
        nodes.sort_by_key(|node| node.index);
        let machines = nodes.into_iter().map(|node| render(cluster, pool, node, &node.name));
        Ok(Answer::new(200, json!({ "value": machines.collect::<Vec<_>>() })))
    }

    pub(in crate::world) fn get_machine(&self, key: &PoolKey, name: &str) -> Result<Answer, Refusal> {
        let (cluster, pool) = self.pool(key)?;
        let mut nodes = pool.nodes.values().filter(|node| node.ready);
        let node = nodes.find(|node| node.name.eq_ignore_ascii_case(name)).ok_or_else(|| {
            Refusal::not_found("GetMachine_NotFound_HCPServerError", "Machine", "The entity was not found.")
        })?;
        // The name is in the id twice when one machine is asked for (recorded).
        let twice = format!("{}/{}", node.name, node.name);
        Ok(Answer::new(200, render(cluster, pool, node, &twice)))
    }
}

fn render(cluster: &Cluster, pool: &Pool, node: &WorldNode, last: &str) -> Value {
    let rendered = pool.render_node(&node.name, &node.kubernetes_version, &node.node_image);
    let resource = rendered.provider_id.trim_start_matches("azure://");
    let cluster_id = cluster.place().id_of_children();
    let mut machine = json!({
        "id": format!("{cluster_id}/agentPools/{}/machines/{last}", pool.name),
        "name": node.name,
        "type": "Microsoft.ContainerService/managedClusters/agentPools/machines",
        "properties": {
            "network": { "ipAddresses": [{ "ip": address(cluster, pool, node), "family": "IPv4" }] },
            "resourceId": resource,
        },
    });
    let zones = pool.properties.get("availabilityZones").and_then(Value::as_array);
    if let Some(zones) = zones.filter(|zones| !zones.is_empty()) {
        let turn = usize::try_from(node.index).unwrap_or_default() % zones.len();
        machine["zones"] = json!([zones[turn]]);
    }
    machine
}

/// An address of the subnet; pools take turns, so that no two machines have the same.
fn address(cluster: &Cluster, pool: &Pool, node: &WorldNode) -> String {
    let pools = u64::try_from(cluster.pools.len().max(1)).unwrap_or(1);
    let turn = cluster.pools.keys().position(|name| *name == pool.name).unwrap_or_default();
    let number = FIRST_ADDRESS + node.index * pools + u64::try_from(turn).unwrap_or_default();
    format!("10.224.{}.{}", number / 256 % 256, number % 256)
}
