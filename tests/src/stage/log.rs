//! What reached the simulator, in words short enough to compare.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use jiff::Timestamp;
use simulator::{LogEntry, Simulator, world::OperationView};

use super::Stage;

impl Stage {
    /// The changes of a cluster that were asked for so far, in order, for example `PUT cluster`,
    /// `PUT pool system`, `POST pool win upgradeNodeImageVersion`. One that was refused ends with
    /// its status.
    pub fn mutations(&self, cluster: &str) -> Vec<String> {
        mutations(&self.simulator, self.resource_id(cluster))
    }

    /// The same, with the simulated instant of each.
    pub fn dated_mutations(&self, cluster: &str) -> Vec<(Timestamp, String)> {
        let prefix = self.resource_id(cluster).to_lowercase();
        let log = self.simulator.log();
        let mutations = log.iter().filter(|entry| entry.mutation);
        mutations.filter_map(|entry| Some((entry.simulated, words(entry, &prefix)?))).collect()
    }
}

/// As [`Stage::mutations`], of the cluster with this ARM id.
pub(super) fn mutations(simulator: &Simulator, id: &str) -> Vec<String> {
    let prefix = id.to_lowercase();
    let log = simulator.log();
    log.iter().filter(|entry| entry.mutation).filter_map(|entry| words(entry, &prefix)).collect()
}

/// Sees that no two operations of a cluster were under way at once.
///
/// # Errors
/// Naming the operation that began too early.
pub(super) async fn one_at_a_time(simulator: &Simulator) -> Result<()> {
    let operations = simulator.operations().await?;
    let operations: BTreeMap<_, _> = operations.iter().map(|operation| (&operation.id, operation)).collect();
    let mut last: BTreeMap<String, &OperationView> = BTreeMap::new();
    for entry in simulator.log().iter().filter(|entry| entry.accepted) {
        let Some(operation) = entry.operation.as_ref().and_then(|id| operations.get(id)) else { continue };
        let path = entry.path.to_lowercase();
        let (above, below) = path.split_once("/managedclusters/").context("operations belong to clusters")?;
        let cluster = format!("{above}/{}", below.split('/').next().unwrap_or_default());
        if let Some(before) = last.insert(cluster, operation) {
            let is_over = before.ended.is_some_and(|ended| ended <= operation.started);
            ensure!(is_over, "{path}: {operation:?} began before {before:?} was over");
        }
    }
    Ok(())
}

fn words(entry: &LogEntry, prefix: &str) -> Option<String> {
    let rest = entry.path.to_lowercase().strip_prefix(prefix)?.trim_matches('/').to_owned();
    let rest = entry.path.get(entry.path.len() - rest.len()..)?;
    let what = match rest.split('/').collect::<Vec<_>>()[..] {
        [""] => "cluster".to_owned(),
        ["agentPools", pool] => format!("pool {pool}"),
        ["agentPools", pool, verb] => format!("pool {pool} {verb}"),
        _ => rest.to_owned(),
    };
    let refused = if entry.accepted { String::new() } else { format!(" ({})", entry.status) };
    Some(format!("{} {what}{refused}", entry.method))
}
