//! What a seed draws of the waves of a plan.

use engine::{RequestedWave, Share};

use super::{Draw, HOUR, MINUTE, UpgradeCase};
use crate::exploration::{happening::Happening, plan::Waves};

impl Draw {
    /// Up to three waves over all clusters; somebody may suspend the plan.
    pub(super) fn waves(&mut self, upgrades: &[UpgradeCase]) -> Waves {
        if self.chance(0.33) {
            let (from, until) = self.span(MINUTE, 4 * HOUR);
            self.happens(from, Happening::SuspendPlan { suspend: true });
            self.happens(until, Happening::SuspendPlan { suspend: false });
        }
        let number = self.dice.usize(1..=upgrades.len().min(3));
        let mut waves: Waves = (0..number)
            .map(|index| {
                let number = self.chance(0.5);
                let max_concurrent = if number {
                    Share::Number(self.dice.u32(1..=3))
                } else {
                    Share::Percent(self.dice.u32(1..=100))
                };
                (
                    RequestedWave { name: format!("wave{index}"), max_concurrent, order: Vec::new() },
                    Vec::new(),
                )
            })
            .collect();
        for (index, upgrade) in upgrades.iter().enumerate() {
            // None is empty: a wave without clusters is refused when planning.
            let wave = if index < number { index } else { self.dice.usize(0..number) };
            waves[wave].1.push(upgrade.name.clone());
        }
        waves
    }
}
