//! What a seed draws of what is wanted of a cluster.

use std::time::Duration;

use engine::{
    KubernetesRequest, NodeImagePolicy, OrderRule, Policy, PoolMatch, Request, Scope, Setting, Settings,
    VersionRequest,
};

use super::{Draw, HOUR};

impl Draw {
    pub(super) fn request(&mut self, target: Option<&str>) -> Request {
        let version = |target: &str| {
            KubernetesRequest::Version(VersionRequest::Exact(target.parse().expect("a version")))
        };
        let windows = PoolMatch { os_type: Some("Windows".to_owned()), ..PoolMatch::default() };
        let order = if self.chance(0.5) {
            let soak = self.seconds(0, 1200);
            vec![OrderRule { matches: windows, soak, upgrade_settings: self.upgrade_settings(true) }]
        } else {
            Vec::new()
        };
        let soak = if self.chance(0.5) { self.seconds(0, 2 * HOUR) } else { Duration::ZERO };
        let (retries, upgrade_settings) = (self.dice.u32(0..=3), self.upgrade_settings(false));
        let force_until = self
            .settings
            .bool()
            .then(|| self.start + Duration::from_secs(self.settings.u64(HOUR..60 * HOUR)));
        let step_timeout = Duration::from_secs(self.settings.u64(HOUR / 4..6 * HOUR));
        Request {
            scope: if target.is_some() { Scope::Full } else { Scope::NodeImage },
            kubernetes: target.map(version),
            node_image: NodeImagePolicy::Latest,
            max_image_age: None,
            policy: Policy {
                order,
                soak,
                retries,
                upgrade_settings,
                force_until,
                step_timeout,
                ..Policy::default()
            },
            suspend: false,
            waits_for_wave: None,
            other_upgrade: None,
            retry: None,
            baseline: None,
            abandoned: false,
        }
    }

    /// Settings that steps override; system pools do without unavailable nodes.
    fn upgrade_settings(&mut self, windows: bool) -> Settings {
        let mut settings = Settings::default();
        let surge = if windows && self.settings.bool() { Setting::MaxUnavailable } else { Setting::MaxSurge };
        for (setting, values) in [
            (surge, ["1", "2", "50%"]),
            (Setting::DrainTimeoutInMinutes, ["10", "30", "60"]),
            (Setting::NodeSoakDurationInMinutes, ["0", "1", "5"]),
        ] {
            if self.settings.u8(0..3) == 0 {
                settings.0.insert(setting, values[self.settings.usize(0..values.len())].to_owned());
            }
        }
        settings
    }
}
