//! What a seed draws of processes that die, of people who change what they want, and of others who act
//! on clusters.

use engine::Setting;
use jiff::SignedDuration;

use super::{Draw, HOUR, UpgradeCase, way::TOO_OLD};
use crate::{
    exploration::happening::{Deed, Edit, Happening},
    scenario::{QuirkName, Scenario},
};

/// Settings that nobody here overrides with such a value: so it can be told whose they are.
const THEIRS: [(Setting, &str); 3] = [
    (Setting::MaxSurge, "3"),
    (Setting::DrainTimeoutInMinutes, "17"),
    (Setting::NodeSoakDurationInMinutes, "3"),
];

impl Draw {
    pub(super) fn processes(&mut self, replicas: usize) {
        self.happens(self.start, Happening::LeaseFree);
        for _ in 0..self.dice.usize(0..=12) {
            let (replica, happening) = self.of_process(replicas);
            let at = self.when();
            // Between the record of an intent and its deed is where it matters most.
            let after_write = self.chance(0.5);
            let then = Box::new(happening.clone());
            let happening = if after_write { Happening::AfterNextWrite { replica, then } } else { happening };
            self.happens(at, happening);
        }
        if self.is_drawn("no process runs after a change", 0.3) {
            let (at, replica) = (self.when(), self.dice.usize(0..replicas));
            let then = Box::new(Happening::Outage { length: self.seconds(600, 4 * HOUR) });
            self.happens(at, Happening::AfterNextChange { replica, then });
        }
        if self.chance(0.3) {
            let to = SignedDuration::from_secs(self.dice.i64(-600..600));
            let replica = self.dice.usize(0..replicas);
            self.happens(self.start, Happening::ClockJump { replica, to });
        }
        for replica in 0..replicas {
            // Clocks are set right in the end.
            self.happens(self.calm_from(), Happening::ClockJump { replica, to: SignedDuration::ZERO });
        }
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

    /// What people change of their own upgrade.
    pub(super) fn people(&mut self, index: usize, upgrade: &UpgradeCase, planned: bool) {
        if self.chance(0.3) {
            let at = self.when();
            self.happens(at, Happening::Suspend { upgrade: index });
        }
        if self.chance(0.2) {
            let at = self.when();
            self.happens(at, Happening::Retry { upgrade: index });
        }
        if self.chance(0.3) {
            let (at, edit) = (self.when(), self.edit(upgrade));
            self.happens(at, Happening::Edit { upgrade: index, edit });
        }
        if self.chance(0.15) {
            let (from, until) = self.span(HOUR / 4, 6 * HOUR);
            for (at, other) in [(from, Some("by-hand".to_owned())), (until, None)] {
                self.happens(at, Happening::Edit { upgrade: index, edit: Edit::OtherUpgrade(other) });
            }
        }
        // A plan makes again what is deleted of it: that is another story.
        if !planned && self.chance(0.25) {
            let at = self.when();
            self.happens(at, Happening::Delete { upgrade: index });
        }
    }

    /// Another policy: never one that asks for less of what has been done meanwhile.
    fn edit(&mut self, upgrade: &UpgradeCase) -> Edit {
        let policy = &upgrade.request.policy;
        match self.dice.usize(0..5) {
            0 => Edit::Retries(policy.retries + self.dice.u32(1..=3)),
            1 => Edit::Soak(policy.soak / 2),
            2 => Edit::Order(policy.order.iter().rev().cloned().collect()),
            3 => Edit::StepTimeout(self.seconds(HOUR / 4, 6 * HOUR)),
            _ => Edit::UpgradeSettings(self.upgrade_settings(false)),
        }
    }

    /// Others who change clusters.
    pub(super) fn somebody(&mut self, upgrade: &UpgradeCase, scenario: &Scenario) {
        for number in 0..self.dice.usize(0..=4) {
            let Some(deed) = self.deed(upgrade, scenario, number) else { continue };
            let cluster = upgrade.key.clone();
            // Without eTags nobody can tell that somebody else was faster.
            let can_be_told = scenario.quirks.iter().all(|rule| rule.quirk != QuirkName::MissingETags);
            let at = self.when();
            let happening = match self.dice.usize(0..4) {
                _ if deed.is_small() && !can_be_told => continue,
                0..=2 if deed.is_small() => Happening::Overtake { cluster, deed },
                0 | 1 => Happening::Ambush { cluster, deed },
                _ => Happening::Somebody { cluster, deed },
            };
            self.happens(at, happening);
        }
    }

    fn deed(&mut self, upgrade: &UpgradeCase, scenario: &Scenario, number: usize) -> Option<Deed> {
        let spec = scenario.clusters.iter().find(|cluster| cluster.key() == upgrade.key)?;
        let pool = self.one_of(&spec.pools).name.clone();
        let value = format!("team-{}", self.dice.u32(0..1000));
        // Not further than wanted: what is beyond is not ours to go to.
        let to = upgrade.arrival.target.clone().filter(|_| upgrade.request.scope.has_control_plane());
        let on_the_way = |at: &str| {
            let region = scenario.regions.get(&spec.location).cloned().unwrap_or_default();
            let (from, to) = (spec.kubernetes_version.as_str(), to.as_deref().unwrap_or(at));
            let between = |version: &String| from < version.as_str() && version.as_str() < to;
            region.versions().into_iter().filter(|found| !found.lts).map(|found| found.version).find(between)
        };
        let halfway = to.as_deref().and_then(on_the_way);
        let is_whole_only = spec.kubernetes_version == TOO_OLD[0];
        Some(match (self.dice.usize(0..16), to) {
            // Not solved: see `Draw::is_off`.
            (5 | 6, _) if is_whole_only => return None,
            (0, Some(to)) => Deed::UpgradeControlPlane { to },
            (1, Some(_)) => Deed::UpgradeControlPlane { to: halfway? },
            (2, Some(to)) => Deed::UpgradePool { pool, to },
            (3, Some(_)) => Deed::UpgradePool { pool, to: halfway? },
            (4, _) => Deed::RefreshImage { pool },
            (5, _) => Deed::Abort { pool: Some(pool) },
            (6, _) => Deed::Abort { pool: None },
            (7, _) => {
                let (setting, value) = THEIRS[self.dice.usize(0..THEIRS.len())];
                Deed::Settings { pool, setting, value: value.to_owned() }
            }
            (8, _) => Deed::DeletePool { pool: spec.pools.get(1)?.name.clone() },
            (9, _) => Deed::AddPool { pool: format!("extra{number}") },
            (10, _) => Deed::RollBack { pool },
            (11, _) => Deed::UpdateCluster,
            (12 | 13, _) => Deed::Label { pool, value },
            (_, _) => Deed::Tag { value },
        })
    }
}
