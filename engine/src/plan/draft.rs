//! A plan in the making: the pools where they have come to so far, and what has turned up in the way.

mod repair;

use std::{collections::BTreeMap, slice};

use jiff::Timestamp;

use super::{
    LeftAlone, Outline, Plan, PlannedStep, Stays, image,
    part::{Part, part_of},
};
use crate::{
    cluster::{Cluster, NodePool},
    lag::Lag,
    offers::Offers,
    path::{Journey, NoWay, is_long_term_only},
    planted::{PlantedBug, planted},
    policy::Policy,
    refusal::{Refusal, preconditions},
    step::{Step, StepKind},
    target::Target,
    version::{KubernetesVersion, allowed_skew},
};
use repair::Trouble;

/// A pool that takes part, with the version that it has reached so far.
struct Moving<'a> {
    pool: &'a NodePool,
    at: KubernetesVersion,
    /// What is the matter with it, and no step before this one repairs.
    trouble: Option<Trouble>,
}

impl Moving<'_> {
    /// The oldest version that may run in it.
    fn oldest(&self) -> &KubernetesVersion {
        match &self.trouble {
            Some(Trouble::Older(runs)) => runs,
            Some(Trouble::Failed) | None => &self.at,
        }
    }
}

pub(super) struct Draft<'a> {
    cluster: &'a Cluster,
    lag: &'a Lag,
    target: &'a Target,
    offers: &'a Offers,
    /// Pools that take part, in order.
    moving: Vec<Moving<'a>>,
    /// Pools that no step touches.
    standing: Vec<(&'a NodePool, Stays)>,
    plan: Plan,
    refusals: Vec<Refusal>,
}

impl<'a> Draft<'a> {
    pub(super) fn new(
        cluster: &'a Cluster,
        lag: &'a Lag,
        target: &'a Target,
        policy: &'a Policy,
        offers: &'a Offers,
    ) -> Self {
        let mut draft = Self {
            cluster,
            lag,
            target,
            offers,
            moving: Vec::new(),
            standing: Vec::new(),
            plan: Plan::default(),
            refusals: preconditions(cluster),
        };
        for pool in &cluster.pools {
            match part_of(pool, target, policy) {
                Part::Moves => match draft.barred(pool) {
                    Some(why) => draft.leave(pool, why),
                    None => {
                        let trouble = Trouble::of(pool, target, lag);
                        draft.moving.push(Moving { pool, at: pool.version.clone(), trouble });
                    }
                },
                Part::Stays(why) => draft.leave(pool, why),
                Part::Refused(refusal) => draft.refusals.push(refusal),
            }
        }
        if cluster.node_provisioning {
            draft.plan.left_alone.push(LeftAlone { pool: None, why: Stays::Provisioned });
        }
        draft.moving.sort_by_key(|moving| policy.place(moving.pool));
        draft
    }

    fn leave(&mut self, pool: &'a NodePool, why: Stays) {
        self.plan.left_alone.push(LeftAlone { pool: Some(pool.name.clone()), why: why.clone() });
        self.standing.push((pool, why));
    }

    /// Why a pool that is to get another version cannot now: an image comes with it that is not the pinned one.
    /// A broken pool is repaired nevertheless.
    fn barred(&self, pool: &NodePool) -> Option<Stays> {
        let wanted = self.target.kubernetes.as_ref().filter(|_| self.target.scope.has_pool_versions())?;
        let moves = pool.version < *wanted && !pool.provisioning_state.is_broken();
        let pins = (self.target.node_image, &self.target.images);
        image::barred(pool, pins, self.offers).filter(|_| moves)
    }

    /// The whole of it, but for the remarks.
    pub(super) fn outline(mut self, now: Timestamp) -> Outline {
        match self.control_plane_stops() {
            Ok(stops) => {
                let behind = self.control_plane_behind();
                let repair = behind.map(|_| self.cluster.version.clone());
                let hops: Vec<_> = repair.into_iter().chain(stops.iter().cloned()).collect();
                self.check_hops(&hops);
                if let Some(runs) = behind {
                    self.repair_control_plane(runs);
                }
                self.plan_hops(&stops);
                self.plan_pools(now);
                self.check_pools_follow();
                if planted(PlantedBug::PoolsFirst) {
                    self.plan.steps.reverse();
                }
            }
            // Where the control plane cannot go, no pool can follow.
            Err(refusal) => self.refusals.push(*refusal),
        }
        Outline { plan: self.plan, refusals: self.refusals }
    }

    /// The control plane's way; empty when it stays where it is.
    fn control_plane_stops(&self) -> Result<Vec<KubernetesVersion>, Box<Refusal>> {
        let Some(wanted) = self.target.kubernetes.clone() else { return Ok(Vec::new()) };
        let current = self.cluster.version.clone();
        if !self.target.scope.has_control_plane() {
            let ahead = wanted > current;
            return if ahead {
                Err(Box::new(Refusal::PoolsAhead { wanted, current }))
            } else {
                Ok(Vec::new())
            };
        }
        if current.minor() > wanted.minor() {
            return Err(Box::new(Refusal::Downgrade { wanted, current }));
        }
        if current >= wanted {
            // Within a minor a newer patch counts as reached: AKS has no way back.
            return Ok(Vec::new());
        }
        let mut pools = BTreeMap::new();
        for moving in &self.moving {
            *pools.entry(moving.at.minor()).or_insert(0) += 1;
        }
        let journey = Journey {
            from: &current,
            to: &wanted,
            offers: self.offers,
            long_term: self.cluster.is_long_term(),
            pools: &pools,
        };
        let stops = journey.stops();
        stops.map_err(|why| {
            Box::new(match why {
                NoWay::NotOffered => Refusal::NotOffered { wanted, current },
                NoWay::LongTermOnly => Refusal::LongTermOnly { wanted },
                NoWay::Preview(preview) => Refusal::OverPreview { wanted, preview },
                NoWay::TooLong { from, next } => Refusal::WholeClusterOnly { current: from, next },
            })
        })
    }

    /// What forbids the hops: a channel that acts by itself, and pools that stay where they are.
    fn check_hops(&mut self, stops: &[KubernetesVersion]) {
        let Some(first) = stops.first() else { return };
        if let Some(channel) = self.cluster.auto_upgrade_channel.clone() {
            self.refusals.push(Refusal::AutoUpgrade { channel });
        }
        for (pool, stays) in &self.standing {
            let provisioned = *stays == Stays::Provisioned;
            if pool.provisioning_state.is_broken() && !provisioned {
                self.refusals.push(Refusal::PoolNotReady {
                    pool: pool.name.clone(),
                    state: pool.provisioning_state.clone(),
                    stays: format!("left alone ({stays})"),
                    version: pool.version.clone(),
                });
            }
            // Provisioned nodes follow after each hop: only the first one finds them where they are.
            let hops = if provisioned { slice::from_ref(first) } else { stops };
            let too_far = |next: &&KubernetesVersion| {
                next.minor().ahead_of(pool.version.minor()) > allowed_skew(next.minor())
            };
            if let Some(next) = hops.iter().find(too_far) {
                self.refusals.push(Refusal::Skew {
                    pool: pool.name.clone(),
                    stays: stays.clone(),
                    next: next.clone(),
                    allowed: allowed_skew(next.minor()),
                });
            }
        }
    }

    fn plan_hops(&mut self, stops: &[KubernetesVersion]) {
        let mut from = self.cluster.version.clone();
        for stop in stops {
            self.force_pools(&from, stop);
            let minors = stop.minor().ahead_of(from.minor());
            let why = match minors {
                0 => "the newest patch".to_owned(),
                1 if stops.len() > 1 => "Azure offers one minor at a time".to_owned(),
                1 => "the next minor".to_owned(),
                _ => format!("Azure offers to skip {}", minors_in_words(minors - 1)),
            };
            let step = Step {
                kind: StepKind::ControlPlane,
                pool: None,
                from: from.to_string(),
                to: stop.to_string(),
            };
            let why = format!("{why}{}", self.meanwhile(stop));
            self.plan.steps.push(PlannedStep { step, why, nodes: 0, repair: false });
            from = stop.clone();
        }
    }

    /// What the pools do while the control plane is at `stop`.
    fn meanwhile(&self, stop: &KubernetesVersion) -> String {
        let oldest = self.moving.iter().map(|moving| moving.at.minor()).min();
        match oldest.map(|oldest| (oldest, stop.minor().ahead_of(oldest))) {
            Some((oldest, behind @ 2..)) => {
                format!("; pools stay at {oldest} meanwhile: {behind} minors behind is allowed")
            }
            Some(_) | None => String::new(),
        }
    }

    /// Moves the pools that would fall too far behind when the control plane goes to `next`, and
    /// repairs the others.
    fn force_pools(&mut self, present: &KubernetesVersion, next: &KubernetesVersion) {
        let allowed = if planted(PlantedBug::IgnoreSkew) { u64::MAX } else { allowed_skew(next.minor()) };
        for index in 0..self.moving.len() {
            let oldest = self.moving[index].oldest();
            if next.minor().ahead_of(oldest.minor()) > allowed {
                let why =
                    format!("must not be more than {} behind control plane {next}", minors_in_words(allowed));
                self.move_pool(index, present, &why);
            }
            if self.moving[index].trouble.is_some() {
                self.repair(index, " before the control plane moves");
            }
        }
    }

    /// The final step of each pool, in order: its version, or else its image.
    fn plan_pools(&mut self, now: Timestamp) {
        let versions = self.target.scope.has_pool_versions();
        if let Some(wanted) = self.target.kubernetes.clone().filter(|_| versions) {
            self.check_pool_version(&wanted);
        }
        for index in 0..self.moving.len() {
            if let Some(wanted) = self.target.kubernetes.clone().filter(|_| versions) {
                self.move_pool(index, &wanted, "to the target, after its control plane");
            }
            if self.moving[index].trouble.is_some() {
                self.repair(index, "");
                continue;
            }
            let Moving { pool, at, .. } = &self.moving[index];
            if *at == pool.version && !self.has_repaired(pool) {
                self.plan_image(pool, now);
            }
        }
    }

    /// Pools go to the version of their control plane, or to one that the region has for them.
    fn check_pool_version(&mut self, wanted: &KubernetesVersion) {
        let moves = self.moving.iter().any(|moving| moving.at < *wanted);
        let with_control_plane = self.cluster.version <= *wanted;
        let long_term = self.cluster.is_long_term();
        let offered = self.offers.has(wanted) && (long_term || !is_long_term_only(wanted, self.offers));
        if moves && !with_control_plane && !offered {
            let (wanted, current) = (wanted.clone(), self.cluster.version.clone());
            self.refusals.push(Refusal::PoolsNotOffered { wanted, current });
        }
    }

    fn move_pool(&mut self, index: usize, to: &KubernetesVersion, why: &str) {
        let Moving { pool, at, trouble } = &mut self.moving[index];
        if *at >= *to {
            return;
        }
        let why = match trouble.take() {
            Some(trouble) => format!("{why}; {}", trouble.words(at)),
            None => why.to_owned(),
        };
        let (pool, step) = (*pool, pool_step(pool, at, to));
        *at = to.clone();
        self.push(pool, step, why, false);
    }

    /// A pool of which the number of nodes is not known gets no step: whether one is done is told by
    /// counting.
    fn push(&mut self, pool: &NodePool, step: Step, why: String, repair: bool) {
        match pool.count {
            Some(nodes) => self.plan.steps.push(PlannedStep { step, why, nodes, repair }),
            None => {
                let refusal = Refusal::CountUnknown { pool: pool.name.clone() };
                if !self.refusals.contains(&refusal) {
                    self.refusals.push(refusal);
                }
            }
        }
    }

    fn plan_image(&mut self, pool: &NodePool, now: Timestamp) {
        match image::verdict(pool, self.target, self.offers, now) {
            Ok(newest) => {
                let step = Step {
                    kind: StepKind::NodePoolImage,
                    pool: Some(pool.name.clone()),
                    from: pool.node_image.clone(),
                    to: newest.to_owned(),
                };
                let why = "Azure offers a newer image".to_owned();
                self.push(pool, step, why, false);
            }
            Err(why) => self.plan.left_alone.push(LeftAlone { pool: Some(pool.name.clone()), why }),
        }
    }
}

fn pool_step(pool: &NodePool, from: &KubernetesVersion, to: &KubernetesVersion) -> Step {
    Step {
        kind: StepKind::NodePoolVersion,
        pool: Some(pool.name.clone()),
        from: from.to_string(),
        to: to.to_string(),
    }
}

fn minors_in_words(minors: u64) -> String {
    if minors == 1 { "1 minor".to_owned() } else { format!("{minors} minors") }
}
