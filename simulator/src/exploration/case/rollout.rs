//! What a seed draws of the waves of a plan.

use engine::{ApprovalPolicy, RequestedWave, Share};

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
                let wave = RequestedWave {
                    name: format!("wave{index}"),
                    max_concurrent,
                    failure_budget: self.failure_budget(),
                    approvals: self.approvals(index),
                    order: Vec::new(),
                };
                (wave, Vec::new())
            })
            .collect();
        if self.chance(0.3) {
            let at = self.when();
            self.happens(at, Happening::RetryPlan);
        }
        for (index, upgrade) in upgrades.iter().enumerate() {
            // None is empty: a wave without clusters is refused when planning.
            let wave = if index < number { index } else { self.dice.usize(0..number) };
            waves[wave].1.push(upgrade.name.clone());
        }
        waves
    }

    fn failure_budget(&mut self) -> Share {
        match self.is_drawn("a failure budget", 0.4) {
            true if self.chance(0.5) => Share::Number(self.dice.u32(1..=2)),
            true => Share::Percent(self.dice.u32(10..=100)),
            false => Share::Number(0),
        }
    }

    /// What a wave needs, and who approves it before it is calm; then somebody sees to the rest.
    fn approvals(&mut self, wave: usize) -> Option<ApprovalPolicy> {
        if !self.is_drawn("a wave that needs approvals", 0.25) {
            return None;
        }
        for _ in 0..self.dice.usize(0..=3) {
            let (at, approver) =
                (self.when(), *self.one_of(&["ann", "bea", crate::exploration::plan::AUTHOR]));
            self.happens(at, Happening::Approve { wave, approver });
        }
        let expire_after = self.chance(0.5).then(|| self.seconds(HOUR / 2, 6 * HOUR));
        Some(ApprovalPolicy { required: self.dice.u32(1..=2), expire_after, separate_author: true })
    }
}
