//! A small world behind the ports: one plan, its ClusterUpgrades, and clusters that do two steps each.
//! A call of a port can be the last thing that its caller does, and others can act before and after it.
//! Every write is judged when it happens.

mod replica;

use std::{
    collections::{BTreeMap, BTreeSet},
    future::{Future, pending, poll_fn},
    pin::pin,
    sync::{Mutex, MutexGuard},
    task::{Context, Poll, Waker},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};

use replica::Replica;

use super::{INSTANT, operation_since, standing};
use crate::{
    Approval, ApprovalPolicy, Baseline, MemberState, Obstacle, Phase, Proposal, ProposedWave, RequestedWave,
    ResolvedTarget, Rollout, RolloutMember, RolloutProgress, RolloutRequest, Share, advance_rollout,
};

pub(super) type Progress = RolloutProgress<&'static str>;

/// Where a caller dies: at which call, and whether that call still had its effect.
#[derive(Clone, Copy, Debug)]
pub(super) struct Crash {
    pub(super) at: usize,
    pub(super) after_effect: bool,
}

/// A write found that somebody else wrote first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Conflict;

/// The state of the world; tests look at it and change it.
pub(super) struct State {
    pub(super) now: Timestamp,
    /// Counts everything that happens, so that it can be told what was before what.
    events: u64,
    /// As the API server counts it: of the specification and the record.
    plan_version: u64,
    /// What the plan says; counts edits.
    pub(super) edition: u32,
    suspend: bool,
    suspended_at: u64,
    /// At which call a member was last made, or let go on.
    let_go_on_at: usize,
    max_concurrent: u32,
    pub(super) refuses: bool,
    pub(super) taken: Option<String>,
    /// The token of `retry` on the plan.
    pub(super) retry: Option<String>,
    /// How many clusters of each wave may fail.
    pub(super) budget: u32,
    /// How many approvals `prod` needs, and those that there are.
    pub(super) required: u32,
    pub(super) approvals: Vec<Approval>,
    /// One that goes as soon as somebody has claimed the record by it.
    pub(super) withdrawn: Option<String>,
    pub(super) record: Option<Rollout>,
    pub(super) history: Vec<crate::RolloutRecord>,
    /// Whether one rollout follows another.
    pub(super) continuous: bool,
    /// What the rollout before had left when another was last thought about.
    pub(super) left: Option<crate::Left>,
    /// Clusters that need something, in a continuous plan.
    pub(super) needy: BTreeSet<String>,
    pub(super) members: BTreeMap<String, RolloutMember>,
    /// Steps that each member has yet to do.
    steps: BTreeMap<String, u32>,
    /// Clusters whose next step does not get through, and when they stopped.
    stuck: BTreeSet<String>,
    stopped_at: BTreeMap<String, u64>,
    made: BTreeSet<(String, String)>,
    /// Somebody has held every member for the plan as it is.
    all_held: bool,
    /// Who was asked for another try, in order.
    pub(super) retried: Vec<String>,
    pub(super) writes: usize,
    pub(super) calls: usize,
    pub(super) crash: Option<Crash>,
    /// From this call on nobody holds the lease.
    pub(super) lease_ends: usize,
}

pub(super) struct World(Mutex<State>);

impl World {
    /// A plan of two waves: `a` and `b` one after the other, then `e`, `c` and `d` two at a time.
    pub(super) fn new() -> Self {
        Self(Mutex::new(State {
            now: INSTANT.parse().unwrap(),
            events: 0,
            plan_version: 0,
            edition: 1,
            suspend: false,
            suspended_at: 0,
            let_go_on_at: 0,
            max_concurrent: 1,
            refuses: false,
            taken: None,
            retry: None,
            budget: 0,
            required: 0,
            approvals: Vec::new(),
            withdrawn: None,
            record: None,
            history: Vec::new(),
            continuous: false,
            left: None,
            needy: BTreeSet::new(),
            members: BTreeMap::new(),
            steps: BTreeMap::new(),
            stuck: BTreeSet::new(),
            stopped_at: BTreeMap::new(),
            made: BTreeSet::new(),
            all_held: false,
            retried: Vec::new(),
            writes: 0,
            calls: 0,
            crash: None,
            lease_ends: usize::MAX,
        }))
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.try_lock().expect("looked at twice in one expression")
    }

    pub(super) fn upgrades(&self) -> Vec<RolloutMember> {
        self.state().members.values().cloned().collect()
    }

    pub(super) fn writes(&self) -> usize {
        self.state().writes
    }

    pub(super) fn read(&self) -> (RolloutRequest, Option<Rollout>) {
        let state = self.state();
        (state.request(), state.record.clone())
    }

    /// Lets both clusters of the first wave start at once.
    pub(super) fn widen(&self) {
        self.state().max_concurrent = 2;
    }

    /// Nothing happens for days.
    pub(super) fn days_pass(&self, days: i64) {
        self.state().now += SignedDuration::from_hours(24 * days);
    }

    /// The next step of a cluster does not get through.
    pub(super) fn stop(&self, cluster: &str) {
        self.state().stuck.insert(cluster.to_owned());
    }

    /// What stopped clusters is mended.
    pub(super) fn repair(&self) {
        self.state().stuck.clear();
    }

    /// Somebody edits the plan.
    pub(super) fn edit(&self) {
        let mut state = self.state();
        state.edition += 1;
        state.plan_changes();
    }

    /// Somebody sets or clears `suspend` of the plan.
    pub(super) fn suspend(&self, suspend: bool) {
        let mut state = self.state();
        if state.suspend != suspend {
            state.suspend = suspend;
            state.plan_changes();
            state.suspended_at = state.events;
        }
    }

    /// One reconciliation that nobody disturbs. `None` when it died.
    pub(super) fn reconcile(&self) -> Option<Progress> {
        let run = pin!(self.reconcile_as(false));
        match run.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(progress) => Some(progress.expect("nobody else writes")),
            Poll::Pending => None,
        }
    }

    /// One reconciliation; one that is `shared` lets others act before and after each of its calls.
    pub(super) async fn reconcile_as(&self, shared: bool) -> Result<Progress, Conflict> {
        let read = self.port(shared, false, |state| {
            let needy = state.continuous.then(|| state.needy.clone());
            (state.request(), state.record.clone(), state.plan_version, state.refuses, (needy, state.calls))
        });
        let (request, rollout, plan_version, refuses, (needy, began)) = read.await;
        let propose = |occasion: &crate::Occasion| {
            self.state().left.clone_from(&occasion.left);
            if refuses { Err("the plan is wrong") } else { Ok(proposal(needy.as_ref())) }
        };
        let mut replica = Replica { world: self, shared, plan_version, claimed_at: 0, kept: Vec::new() };
        let progress = advance_rollout(&request, rollout, propose, &mut replica, self).await?;
        let mut state = self.state();
        let leads = progress.obstacle != Some(Obstacle::NotLeading);
        // Another replica may still act on the plan as it was before: its next look holds what it let go on.
        let is_disturbed = shared && state.let_go_on_at > began;
        if leads && request.suspend && state.plan_version == replica.plan_version && !is_disturbed {
            assert!(progress.members().all(|member| member.place.suspended || is_done(member)));
            state.all_held = true;
        }
        Ok(progress)
    }

    /// Reconciles and lets clusters work until all is done.
    pub(super) fn settle(&self) {
        for _ in 0..200 {
            let progress = self.reconcile();
            self.tick();
            let Some(progress) = progress else { continue };
            if progress.obstacle.is_none() && progress.members().all(is_done) {
                return;
            }
        }
        panic!("it does not end: {:#?}", self.state().members);
    }

    /// Every cluster does what its own controller would do next.
    pub(super) fn tick(&self) {
        let mut state = self.state();
        state.now += SignedDuration::from_mins(1);
        let names: Vec<String> = state.members.keys().cloned().collect();
        for name in names {
            state.work(&name);
        }
    }

    async fn port<T>(&self, shared: bool, writes: bool, effect: impl FnOnce(&mut State) -> T) -> T {
        give_way(shared).await;
        let (dies_before, dies_after) = {
            let mut state = self.state();
            state.calls += 1;
            assert!(!writes || state.calls <= state.lease_ends, "a write without the lease");
            let calls = state.calls;
            let crash = state.crash.take_if(|crash| crash.at == calls);
            (crash.is_some_and(|crash| !crash.after_effect), crash.is_some_and(|crash| crash.after_effect))
        };
        if dies_before {
            pending::<()>().await;
        }
        let answer = {
            let mut state = self.state();
            state.events += 1;
            state.writes += usize::from(writes);
            effect(&mut state)
        };
        if dies_after {
            pending::<()>().await;
        }
        give_way(shared).await;
        answer
    }
}

fn is_done(member: &RolloutMember) -> bool {
    member.state() == MemberState::Succeeded
}

/// Lets the other replica, the clusters and people act.
async fn give_way(shared: bool) {
    let mut given = !shared;
    poll_fn(|_| if std::mem::replace(&mut given, true) { Poll::Ready(()) } else { Poll::Pending }).await;
}

fn proposal(needy: Option<&BTreeSet<String>>) -> Proposal {
    let wave = |name: &str, clusters: &[&str]| ProposedWave {
        name: name.to_owned(),
        clusters: clusters
            .iter()
            .map(|name| (*name).to_owned())
            .filter(|name| needy.is_none_or(|needy| needy.contains(name)))
            .collect(),
    };
    Proposal {
        target: ResolvedTarget { kubernetes: Some("1.35.3".to_owned()), ..ResolvedTarget::default() },
        waves: vec![wave("canary", &["a", "b"]), wave("prod", &["e", "c", "d"])],
    }
}

impl State {
    fn request(&self) -> RolloutRequest {
        let policy = (self.required > 0).then(|| ApprovalPolicy {
            required: self.required,
            expire_after: Some(Duration::from_secs(3600)),
            separate_author: true,
        });
        let wave = |name: &str, max_concurrent, order: &[&str]| RequestedWave {
            name: name.to_owned(),
            max_concurrent,
            failure_budget: Share::Number(self.budget),
            approvals: policy.clone().filter(|_| name == "prod"),
            order: order.iter().map(|name| (*name).to_owned()).collect(),
        };
        RolloutRequest {
            plan: "p".to_owned(),
            hash: self.edition.to_string(),
            mode: if self.continuous { crate::Mode::Continuous } else { crate::Mode::Once },
            suspend: self.suspend,
            waves: vec![
                wave("canary", Share::Number(self.max_concurrent), &[]),
                wave("prod", Share::Percent(67), &["e"]),
            ],
            retry: self.retry.clone(),
            authors: vec!["ann".to_owned()],
            ..RolloutRequest::default()
        }
    }

    /// The record is written: a rollout of the same plan follows only one that is over.
    pub(super) fn begins(&self, rollout: &Rollout) {
        let Some(before) = self.record.as_ref().filter(|before| before.id != rollout.id) else { return };
        if before.plan_hash != rollout.plan_hash {
            return;
        }
        assert!(self.continuous && before.ended_at.is_some(), "{} follows {}", rollout.id, before.id);
        let of_it = self.members.values().filter(|member| member.rollout == before.id);
        for member in of_it {
            let failed = self.budget > 0 && member.place.suspended;
            assert!(failed || is_done(member), "{} begins although {} is not done", rollout.id, member.name);
        }
    }

    fn plan_changes(&mut self) {
        self.events += 1;
        self.plan_version += 1;
        self.all_held = false;
    }

    fn max_of(&self, wave: &str) -> usize {
        if wave == "canary" { usize::try_from(self.max_concurrent).unwrap() } else { 2 }
    }

    /// What the controller of one ClusterUpgrade does next.
    fn work(&mut self, name: &str) {
        let (events, now) = (self.events, self.now);
        let Some(member) = self.members.get_mut(name) else { return };
        let steps = self.steps.entry(name.to_owned()).or_insert(2);
        let suspended = member.place.suspended || member.suspended_by_hand;
        let before = member.clone();
        let phase = member.ledger.operation.as_ref().map(|operation| operation.phase);
        if member.retry.is_some() && member.ledger.retry_token != member.retry {
            member.ledger.retry_token.clone_from(&member.retry);
            self.retried.push(name.to_owned());
        }
        let stuck = self.stuck.contains(&member.cluster);
        let mut starts = false;
        member.standing = if member.ledger.finished_at.is_some() {
            standing(false, "Succeeded")
        } else if phase == Some(Phase::Submitted) && stuck {
            member.ledger.operation = operation_since(Phase::Intent, now);
            standing(true, "DrainBlocked")
        } else if phase == Some(Phase::Submitted) {
            member.ledger.operation = None;
            *steps -= 1;
            standing(false, "Verifying")
        } else if phase == Some(Phase::Intent) && stuck {
            standing(true, "DrainBlocked")
        } else if !member.place.admitted {
            standing(false, "WaitingForWave")
        } else if *steps == 0 && before.standing.as_ref().is_some_and(|standing| standing.reason == "Soaking")
        {
            member.ledger.finished_at = Some(now);
            self.needy.remove(&member.cluster);
            standing(false, "Succeeded")
        } else if *steps == 0 {
            standing(false, "Soaking")
        } else if suspended {
            standing(false, "Suspended")
        } else {
            starts = true;
            let taken = || Baseline { taken_at: now, unhealthy: Vec::new() };
            member.ledger.baseline.get_or_insert_with(taken);
            member.ledger.operation = operation_since(Phase::Submitted, now);
            standing(false, "UpgradingNodeImage")
        };
        if let Some(standing) = &mut member.standing {
            let known = before.standing.as_ref().filter(|known| known.reason == standing.reason);
            standing.since = known.map_or(now, |known| known.since);
        }
        match member.is_stopped() {
            true => _ = self.stopped_at.entry(name.to_owned()).or_insert(events),
            false => _ = self.stopped_at.remove(name),
        }
        if *member != before {
            self.events += 1;
            member.version = self.events.to_string();
        }
        let rollout = member.rollout.clone();
        let present = self.record.as_ref().map(|rollout| rollout.id.clone());
        assert!(
            !starts || Some(&rollout) == present.as_ref(),
            "{name} starts a step when its rollout is over"
        );
    }

    fn admit(&mut self, name: &str, claimed_at: u64) {
        let member = &self.members[name];
        let wave = member.wave.clone();
        assert!(!member.place.admitted, "{name} is admitted once");
        let present = self.record.as_ref().map(|rollout| rollout.id.as_str());
        let is_new = Some(member.rollout.as_str()) == present;
        let stopped = self.stopped_at.values().filter(|at| **at < claimed_at && is_new).count();
        let allowed = usize::try_from(self.budget).unwrap();
        assert!(stopped <= allowed, "{name} is admitted past {stopped} clusters that have stopped");
        assert!(
            !self.suspend || claimed_at < self.suspended_at,
            "{name} is admitted by a plan that is suspended"
        );
        self.members.get_mut(name).unwrap().place.admitted = true;
        let member = &self.members[name];
        let working = |other: &&RolloutMember| {
            let unfinished = other.state() == MemberState::Running;
            other.rollout == member.rollout && other.wave == wave && unfinished && other.place.admitted
        };
        let working = self.members.values().filter(working).count();
        assert!(working <= self.max_of(&wave), "{working} clusters of wave {wave} at once");
    }
}
