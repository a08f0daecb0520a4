//! What a seed draws of what goes on within clusters.

use std::time::Duration;

use jiff::Timestamp;

use super::{Draw, HOUR, MINUTE};
use crate::exploration::workloads::{Blemish, BlemishKind, Surroundings, Truth};

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
        let mut blemishes = Vec::new();
        for (name, kind) in [
            ("a node that somebody has cordoned", BlemishKind::Cordoned),
            ("a node that is not Ready", BlemishKind::NotReady),
            ("a node with an old image", BlemishKind::OldImage),
            ("a node with an old kubelet", BlemishKind::OldKubelet),
            ("a node that is not there", BlemishKind::Missing),
        ] {
            if self.is_drawn(name, 0.15) {
                let pool = self.one_of(pools).clone();
                let (from, until) = self.span(HOUR / 4, 6 * HOUR);
                blemishes.push(Blemish { pool, kind, from, until });
            }
        }
        Surroundings { workloads, outages, budgets_allow_from, blemishes }
    }
}
