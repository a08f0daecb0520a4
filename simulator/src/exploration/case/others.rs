//! What a seed draws of processes that die, of people who change what they want, and of others who act
//! on clusters.

use std::time::Duration;

use engine::{Scope, Setting};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::{Draw, HOUR, UpgradeCase, clusters::DrawnPool, request::Scoped, way::TOO_OLD};
use crate::{
    effects::ClusterKey,
    exploration::happening::{Ask, AzureChange, Deed, Edit, Happening},
    scenario::{QuirkName, Scenario},
};

/// Settings that nobody here overrides with such a value: so it can be told whose they are.
const THEIRS: [(Setting, &str); 3] = [
    (Setting::MaxSurge, "3"),
    (Setting::DrainTimeoutInMinutes, "17"),
    (Setting::NodeSoakDurationInMinutes, "3"),
];

/// For how long Azure takes a pool back.
const A_WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

impl Draw {
    pub(super) fn processes(&mut self, replicas: usize) {
        self.happens(self.start, Happening::LeaseFree);
        for _ in 0..self.dice.usize(0..=12) {
            let at = self.when();
            if self.chance(0.25) {
                self.after_claim(at, replicas);
                continue;
            }
            let (replica, happening) = self.of_process(replicas);
            let after_write = self.chance(0.3);
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

    /// Between the record of an intent and its deed is where it matters most that a process ends, or that it
    /// goes on when another leads: whichever claims something then.
    fn after_claim(&mut self, at: Timestamp, replicas: usize) {
        for replica in 0..replicas {
            let then = if self.chance(0.4) {
                Happening::Crash { replica, back_after: self.seconds(1, 120) }
            } else {
                Happening::Freeze { replica, length: self.seconds(1, 120) }
            };
            let pause = Duration::from_millis(self.dice.u64(0..1500));
            self.happens(at, Happening::AfterNextClaim { replica, pause, then: Box::new(then) });
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
        self.asks(index, upgrade);
        if self.is_drawn("a rollback that comes too late", 0.07)
            && let Some(pool) = upgrade.arrival.renewed.iter().next()
        {
            let at = self.when();
            let until = at + A_WEEK + Duration::from_secs(HOUR);
            self.happens(at, Happening::Hold { upgrade: index, until: until + Duration::from_secs(HOUR) });
            let ask = Ask::RollBack { pool: pool.clone(), times: 0 };
            self.happens(until, Happening::Ask { upgrade: index, ask, after: Duration::ZERO });
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

    /// What people ask for besides to go on: also right after a record was written or Azure has taken something.
    fn asks(&mut self, index: usize, upgrade: &UpgradeCase) {
        let mut asks = Vec::new();
        if self.chance(0.12) {
            asks.push(Ask::Skip);
        }
        if self.chance(0.35) {
            // Who is in a hurry asks twice, also while the first is being dealt with.
            let again = self.chance(0.6).then(|| Duration::from_millis(self.dice.u64(100..4000)));
            asks.extend([Ask::Abort { again }, Ask::Abort { again }]);
        }
        if self.is_drawn("an abort while the cluster is locked", 0.12) {
            self.abort_under_lock(index, upgrade);
        }
        if self.is_drawn("an abort of what others do", 0.12) {
            let after = self.seconds(5, 1800);
            self.happens(self.start, Happening::Ask { upgrade: index, ask: Ask::AbortOfOthers, after });
        }
        if self.chance(0.35)
            && let Some(pool) = upgrade.arrival.renewed.iter().next()
        {
            asks.push(Ask::RollBack { pool: pool.clone(), times: self.dice.u32(0..30) });
            if self.is_drawn("a rollback that Azure refuses", 0.3) {
                self.refused_rollback(upgrade, pool);
            }
        }
        for ask in asks {
            let (at, replica) = (self.when(), self.dice.usize(0..2));
            let after = if self.chance(0.4) { Duration::ZERO } else { self.seconds(1, 900) };
            let ask = Happening::Ask { upgrade: index, ask, after };
            let then = Box::new(ask.clone());
            let happening = match self.dice.usize(0..3) {
                0 => ask,
                1 => Happening::AfterNextWrite { replica, then },
                _ => Happening::AfterNextChange { replica, then },
            };
            self.happens(at, happening);
        }
    }

    /// What a pool had is not to be had any more, although Azure lists it.
    fn refused_rollback(&mut self, upgrade: &UpgradeCase, pool: &str) {
        let refuse = json!({"pool": pool, "upgrade": 2, "refuse": {"status": 400,
            "code": "BadRequest", "message": "The version is not to be had in this region any more."}});
        let fault = serde_json::from_value(refuse).expect("a fault");
        let change = AzureChange::Fault { cluster: upgrade.key.clone(), fault: Box::new(fault) };
        self.happens(self.start, Happening::Azure(change));
    }

    /// Somebody locks the cluster while Azure works on it, and somebody else wants that aborted.
    fn abort_under_lock(&mut self, index: usize, upgrade: &UpgradeCase) {
        let (_, until) = self.span(HOUR / 2, 4 * HOUR);
        let cluster = upgrade.key.clone();
        let after = self.seconds(5, 1800);
        self.happens(self.start, Happening::Ask { upgrade: index, ask: Ask::AbortUnderLock, after });
        // Also if something runs only later: nobody locks anything for good.
        for until in [until, self.calm_from()] {
            let unlock = AzureChange::Lock { cluster: cluster.clone(), locked: false };
            self.happens(until, Happening::Azure(unlock));
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

    /// Somebody deletes a cluster in the middle of it all.
    pub(super) fn deletion(&mut self, upgrades: &[UpgradeCase]) {
        if self.is_drawn("a cluster that is deleted", 0.06) {
            let (at, cluster) = (self.when(), self.one_of(upgrades).key.clone());
            self.happens(at, Happening::Insistent { cluster, deed: Deed::DeleteCluster });
        }
    }

    /// Somebody upgrades a control plane, or a pool that is behind it, and another operation pushes that
    /// aside: Azure shows versions that do not run.
    pub(super) fn pushed_aside(&mut self, cluster: &ClusterKey, scoped: &Scoped, pools: &[DrawnPool]) {
        let Scoped { scope, way } = scoped;
        // Not solved where only the whole cluster goes on: see `Draw::is_off`.
        let is_off = way.too_old || *scope == Scope::NodeImage;
        if is_off || !self.is_drawn("an upgrade of somebody's that is pushed aside", 0.2) {
            return;
        }
        let behind = pools.iter().find(|pool| pool.version != way.start() && pool.is_whole());
        let deed = match behind.filter(|_| !scope.has_control_plane() || self.chance(0.5)) {
            Some(pool) => Deed::UpgradePool { pool: pool.name.clone(), to: way.start().to_owned() },
            None if !scope.has_control_plane() => return,
            // Not further than wanted: what is beyond is not ours to go to.
            None => Deed::UpgradeControlPlane { to: way.versions[way.from + 1].to_owned() },
        };
        // Before the upgrade begins, or in the middle of it.
        let at = if self.chance(0.5) { self.start } else { self.when() };
        self.happens(at, Happening::PushedAside { cluster: cluster.clone(), deed });
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
        Some(match (self.dice.usize(0..17), to) {
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
            (10 | 11, _) => Deed::RollBack { pool },
            (12, _) => Deed::UpdateCluster,
            (13 | 14, _) => Deed::Label { pool, value },
            (_, _) => Deed::Tag { value },
        })
    }
}
