//! What reached the simulator, in words short enough to compare.

use simulator::{LogEntry, Simulator};

use super::Stage;

impl Stage {
    /// The changes of a cluster that were asked for so far, in order, for example `PUT cluster`,
    /// `PUT pool system`, `POST pool win upgradeNodeImageVersion`. One that was refused ends with
    /// its status.
    pub fn mutations(&self, cluster: &str) -> Vec<String> {
        mutations(&self.simulator, self.resource_id(cluster))
    }
}

/// As [`Stage::mutations`], of the cluster with this ARM id.
pub(super) fn mutations(simulator: &Simulator, id: &str) -> Vec<String> {
    let prefix = id.to_lowercase();
    let log = simulator.log();
    log.iter().filter(|entry| entry.mutation).filter_map(|entry| words(entry, &prefix)).collect()
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
