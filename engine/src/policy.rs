//! How a cluster is upgraded: pools in which order, which ones not, what happens on failure.

use std::time::Duration;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    cluster::NodePool,
    settings::{Setting, Settings},
};

/// The policy of one cluster's upgrade, validated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The first rule that matches places a pool; unmatched pools come last.
    pub order: Vec<OrderRule>,
    /// Pools that are left alone.
    pub exclude: Vec<PoolMatch>,
    /// How often a failed step is tried again.
    pub retries: u32,
    /// What happens when a gate fails.
    pub on_gate_failure: OnGateFailure,
    /// How long a step may take before it is reported as stalled.
    pub step_timeout: Duration,
    /// Namespaces whose workloads are not watched.
    pub ignored_namespaces: Vec<String>,
    /// How long a workload may be unavailable after a step before the gate fails; a
    /// Deployment's own `progressDeadlineSeconds` is the model.
    pub progress_deadline: Duration,
    /// How long gates stay watched after the last step.
    pub soak: Duration,
    /// Settings of pools that their steps override; those of an order rule go first, one by one.
    pub upgrade_settings: Settings,
    /// Steps that start before this instant go over disruption budgets and deprecated APIs.
    pub force_until: Option<Timestamp>,
}

/// What happens when a gate fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OnGateFailure {
    /// Nothing goes on until the gate passes.
    #[default]
    Hold,
    /// When it fails after the step of a node pool, that pool is rolled back, and nothing goes on until `retry`.
    RollbackNodePool,
    /// Gates are judged while Azure works on a step, too: when one fails, the operation is aborted, and nothing goes
    /// on until `retry`.
    AbortOperation,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            order: Vec::new(),
            exclude: Vec::new(),
            retries: 2,
            on_gate_failure: OnGateFailure::Hold,
            step_timeout: Duration::from_secs(6 * 3600),
            ignored_namespaces: Vec::new(),
            progress_deadline: Duration::from_secs(600),
            soak: Duration::ZERO,
            upgrade_settings: Settings::default(),
            force_until: None,
        }
    }
}

/// A place in the order of pools.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OrderRule {
    /// Which pools it places.
    pub matches: PoolMatch,
    /// How long gates stay watched after such a pool.
    pub soak: Duration,
    /// Settings that a step of such a pool overrides.
    pub upgrade_settings: Settings,
}

/// Which pools are meant; everything that is given must match, nothing given matches all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PoolMatch {
    /// One of these names.
    pub names: Vec<String>,
    /// This mode: `System`, `User` or `Gateway`.
    pub mode: Option<String>,
    /// This operating system: `Linux` or `Windows`.
    pub os_type: Option<String>,
}

impl PoolMatch {
    /// Whether the pool is meant.
    #[must_use]
    pub fn matches(&self, pool: &NodePool) -> bool {
        let same = |wanted: &Option<String>, found: &str| {
            wanted.as_deref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(found))
        };
        (self.names.is_empty() || self.names.contains(&pool.name))
            && same(&self.mode, &pool.mode)
            && same(&self.os_type, &pool.os_type)
    }
}

impl Policy {
    /// The index of the exclusion that leaves a pool alone.
    #[must_use]
    pub fn excluded(&self, pool: &NodePool) -> Option<usize> {
        self.exclude.iter().position(|exclusion| exclusion.matches(pool))
    }

    /// The place of a pool: its rule, then its name.
    #[must_use]
    pub fn place<'a>(&self, pool: &'a NodePool) -> (usize, &'a str) {
        let rule = self.order.iter().position(|rule| rule.matches.matches(pool));
        (rule.unwrap_or(self.order.len()), &pool.name)
    }

    /// How long gates stay watched after this pool.
    #[must_use]
    pub fn pool_soak(&self, pool: &NodePool) -> Duration {
        self.order.iter().find(|rule| rule.matches.matches(pool)).map_or(Duration::ZERO, |rule| rule.soak)
    }

    /// The settings that a step of this pool overrides.
    #[must_use]
    pub fn pool_settings(&self, pool: &NodePool) -> Settings {
        match self.order.iter().find(|rule| rule.matches.matches(pool)) {
            Some(rule) => rule.upgrade_settings.over(&self.upgrade_settings),
            None => self.upgrade_settings.clone(),
        }
    }

    /// The settings of the cluster that a step overrides which is sent now.
    #[must_use]
    pub fn cluster_settings(&self, now: Timestamp) -> Settings {
        match self.force_until.filter(|until| now < *until) {
            Some(until) => {
                [(Setting::ForceUpgrade, "true"), (Setting::Until, until.to_string().as_str())].into()
            }
            None => Settings::default(),
        }
    }

    /// Whether any step may override anything.
    #[must_use]
    pub fn overrides_settings(&self) -> bool {
        let rules = || self.order.iter().any(|rule| !rule.upgrade_settings.is_empty());
        self.force_until.is_some() || !self.upgrade_settings.is_empty() || rules()
    }
}
