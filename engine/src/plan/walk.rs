//! Walks a plan step by step, and judges it by AKS's rules alone: every hop is on offer, and every
//! state on the way is one that AKS allows.

use std::collections::{BTreeMap, BTreeSet};

use super::{Plan, PlannedStep, Stays};
use crate::{
    cluster::{Cluster, NodePool, Power, ProvisioningState},
    offers::{Offers, SupportPlans},
    os_sku,
    policy::Policy,
    step::{Step, StepKind},
    target::{Scope, Target},
    version::{KubernetesVersion, allowed_skew},
};

/// What a plan is judged by.
#[derive(Clone, Copy)]
pub(super) struct Rules<'a> {
    pub(super) cluster: &'a Cluster,
    pub(super) target: &'a Target,
    pub(super) policy: &'a Policy,
    pub(super) offers: &'a Offers,
}

/// Where everything is, between two steps.
struct State<'a> {
    control_plane: KubernetesVersion,
    pools: BTreeMap<&'a str, KubernetesVersion>,
    broken: BTreeSet<&'a str>,
}

impl<'a> Rules<'a> {
    /// Every rule that the plan breaks.
    pub(super) fn broken_by(self, plan: &Plan) -> Vec<String> {
        let pools = self.cluster.pools.iter();
        let broken = pools.clone().filter(|pool| pool.provisioning_state.is_broken());
        let mut state = State {
            control_plane: self.cluster.version.clone(),
            pools: pools.map(|pool| (pool.name.as_str(), pool.version.clone())).collect(),
            broken: broken.map(|pool| pool.name.as_str()).collect(),
        };
        let mut problems = Vec::new();
        for PlannedStep { step, .. } in &plan.steps {
            let found = match (&step.kind, &step.pool) {
                (StepKind::ControlPlane, None) => self.hop(step, &mut state),
                (StepKind::NodePoolVersion, Some(name)) => self.roll(step, name, &mut state),
                (StepKind::NodePoolImage, Some(name)) => self.renew(step, name, plan, &state),
                (_, _) => vec!["names the wrong resource".to_owned()],
            };
            problems.extend(
                found.into_iter().chain(self.skew(&state)).map(|what| format!("{}: {what}", step.id())),
            );
        }
        problems.extend(self.end(&state));
        problems.extend(self.order(plan));
        problems.extend(self.account(plan));
        problems
    }

    fn hop(self, step: &Step, state: &mut State<'_>) -> Vec<String> {
        let to = version(&step.to);
        let first = state.control_plane == self.cluster.version;
        let region = self.offers.region.iter();
        let offered = if first {
            self.offers.control_plane.iter().any(|offer| offer.version == to)
        } else {
            region.clone().any(|entry| entry.version == state.control_plane && entry.upgrades.contains(&to))
        };
        let wanted = self.target.kubernetes.as_ref() == Some(&to);
        let long_term = self.cluster.is_long_term();
        let only = |entry: &crate::RegionVersion| {
            entry.version == to && entry.support_plans == Some(SupportPlans::AKSLongTermSupport)
        };
        let minors = to.minor().ahead_of(state.control_plane.minor());
        let problems = [
            (step.from != state.control_plane.to_string(), "does not begin where the control plane is"),
            (to <= state.control_plane, "does not go up"),
            (!self.target.scope.has_control_plane(), "is not in scope"),
            (!offered, "is not on offer"),
            (!wanted && self.offers.is_preview(&to), "is a preview that nobody asked for"),
            (!first && !long_term && region.clone().any(only), "is for long-term support only"),
            (minors > 1 && !long_term, "skips a minor without long-term support"),
            (!self.alive_and_broken(state).is_empty(), "comes before a failed pool is repaired"),
            (self.cluster.auto_upgrade_channel.is_some(), "is refused while an auto-upgrade channel is on"),
        ];
        state.control_plane = to;
        told(problems)
    }

    fn roll(self, step: &Step, name: &str, state: &mut State<'a>) -> Vec<String> {
        let Some(pool) = self.cluster.pool(name) else { return vec!["no such pool".to_owned()] };
        let (to, at) = (version(&step.to), state.pools[name].clone());
        let last = os_sku::last_minor(&pool.os_sku);
        let region = self.offers.region.iter().find(|entry| entry.version == to);
        let for_us = |entry: &crate::RegionVersion| {
            self.cluster.is_long_term() || entry.support_plans != Some(SupportPlans::AKSLongTermSupport)
        };
        let repairs = step.from == step.to && state.broken.contains(name);
        let problems = [
            (self.is_left_alone(pool), "is to be left alone"),
            (!self.target.scope.has_pool_versions(), "is not in scope"),
            (step.from != at.to_string(), "does not begin where the pool is"),
            (to < at || (to == at && !repairs), "does not go up"),
            (to > state.control_plane, "is newer than its control plane"),
            (to > at && last.is_some_and(|last| to.minor() > last), "is beyond its operating system"),
            (to > at && pool.snapshot.is_some(), "takes it off its snapshot"),
            (
                to > at && to != state.control_plane && !region.is_some_and(for_us),
                "is neither its control plane's version nor one of the region",
            ),
        ];
        state.pools.insert(&pool.name, to);
        state.broken.remove(name);
        told(problems)
    }

    fn renew(self, step: &Step, name: &str, plan: &Plan, state: &State<'_>) -> Vec<String> {
        let Some(pool) = self.cluster.pool(name) else { return vec!["no such pool".to_owned()] };
        let rolls = |planned: &&PlannedStep| planned.step.pool.as_deref() == Some(name);
        let problems = [
            (self.is_left_alone(pool), "is to be left alone"),
            (pool.snapshot.is_some(), "takes it off its snapshot"),
            (state.broken.contains(name), "is on a failed pool"),
            (!self.target.scope.has_images(), "is not in scope"),
            (plan.steps.iter().filter(rolls).count() != 1, "is not its pool's only step"),
            (step.from != pool.node_image || step.to == step.from, "changes nothing"),
            (self.offers.images.get(name) != Some(&step.to), "is not the newest"),
        ];
        told(problems)
    }

    /// No pool is newer than its control plane, or too far behind; provisioned nodes follow by themselves.
    fn skew(self, state: &State<'_>) -> Vec<String> {
        let minor = state.control_plane.minor();
        let pools = self.cluster.pools.iter().filter(|pool| !pool.is_managed_by_azure());
        let wrong = pools.filter(|pool| {
            let at = &state.pools[pool.name.as_str()];
            // A pool may have been too far behind before we came.
            let since = *at != pool.version || state.control_plane != self.cluster.version;
            let too_far = minor.ahead_of(at.minor()) > allowed_skew(minor);
            since && (*at > state.control_plane || too_far)
        });
        wrong.map(|pool| format!("leaves pool {} out of the skew", pool.name)).collect()
    }

    fn end(self, state: &State<'_>) -> Vec<String> {
        let mut problems = Vec::new();
        let Some(wanted) = &self.target.kubernetes else { return problems };
        if self.target.scope.has_control_plane() && state.control_plane < *wanted {
            problems.push("the control plane does not reach the target".to_owned());
        }
        let taking_part = self.cluster.pools.iter().filter(|pool| !self.is_left_alone(pool));
        let behind = taking_part.filter(|pool| state.pools[pool.name.as_str()] < *wanted);
        if self.target.scope.has_pool_versions() {
            problems.extend(behind.map(|pool| format!("pool {} does not reach the target", pool.name)));
        }
        problems
    }

    /// Between two hops of the control plane, pools go in the order of the policy.
    fn order(self, plan: &Plan) -> Vec<String> {
        let mut problems = Vec::new();
        for stretch in plan.steps.split(|planned| planned.step.kind == StepKind::ControlPlane) {
            let pools = stretch.iter().filter_map(|planned| planned.step.pool.as_deref());
            let places: Vec<_> = pools
                .filter_map(|name| self.cluster.pool(name))
                .map(|pool| self.policy.place(pool))
                .collect();
            if !places.is_sorted() {
                problems.push(format!("not in order: {places:?}"));
            }
        }
        problems
    }

    /// Every pool has steps or a reason for having none, and never both.
    fn account(self, plan: &Plan) -> Vec<String> {
        let count = |name: &str| {
            let steps =
                plan.steps.iter().filter(|planned| planned.step.pool.as_deref() == Some(name)).count();
            let reasons = plan.left_alone.iter().filter(|left| left.pool.as_deref() == Some(name)).count();
            (steps, reasons)
        };
        let pools = self.cluster.pools.iter().map(|pool| (&pool.name, count(&pool.name)));
        let mut problems: Vec<String> = pools
            .filter(|(_, counts)| !matches!(counts, (0, 1) | (1.., 0)))
            .map(|(name, (steps, reasons))| format!("pool {name} has {steps} steps and {reasons} reasons"))
            .collect();
        let watched =
            plan.left_alone.iter().any(|left| left.pool.is_none() && left.why == Stays::Provisioned);
        if watched != self.cluster.node_provisioning {
            problems.push("provisioned nodes are not told of".to_owned());
        }
        problems
    }

    fn is_left_alone(self, pool: &NodePool) -> bool {
        self.policy.exclude.iter().any(|exclusion| exclusion.matches(pool))
            || pool.power == Power::Stopped
            || pool.mode == "Machines"
            || self.target.scope == Scope::ControlPlane
    }

    fn alive_and_broken(self, state: &State<'a>) -> Vec<&'a str> {
        let mut broken = state.broken.clone();
        broken.retain(|name| self.cluster.pool(name).is_some_and(|pool| pool.mode != "Machines"));
        broken.into_iter().collect()
    }
}

fn told<const N: usize>(problems: [(bool, &str); N]) -> Vec<String> {
    problems.into_iter().filter(|(broken, _)| *broken).map(|(_, what)| what.to_owned()).collect()
}

fn version(text: &str) -> KubernetesVersion {
    text.parse().unwrap()
}

#[test]
fn finds_what_is_wrong_with_a_plan() {
    use super::LeftAlone;
    use crate::{target::NodeImagePolicy, testing};

    let mut cluster = testing::cluster("1.33.8");
    cluster.pools.truncate(1);
    cluster.pools[0].version = version("1.32.9");
    let (offers, policy) = (testing::offers("1.33.8"), Policy::default());
    let kubernetes = Some(version("1.36.2"));
    let target = Target {
        scope: Scope::Full,
        kubernetes,
        node_image: NodeImagePolicy::Latest,
        images: std::collections::BTreeMap::new(),
        max_image_age: None,
    };
    let rules = Rules { cluster: &cluster, target: &target, policy: &policy, offers: &offers };
    let step = |pool: Option<&str>, from: &str, to: &str| PlannedStep {
        step: Step {
            kind: if pool.is_some() { StepKind::NodePoolVersion } else { StepKind::ControlPlane },
            pool: pool.map(str::to_owned),
            from: from.to_owned(),
            to: to.to_owned(),
        },
        why: String::new(),
        nodes: 3,
        repair: false,
    };
    let found = |steps: &[PlannedStep], left: &[LeftAlone]| {
        let plan = Plan { steps: steps.to_vec(), left_alone: left.to_vec(), warnings: Vec::new() };
        rules.broken_by(&plan).join("\n")
    };
    let (one, two, three) =
        (step(None, "1.33.8", "1.34.4"), step(None, "1.34.4", "1.35.2"), step(None, "1.35.2", "1.36.2"));
    let last = step(Some("linux1"), "1.32.9", "1.36.2");
    let late = [one.clone(), two.clone(), three.clone(), last.clone()];
    assert_eq!(found(&late, &[]), "cp-1.36.2: leaves pool linux1 out of the skew");
    let before = step(Some("linux1"), "1.32.9", "1.35.2");
    let good = [one.clone(), two, before.clone(), three.clone(), step(Some("linux1"), "1.35.2", "1.36.2")];
    assert_eq!(found(&good, &[]), "");
    let early = found(&[before, one.clone()], &[]);
    assert!(early.contains("newer than its control plane") && early.contains("does not reach"), "{early}");
    let skipped = found(&[one.clone(), three], &[]);
    assert!(
        skipped.contains("does not begin where") && skipped.contains("0 steps and 0 reasons"),
        "{skipped}"
    );
    assert!(found(&[step(None, "1.33.8", "1.35.2")], &[]).contains("not on offer"));
    let failed = ProvisioningState::Failed;
    let mut broken = cluster.clone();
    broken.pools[0].provisioning_state = failed;
    let rules = Rules { cluster: &broken, ..rules };
    let plan = Plan { steps: vec![one], ..Plan::default() };
    assert!(rules.broken_by(&plan).join("\n").contains("before a failed pool is repaired"));
}
