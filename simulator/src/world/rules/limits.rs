//! How much there may be of something: nodes in a pool and a cluster, virtual CPUs in a region.

use semver::Version;
use serde_json::Value;

use super::invalid_parameter;
use crate::world::{
    call::Refusal,
    resources::{cluster::Cluster, pool::Pool},
};

/// Nodes that a scale set holds, surge nodes included ("Configure rolling upgrades").
const NODES_IN_POOL: usize = 1000;

/// Nodes of a cluster ("Limits for resources, SKUs, and regions").
const NODES_IN_CLUSTER: usize = 5000;

/// Pools of a cluster (the same page; the code of the refusal is inferred).
const POOLS_IN_CLUSTER: usize = 100;

/// From this minor on AKS falls back to one surge node when the quota has no room for more.
const FALLBACK_SINCE: u64 = 35;

/// What the quota of a subscription in a region has left.
#[derive(Clone, Debug)]
pub(crate) struct QuotaLeft {
    pub(crate) vcpus: u32,
    pub(crate) location: String,
}

/// Whether the cluster may have one more pool.
pub(crate) fn check_pool_number(cluster: &Cluster) -> Result<(), Refusal> {
    if cluster.pools.len() < POOLS_IN_CLUSTER {
        return Ok(());
    }
    let details = format!("a cluster can have {POOLS_IN_CLUSTER} agent pools, and this one has as many");
    Err(invalid_parameter("agentPoolProfiles", &details))
}

/// Whether a cluster whose nodes are still to be made may have them all.
pub(crate) fn check_planned(cluster: &Cluster, quota: Option<&QuotaLeft>) -> Result<(), Refusal> {
    let mut left = quota.cloned();
    let mut total = 0;
    for pool in cluster.pools.values() {
        let count = pool.properties.get("count").and_then(Value::as_u64).unwrap_or_default();
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        check_node_count(cluster, pool, count, left.as_ref())?;
        total += count;
        if let Some(left) = &mut left {
            left.vcpus = left.vcpus.saturating_sub(all_vcpus(pool, count));
        }
    }
    check_total(total)
}

/// Whether the pool may have so many nodes.
pub(crate) fn check_node_count(
    cluster: &Cluster,
    pool: &Pool,
    count: usize,
    quota: Option<&QuotaLeft>,
) -> Result<(), Refusal> {
    if count > NODES_IN_POOL {
        let details = format!("{count} nodes are more than the {NODES_IN_POOL} that an agent pool can have");
        return Err(invalid_parameter("agentPoolProfile.count", &details));
    }
    let others = cluster.pools.values().filter(|other| other.name != pool.name);
    let total = count + others.map(|other| other.members().len()).sum::<usize>();
    check_total(total)?;
    let Some(quota) = quota else {
        return Ok(());
    };
    let asked = all_vcpus(pool, count.saturating_sub(pool.members().len()));
    if asked > quota.vcpus { Err(exceeds(pool, asked, quota)) } else { Ok(()) }
}

fn check_total(nodes: usize) -> Result<(), Refusal> {
    if nodes <= NODES_IN_CLUSTER {
        return Ok(());
    }
    let details = format!("{nodes} nodes are more than the {NODES_IN_CLUSTER} that a cluster can have");
    Err(invalid_parameter("agentPoolProfile.count", &details))
}

/// The virtual CPUs of so many nodes of a pool.
fn all_vcpus(pool: &Pool, nodes: usize) -> u32 {
    vcpus(pool.text("vmSize")).saturating_mul(u32::try_from(nodes).unwrap_or(u32::MAX))
}

/// How many surge nodes there may be: all that are wanted when nothing is said.
///
/// Without room for a single one an upgrade is refused, unless the pool allows nodes to be
/// unavailable instead.
pub(crate) fn surge_within_quota(
    pool: &Pool,
    target: &Version,
    quota: Option<&QuotaLeft>,
) -> Result<Option<usize>, Refusal> {
    let nodes = pool.members().len();
    let wanted = pool.amount("maxSurge").unwrap_or(1).min(nodes);
    if nodes + wanted > NODES_IN_POOL {
        let details = format!(
            "{nodes} nodes and {wanted} surge nodes are more than the {NODES_IN_POOL} that an agent pool can have"
        );
        return Err(invalid_parameter("agentPoolProfile.upgrade.maxSurge", &details));
    }
    let Some(quota) = quota else {
        return Ok(None);
    };
    let each = vcpus(pool.text("vmSize"));
    let asked = all_vcpus(pool, wanted);
    if asked <= quota.vcpus {
        Ok(None)
    } else if target.minor >= FALLBACK_SINCE && each <= quota.vcpus {
        Ok(Some(1))
    } else if pool.amount("maxUnavailable").unwrap_or(0) > 0 {
        Ok(Some(0))
    } else {
        Err(exceeds(pool, asked, quota))
    }
}

fn exceeds(pool: &Pool, asked: u32, quota: &QuotaLeft) -> Refusal {
    let QuotaLeft { vcpus, location } = quota;
    Refusal::bad_request(
        "ErrCode_InsufficientVCPUQuota",
        format!(
            "Insufficient vcpu quota requested {asked}, remaining {vcpus} for family {} for region {location}. Surge \
             nodes would also consume vcpu quota.",
            family(pool.text("vmSize"))
        ),
    )
}

/// The virtual CPUs of a size: the first number in its name, as in `Standard_D4s_v5`.
pub(crate) fn vcpus(vm_size: &str) -> u32 {
    let name = vm_size.split('_').nth(1).unwrap_or_default();
    let digits = name.trim_start_matches(|c: char| !c.is_ascii_digit());
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits.get(..end).and_then(|digits| digits.parse().ok()).unwrap_or(1)
}

/// The family of a size as quotas name it: `standardDSv5Family`.
fn family(vm_size: &str) -> String {
    let mut parts = vm_size.split('_').skip(1);
    let name = parts.next().unwrap_or_default();
    let letters = name.chars().filter(|c| !c.is_ascii_digit()).collect::<String>().to_uppercase();
    format!("standard{letters}{}Family", parts.next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_name_their_processors_and_families() {
        let table = [
            ("Standard_D4s_v5", 4, "standardDSv5Family"),
            ("Standard_DS2_v2", 2, "standardDSv2Family"),
            ("Standard_D16ds_v5", 16, "standardDDSv5Family"),
            ("Standard_B2ms", 2, "standardBMSFamily"),
        ];
        for (size, cpus, name) in table {
            assert_eq!((vcpus(size), family(size).as_str()), (cpus, name), "{size}");
        }
    }
}
