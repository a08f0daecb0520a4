//! Turns a plan into ClusterUpgrades, and decisions about waves into writes, through the ports.
//!
//! The order is the safety. Before clusters start or go on, and before anything is deleted, the record is
//! claimed by a guarded write: of two replicas that believe to lead only one goes on, and nobody acts for
//! a plan that has changed. Holding clusters needs no claim: it does no harm, and is undone if it was wrong.
//! The lease is looked at before every write.

use crate::{
    ledger::Baseline,
    ports::{Clock, RolloutStore},
    wave::decide_rollout,
};

use super::{
    Creation, NewMember, Obstacle, Place, Proposal, ResolvedTarget, Rollout, RolloutMember, RolloutProgress,
    RolloutRequest, waves_of,
};

/// Does for a plan what can be done now; tells what hinders it.
///
/// `rollout` is the record as it was read. `propose` is asked what the rollout is to consist of until
/// its ClusterUpgrades are made (`true`: for a new rollout, whose target is to be resolved); from then
/// on it goes by them: what Azure offers, and which clusters the selectors find, may change meanwhile.
///
/// # Errors
/// When something could not be read or written: all is decided anew from what is there then.
pub async fn advance_rollout<R, S: RolloutStore, C: Clock>(
    request: &RolloutRequest,
    rollout: Option<Rollout>,
    propose: impl FnOnce(bool) -> Result<Proposal, R>,
    store: &mut S,
    clock: &C,
) -> Result<RolloutProgress<R>, S::Error> {
    if !clock.may_act() {
        return Ok(RolloutProgress { rollout, upgrades: Vec::new(), obstacle: Some(Obstacle::NotLeading) });
    }
    let upgrades = store.list().await?;
    let mut run = Run { request, rollout, upgrades, store, clock };
    let obstacle = match run.advance(propose).await {
        Ok(obstacle) => obstacle,
        Err(Stop::NotLeading) => Some(Obstacle::NotLeading),
        Err(Stop::Store(error)) => return Err(error),
    };
    Ok(RolloutProgress { rollout: run.rollout, upgrades: run.upgrades, obstacle })
}

/// Why a run ends early.
enum Stop<E> {
    NotLeading,
    Store(E),
}

struct Run<'a, S, C> {
    request: &'a RolloutRequest,
    /// As last read or saved.
    rollout: Option<Rollout>,
    upgrades: Vec<RolloutMember>,
    store: &'a mut S,
    clock: &'a C,
}

impl<S: RolloutStore, C: Clock> Run<'_, S, C> {
    async fn advance<R>(
        &mut self,
        propose: impl FnOnce(bool) -> Result<Proposal, R>,
    ) -> Result<Option<Obstacle<R>>, Stop<S::Error>> {
        if self.request.suspend {
            // Before anything else: also when the rest of the plan is wrong, and of earlier rollouts.
            self.suspend_all().await?;
        }
        let present = self.rollout.as_ref().filter(|rollout| rollout.plan_hash == self.request.hash);
        if present.is_none_or(|rollout| !rollout.members_recorded) {
            let is_new = present.is_none();
            let proposal = match propose(is_new) {
                Ok(proposal) => proposal,
                Err(refusal) => return Ok(Some(Obstacle::Refused(refusal))),
            };
            if is_new {
                if let Some(busy) = self.retire().await? {
                    return Ok(Some(Obstacle::EarlierRollout(Box::new(busy))));
                }
                self.begin(&proposal.target).await?;
            }
            if let Some(taken) = self.create_members(&proposal).await? {
                return Ok(Some(Obstacle::NameTaken(taken)));
            }
        }
        if let Some(busy) = self.sweep().await? {
            return Ok(Some(Obstacle::EarlierRollout(Box::new(busy))));
        }
        if self.request.suspend {
            self.suspend_all().await?;
        } else {
            self.resume().await?;
        }
        self.admit().await?;
        Ok(None)
    }

    /// Ends the rollout of an earlier version of the plan: steps in flight finish, nothing new starts.
    /// Gives one that still has a step in flight.
    async fn retire(&mut self) -> Result<Option<RolloutMember>, Stop<S::Error>> {
        self.suspend_all().await?;
        // One that has stopped needs a person, so it is the one to show.
        let busy = self.upgrades.iter().filter(|member| member.is_busy());
        Ok(busy.max_by_key(|member| member.is_stopped()).cloned())
    }

    async fn begin(&mut self, target: &ResolvedTarget) -> Result<(), Stop<S::Error>> {
        let number = self.rollout.as_ref().map_or(1, |old| old.number + 1);
        let rollout = Rollout {
            id: format!("{}-{number}", self.request.plan),
            number,
            plan_hash: self.request.hash.clone(),
            target: target.clone(),
            started_at: self.clock.now(),
            members_recorded: false,
            wave_sizes: Vec::new(),
            admissions: self.admissions() + 1,
        };
        self.save(rollout).await
    }

    /// Makes every ClusterUpgrade of the rollout once; from then on its members are fixed. Names one
    /// that cannot be made, because its name is taken.
    async fn create_members(&mut self, proposal: &Proposal) -> Result<Option<String>, Stop<S::Error>> {
        let Some(rollout) = self.rollout.clone() else { return Ok(None) };
        for wave in &proposal.waves {
            for cluster in &wave.clusters {
                let new = NewMember {
                    name: format!("{}-{cluster}", rollout.id),
                    cluster: cluster.clone(),
                    wave: wave.name.clone(),
                    place: Place {
                        admitted: false,
                        suspended: self.request.suspend,
                        claim: rollout.admissions,
                    },
                    baseline: self.inherited_baseline(cluster),
                };
                self.check_lease()?;
                match self.store.create(&rollout, &new).await.map_err(Stop::Store)? {
                    Creation::Ours => {}
                    Creation::Taken => return Ok(Some(new.name)),
                }
            }
        }
        let size = |clusters: &[String]| i32::try_from(clusters.len()).unwrap_or(i32::MAX);
        let wave_sizes = proposal.waves.iter().map(|wave| size(&wave.clusters)).collect();
        self.save(Rollout { members_recorded: true, wave_sizes, ..rollout }).await?;
        self.list().await?;
        Ok(None)
    }

    /// The earliest baseline of the cluster's earlier upgrades that did not come to their end.
    fn inherited_baseline(&self, cluster: &str) -> Option<Baseline> {
        let of_cluster = self.upgrades.iter().filter(|member| member.cluster == cluster);
        let baselines = of_cluster.filter_map(RolloutMember::unfinished_baseline);
        baselines.min_by_key(|baseline| baseline.taken_at).cloned()
    }

    /// Deletes what is left of earlier rollouts, once the present one has taken over what matters of it.
    /// Read before the claim: what is of another rollout then is of an earlier one, not of one that
    /// somebody else has begun since the record was read. Nothing of it should be busy any more; gives what
    /// is nevertheless, and stays until it has ended its step.
    async fn sweep(&mut self) -> Result<Option<RolloutMember>, Stop<S::Error>> {
        let Some(present) = self.rollout.as_ref().map(|rollout| rollout.id.clone()) else { return Ok(None) };
        let ends_by_itself = |member: &RolloutMember| member.is_busy() && member.place.suspended;
        let is_left = |member: &RolloutMember| member.rollout != present && !ends_by_itself(member);
        if self.upgrades.iter().any(is_left) {
            self.claim().await?;
        }
        for index in 0..self.upgrades.len() {
            let member = &self.upgrades[index];
            if is_left(member) && member.is_busy() {
                self.change(index, Place { suspended: true, ..member.place }).await?;
            } else if is_left(member) {
                self.check_lease()?;
                self.store.delete(member).await.map_err(Stop::Store)?;
            }
        }
        self.upgrades.retain(|member| member.rollout == present || member.is_busy());
        Ok(self.upgrades.iter().find(|member| member.rollout != present).cloned())
    }

    /// Holds every unfinished upgrade, also those that a person holds: that may end any time.
    async fn suspend_all(&mut self) -> Result<(), Stop<S::Error>> {
        let claim = self.admissions();
        for index in 0..self.upgrades.len() {
            let member = &self.upgrades[index];
            let is_held = member.place.suspended && member.place.claim >= claim;
            if !member.is_finished() && !is_held {
                self.change(index, Place { suspended: true, ..member.place }).await?;
            }
        }
        Ok(())
    }

    /// Lets the members go on that the plan holds. They were read before the claim, and their changes
    /// are guarded by that: had the plan been changed before they were read, the claim would fail; if it
    /// is changed after the claim, whoever holds them for that makes these changes fail.
    async fn resume(&mut self) -> Result<(), Stop<S::Error>> {
        let is_held = |member: &RolloutMember| member.place.suspended && !member.is_finished();
        if !self.upgrades.iter().any(is_held) {
            return Ok(());
        }
        self.claim().await?;
        for index in 0..self.upgrades.len() {
            let member = &self.upgrades[index];
            if is_held(member) {
                self.change(index, Place { suspended: false, ..member.place }).await?;
            }
        }
        Ok(())
    }

    /// Lets clusters start: claimed in the record, read again live, then written.
    async fn admit(&mut self) -> Result<(), Stop<S::Error>> {
        if self.decide().is_empty() {
            return Ok(());
        }
        self.claim().await?;
        self.list().await?;
        for name in self.decide() {
            if let Some(index) = self.upgrades.iter().position(|member| member.name == name) {
                let place = self.upgrades[index].place;
                self.change(index, Place { admitted: true, ..place }).await?;
            }
        }
        Ok(())
    }

    fn decide(&self) -> Vec<String> {
        let waves = waves_of(self.request, self.rollout.as_ref(), &self.upgrades);
        decide_rollout(&waves, self.request.suspend).start
    }

    async fn claim(&mut self) -> Result<(), Stop<S::Error>> {
        let Some(rollout) = self.rollout.clone() else { return Ok(()) };
        self.save(Rollout { admissions: rollout.admissions + 1, ..rollout }).await
    }

    async fn save(&mut self, rollout: Rollout) -> Result<(), Stop<S::Error>> {
        self.check_lease()?;
        self.store.save(&rollout).await.map_err(Stop::Store)?;
        self.rollout = Some(rollout);
        Ok(())
    }

    async fn list(&mut self) -> Result<(), Stop<S::Error>> {
        self.upgrades = self.store.list().await.map_err(Stop::Store)?;
        Ok(())
    }

    async fn change(&mut self, index: usize, place: Place) -> Result<(), Stop<S::Error>> {
        self.check_lease()?;
        let place = Place { claim: self.admissions(), ..place };
        let changed = self.store.change(&self.upgrades[index], place).await.map_err(Stop::Store)?;
        self.upgrades[index] = changed;
        Ok(())
    }

    fn admissions(&self) -> i64 {
        self.rollout.as_ref().map_or(0, |rollout| rollout.admissions)
    }

    fn check_lease(&self) -> Result<(), Stop<S::Error>> {
        if self.clock.may_act() { Ok(()) } else { Err(Stop::NotLeading) }
    }
}
