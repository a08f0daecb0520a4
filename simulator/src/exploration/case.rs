//! What a seed stands for: a fleet, what is wanted of it, and everything that will go wrong.

mod arrival;
mod azure;
mod clusters;
mod continuous;
mod inside;
mod others;
mod request;
mod rollout;
mod timing;
mod way;
mod year;

use std::{collections::BTreeSet, time::Duration};

use azure_mgmt_containerservice::ClusterId;
use engine::{Mode, Request};
use fastrand::Rng;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    happening::Happening, inventory::Known, plan::Waves, script::Trigger, timing::Timing,
    workloads::Surroundings,
};
use crate::{effects::ClusterKey, scenario::Scenario};

pub(super) use arrival::Arrival;

const SUBSCRIPTION: &str = "20000000-0000-4000-8000-000000000001";
/// Old node images, by OS SKU.
const OLD_IMAGES: [(&str, &str); 5] = [
    ("Ubuntu2204", "AKSUbuntu-2204gen2containerd-202609.01.0"),
    ("Ubuntu2404", "AKSUbuntu-2404gen2containerd-202609.01.0"),
    ("AzureLinux3", "AKSAzureLinux-V3gen2-202609.01.0"),
    ("Windows2022", "AKSWindows-2022-containerd-20348.4100.260811"),
    ("Windows2025", "AKSWindows-2025-containerd-26100.6899.260811"),
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
    /// How likely our own limiter holds a call to Azure back.
    pub(super) held_back: f64,
    pub(super) scenario: Scenario,
    pub(super) upgrades: Vec<UpgradeCase>,
    pub(super) happenings: Vec<(Timestamp, Happening)>,
    /// Nothing is left to chance, and nobody mends anything of their own accord: a script.
    pub(super) quiet: bool,
    /// What happens when Azure does something.
    pub(super) triggers: Vec<Trigger>,
    /// The waves of the plan that makes the upgrades; without one they are there from the start.
    pub(super) waves: Option<Waves>,
    /// Whether one rollout of the plan follows another.
    pub(super) mode: Mode,
    /// What is known of the clusters, when it is a continuous plan.
    pub(super) inventory: Vec<Known>,
    /// A long run, in which nobody but the operator changes clusters.
    pub(super) is_long: bool,
    /// What was drawn that not every seed has, for the count.
    pub(super) drawn: BTreeSet<&'static str>,
}

/// One upgrade, of a cluster of its own.
#[derive(Debug)]
pub(super) struct UpgradeCase {
    pub(super) name: String,
    pub(super) key: ClusterKey,
    pub(super) id: ClusterId,
    pub(super) request: Request,
    /// What is to be so in the end.
    pub(super) arrival: Arrival,
    pub(super) surroundings: Surroundings,
    /// When its steps may start.
    pub(super) timing: Timing,
}

impl Case {
    /// The case of a seed.
    pub(super) fn draw(seed: u64) -> Self {
        let mut draw = Draw {
            dice: Rng::with_seed(seed),
            start: "2026-11-20T22:00:00Z".parse().expect("a time"),
            chaos: Duration::ZERO,
            happenings: Vec::new(),
            drawn: BTreeSet::new(),
            continuous: false,
        };
        draw.chaos = draw.seconds(2 * HOUR, 12 * HOUR);
        let calm_from = draw.calm_from();
        let replicas = if draw.chance(0.3) { 1 } else { 2 };
        let planned = draw.is_drawn("a plan with waves", 0.5);
        let number = if planned { draw.dice.usize(2..=3) } else { draw.dice.usize(1..=2) };
        draw.continuous = planned && draw.is_drawn("a continuous plan", 0.35);
        let (mut clusters, mut upgrades): (Vec<Value>, Vec<UpgradeCase>) =
            (0..number).map(|index| draw.cluster(index)).unzip();
        let mut regions = way::regions();
        let mut inventory = Vec::new();
        if draw.continuous {
            regions = draw.continuous(&mut clusters, &mut upgrades);
            inventory = draw.inventory(number);
        }
        let scenario = draw.scenario(seed, clusters, regions);
        let held_back =
            if draw.is_drawn("our own limiter", 0.25) { 0.01 + draw.dice.f64() * 0.05 } else { 0.0 };
        draw.processes(replicas);
        for (index, upgrade) in upgrades.iter().enumerate() {
            if !draw.continuous {
                draw.people(index, upgrade, planned);
                draw.somebody(upgrade, &scenario);
            }
        }
        draw.freezes(upgrades.len(), replicas);
        let waves = planned.then(|| draw.waves(&upgrades));
        if !draw.continuous {
            draw.deletion(&upgrades);
        }
        // A step for each time that the rarest window opens, and some to spare.
        let days = if upgrades.iter().all(|upgrade| upgrade.timing.is_always()) { 14 } else { 90 };
        draw.happenings.sort_by_key(|(at, _)| *at);
        Self {
            seed,
            start: draw.start,
            calm_from,
            // A continuous plan never comes to its end, and is looked at for as long.
            end: calm_from + Duration::from_secs(if draw.continuous { 5 } else { days } * 24 * HOUR),
            replicas,
            held_back,
            scenario,
            upgrades,
            happenings: draw.happenings,
            quiet: false,
            triggers: Vec::new(),
            waves,
            mode: if draw.continuous { Mode::Continuous } else { Mode::Once },
            inventory,
            is_long: false,
            drawn: draw.drawn,
        }
    }
}

/// Whether an image is one of those that pools had in the beginning.
pub(super) fn is_old_image(image: &str) -> bool {
    OLD_IMAGES.iter().any(|(_, old)| *old == image)
}

/// What is being drawn.
struct Draw {
    dice: Rng,
    start: Timestamp,
    /// How long things go wrong.
    chaos: Duration,
    happenings: Vec<(Timestamp, Happening)>,
    drawn: BTreeSet<&'static str>,
    /// Whether it is a continuous plan, which does without some oddities.
    continuous: bool,
}

impl Draw {
    fn chance(&mut self, probability: f64) -> bool {
        self.dice.f64() < probability
    }

    /// Like [`Self::chance`], and counted by its name.
    fn is_drawn(&mut self, name: &'static str, probability: f64) -> bool {
        let is_drawn = self.chance(probability) && !(self.continuous && continuous::is_without(name));
        if is_drawn {
            self.drawn.insert(name);
        }
        is_drawn
    }

    fn one_of<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.dice.usize(0..items.len())]
    }

    fn calm_from(&self) -> Timestamp {
        self.start + self.chaos
    }

    /// An instant before it is calm.
    fn when(&mut self) -> Timestamp {
        self.start + self.chaos.mul_f64(self.dice.f64())
    }

    fn seconds(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_secs(self.dice.u64(from..to))
    }

    /// Some time, over before it is calm.
    fn span(&mut self, from: u64, to: u64) -> (Timestamp, Timestamp) {
        let begin = self.when();
        (begin, (begin + self.seconds(from, to)).min(self.calm_from()))
    }

    fn happens(&mut self, at: Timestamp, happening: Happening) {
        self.happenings.push((at, happening));
    }

    /// Everything that Azure starts from.
    fn scenario(&mut self, seed: u64, clusters: Vec<Value>, regions: Value) -> Scenario {
        let scenario = json!({
            "seed": seed,
            "pageSize": self.dice.usize(1..=4),
            "throttling": self.is_drawn("Azure's own throttling", 0.2),
            "regions": regions,
            "quotas": self.quotas(&clusters),
            "clusters": clusters,
            "quirks": self.quirks(),
            "durations": self.durations(),
        });
        let scenario: Scenario = serde_json::from_value(scenario).expect("what is drawn is a scenario");
        scenario.check().expect("what is drawn is a good scenario");
        scenario
    }
}
