//! What a seed draws of what is wanted of a cluster.

use std::{collections::BTreeSet, time::Duration};

use engine::{
    Channel, KubernetesRequest, NodeImagePolicy, OnGateFailure, OrderRule, Policy, PoolMatch, Request, Scope,
    Setting, Settings, VersionRequest,
};

use super::{
    Draw, HOUR,
    clusters::DrawnPool,
    way::{Way, minor},
};

/// What is to be changed, and from where to where.
pub(super) struct Scoped {
    pub(super) scope: Scope,
    pub(super) way: Way,
}

impl Draw {
    /// What is to be changed: control planes that stay are where the pools are to go.
    pub(super) fn scope(&mut self, way: Way) -> Scoped {
        let is_short = minor(way.target()) <= minor(way.versions[0]) + 3 && !way.too_old;
        if self.is_drawn("node images only", 0.17) {
            Scoped { scope: Scope::NodeImage, way: Way { too_old: false, ..way } }
        } else if is_short && self.is_drawn("control planes only", 0.1) {
            Scoped { scope: Scope::ControlPlane, way }
        } else if is_short && self.is_drawn("node pools only", 0.1) {
            Scoped { scope: Scope::NodePools, way: Way { from: way.to, ..way } }
        } else {
            Scoped { scope: Scope::Full, way }
        }
    }

    fn on_gate_failure(&mut self) -> OnGateFailure {
        if self.is_drawn("pools go back when a gate fails", 0.25) {
            OnGateFailure::RollbackNodePool
        } else if self.is_drawn("operations are aborted when a gate fails", 0.2) {
            OnGateFailure::AbortOperation
        } else {
            OnGateFailure::Hold
        }
    }

    /// What is wanted, and the pools that are left out of it.
    pub(super) fn request(&mut self, scoped: &Scoped, pools: &[DrawnPool]) -> (Request, BTreeSet<String>) {
        let Scoped { scope, way } = scoped;
        let (exclude, left_out) = self.exclusions(pools);
        let order = self.order(pools);
        let soak = if self.chance(0.5) { self.seconds(0, 2 * HOUR) } else { Duration::ZERO };
        let upgrade_settings = self.upgrade_settings(false);
        let force_until =
            self.is_drawn("forced upgrades", 0.3).then(|| self.start + self.seconds(HOUR, 60 * HOUR));
        let skips = *scope == Scope::Full && self.is_drawn("images are skipped", 0.12);
        let policy = Policy {
            order,
            exclude,
            soak,
            retries: self.dice.u32(0..=3),
            upgrade_settings,
            force_until,
            step_timeout: self.seconds(HOUR / 4, 6 * HOUR),
            on_gate_failure: self.on_gate_failure(),
            ..Policy::default()
        };
        let kubernetes = (*scope != Scope::NodeImage).then(|| self.version(*way));
        let node_image = if skips { NodeImagePolicy::Skip } else { NodeImagePolicy::Latest };
        let request = Request { node_image, policy, ..Request::new(*scope, kubernetes) };
        (request, left_out)
    }

    /// The version as somebody writes it: in full, or what stands for it.
    fn version(&mut self, way: Way) -> KubernetesRequest {
        let target = way.target();
        let newest = way.versions.iter().rfind(|version| minor(version) == minor(target)) == Some(&target);
        if way.newest && newest && minor(target) >= 36 && self.is_drawn("a channel as the target", 0.9) {
            return KubernetesRequest::Channel(if minor(target) == 37 {
                Channel::Rapid
            } else {
                Channel::Stable
            });
        }
        let text = if newest && self.is_drawn("a minor as the target", 0.4) {
            target.rsplit_once('.').map_or(target, |(minor, _)| minor)
        } else {
            target
        };
        KubernetesRequest::Version(text.parse::<VersionRequest>().expect("a version"))
    }

    fn exclusions(&mut self, pools: &[DrawnPool]) -> (Vec<PoolMatch>, BTreeSet<String>) {
        if pools.len() < 2 || !self.is_drawn("a pool that is left out", 0.12) {
            return (Vec::new(), BTreeSet::new());
        }
        if self.chance(0.5) && pools.iter().any(|pool| pool.windows) {
            let windows = pools.iter().filter(|pool| pool.windows);
            return (vec![windows_pools()], windows.map(|pool| pool.name.clone()).collect());
        }
        let name = self.one_of(pools).name.clone();
        (vec![PoolMatch { names: vec![name.clone()], ..PoolMatch::default() }], [name].into())
    }

    /// Pools one after the other in an order of their own, with soaks and settings of their own.
    pub(super) fn order(&mut self, pools: &[DrawnPool]) -> Vec<OrderRule> {
        let mut order = Vec::new();
        if self.chance(0.4) {
            let soak = self.seconds(0, 1200);
            order.push(OrderRule {
                matches: windows_pools(),
                soak,
                upgrade_settings: self.upgrade_settings(true),
            });
        }
        if self.is_drawn("an order by name", 0.25) {
            let name = self.one_of(pools).name.clone();
            let matches = PoolMatch { names: vec![name], ..PoolMatch::default() };
            order.push(OrderRule {
                matches,
                soak: Duration::ZERO,
                upgrade_settings: self.upgrade_settings(false),
            });
        }
        if self.is_drawn("an order by mode", 0.25) {
            let matches = PoolMatch { mode: Some("User".to_owned()), ..PoolMatch::default() };
            order.push(OrderRule { matches, soak: self.seconds(0, 600), ..OrderRule::default() });
        }
        order
    }

    /// Settings that steps override; system pools do without unavailable nodes.
    pub(super) fn upgrade_settings(&mut self, windows: bool) -> Settings {
        let mut settings = Settings::default();
        let surge = if windows && self.chance(0.5) { Setting::MaxUnavailable } else { Setting::MaxSurge };
        for (setting, values) in [
            (surge, ["1", "2", "50%"]),
            (Setting::DrainTimeoutInMinutes, ["10", "30", "60"]),
            (Setting::NodeSoakDurationInMinutes, ["0", "1", "5"]),
        ] {
            if self.is_drawn("settings that are overridden", 0.3) {
                settings.0.insert(setting, (*self.one_of(&values)).to_owned());
            }
        }
        settings
    }
}

fn windows_pools() -> PoolMatch {
    PoolMatch { os_type: Some("Windows".to_owned()), ..PoolMatch::default() }
}
