//! The ports as one process sees them that believes to lead.

use jiff::Timestamp;

use super::{Conflict, State, World};
use crate::{
    Clock, Creation, NewMember, Phase, Place, Rollout, RolloutMember, RolloutStore, rollout::tests::member,
};

/// A process that believes to lead.
pub(super) struct Replica<'a> {
    pub(super) world: &'a World,
    pub(super) shared: bool,
    /// Of the plan, as read or last written.
    pub(super) plan_version: u64,
    /// When it last wrote the record.
    pub(super) claimed_at: u64,
}

impl Replica<'_> {
    fn guarded(state: &State, member: &RolloutMember) -> Result<(), Conflict> {
        let there = state.members.get(&member.name);
        if there.is_some_and(|there| there.version == member.version) { Ok(()) } else { Err(Conflict) }
    }
}

impl RolloutStore for Replica<'_> {
    type Error = Conflict;

    async fn save(&mut self, rollout: &Rollout) -> Result<(), Conflict> {
        let read = self.plan_version;
        let (version, at) = self
            .world
            .port(self.shared, true, |state| {
                if state.plan_version != read {
                    return Err(Conflict);
                }
                state.plan_version += 1;
                state.record = Some(rollout.clone());
                Ok((state.plan_version, state.events))
            })
            .await?;
        (self.plan_version, self.claimed_at) = (version, at);
        Ok(())
    }

    async fn list(&self) -> Result<Vec<RolloutMember>, Conflict> {
        Ok(self.world.port(self.shared, false, |state| state.members.values().cloned().collect()).await)
    }

    async fn create(&self, rollout: &Rollout, new: &NewMember) -> Result<Creation, Conflict> {
        let NewMember { name, cluster, wave, place, baseline } = new.clone();
        self.world
            .port(self.shared, true, |state| {
                if state.taken.as_ref() == Some(&name) {
                    return Ok(Creation::Taken);
                }
                if state.members.contains_key(&name) {
                    return Ok(Creation::Ours);
                }
                let present = state.record.as_ref().is_some_and(|present| present.id == rollout.id);
                let first = state.made.insert((rollout.id.clone(), cluster.clone()));
                assert!(first || !present, "{name} is made once");
                let version = state.events.to_string();
                state.members.insert(
                    name.clone(),
                    RolloutMember {
                        cluster,
                        rollout: rollout.id.clone(),
                        wave,
                        place,
                        inherited_baseline: baseline,
                        name,
                        version,
                        ..member(false)
                    },
                );
                Ok(Creation::Ours)
            })
            .await
    }

    async fn change(&self, member: &RolloutMember, place: Place) -> Result<RolloutMember, Conflict> {
        self.world
            .port(self.shared, true, |state| {
                Self::guarded(state, member)?;
                if place.admitted && !member.place.admitted {
                    state.admit(&member.name, self.claimed_at);
                }
                let goes_on = member.place.suspended && !place.suspended;
                assert!(
                    !(goes_on && state.all_held),
                    "{} goes on although the plan is suspended",
                    member.name
                );
                state.members.get_mut(&member.name).unwrap().place = place;
                let changed = state.members.get_mut(&member.name).unwrap();
                changed.version = state.events.to_string();
                if let Some(standing) = &mut changed.standing {
                    standing.is_current = false;
                }
                Ok(changed.clone())
            })
            .await
    }

    async fn delete(&self, member: &RolloutMember) -> Result<(), Conflict> {
        self.world
            .port(self.shared, true, |state| {
                if !state.members.contains_key(&member.name) {
                    return Ok(());
                }
                Self::guarded(state, member)?;
                let there = state.members.remove(&member.name).unwrap();
                state.stopped_at.remove(&member.name);
                let operation = there.ledger.operation.map(|operation| operation.phase);
                assert!(
                    matches!(operation, None | Some(Phase::Intent)),
                    "{} is deleted with a step in flight",
                    member.name
                );
                Ok(())
            })
            .await
    }
}

impl Clock for World {
    fn now(&self) -> Timestamp {
        self.state().now
    }

    fn may_act(&self) -> bool {
        let state = self.state();
        state.calls < state.lease_ends
    }
}
