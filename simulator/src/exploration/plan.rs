//! A plan over all clusters: its record on the hub, and the loop of a replica that carries it on.

use std::{collections::BTreeSet, time::Duration};

use engine::{
    Approval, Clock as _, Creation, Inventory, KubernetesRequest, Left, MemberStanding, Mode, NewMember,
    Occasion, Place, Proposal, ProposedWave, Request, RequestedWave, ResolvedTarget, Rollout, RolloutMember,
    RolloutProgress, RolloutRecord, RolloutRequest, RolloutStore, VersionRequest, Wanted, advance_rollout,
    remember, watch,
};

use jiff::Timestamp;

use super::{
    case::Case,
    checks::Checks,
    hub::{NotSaved, Upgrade, backoff},
    lease::Health,
    replica::clock,
    sim::{Here, State},
};

/// Name of the plan.
pub(super) const PLAN: &str = "p";
/// Who has written it.
pub(super) const AUTHOR: &str = "author";
/// With nothing to do, it looks again after this.
const PERIOD: Duration = Duration::from_secs(600);

/// The plan, as stored.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) request: RolloutRequest,
    pub(super) rollout: Option<Rollout>,
    /// What people have approved.
    pub(super) approvals: Vec<Approval>,
    /// What rollouts did.
    pub(super) history: Vec<RolloutRecord>,
    /// Its resourceVersion.
    pub(super) version: u64,
}

/// What a seed says of a plan: its waves, each with the clusters that belong to it.
pub(super) type Waves = Vec<(RequestedWave, Vec<String>)>;

impl Plan {
    /// The plan of a case, if it has one.
    pub(super) fn of(case: &Case) -> Option<Self> {
        let waves = case.waves.as_ref()?.iter().map(|(wave, _)| wave.clone()).collect();
        let request = RolloutRequest {
            plan: PLAN.to_owned(),
            hash: "1".to_owned(),
            mode: case.mode,
            waves,
            authors: vec![AUTHOR.to_owned()],
            ..RolloutRequest::default()
        };
        Some(Self { request, rollout: None, approvals: Vec::new(), history: Vec::new(), version: 1 })
    }
}

/// Carries the plan on, until the replica ends.
pub(super) async fn run(here: Here, waves: Waves) {
    here.latency(10, 1000).await;
    let mut failures = 0;
    loop {
        match reconcile(&here, &waves).await {
            Ok(pause) => {
                failures = 0;
                here.idle(pause).await;
            }
            Err(_) => {
                failures += 1;
                here.idle(backoff(failures)).await;
            }
        }
    }
}

async fn reconcile(here: &Here, waves: &Waves) -> Result<Duration, NotSaved> {
    here.latency(2, 40).await;
    let plan = {
        let mut state = here.state();
        reach(&mut state, here.replica)?;
        state.hub.plan.clone().ok_or(NotSaved::Conflict)?
    };
    here.latency(2, 40).await;
    let propose = |occasion: &Occasion| match plan.request.mode {
        Mode::Once => Ok(Proposal { target: ResolvedTarget::default(), waves: proposed(waves, |_| true) }),
        Mode::Continuous => continuous(&here.state(), here.replica, waves, occasion),
    };
    let mut store = PlanStore { here: here.clone(), version: plan.version, kept: Vec::new() };
    let progress = advance_rollout(&plan.request, plan.rollout.clone(), propose, &mut store, here).await?;
    store.record(&progress).await?;
    let next = progress.decide(&plan.request, here.now()).next_start;
    let until = next.and_then(|next| Duration::try_from(next.duration_since(here.now())).ok());
    // It is woken by everything that matters; in a year there are many looks that find nothing.
    let period = if here.state().is_long { PERIOD * 6 } else { PERIOD };
    Ok(until.map_or(period, |until| until.clamp(Duration::from_secs(1), period)))
}

fn proposed(waves: &Waves, is_in: impl Fn(&String) -> bool) -> Vec<ProposedWave> {
    let wave = |(wave, clusters): &(RequestedWave, Vec<String>)| ProposedWave {
        name: wave.name.clone(),
        clusters: clusters.iter().filter(|name| is_in(name)).cloned().collect(),
    };
    waves.iter().map(wave).collect()
}

/// Not every cluster that is there from the start was looked at.
struct NotYet;

/// What the operator's controller of plans proposes for a continuous one. Clusters that want the same are
/// looked at together.
fn continuous(state: &State, replica: usize, waves: &Waves, occasion: &Occasion) -> Result<Proposal, NotYet> {
    let now = clock(state, replica);
    let there: Vec<usize> =
        (0..state.inventory.len()).filter(|index| state.inventory[*index].is_registered(state.now)).collect();
    let is_first = occasion.left.is_none() && occasion.is_new();
    if is_first && there.iter().any(|index| state.inventory[*index].cluster.is_none()) {
        return Err(NotYet);
    }
    let mut clusters = BTreeSet::new();
    let mut target = ResolvedTarget::default();
    let (mut groups, mut unknown): (Vec<(Wanted, Vec<Inventory<'_>>)>, bool) = (Vec::new(), false);
    for index in there {
        let (upgrade, known) = (&state.hub.upgrades[index], &state.inventory[index]);
        let inventory = Inventory {
            name: &upgrade.cluster,
            cluster: known.cluster.as_ref().map(|(cluster, at)| (cluster, *at)),
            offers: known.offers.as_ref().map(|(offers, at)| (offers, *at)),
            upgraded_at: super::inventory::upgraded_at(&state.hub.upgrades[index]),
            awaited: occasion.is_new() && can_be_read(state, index),
        };
        let mut wanted = wanted(&upgrade.template);
        if let Some(version) =
            occasion.target.as_ref().and_then(|target| target.kubernetes.as_ref()?.parse().ok())
        {
            wanted.kubernetes = Some(KubernetesRequest::Version(VersionRequest::Exact(version)));
        }
        match groups.iter_mut().find(|(known, _)| *known == wanted) {
            Some((_, group)) => group.push(inventory),
            None => groups.push((wanted, vec![inventory])),
        }
    }
    let everything: Vec<Inventory<'_>> = groups.iter().flat_map(|(_, group)| group.clone()).collect();
    for (wanted, group) in &groups {
        let is_only = groups.len() == 1;
        let left = occasion.left.clone();
        let left = left.map(|left| if is_only { left } else { of_group(left, wanted, &everything, now) });
        // All clusters are shown for each: what stands for one stands for all, pinned images above all.
        let Ok(outlook) = watch(wanted, &everything, left.as_ref(), now) else { continue };
        let of_group = |name: &String| group.iter().any(|known| known.name == name);
        clusters.extend(outlook.clusters.into_iter().filter(of_group));
        unknown |= outlook.watching.unknown.iter().any(of_group);
        target.images.extend(outlook.target.images);
        if is_only {
            target.kubernetes = outlook.target.kubernetes;
        }
    }
    if is_first && clusters.is_empty() && unknown {
        return Err(NotYet);
    }
    Ok(Proposal { target, waves: proposed(waves, |name| clusters.contains(name)) })
}

/// Whether a look at a cluster sees it.
fn can_be_read(state: &State, index: usize) -> bool {
    let known = &state.inventory[index];
    let is_there = state.checks.key_of(index).is_some_and(|key| state.world.document(&key).is_some());
    is_there && !known.is_blind(state.now) && known.cluster.is_some()
}

/// What was left, as a plan of this group alone would remember it: where clusters want different versions, the
/// rollout names none.
fn of_group(mut left: Left, wanted: &Wanted, inventory: &[Inventory<'_>], now: Timestamp) -> Left {
    if let Ok(outlook) = watch(wanted, inventory, None, now).map(|outlook| outlook.target)
        && left.target.kubernetes.is_none()
    {
        left.target.kubernetes = outlook.kubernetes;
    }
    left
}

fn wanted(request: &Request) -> Wanted {
    Wanted {
        scope: request.scope,
        kubernetes: request.kubernetes.clone(),
        node_image: request.node_image,
        max_image_age: request.max_image_age,
        policy: request.policy.clone(),
    }
}

/// Fails when the hub cannot be reached from a replica.
fn reach(state: &mut State, replica: usize) -> Result<(), NotSaved> {
    let cut_off = state.lease.health(replica) == Health::CutOff;
    if cut_off || state.mishap(0.01) { Err(NotSaved::NoAnswer) } else { Ok(()) }
}

/// The plan's record and its upgrades, as a replica reaches them.
struct PlanStore {
    here: Here,
    /// As last read or written.
    version: u64,
    /// What is remembered with the next write.
    kept: Vec<RolloutRecord>,
}

impl PlanStore {
    /// Writes what is told of the rollout, as the operator writes the plan's status.
    async fn record(&self, progress: &RolloutProgress<NotYet>) -> Result<(), NotSaved> {
        let Some(rollout) = progress.rollout.clone() else { return Ok(()) };
        let record = RolloutRecord::of(&rollout, &progress.upgrades, None);
        let mut history =
            self.here.state().hub.plan.as_ref().map(|plan| plan.history.clone()).unwrap_or_default();
        let before = history.clone();
        remember(&mut history, record);
        if history == before {
            return Ok(());
        }
        let read = self.version;
        self.call(|state| {
            let plan = state.hub.plan.as_mut().filter(|plan| plan.version == read);
            let plan = plan.ok_or(NotSaved::Conflict)?;
            plan.history = history;
            plan.version += 1;
            Ok(())
        })
        .await
    }

    /// One call: the way there, what it does, and the way back, on which the answer may be lost.
    async fn call<T>(&self, effect: impl FnOnce(&mut State) -> Result<T, NotSaved>) -> Result<T, NotSaved> {
        self.here.latency(2, 40).await;
        let (answer, lost) = {
            let mut state = self.here.state();
            reach(&mut state, self.here.replica)?;
            let answer = effect(&mut state);
            (answer, state.mishap(0.005))
        };
        self.here.latency(2, 40).await;
        if lost { Err(NotSaved::NoAnswer) } else { answer }
    }
}

impl RolloutStore for PlanStore {
    type Error = NotSaved;

    async fn save(&mut self, rollout: &Rollout) -> Result<(), NotSaved> {
        let (read, rollout) = (self.version, rollout.clone());
        let kept = std::mem::take(&mut self.kept);
        self.version = self
            .call(|state| {
                let plan = state.hub.plan.as_mut().filter(|plan| plan.version == read);
                let before = plan.ok_or(NotSaved::Conflict)?.rollout.clone();
                Checks::rollout_begins(state, before.as_ref(), &rollout);
                let plan = state.hub.plan.as_mut().ok_or(NotSaved::Conflict)?;
                plan.rollout = Some(rollout);
                kept.into_iter().for_each(|record| remember(&mut plan.history, record));
                plan.version += 1;
                Ok(plan.version)
            })
            .await?;
        Ok(())
    }

    fn keep(&mut self, record: RolloutRecord) {
        self.kept.push(record);
    }

    async fn list(&self) -> Result<Vec<RolloutMember>, NotSaved> {
        self.call(|state| Ok(state.hub.upgrades.iter().chain(&state.hub.past).filter_map(member).collect()))
            .await
    }

    async fn create(&self, rollout: &Rollout, new: &NewMember) -> Result<Creation, NotSaved> {
        self.call(|state| {
            let index = state.hub.upgrades.iter().position(|upgrade| upgrade.cluster == new.cluster);
            let index = index.ok_or(NotSaved::Conflict)?;
            if state.hub.upgrades[index].place.is_some() && state.hub.upgrades[index].rollout != rollout.id {
                // What there was of an earlier rollout stays until it is deleted.
                state.hub.renew(index);
                Checks::begins_anew(state, index);
            }
            let upgrade = &mut state.hub.upgrades[index];
            if upgrade.place.is_none() {
                upgrade.name.clone_from(&new.name);
                upgrade.rollout.clone_from(&rollout.id);
                upgrade.wave.clone_from(&new.wave);
                upgrade.place = Some(new.place);
                upgrade.request.images.clone_from(&rollout.target.images);
                if let Some(version) = rollout.target.kubernetes.as_ref().and_then(|text| text.parse().ok()) {
                    upgrade.request.kubernetes =
                        Some(KubernetesRequest::Version(VersionRequest::Exact(version)));
                }
                upgrade.edited();
                Checks::joins_rollout(state, index);
                state.hub.watchers(index).into_iter().for_each(|task| state.wake(task));
            }
            Ok(Creation::Ours)
        })
        .await
    }

    async fn change(&self, read: &RolloutMember, place: Place) -> Result<RolloutMember, NotSaved> {
        self.call(|state| {
            if let Some(past) = state.hub.past.iter_mut().find(|past| past.name == read.name) {
                past.place = Some(place);
                return member(past).ok_or(NotSaved::Conflict);
            }
            let found = state.hub.upgrades.iter().position(|upgrade| upgrade.name == read.name);
            let index = found.ok_or(NotSaved::Conflict)?;
            let upgrade = &mut state.hub.upgrades[index];
            if upgrade.version.to_string() != read.version {
                return Err(NotSaved::Conflict);
            }
            let admitted = place.admitted && upgrade.place.is_some_and(|before| !before.admitted);
            upgrade.place = Some(place);
            upgrade.edited();
            let changed = member(upgrade).ok_or(NotSaved::Conflict)?;
            if admitted {
                Checks::after_admission(state, index);
            }
            state.hub.watchers(index).into_iter().for_each(|task| state.wake(task));
            Ok(changed)
        })
        .await
    }

    async fn retry(&self, read: &RolloutMember, token: &str) -> Result<RolloutMember, NotSaved> {
        self.call(|state| {
            let found = state.hub.upgrades.iter().position(|upgrade| upgrade.name == read.name);
            let index = found.ok_or(NotSaved::Conflict)?;
            if state.hub.upgrades[index].version.to_string() != read.version {
                return Err(NotSaved::Conflict);
            }
            Checks::after_plan_retry(state, index, token);
            let tasks = state.hub.edit(index, |request| request.retry = Some(token.to_owned()));
            tasks.into_iter().for_each(|task| state.wake(task));
            member(&state.hub.upgrades[index]).ok_or(NotSaved::Conflict)
        })
        .await
    }

    async fn approvals(&self) -> Result<Vec<Approval>, NotSaved> {
        self.call(|state| Ok(state.hub.plan.iter().flat_map(|plan| plan.approvals.clone()).collect())).await
    }

    async fn delete(&self, member: &RolloutMember) -> Result<(), NotSaved> {
        self.call(|state| {
            match state.hub.past.iter().position(|past| past.name == member.name) {
                Some(place) => {
                    let of = state.hub.past[place].clone();
                    Checks::goes_with_its_rollout(state, &of);
                    state.hub.past.remove(place);
                }
                // A rollout that has come to no cluster which this one had: it is there until then.
                None => match state.hub.upgrades.iter().position(|upgrade| upgrade.name == member.name) {
                    Some(index) if Checks::is_continuous(state) => {
                        let of = state.hub.upgrades[index].clone();
                        Checks::goes_with_its_rollout(state, &of);
                        state.hub.renew(index);
                        state.hub.past.retain(|past| past.name != member.name);
                        Checks::begins_anew(state, index);
                    }
                    Some(_) => Checks::after_deletion(state, &member.name),
                    None => {}
                },
            }
            Ok(())
        })
        .await
    }
}

/// An upgrade that the plan has made.
fn member(upgrade: &Upgrade) -> Option<RolloutMember> {
    let place = upgrade.place?;
    let standing = upgrade.record.standing.clone().map(|(reason, message)| MemberStanding {
        is_current: upgrade.record.observed == upgrade.generation,
        stopped: upgrade.record.stopped,
        // What is told of a rollout only, and decides nothing.
        parked: false,
        reason,
        message,
        since: upgrade.stopped_since.unwrap_or_default(),
        next_attempt: None,
        eta: None,
    });
    Some(RolloutMember {
        name: upgrade.name.clone(),
        version: upgrade.version.to_string(),
        cluster: upgrade.cluster.clone(),
        rollout: upgrade.rollout.clone(),
        wave: upgrade.wave.clone(),
        place,
        suspended_by_hand: upgrade.request.suspend,
        retry: upgrade.request.retry.clone(),
        claimed_by: None,
        registered: true,
        inherited_baseline: None,
        ledger: upgrade.record.ledger.clone(),
        standing,
    })
}
