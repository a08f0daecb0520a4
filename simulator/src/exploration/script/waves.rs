//! The plan of a script: waves as they are written in an UpgradePlan.

use crds::{WaveSpec, budget_of, share_of};
use engine::RequestedWave;
use serde_json::Value;

use super::{ScriptError, check, invalid};
use crate::exploration::{case::UpgradeCase, plan::Waves};

/// The waves; none when the upgrades are there from the start.
pub(super) fn waves(written: Vec<Value>, upgrades: &[UpgradeCase]) -> Result<Option<Waves>, ScriptError> {
    let names: Vec<String> = upgrades.iter().map(|upgrade| upgrade.name.clone()).collect();
    let mut waves = Waves::new();
    for (index, written) in written.into_iter().enumerate() {
        let field = format!("waves[{index}]");
        let wave: WaveSpec = check::read(&field, written)?;
        let share = share_of(&wave, index).map_err(|error| invalid(&field, error.to_string()))?;
        let failure_budget = budget_of(&wave, index).map_err(|error| invalid(&field, error.to_string()))?;
        if wave.approvals.is_some() {
            let problem = "are not for scripts; give the wave none";
            return Err(invalid(format!("{field}.approvals"), problem));
        }
        if wave.soak.is_some() {
            let problem = "is not for scripts; give policy.soak to the upgrades of the wave";
            return Err(invalid(format!("{field}.soak"), problem));
        }
        let order = wave.clusters.names.unwrap_or_default();
        if order.is_empty() {
            return Err(invalid(
                format!("{field}.clusters.names"),
                "is empty; name the clusters of the wave",
            ));
        }
        for name in &order {
            check::place_of(&format!("{field}.clusters.names"), name, &names)?;
            if waves.iter().any(|(_, clusters)| clusters.contains(name)) {
                let problem = format!("{name} is in a wave before; a cluster is in one wave");
                return Err(invalid(format!("{field}.clusters.names"), problem));
            }
        }
        let clusters = order.clone();
        let asked =
            RequestedWave { name: wave.name, max_concurrent: share, failure_budget, approvals: None, order };
        waves.push((asked, clusters));
    }
    let in_a_wave = |name: &&String| waves.iter().any(|(_, clusters)| clusters.contains(name));
    match names.iter().find(|name| !in_a_wave(name)) {
        _ if waves.is_empty() => Ok(None),
        None => Ok(Some(waves)),
        Some(name) => Err(invalid("waves", format!("have no place for {name}, which has an upgrade"))),
    }
}
