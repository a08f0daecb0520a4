//! The ports of a rollout, onto the played hub.

use engine::{Approval, Creation, NewMember, Place, Rollout, RolloutMember, RolloutRecord, RolloutStore};

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{
    checks,
    played::{Upgrade, World, member},
};

/// Somebody else wrote first.
#[derive(Debug)]
pub(super) struct Conflict;

/// The hub, as one look of the operator reaches it.
pub(super) struct Store<'a> {
    /// Reads have `&self`; nobody else looks meanwhile.
    world: Mutex<&'a mut World>,
    plan: usize,
    /// Of the plan, as read or last written.
    version: u64,
}

impl<'a> Store<'a> {
    pub(super) fn new(world: &'a mut World, plan: usize) -> Self {
        let version = world.plans[plan].version;
        Self { world: Mutex::new(world), plan, version }
    }

    fn world(&self) -> MutexGuard<'_, &'a mut World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn seen(world: &World, name: &str) -> RolloutMember {
        let upgrade = &world.upgrades[name];
        let cluster = &world.clusters[&upgrade.member.cluster];
        RolloutMember {
            claimed_by: world.claimant(name),
            registered: cluster.registered,
            ..upgrade.member.clone()
        }
    }

    fn guarded(world: &World, read: &RolloutMember) -> Result<(), Conflict> {
        let there = world.upgrades.get(&read.name);
        there.filter(|there| there.member.version == read.version).map(drop).ok_or(Conflict)
    }
}

impl RolloutStore for Store<'_> {
    type Error = Conflict;

    async fn save(&mut self, rollout: &Rollout) -> Result<(), Conflict> {
        let (plan, read) = (self.plan, self.version);
        let version = {
            let mut world = self.world();
            if world.plans[plan].version != read {
                return Err(Conflict);
            }
            world.plans[plan].version += 1;
            world.plans[plan].rollout = Some(rollout.clone());
            // Whoever withdraws does so at any time, also right now.
            let likely = if rollout.approved.is_empty() { 0.02 } else { 0.2 };
            if world.dice.f64() < likely {
                world.withdraw(plan);
            }
            world.plans[plan].version
        };
        self.version = version;
        Ok(())
    }

    fn keep(&mut self, _: RolloutRecord) {}

    async fn list(&self) -> Result<Vec<RolloutMember>, Conflict> {
        let world = self.world();
        let ours = world.upgrades.iter().filter(|(_, upgrade)| upgrade.plan == self.plan);
        Ok(ours.map(|(name, _)| Self::seen(&world, name)).collect())
    }

    async fn create(&self, rollout: &Rollout, new: &NewMember) -> Result<Creation, Conflict> {
        let mut world = self.world();
        if !world.upgrades.contains_key(&new.name) {
            let made = world.event();
            let mut made_member = member(&new.name, &new.cluster, &new.wave, &rollout.id);
            (made_member.place, made_member.version) = (new.place, made.to_string());
            world.tell(&format!("{} of {} is made", new.name, new.wave));
            world.upgrades.insert(new.name.clone(), Upgrade::new(made_member, self.plan, made));
        }
        // The process may die in between.
        if world.dice.f64() < 0.02 { Err(Conflict) } else { Ok(Creation::Ours) }
    }

    async fn change(&self, read: &RolloutMember, place: Place) -> Result<RolloutMember, Conflict> {
        let mut world = self.world();
        Self::guarded(&world, read)?;
        let (event, now) = (world.event(), world.now);
        let starts = place.admitted && !read.place.admitted;
        if starts {
            world.tell(&format!("{} of {} is let start", read.name, read.wave));
            checks::admission(&mut world, &read.name);
        }
        if let Some(upgrade) = world.upgrades.get_mut(&read.name) {
            upgrade.admitted_at = if starts { Some(now) } else { upgrade.admitted_at };
            upgrade.member.place = place;
            upgrade.member.version = event.to_string();
        }
        Ok(Self::seen(&world, &read.name))
    }

    async fn retry(&self, read: &RolloutMember, token: &str) -> Result<RolloutMember, Conflict> {
        let mut world = self.world();
        Self::guarded(&world, read)?;
        let event = world.event();
        world.tell(&format!("{} is asked for another try", read.name));
        checks::retry(&mut world, &read.name, token);
        if let Some(upgrade) = world.upgrades.get_mut(&read.name) {
            upgrade.member.retry = Some(token.to_owned());
            upgrade.member.version = event.to_string();
        }
        Ok(Self::seen(&world, &read.name))
    }

    async fn approvals(&self) -> Result<Vec<Approval>, Conflict> {
        Ok(self.world().plans[self.plan].approvals.clone())
    }

    async fn delete(&self, read: &RolloutMember) -> Result<(), Conflict> {
        let mut world = self.world();
        Self::guarded(&world, read)?;
        world.upgrades.remove(&read.name);
        Ok(())
    }
}
