//! What a seed draws of processes that die and of who else acts.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{Draw, UpgradeCase};
use crate::exploration::happening::{Deed, Happening};

impl Draw {
    pub(super) fn happenings(
        &mut self,
        replicas: usize,
        upgrades: &[UpgradeCase],
        chaos: Duration,
    ) -> Vec<(Timestamp, Happening)> {
        let mut happenings = vec![(self.start, Happening::LeaseFree)];
        for _ in 0..self.dice.usize(0..=12) {
            let (replica, happening) = self.of_process(replicas);
            let at = self.when(chaos);
            // Between the record of an intent and its deed is where it matters most.
            let after_write = self.settings.bool();
            let then = Box::new(happening.clone());
            let happening = if after_write { Happening::AfterNextWrite { replica, then } } else { happening };
            happenings.push((at, happening));
        }
        if self.chance(0.3) {
            let error = SignedDuration::from_secs(self.dice.i64(-600..600));
            let replica = self.dice.usize(0..replicas);
            happenings.push((self.start, Happening::ClockJump { replica, to: error }));
        }
        for (index, upgrade) in upgrades.iter().enumerate() {
            if self.chance(0.3) {
                happenings.push((self.when(chaos), Happening::Suspend { upgrade: index }));
            }
            if self.chance(0.2) {
                happenings.push((self.when(chaos), Happening::Retry { upgrade: index }));
            }
            for _ in 0..self.dice.usize(0..=3) {
                let happening = self.of_somebody(upgrade);
                happenings.push((self.when(chaos), happening));
            }
        }
        for replica in 0..replicas {
            // Clocks are set right in the end.
            let to = SignedDuration::ZERO;
            happenings.push((self.start + chaos, Happening::ClockJump { replica, to }));
        }
        happenings.sort_by_key(|(at, _)| *at);
        happenings
    }

    fn of_process(&mut self, replicas: usize) -> (usize, Happening) {
        let replica = self.dice.usize(0..replicas);
        let happening = match self.dice.usize(0..10) {
            0..=4 => Happening::Crash { replica, back_after: self.seconds(1, 120) },
            5 | 6 => Happening::Freeze { replica, length: self.seconds(1, 1800) },
            7 => Happening::CutOff { replica, length: self.seconds(1, 1800) },
            8 => Happening::Delude { replica, length: self.seconds(1, 300) },
            _ => Happening::ClockJump { replica, to: SignedDuration::from_secs(self.dice.i64(-3600..3600)) },
        };
        (replica, happening)
    }

    fn of_somebody(&mut self, upgrade: &UpgradeCase) -> Happening {
        let cluster = upgrade.key.clone();
        let pool = self.one_of(&upgrade.pools).clone();
        let value = format!("team-{}", self.dice.u32(0..1000));
        // Not further than wanted: what is beyond is not ours to go to.
        let to = upgrade.target.clone();
        let deed = match (self.dice.usize(0..8), to) {
            (0, Some(to)) => Deed::UpgradeControlPlane { to },
            (1, Some(to)) => Deed::UpgradePool { pool, to },
            (2, _) => Deed::RefreshImage { pool },
            (3, _) => Deed::Abort { pool: Some(pool) },
            (4, _) => Deed::Abort { pool: None },
            (5, _) => Deed::Label { pool, value },
            (_, _) => Deed::Tag { value },
        };
        if self.chance(0.5) {
            Happening::Ambush { cluster, deed }
        } else {
            Happening::Somebody { cluster, deed }
        }
    }
}
