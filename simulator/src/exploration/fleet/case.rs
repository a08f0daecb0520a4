//! What a seed stands for: clusters, plans, how each upgrade goes, and who approves what.

use std::{collections::BTreeSet, time::Duration};

use engine::{ApprovalPolicy, RequestedWave, Share};
use fastrand::Rng;

/// Who writes the plans.
pub(super) const AUTHOR: &str = "author";
/// Labels that waves select.
pub(super) const RINGS: [&str; 3] = ["canary", "prod", "rest"];
/// Rounds in which people do things.
const ROUNDS: std::ops::Range<u32> = 0..500;

/// A seed.
pub(super) struct Case {
    pub(super) seed: u64,
    pub(super) clusters: Vec<ClusterCase>,
    pub(super) plans: Vec<PlanCase>,
    /// What people do, by round.
    pub(super) deeds: Vec<(u32, Deed)>,
    pub(super) drawn: BTreeSet<&'static str>,
}

/// A cluster.
#[derive(Clone)]
pub(super) struct ClusterCase {
    pub(super) name: String,
    pub(super) ring: &'static str,
    pub(super) place: Option<String>,
    /// How many rounds each step takes.
    pub(super) steps: Vec<u32>,
    /// At which step it stops, once.
    pub(super) stops: Option<(usize, Stop)>,
    pub(super) soak: u32,
}

/// How an upgrade stops.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stop {
    /// It goes on by itself after so many rounds.
    For(u32),
    /// Until somebody asks for another try.
    UntilRetry,
    /// Azure works on it, for too long.
    Slow(u32),
}

/// A plan.
#[derive(Clone)]
pub(super) struct PlanCase {
    pub(super) name: String,
    /// In which round it is made.
    pub(super) from: u32,
    /// Each with the rings that it selects.
    pub(super) waves: Vec<(RequestedWave, Vec<&'static str>)>,
}

/// What somebody does.
#[derive(Clone, Debug)]
pub(super) enum Deed {
    Suspend { plan: usize, suspend: bool },
    Edit { plan: usize },
    Retry { plan: usize },
    Relabel { cluster: usize, ring: &'static str },
    Register { cluster: usize, registered: bool },
    Approve { plan: usize, wave: usize, approver: &'static str, wrong: Option<Wrong> },
    Withdraw { plan: usize },
}

/// What is wrong with an approval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    Rollout,
    Plan,
}

struct Draw {
    dice: Rng,
    drawn: BTreeSet<&'static str>,
    deeds: Vec<(u32, Deed)>,
}

impl Case {
    /// The case of a seed.
    pub(super) fn draw(seed: u64) -> Self {
        let mut draw =
            Draw { dice: Rng::with_seed(seed ^ 0x666c_6565), drawn: BTreeSet::new(), deeds: Vec::new() };
        let mut clusters: Vec<ClusterCase> =
            (0..draw.dice.usize(3..=20)).map(|index| draw.cluster(index)).collect();
        let all_stop = draw.is_drawn("a wave of which every cluster stops", 0.15);
        for cluster in clusters.iter_mut().filter(|cluster| all_stop && cluster.ring == RINGS[0]) {
            cluster.stops = Some((0, Stop::UntilRetry));
        }
        let two = draw.is_drawn("two plans that want the same clusters", 0.4);
        let plans: Vec<PlanCase> = (0..1 + usize::from(two)).map(|index| draw.plan(index)).collect();
        for index in 0..plans.len() {
            draw.people(index);
        }
        for (cluster, case) in clusters.iter().enumerate() {
            draw.changes(cluster, case.ring);
        }
        let Draw { drawn, mut deeds, .. } = draw;
        deeds.sort_by_key(|(round, _)| *round);
        Self { seed, clusters, plans, deeds, drawn }
    }
}

impl Draw {
    fn is_drawn(&mut self, name: &'static str, probability: f64) -> bool {
        let is_drawn = self.dice.f64() < probability;
        if is_drawn {
            self.drawn.insert(name);
        }
        is_drawn
    }

    fn one_of<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.dice.usize(0..items.len())]
    }

    fn happens(&mut self, deed: Deed) {
        let round = self.dice.u32(ROUNDS);
        self.deeds.push((round, deed));
    }

    fn cluster(&mut self, index: usize) -> ClusterCase {
        let steps: Vec<u32> = (0..self.dice.usize(1..=3)).map(|_| self.dice.u32(1..=15)).collect();
        let stop = match self.dice.usize(0..4) {
            0 => Stop::For(self.dice.u32(1..=60)),
            1 => Stop::Slow(self.dice.u32(1..=60)),
            _ => Stop::UntilRetry,
        };
        let fails = self.is_drawn("an upgrade that stops", 0.25);
        let at = self.dice.usize(0..steps.len());
        let place =
            (self.dice.f64() < 0.9).then(|| self.one_of(&["s/westeurope", "s/northeurope", "t/westeurope"]));
        ClusterCase {
            name: format!("c{index:02}"),
            ring: self.one_of(&RINGS),
            place: place.map(str::to_owned),
            stops: fails.then_some((at, stop)),
            steps,
            soak: self.dice.u32(0..=10),
        }
    }

    fn plan(&mut self, index: usize) -> PlanCase {
        let number = self.dice.usize(1..=3);
        let waves = (0..number).map(|wave| {
            let mut rings = vec![RINGS[wave]];
            if self.is_drawn("waves that overlap", 0.3) {
                rings.push(self.one_of(&RINGS));
            }
            if wave + 1 == number {
                rings.extend(&RINGS[wave..]);
            }
            let asked = RequestedWave {
                name: format!("wave{wave}"),
                max_concurrent: match self.dice.bool() {
                    true => Share::Number(self.dice.u32(1..=5)),
                    false => Share::Percent(self.dice.u32(1..=100)),
                },
                failure_budget: match self.dice.usize(0..4) {
                    0 => Share::Number(self.dice.u32(1..=4)),
                    1 if self.dice.bool() => Share::Percent(100),
                    1 | 2 => Share::Percent(self.dice.u32(1..=100)),
                    _ => Share::Number(0),
                },
                approvals: self.approvals(index, wave),
                order: Vec::new(),
            };
            (asked, rings)
        });
        let waves = waves.collect();
        PlanCase { name: ["p", "q"][index].to_owned(), from: self.dice.u32(0..100), waves }
    }

    fn approvals(&mut self, plan: usize, wave: usize) -> Option<ApprovalPolicy> {
        if self.dice.f64() > 0.4 {
            return None;
        }
        for _ in 0..self.dice.usize(0..=6) {
            let approver = self.one_of(&["ann", "bea", "cem", AUTHOR]);
            let wrong = match self.dice.usize(0..6) {
                0 if self.is_drawn("an approval of another rollout", 1.0) => Some(Wrong::Rollout),
                1 if self.is_drawn("an approval of another plan", 1.0) => Some(Wrong::Plan),
                _ => None,
            };
            self.happens(Deed::Approve { plan, wave, approver, wrong });
        }
        if self.is_drawn("an approval that is withdrawn", 0.3) {
            self.happens(Deed::Withdraw { plan });
        }
        let expires = self.is_drawn("approvals that expire", 0.6);
        Some(ApprovalPolicy {
            required: self.dice.u32(1..=3),
            expire_after: expires.then(|| Duration::from_secs(self.dice.u64(60..6000))),
            separate_author: self.is_drawn("approvals of others than the author", 0.6),
        })
    }

    /// What people do to a plan.
    fn people(&mut self, plan: usize) {
        for _ in 0..self.dice.usize(0..=2) {
            self.happens(Deed::Retry { plan });
        }
        if self.dice.f64() < 0.3 {
            self.happens(Deed::Edit { plan });
        }
        if self.dice.f64() < 0.3 {
            self.happens(Deed::Suspend { plan, suspend: true });
            self.happens(Deed::Suspend { plan, suspend: false });
        }
    }

    /// What people do to a cluster.
    fn changes(&mut self, cluster: usize, ring: &'static str) {
        if self.is_drawn("a cluster that gets another label", 0.1) {
            let other = self.one_of(&RINGS);
            self.happens(Deed::Relabel { cluster, ring: other });
            if other == ring {
                self.happens(Deed::Relabel { cluster, ring: RINGS[0] });
            }
        }
        if self.is_drawn("a cluster that is deregistered", 0.1) {
            self.happens(Deed::Register { cluster, registered: false });
            self.happens(Deed::Register { cluster, registered: true });
        }
    }
}
