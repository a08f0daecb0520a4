//! A plan over all clusters: its record on the hub, and the loop of a replica that carries it on.

use std::time::Duration;

use engine::{
    Creation, MemberStanding, NewMember, Place, Proposal, ProposedWave, RequestedWave, ResolvedTarget,
    Rollout, RolloutMember, RolloutRequest, RolloutStore, advance_rollout,
};

use super::{
    case::Case,
    checks::Checks,
    hub::{NotSaved, Upgrade, backoff},
    lease::Health,
    sim::{Here, State},
};

/// Name of the plan.
pub(super) const PLAN: &str = "p";
/// With nothing to do, it looks again after this.
const PERIOD: Duration = Duration::from_secs(600);

/// The plan, as stored.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) request: RolloutRequest,
    pub(super) rollout: Option<Rollout>,
    /// Its resourceVersion.
    pub(super) version: u64,
}

/// What a seed says of a plan: its waves, each with the clusters that belong to it.
pub(super) type Waves = Vec<(RequestedWave, Vec<String>)>;

impl Plan {
    /// The plan of a case, if it has one.
    pub(super) fn of(case: &Case) -> Option<Self> {
        let waves = case.waves.as_ref()?.iter().map(|(wave, _)| wave.clone()).collect();
        let request = RolloutRequest { plan: PLAN.to_owned(), hash: "1".to_owned(), suspend: false, waves };
        Some(Self { request, rollout: None, version: 1 })
    }
}

/// Carries the plan on, until the replica ends.
pub(super) async fn run(here: Here, waves: Waves) {
    here.latency(10, 1000).await;
    let mut failures = 0;
    loop {
        match reconcile(&here, &waves).await {
            Ok(()) => {
                failures = 0;
                here.idle(PERIOD).await;
            }
            Err(_) => {
                failures += 1;
                here.idle(backoff(failures)).await;
            }
        }
    }
}

async fn reconcile(here: &Here, waves: &Waves) -> Result<(), NotSaved> {
    here.latency(2, 40).await;
    let plan = {
        let mut state = here.state();
        reach(&mut state, here.replica)?;
        state.hub.plan.clone().ok_or(NotSaved::Conflict)?
    };
    here.latency(2, 40).await;
    let propose = |_is_new| {
        let wave = |(wave, clusters): &(RequestedWave, Vec<String>)| ProposedWave {
            name: wave.name.clone(),
            clusters: clusters.clone(),
        };
        let waves = waves.iter().map(wave).collect();
        Ok::<_, std::convert::Infallible>(Proposal { target: ResolvedTarget::default(), waves })
    };
    let mut store = PlanStore { here: here.clone(), version: plan.version };
    advance_rollout(&plan.request, plan.rollout, propose, &mut store, here).await.map(drop)
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
}

impl PlanStore {
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
        self.version = self
            .call(|state| {
                let plan = state.hub.plan.as_mut().filter(|plan| plan.version == read);
                let plan = plan.ok_or(NotSaved::Conflict)?;
                plan.rollout = Some(rollout);
                plan.version += 1;
                Ok(plan.version)
            })
            .await?;
        Ok(())
    }

    async fn list(&self) -> Result<Vec<RolloutMember>, NotSaved> {
        self.call(|state| Ok(state.hub.upgrades.iter().filter_map(member).collect())).await
    }

    async fn create(&self, rollout: &Rollout, new: &NewMember) -> Result<Creation, NotSaved> {
        self.call(|state| {
            let upgrade = state.hub.upgrades.iter_mut().find(|upgrade| upgrade.cluster == new.cluster);
            let upgrade = upgrade.ok_or(NotSaved::Conflict)?;
            if upgrade.place.is_none() {
                upgrade.name.clone_from(&new.name);
                upgrade.rollout.clone_from(&rollout.id);
                upgrade.wave.clone_from(&new.wave);
                upgrade.place = Some(new.place);
                upgrade.edited();
            }
            Ok(Creation::Ours)
        })
        .await
    }

    async fn change(&self, read: &RolloutMember, place: Place) -> Result<RolloutMember, NotSaved> {
        self.call(|state| {
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

    async fn delete(&self, member: &RolloutMember) -> Result<(), NotSaved> {
        self.call(|state| {
            Checks::after_deletion(state, &member.name);
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
        reason,
        message,
    });
    Some(RolloutMember {
        name: upgrade.name.clone(),
        version: upgrade.version.to_string(),
        cluster: upgrade.cluster.clone(),
        rollout: upgrade.rollout.clone(),
        wave: upgrade.wave.clone(),
        place,
        suspended_by_hand: upgrade.request.suspend,
        inherited_baseline: None,
        ledger: upgrade.record.ledger.clone(),
        standing,
    })
}
