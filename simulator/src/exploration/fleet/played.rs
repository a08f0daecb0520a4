//! The hub with its plans and ClusterUpgrades, and how these go.

use std::collections::BTreeMap;

use engine::{
    Approval, Claimant, Ledger, MemberStanding, Operation, Phase, Rollout, RolloutMember, RolloutRequest,
};
use fastrand::Rng;
use jiff::Timestamp;

use super::{
    Case, PlanCase, Violation,
    case::{AUTHOR, ClusterCase, Deed, Stop},
};

/// What the plans are called.
const PLANS: [&str; 2] = ["first", "second"];

/// A plan, as stored.
pub(super) struct Plan {
    pub(super) case: PlanCase,
    /// Counts what is another plan.
    pub(super) hash: u32,
    pub(super) suspend: bool,
    pub(super) retry: Option<String>,
    pub(super) rollout: Option<Rollout>,
    pub(super) approvals: Vec<Approval>,
    /// Its resourceVersion.
    pub(super) version: u64,
}

/// A cluster, as registered.
pub(super) struct Cluster {
    pub(super) case: ClusterCase,
    pub(super) ring: &'static str,
    pub(super) registered: bool,
    /// Whether it has stopped once: it does so no more.
    pub(super) has_stopped: bool,
}

/// A ClusterUpgrade, and how far it is.
pub(super) struct Upgrade {
    pub(super) member: RolloutMember,
    pub(super) plan: usize,
    /// Which was made before which.
    pub(super) made: u64,
    /// When it was really let start.
    pub(super) admitted_at: Option<Timestamp>,
    /// Steps that are done, and rounds that are left of the present one.
    steps: usize,
    left: u32,
    soak: Option<u32>,
    stop: Option<Stop>,
    retried: Option<String>,
}

/// Everything that there is.
pub(super) struct World {
    pub(super) now: Timestamp,
    pub(super) dice: Rng,
    pub(super) clusters: BTreeMap<String, Cluster>,
    pub(super) plans: Vec<Plan>,
    pub(super) upgrades: BTreeMap<String, Upgrade>,
    pub(super) deeds: Vec<(u32, Deed)>,
    pub(super) violation: Option<Violation>,
    pub(super) timeline: Vec<String>,
    keep_timeline: bool,
    events: u64,
}

impl World {
    pub(super) fn new(case: Case, keep_timeline: bool) -> Self {
        let Case { seed, clusters, plans, deeds, drawn: _ } = case;
        let cluster = |case: ClusterCase| {
            let name = case.name.clone();
            (name, Cluster { ring: case.ring, registered: true, has_stopped: false, case })
        };
        let plan = |case: PlanCase| Plan {
            case,
            hash: 1,
            suspend: false,
            retry: None,
            rollout: None,
            approvals: Vec::new(),
            version: 1,
        };
        Self {
            now: "2026-11-20T22:00:00Z".parse().expect("a time"),
            dice: Rng::with_seed(seed ^ 0x706c_6179),
            clusters: clusters.into_iter().map(cluster).collect(),
            plans: plans.into_iter().map(plan).collect(),
            upgrades: BTreeMap::new(),
            deeds,
            violation: None,
            timeline: Vec::new(),
            keep_timeline,
            events: 0,
        }
    }

    pub(super) fn tell(&mut self, what: &str) {
        if self.keep_timeline {
            self.timeline.push(format!("{} {what}", self.now.strftime("%d %H:%M:%S")));
        }
    }

    pub(super) fn violated(&mut self, invariant: &'static str, what: String) {
        self.tell(&format!("VIOLATION {invariant}: {what}"));
        self.violation.get_or_insert(Violation { invariant, what });
    }

    /// A number that nothing else has.
    pub(super) fn event(&mut self) -> u64 {
        self.events += 1;
        self.events
    }

    /// What a plan asks.
    pub(super) fn request(&self, plan: usize) -> RolloutRequest {
        let plan = &self.plans[plan];
        let places = self.clusters.iter();
        RolloutRequest {
            plan: plan.case.name.clone(),
            hash: plan.hash.to_string(),
            suspend: plan.suspend,
            waves: plan.case.waves.iter().map(|(wave, _)| wave.clone()).collect(),
            retry: plan.retry.clone(),
            authors: vec![AUTHOR.to_owned()],
            places: places.filter_map(|(name, is)| Some((name.clone(), is.case.place.clone()?))).collect(),
            ..RolloutRequest::default()
        }
    }

    /// The clusters that the waves of a plan select now: each belongs to the first.
    pub(super) fn selected(&self, plan: usize) -> Vec<(String, Vec<String>)> {
        let mut free: Vec<(&String, &Cluster)> =
            self.clusters.iter().filter(|(_, cluster)| cluster.registered).collect();
        let mut waves = Vec::new();
        for (wave, rings) in &self.plans[plan].case.waves {
            let (chosen, rest): (Vec<_>, Vec<_>) =
                free.into_iter().partition(|(_, cluster)| rings.contains(&cluster.ring));
            free = rest;
            waves.push((wave.name.clone(), chosen.into_iter().map(|(name, _)| name.clone()).collect()));
        }
        waves
    }

    /// The upgrade that has the cluster of another before it.
    pub(super) fn claimant(&self, name: &str) -> Option<String> {
        let this = &self.upgrades[name];
        let others = self.upgrades.iter().filter(|(other, _)| *other != name);
        let same = others.filter(|(_, other)| other.member.cluster == this.member.cluster);
        this.claimant().waits_for(same.map(|(_, other)| other.claimant())).map(str::to_owned)
    }

    /// One round of a ClusterUpgrade.
    pub(super) fn work(&mut self, name: &str) {
        let claimed = self.claimant(name).is_some();
        let (event, now) = (self.event(), self.now);
        let Some(upgrade) = self.upgrades.get_mut(name) else { return };
        let Some(cluster) = self.clusters.get_mut(&upgrade.member.cluster) else { return };
        let before = upgrade.member.clone();
        upgrade.work(cluster, claimed, now);
        if upgrade.member != before {
            upgrade.member.version = event.to_string();
            let words = upgrade.words();
            self.tell(&words);
        }
    }
}

impl Upgrade {
    pub(super) fn new(member: RolloutMember, plan: usize, made: u64) -> Self {
        Self {
            member,
            plan,
            made,
            admitted_at: None,
            steps: 0,
            left: 0,
            soak: None,
            stop: None,
            retried: None,
        }
    }

    fn claimant(&self) -> Claimant<'_> {
        Claimant {
            name: &self.member.name,
            made_at: i64::try_from(self.made).ok().and_then(|made| Timestamp::from_second(made).ok()),
            plan: PLANS.get(self.plan).copied(),
            admitted: self.member.place.admitted,
            going: false,
            ledger: Some(&self.member.ledger),
        }
    }

    pub(super) fn is_finished(&self) -> bool {
        self.member.ledger.finished_at.is_some()
    }

    /// Done, or not to be done.
    pub(super) fn is_over(&self) -> bool {
        self.is_finished() || self.member.state() == engine::MemberState::Left
    }

    pub(super) fn has_begun(&self) -> bool {
        self.steps > 0 || self.member.ledger.operation.is_some()
    }

    /// Whether it says that it has stopped.
    pub(super) fn has_failed(&self) -> bool {
        self.member.standing.as_ref().is_some_and(|standing| standing.stopped)
            && !self.is_finished()
            && (self.member.registered || self.has_begun())
    }

    /// Whether Azure works on it.
    pub(super) fn in_azure(&self) -> bool {
        self.member.ledger.operation.as_ref().is_some_and(|operation| operation.phase == Phase::Submitted)
    }

    /// Whether its workloads are watched after all steps.
    pub(super) fn soaks(&self) -> bool {
        self.soak.is_some() && !self.is_finished()
    }

    pub(super) fn words(&self) -> String {
        let standing = self.member.standing.as_ref().map_or("", |standing| &standing.reason);
        format!("{} of {} is at {standing}, step {}", self.member.name, self.member.wave, self.steps)
    }

    fn stands(&mut self, stopped: bool, reason: &str) {
        let (reason, message) = (reason.to_owned(), String::new());
        self.member.standing = Some(MemberStanding {
            is_current: true,
            stopped,
            // What is told of a rollout only, and decides nothing.
            parked: false,
            reason,
            message,
            // Since when is asked of continuous plans alone, which are not played here.
            since: Timestamp::UNIX_EPOCH,
            next_attempt: None,
            eta: None,
        });
    }

    fn work(&mut self, cluster: &mut Cluster, claimed: bool, now: Timestamp) {
        let suspended = self.member.place.suspended || self.member.suspended_by_hand;
        if self.member.retry.is_some() && self.retried != self.member.retry {
            self.retried.clone_from(&self.member.retry);
            self.stop = None;
        }
        if self.is_finished() {
            return self.stands(false, "Succeeded");
        }
        if !cluster.registered {
            return self.stands(true, "InvalidSpec");
        }
        if self.left > 0 {
            return self.go_on(cluster, now);
        }
        match self.stop {
            Some(Stop::UntilRetry) => return self.stands(true, "OperationFailed"),
            Some(Stop::For(0)) => self.stop = None,
            Some(Stop::For(rounds)) => {
                self.stop = Some(Stop::For(rounds - 1));
                return self.stands(true, "DrainBlocked");
            }
            Some(Stop::Slow(_)) | None => {}
        }
        if let Some(soak) = self.soak {
            self.soak = Some(soak.saturating_sub(1));
            if soak == 0 {
                self.member.ledger.finished_at = Some(now);
            }
            return self.stands(false, if soak == 0 { "Succeeded" } else { "Soaking" });
        }
        if !self.member.place.admitted {
            return self.stands(false, "WaitingForWave");
        }
        if claimed {
            return self.stands(false, "WaitingForOtherUpgrade");
        }
        if suspended {
            return self.stands(false, "Suspended");
        }
        self.begin(cluster, now);
    }

    /// Sends the next step, or begins to soak.
    fn begin(&mut self, cluster: &mut Cluster, now: Timestamp) {
        let Some(rounds) = cluster.case.steps.get(self.steps) else {
            self.soak = Some(cluster.case.soak);
            return self.stands(false, "Soaking");
        };
        self.left = *rounds;
        self.member.ledger.operation = Some(operation(Phase::Submitted, now));
        self.stands(false, "UpgradingNodePool");
    }

    /// Azure works on the step.
    fn go_on(&mut self, cluster: &mut Cluster, now: Timestamp) {
        let stops = cluster.case.stops.filter(|(at, _)| *at == self.steps && !cluster.has_stopped);
        if let Some((_, Stop::Slow(rounds))) = stops {
            cluster.has_stopped = true;
            self.left += rounds;
            self.stop = Some(Stop::Slow(rounds));
        }
        self.left -= 1;
        if self.left > 0 {
            let slow = matches!(self.stop, Some(Stop::Slow(_)));
            return self.stands(slow, if slow { "StepTimeout" } else { "UpgradingNodePool" });
        }
        self.member.ledger.operation = None;
        self.stop = None;
        match stops {
            Some((_, stop @ (Stop::For(_) | Stop::UntilRetry))) => {
                cluster.has_stopped = true;
                self.stop = Some(stop);
                self.member.ledger.operation = Some(operation(Phase::Intent, now));
                self.stands(true, "OperationFailed");
            }
            Some((_, Stop::Slow(_))) | None => {
                self.steps += 1;
                self.member.ledger.steps = done();
                self.stands(false, "Verifying");
            }
        }
    }
}

/// A record that says that a step is done.
fn done() -> Vec<engine::StepRecord> {
    let ledger = serde_json::json!({"steps": [{"from": "1.34.4", "to": "1.35.3", "state": "Succeeded"}]});
    serde_json::from_value::<Ledger>(ledger).expect("a ledger").steps
}

fn operation(phase: Phase, now: Timestamp) -> Operation {
    let operation = serde_json::json!({"stepId": "image-a", "phase": phase, "attempt": 1, "intentAt": now,
        "deadline": now, "since": now});
    serde_json::from_value(operation).expect("an operation")
}

/// A ClusterUpgrade that was just made.
pub(super) fn member(name: &str, cluster: &str, wave: &str, rollout: &str) -> RolloutMember {
    RolloutMember {
        name: name.to_owned(),
        version: String::new(),
        cluster: cluster.to_owned(),
        rollout: rollout.to_owned(),
        wave: wave.to_owned(),
        place: engine::Place::default(),
        suspended_by_hand: false,
        retry: None,
        claimed_by: None,
        registered: true,
        inherited_baseline: None,
        ledger: Ledger::default(),
        standing: None,
    }
}
