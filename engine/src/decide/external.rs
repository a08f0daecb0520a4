//! Versions that moved although no step of ours moved them.

use crate::{
    cluster::{Cluster, NodePool, Power},
    ledger::{Expected, Ledger},
    planted::{PlantedBug, planted},
    policy::Policy,
    step::Step,
};

/// The versions that only this upgrade may move. Azure moves provisioned nodes after the control plane,
/// and stopped pools when somebody starts them.
pub(super) fn versions_of(cluster: &Cluster, policy: &Policy) -> Expected {
    let ours = |pool: &&NodePool| {
        policy.excluded(pool).is_none() && !pool.is_managed_by_azure() && pool.power == Power::Running
    };
    let pools = cluster.pools.iter().filter(ours);
    Expected {
        control_plane: cluster.version.clone(),
        pools: pools.map(|pool| (pool.name.clone(), pool.version.clone())).collect(),
    }
}

/// What a person does about a change that was not ours.
pub(super) const EXTERNAL_ADVICE: &str =
    "find out who changed it, then retry (annotation tidegate.dev/retry) to go on from here";

/// What moved although no step of ours moved it. What the step in flight changes is its own affair.
pub(super) fn external_change(
    ledger: &Ledger,
    cluster: &Cluster,
    in_flight: Option<&Step>,
) -> Option<String> {
    let expected = ledger.expected.as_ref().filter(|_| !planted(PlantedBug::IgnoreExternalChange))?;
    let (advice, is_own) =
        (EXTERNAL_ADVICE, |pool| in_flight.is_some_and(|step| step.pool.as_deref() == pool));
    if cluster.version != expected.control_plane && !is_own(None) {
        let (was, is) = (&expected.control_plane, &cluster.version);
        return Some(format!("the control plane went from {was} to {is}, and not by this upgrade: {advice}"));
    }
    cluster.pools.iter().filter(|pool| !is_own(Some(&pool.name))).find_map(|pool| {
        let was = expected.pools.get(&pool.name)?;
        let (name, is) = (&pool.name, &pool.version);
        (was != is).then(|| format!("pool {name} went from {was} to {is}, and not by this upgrade: {advice}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::cluster;

    #[test]
    fn versions_that_azure_moves_by_itself_are_not_accounted_for() {
        let mut cluster = cluster("1.34.4");
        cluster.pools[0].mode = "Machines".to_owned();
        cluster.pools[1].power = Power::Stopped;
        let expected = versions_of(&cluster, &Policy::default());
        assert_eq!(expected.pools.keys().collect::<Vec<_>>(), ["system", "win1"]);
    }
}
