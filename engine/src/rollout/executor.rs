//! Turns a plan into ClusterUpgrades, and decisions about waves into writes, through the ports.
//!
//! The order is the safety. Before clusters start or go on, and before anything is deleted, the record is
//! claimed by a guarded write: of two replicas that believe to lead only one goes on, and nobody acts for
//! a plan that has changed. Holding clusters needs no claim: it does no harm, and is undone if it was wrong.
//! The lease is looked at before every write.

use crate::{
    instants::is_far_ahead,
    ledger::Baseline,
    planted::{PlantedBug, planted},
    ports::{Clock, RolloutStore},
    wave::{MemberState, decide_rollout},
};

use super::{
    Approval, ApprovedWave, Creation, Left, Mode, NewMember, Obstacle, Occasion, Place, Proposal,
    ProposedWave, ResolvedTarget, Rollout, RolloutMember, RolloutProgress, RolloutRecord, RolloutRequest,
    Seen, members_of,
};

/// Does for a plan what can be done now; tells what hinders it.
///
/// `rollout` is the record as it was read. `propose` is asked what the rollout is to consist of until
/// its ClusterUpgrades are made; from then on it goes by them: what Azure offers, and which clusters the
/// selectors find, may change meanwhile. When the rollout of a continuous plan is over, it is asked again.
///
/// # Errors
/// When something could not be read or written: all is decided anew from what is there then.
pub async fn advance_rollout<R, S: RolloutStore, C: Clock>(
    request: &RolloutRequest,
    rollout: Option<Rollout>,
    propose: impl FnOnce(&Occasion) -> Result<Proposal, R>,
    store: &mut S,
    clock: &C,
) -> Result<RolloutProgress<R>, S::Error> {
    if !clock.may_act() {
        let (upgrades, approvals) = (Vec::new(), Vec::new());
        return Ok(RolloutProgress { rollout, upgrades, approvals, obstacle: Some(Obstacle::NotLeading) });
    }
    let upgrades = store.list().await?;
    let mut run = Run { request, rollout, upgrades, approvals: Vec::new(), store, clock };
    let obstacle = match run.advance(propose).await {
        Ok(obstacle) => obstacle,
        Err(Stop::NotLeading) => Some(Obstacle::NotLeading),
        Err(Stop::Store(error)) => return Err(error),
    };
    let Run { rollout, upgrades, approvals, .. } = run;
    Ok(RolloutProgress { rollout, upgrades, approvals, obstacle })
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
    approvals: Vec<Approval>,
    store: &'a mut S,
    clock: &'a C,
}

impl<S: RolloutStore, C: Clock> Run<'_, S, C> {
    async fn advance<R>(
        &mut self,
        propose: impl FnOnce(&Occasion) -> Result<Proposal, R>,
    ) -> Result<Option<Obstacle<R>>, Stop<S::Error>> {
        if self.request.suspend {
            // Before anything else: also when the rest of the plan is wrong, and of earlier rollouts.
            self.suspend_all().await?;
        }
        let present = self.rollout.as_ref().filter(|rollout| rollout.plan_hash == self.request.hash);
        let left = present.and_then(|rollout| self.left(rollout));
        if left.is_some() || present.is_none_or(|rollout| !rollout.members_recorded) {
            let is_new = left.is_some() || present.is_none();
            let target = present.filter(|_| !is_new).map(|rollout| rollout.target.clone());
            let occasion = Occasion { target, left };
            let mut proposal = match propose(&occasion) {
                Ok(proposal) => proposal,
                Err(refusal) => {
                    if present.is_none() {
                        // The plan has changed: what was made for it as it was goes no further, whatever is wrong now.
                        self.suspend_all().await?;
                    }
                    return Ok(Some(Obstacle::Refused(refusal)));
                }
            };
            if planted(PlantedBug::ForgetLateClusters) && occasion.left.is_some() {
                let known = |cluster: &String| self.upgrades.iter().any(|member| member.cluster == *cluster);
                proposal.waves.iter_mut().for_each(|wave| wave.clusters.retain(known));
            }
            if occasion.left.is_none() || !proposal.is_empty() {
                if is_new {
                    if let Some(busy) = self.retire().await? {
                        // Whoever asks means what holds the plan up. All are held: no new step starts.
                        self.hand_on_retry().await?;
                        return Ok(Some(Obstacle::EarlierRollout(Box::new(busy))));
                    }
                    self.begin(&proposal.target).await?;
                } else {
                    self.keep_members(&mut proposal);
                }
                if let Some(taken) = self.create_members(&proposal).await? {
                    return Ok(Some(Obstacle::NameTaken(taken)));
                }
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
        self.hand_on_retry().await?;
        self.admit().await?;
        self.end().await?;
        Ok(None)
    }

    /// What the rollout has left, if it is over and another may follow: not while one of its clusters goes on
    /// that had failed within the budget.
    fn left(&self, rollout: &Rollout) -> Option<Left> {
        let is_continuous = self.request.mode == Mode::Continuous && !self.request.suspend;
        let members = || members_of(Some(rollout), &self.upgrades);
        let ended_at = match rollout.ended_at {
            Some(ended_at) => ended_at,
            None if planted(PlantedBug::StartWhileRunning)
                && members().any(|member| !member.is_finished()) =>
            {
                rollout.started_at
            }
            None if planted(PlantedBug::RestartWhatStopped) && members().any(RolloutMember::is_stopped) => {
                rollout.started_at
            }
            None => return None,
        };
        let goes_on = members().any(RolloutMember::goes_on) && !planted(PlantedBug::StartWhileRunning);
        if !is_continuous || goes_on || planted(PlantedBug::NeverStartAgain) {
            return None;
        }
        let now = self.clock.now();
        let changes = members().filter_map(RolloutMember::last_change).chain([ended_at]);
        let last_change = changes.filter(|at| !is_far_ahead(*at, now)).max();
        let unfinished = members().filter(|member| !member.is_finished() || member.is_skipped());
        Some(Left {
            target: rollout.target.clone(),
            rests_since: last_change.unwrap_or(ended_at),
            clusters: unfinished.map(|member| member.cluster.clone()).collect(),
            found_at_target: members()
                .filter(|member| member.found_nothing())
                .map(|member| member.cluster.clone())
                .collect(),
        })
    }

    /// Notes that every wave is done, so that it stays so whatever becomes of the ClusterUpgrades. When that was
    /// is known of what came to its end; that clusters have failed, left or gone makes an end when it is noticed.
    async fn end(&mut self) -> Result<(), Stop<S::Error>> {
        let Some(rollout) = self.rollout.clone().filter(|rollout| rollout.ended_at.is_none()) else {
            return Ok(());
        };
        let now = self.clock.now();
        let waves = self.seen().waves(self.request, now);
        let states = decide_rollout(&waves, self.request.suspend, now).waves;
        if !rollout.members_recorded || states.iter().any(|state| !state.is_done()) {
            return Ok(());
        }
        let all_there = waves.iter().all(|wave| wave.missing == 0);
        let finished: Option<Vec<_>> = members_of(Some(&rollout), &self.upgrades)
            .map(|member| member.ledger.finished_at.filter(|_| all_there))
            .collect();
        let last = finished.and_then(|finished| finished.into_iter().max());
        let ended_at = last.map_or(now, |last| last.min(now));
        let ended = Rollout { ended_at: Some(ended_at), ..rollout };
        self.store.keep(RolloutRecord::of(&ended, &self.upgrades, None));
        self.save(ended).await
    }

    /// A rollout whose ClusterUpgrades were made in part goes on with those: what the clusters need may have
    /// changed since it began.
    fn keep_members(&self, proposal: &mut Proposal) {
        for member in members_of(self.rollout.as_ref(), &self.upgrades) {
            let in_any = proposal.waves.iter().any(|wave| wave.clusters.contains(&member.cluster));
            let wave = proposal.waves.iter_mut().find(|wave| wave.name == member.wave);
            if let Some(wave) = wave.filter(|_| !in_any) {
                wave.clusters.push(member.cluster.clone());
            }
        }
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
        if let Some(old) = &self.rollout {
            // In the same write: what was done is remembered before anything of it goes.
            self.store.keep(RolloutRecord::of(old, &self.upgrades, Some(self.clock.now())));
        }
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
            // What was asked of an earlier rollout says nothing of this one.
            retry_token: self.request.retry.clone(),
            approved: Vec::new(),
            ended_at: None,
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
                        admitted_at: None,
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
        self.list().await?;
        let wave_sizes = self.wave_sizes(&rollout, proposal);
        self.save(Rollout { members_recorded: true, wave_sizes, ..rollout }).await?;
        Ok(None)
    }

    /// How many clusters each wave has: those whose ClusterUpgrades are there, and those that cannot be read.
    /// The first of them may have been made for an earlier look, before somebody gave a cluster another label.
    fn wave_sizes(&self, rollout: &Rollout, proposal: &Proposal) -> Vec<i32> {
        let made = || self.upgrades.iter().filter(|member| member.rollout == rollout.id);
        let unread = |cluster: &&String| !made().any(|member| member.cluster == **cluster);
        let size = |wave: &ProposedWave| {
            let seen = made().filter(|member| member.wave == wave.name).count();
            seen + wave.clusters.iter().filter(unread).count()
        };
        proposal.waves.iter().map(|wave| i32::try_from(size(wave)).unwrap_or(i32::MAX)).collect()
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

    /// Hands a new token of the plan to its clusters that have stopped, and to no others. A token that is
    /// on record was handed on: that is written last, and who has the token already is left out, so that
    /// somebody who dies in between has it done by the next, and nobody is asked twice.
    async fn hand_on_retry(&mut self) -> Result<(), Stop<S::Error>> {
        let again = planted(PlantedBug::RetryAgain);
        let known = self.rollout.as_ref().and_then(|rollout| rollout.retry_token.as_ref());
        let Some(token) = self.request.retry.as_ref().filter(|token| Some(*token) != known || again).cloned()
        else {
            return Ok(());
        };
        self.claim().await?;
        self.list().await?;
        let present = self.rollout.as_ref().map(|rollout| rollout.id.clone());
        for index in 0..self.upgrades.len() {
            let member = &self.upgrades[index];
            let stopped = member.state() == MemberState::Stopped
                || planted(PlantedBug::RetryAll) && member.state() == MemberState::Running;
            let of_present = Some(&member.rollout) == present.as_ref();
            if stopped && of_present && (member.retry.as_ref() != Some(&token) || again) {
                self.check_lease()?;
                self.upgrades[index] = self.store.retry(member, &token).await.map_err(Stop::Store)?;
            }
        }
        let Some(rollout) = self.rollout.clone() else { return Ok(()) };
        self.save(Rollout { retry_token: Some(token), ..rollout }).await
    }

    /// Lets clusters start: claimed in the record, read again live, then written. Whose approvals let a
    /// wave start is claimed, too, and read again: what was withdrawn before the claim does not count.
    async fn admit(&mut self) -> Result<(), Stop<S::Error>> {
        self.read_approvals().await?;
        let start = self.decide();
        if start.is_empty() {
            return Ok(());
        }
        let (Some(rollout), approved) = (self.rollout.clone(), self.approved(&start)) else { return Ok(()) };
        self.save(Rollout { admissions: rollout.admissions + 1, approved, ..rollout }).await?;
        self.list().await?;
        if !planted(PlantedBug::ApproveUnread) {
            self.read_approvals().await?;
        }
        let start = self.decide();
        if !self.is_recorded(&start) {
            // Somebody has approved or withdrawn meanwhile: recorded with the next look.
            return Ok(());
        }
        let now = self.clock.now();
        for name in start {
            if let Some(index) = self.upgrades.iter().position(|member| member.name == name) {
                let place = self.upgrades[index].place;
                self.change(index, Place { admitted: true, admitted_at: Some(now), ..place }).await?;
            }
        }
        Ok(())
    }

    /// The record of approvals when these are let start.
    fn approved(&self, start: &[String]) -> Vec<ApprovedWave> {
        let mut approved = self.rollout.as_ref().map(|rollout| rollout.approved.clone()).unwrap_or_default();
        let at = self.clock.now();
        for wave in &self.request.waves {
            let starts = |member: &RolloutMember| start.contains(&member.name) && member.wave == wave.name;
            let judged = self.seen().judgement(self.request, wave, at);
            if let Some((_, judgement)) = judged.filter(|_| self.upgrades.iter().any(starts)) {
                approved.retain(|known| known.wave != wave.name);
                let by = judgement.approvers();
                approved.push(ApprovedWave { wave: wave.name.clone(), at, by });
            }
        }
        approved
    }

    /// Whether the record says by whose approvals these start.
    fn is_recorded(&self, start: &[String]) -> bool {
        let recorded = self.rollout.as_ref().map(|rollout| rollout.approved.as_slice()).unwrap_or_default();
        let by = |approved: &[ApprovedWave]| -> Vec<_> {
            approved.iter().map(|wave| (wave.wave.clone(), wave.by.clone())).collect()
        };
        by(&self.approved(start)) == by(recorded)
    }

    /// Reads the approvals if a wave that has not started needs some.
    async fn read_approvals(&mut self) -> Result<(), Stop<S::Error>> {
        let (seen, now) = (self.seen(), self.clock.now());
        let needed = self.request.waves.iter().any(|wave| seen.judgement(self.request, wave, now).is_some());
        if needed {
            self.approvals = self.store.approvals().await.map_err(Stop::Store)?;
        }
        Ok(())
    }

    fn decide(&self) -> Vec<String> {
        let now = self.clock.now();
        decide_rollout(&self.seen().waves(self.request, now), self.request.suspend, now).start
    }

    fn seen(&self) -> Seen<'_> {
        Seen { rollout: self.rollout.as_ref(), upgrades: &self.upgrades, approvals: &self.approvals }
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
