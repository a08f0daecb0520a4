//! What a seed draws of the waves of a plan.

use engine::{RequestedWave, Share};
use fastrand::Rng;

use super::UpgradeCase;
use crate::exploration::plan::Waves;

/// Up to three waves over all clusters.
pub(super) fn waves(dice: &mut Rng, upgrades: &[UpgradeCase]) -> Waves {
    let number = dice.usize(1..=upgrades.len().min(3));
    let mut waves: Waves = (0..number)
        .map(|index| {
            let max_concurrent =
                if dice.bool() { Share::Number(dice.u32(1..=3)) } else { Share::Percent(dice.u32(1..=100)) };
            (RequestedWave { name: format!("wave{index}"), max_concurrent, order: Vec::new() }, Vec::new())
        })
        .collect();
    for (index, upgrade) in upgrades.iter().enumerate() {
        // None is empty: a wave without clusters is refused when planning.
        let wave = if index < number { index } else { dice.usize(0..number) };
        waves[wave].1.push(upgrade.name.clone());
    }
    waves
}
