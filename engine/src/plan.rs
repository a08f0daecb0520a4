//! From an observed cluster and a target to the steps that lead there, in order.
//!
//! A pool moves only when it must (it would fall further behind than Azure allows before
//! the next control-plane hop) or at the end, so each pool is rolled as rarely as possible.
//! A version step brings the newest image with it; image steps are for the other pools.

use std::time::Duration;

use jiff::Timestamp;

use crate::{
    cluster::{Cluster, NodePool, Power},
    image,
    offers::Offers,
    path::control_plane_path,
    policy::Policy,
    refusal::{Refusal, preconditions},
    step::{Step, StepKind},
    target::{NodeImagePolicy, Target},
    version::{KubernetesVersion, Minor},
};

/// What would be done to one cluster, and what not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The steps, in the order in which they run.
    pub steps: Vec<PlannedStep>,
    /// Pools that get no step, with the reason.
    pub left_alone: Vec<LeftAlone>,
    /// What a person should know beforehand.
    pub warnings: Vec<String>,
}

/// A step with its reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedStep {
    /// The step.
    pub step: Step,
    /// Why it is needed, and why here.
    pub why: String,
    /// How many nodes it replaces.
    pub nodes: i32,
}

/// A pool without a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftAlone {
    /// Name of the pool.
    pub pool: String,
    /// The reason.
    pub why: String,
}

/// How many minors a pool may be behind its control plane: three from 1.28, two before.
/// Source: "Supported Kubernetes versions in AKS", version skew.
#[must_use]
pub fn allowed_skew(control_plane: Minor) -> u64 {
    if control_plane >= (Minor { major: 1, minor: 28 }) { 3 } else { 2 }
}

/// Plans the way of one cluster to its target.
///
/// # Errors
/// Every reason for which it cannot start, each naming what would have to change.
pub fn plan(
    cluster: &Cluster,
    target: &Target,
    policy: &Policy,
    offers: &Offers,
    now: Timestamp,
) -> Result<Plan, Vec<Refusal>> {
    let mut refusals = preconditions(cluster, target);
    let mut draft = Draft::new(cluster, policy, target);
    if let Some(wanted) = &target.kubernetes {
        draft.plan_versions(wanted, target, offers, &mut refusals);
    }
    draft.plan_images(target, offers, now);
    if refusals.is_empty() { Ok(draft.plan) } else { Err(refusals) }
}

struct Draft<'a> {
    cluster: &'a Cluster,
    policy: &'a Policy,
    /// Pools in order, with the version that they have reached so far in this draft.
    pools: Vec<(&'a NodePool, KubernetesVersion)>,
    plan: Plan,
}

impl<'a> Draft<'a> {
    fn new(cluster: &'a Cluster, policy: &'a Policy, target: &Target) -> Self {
        let mut plan = Plan::default();
        let mut pools: Vec<&NodePool> = Vec::new();
        for pool in &cluster.pools {
            let why = match policy.excluded(pool) {
                Some(index) => format!("spec.nodePools.exclude[{index}]"),
                None if pool.power == Power::Stopped => {
                    "it is stopped, and follows when it is started".to_owned()
                }
                None => {
                    pools.push(pool);
                    continue;
                }
            };
            if target.scope.has_images() {
                plan.left_alone.push(LeftAlone { pool: pool.name.clone(), why });
            }
        }
        pools.sort_by_key(|pool| policy.place(pool));
        let pools = pools.into_iter().map(|pool| (pool, pool.version.clone())).collect();
        Self { cluster, policy, pools, plan }
    }

    fn plan_versions(
        &mut self,
        wanted: &KubernetesVersion,
        target: &Target,
        offers: &Offers,
        refusals: &mut Vec<Refusal>,
    ) {
        let current = &self.cluster.version;
        // Within a minor a newer patch counts as reached: AKS has no way back.
        let goal = if current.minor() == wanted.minor() { wanted.max(current) } else { wanted };
        if current.minor() > goal.minor() {
            refusals.push(Refusal::Downgrade { wanted: wanted.clone(), current: current.clone() });
            return;
        }
        if target.scope.has_control_plane() {
            match control_plane_path(current, goal, offers) {
                Some(stops) => self.plan_hops(&stops, target, refusals),
                None => {
                    refusals.push(Refusal::NotOffered { wanted: wanted.clone(), current: current.clone() })
                }
            }
        } else if goal > current {
            refusals.push(Refusal::PoolsAhead { wanted: wanted.clone(), current: current.clone() });
        }
        if target.scope.has_pool_versions() && refusals.is_empty() {
            for index in 0..self.pools.len() {
                self.move_pool(index, goal, "to the target, after its control plane");
            }
        }
    }

    fn plan_hops(&mut self, stops: &[KubernetesVersion], target: &Target, refusals: &mut Vec<Refusal>) {
        let mut from = self.cluster.version.clone();
        for stop in stops {
            self.force_pools(&from, stop, target, refusals);
            let minors = stop.minor().ahead_of(from.minor());
            let why = match minors {
                0 => "the newest patch".to_owned(),
                1 if stops.len() > 1 => "Azure offers one minor at a time".to_owned(),
                1 => "the next minor".to_owned(),
                _ => format!("Azure offers to skip {} minors", minors - 1),
            };
            let step = Step {
                kind: StepKind::ControlPlane,
                pool: None,
                from: from.to_string(),
                to: stop.to_string(),
            };
            self.plan.steps.push(PlannedStep { step, why, nodes: 0 });
            from = stop.clone();
        }
    }

    /// Moves the pools that would fall too far behind when the control plane goes to `next`.
    fn force_pools(
        &mut self,
        present: &KubernetesVersion,
        next: &KubernetesVersion,
        target: &Target,
        refusals: &mut Vec<Refusal>,
    ) {
        let allowed = allowed_skew(next.minor());
        for index in 0..self.pools.len() {
            if next.minor().ahead_of(self.pools[index].1.minor()) <= allowed {
                continue;
            }
            if target.scope.has_pool_versions() {
                let why = format!("must not be more than {allowed} minors behind control plane {next}");
                self.move_pool(index, present, &why);
            } else {
                refusals.push(Refusal::Skew {
                    pool: self.pools[index].0.name.clone(),
                    next: next.clone(),
                    allowed,
                });
            }
        }
        for pool in &self.cluster.pools {
            if self.policy.excluded(pool).is_some() && next.minor().ahead_of(pool.version.minor()) > allowed {
                refusals.push(Refusal::Skew { pool: pool.name.clone(), next: next.clone(), allowed });
            }
        }
    }

    fn move_pool(&mut self, index: usize, to: &KubernetesVersion, why: &str) {
        let (pool, at) = &mut self.pools[index];
        if *at >= *to {
            return;
        }
        let step = Step {
            kind: StepKind::NodePoolVersion,
            pool: Some(pool.name.clone()),
            from: at.to_string(),
            to: to.to_string(),
        };
        self.plan.steps.push(PlannedStep { step, why: why.to_owned(), nodes: pool.count });
        *at = to.clone();
    }

    fn plan_images(&mut self, target: &Target, offers: &Offers, now: Timestamp) {
        if !target.scope.has_images() || target.node_image == NodeImagePolicy::Skip {
            return;
        }
        for (pool, reached) in &self.pools {
            if *reached != pool.version {
                continue;
            }
            match image_verdict(pool, target.max_image_age, offers, now) {
                Ok(newest) => {
                    let step = Step {
                        kind: StepKind::NodePoolImage,
                        pool: Some(pool.name.clone()),
                        from: pool.node_image.clone(),
                        to: newest.to_owned(),
                    };
                    let why = "Azure offers a newer image".to_owned();
                    self.plan.steps.push(PlannedStep { step, why, nodes: pool.count });
                }
                Err(why) => self.plan.left_alone.push(LeftAlone { pool: pool.name.clone(), why }),
            }
        }
    }
}

/// The image to go to, or why the pool keeps its own.
fn image_verdict<'a>(
    pool: &NodePool,
    max_age: Option<Duration>,
    offers: &'a Offers,
    now: Timestamp,
) -> Result<&'a str, String> {
    let Some(newest) = offers.images.get(&pool.name) else {
        return Err("Azure names no newest image for it".to_owned());
    };
    if pool.node_image == *newest {
        return Err("its version and image are what is wanted".to_owned());
    }
    if let (Some(max_age), Some(published)) = (max_age, image::published(&pool.node_image)) {
        let today = now.to_zoned(jiff::tz::TimeZone::UTC).date();
        let days = i64::from((today - published).get_days());
        let allowed = max_age.as_secs() / 86_400;
        if u64::try_from(days).unwrap_or(0) <= allowed {
            return Err(format!("its image is of {published}, younger than maxImageAge ({allowed} days)"));
        }
    }
    Ok(newest)
}
