//! What a seed draws of what goes on within clusters.

use std::time::Duration;

use jiff::Timestamp;

use super::{Draw, HOUR, MINUTE};
use crate::exploration::workloads::{Cordon, Surroundings, Truth};

impl Draw {
    pub(super) fn surroundings(
        &mut self,
        pools: &[String],
        budgets_allow_from: Option<Timestamp>,
    ) -> Surroundings {
        let workloads = (0..self.dice.usize(1..=3)).map(|number| {
            let late = self.chance(0.2);
            let created_at = if late { self.when() } else { self.start - Duration::from_secs(30 * HOUR) };
            let broken = (0..self.dice.usize(0..=2)).map(|_| self.span(MINUTE, 2 * HOUR));
            Truth { name: format!("app{number}"), created_at, broken: broken.collect() }
        });
        let workloads = workloads.collect();
        let outages = (0..self.dice.usize(0..=2)).map(|_| self.span(MINUTE, HOUR)).collect();
        let mut cordons = Vec::new();
        if self.is_drawn("a node that somebody has cordoned", 0.25) {
            let pool = self.one_of(pools).clone();
            let (from, until) = self.span(HOUR / 2, 12 * HOUR);
            cordons.push(Cordon { pool, from, until });
        }
        Surroundings { workloads, outages, budgets_allow_from, cordons }
    }
}
