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
    os_sku,
    path::control_plane_path,
    policy::Policy,
    refusal::{Refusal, preconditions},
    step::{Step, StepKind},
    target::{NodeImagePolicy, Target},
    version::{KubernetesVersion, allowed_skew},
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
    let mut draft = Draft::new(cluster, policy, target);
    if let Some(wanted) = &target.kubernetes {
        draft.plan_control_plane(wanted, offers);
        draft.check_os_skus(wanted);
    }
    draft.plan_pools(offers, now);
    if draft.refusals.is_empty() { Ok(draft.plan) } else { Err(draft.refusals) }
}

struct Draft<'a> {
    cluster: &'a Cluster,
    policy: &'a Policy,
    target: &'a Target,
    /// Pools in order, with the version that they have reached so far in this draft.
    pools: Vec<(&'a NodePool, KubernetesVersion)>,
    plan: Plan,
    refusals: Vec<Refusal>,
}

impl<'a> Draft<'a> {
    fn new(cluster: &'a Cluster, policy: &'a Policy, target: &'a Target) -> Self {
        let mut plan = Plan::default();
        let mut pools: Vec<&NodePool> = Vec::new();
        for pool in &cluster.pools {
            let why = match policy.excluded(pool) {
                Some(index) => format!("spec.nodePools.exclude[{index}]"),
                None if pool.power == Power::Stopped => {
                    "it is stopped, and follows when it is started".to_owned()
                }
                None if pool.is_managed_by_azure() => {
                    "Azure makes and replaces its nodes by itself (node auto-provisioning)".to_owned()
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
        Self { cluster, policy, target, pools, plan, refusals: preconditions(cluster, target) }
    }

    fn plan_control_plane(&mut self, wanted: &KubernetesVersion, offers: &Offers) {
        let (current, wanted) = (self.cluster.version.clone(), wanted.clone());
        if !self.target.scope.has_control_plane() {
            if wanted > current {
                self.refusals.push(Refusal::PoolsAhead { wanted, current });
            }
        } else if current.minor() > wanted.minor() {
            self.refusals.push(Refusal::Downgrade { wanted, current });
        } else if current < wanted {
            // Within a minor a newer patch counts as reached: AKS has no way back.
            match control_plane_path(&current, &wanted, offers) {
                Some(stops) => self.plan_hops(&stops),
                None => self.refusals.push(Refusal::NotOffered { wanted, current }),
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
    fn force_pools(&mut self, present: &KubernetesVersion, next: &KubernetesVersion) {
        let allowed = allowed_skew(next.minor());
        let too_far = |version: &KubernetesVersion| next.minor().ahead_of(version.minor()) > allowed;
        let refusal = |pool: &str| Refusal::Skew { pool: pool.to_owned(), next: next.clone(), allowed };
        for index in 0..self.pools.len() {
            if !too_far(&self.pools[index].1) {
                continue;
            }
            if self.target.scope.has_pool_versions() {
                let why = format!("must not be more than {allowed} minors behind control plane {next}");
                self.move_pool(index, present, &why);
            } else {
                self.refuse_skew(refusal(&self.pools[index].0.name));
            }
        }
        for pool in &self.cluster.pools {
            if self.policy.excluded(pool).is_some() && too_far(&pool.version) {
                self.refuse_skew(refusal(&pool.name));
            }
        }
    }

    /// Says it once per pool, for the first hop that it forbids.
    fn refuse_skew(&mut self, refusal: Refusal) {
        let known = |found: &Refusal| {
            matches!((found, &refusal),
            (Refusal::Skew { pool: known, .. }, Refusal::Skew { pool, .. }) if known == pool)
        };
        if !self.refusals.iter().any(known) {
            self.refusals.push(refusal);
        }
    }

    /// Refuses pools whose OS SKU ends before the target; warns of those that stay, and of changes.
    fn check_os_skus(&mut self, wanted: &KubernetesVersion) {
        for pool in self.cluster.pools.iter().filter(|pool| pool.version < *wanted) {
            let moves = self.target.scope.has_pool_versions()
                && self.pools.iter().any(|(taking_part, _)| taking_part.name == pool.name);
            match os_sku::last_minor(&pool.os_sku) {
                Some(last) if wanted.minor() > last && moves => self.refusals.push(Refusal::OsSkuEnds {
                    pool: pool.name.clone(),
                    os_sku: pool.os_sku.clone(),
                    last,
                    instead: os_sku::way_out(&pool.os_type),
                }),
                Some(last) if wanted.minor() > last => self.plan.warnings.push(format!(
                    "pool {} runs {}, which ends with Kubernetes {last}: it cannot follow to {wanted}",
                    pool.name, pool.os_sku
                )),
                Some(_) | None if moves => {
                    self.plan.warnings.extend(os_sku::change(pool, wanted));
                }
                Some(_) | None => {}
            }
        }
    }

    /// The final step of each pool, in order: its version, or else its image.
    fn plan_pools(&mut self, offers: &Offers, now: Timestamp) {
        let version = self.target.kubernetes.as_ref().filter(|_| self.target.scope.has_pool_versions());
        for index in 0..self.pools.len() {
            if let Some(wanted) = version {
                self.move_pool(index, wanted, "to the target, after its control plane");
            }
            let (pool, reached) = &self.pools[index];
            if *reached == pool.version && self.target.scope.has_images() {
                self.plan_image(pool, offers, now);
            }
        }
    }

    fn move_pool(&mut self, index: usize, to: &KubernetesVersion, why: &str) {
        let pool = self.pools[index].0;
        if self.pools[index].1 >= *to {
            return;
        }
        let nodes = self.nodes(pool);
        let at = &mut self.pools[index].1;
        let step = Step {
            kind: StepKind::NodePoolVersion,
            pool: Some(pool.name.clone()),
            from: at.to_string(),
            to: to.to_string(),
        };
        self.plan.steps.push(PlannedStep { step, why: why.to_owned(), nodes });
        *at = to.clone();
    }

    /// How many nodes a step of the pool replaces. A pool of which that is not known gets none: whether a
    /// step is done is told by counting.
    fn nodes(&mut self, pool: &NodePool) -> i32 {
        let unknown = || {
            let refusal = Refusal::CountUnknown { pool: pool.name.clone() };
            if !self.refusals.contains(&refusal) {
                self.refusals.push(refusal);
            }
            0
        };
        pool.count.unwrap_or_else(unknown)
    }

    fn plan_image(&mut self, pool: &NodePool, offers: &Offers, now: Timestamp) {
        let verdict = match self.target.node_image {
            NodeImagePolicy::Latest => image_verdict(pool, self.target.max_image_age, offers, now),
            NodeImagePolicy::Skip => Err("spec.target.nodeImage is Skip".to_owned()),
        };
        match verdict {
            Ok(newest) => {
                let step = Step {
                    kind: StepKind::NodePoolImage,
                    pool: Some(pool.name.clone()),
                    from: pool.node_image.clone(),
                    to: newest.to_owned(),
                };
                let (why, nodes) = ("Azure offers a newer image".to_owned(), self.nodes(pool));
                self.plan.steps.push(PlannedStep { step, why, nodes });
            }
            Err(why) => self.plan.left_alone.push(LeftAlone { pool: pool.name.clone(), why }),
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
    let image = &pool.node_image;
    if let (Some(max_age), Some(published), Some(days)) =
        (max_age, image::published(image), image::age_in_days(image, now))
    {
        let allowed = max_age.as_secs() / 86_400;
        if u64::from(days) <= allowed {
            return Err(format!("its image is of {published}, younger than maxImageAge ({allowed} days)"));
        }
    }
    Ok(newest)
}

#[cfg(test)]
mod minimal;
#[cfg(test)]
mod tests;
