//! What a seed stands for: a fleet, what is wanted of it, and everything that will go wrong.

use std::time::Duration;

use azure_mgmt_containerservice::ClusterId;
use engine::{
    KubernetesRequest, NodeImagePolicy, OrderRule, Policy, PoolMatch, Request, RequestedWave, Scope, Setting,
    Settings, Share, VersionRequest,
};
use fastrand::Rng;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{
    happening::{Deed, Happening},
    plan::Waves,
    script::Trigger,
    workloads::{Surroundings, Truth},
};
use crate::{effects::ClusterKey, scenario::Scenario};

const SUBSCRIPTION: &str = "20000000-0000-4000-8000-000000000001";
/// Old node images, by OS SKU.
const OLD_IMAGES: [(&str, &str); 3] = [
    ("Ubuntu2204", "AKSUbuntu-2204gen2containerd-202609.01.0"),
    ("AzureLinux3", "AKSAzureLinux-V3gen2-202609.01.0"),
    ("Windows2022", "AKSWindows-2022-containerd-20348.4100.260811"),
];
/// Stable versions that the simulated regions offer, oldest first.
const VERSIONS: [&str; 6] = ["1.34.2", "1.34.4", "1.35.1", "1.35.3", "1.36.0", "1.36.2"];
const MINUTE: u64 = 60;
const HOUR: u64 = 3600;

/// Everything about a run that is known before it starts.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) seed: u64,
    pub(super) start: Timestamp,
    /// From here on nothing goes wrong any more.
    pub(super) calm_from: Timestamp,
    /// By then everything is done.
    pub(super) end: Timestamp,
    pub(super) replicas: usize,
    pub(super) scenario: Scenario,
    pub(super) upgrades: Vec<UpgradeCase>,
    pub(super) happenings: Vec<(Timestamp, Happening)>,
    /// Nothing is left to chance, and nobody mends anything of their own accord: a script.
    pub(super) quiet: bool,
    /// What happens when Azure does something.
    pub(super) triggers: Vec<Trigger>,
    /// The waves of the plan that makes the upgrades; without one they are there from the start.
    pub(super) waves: Option<Waves>,
}

/// One upgrade, of a cluster of its own.
#[derive(Debug)]
pub(super) struct UpgradeCase {
    pub(super) name: String,
    pub(super) key: ClusterKey,
    pub(super) id: ClusterId,
    pub(super) request: Request,
    /// The version to arrive at; none when only images are refreshed.
    pub(super) target: Option<String>,
    pub(super) pools: Vec<String>,
    pub(super) surroundings: Surroundings,
}

impl Case {
    /// The case of a seed.
    pub(super) fn draw(seed: u64) -> Self {
        let mut draw = Draw {
            dice: Rng::with_seed(seed),
            settings: Rng::with_seed(!seed),
            start: "2026-11-20T22:00:00Z".parse().expect("a time"),
        };
        let calm_after = Duration::from_secs(draw.dice.u64(2 * HOUR..30 * HOUR));
        let calm_from = draw.start + calm_after;
        let replicas = draw.dice.usize(1..=2);
        // Draws of its own, so that those of the clusters stay what they were.
        let mut plans = Rng::with_seed(seed.wrapping_mul(31).wrapping_add(7));
        let planned = plans.bool();
        let number = if planned { plans.usize(2..=5) } else { draw.dice.usize(1..=3) };
        let (clusters, upgrades): (Vec<Value>, Vec<UpgradeCase>) =
            (0..number).map(|index| draw.cluster(index, calm_after)).unzip();
        let scenario = json!({
            "seed": seed,
            "pageSize": draw.dice.usize(1..=4),
            "throttling": draw.chance(0.2),
            "clusters": clusters,
            "quirks": draw.quirks(calm_from),
            "durations": draw.durations(),
        });
        let scenario: Scenario = serde_json::from_value(scenario).expect("what is drawn is a scenario");
        scenario.check().expect("what is drawn is a good scenario");
        let mut happenings = draw.happenings(replicas, &upgrades, calm_after);
        let waves = planned.then(|| waves(&mut plans, &upgrades));
        if planned && plans.u8(0..3) == 0 {
            let from = draw.start + calm_after.mul_f64(plans.f64());
            let until = from + Duration::from_secs(plans.u64(MINUTE..4 * HOUR));
            happenings.push((from, Happening::SuspendPlan { suspend: true }));
            happenings.push((until, Happening::SuspendPlan { suspend: false }));
        }
        let end = calm_from + Duration::from_secs(14 * 24 * HOUR);
        let (start, quiet, triggers) = (draw.start, false, Vec::new());
        Self { seed, start, calm_from, end, replicas, scenario, upgrades, happenings, waves, quiet, triggers }
    }
}

/// Up to three waves over all clusters.
fn waves(dice: &mut Rng, upgrades: &[UpgradeCase]) -> Waves {
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

/// Whether an image is one of those that pools had in the beginning.
pub(super) fn is_old_image(image: &str) -> bool {
    OLD_IMAGES.iter().any(|(_, old)| *old == image)
}

struct Draw {
    dice: Rng,
    /// Draws settings: on its own, so that the other draws of a seed stay what they were.
    settings: Rng,
    start: Timestamp,
}

impl Draw {
    fn chance(&mut self, probability: f64) -> bool {
        self.dice.f64() < probability
    }

    fn one_of<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.dice.usize(0..items.len())]
    }

    /// An instant before `span` is over.
    fn when(&mut self, span: Duration) -> Timestamp {
        self.start + span.mul_f64(self.dice.f64())
    }

    fn seconds(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_secs(self.dice.u64(from..to))
    }

    fn cluster(&mut self, index: usize, chaos: Duration) -> (Value, UpgradeCase) {
        let name = format!("c{index}");
        let at = self.dice.usize(0..VERSIONS.len() - 1);
        let only_images = self.chance(0.2);
        let target = VERSIONS[self.dice.usize(at + 1..VERSIONS.len())];
        let pools: Vec<Value> = (0..self.dice.usize(1..=4)).map(|number| self.pool(number, at)).collect();
        let names: Vec<String> =
            pools.iter().filter_map(|pool| Some(pool["name"].as_str()?.to_owned())).collect();
        let (faults, budgets_allow_from) = self.faults(&names, chaos);
        let cluster = json!({
            "subscription": SUBSCRIPTION, "resourceGroup": "rg", "name": name,
            "kubernetesVersion": VERSIONS[at], "pools": pools, "faults": faults,
        });
        let id = format!(
            "/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.ContainerService/managedClusters/{name}"
        );
        let upgrade = UpgradeCase {
            key: ClusterKey(id.to_lowercase()),
            id: id.parse().expect("a cluster's id"),
            request: self.request((!only_images).then_some(target)),
            target: (!only_images).then(|| target.to_owned()),
            pools: names,
            surroundings: Surroundings { budgets_allow_from, ..self.surroundings(chaos) },
            name,
        };
        (cluster, upgrade)
    }

    fn pool(&mut self, number: usize, at: usize) -> Value {
        let windows = number > 0 && self.chance(0.25);
        let os_sku = if windows { "Windows2022" } else { self.one_of(&["Ubuntu2204", "AzureLinux3"]) };
        let behind = if self.chance(0.3) { self.dice.usize(0..=at) } else { at };
        let mut pool = json!({
            "name": format!("{}{number}", if windows { "win" } else { "linux" }),
            "mode": if number == 0 { "System" } else { "User" },
            "osType": if windows { "Windows" } else { "Linux" },
            "osSku": os_sku,
            "count": self.dice.u32(1..=4),
            "kubernetesVersion": VERSIONS[behind],
        });
        if self.chance(0.8) {
            let old = OLD_IMAGES.iter().find(|(sku, _)| *sku == os_sku);
            pool["nodeImage"] = old.map(|(_, image)| *image).into();
        }
        if self.chance(0.4) {
            pool["maxSurge"] = (*self.one_of(&["1", "2", "33%", "100%"])).into();
        }
        pool
    }

    /// Upgrades that fail, and from when on the budgets allow what blocked one.
    fn faults(&mut self, pools: &[String], chaos: Duration) -> (Vec<Value>, Option<Timestamp>) {
        let mut faults = Vec::new();
        let mut budgets_allow_from = None;
        for _ in 0..self.dice.usize(0..=3) {
            let pool = self.one_of(pools).clone();
            let (upgrade, after_nodes) = (self.dice.u32(1..=3), self.dice.u32(0..=2));
            let mut fault = json!({"upgrade": upgrade, "afterNodes": after_nodes});
            match self.dice.usize(0..5) {
                0 => {
                    fault["pool"] = pool.into();
                    fault["blockedBy"] =
                        json!([{"namespace": "shop", "pod": "checkout-1", "budget": "checkout"}]);
                    let from = self.when(chaos);
                    budgets_allow_from =
                        Some(budgets_allow_from.map_or(from, |known: Timestamp| known.max(from)));
                }
                1 => {
                    fault["pool"] = pool.into();
                    fault["error"] =
                        json!({"code": "OverconstrainedAllocationRequest", "message": "Allocation failed."});
                }
                2 => {
                    fault["pool"] = pool.into();
                    fault["error"] = json!({"code": "UpgradeFailed", "subcode": "VMExtensionProvisioningError",
                        "message": "A node did not come up."});
                }
                3 => {
                    fault["error"] =
                        json!({"code": "InternalServerError", "message": "Something went wrong."});
                }
                _ => {
                    fault["pool"] = pool.into();
                    fault["refuse"] = json!({"status": 409, "code": "OperationNotAllowed",
                        "message": "Another operation is in progress."});
                }
            }
            faults.push(fault);
        }
        (faults, budgets_allow_from)
    }

    fn surroundings(&mut self, chaos: Duration) -> Surroundings {
        let workloads = (0..self.dice.usize(1..=3)).map(|number| {
            let late = self.chance(0.2);
            let created_at =
                if late { self.when(chaos) } else { self.start - Duration::from_secs(30 * HOUR) };
            let broken = (0..self.dice.usize(0..=2)).map(|_| {
                let from = self.when(chaos);
                (from, (from + self.seconds(MINUTE, 2 * HOUR)).min(self.start + chaos))
            });
            Truth { name: format!("app{number}"), created_at, broken: broken.collect() }
        });
        let workloads = workloads.collect();
        let outages = (0..self.dice.usize(0..=2)).map(|_| {
            let from = self.when(chaos);
            (from, (from + self.seconds(MINUTE, HOUR)).min(self.start + chaos))
        });
        Surroundings { workloads, outages: outages.collect(), budgets_allow_from: None }
    }

    fn request(&mut self, target: Option<&str>) -> Request {
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

    /// What Azure does now and then, until it is calm.
    fn quirks(&mut self, until: Timestamp) -> Vec<Value> {
        const OFTEN: [&str; 12] = [
            "failingPolls",
            "failingReads",
            "failingWrites",
            "gatewayTimeouts",
            "cutRequests",
            "lostAnswers",
            "delays",
            "throttled",
            "busy",
            "preconditionFailed",
            "staleReads",
            "preemption",
        ];
        const ALWAYS: [&str; 8] = [
            "nullArrays",
            "unsortedUpgrades",
            "otherCaseIds",
            "missingETags",
            "missingCurrentVersions",
            "missingPowerState",
            "emptyPages",
            "errorInSucceeded",
        ];
        let mut rules = Vec::new();
        for quirk in OFTEN {
            if self.chance(0.35) {
                let probability = 0.01 + self.dice.f64() * 0.15;
                rules.push(json!({"quirk": quirk, "probability": probability, "until": until}));
            }
        }
        for quirk in ALWAYS {
            if self.chance(0.2) {
                rules.push(json!({ "quirk": quirk }));
            }
        }
        for quirk in ["expiredOperations", "slowOperations"] {
            if self.chance(0.2) {
                rules.push(json!({"quirk": quirk, "probability": 0.5, "until": until}));
            }
        }
        rules
    }

    fn durations(&mut self) -> Value {
        let mut length = |from, to| SignedDuration::from_secs(self.dice.i64(from..to));
        json!({
            "controlPlane": length(120, 1800), "reimageLinux": length(60, 900), "reimageWindows": length(120, 1800),
            "surgeCreate": length(30, 600), "delete": length(10, 120), "update": length(5, 120),
        })
    }

    fn happenings(
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
