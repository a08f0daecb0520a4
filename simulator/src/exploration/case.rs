//! What a seed stands for: a fleet, what is wanted of it, and everything that will go wrong.

mod clusters;
mod misfortune;
mod others;
mod request;
mod rollout;

use std::time::Duration;

use azure_mgmt_containerservice::ClusterId;
use engine::Request;
use fastrand::Rng;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{happening::Happening, plan::Waves, script::Trigger, workloads::Surroundings};
use crate::{effects::ClusterKey, scenario::Scenario};

/// Old node images, by OS SKU.
const OLD_IMAGES: [(&str, &str); 3] = [
    ("Ubuntu2204", "AKSUbuntu-2204gen2containerd-202609.01.0"),
    ("AzureLinux3", "AKSAzureLinux-V3gen2-202609.01.0"),
    ("Windows2022", "AKSWindows-2022-containerd-20348.4100.260811"),
];
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
        let waves = planned.then(|| rollout::waves(&mut plans, &upgrades));
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
}
