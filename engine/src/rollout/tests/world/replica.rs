//! The ports as one process sees them that believes to lead.

use jiff::Timestamp;

use super::{Conflict, State, World};
use crate::{
    Approval, Clock, Creation, NewMember, Phase, Place, Rollout, RolloutMember, RolloutRecord, RolloutStore,
    remember, rollout::tests::member,
};

/// A process that believes to lead.
pub(super) struct Replica<'a> {
    pub(super) world: &'a World,
    pub(super) shared: bool,
    /// Of the plan, as read or last written.
    pub(super) plan_version: u64,
    /// When it last wrote the record.
    pub(super) claimed_at: u64,
    /// What is remembered with the next write of the record.
    pub(super) kept: Vec<RolloutRecord>,
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
        let (read, kept) = (self.plan_version, std::mem::take(&mut self.kept));
        let (version, at) = self
            .world
            .port(self.shared, true, |state| {
                if state.plan_version != read {
                    return Err(Conflict);
                }
                state.plan_version += 1;
                state.begins(rollout);
                state.record = Some(rollout.clone());
                let gone = state.withdrawn.take_if(|_| !rollout.approved.is_empty());
                state.approvals.retain(|approval| Some(&approval.name) != gone.as_ref());
                kept.into_iter().for_each(|record| remember(&mut state.history, record));
                Ok((state.plan_version, state.events))
            })
            .await?;
        (self.plan_version, self.claimed_at) = (version, at);
        Ok(())
    }

    fn keep(&mut self, record: RolloutRecord) {
        self.kept.push(record);
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
                state.let_go_on_at = state.calls;
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
                if goes_on {
                    state.let_go_on_at = state.calls;
                }
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

    async fn retry(&self, member: &RolloutMember, token: &str) -> Result<RolloutMember, Conflict> {
        self.world
            .port(self.shared, true, |state| {
                Self::guarded(state, member)?;
                let changed = state.members.get_mut(&member.name).unwrap();
                assert!(changed.is_stopped(), "{} has not stopped", member.name);
                assert_ne!(changed.retry.as_deref(), Some(token), "{} is asked twice", member.name);
                changed.retry = Some(token.to_owned());
                changed.version = state.events.to_string();
                Ok(changed.clone())
            })
            .await
    }

    async fn approvals(&self) -> Result<Vec<Approval>, Conflict> {
        Ok(self.world.port(self.shared, false, |state| state.approvals.clone()).await)
    }

    async fn delete(&self, member: &RolloutMember) -> Result<(), Conflict> {
        self.world
            .port(self.shared, true, |state| {
                if !state.members.contains_key(&member.name) {
                    return Ok(());
                }
                Self::guarded(state, member)?;
                let there = state.members.remove(&member.name).unwrap();
                // What was made after the record of its rollout had gone has done nothing.
                let has_done = there.place.admitted;
                let is_known = !has_done || state.history.iter().any(|known| known.id == there.rollout);
                assert!(is_known, "{} is deleted, and nothing tells of {}", there.name, there.rollout);
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
