//! From an observed cluster and a target to the steps that lead there, in order.
//!
//! A pool moves only when it must (it would fall further behind than Azure allows before
//! the next control-plane hop) or at the end, so each pool is rolled as rarely as possible.
//! A version step brings the newest image with it; image steps are for the other pools.
//!
//! A pool in state Failed is repaired by sending its version again: before the control plane moves,
//! since a write to the cluster would take up the pool's unfinished operation, and since its nodes
//! may be older than the version that it shows. The step that moves it anyway repairs it, too.
//! What is found to run something older than Azure shows ([`Lag`]) is repaired in the same way, a
//! control plane before everything else.

use jiff::Timestamp;

use crate::{
    cluster::Cluster, lag::Lag, offers::Offers, policy::Policy, refusal::Refusal, step::Step, target::Target,
};

mod draft;
mod image;
mod part;
mod remarks;

use draft::Draft;
pub(crate) use image::barred as barred_image;
pub use part::Stays;
pub(crate) use part::taking_part;

/// What would be done to one cluster, and what not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The steps, in the order in which they run.
    pub steps: Vec<PlannedStep>,
    /// What gets no step, with the reason.
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
    /// It sends what Azure shows already, since what runs is older, or an operation has failed.
    pub repair: bool,
}

/// Nodes without a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftAlone {
    /// Name of the pool; `None` for the nodes that node auto-provisioning makes outside of pools.
    pub pool: Option<String>,
    /// The reason.
    pub why: Stays,
}

/// A plan as far as it can be made, and everything that stands in its way: for people who look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outline {
    /// What would be done once nothing stands in the way; without the pools that do.
    pub plan: Plan,
    /// Every reason for which it cannot start, each naming what would have to change.
    pub refusals: Vec<Refusal>,
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
    plan_what_runs((cluster, &Lag::default()), target, policy, offers, now)
}

/// The same for a cluster that is known to run other versions than Azure shows.
pub(crate) fn plan_what_runs(
    known: (&Cluster, &Lag),
    target: &Target,
    policy: &Policy,
    offers: &Offers,
    now: Timestamp,
) -> Result<Plan, Vec<Refusal>> {
    let Outline { plan, refusals } = outline_of(known, target, policy, offers, now);
    if refusals.is_empty() { Ok(plan) } else { Err(refusals) }
}

/// Plans as far as it goes: one refusal hides neither the others nor the rest of the plan. Takes Azure's
/// word for what runs.
#[must_use]
pub fn outline(
    cluster: &Cluster,
    target: &Target,
    policy: &Policy,
    offers: &Offers,
    now: Timestamp,
) -> Outline {
    outline_of((cluster, &Lag::default()), target, policy, offers, now)
}

fn outline_of(
    (cluster, lag): (&Cluster, &Lag),
    target: &Target,
    policy: &Policy,
    offers: &Offers,
    now: Timestamp,
) -> Outline {
    let mut outline = Draft::new(cluster, lag, target, policy, offers).outline(now);
    let channel_refused =
        outline.refusals.iter().any(|refusal| matches!(refusal, Refusal::AutoUpgrade { .. }));
    outline.plan.warnings = remarks::remarks(cluster, target, policy, (offers, now));
    if !channel_refused {
        outline.plan.warnings.extend(remarks::of_versions_channel(cluster));
    }
    outline
}

#[cfg(test)]
mod brute_force;
#[cfg(test)]
mod hindrance_tests;
#[cfg(test)]
mod lag_tests;
#[cfg(test)]
mod minimal;
#[cfg(test)]
mod pins_tests;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod walk;
